//! A look at what is to be released, before it is: whether it is a bundle, a
//! working one, and that of this application, and nothing that must not get
//! out. What nobody can mean is refused; what somebody may mean is, unless it
//! is forced.

mod folder;
mod keys;
mod look;
mod program;
mod stub;

pub use look::{Packed, pyinstaller};
pub use program::{Previous, previous};

use crate::metadata::Published;
use crate::pack::archive::{self, PackError};
use crate::project::Project;
use crate::release::Addition;
use look::Look;
use notsotuf_stub::fs::{self, FsError};
use std::path::{Path, PathBuf};

/// How a bundle is looked at.
#[derive(Debug, Clone, Copy)]
pub enum Vetting<'a> {
    /// Not at all: it is no bundle of an application, or was released before.
    None,
    /// With a refusal of all that is likely a mistake.
    Checked {
        /// Folders of keys beside the project's own.
        key_dirs: &'a [PathBuf],
    },
    /// With a refusal of what nobody can mean only.
    Forced {
        /// Folders of keys beside the project's own.
        key_dirs: &'a [PathBuf],
    },
}

/// Why a bundle is not released.
#[derive(Debug, thiserror::Error)]
pub enum VetError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// What cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// There is nothing.
    #[error(
        "there is no {path:?}{}; it is PyInstaller that makes the bundle: run it first, or name \
         what it made, such as dist/myapp",
        did_you_mean(.near)
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// What is there and has a similar name.
        near: Vec<PathBuf>,
    },
    /// What is there is not to be released.
    #[error(
        "{path:?} is not released: {}{}",
        .reasons.join("; "),
        if *.force { " (--force releases it all the same)" } else { "" }
    )]
    Refused {
        /// The bundle.
        path: PathBuf,
        /// What is wrong with it.
        reasons: Vec<String>,
        /// Whether it can be forced.
        force: bool,
    },
}

fn did_you_mean(paths: &[PathBuf]) -> String {
    let list: Vec<String> = paths.iter().map(|path| format!("{path:?}")).collect();
    match list.is_empty() {
        true => String::new(),
        false => format!("; did you mean {}?", list.join(" or ")),
    }
}

/// How much is made of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// Nobody can mean that.
    Never,
    /// Somebody may mean that.
    UnlessForced,
    /// It is said.
    Warning,
}

/// Something that the release engineer should know.
#[derive(Debug)]
struct Finding {
    weight: Weight,
    text: String,
}

impl Finding {
    fn never(text: String) -> Self {
        let weight = Weight::Never;
        Finding { weight, text }
    }
    fn unless_forced(text: String) -> Self {
        let weight = Weight::UnlessForced;
        Finding { weight, text }
    }
    fn warning(text: String) -> Self {
        let weight = Weight::Warning;
        Finding { weight, text }
    }
}

/// Looks at a bundle, and returns warnings.
///
/// # Errors
/// [`VetError`]: it is not to be released.
pub fn vet(
    project: &Project,
    published: &Published,
    addition: &Addition,
    previous: Option<&Previous>,
) -> Result<Vec<String>, VetError> {
    let (key_dirs, forced) = match addition.vetting {
        Vetting::None => return Ok(Vec::new()),
        Vetting::Checked { key_dirs } => (key_dirs, false),
        Vetting::Forced { key_dirs } => (key_dirs, true),
    };
    let bundle = addition.bundle;
    if !bundle.exists() {
        return Err(VetError::Missing {
            path: bundle.into(),
            near: near_names(bundle)?,
        });
    }
    let mut findings = folder::project(project, bundle, key_dirs);
    if findings.is_empty() {
        let look = Look::at(bundle, archive::collect(bundle)?)?;
        findings.extend(folder::settings(&look));
        findings.extend(keys::private(&look, project, published, key_dirs)?);
        findings.extend(stub::stubs(&look, addition.app)?);
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

/// What lies where `missing` should, or in PyInstaller's folder, and is called
/// something like it.
fn near_names(missing: &Path) -> Result<Vec<PathBuf>, FsError> {
    let name = missing.file_name().and_then(|name| name.to_str());
    let Some(name) = name.map(str::to_lowercase) else {
        return Ok(Vec::new());
    };
    let folder = missing.parent().unwrap_or(Path::new(""));
    let here = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let mut near = Vec::new();
    for place in [
        here.to_path_buf(),
        here.join("dist"),
        folder.join("../dist"),
    ] {
        for path in fs::list(&place).unwrap_or_default() {
            let other = path.file_name().and_then(|name| name.to_str());
            let Some(other) = other.map(str::to_lowercase) else {
                continue;
            };
            let stem = other.split('.').next().unwrap_or(&other);
            let similar = distance(&name, &other) <= 2.min(name.len() / 2)
                || stem == name
                || (stem.len() >= 3 && (name.starts_with(stem) || stem.starts_with(&name)));
            if similar {
                near.push(path.strip_prefix("./").unwrap_or(&path).to_path_buf());
            }
        }
    }
    near.dedup();
    near.truncate(3);
    Ok(near)
}

/// How many letters must be changed, added or removed (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (n, a) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = n + 1;
        for (m, b) in other.iter().enumerate() {
            let change = diagonal + usize::from(a != *b);
            diagonal = row[m + 1];
            row[m + 1] = change.min(row[m] + 1).min(row[m + 1] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_between_names() {
        for (one, other, expected) in [
            ("hello", "hello", 0),
            ("helo", "hello", 1),
            ("hlelo", "hello", 2),
            ("", "abc", 3),
            ("kitten", "sitting", 3),
        ] {
            assert_eq!(distance(one, other), expected, "{one} {other}");
        }
    }

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
