//! Makes deterministic archives: the same bundle gives the same bytes,
//! whenever, wherever and by whomever it is packed.

use crate::pack::parallel_gzip::Gzip;
use indicatif::ProgressBar;
use notsotuf_stub::bundle::path_rules::RECORD;
use notsotuf_stub::fs::{self, FsError};
use ring::digest;
use std::fs::Metadata;
use std::io::{self, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use tar::{Builder, EntryType, Header};

/// The time of every entry: 1980-01-01T00:00:00Z, the earliest that zip files
/// can hold, for those who repack.
pub(crate) const MTIME: u64 = 315_532_800;

/// Says why a bundle cannot be packed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PackError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Writing the archive.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// The archive.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A path that archives cannot hold on all systems.
    #[error("{0:?} is not Unicode, so it cannot be packed")]
    NotUnicode(PathBuf),
    /// A device, a socket, …
    #[error("{0:?} is neither a file, a folder nor a link, so it cannot be packed")]
    Kind(PathBuf),
    /// Nothing to pack.
    #[error(
        "the bundle {0:?} is empty: PyInstaller did not finish; run it again, or name what it \
         made, such as dist/myapp"
    )]
    Empty(PathBuf),
}

/// Reads the tar inside an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Tar {
    /// Bytes.
    pub size: u64,
    /// Hash.
    pub sha256: [u8; 32],
}

/// Names a file, folder or link of the bundle.
#[derive(Debug)]
pub(crate) struct Item {
    /// `/`-separated, relative.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// What it is.
    pub kind: Metadata,
}

/// Packs `bundle`, a folder (its content, without the folder itself) or one
/// file, into the new gzipped tar `archive`.
///
/// # Errors
/// [`PackError`], naming the file.
pub(crate) fn pack(
    bundle: &Path,
    archive: &Path,
    bar: impl FnOnce(u64) -> ProgressBar,
) -> Result<Tar, PackError> {
    let items = collect(bundle)?;
    let total = items
        .iter()
        .filter(|i| i.kind.is_file())
        .map(|i| i.kind.len())
        .sum();
    let bar = bar(total);
    let out = BufWriter::new(fs::create_new(archive)?);
    let gzip = Gzip::new(out).map_err(|source| PackError::Write {
        path: archive.into(),
        source,
    })?;
    let mut builder = Builder::new(Tee::new(gzip));
    for item in &items {
        append(&mut builder, item, archive, &bar)?;
    }
    let written = |source| PackError::Write {
        path: archive.into(),
        source,
    };
    let tee = builder.into_inner().map_err(written)?;
    let (gzip, tar) = tee.finish();
    let out = gzip.finish().map_err(written)?;
    let file = out.into_inner().map_err(|e| written(e.into_error()))?;
    file.sync_all().map_err(written)?;
    bar.finish_and_clear();
    Ok(tar)
}

/// Collects all that is in a bundle, sorted.
///
/// # Errors
/// [`PackError`], naming the file.
pub(crate) fn collect(bundle: &Path) -> Result<Vec<Item>, PackError> {
    let top = std::fs::metadata(bundle).map_err(|e| FsError::new("read", bundle, e))?;
    let mut items = Vec::new();
    if top.is_file() {
        let name = bundle.file_name().and_then(|name| name.to_str());
        items.push(Item {
            name: name
                .ok_or_else(|| PackError::NotUnicode(bundle.into()))?
                .into(),
            path: bundle.into(),
            kind: top,
        });
        return Ok(items);
    }
    let mut folders = vec![(String::new(), bundle.to_path_buf())];
    while let Some((prefix, folder)) = folders.pop() {
        for path in fs::list(&folder)? {
            let name = path.file_name().and_then(|name| name.to_str());
            let name = name.ok_or_else(|| PackError::NotUnicode(path.clone()))?;
            let name = format!("{prefix}{name}");
            // A bundle that was installed by a stub and is packed again.
            if name == RECORD {
                continue;
            }
            let Some(kind) = fs::inspect(&path)? else {
                continue;
            };
            if kind.is_dir() {
                folders.push((format!("{name}/"), path.clone()));
            }
            items.push(Item { name, path, kind });
        }
    }
    if items.is_empty() {
        return Err(PackError::Empty(bundle.into()));
    }
    items.sort_by(|a, b| a.name.as_bytes().cmp(b.name.as_bytes()));
    Ok(items)
}

fn append<W: Write>(
    builder: &mut Builder<W>,
    item: &Item,
    archive: &Path,
    bar: &ProgressBar,
) -> Result<(), PackError> {
    let written = |source| PackError::Write {
        path: archive.into(),
        source,
    };
    let mut header = Header::new_gnu();
    header.set_mtime(MTIME);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mode(mode(item));
    header.set_size(0);
    if item.kind.is_dir() {
        header.set_entry_type(EntryType::Directory);
        let name = format!("{}/", item.name);
        return builder
            .append_data(&mut header, name, io::empty())
            .map_err(written);
    }
    if item.kind.is_symlink() {
        header.set_entry_type(EntryType::Symlink);
        let target = fs::read_link(&item.path)?;
        let target = target
            .to_str()
            .ok_or_else(|| PackError::NotUnicode(item.path.clone()))?
            .replace(std::path::MAIN_SEPARATOR, "/");
        return builder
            .append_link(&mut header, &item.name, target)
            .map_err(written);
    }
    if !item.kind.is_file() {
        return Err(PackError::Kind(item.path.clone()));
    }
    header.set_entry_type(EntryType::Regular);
    header.set_size(item.kind.len());
    // A file that grows while it is packed must not shift what follows; one
    // that shrinks is an error of `append_data`'s reader.
    let file = fs::open(&item.path)?;
    let content = bar.wrap_read(Exactly {
        reader: file,
        left: item.kind.len(),
    });
    builder
        .append_data(&mut header, &item.name, content)
        .map_err(written)
}

