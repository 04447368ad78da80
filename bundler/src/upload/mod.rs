//! Uploading the repository folder to where clients fetch it from: S3 and
//! compatible stores, Google Cloud Storage, Azure Blob Storage, a folder, or
//! another machine by rsync. Only what changed, and in an order in which a
//! client that looks at any time sees a whole repository.

mod order;
mod profile;

use crate::child;
use crate::progress::Progress;
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use notsotuf_stub::fs::{self, FsError};
use object_store::path::Path as Place;
use object_store::{
    Attribute, Attributes, ObjectStore, ObjectStoreExt, PutMultipartOptions, PutOptions,
    PutPayload, WriteMultipart,
};
use order::{File, Files, Steps};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::UNIX_EPOCH;
use url::Url;

/// Files of more bytes than this are sent in parts of this size, each of
/// which is tried again by itself.
const PART: usize = 8 << 20;
/// Files, or parts of one, that are under way at a time.
const AT_ONCE: usize = 4;
/// How long caches may keep what never changes, and what does.
const FOREVER: &str = "public, max-age=31536000, immutable";
const SHORTLY: &str = "public, max-age=60";

/// Why an upload failed. What is there is a whole repository all the same;
/// called again, it goes on where it stopped.
#[derive(Debug, thiserror::Error)]
pub enum UploadError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The destination is not named.
    #[error(
        "where to? Name it (`notsotuf upload s3://bucket/prefix`), or set `upload` in the project settings"
    )]
    NoDestination,
    /// The destination is not understood.
    #[error(
        "{0:?} is no destination: use s3://bucket/prefix, gs://bucket/prefix, az://container/prefix, a folder, or rsync:host:path"
    )]
    Destination(String),
    /// The store says no.
    #[error("{place}: {source}{hint}", hint = credentials_hint(source))]
    Store {
        /// Object or destination.
        place: String,
        /// What it said.
        source: object_store::Error,
    },
    /// rsync failed.
    #[error("rsync {0}")]
    Rsync(String),
    /// The runtime could not be started.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
}

fn credentials_hint(error: &object_store::Error) -> &'static str {
    // Some stores' refusals come as a general error with the status in it.
    let text = error.to_string();
    let refused = matches!(
        error,
        object_store::Error::Unauthenticated { .. } | object_store::Error::PermissionDenied { .. }
    ) || text.contains("401 ")
        || text.contains("403 ");
    match refused {
        true => {
            "\nCredentials are taken from the environment: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and \
             AWS_REGION, or AWS_PROFILE; GOOGLE_APPLICATION_CREDENTIALS; AZURE_STORAGE_ACCOUNT_NAME and \
             AZURE_STORAGE_ACCOUNT_KEY"
        }
        false => "",
    }
}

/// How to upload.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Only say what would be done.
    pub dry_run: bool,
    /// Remove what is not in the repository any more.
    pub delete: bool,
}

/// What was done, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// Uploaded, in this order.
    pub uploaded: Vec<String>,
    /// Bytes of those.
    pub bytes: u64,
    /// Files that were there already.
    pub unchanged: usize,
    /// Removed there.
    pub removed: Vec<String>,
    /// There, but not in the repository any more.
    pub extra: Vec<String>,
}

