//! Remembers the versions that are blocked on this computer: they failed here,
//! could not be installed, or the user went back from them.
//!
//! The file `quarantine` has the versions that must not run, a line each: that
//! is all that older stubs know. The file `blocked` beside it says when
//! and why, as a JSON list of [`Blocked`], and has those that could not be
//! installed, too.

use super::Layout;
use super::probation::{MAX_SIZE, read};
use crate::fs::{self, FsError};
use crate::policy::blocked::{Blocked, BlockedWhy};
use crate::tuf::UnixTime;
use pep440_rs::Version;
use std::collections::BTreeSet;
use std::str::FromStr;
use std::time::UNIX_EPOCH;

/// Holds the versions that are blocked here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BlockedVersions {
    /// One for each version and reason.
    pub entries: Vec<Blocked>,
}

impl BlockedVersions {
    /// Reads the blocked versions; what cannot be read is skipped.
    pub fn load(layout: &Layout) -> Self {
        let mut entries: Vec<Blocked> = read(&layout.blocked())
            .and_then(|text| serde_json::from_str(&text).ok())
            .unwrap_or_default();
        let quarantine = read(&layout.quarantine()).unwrap_or_default();
        let lines = quarantine.lines();
        let listed: BTreeSet<Version> = lines.filter_map(|l| Version::from_str(l).ok()).collect();
        // The list of old counts: a stub of that time took a version out.
        entries.retain(|entry| {
            entry.why == BlockedWhy::NotInstalled || listed.contains(&entry.version)
        });
        for version in listed {
            let of_it =
                |entry: &Blocked| entry.version == version && entry.why != BlockedWhy::NotInstalled;
            if !entries.iter().any(of_it) {
                entries.push(Blocked {
                    since: modified(layout),
                    count: 1,
                    ..Blocked::new(version, BlockedWhy::Failed)
                });
            }
        }
        BlockedVersions { entries }
    }

    /// Returns the versions that are blocked for one reason, in order.
    pub fn versions(&self, why: BlockedWhy) -> BTreeSet<Version> {
        let entries = self.entries.iter().filter(|entry| entry.why == why);
        entries.map(|entry| entry.version.clone()).collect()
    }

    /// Returns the entry of a version that is blocked for this reason.
    pub fn find(&self, version: &Version, why: BlockedWhy) -> Option<&Blocked> {
        let mut entries = self.entries.iter();
        entries.find(|entry| entry.version == *version && entry.why == why)
    }

    /// Blocks a version, or counts it once more. `fill` says what else is
    /// known of it.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn add(
        layout: &Layout,
        version: &Version,
        why: BlockedWhy,
        now: UnixTime,
        fill: impl FnOnce(&mut Blocked),
    ) -> Result<(), FsError> {
        let mut blocked = Self::load(layout);
        let before = blocked.find(version, why).cloned();
        let mut entry = before.unwrap_or_else(|| Blocked::new(version.clone(), why));
        entry.since = now;
        entry.count = entry.count.saturating_add(1);
        fill(&mut entry);
        // Who failed and who was left by the user are told apart, the last
        // one counts.
        let keeps = |other: &Blocked| {
            let both = [other.why, why].contains(&BlockedWhy::NotInstalled);
            other.version != *version || (both && other.why != why)
        };
        blocked.entries.retain(keeps);
        blocked.entries.push(entry);
        blocked.store(layout)
    }

    /// Notes that a required version is tried again since there is `newest`.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn tried_for(layout: &Layout, version: &Version, newest: &Version) -> Result<(), FsError> {
        let mut blocked = Self::load(layout);
        let mut changed = false;
        for entry in &mut blocked.entries {
            if entry.version == *version && entry.seen.as_ref() != Some(newest) {
                entry.seen = Some(newest.clone());
                changed = true;
            }
        }
        if changed {
            blocked.store(layout)
        } else {
            Ok(())
        }
    }

    /// Unblocks what `lifted` says.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn remove(layout: &Layout, lifted: impl Fn(&Blocked) -> bool) -> Result<(), FsError> {
        let mut blocked = Self::load(layout);
        let before = blocked.entries.len();
        blocked.entries.retain(|entry| !lifted(entry));
        if blocked.entries.len() == before {
            Ok(())
        } else {
            blocked.store(layout)
        }
    }

    /// Unblocks all versions.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn clear(layout: &Layout) -> Result<(), FsError> {
        fs::remove_file_if_exists(&layout.blocked())?;
        fs::remove_file_if_exists(&layout.quarantine())
    }

    fn store(&self, layout: &Layout) -> Result<(), FsError> {
        let listed = |entry: &&Blocked| entry.why != BlockedWhy::NotInstalled;
        let lines: BTreeSet<_> = self
            .entries
            .iter()
            .filter(listed)
            .map(|e| &e.version)
            .collect();
        let lines: String = lines.into_iter().map(|v| format!("{v}\n")).collect();
        // What must not run comes first, and is believed without the rest.
        if lines.is_empty() {
            fs::remove_file_if_exists(&layout.quarantine())?
        } else {
            fs::write_atomically(&layout.quarantine(), lines.as_bytes())?
        }
        if self.entries.is_empty() {
            return fs::remove_file_if_exists(&layout.blocked());
        }
        let mut entries = self.entries.clone();
        let mut text = serde_json::to_vec(&entries).expect("texts and numbers are JSON");
        // The oldest go, rather than that none could be read.
        while text.len() as u64 > MAX_SIZE {
            let oldest = (0..entries.len()).min_by_key(|&index| entries[index].since);
            entries.remove(oldest.unwrap_or_default());
            text = serde_json::to_vec(&entries).expect("texts and numbers are JSON");
        }
        fs::write_atomically(&layout.blocked(), &text)
    }
}

