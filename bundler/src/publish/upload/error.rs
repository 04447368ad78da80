//! Says why an upload failed, and what to do about it.

use super::github::GitHubError;
use crate::metadata::MetadataError;
use notsotuf_stub::fs::FsError;
use notsotuf_stub::http::HttpError;
use notsotuf_stub::tuf::TufError;

/// Says why an upload failed. A complete repository is there nevertheless;
/// called again, the upload continues where it stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The destination is not named.
    #[error(
        "where should this be uploaded to? Name it (`notsotuf upload s3://bucket/prefix`), or \
         set `upload` in the project settings"
    )]
    NoDestination,
    /// The destination is not understood.
    #[error(
        "{0:?} is not a destination: use s3://bucket/prefix, gs://bucket/prefix, \
         az://container/prefix, github:owner/repository, a folder, or rsync:host:path"
    )]
    Destination(String),
    /// The destination is not written as it should be.
    #[error("{given:?} is not a destination; did you mean {meant}?")]
    Spelling {
        /// What was given.
        given: String,
        /// What was probably meant.
        meant: String,
    },
    /// A password is in it, which would be shown.
    #[error(
        "{shown:?} has a name or a password in it, which would be shown in logs: take it out, and \
         use {}",
        variables(.shown)
    )]
    Secret {
        /// The destination without it.
        shown: String,
    },
    /// There is nothing to upload.
    #[error("nothing is published here yet: `notsotuf publish` comes before `upload`")]
    Nothing,
    /// What is there is not an earlier state of what is here.
    #[error(
        "nothing was changed at {place}: {conflict}. `notsotuf fetch` downloads what is there, \
         and makes pending again what was published only here; then run `notsotuf publish` and \
         `upload`. --force uploads anyway, and breaks clients that have seen what is there"
    )]
    Conflict {
        /// The destination.
        place: String,
        /// What is wrong.
        conflict: Conflict,
    },
    /// Targets that the metadata lists are nowhere.
    #[error(
        "the metadata lists files that are neither here nor at {place}: {}. `notsotuf fetch \
         --all` downloads what is published; add and publish the rest again", .files.join(", ")
    )]
    Missing {
        /// The destination.
        place: String,
        /// The files.
        files: Vec<String>,
    },
    /// Another upload was quicker.
    #[error(
        "another upload to {0} was quicker, so timestamp.json there was left alone. Run \
         `notsotuf fetch`, then `notsotuf publish` and `upload` again"
    )]
    Raced(String),
    /// A file that is too large to be metadata.
    #[error("{place} has {size} bytes, more than is allowed")]
    TooLarge {
        /// The file.
        place: String,
        /// Its size.
        size: u64,
    },
    /// There are no credentials.
    #[error(
        "there are no credentials for {place}: the environment names none, and this machine has \
         none of its own; set {}, as `notsotuf upload --help` says ({source})",
        credentials(.place)
    )]
    NoCredentials {
        /// Object or destination.
        place: String,
        /// What was tried.
        source: object_store::Error,
    },
    /// The store says no.
    #[error("{place}: {source}{hint}", hint = credentials_hint(.place, .source))]
    Store {
        /// Object or destination.
        place: String,
        /// What it said.
        source: object_store::Error,
    },
    /// rsync failed.
    #[error("rsync {0}")]
    Rsync(String),
    /// GitHub does not do it.
    #[error(transparent)]
    GitHub(#[from] GitHubError),
    /// The web server failed.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Metadata that is there does not verify.
    #[error("{0}")]
    Tuf(#[from] TufError),
    /// Metadata cannot be used.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

/// Lists where a machine or container of a cloud has credentials of its own.
/// They are asked for when nothing else is named.
const OWN_CREDENTIALS: [&str; 4] = [
    "/latest/api/token",
    "/latest/meta-data/",
    "/computeMetadata/v1/",
    "/metadata/identity/oauth2/token",
];

impl UploadError {
    /// Says what the store at `place` said, or that there are no credentials
    /// for it.
    pub(crate) fn store(place: String, source: object_store::Error) -> Self {
        let text = source.to_string();
        let nobody = OWN_CREDENTIALS.iter().any(|path| text.contains(path))
            || text.contains("Account must be specified");
        if nobody {
            UploadError::NoCredentials { place, source }
        } else {
            UploadError::Store { place, source }
        }
    }
}

/// The variables with the credentials for a place.
fn credentials(place: &str) -> &'static str {
    match place.split(':').next() {
        Some("s3" | "s3a") => {
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or AWS_PROFILE"
        }
        Some("gs") => {
            "GOOGLE_APPLICATION_CREDENTIALS, or call `gcloud auth application-default login`"
        }
        Some("az" | "azure" | "adl" | "abfs" | "abfss") => {
            "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY"
        }
        _ => {
            "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, or AWS_PROFILE; \
             GOOGLE_APPLICATION_CREDENTIALS; AZURE_STORAGE_ACCOUNT_NAME and \
             AZURE_STORAGE_ACCOUNT_KEY"
        }
    }
}

/// What takes the place of a password in a destination.
fn variables(place: &str) -> &'static str {
    match place.split(':').next() {
        Some("s3" | "s3a" | "gs" | "az" | "azure" | "adl" | "abfs" | "abfss") => credentials(place),
        Some("http" | "https" | "ftp") => {
            "`upload` to where the server has its files (a folder, rsync:host:path, a bucket): \
             from there `upload` and `fetch` have all that they need"
        }
        _ => {
            "RSYNC_PASSWORD, if it is a daemon of rsync (rsync://NAME@HOST/MODULE); by ssh \
             (rsync:NAME@HOST:PATH) a key of ssh is used"
        }
    }
}

fn credentials_hint(place: &str, error: &object_store::Error) -> String {
    // Some stores' refusals come as a general error with the status in it, and
    // so do credentials of which a half is named.
    let text = error.to_string();
    let refused = matches!(
        error,
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. }
    ) || [
        "401 ",
        "403 ",
        "Missing AccessKeyId",
        "Missing SecretAccessKey",
    ]
    .iter()
    .any(|sign| text.contains(sign));
    if refused {
        format!(
            ". Credentials are taken from the environment: {}",
            credentials(place)
        )
    } else {
        String::new()
    }
}

/// Says what keeps an upload from being one step forward.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Conflict {
    /// Another root is there.
    #[error(
        "its {0} is not that of this project: another repository is there, or somebody changed it"
    )]
    OtherRoot(String),
    /// A root is there that is not here.
    #[error("it has {0}, which is not here: somebody else published")]
    NewerRoot(String),
    /// A file there is not signed by this project.
    #[error(
        "its {0} is not signed by the keys of this project: another repository is there, or somebody changed it"
    )]
    NotOurs(String),
    /// A newer version is there.
    #[error(
        "its {role} has version {there}, and what is here has version {here}: somebody else published"
    )]
    Newer {
        /// The role.
        role: &'static str,
        /// Its version here.
        here: u64,
        /// Its version there.
        there: u64,
    },
    /// Published from the same state as something else.
    #[error(
        "its {role} version {version} is not the one that was published here: somebody else \
         published at the same time"
    )]
    Diverged {
        /// The role.
        role: &'static str,
        /// The version.
        version: u64,
    },
}
