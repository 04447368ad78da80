//! Walks the metadata of a repository as a client does.

use super::finding::Finding;
use super::source::{RepositorySource, VerifyError};
use notsotuf_stub::tuf::{Limits, Refresh, Step, TargetFile, UnixTime};
use serde_json::{Map, Value, json};

/// The targets that clients which trust `root` find, by path, as JSON.
/// Expiry does not matter here.
///
/// # Errors
/// If it cannot be read.
pub fn listed(
    target: &RepositorySource,
    root: &[u8],
) -> Result<Finding<Map<String, Value>>, VerifyError> {
    let client = match walk(target, root, UnixTime::MIN, None)? {
        Finding::Sound(client) => client,
        Finding::Problem(reason) => return Ok(Finding::Problem(reason)),
    };
    let entry = |file: &TargetFile| json!({ "length": file.length, "hashes": file.hashes, "custom": file.custom.value() });
    let targets = client.trusted().targets("targets");
    let targets = targets.iter().flat_map(|metadata| &metadata.targets);
    let entries = targets.map(|(path, file)| (path.clone(), entry(file)));
    Ok(Finding::Sound(entries.collect()))
}

pub fn version(root: &[u8]) -> u64 {
    let value: Option<serde_json::Value> = serde_json::from_slice(root).ok();
    value
        .and_then(|v| v["signed"]["version"].as_u64())
        .unwrap_or(0)
}

/// Refreshes as a client that has nothing but `root`. Puts the roots on the
/// way into `seen`.
pub fn walk(
    target: &RepositorySource,
    root: &[u8],
    now: UnixTime,
    mut seen: Option<&mut Vec<Vec<u8>>>,
) -> Result<Finding<Refresh>, VerifyError> {
    let mut client = match Refresh::new(root, now, Limits::default()) {
        Ok(client) => client,
        Err(e) => return Ok(Finding::Problem(e.to_string())),
    };
    loop {
        let answer = match client.next_step() {
            Step::Done => return Ok(Finding::Sound(client)),
            Step::Load { .. } => client.answer(None),
            Step::Fetch {
                file, max_length, ..
            } => match target.too_large(&file, max_length)? {
                Some(problem) => Err(problem),
                None => client.answer(target.metadata(&file, max_length)?),
            },
            Step::Store { role, bytes } => {
                if let Some(seen) = seen.as_mut().filter(|_| role == "root") {
                    seen.push(bytes);
                }
                Ok(())
            }
            Step::Remove { .. } => Ok(()),
        };
        if let Err(e) = answer {
            return Ok(Finding::Problem(e.to_string()));
        }
    }
}
