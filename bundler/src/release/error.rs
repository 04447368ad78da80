//! Says why a release cannot be added, changed or removed.

use crate::metadata::MetadataError;
use crate::pack::SigningError;
use crate::pack::archive::PackError;
use crate::patch::bsdiff4::BsdiffError;
use crate::patch::per_file::DiffError;
use crate::project::FILE;
use crate::vet::VetError;
use notsotuf_stub::bundle::patch::PatchError;
use notsotuf_stub::bundle::unpack::ArchiveError;
use notsotuf_stub::fs::FsError;
use pep440_rs::Version;
use std::path::{Path, PathBuf};

/// Says why a release cannot be added or removed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReleaseError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The published metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The bundle cannot be packed.
    #[error(transparent)]
    Pack(#[from] PackError),
    /// The settings that the release would bring.
    #[error(
        "clients would not accept what is under [client] in {FILE}: {0}; \
         docs/reference/settings.md lists the settings"
    )]
    ClientSettings(String),
    /// A program is not signed.
    #[error(transparent)]
    Signing(#[from] SigningError),
    /// The patch cannot be made.
    #[error(transparent)]
    Diff(#[from] DiffError),
    /// Clients would refuse the new archive.
    #[error("a client would not install this bundle: {0}")]
    NewArchive(#[source] ArchiveError),
    /// The previous archive cannot be read.
    #[error("the previous archive {path:?} cannot be used: {source}; --skip-patch makes no patch")]
    OldArchive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: ArchiveError,
    },
    /// The previous archive is not here, or is not the published one.
    #[error(
        "the previous archive {path:?} is missing or is not the one that was published; fetch it \
         from where you publish, or make no patch (--skip-patch)"
    )]
    OldMissing {
        /// The archive.
        path: PathBuf,
    },
    /// A patch over the whole archive could not be made.
    #[error(transparent)]
    Bsdiff(#[from] BsdiffError),
    /// What was to be added is no bundle.
    #[error(transparent)]
    Vet(#[from] VetError),
    /// The stub does not get the new tree out of the patch.
    #[error("the patch was made but does not apply (please report this): {0}")]
    Check(#[source] PatchError),
    /// A version that no client would take.
    #[error(
        "version {version} is not newer than {latest}, the latest of {app} that {}",
        .take_back.as_ref().map_or_else(
            || "its clients see; use a higher number".to_owned(),
            |command| format!(
                "was added; use a higher number, or take that one back with `{command}`: it is not \
                 published yet"
            )
        )
    )]
    NotNewer {
        /// Application.
        app: String,
        /// What was to be added.
        version: Version,
        /// What there is.
        latest: Version,
        /// What takes that back, if a command does.
        take_back: Option<String>,
    },
    /// The number was withdrawn.
    #[error(
        "version {version} of {app} was withdrawn; clients leave any release with that number, \
         so it cannot be used again: use a higher one"
    )]
    Withdrawn {
        /// Application.
        app: String,
        /// What was to be added.
        version: Version,
    },
    /// The number was published before.
    #[error(
        "version {version} of {app} was published before; clients that have it would not install \
         another release with that number: use a higher one (or --force, if no client can have \
         it)"
    )]
    Used {
        /// Application.
        app: String,
        /// What was to be added.
        version: Version,
    },
    /// Nobody can have a stub of that version.
    #[error(
        "no stub is as new as {wanted}: {}; no client could install this release. Name an older \
         one with --min-stub, or release the newer stub first with `notsotuf add-stub`",
        match .newest {
            Some(newest) => format!("the newest that is listed or at hand is {newest}"),
            None => "none is listed, and none is beside this program".into(),
        }
    )]
    NoSuchStub {
        /// What was asked for.
        wanted: Version,
        /// The newest there is.
        newest: Option<Version>,
    },
    /// The program is no stub.
    #[error("{0:?} is not a notsotuf-stub, or is too old to replace itself")]
    NotAStub(PathBuf),
    /// There is no release of that version.
    #[error("there is no release {version} of {app}")]
    NoRelease {
        /// Application.
        app: String,
        /// What was asked for.
        version: Version,
    },
    /// The release is for all clients.
    #[error(
        "{app} {version} was added with --required, so all installs take it, whatever the \
         percentage: `notsotuf yank {version} --app {app}` withdraws it, and a later release without \
         --required can be held back"
    )]
    ForAll {
        /// Application.
        app: String,
        /// Version.
        version: Version,
    },
    /// Clients would have nothing to go to.
    #[error("{0} is the only release; add another one before you withdraw it")]
    OnlyOne(Version),
    /// What is left is not for all clients.
    #[error(
        "clients that have {version} would have nothing to go to: {}. {}",
        match &part {
            Some(part) => format!("{part}, which is as final, is for a part of them only"),
            None => "no release that is left is as final".into(),
        },
        match &part {
            Some(part) => format!(
                "`notsotuf rollout {part} 100% --app {app}` gives it to all; then withdraw {version}"
            ),
            None => "Add one before you withdraw it".into(),
        }
    )]
    NowhereToGo {
        /// Application.
        app: String,
        /// What was to be withdrawn.
        version: Version,
        /// The newest release that is as final.
        part: Option<Version>,
    },
    /// The last release says what was withdrawn.
    #[error(
        "{version} is the only release of {app} that is left to say that {} withdrawn; clients \
         that have what was withdrawn would stay with it. Add another release first; then \
         `notsotuf prune --keep 1 --app {app}` drops this one, if it is older, and \
         `notsotuf yank {version} --app {app}` takes it from clients",
        were(withdrawn)
    )]
    LastWord {
        /// Application.
        app: String,
        /// What was to be removed.
        version: Version,
        /// What was withdrawn.
        withdrawn: Vec<Version>,
    },
    /// Nothing to remove.
    #[error("there is no release of {0}")]
    None(String),
    /// Somebody else published the same.
    #[error(
        "{} is prepared here, but somebody else published it with different content. Delete \
         .notsotuf-pending to drop what is prepared here, and add it again with an unused version",
        .0.join(", ")
    )]
    Conflict(Vec<String>),
    /// What is prepared cannot go on top of what somebody else published.
    #[error(
        "somebody else published meanwhile, and what is prepared here does not go on top of it: \
         {}. Delete .notsotuf-pending to drop what is prepared here; then do the rest again",
        .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    )]
    Outdated(Vec<ReleaseError>),
    /// No release is left to say what was withdrawn.
    #[error(
        "of {app}, {} withdrawn, and no other release is left, here and in what somebody else \
         published, to say so and for clients to go to. Move the project's `repository` and \
         .notsotuf-pending away; then run `notsotuf fetch --force`, add a newer release, and \
         withdraw again what is listed",
        were(versions)
    )]
    Untold {
        /// Application.
        app: String,
        /// What was withdrawn.
        versions: Vec<Version>,
    },
    /// A release that clients would install and leave, again and again.
    #[error(
        "version {version} of {app} is withdrawn, but still listed: clients would install it and \
         leave it at each start. `notsotuf yank {version} --app {app}` takes it off the list"
    )]
    ListedWithdrawn {
        /// Application.
        app: String,
        /// The version.
        version: Version,
    },
    /// The list of pending targets is damaged.
    #[error("{path:?} is malformed; delete the folder it is in to drop all that is not published")]
    Pending {
        /// The list.
        path: PathBuf,
    },
}

fn were(versions: &[Version]) -> String {
    let texts: Vec<String> = versions.iter().map(ToString::to_string).collect();
    match &texts[..] {
        [version] => format!("version {version} was"),
        texts => format!("versions {} were", texts.join(", ")),
    }
}

impl ReleaseError {
    pub(super) fn old_archive(path: &Path) -> impl FnOnce(ArchiveError) -> Self {
        move |source| ReleaseError::OldArchive {
            path: path.into(),
            source,
        }
    }
}

pub(super) fn no_release(app: &str, version: &Version) -> ReleaseError {
    ReleaseError::NoRelease {
        app: app.into(),
        version: version.clone(),
    }
}
