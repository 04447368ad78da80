//! Decides which versions are left alone, and for how long. Pure: what is known
//! of failures in, a decision out.
//!
//! No block is for ever: it ends by itself after a while, which grows with
//! each failure; with a newer stub; with another file of the same version; and
//! a required release, which holds up all later ones, is tried once more for
//! each newer release there is.

use crate::catalog::{Archive, Catalog};
use crate::policy::wanted::Wanted;
use crate::tuf::UnixTime;
use pep440_rs::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

const DAY: UnixTime = 86_400;
/// How long a version is left alone after its first failure, the second, …
const DELAYS: [UnixTime; 3] = [DAY, 7 * DAY, 28 * DAY];
/// Says how much more room there must be before a client that had too little is
/// asked again.
const MORE_ROOM: u64 = 8 << 20;

/// Says why a version is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BlockedWhy {
    /// The version was started and did not work.
    Failed,
    /// The user went back from it.
    RolledBack,
    /// The version could not be put together or in place.
    NotInstalled,
}

/// Holds what is known of a version that is blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Blocked {
    /// The version.
    pub version: Version,
    /// Why it is blocked.
    pub why: BlockedWhy,
    /// When it failed last.
    #[serde(default)]
    pub since: UnixTime,
    /// How often it failed, or was given up for a while.
    #[serde(default)]
    pub count: u32,
    /// How often it could not be installed for a reason that may pass.
    #[serde(default)]
    pub attempts: u32,
    /// Whether it is left alone by now; a failure that may be a passing one
    /// is only counted at first.
    #[serde(default = "yes")]
    pub sure: bool,
    /// The stub that it failed with.
    #[serde(default)]
    pub updater: Option<Version>,
    /// The signed hash of the archive that it failed with.
    #[serde(default)]
    pub archive: Option<String>,
    /// The newest release when it was tried again for the sake of that.
    #[serde(default)]
    pub seen: Option<Version>,
    /// The room on the disk that was not enough.
    #[serde(default)]
    pub room: Option<u64>,
    /// What went wrong, in words.
    #[serde(default)]
    pub reason: String,
}

fn yes() -> bool {
    true
}

/// Says what a block may depend on besides the catalog.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The time.
    pub now: UnixTime,
    /// The version of this stub.
    pub updater: &'a Version,
    /// The room on the disk, where that is known.
    pub room: Option<u64>,
}

impl Blocked {
    /// Creates an entry of which no more is known.
    pub fn new(version: Version, why: BlockedWhy) -> Self {
        Blocked {
            version,
            why,
            since: 0,
            count: 0,
            attempts: 0,
            sure: true,
            updater: None,
            archive: None,
            seen: None,
            room: None,
            reason: String::new(),
        }
    }

    /// Returns the time at which the version is tried again by itself; `None`
    /// if it is not.
    pub fn until(&self) -> Option<UnixTime> {
        let index = (self.count.max(1) as usize - 1).min(DELAYS.len() - 1);
        (self.why != BlockedWhy::RolledBack).then(|| self.since.saturating_add(DELAYS[index]))
    }

    /// Returns whether the version should be tried again.
    fn is_over(&self, at: Circumstances) -> bool {
        let Some(until) = self.until() else {
            return false;
        };
        let newer_stub = self.updater.as_ref().is_some_and(|with| with < at.updater);
        let more_room = self
            .room
            .zip(at.room)
            .is_some_and(|(before, now)| now > before.saturating_add(MORE_ROOM));
        // A clock that is set back by more than a little must not keep it.
        let passed = at.now >= until || at.now < self.since.saturating_sub(DAY);
        !self.sure || newer_stub || more_room || passed
    }
}

/// Returns the signed hash by which an archive is recognized.
pub fn archive_hash(archive: &Archive) -> Option<&str> {
    let hashes = &archive.file.hashes;
    hashes.get("sha256").or_else(|| hashes.values().next())
}

