//! Compares the room on the disk with what an update takes.

use crate::catalog::custom::{ArchiveCustom, PatchCustom};
use crate::fs;
use crate::fs::attributes;
use crate::update::check::UpdateCheck;
use crate::update::error::UpdateError;
use crate::update::session::Updater;
use pep440_rs::Version;
use std::path::PathBuf;

impl<'a> Updater<'a> {
    /// Compares what an update takes at the least with the room there is.
    /// `files`, of which some may be named twice, are downloaded, or partly so,
    /// already.
    pub(super) fn check_room(
        &self,
        version: &Version,
        downloads: u64,
        files: &[PathBuf],
        tree: u64,
    ) -> Result<(), UpdateError> {
        let folder = self.layout.state();
        let Some(free) = attributes::room(&folder) else {
            return Ok(());
        };
        let mut there = 0;
        for (index, file) in files.iter().enumerate() {
            if !files[..index].contains(file) {
                there += fs::size(file)?;
            }
        }
        let needed = downloads.saturating_sub(there).saturating_add(tree);
        if needed > free {
            Err(UpdateError::NoRoom {
                version: version.clone(),
                needed,
                free,
                folder,
            })
        } else {
            Ok(())
        }
    }

    /// Returns the bytes that the new bundle takes at the least, besides those
    /// it shares with the installed one where files can have two names.
    /// `installed` is the size of that one.
    pub(super) fn tree_room(
        &self,
        checked: &UpdateCheck,
        version: &Version,
        installed: Option<u64>,
    ) -> u64 {
        let patch = checked.catalog.patches_to(version).next();
        let archive = &checked.catalog.archives[version];
        let tar = || PatchCustom::of(&patch?.file.custom.value()).tar;
        let unpacked = ArchiveCustom::of(&archive.file.custom.value())
            .size
            .or_else(|| tar().map(|tar| tar.size));
        if attributes::has_hard_links(&self.layout.state()) {
            unpacked
                .zip(installed)
                .map_or(0, |(new, old)| new.saturating_sub(old))
        } else {
            unpacked.or(installed).unwrap_or(archive.file.length)
        }
    }
}
