//! Says how an update ended.

use crate::format_bytes;
use crate::install::Release;
use crate::update::error::{UpdateError, processes};
use pep440_rs::Version;

/// Says how an update was staged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staged {
    /// The version.
    pub version: Version,
    /// How many patches it took; 0 for the full archive.
    pub patches: usize,
    /// Bytes downloaded.
    pub bytes: u64,
}

/// Says how a whole run ended well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// There is nothing newer.
    UpToDate,
    /// The update that an earlier run staged is installed.
    Installed(Release),
    /// A new version is installed.
    Updated(Staged),
    /// A new version is staged, but these processes of the application are
    /// running (or another stub is just starting it).
    Deferred {
        /// The staged version.
        version: Version,
        /// Process ids.
        instances: Vec<u32>,
    },
}

impl Outcome {
    /// Returns the version that was installed just now.
    pub fn installed(&self) -> Option<&Version> {
        match self {
            Outcome::Installed(release) => Some(&release.version),
            Outcome::Updated(staged) => Some(&staged.version),
            Outcome::UpToDate | Outcome::Deferred { .. } => None,
        }
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        match self {
            Outcome::UpToDate => f.write_str("up to date"),
            Outcome::Installed(release) => {
                write!(f, "installed version {}, staged earlier", release.version)
            }
            Outcome::Updated(staged) => {
                let how = match staged.patches {
                    0 => "the full archive".into(),
                    1 => "1 patch".into(),
                    n => format!("{n} patches"),
                };
                let size = format_bytes::bytes(staged.bytes);
                write!(f, "updated to version {} by {how}, {size}", staged.version)
            }
            Outcome::Deferred { version, instances } => {
                write!(
                    f,
                    "version {version} is ready and will be installed at the next start"
                )?;
                if !instances.is_empty() {
                    write!(
                        f,
                        " (the application is running as {})",
                        processes(instances)
                    )?;
                }
                Ok(())
            }
        }
    }
}

/// Logs how an update ended.
pub fn tell_end(end: &Result<Outcome, UpdateError>) {
    match end {
        Ok(outcome) => log::info!("{outcome}"),
        Err(UpdateError::Locked) => log::info!("{}", UpdateError::Locked),
        Err(e) => log::error!("no update ({}): {e}", e.failure_kind()),
    }
}
