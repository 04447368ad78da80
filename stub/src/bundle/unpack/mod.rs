//! Unpacks archives (gzipped tar) safely.
//!
//! Reads what Python's tarfile, GNU tar and the bundler write: ustar, GNU
//! long names and pax headers. Hard links, which Python writes for files with
//! several names, become files of their own.

mod error;
mod inflate;
mod members;
mod reuse_installed;
mod unpacker;

pub use error::ArchiveError;

use self::members::Members;
use crate::bundle::manifest::Manifest;
use crate::bundle::path_rules::{PathError, Rules};
use crate::bundle::tree_check::Tally;
use crate::bundle::unpack::inflate::{Inflated, WAITING, inflate};
use crate::bundle::unpack::reuse_installed::Installed;
use crate::bundle::unpack::unpacker::Unpacker;
use crate::fs::{self};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::mpsc::{SyncSender, sync_channel};

/// The most that may follow the last entry: tar programs fill up a block,
/// whose size can be chosen.
const MAX_PADDING: u64 = 4 << 20;

/// Says how an archive is unpacked. By default as clients on this machine do it,
/// with nothing to reuse and nobody who watches.
pub struct UnpackOptions<'a> {
    /// A bundle whose files become hard links where the archive has the same.
    pub reuse_from: Option<&'a Path>,
    /// Which paths are refused.
    pub rules: Rules,
    /// Hears how many bytes more were written; answers `false` to stop.
    pub observer: Option<&'a mut dyn FnMut(u64) -> bool>,
}

impl Default for UnpackOptions<'_> {
    fn default() -> Self {
        UnpackOptions {
            reuse_from: None,
            rules: Rules::host(),
            observer: None,
        }
    }
}

/// Unpacks `gz` into the existing, empty folder `into` and returns what is
/// there now. Links are made last, once all of them are known to stay inside,
/// so nothing is ever written through one.
///
/// Files that the folder `reuse_from` has at the same path, with the same
/// content and permissions, become hard links to those where the file system
/// has such: most of an update is not new, and what is linked need be neither
/// written nor waited for.
///
/// # Errors
/// [`ArchiveError`]; what was unpacked so far stays, for the caller to remove.
pub fn unpack<'a>(
    gz: impl Read + Send,
    into: &'a Path,
    options: UnpackOptions<'a>,
) -> Result<Manifest, ArchiveError> {
    // Inflating takes about as long as hashing and writing.
    std::thread::scope(|scope| {
        let (full, chunks) = sync_channel(WAITING);
        let (give_back, empty) = sync_channel(WAITING + 2);
        let inflating = std::thread::Builder::new()
            .spawn_scoped(scope, move || inflate(gz, &full, &empty))
            .map_err(ArchiveError::Read)?;
        let tar = Inflated {
            chunks,
            give_back,
            chunk: Vec::new(),
            at: 0,
        };
        let (written, files) = sync_channel::<File>(WAITING);
        std::thread::Builder::new()
            .spawn_scoped(scope, move || {
                for file in files {
                    fs::begin_sync(&file);
                }
            })
            .map_err(ArchiveError::Read)?;
        // Ends the channels in any case, and so the threads.
        let result = unpack_tar(tar, into, options, written);
        inflating.join().expect("inflating does not panic");
        result
    })
}

fn unpack_tar<'a>(
    tar: impl Read,
    into: &'a Path,
    options: UnpackOptions<'a>,
    written: SyncSender<File>,
) -> Result<Manifest, ArchiveError> {
    let mut archive = Members::new(tar);
    let mut unpacker = Unpacker {
        into,
        rules: options.rules,
        tree: Manifest::default(),
        tally: Tally::default(),
        total: 0,
        buffer: vec![0; 1 << 18],
        installed: options.reuse_from.and_then(Installed::at),
        observer: options.observer,
        written,
    };
    while let Some(member) = archive.next()? {
        unpacker.entry(&member, &mut archive)?;
    }
    // On to the end of the compressed data, whose checksum is checked there.
    let rest = io::copy(
        &mut archive.into_inner().take(MAX_PADDING + 1),
        &mut io::sink(),
    );
    if rest.map_err(ArchiveError::Read)? > MAX_PADDING {
        return Err(PathError::TooLarge.into());
    }
    if unpacker.tree.entries.is_empty() {
        return Err(ArchiveError::Empty);
    }
    unpacker.finish()
}

#[cfg(test)]
mod tests;
