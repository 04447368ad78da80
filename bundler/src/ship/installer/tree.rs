//! Writes the first-install folder into a tar archive, the same on every system.

use super::{Application, InstallerError};
use crate::pack::archive::{self, Item, NOBODY_ELSE_WRITES};
use notsotuf_stub::bundle::Rules;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::install::{Layout, Record};
use std::io::{self, Write};
use std::path::Path;
use tar::{Builder, EntryType, Header};

/// A tar archive without anything that depends on when, where and by whom it is made.
pub(super) struct Tree<W: Write> {
    builder: Builder<W>,
    path: std::path::PathBuf,
}

impl<W: Write> Tree<W> {
    /// Begins an archive; `path` is for messages.
    pub(super) fn new(out: W, path: &Path) -> Self {
        let builder = Builder::new(out);
        let path = path.into();
        Tree { builder, path }
    }

    fn header(kind: EntryType, mode: u32, size: u64) -> Header {
        let mut header = Header::new_gnu();
        // Names that fit.
        drop(header.set_username("root"));
        drop(header.set_groupname("root"));
        header.set_entry_type(kind);
        header.set_mtime(archive::MTIME);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mode(mode);
        header.set_size(size);
        header
    }

    fn named(&self, result: io::Result<()>) -> Result<(), InstallerError> {
        result.map_err(|e| FsError::new("write", &self.path, e).into())
    }

    /// Adds a folder.
    pub(super) fn folder(&mut self, name: &str) -> Result<(), InstallerError> {
        let mut header = Self::header(EntryType::Directory, 0o755, 0);
        let name = format!("{}/", name.trim_end_matches('/'));
        let added = self.builder.append_data(&mut header, name, io::empty());
        self.named(added)
    }

    /// Adds a file.
    pub(super) fn file(
        &mut self,
        name: &str,
        mode: u32,
        bytes: &[u8],
    ) -> Result<(), InstallerError> {
        let mut header = Self::header(EntryType::Regular, mode, bytes.len() as u64);
        let added = self.builder.append_data(&mut header, name, bytes);
        self.named(added)
    }

    /// Adds a symbolic link.
    pub(super) fn link(&mut self, name: &str, target: &str) -> Result<(), InstallerError> {
        let mut header = Self::header(EntryType::Symlink, 0o777, 0);
        let added = self.builder.append_link(&mut header, name, target);
        self.named(added)
    }

    /// Adds the first-install folder as `prefix`, with `replaced` for the content of some
    /// files. Returns how many bytes it holds.
    pub(super) fn application(
        &mut self,
        app: &Application,
        prefix: &str,
        replaced: &[(&str, Vec<u8>)],
    ) -> Result<u64, InstallerError> {
        let modes = modes(app)?;
        let mut total = 0;
        self.folder(prefix)?;
        for item in archive::collect(app.folder)? {
            let name = format!("{prefix}/{}", item.name);
            if item.kind.is_dir() {
                self.folder(&name)?;
            } else if item.kind.is_symlink() {
                let target = fs::read_link(&item.path)?;
                self.link(&name, &target.to_string_lossy().replace('\\', "/"))?;
            } else if let Some((_, bytes)) = replaced.iter().find(|(path, _)| *path == item.name) {
                total += bytes.len() as u64;
                self.file(&name, modes(&item), bytes)?;
            } else {
                total += self.copy(&name, modes(&item), &item)?;
            }
        }
        Ok(total)
    }

    fn copy(&mut self, name: &str, mode: u32, item: &Item) -> Result<u64, InstallerError> {
        let file = fs::open(&item.path)?;
        let size = item.kind.len();
        let mut header = Self::header(EntryType::Regular, mode, size);
        let added = self.builder.append_data(&mut header, name, file);
        self.named(added)?;
        Ok(size)
    }

    /// Ends the archive.
    pub(super) fn finish(self) -> Result<W, InstallerError> {
        let finished = self.builder.into_inner();
        finished.map_err(|e| FsError::new("write", &self.path, e).into())
    }
}

/// Permission bits by the record of the release, which knows them on every system.
fn modes(app: &Application) -> Result<impl Fn(&Item) -> u32 + use<>, InstallerError> {
    let folder = Layout::new(app.folder).app();
    let record = Record::load(&folder, Rules::host());
    let record = record.ok().flatten();
    let program = app.program.to_owned();
    Ok(move |item: &Item| {
        let entry = item.name.strip_prefix("app/").and_then(|name| {
            let record = record.as_ref()?;
            record.manifest.entries.get(name)
        });
        match entry {
            // Releases of older bundlers have what was found on the disk.
            Some(entry) => entry.mode & NOBODY_ELSE_WRITES,
            None if item.name == program => 0o755,
            None => 0o644,
        }
    })
}
