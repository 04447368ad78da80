//! Checks that clients will read the metadata before it is published.

use super::scope::PublishScope;
use crate::metadata::limits::{TooLarge, bound, said};
use crate::metadata::{Published, Update};

/// Checks the size of metadata before it is published.
///
/// # Errors
/// [`TooLarge`], unless it is too large already, and is made smaller or
/// renewed only.
pub(super) fn check(
    published: &Published,
    update: &Update,
    what: PublishScope,
) -> Result<Option<String>, TooLarge> {
    let is_targets = |name: &str| name == "targets.json" || name.ends_with(".targets.json");
    let new = update.files.iter().find(|(name, _)| is_targets(name));
    let before = published
        .targets
        .as_ref()
        .map(|t| t.to_bytes().len() as u64);
    let size = match new {
        Some((_, bytes)) => bytes.len() as u64,
        None => before.unwrap_or(0),
    };
    let mends =
        before.is_some_and(|before| before > bound() && (what.only_renews() || size < before));
    if new.is_some() && size > bound() && !mends {
        return Err(TooLarge { size });
    }
    Ok(said(size))
}
