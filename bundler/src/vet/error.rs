//! Says why a bundle is not released.

use crate::pack::archive::PackError;
use notsotuf_stub::fs::FsError;
use std::path::PathBuf;

/// Says why a bundle is not released.
#[derive(Debug, thiserror::Error)]
pub(crate) enum VetError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// What cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// There is nothing.
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

pub(super) fn did_you_mean(paths: &[PathBuf]) -> String {
    let list: Vec<String> = paths.iter().map(|path| format!("{path:?}")).collect();
    if list.is_empty() {
        String::new()
    } else {
        format!("; did you mean {}?", list.join(" or "))
    }
}