/// What is left of permission bits: on some disks everybody may write to everything, but no
/// user of a computer to the application of another.
pub(crate) const NOBODY_ELSE_WRITES: u32 = 0o755;

/// Returns permission bits as they will be installed.
pub(crate) fn mode(item: &Item) -> u32 {
    if item.kind.is_symlink() {
        return 0o777;
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        item.kind.permissions().mode() & NOBODY_ELSE_WRITES
    }
    #[cfg(windows)]
    {
        let program = [".exe", ".dll", ".pyd", ".bat", ".cmd"];
        let name = item.name.to_ascii_lowercase();
        if item.kind.is_dir() || program.iter().any(|end| name.ends_with(end)) {
            0o755
        } else {
            0o644
        }
    }
}

/// Reads just as much as was announced.
struct Exactly<R> {
    reader: R,
    left: u64,
}

impl<R: Read> Read for Exactly<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = buffer
            .len()
            .min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        match self.reader.read(&mut buffer[..most])? {
            0 => Err(io::Error::other("a file shrank while it was packed")),
            n => {
                self.left -= n as u64;
                Ok(n)
            }
        }
    }
}

/// Hashes and counts the tar on its way into the compressor.
struct Tee<W> {
    inner: W,
    hash: digest::Context,
    size: u64,
}

impl<W: Write> Tee<W> {
    fn new(inner: W) -> Self {
        Tee {
            inner,
            hash: digest::Context::new(&digest::SHA256),
            size: 0,
        }
    }

    fn finish(self) -> (W, Tar) {
        let sha256 = self.hash.finish().as_ref().try_into().expect("32 bytes");
        let size = self.size;
        (self.inner, Tar { size, sha256 })
    }
}

impl<W: Write> Write for Tee<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buffer)?;
        self.hash.update(&buffer[..n]);
        self.size += n as u64;
        Ok(n)
    }
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::pack::Unpacked;
    use notsotuf_stub::bundle::EntryKind;
    use std::fs::{create_dir_all, write};
    use std::os::unix::fs::{PermissionsExt, symlink};

    #[test]
    fn two_runs_give_the_same_bytes_and_keep_links_and_modes() {
        let folder = tempfile::tempdir().unwrap();
        let bundle = folder.path().join("bundle");
        let deep = format!("{}/{}", "long-name".repeat(12), "x".repeat(120));
        create_dir_all(bundle.join("lib").join(&deep)).unwrap();
        write(bundle.join("app"), "program").unwrap();
        write(bundle.join("lib").join(&deep).join("ü"), "text").unwrap();
        std::fs::set_permissions(bundle.join("app"), PermissionsExt::from_mode(0o751)).unwrap();
        symlink("../app", bundle.join("lib/link")).unwrap();
        write(bundle.join(RECORD), "of an install").unwrap();
        let bars = |_| ProgressBar::hidden();
        let (one, two) = (folder.path().join("1"), folder.path().join("2"));
        let tar = pack(&bundle, &one, bars).unwrap();
        // Another time, another order of creation.
        std::fs::rename(bundle.join("app"), bundle.join("x")).unwrap();
        std::fs::rename(bundle.join("x"), bundle.join("app")).unwrap();
        assert_eq!(pack(&bundle, &two, bars).unwrap(), tar);
        assert_eq!(std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap());

        let out = folder.path().join("out");
        create_dir_all(&out).unwrap();
        let file = std::fs::File::open(&one).unwrap();
        let tree = Unpacked::read(file, &out).unwrap().manifest;
        assert_eq!(tree.entries["app"].mode, 0o751);
        let link = EntryKind::Link {
            target: "../app".into(),
        };
        assert_eq!(tree.entries["lib/link"].kind, link);
        assert_eq!(
            std::fs::read_to_string(out.join("lib/link")).unwrap(),
            "program"
        );
        assert!(tree.entries.contains_key(&format!("lib/{deep}/ü")));
        assert!(!tree.entries.contains_key(RECORD));
    }

    #[test]
    fn a_one_file_bundle_and_an_empty_one() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("app");
        write(&program, "all in one").unwrap();
        let archive = folder.path().join("a");
        pack(&program, &archive, |_| ProgressBar::hidden()).unwrap();
        let out = folder.path().join("out");
        create_dir_all(&out).unwrap();
        let file = std::fs::File::open(&archive).unwrap();
        let tree = Unpacked::read(file, &out).unwrap().manifest;
        assert_eq!(tree.entries.keys().collect::<Vec<_>>(), ["app"]);
        let empty = pack(&out.join("none"), &folder.path().join("b"), |_| {
            ProgressBar::hidden()
        });
        assert!(matches!(empty, Err(PackError::Fs(_))));
        create_dir_all(folder.path().join("empty")).unwrap();
        let empty = folder.path().join("empty");
        let result = pack(&empty, &folder.path().join("c"), |_| ProgressBar::hidden());
        assert!(matches!(result, Err(PackError::Empty(_))));
    }
}
