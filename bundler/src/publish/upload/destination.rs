//! Reads destinations: what people write, and what they mean. What only looks
//! like a folder is never taken for one.

use super::error::UploadError;
use crate::project::Addresses;
use crate::project::github::{self, GitHubPlace};
use crate::userinfo::hidden_in_destination;
use notsotuf_stub::fs;
use std::path::{Path, PathBuf};
use url::Url;

/// Names a place to which the repository is copied, or from which it is fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Destination {
    /// A folder, absolute.
    Folder(PathBuf),
    /// An object store.
    Store(Url),
    /// A destination that rsync takes.
    Rsync(String),
    /// A release and a branch at GitHub.
    GitHub(GitHubPlace),
    /// Where clients fetch it from; only for reading.
    Web(Addresses),
}

/// Schemes of object stores, with how their places are written.
const STORES: [(&str, &str); 9] = [
    ("s3", "s3://bucket/prefix"),
    ("s3a", "s3://bucket/prefix"),
    ("gs", "gs://bucket/prefix"),
    ("az", "az://container/prefix"),
    ("azure", "az://container/prefix"),
    ("adl", "az://container/prefix"),
    ("abfs", "az://container/prefix"),
    ("abfss", "az://container/prefix"),
    ("https", "s3://bucket/prefix"),
];

impl Destination {
    /// Understands `text`; folders are relative to `base`.
    ///
    /// # Errors
    /// [`UploadError::Secret`] where a password is in it;
    /// [`UploadError::Destination`], or [`UploadError::Spelling`] with what
    /// was probably meant.
    pub(crate) fn parse(text: &str, base: &Path) -> Result<Self, UploadError> {
        refuse_secrets(text)?;
        let unknown = || UploadError::Destination(hidden_in_destination(text));
        let meant = |meant: String| UploadError::Spelling {
            given: hidden_in_destination(text),
            meant,
        };
        if text.is_empty() || text.contains(['\n', '\r', '\0']) {
            return Err(unknown());
        }
        if let Some(rest) = text.strip_prefix("rsync:") {
            return rsync(text, rest, base).ok_or_else(unknown);
        }
        if let Some(rest) = text.strip_prefix(github::SCHEME) {
            let place = GitHubPlace::parse(rest).ok_or_else(|| meant(github::FORM.into()))?;
            return Ok(Destination::GitHub(place));
        }
        if text.contains("://") {
            return url(text);
        }
        if let Some(rest) = text.strip_prefix('~') {
            let home = std::env::home_dir().filter(|_| rest.is_empty() || rest.starts_with('/'));
            let folder = home.map(|home| fs::join(&home, rest.trim_start_matches('/')));
            return folder.map(Destination::Folder).ok_or_else(unknown);
        }
        if is_drive(text) {
            return if cfg!(windows) {
                Ok(Destination::Folder(text.into()))
            } else {
                Err(unknown())
            };
        }
        let first = text.split(['/', '\\']).next().unwrap_or_default();
        if let Some((before, _)) = first.split_once(':') {
            let scheme = before.to_ascii_lowercase();
            let known = STORES.iter().find(|(name, _)| *name == scheme);
            return Err(match (known, scheme.as_str()) {
                (Some((_, form)), _) => meant((*form).into()),
                (None, "file") => meant("file:///folder".into()),
                // What is in it may be a password.
                (None, _) if hidden_in_destination(text) != text => unknown(),
                // As scp and rsync write another machine.
                (None, _) => meant(format!(
                    "rsync:{text}, or ./{text} for a folder of that name"
                )),
            });
        }
        Ok(Destination::Folder(absolute(base, text)))
    }

    /// Reads a destination of `upload`, or the URL that clients fetch from.
    ///
    /// # Errors
    /// As [`Destination::parse`].
    pub(crate) fn parse_source(text: &str, base: &Path) -> Result<Self, UploadError> {
        let scheme = text.split_once("://").map(|(s, _)| s.to_ascii_lowercase());
        match scheme.as_deref() {
            Some("http" | "https") => {
                refuse_secrets(text)?;
                Ok(Destination::Web(Addresses::below(text)))
            }
            _ => Self::parse(text, base),
        }
    }
}

/// Refuses what would be shown, here and in the logs of CI, and is taken from the
/// environment instead.
fn refuse_secrets(text: &str) -> Result<(), UploadError> {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (Some(scheme.to_ascii_lowercase()), rest),
        None => (None, text.strip_prefix("rsync:").unwrap_or(text)),
    };
    let first = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((before, after)) = first.rsplit_once('@') else {
        return Ok(());
    };
    let is_secret = match scheme.as_deref() {
        // rsync has a name there, and Azure a container.
        Some("rsync" | "az" | "azure" | "adl" | "abfs" | "abfss") => before.contains(':'),
        Some(_) => true,
        // `NAME:PASSWORD@HOST:PATH`
        None => before.contains(':') && after.contains(':'),
    };
    if is_secret {
        let shown = hidden_in_destination(text);
        return Err(UploadError::Secret { shown });
    }
    Ok(())
}

/// `C:\x` or `C:/x`.
fn is_drive(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic())
        && chars.next() == Some(':')
        && matches!(chars.next(), Some('\\' | '/'))
}

fn absolute(base: &Path, text: &str) -> PathBuf {
    let folder = base.join(text);
    std::path::absolute(&folder).unwrap_or(folder)
}

