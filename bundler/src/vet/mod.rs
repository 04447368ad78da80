//! Looks at what is about to be released: whether it is a bundle, a working
//! one, and that of this application, and nothing that must not get out. What
//! nobody can mean is refused; what somebody may mean is, unless it is forced.

mod error;
mod finding;
mod folder;
mod key_forms;
mod keys;
mod look;
mod near_names;
mod program;
mod stub;

pub(crate) use error::VetError;
use finding::{Finding, Weight};
pub(crate) use look::{ProgramKind, is_made_by_pyinstaller};
pub(crate) use program::{Previous, previous};

use crate::metadata::Published;
use crate::pack::archive;
use crate::project::Project;
use look::Look;
use std::path::{Path, PathBuf};

/// Says how a bundle is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Vetting<'a> {
    /// The bundle is not looked at: it is no bundle of an application, or was
    /// released before.
    None,
    /// Everything that is likely a mistake is refused.
    Checked {
        /// Folders of keys beside the project's own.
        key_dirs: &'a [PathBuf],
    },
    /// Only what nobody can mean is refused.
    Forced {
        /// Folders of keys beside the project's own.
        key_dirs: &'a [PathBuf],
    },
}

/// Holds a bundle that is about to be released.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// Of this application.
    pub app: &'a str,
    /// The folder or the file.
    pub bundle: &'a Path,
    /// How it is looked at.
    pub vetting: Vetting<'a>,
}

/// Looks at a bundle, and returns warnings.
///
/// # Errors
/// [`VetError`]: it must not be released.
pub(crate) fn vet(
    project: &Project,
    published: &Published,
    candidate: &Candidate,
    previous: Option<&Previous>,
) -> Result<Vec<String>, VetError> {
    let (key_dirs, forced) = match candidate.vetting {
        Vetting::None => return Ok(Vec::new()),
        Vetting::Checked { key_dirs } => (key_dirs, false),
        Vetting::Forced { key_dirs } => (key_dirs, true),
    };
    let bundle = candidate.bundle;
    if !bundle.exists() {
        return Err(VetError::Missing {
            path: bundle.into(),
            near: near_names::near_names(bundle)?,
        });
    }
    let mut findings = folder::project(project, bundle, key_dirs);
    if findings.is_empty() {
        let look = Look::at(bundle, archive::collect(bundle)?)?;
        findings.extend(folder::settings(&look));
        findings.extend(keys::private(&look, project, published, key_dirs)?);
        findings.extend(stub::stubs(&look, candidate.app)?);
        findings.extend(folder::other(&look, previous));
        // Of what is no bundle at all, the rest would only confuse.
        if findings.is_empty() {
            findings.extend(program::programs(&look, previous)?);
            findings.extend(program::names(&look));
        }
    }
    judge(bundle, findings, forced)
}

fn judge(bundle: &Path, findings: Vec<Finding>, forced: bool) -> Result<Vec<String>, VetError> {
    let texts = |wanted: Weight| -> Vec<String> {
        let found = findings.iter().filter(|found| found.weight == wanted);
        found.map(|found| found.text.clone()).collect()
    };
    let refused = |reasons: Vec<String>, force: bool| VetError::Refused {
        path: bundle.into(),
        reasons,
        force,
    };
    match (texts(Weight::Never), texts(Weight::UnlessForced)) {
        (never, _) if !never.is_empty() => Err(refused(never, false)),
        (_, unless) if !unless.is_empty() && !forced => Err(refused(unless, true)),
        (_, mut warnings) => {
            warnings.extend(texts(Weight::Warning));
            Ok(warnings)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vet::finding::Finding;

    #[test]
    fn what_nobody_can_mean_is_not_forced() {
        let findings = |weights: &[fn(String) -> Finding]| -> Vec<Finding> {
            weights.iter().map(|make| make("that".into())).collect()
        };
        let judge = |weights: &[fn(String) -> Finding], forced| {
            judge(Path::new("b"), findings(weights), forced).map_err(|e| e.to_string())
        };
        assert_eq!(judge(&[Finding::warning], false).unwrap(), ["that"]);
        let refused = judge(&[Finding::unless_forced, Finding::warning], false).unwrap_err();
        assert!(refused.contains("--force"), "{refused}");
        assert_eq!(judge(&[Finding::unless_forced], true).unwrap(), ["that"]);
        for forced in [false, true] {
            let refused = judge(&[Finding::never, Finding::unless_forced], forced).unwrap_err();
            assert!(!refused.contains("--force"), "{refused}");
        }
    }
}