/// Uploads the folder `repository` to `to`.
///
/// # Errors
/// [`UploadError`].
pub fn upload(
    repository: &Path,
    to: &str,
    options: Options,
    progress: Progress,
) -> Result<Report, UploadError> {
    let here = local(repository)?;
    if let Some(to) = to.strip_prefix("rsync:") {
        return rsync(repository, &here, to, options);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(UploadError::Runtime)?;
    let remote = Remote::open(to)?;
    runtime.block_on(async {
        let there = remote.list().await?;
        let steps = order::plan(&here, &there);
        remote
            .carry_out(repository, &here, steps, options, progress)
            .await
    })
}

/// The metadata and target files of a repository.
fn local(repository: &Path) -> Result<Files, FsError> {
    let mut files = Files::new();
    let mut folders = vec!["metadata".to_owned(), "targets".to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::list(&fs::join(repository, &folder))? {
            let Some(name) = entry.file_name().and_then(|name| name.to_str()) else {
                continue;
            };
            let Some(found) = fs::inspect(&entry)? else {
                continue;
            };
            let path = format!("{folder}/{name}");
            if found.is_dir() {
                folders.push(path);
            } else if !name.starts_with('.') {
                let changed = found.modified().ok();
                let since = changed.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
                let file = File {
                    size: found.len(),
                    changed: since.map_or(0, |since| since.as_secs() as i64),
                };
                files.insert(path, file);
            }
        }
    }
    Ok(files)
}

struct Remote {
    store: Box<dyn ObjectStore>,
    prefix: Place,
    name: String,
    /// Whether it keeps headers for each object.
    headers: bool,
}

impl Remote {
    fn open(to: &str) -> Result<Self, UploadError> {
        let unknown = || UploadError::Destination(to.into());
        let folder = !to.contains("://");
        let url = if folder {
            let folder = PathBuf::from(to);
            fs::create_dir_all(&folder)?;
            let folder = folder
                .canonicalize()
                .map_err(|e| FsError::new("find", &folder, e))?;
            Url::from_directory_path(&folder).map_err(|()| unknown())?
        } else {
            Url::parse(to).map_err(|_| unknown())?
        };
        // The provider that the stub uses too; an error only says that there
        // is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let profile = profile::Files::of_user().options();
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(text).collect();
        let options = profile::merge(profile, environment);
        let (store, prefix) =
            object_store::parse_url_opts(&url, options).map_err(|source| match source {
                object_store::Error::Generic { .. } | object_store::Error::NotSupported { .. } => {
                    unknown()
                }
                source => UploadError::Store {
                    place: to.into(),
                    source,
                },
            })?;
        Ok(Remote {
            store,
            prefix,
            name: to.trim_end_matches('/').into(),
            headers: url.scheme() != "file",
        })
    }

    fn place(&self, path: &str) -> Result<Place, UploadError> {
        // Names go as they are: clients encode them once.
        let whole = match self.prefix.as_ref() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        };
        Place::parse(whole).map_err(|e| self.failed(path)(e.into()))
    }

    fn failed(&self, path: &str) -> impl FnOnce(object_store::Error) -> UploadError {
        let place = format!("{}/{path}", self.name);
        move |source| UploadError::Store { place, source }
    }

    async fn list(&self) -> Result<Files, UploadError> {
        let list = self.store.list(Some(&self.prefix));
        let files = list.try_filter_map(async |found| {
            let parts = found.location.prefix_match(&self.prefix);
            let path = parts.map(|parts| {
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                parts.join("/")
            });
            let file = File {
                size: found.size,
                changed: found.last_modified.timestamp(),
            };
            Ok(path.map(|path| (path, file)))
        });
        files.try_collect().await.map_err(self.failed(""))
    }

    async fn carry_out(
        &self,
        repository: &Path,
        here: &Files,
        steps: Steps,
        options: Options,
        progress: Progress,
    ) -> Result<Report, UploadError> {
        let uploaded = steps.groups.concat();
        let mut report = Report {
            bytes: uploaded.iter().map(|path| here[path].size).sum(),
            unchanged: here.len() - uploaded.len(),
            uploaded,
            extra: steps.extra,
            removed: Vec::new(),
        };
        if options.dry_run {
            return Ok(report);
        }
        let bar = progress.bar("uploading", report.bytes);
        for group in &steps.groups {
            let sent = group
                .iter()
                .map(|path| self.send(path, repository, here[path].size, &bar));
            let sent = stream::iter(sent).buffered(AT_ONCE);
            sent.try_collect::<Vec<()>>().await?;
        }
        bar.finish_and_clear();
        if options.delete {
            for path in std::mem::take(&mut report.extra) {
                let place = self.place(&path)?;
                self.store
                    .delete(&place)
                    .await
                    .map_err(self.failed(&path))?;
                report.removed.push(path);
            }
        }
        Ok(report)
    }

    async fn send(
        &self,
        path: &str,
        repository: &Path,
        size: u64,
        bar: &ProgressBar,
    ) -> Result<(), UploadError> {
        let (from, to) = (fs::join(repository, path), self.place(path)?);
        let attributes = self.attributes(path);
        let mut file = fs::open(&from)?;
        let mut read = |buffer: &mut Vec<u8>| -> Result<(), FsError> {
            (&mut file)
                .take(PART as u64)
                .read_to_end(buffer)
                .map_err(|e| FsError::new("read", &from, e))?;
            Ok(())
        };
        if size <= PART as u64 {
            let mut bytes = Vec::new();
            read(&mut bytes)?;
            let options = PutOptions {
                attributes,
                ..PutOptions::default()
            };
            let sent = self.store.put_opts(&to, PutPayload::from(bytes), options);
            sent.await.map_err(self.failed(path))?;
            bar.inc(size);
            return Ok(());
        }
        let options = PutMultipartOptions {
            attributes,
            ..PutMultipartOptions::default()
        };
        let parts = self.store.put_multipart_opts(&to, options).await;
        let parts = parts.map_err(self.failed(path))?;
        let mut parts = WriteMultipart::new_with_chunk_size(parts, PART);
        loop {
            let mut buffer = Vec::new();
            read(&mut buffer)?;
            if buffer.is_empty() {
                break;
            }
            let length = buffer.len() as u64;
            parts.put(buffer.into());
            let room = parts.wait_for_capacity(AT_ONCE).await;
            room.map_err(self.failed(path))?;
            bar.inc(length);
        }
        parts.finish().await.map_err(self.failed(path))?;
        Ok(())
    }

    fn attributes(&self, path: &str) -> Attributes {
        if !self.headers {
            return Attributes::new();
        }
        let caching = match order::is_immutable(path) {
            true => FOREVER,
            false => SHORTLY,
        };
        let content = if path.ends_with(".json") {
            "application/json"
        } else if path.ends_with(".gz") {
            // Not as an encoding, which clients would undo.
            "application/gzip"
        } else {
            "application/octet-stream"
        };
        Attributes::from_iter([
            (Attribute::CacheControl, caching),
            (Attribute::ContentType, content),
        ])
    }
}

