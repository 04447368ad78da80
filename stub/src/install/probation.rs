//! Keeps track of a new version, which is on probation until it has been seen
//! to work.

use super::{Layout, Record};
use crate::fs::{self, FsError, plain_file};
use crate::hex::encode_hex;
use ring::digest;
use std::path::Path;

const HEADER: &str = "notsotuf-probation 1";
/// More than any of these files has.
pub(super) const MAX_SIZE: u64 = 1 << 16;

/// Says that the installed version was not seen to work yet. On disk, in the
/// state dir:
///
/// ```text
/// notsotuf-probation 1
/// record <SHA-256 of the record of the version meant>
/// starts <how often it was started>
/// ended <how often it was ended, and says nothing; absent for none>
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probation {
    record: String,
    /// How often it was started, as far as is known.
    pub starts: u32,
    /// How often it was started besides, and nothing could be told: it was ended
    /// from outside, or the computer had no process for it.
    pub ended: u32,
}

impl Probation {
    /// Puts the bundle with this record on probation, from when it is
    /// installed on.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn begin(layout: &Layout, record: String) -> Result<(), FsError> {
        let (starts, ended) = (0, 0);
        Probation {
            record,
            starts,
            ended,
        }
        .store(layout)
    }

    /// Reads the probation of the installed version; `None` if it is not on
    /// probation. A file that cannot be read counts as none.
    ///
    /// # Errors
    /// If the record of what is installed is there and cannot be read.
    pub fn load(layout: &Layout) -> Result<Option<Self>, FsError> {
        let Some(found) = read(&layout.probation()).as_deref().and_then(Self::parse) else {
            return Ok(None);
        };
        let installed = record_hash(&layout.app())?;
        Ok((installed.as_ref() == Some(&found.record)).then_some(found))
    }

    fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(HEADER)?.strip_prefix("\nrecord ")?;
        let (record, rest) = rest.split_once("\nstarts ")?;
        let (starts, ended) = rest
            .trim_end()
            .split_once("\nended ")
            .unwrap_or((rest, "0"));
        Some(Probation {
            record: record.into(),
            starts: starts.trim_end().parse().ok()?,
            ended: ended.parse().ok()?,
        })
    }

    /// Notes one more start.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn count_start(&mut self, layout: &Layout) -> Result<(), FsError> {
        self.starts = self.starts.saturating_add(1);
        self.store(layout)
    }

    /// Takes back that a start was noted, and notes that it says nothing of the
    /// version.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn uncount_start(&mut self, layout: &Layout) -> Result<(), FsError> {
        self.starts = self.starts.saturating_sub(1);
        self.ended = self.ended.saturating_add(1);
        self.store(layout)
    }

    fn store(&self, layout: &Layout) -> Result<(), FsError> {
        let Probation {
            record,
            starts,
            ended,
        } = self;
        let mut text = format!("{HEADER}\nrecord {record}\nstarts {starts}\n");
        if *ended > 0 {
            text.push_str(&format!("ended {ended}\n"));
        }
        fs::write_atomically(&layout.probation(), text.as_bytes())
    }

    /// Ends whatever probation there is.
    ///
    /// # Errors
    /// A file system call that failed.
    pub fn end(layout: &Layout) -> Result<(), FsError> {
        fs::remove_file_if_exists(&layout.probation())
    }
}

/// Returns the hash of the record of the bundle in `folder`; `None` if it has
/// none.
///
/// # Errors
/// If it cannot be read.
pub fn record_hash(folder: &Path) -> Result<Option<String>, FsError> {
    let path = Record::path(folder);
    let Some(mut record) = plain_file::open(&path)? else {
        return Ok(None);
    };
    let mut hash = digest::Context::new(&digest::SHA256);
    fs::read_through(&mut record, &path, &mut |bytes| hash.update(bytes))?;
    Ok(Some(encode_hex(hash.finish().as_ref())))
}

pub(super) fn read(path: &Path) -> Option<String> {
    let bytes = plain_file::read(path, MAX_SIZE).unwrap_or_else(|e| {
        // As of a user who may start the application, but not update it.
        log::debug!("{e}");
        None
    });
    bytes.and_then(|bytes| String::from_utf8(bytes).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probation_is_of_one_record_and_counts_starts() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.app()).unwrap();
        std::fs::create_dir_all(layout.state()).unwrap();
        assert_eq!(Probation::load(&layout).unwrap(), None);
        std::fs::write(Record::path(&layout.app()), "one").unwrap();
        let record = record_hash(&layout.app()).unwrap().unwrap();
        Probation::begin(&layout, record).unwrap();
        let mut found = Probation::load(&layout).unwrap().unwrap();
        found.count_start(&layout).unwrap();
        assert_eq!(Probation::load(&layout).unwrap().unwrap().starts, 1);
        found.uncount_start(&layout).unwrap();
        let found = Probation::load(&layout).unwrap().unwrap();
        assert_eq!((found.starts, found.ended), (0, 1));
        // Another version is installed by now.
        std::fs::write(Record::path(&layout.app()), "two").unwrap();
        assert_eq!(Probation::load(&layout).unwrap(), None);
        for damaged in ["", "notsotuf-probation 2\n", "notsotuf-probation 1\nrecord"] {
            std::fs::write(layout.probation(), damaged).unwrap();
            assert_eq!(Probation::load(&layout).unwrap(), None, "{damaged:?}");
        }
    }
}
