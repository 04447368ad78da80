//! Says why an installer cannot be made.

use notsotuf_stub::fs::FsError;
use std::path::PathBuf;

/// Says why an installer cannot be made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InstallerError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The folder that was shipped cannot be packed.
    #[error(transparent)]
    Pack(#[from] crate::pack::archive::PackError),
    /// The installer is there already.
    #[error("{0:?} exists already; remove it, or name another folder with --output")]
    Exists(PathBuf),
    /// The application is for another system.
    #[error(
        "an installer of the kind {kind} is for {wanted}, and the stub {} is no program for that: \
         name the notsotuf-stub for {wanted} with --stub",
        program.file_name().unwrap_or_default().display()
    )]
    OtherSystem {
        /// The kind.
        kind: &'static str,
        /// What that is for.
        wanted: &'static str,
        /// What is started.
        program: PathBuf,
    },
    /// NSIS is missing.
    #[error(
        "makensis is missing, which makes installers for Windows on any system: install NSIS \
         (apt-get install nsis, brew install makensis, https://nsis.sourceforge.io), or set \
         MAKENSIS to the program ({0})"
    )]
    NoMakensis(std::io::Error),
    /// NSIS could not have the uninstaller signed.
    #[error("cannot tell where this program is, by which NSIS has the uninstaller signed: {0}")]
    ThisProgram(#[source] std::io::Error),
    /// NSIS would put something else in the place of a text.
    #[error(
        "NSIS would read `${{` or `$%` as the beginning of a name of its own, so neither can be in a \
         title, a file name or a path here: {0}"
    )]
    Text(String),
    /// NSIS found something wrong.
    #[error("makensis does not accept {script:?}:\n{said}")]
    Makensis {
        /// The script.
        script: PathBuf,
        /// What it said last.
        said: String,
    },
    /// The installer was not signed.
    #[error(transparent)]
    Signing(#[from] crate::pack::SigningError),
    /// A setting under `[installer]`.
    #[error("`{name}` under [installer]: {reason}")]
    Setting {
        /// The setting.
        name: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
