//! Checks a whole repository, here or on the web, as clients would: a fresh
//! one, and ones that were offline since each of the older roots.

mod compare;
mod finding;
mod metadata;
mod source;
mod targets;

pub(crate) use compare::{There, compare};
pub(crate) use finding::Finding;
pub(crate) use metadata::listed;
use metadata::version;
pub(crate) use source::{RepositorySource, VerifyError};
pub(crate) use targets::Report;

use crate::progress::Progress;
use notsotuf_stub::fs;
use notsotuf_stub::tuf::{Limits, UnixTime};
use std::path::Path;

/// Says how much of a repository is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Metadata, and all targets that it lists.
    Everything,
    /// No target is fetched.
    MetadataOnly,
}

/// Checks the repository as clients that trust the root in the file `root`
/// would.
///
/// # Errors
/// If it cannot be checked; what is wrong with it is in the report.
pub(crate) fn verify(
    target: &RepositorySource,
    root: &Path,
    scope: Scope,
    now: UnixTime,
    progress: Progress,
) -> Result<Report, VerifyError> {
    let mut report = Report::default();
    let first = fs::read_optional(root, Limits::default().root)?
        .ok_or_else(|| VerifyError::NoRoot(root.into()))?;
    let mut roots = Vec::new();
    let client = match metadata::walk(target, &first, now, Some(&mut roots))? {
        Finding::Sound(client) => Some(client),
        Finding::Problem(reason) => {
            report.problems.push(format!("a fresh client: {reason}"));
            None
        }
    };
    report.roots = 1 + roots.len();
    // A client that was offline since one of the later roots.
    for root in &roots {
        if let Finding::Problem(reason) = metadata::walk(target, root, now, None)? {
            let version = version(root);
            report
                .problems
                .push(format!("a client with root {version}: {reason}"));
        }
    }
    if let Some(client) = &client {
        targets::withdrawn(client, &mut report);
    }
    if let Some(client) = client.filter(|_| scope == Scope::Everything) {
        targets::targets(target, &client, progress, &mut report)?;
    }
    Ok(report)
}
