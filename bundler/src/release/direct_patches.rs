//! Makes the direct patches of a new release, over the releases in between:
//! for those who come back after a while. Each is an offer only, so what
//! stands in its way is told, and the release does without.

use super::ReleaseError;
use super::new_release::{DirectPatch, NoPatch};
use super::patching::{self, Bases, Made, Making, Patches, Release, make_per_file};
use notsotuf_stub::bundle::patch::{Format, PatchError};
use notsotuf_stub::bundle::unpack::ArchiveError;
use notsotuf_stub::catalog::TargetKind;
use serde_json::Value;
use std::path::PathBuf;

/// Says what came of making direct patches.
#[derive(Default)]
pub(super) struct DirectPatches {
    /// New files with their target paths and entries.
    pub files: Vec<(PathBuf, String, Value)>,
    /// Each that was made or left out, newest first.
    pub patches: Vec<DirectPatch>,
    /// What the release engineer should know.
    pub warnings: Vec<String>,
}

/// Makes the direct patches that the settings want, in the time that the
/// `first` patch has left.
///
/// # Errors
/// [`ReleaseError`], if not even the release can be added.
pub(super) fn make(
    bases: &Bases,
    making: &Making,
    first: &Patches,
) -> Result<DirectPatches, ReleaseError> {
    let mut direct = DirectPatches::default();
    let Some(format) = bases.direct_format() else {
        return Ok(direct);
    };
    // What differs from the release before differs from older ones, too.
    let mut in_vain = !bases.has_both() && matches!(first.why_none, Some(NoPatch::TooLarge));
    for base in &bases.direct {
        let made = if in_vain {
            Err(NoPatch::TooLarge)
        } else {
            direct_patch(bases, base, making, format)?
        };
        let from = base.version.clone();
        let made = match made {
            Ok((made, path)) => {
                if bases.has_both() && bases.is_base(base) {
                    direct.warnings.extend(bases.hints(&made, making, format));
                }
                direct.files.push((made.file, path.clone(), made.entry));
                Ok((path, made.size))
            }
            // It would be of no use: that is no fault.
            Err(NoPatch::TooLarge) => {
                in_vain |= bases.is_base(base);
                Err(NoPatch::TooLarge)
            }
            Err(why) => {
                let warning = format!("no direct patch from {from}: {why}");
                direct.warnings.push(warning);
                Err(why)
            }
        };
        direct.patches.push(DirectPatch { from, made });
    }
    Ok(direct)
}

/// Makes one, to be published under a target path, or says why it is left out.
fn direct_patch(
    bases: &Bases,
    base: &Release,
    making: &Making,
    format: Format,
) -> Result<Result<(Made, String), NoPatch>, ReleaseError> {
    if making.budget.is_spent() {
        return Ok(Err(NoPatch::BudgetOfAll(making.within)));
    }
    let Some(old) = bases.find(base)? else {
        return Ok(Err(NoPatch::OldArchiveMissing));
    };
    let name = format!("patch-from-{}", base.version);
    let made = match make_per_file(base, &old, making, format, &name) {
        Ok(made) => made,
        Err(error) => return why_left_out(error, making).map(Err),
    };
    if made.is_too_large(making) {
        return Ok(Err(NoPatch::TooLarge));
    }
    let from = base.version.clone();
    let path = bases.target(TargetKind::DirectPatch { from });
    Ok(Ok((made, path)))
}

/// Says why a release can do without the direct patch that could not be made.
///
/// # Errors
/// The error, if that is no reason.
fn why_left_out(error: ReleaseError, making: &Making) -> Result<NoPatch, ReleaseError> {
    if let Some(why) = patching::why_left_out(&error, making) {
        return Ok(why);
    }
    match error {
        ReleaseError::OldArchive { source, .. } if !matches!(source, ArchiveError::Fs(_)) => {
            Ok(NoPatch::OldArchive(source))
        }
        ReleaseError::Check(ref source) if !matches!(source, PatchError::Fs(_)) => {
            Ok(NoPatch::Check(Box::new(error)))
        }
        _ => Err(error),
    }
}