/// Runs rsync, once for each group.
fn rsync(
    repository: &Path,
    here: &Files,
    to: &str,
    options: Options,
) -> Result<Report, UploadError> {
    let mut report = Report::default();
    let steps = order::plan(here, &Files::new());
    for group in &steps.groups {
        let mut arguments = Vec::new();
        if options.dry_run {
            arguments.push("--dry-run");
        }
        if group.iter().any(|path| path.starts_with("metadata/")) {
            // Two of them may have been signed in the same second, and be of
            // the same size.
            arguments.push("--checksum");
        }
        let list = group.join("\n");
        report
            .uploaded
            .extend(run_rsync(repository, to, &arguments, &list)?);
    }
    report.bytes = report
        .uploaded
        .iter()
        .filter_map(|path| here.get(path))
        .map(|f| f.size)
        .sum();
    report.unchanged = here.len().saturating_sub(report.uploaded.len());
    if options.delete && !options.dry_run {
        // Everything else is there by now, so this only removes.
        let folders = "metadata/\ntargets/\n";
        run_rsync(repository, to, &["--recursive", "--delete"], folders)?;
    }
    Ok(report)
}

/// Copies the files of `list` and returns those that were not there.
fn run_rsync(
    repository: &Path,
    to: &str,
    arguments: &[&str],
    list: &str,
) -> Result<Vec<String>, UploadError> {
    let failed = |what: String| UploadError::Rsync(what);
    let mut child = child::command("rsync")
        .args([
            "--times",
            "--relative",
            "--delay-updates",
            "--out-format=%n",
            "--files-from=-",
        ])
        .args(arguments)
        .arg(repository)
        .arg(to)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|e| failed(format!("cannot be started: {e}")))?;
    let mut input = child.stdin.take().expect("piped");
    // If it ends early, its exit code says why.
    let written = std::io::Write::write_all(&mut input, list.as_bytes());
    drop(input);
    let output = child::wait(child).map_err(|e| failed(e.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("failed with {}", output.status)));
    }
    written.map_err(|e| failed(e.to_string()))?;
    let said = String::from_utf8_lossy(&output.stdout);
    let files = said.lines().filter(|line| !line.ends_with('/'));
    Ok(files.map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("a b").display().to_string();
        let remote = Remote::open(&to).unwrap();
        let path = "targets/größe-1.0+local~1.tar.gz";
        let place = remote.place(path).unwrap();
        assert!(place.as_ref().ends_with(path), "{place}");
        let repository = folder.path().join("repository");
        fs::create_dir_all(&repository.join("targets")).unwrap();
        std::fs::write(repository.join(path), "content").unwrap();
        let quiet = Progress { show: false };
        let report = upload(&repository, &to, Options::default(), quiet).unwrap();
        assert_eq!(report.uploaded, [path]);
        let copy = folder.path().join("a b").join(path);
        assert_eq!(std::fs::read_to_string(copy).unwrap(), "content");
    }
}