fn rsync(text: &str, rest: &str, base: &Path) -> Option<Destination> {
    if rest.is_empty() || rest.starts_with('-') {
        return None;
    }
    if rest.starts_with("//") {
        return Some(Destination::Rsync(text.into()));
    }
    let first = rest.split('/').next().unwrap_or_default();
    if first.contains(':') {
        return Some(Destination::Rsync(rest.into()));
    }
    let folder = absolute(base, rest);
    Some(Destination::Rsync(folder.to_str()?.into()))
}

fn url(text: &str) -> Result<Destination, UploadError> {
    let unknown = || UploadError::Destination(hidden_in_destination(text));
    let url = Url::parse(text).map_err(|_| unknown())?;
    if url.scheme() == "file" {
        let folder = url.to_file_path().map_err(|()| unknown())?;
        return Ok(Destination::Folder(folder));
    }
    let (_, form) = STORES
        .iter()
        .find(|(name, _)| *name == url.scheme())
        .ok_or_else(unknown)?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(UploadError::Spelling {
            given: hidden_in_destination(text),
            meant: (*form).into(),
        });
    }
    Ok(Destination::Store(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Destination, String> {
        Destination::parse(text, Path::new("/base")).map_err(|e| e.to_string())
    }

    #[cfg(unix)]
    #[test]
    fn folders_are_relative_to_the_base() {
        let folder = |path: &str| Ok(Destination::Folder(path.into()));
        assert_eq!(parse("web"), folder("/base/web"));
        assert_eq!(parse("./we-b/x"), folder("/base/we-b/x"));
        assert_eq!(parse("/srv/www"), folder("/srv/www"));
        assert_eq!(parse("file:///srv/www"), folder("/srv/www"));
        assert_eq!(parse("FILE:///srv/www"), folder("/srv/www"));
        assert_eq!(parse("./user@host:x"), folder("/base/user@host:x"));
        assert_eq!(parse("a/b:c"), folder("/base/a/b:c"));
        let home = std::env::home_dir().unwrap();
        assert_eq!(parse("~/web"), Ok(Destination::Folder(home.join("web"))));
    }

    #[test]
    fn rsync_takes_what_it_takes() {
        let rsync = |text: &str| Ok(Destination::Rsync(text.into()));
        assert_eq!(parse("rsync:u@h:/srv/www"), rsync("u@h:/srv/www"));
        assert_eq!(parse("rsync:h::module/x"), rsync("h::module/x"));
        assert_eq!(parse("rsync://h/module"), rsync("rsync://h/module"));
        #[cfg(unix)]
        assert_eq!(parse("rsync:web"), rsync("/base/web"));
        for bad in ["rsync:", "rsync:--rsh=x:y"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    /// What newcomers write (no public report), and what they meant.
    #[test]
    fn what_only_looks_like_a_folder_is_told() {
        for (given, meant) in [
            ("user@host:/srv/www", "rsync:user@host:/srv/www"),
            ("host:/srv/www", "rsync:host:/srv/www"),
            ("user@host:www", "rsync:user@host:www"),
            ("host::module", "rsync:host::module"),
            ("s3:/bucket/x", "s3://bucket/prefix"),
            ("s3:bucket", "s3://bucket/prefix"),
            ("S3:/bucket", "s3://bucket/prefix"),
            ("s3:///bucket", "s3://bucket/prefix"),
            ("gs:bucket", "gs://bucket/prefix"),
            ("az:/container", "az://container/prefix"),
            ("file:/srv", "file:///folder"),
        ] {
            let said = parse(given).unwrap_err();
            assert!(said.contains(meant) && said.contains(given), "{said}");
        }
        for bad in ["", "ftp://host/x", "memory:///", "~user/web", "a\nb"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
        #[cfg(unix)]
        assert!(parse("C:\\web").is_err());
    }

    #[test]
    fn no_password_is_taken_or_told() {
        for bad in [
            "https://me:s3cret@h/y",
            "https://s3cret@h/y",
            "HTTP://me:s3cret@h/y",
            "ftp://me:s3cret@h/y",
            "s3://me:s3cret@bucket/x",
            "abfss://container:s3cret@account.dfs.core.windows.net/x",
            "me:s3cret@h:/srv",
            "rsync:me:s3cret@h:/srv",
            "rsync:me:s3cret@h::module/x",
            "rsync://me:s3cret@h/module",
            // What is not understood, and may contain one.
            "https://me:s/3@s3cret@h/y?s3cret",
            "ftp://h/y?s3cret",
            "me:s3cret/@h:/srv",
        ] {
            for parse in [Destination::parse, Destination::parse_source] {
                match parse(bad, Path::new("/base")) {
                    Ok(Destination::Web(_)) => {}
                    Ok(other) => panic!("{bad}: {other:?}"),
                    Err(e) => assert!(!e.to_string().contains("s3cret"), "{bad}: {e}"),
                }
            }
        }
        let told = parse("s3://me:s3cret@bucket/x").unwrap_err();
        assert!(told.contains("AWS_SECRET_ACCESS_KEY"), "{told}");
        for good in [
            "rsync:u@h:/srv/a@b:c",
            "rsync:h:a@b/x",
            "rsync://u@h/module",
            "abfss://container@account.dfs.core.windows.net/x",
            "./me:s3cret@h:/srv",
            "s3://bucket/a:b@c",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
    }

    #[test]
    fn stores_are_stores_however_they_are_written() {
        for text in ["s3://bucket/x", "S3://bucket/x", "gs://b", "az://c/x"] {
            assert!(matches!(parse(text), Ok(Destination::Store(_))), "{text}");
        }
        let from = |text: &str| Destination::parse_source(text, Path::new("/base")).ok();
        let web = Destination::Web(Addresses::below("https://example.com/updates"));
        assert_eq!(from("https://example.com/updates/"), Some(web));
    }
}
