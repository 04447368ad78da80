//! Walks the metadata of a repository as a client does.

use super::source::{RepositorySource, VerifyError};
use notsotuf_stub::tuf::{Bounds, Refresh, Step, TargetFile, TufError, UnixTime};
use serde_json::{Map, Value, json};

/// The targets that clients which trust `root` find, by path, as JSON; what
/// is wrong with the metadata is the inner error. Expiry does not matter here.
///
/// # Errors
/// If it cannot be read.
pub fn listed(
    target: &RepositorySource,
    root: &[u8],
) -> Result<Result<Map<String, Value>, TufError>, VerifyError> {
    let client = match walk(target, root, UnixTime::MIN, None)? {
        Ok(client) => client,
        Err(e) => return Ok(Err(e)),
    };
    let entry = |file: &TargetFile| json!({ "length": file.length, "hashes": file.hashes, "custom": file.custom.value() });
    let targets = client.trusted().targets("targets");
    let targets = targets.iter().flat_map(|metadata| &metadata.targets);
    let entries = targets.map(|(path, file)| (path.clone(), entry(file)));
    Ok(Ok(entries.collect()))
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
) -> Result<Result<Refresh, TufError>, VerifyError> {
    let mut client = match Refresh::new(root, now, Bounds::default()) {
        Ok(client) => client,
        Err(e) => return Ok(Err(e)),
    };
    loop {
        let answer = match client.next_step() {
            Step::Done => return Ok(Ok(client)),
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
            return Ok(Err(e));
        }
    }
}
