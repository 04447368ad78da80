//! Uploads to object stores, and to folders, which are treated like them.

use super::aws_profile;
use super::error::UploadError;
use super::leftovers;
use super::plan::{self, Files};
use futures_util::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;
use notsotuf_stub::fs::{self, FsError};
use object_store::path::Path as ObjectPath;
use object_store::{
    Attribute, Attributes, GetOptions, GetRange, ObjectStore, ObjectStoreExt, PutMode,
    PutMultipartOptions, PutOptions, PutPayload, UpdateVersion, WriteMultipart,
};
use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use tokio::runtime::Runtime;
use url::Url;

/// How long caches may keep what never changes, and what does.
const FOREVER: &str = "public, max-age=31536000, immutable";
const SHORTLY: &str = "public, max-age=60";

/// Names a file of the store, and which version of it that is.
#[derive(Debug, Clone)]
pub(crate) struct Found {
    /// The content.
    pub bytes: Vec<u8>,
    /// For a conditional replacement.
    pub version: Option<UpdateVersion>,
}

/// Gives access to an object store, or a folder.
pub(crate) struct Store {
    store: Box<dyn ObjectStore>,
    prefix: ObjectPath,
    /// As it is written.
    pub name: String,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
    runtime: Runtime,
}

impl Store {
    /// Opens a folder, which need not be there yet.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn folder(folder: &Path) -> Result<Self, UploadError> {
        let name = folder.display().to_string();
        let folder = resolve(folder)?;
        let url = Url::from_directory_path(&folder)
            .map_err(|()| UploadError::Destination(name.clone()))?;
        Self::open(&url, name, Some(folder))
    }

    /// Opens an object store.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn remote(url: &Url) -> Result<Self, UploadError> {
        // No store has one; what is there could be a token.
        let mut shown = url.clone();
        shown.set_query(None);
        shown.set_fragment(None);
        Self::open(url, shown.as_str().trim_end_matches('/').into(), None)
    }

    fn open(url: &Url, name: String, folder: Option<PathBuf>) -> Result<Self, UploadError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(UploadError::Runtime)?;
        // The provider that the stub uses too; an error only says that there
        // is one already.
        drop(rustls::crypto::ring::default_provider().install_default());
        let profile = aws_profile::Files::of_user().options();
        let text = |(name, value): (OsString, OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        let environment = std::env::vars_os().filter_map(text).collect();
        let options = aws_profile::merge(profile, environment);
        let (store, prefix) =
            object_store::parse_url_opts(url, options).map_err(|source| match source {
                // Not those of the stores, which miss a part of the credentials.
                object_store::Error::Generic {
                    store: "URL" | "parse_url",
                    ..
                }
                | object_store::Error::NotSupported { .. } => {
                    UploadError::Destination(name.clone())
                }
                source => UploadError::store(name.clone(), source),
            })?;
        Ok(Store {
            store,
            prefix,
            name,
            folder,
            runtime,
        })
    }

    /// Makes the folder, if the store is one.
    ///
    /// # Errors
    /// The file system's.
    pub(crate) fn create(&self) -> Result<(), FsError> {
        self.folder.as_deref().map_or(Ok(()), fs::create_dir_all)
    }

    fn place(&self, path: &str) -> Result<ObjectPath, UploadError> {
        // Names go as they are: clients encode them once.
        let whole = match self.prefix.as_ref() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        };
        ObjectPath::parse(whole).map_err(|e| self.failed(path)(e.into()))
    }

    fn failed(&self, path: &str) -> impl FnOnce(object_store::Error) -> UploadError {
        let place = match path {
            "" => self.name.clone(),
            path => format!("{}/{path}", self.name),
        };
        move |source| UploadError::store(place, source)
    }

    /// Lists the files of the store.
    ///
    /// # Errors
    /// [`UploadError::Store`].
    pub(crate) fn list(&self) -> Result<Files, UploadError> {
        if self.folder.as_ref().is_some_and(|folder| !folder.exists()) {
            return Ok(Files::new());
        }
        let list = self.store.list(Some(&self.prefix));
        let files = list.try_filter_map(async |found| {
            let parts = found.location.prefix_match(&self.prefix);
            let path = parts.map(|parts| {
                let parts: Vec<String> = parts.map(|part| part.as_ref().to_owned()).collect();
                parts.join("/")
            });
            Ok(path.map(|path| (path, found.size)))
        });
        self.runtime
            .block_on(files.try_collect())
            .map_err(self.failed(""))
    }

    /// Reads a file of at most `limit` bytes; `None` if there is none.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn read(&self, path: &str, limit: u64) -> Result<Option<Found>, UploadError> {
        let place = self.place(path)?;
        let got = self.runtime.block_on(async {
            let got = self.store.get(&place).await?;
            if got.meta.size > limit {
                return Ok(Err(got.meta.size));
            }
            let version = UpdateVersion {
                e_tag: got.meta.e_tag.clone(),
                version: got.meta.version.clone(),
            };
            let bytes = got.bytes().await?.to_vec();
            let version = Some(version);
            Ok(Ok(Found { bytes, version }))
        });
        match got {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(size)) => Err(UploadError::TooLarge {
                place: format!("{}/{path}", self.name),
                size,
            }),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            // Without the right to list, S3 says so of what is not there.
            Err(object_store::Error::PermissionDenied { .. })
                if path.ends_with(".root.json") && !path.ends_with("/1.root.json") =>
            {
                Ok(None)
            }
            Err(e) => Err(self.failed(path)(e)),
        }
    }

    /// Passes a file from byte `from` on to `take`.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn stream(
        &self,
        path: &str,
        from: u64,
        take: &mut dyn FnMut(&[u8]) -> Result<(), UploadError>,
    ) -> Result<(), UploadError> {
        let place = self.place(path)?;
        let mut options = GetOptions::default();
        if from > 0 {
            options.range = Some(GetRange::Offset(from));
        }
        self.runtime.block_on(async {
            let got = self.store.get_opts(&place, options).await;
            let mut data = got.map_err(self.failed(path))?.into_stream();
            while let Some(piece) = data.next().await {
                take(&piece.map_err(self.failed(path))?)?;
            }
            Ok(())
        })
    }

    /// Removes a file.
    ///
    /// # Errors
    /// [`UploadError::Store`].
    pub(crate) fn delete(&self, path: &str) -> Result<(), UploadError> {
        let place = self.place(path)?;
        let deleted = self.runtime.block_on(self.store.delete(&place));
        deleted.map_err(self.failed(path))
    }

    /// Lists what an interrupted upload left, if the store is a folder.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn leftovers(&self) -> Result<Vec<String>, FsError> {
        self.folder.as_deref().map_or(Ok(Vec::new()), leftovers::of)
    }

    /// Removes what an interrupted upload left.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn sweep(&self, leftovers: &[String]) -> Result<(), FsError> {
        let folder = self.folder.iter();
        let mut files =
            folder.flat_map(|folder| leftovers.iter().map(|path| fs::join(folder, path)));
        files.try_for_each(|file| fs::remove_file_if_exists(&file))
    }

    /// Sends files of `repository`, several at a time.
    ///
    /// # Errors
    /// [`UploadError`].
    pub(crate) fn send_all(
        &self,
        group: &[String],
        repository: &Path,
        there: &Files,
        bar: &ProgressBar,
    ) -> Result<(), UploadError> {
        let sent = group.iter().map(|path| {
            // Another upload may bring it in this very moment.
            let fresh = path.starts_with("metadata/")
                && plan::is_immutable(path)
                && !there.contains_key(path);
            self.send(path, repository, fresh, bar)
        });
        let sent = stream::iter(sent).buffered(AT_ONCE);
        self.runtime.block_on(sent.try_collect::<Vec<()>>())?;
        Ok(())
    }

    /// Puts the timestamp in the place of the one that was `seen`, or of none.
    /// Where the store can tell, it does so only if that is still there.
    ///
    /// # Errors
    /// [`UploadError::Raced`], if another one was quicker.
    pub(crate) fn replace(
        &self,
        path: &str,
        bytes: Vec<u8>,
        seen: Option<&Found>,
    ) -> Result<(), UploadError> {
        let place = self.place(path)?;
        let mode = match seen {
            None => PutMode::Create,
            Some(Found { version, .. }) => {
                version.clone().map_or(PutMode::Overwrite, PutMode::Update)
            }
        };
        let put = |mode: PutMode| {
            let options = PutOptions {
                mode,
                attributes: self.attributes(path),
                ..PutOptions::default()
            };
            let payload = PutPayload::from(bytes.clone());
            self.runtime
                .block_on(self.store.put_opts(&place, payload, options))
        };
        match put(mode) {
            Ok(_) => Ok(()),
            Err(
                object_store::Error::Precondition { .. }
                | object_store::Error::AlreadyExists { .. },
            ) => Err(UploadError::Raced(self.name.clone())),
            // A store without conditions; if it was something else, it is said now.
            Err(
                object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. }
                | object_store::Error::Generic { .. },
            ) => put(PutMode::Overwrite)
                .map(|_| ())
                .map_err(self.failed(path)),
            Err(e) => Err(self.failed(path)(e)),
        }
    }

    async fn send(
        &self,
        path: &str,
        repository: &Path,
        fresh: bool,
        bar: &ProgressBar,
    ) -> Result<(), UploadError> {
        let (from, to) = (fs::join(repository, path), self.place(path)?);
        let size = fs::size(&from)?;
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
            self.send_whole(path, &to, &bytes, fresh).await?;
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

    /// Sends a small file in one piece; a `fresh` one only where there is none.
    async fn send_whole(
        &self,
        path: &str,
        to: &ObjectPath,
        bytes: &[u8],
        fresh: bool,
    ) -> Result<(), UploadError> {
        let put = |mode: PutMode| {
            let options = PutOptions {
                mode,
                attributes: self.attributes(path),
                ..PutOptions::default()
            };
            let payload = PutPayload::from(bytes.to_vec());
            self.store.put_opts(to, payload, options)
        };
        let sent = if fresh {
            put(PutMode::Create).await
        } else {
            put(PutMode::Overwrite).await
        };
        match sent {
            Err(object_store::Error::AlreadyExists { .. }) => {
                let there = async { self.store.get(to).await?.bytes().await };
                if there.await.map_err(self.failed(path))? != bytes {
                    return Err(UploadError::Raced(self.name.clone()));
                }
            }
            // As in `replace`.
            Err(
                object_store::Error::NotImplemented { .. }
                | object_store::Error::NotSupported { .. }
                | object_store::Error::Generic { .. },
            ) if fresh => drop(put(PutMode::Overwrite).await.map_err(self.failed(path))?),
            sent => drop(sent.map_err(self.failed(path))?),
        }
        Ok(())
    }

    fn attributes(&self, path: &str) -> Attributes {
        if self.folder.is_some() {
            return Attributes::new();
        }
        let caching = if plan::is_immutable(path) {
            FOREVER
        } else {
            SHORTLY
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

/// The folder without links on the way, as far as it is there.
fn resolve(folder: &Path) -> Result<PathBuf, UploadError> {
    let named = |e| UploadError::Fs(FsError::new("find", folder, e));
    let absolute = std::path::absolute(folder).map_err(named)?;
    let mut missing = Vec::new();
    let mut there = absolute.as_path();
    loop {
        if there.exists() {
            let mut resolved = there.canonicalize().map_err(named)?;
            resolved.extend(missing.iter().rev());
            return Ok(resolved);
        }
        match (there.parent(), there.file_name()) {
            (Some(parent), Some(name)) => {
                missing.push(name.to_owned());
                there = parent;
            }
            _ => return Ok(absolute.clone()),
        }
    }
}

/// Limits the size of files that are sent whole; larger ones are sent in parts
/// of this size, each of which is tried again by itself.
pub(super) const PART: usize = 8 << 20;

/// Limits how many files, or parts of one, are under way at a time.
pub(super) const AT_ONCE: usize = 4;
