//! Says why GitHub was not asked, or did not do what it was asked for.

use std::time::Duration;

/// Says why something at GitHub failed, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitHubError {
    /// Nobody may write without one.
    #[error(
        "there is no token for {place}: set NOTSOTUF_GITHUB_TOKEN or GITHUB_TOKEN to one that may \
         write its contents. In a workflow that is secrets.GITHUB_TOKEN, with `permissions: \
         contents: write`; elsewhere a fine-grained token for this repository, with Contents: Read \
         and write"
    )]
    NoToken {
        /// The destination.
        place: String,
    },
    /// The address of the API would give the token away.
    #[error("GITHUB_API_URL is {0:?}; it must begin with https://, as the token is sent there")]
    Insecure(String),
    /// The token cannot be sent.
    #[error("{0} has a character in it that no token has")]
    Token(&'static str),
    /// The repository is not there, or not for this token.
    #[error(
        "there is no repository {place}, or the token may not see it (a fine-grained token names \
         the repositories that it is for)"
    )]
    NoRepository {
        /// The destination.
        place: String,
    },
    /// There is nothing that a release could be of.
    #[error("{place} is empty: push a first commit to it, a README say, and upload again")]
    Empty {
        /// The destination.
        place: String,
    },
    /// Clients have no token.
    #[error(
        "{place} is private, so users could not fetch updates from it. Make it public, or use a \
         public repository of its own for updates; the source need not be in it"
    )]
    Private {
        /// The destination.
        place: String,
    },
    /// The answer leads elsewhere.
    #[error(
        "GitHub says that {0} has moved: was the repository renamed? Use its new name, also for \
         the addresses of clients"
    )]
    Moved(String),
    /// The token is wrong, or may not do that.
    #[error("GitHub refuses to {what}: {message} (status {status}){}", hint(*.status))]
    Refused {
        /// What it was asked to do.
        what: String,
        /// The status.
        status: u16,
        /// What it says.
        message: String,
    },
    /// It was asked too often.
    #[error(
        "GitHub was asked too often and wants {} before the next request; run this again then, \
         and it resumes where it stopped", minutes(.wait)
    )]
    Limited {
        /// How long it wants to be left alone.
        wait: Duration,
    },
    /// It could not be asked.
    #[error("GitHub could not be asked to {what}: {reason}")]
    Unreachable {
        /// What it was to do.
        what: String,
        /// Why.
        reason: String,
    },
    /// The answer makes no sense.
    #[error("GitHub's answer to a request to {what} is not understood: {reason}")]
    Answer {
        /// What it was asked to do.
        what: String,
        /// What is missing.
        reason: String,
    },
    /// GitHub would give the file another name.
    #[error(
        "{0:?} cannot be published at GitHub, which changes the names of files with other \
         characters than letters, digits and . _ + -, so that clients would not find it. Use a \
         version without an epoch (!)"
    )]
    Name(String),
    /// GitHub gave the file another name.
    #[error(
        "GitHub stored {asked:?} as {given:?}, where clients would not find it; it was removed"
    )]
    Renamed {
        /// The name.
        asked: String,
        /// The one it got.
        given: String,
    },
    /// The file is larger than GitHub takes.
    #[error("{name:?} has {size} bytes; a file of a release at GitHub must be smaller than 2 GiB")]
    TooLarge {
        /// The file.
        name: String,
        /// Its size.
        size: u64,
    },
    /// The release is full.
    #[error(
        "the release {place} has {there} files, and {new} more would come; GitHub takes 1000 in \
         all. Remove old releases: `notsotuf prune --keep 10`, `publish`, and `upload --delete`"
    )]
    Full {
        /// The destination.
        place: String,
        /// How many files it has.
        there: usize,
        /// How many would come.
        new: usize,
    },
}

/// What to do about a refusal.
fn hint(status: u16) -> &'static str {
    match status {
        401 => "; the token is wrong, or it has expired",
        403 | 404 => {
            "; the token needs to write the contents of the repository: `permissions: contents: \
             write` in a workflow, Contents: Read and write in a fine-grained token"
        }
        _ => "",
    }
}

fn minutes(wait: &Duration) -> String {
    match wait.as_secs() {
        seconds @ 0..=119 => format!("{seconds} seconds"),
        seconds => format!("{} minutes", seconds.div_ceil(60)),
    }
}
