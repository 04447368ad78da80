//! Safe unpacking of archives (gzipped tar).
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
pub use unpacker::Observer;

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

impl<F: FnMut(u64) -> bool> Observer for F {
    fn wrote(&mut self, bytes: u64) -> bool {
        self(bytes)
    }
}

/// Unpacks `gz` into the existing, empty folder `into` and returns what is
/// there now. Links are made last, once all of them are known to stay inside,
/// so nothing is ever written through one.
///
/// Files that the folder `installed` has at the same path, with the same
/// content and permissions, become hard links to those where the file system
/// has such: most of an update is not new, and what is linked need be neither
/// written nor waited for.
///
/// # Errors
/// [`ArchiveError`]; what was unpacked so far stays, for the caller to remove.
pub fn unpack(
    gz: impl Read + Send,
    into: &Path,
    installed: Option<&Path>,
    rules: Rules,
    observer: &mut dyn Observer,
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
        let result = unpack_tar(tar, into, installed, rules, observer, written);
        inflating.join().expect("inflating does not panic");
        result
    })
}

fn unpack_tar(
    tar: impl Read,
    into: &Path,
    installed: Option<&Path>,
    rules: Rules,
    observer: &mut dyn Observer,
    written: SyncSender<File>,
) -> Result<Manifest, ArchiveError> {
    let mut archive = Members::new(tar);
    let mut unpacker = Unpacker {
        into,
        rules,
        tree: Manifest::default(),
        tally: Tally::default(),
        total: 0,
        buffer: vec![0; 1 << 18],
        installed: installed.and_then(Installed::at),
        observer,
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
