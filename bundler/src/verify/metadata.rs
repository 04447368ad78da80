//! Walks the metadata of a repository as a client does.

use super::finding::Finding;
use super::source::{RepositorySource, VerifyError};
use notsotuf_stub::tuf::{Limits, Refresh, RefreshIo, TargetFile, TufError, UnixTime};
use serde_json::{Map, Value, json};

/// Lists the targets that clients which trust `root` find, by path, as JSON.
/// Expiry does not matter here.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn listed(
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

pub(super) fn version(root: &[u8]) -> u64 {
    let value: Option<serde_json::Value> = serde_json::from_slice(root).ok();
    value
        .and_then(|v| v["signed"]["version"].as_u64())
        .unwrap_or(0)
}

/// Refreshes as a client that has nothing but `root`. Puts the roots on the
/// way into `seen`.
pub(super) fn walk(
    target: &RepositorySource,
    root: &[u8],
    now: UnixTime,
    mut seen: Option<&mut Vec<Vec<u8>>>,
) -> Result<Finding<Refresh>, VerifyError> {
    let mut client = match Refresh::new(root, now, Limits::default()) {
        Ok(client) => client,
        Err(e) => return Ok(Finding::Problem(e.to_string())),
    };
    let mut io = Walk {
        source: target,
        seen: seen.take(),
    };
    match client.run(&mut io) {
        Ok(()) => Ok(Finding::Sound(client)),
        Err(Stop::Refused(e)) => Ok(Finding::Problem(e.to_string())),
        Err(Stop::Failed(e)) => Err(e),
    }
}

/// What a client sees that stores nothing.
struct Walk<'a> {
    source: &'a RepositorySource,
    seen: Option<&'a mut Vec<Vec<u8>>>,
}

/// What ends it before its end.
enum Stop {
    /// A client would refuse the metadata.
    Refused(TufError),
    /// The metadata could not be read.
    Failed(VerifyError),
}

impl From<TufError> for Stop {
    fn from(error: TufError) -> Self {
        Stop::Refused(error)
    }
}

impl From<VerifyError> for Stop {
    fn from(error: VerifyError) -> Self {
        Stop::Failed(error)
    }
}

impl RefreshIo for Walk<'_> {
    type Error = Stop;

    fn fetch(&mut self, _: &str, file: &str, max_length: u64) -> Result<Option<Vec<u8>>, Stop> {
        if let Some(problem) = self.source.too_large(file, max_length)? {
            return Err(problem.into());
        }
        Ok(self.source.metadata(file, max_length)?)
    }

    fn store(&mut self, role: &str, bytes: &[u8]) -> Result<(), Stop> {
        if let Some(seen) = self.seen.as_mut().filter(|_| role == "root") {
            seen.push(bytes.to_vec());
        }
        Ok(())
    }
}