/// Returns the versions that must not be installed now. `included` says whether
/// a release is for this client at all.
pub fn blocked_now(
    catalog: &Catalog,
    entries: &[Blocked],
    wanted: Wanted,
    included: &dyn Fn(&Archive) -> bool,
    at: Circumstances,
) -> BTreeSet<Version> {
    let applies = |entry: &&Blocked| {
        let archive = catalog.archives.get(&entry.version);
        let same = match (&entry.archive, archive.and_then(archive_hash)) {
            (Some(failed), Some(offered)) => failed == offered,
            _ => true,
        };
        same && !entry.is_over(at)
    };
    let applying: Vec<&Blocked> = entries.iter().filter(applies).collect();
    let blocked = |version: &Version| applying.iter().any(|entry| entry.version == *version);
    let newest = newest(catalog, wanted, included, &blocked);
    // A required one is in the way of all later ones.
    let stays = |entry: &&&Blocked| {
        let archive = catalog.archives.get(&entry.version);
        let newer = newest.filter(|newest| {
            **newest > entry.version && entry.seen.as_ref().is_none_or(|seen| seen < *newest)
        });
        !archive.is_some_and(|archive| archive.required) || newer.is_none()
    };
    let stay = applying.iter().filter(stays);
    stay.map(|entry| entry.version.clone()).collect()
}

/// Returns the newest release for this client that is not `blocked`.
pub fn newest<'a>(
    catalog: &'a Catalog,
    wanted: Wanted,
    included: &dyn Fn(&Archive) -> bool,
    blocked: &dyn Fn(&Version) -> bool,
) -> Option<&'a Version> {
    let mut archives = catalog.archives.iter().rev();
    let found = archives.find(|(version, archive)| {
        wanted.includes(version) && included(archive) && !blocked(version)
    });
    found.map(|(version, _)| version)
}

/// Says why a newer release is not installed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SkippedWhy {
    /// It is blocked on this computer.
    Blocked(BlockedWhy),
    /// The user stays with an older version.
    Held,
    /// Its makers give it only to others so far.
    Rollout,
}

/// Names a newer release that is not installed now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The version.
    pub version: Version,
    /// Why it is skipped.
    pub why: SkippedWhy,
    /// What went wrong with it, or the version that the user stays with.
    pub reason: String,
    /// When it is tried again by itself.
    pub until: Option<UnixTime>,
    /// Whether no later one is installed before it.
    pub required: bool,
}

/// Returns the versions beyond `beyond` (what is installed or will be) that are
/// not installed, and why.
pub fn skipped(
    catalog: &Catalog,
    entries: &[Blocked],
    blocked: &BTreeSet<Version>,
    wanted: Wanted,
    included: &dyn Fn(&Archive) -> bool,
    beyond: Option<&Version>,
) -> Vec<Skipped> {
    let mut skipped = Vec::new();
    for (version, archive) in &catalog.archives {
        if beyond.is_some_and(|beyond| version <= beyond) || !wanted.is_on_channel(version) {
            continue;
        }
        let unblocked = |why, reason: String| Skipped {
            version: version.clone(),
            why,
            reason,
            until: None,
            required: false,
        };
        if let Some(hold) = wanted.hold.filter(|_| wanted.is_held_back(version)) {
            skipped.push(unblocked(SkippedWhy::Held, hold.to_string()));
            continue;
        }
        let of_it = entries.iter().filter(|entry| entry.version == *version);
        let entry = of_it.max_by_key(|entry| entry.until().unwrap_or(UnixTime::MAX));
        match entry.filter(|_| blocked.contains(version)) {
            Some(entry) => skipped.push(Skipped {
                version: version.clone(),
                why: SkippedWhy::Blocked(entry.why),
                reason: entry.reason.clone(),
                until: entry.until(),
                required: archive.required,
            }),
            None if !included(archive) => {
                skipped.push(unblocked(SkippedWhy::Rollout, String::new()));
            }
            None => {}
        }
    }
    skipped
}

impl std::fmt::Display for Skipped {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Skipped {
            version,
            why,
            reason,
            until,
            required,
        } = self;
        let why = match why {
            SkippedWhy::Rollout => {
                return write!(
                    f,
                    "version {version} is skipped, as its makers give it to only some users so far"
                );
            }
            SkippedWhy::Held => {
                return write!(
                    f,
                    "version {version} is skipped, as the user stays with version {reason}; --updater hold off ends that"
                );
            }
            SkippedWhy::Blocked(BlockedWhy::Failed) => "as it failed here",
            SkippedWhy::Blocked(BlockedWhy::RolledBack) => "as the user went back from it",
            SkippedWhy::Blocked(BlockedWhy::NotInstalled) => "as it could not be installed here",
        };
        write!(f, "version {version} is skipped, {why}")?;
        if !reason.is_empty() {
            write!(f, " ({reason})")?;
        }
        if *required {
            f.write_str(", and all later ones with it, as it is required")?;
        }
        f.write_str("; --updater update --retry installs it anyway")?;
        match until {
            Some(until) => write!(
                f,
                ", and so does any start after {}",
                crate::tuf::metadata::format_time(*until)
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