/// Returns when the old list was changed.
fn modified(layout: &Layout) -> UnixTime {
    let time = std::fs::metadata(layout.quarantine()).and_then(|found| found.modified());
    let since = time
        .ok()
        .and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.map_or(0, |since| since.as_secs() as UnixTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(text: &str) -> Version {
        Version::from_str(text).unwrap()
    }

    fn case() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.state()).unwrap();
        (folder, layout)
    }

    #[test]
    fn what_is_blocked_is_counted_and_told_apart() {
        let (_folder, layout) = case();
        let (failed, left) = (BlockedWhy::Failed, BlockedWhy::RolledBack);
        assert!(BlockedVersions::load(&layout).entries.is_empty());
        for (text, why, now) in [
            ("1.1", failed, 5),
            ("1.1", failed, 7),
            ("1.2", BlockedWhy::NotInstalled, 8),
            ("2.0rc1", failed, 8),
            ("2.0rc1", left, 9),
        ] {
            let reason = |entry: &mut Blocked| entry.reason = "it broke".into();
            BlockedVersions::add(&layout, &version(text), why, now, reason).unwrap();
        }
        let blocked = BlockedVersions::load(&layout);
        let entry = blocked.find(&version("1.1.0"), failed).unwrap();
        assert_eq!((entry.since, entry.count), (7, 2));
        assert_eq!(entry.reason, "it broke");
        assert_eq!(blocked.versions(failed), [version("1.1")].into());
        assert_eq!(blocked.versions(left), [version("2.0rc1")].into());
        // As stubs of old read it.
        let listed = std::fs::read_to_string(layout.quarantine()).unwrap();
        assert_eq!(listed, "1.1\n2.0rc1\n");
        BlockedVersions::remove(&layout, |entry| entry.version != version("1.2")).unwrap();
        assert!(!layout.quarantine().exists());
        assert_eq!(BlockedVersions::load(&layout).entries.len(), 1);
        BlockedVersions::clear(&layout).unwrap();
        assert!(!layout.blocked().exists());
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many_to_read() {
        let (_folder, layout) = case();
        let reason = |entry: &mut Blocked| entry.reason = "\u{1}".repeat(300);
        for number in 0..60 {
            let version = Version::new([1, number]);
            let why = BlockedWhy::NotInstalled;
            BlockedVersions::add(&layout, &version, why, number as i64, reason).unwrap();
        }
        let left = BlockedVersions::load(&layout).versions(BlockedWhy::NotInstalled);
        assert!(left.len() > 20 && left.len() < 60, "{left:?}");
        assert!(left.contains(&version("1.59")) && !left.contains(&version("1.0")));
    }

    #[test]
    fn what_a_stub_of_old_wrote_counts() {
        let (_folder, layout) = case();
        std::fs::write(layout.quarantine(), "1.1\nnonsense\n").unwrap();
        let blocked = BlockedVersions::load(&layout);
        assert_eq!(
            blocked.versions(BlockedWhy::Failed),
            [version("1.1")].into()
        );
        assert!(blocked.entries[0].since > 1_600_000_000);
        BlockedVersions::add(&layout, &version("1.2"), BlockedWhy::Failed, 1, |_| {}).unwrap();
        // It took the first one out again, knowing nothing of the rest.
        std::fs::write(layout.quarantine(), "1.2\n").unwrap();
        let blocked = BlockedVersions::load(&layout);
        assert_eq!(
            blocked.versions(BlockedWhy::Failed),
            [version("1.2")].into()
        );
        std::fs::write(layout.blocked(), "no JSON").unwrap();
        let blocked = BlockedVersions::load(&layout);
        assert_eq!(
            blocked.versions(BlockedWhy::Failed),
            [version("1.2")].into()
        );
    }
}
