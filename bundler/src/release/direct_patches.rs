//! Makes the direct patches of a new release, over the releases in between:
//! for those who come back after a while. Each is an offer only, so what
//! stands in its way is told, and the release does without.

use super::ReleaseError;
use super::new_release::DirectPatch;
use super::patching::{self, Bases, Made, Making, Patches, Release, TOO_LARGE, make_per_file};
use indicatif::HumanDuration;
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

/// Why a direct patch is left out.
enum LeftOut {
    /// It would be of no use.
    TooLarge,
    /// It cannot be had, which the release engineer should know.
    Failed(String),
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
    let Some(format) = bases.per_file() else {
        return Ok(direct);
    };
    // What differs from the release before differs from older ones, too.
    let in_vain = first.why_none.as_deref() == Some(TOO_LARGE);
    for base in &bases.direct {
        let made = if in_vain {
            Err(LeftOut::TooLarge)
        } else {
            direct_patch(bases, base, making, format)?
        };
        let from = base.version.clone();
        let made = match made {
            Ok((made, path)) => {
                direct.files.push((made.file, path.clone(), made.entry));
                Ok((path, made.size))
            }
            Err(LeftOut::TooLarge) => Err(TOO_LARGE.into()),
            Err(LeftOut::Failed(why)) => {
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
) -> Result<Result<(Made, String), LeftOut>, ReleaseError> {
    let failed = |why: String| Ok(Err(LeftOut::Failed(why)));
    if making.budget.is_spent() {
        let time = HumanDuration(making.within);
        return failed(format!(
            "making all patches takes longer than {time} (--patch-budget)"
        ));
    }
    let Some(old) = bases.find(base)? else {
        return failed(
            "the archive of that release is missing, or is not the one that was published; \
             `notsotuf fetch` gets it"
                .into(),
        );
    };
    let name = format!("patch-from-{}", base.version);
    let made = match make_per_file(base, &old, making, format, &name) {
        Ok(made) => made,
        Err(error) => {
            return match (patching::why_left_out(&error, making), &error) {
                (Some(why), _) => failed(why),
                (None, ReleaseError::OldArchive { source, .. })
                    if !matches!(source, ArchiveError::Fs(_)) =>
                {
                    failed(format!(
                        "the archive of that release cannot be used: {source}"
                    ))
                }
                (None, ReleaseError::Check(source)) if !matches!(source, PatchError::Fs(_)) => {
                    failed(error.to_string())
                }
                _ => Err(error),
            };
        }
    };
    if made.is_too_large(making) {
        return Ok(Err(LeftOut::TooLarge));
    }
    let from = base.version.clone();
    let path = bases.target(TargetKind::DirectPatch { from });
    Ok(Ok((made, path)))
}
