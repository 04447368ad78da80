//! Says why a bundle is not released.

use crate::pack::archive::PackError;
use notsotuf_stub::fs::FsError;
use std::path::PathBuf;

/// Says why a bundle is not released.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VetError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The bundle cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The bundle does not exist.
    #[error(
        "there is no {path:?}{}; PyInstaller makes the bundle: run it first, or name what it \
         made, such as dist/myapp",
        did_you_mean(.near)
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
        /// What is there and has a similar name.
        near: Vec<PathBuf>,
    },
    /// The bundle must not be released.
    #[error(
        "{path:?} is not released: {}{}",
        .reasons.join("; "),
        if *.force { " (--force releases it anyway)" } else { "" }
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

pub(super) fn did_you_mean(paths: &[PathBuf]) -> String {
    let list: Vec<String> = paths.iter().map(|path| format!("{path:?}")).collect();
    if list.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", list.join(" or "))
    }
}
