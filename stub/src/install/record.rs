//! Reads and writes the record of what a bundle folder holds. It travels inside
//! that folder, so one rename moves both.

use crate::bundle::manifest_text::{ManifestError, Parser};
use crate::bundle::path_rules::RECORD;
use crate::bundle::{Manifest, Rules};
use crate::fs::{FsError, plain_file};
use pep440_rs::Version;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

const HEADER: &str = "notsotuf-release 1";
/// More than the three lines before the manifest take.
const MAX_HEAD: u64 = 4096;

/// Names one version of one application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// Name in the repository.
    pub name: String,
    /// Version.
    pub version: Version,
}

/// Holds a release and what its bundle contains. On disk:
///
/// ```text
/// notsotuf-release 1
/// name <name>
/// version <version>
/// <the manifest, see crate::bundle::manifest>
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// What it is.
    pub release: Release,
    /// What it holds.
    pub manifest: Manifest,
}

/// Says why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The record cannot be read.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The record is not of a known form.
    #[error("{path:?} is not a release record of a known version")]
    Form {
        /// The record.
        path: PathBuf,
    },
    /// The manifest in the record cannot be used.
    #[error("{path:?}: {source}")]
    Manifest {
        /// The record.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
}

impl Record {
    /// Returns the path of the record of the bundle in `folder`.
    pub fn path(folder: &Path) -> PathBuf {
        folder.join(RECORD)
    }

    /// Returns the record as text.
    pub fn to_text(&self) -> String {
        format!("{}{}", self.head(), self.manifest.to_text())
    }

    fn head(&self) -> String {
        let Release { name, version } = &self.release;
        format!("{HEADER}\nname {name}\nversion {version}\n")
    }

    /// Writes the text that is stored.
    ///
    /// # Errors
    /// What the system said.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut result = out.write_all(self.head().as_bytes());
        self.manifest.lines(&mut |line| {
            if result.is_ok() {
                result = out.write_all(line.as_bytes());
            }
        });
        result
    }

    /// Reads the record of the bundle in `folder`; `None` if it has none. Line
    /// by line: the file may be of any size.
    ///
    /// # Errors
    /// [`RecordError`], naming the file.
    pub fn load(folder: &Path, rules: Rules) -> Result<Option<Self>, RecordError> {
        let path = Self::path(folder);
        let mut file = match plain_file::open(&path)? {
            Some(file) => BufReader::new(file),
            None => return Ok(None),
        };
        let form = || RecordError::Form { path: path.clone() };
        let mut next = |line: &mut String| -> Result<bool, RecordError> {
            line.clear();
            let mut limited = (&mut file).take(Parser::MAX_LINE as u64);
            match limited.read_line(line) {
                Ok(_) => {}
                Err(e) if e.kind() == io::ErrorKind::InvalidData => return Err(form()),
                Err(e) => return Err(FsError::new("read", &path, e).into()),
            }
            let more = !line.is_empty();
            if line.ends_with('\n') {
                line.pop();
            } else if line.len() >= Parser::MAX_LINE {
                return Err(form());
            }
            Ok(more)
        };
        let (mut head, mut line) = (String::new(), String::new());
        for _ in 0..3 {
            next(&mut line)?;
            head.push_str(&line);
            head.push('\n');
        }
        let (release, _) = parse_head(&head).ok_or_else(form)?;
        let damaged = |source| RecordError::Manifest {
            path: path.clone(),
            source,
        };
        let mut manifest = Parser::new(rules);
        while next(&mut line)? {
            manifest.line(&line).map_err(damaged)?;
        }
        let manifest = manifest.finish().map_err(damaged)?;
        Ok(Some(Record { release, manifest }))
    }

    /// Reads only what release the bundle in `folder` is.
    ///
    /// # Errors
    /// [`RecordError`], naming the file.
    pub fn load_release(folder: &Path) -> Result<Option<Release>, RecordError> {
        let path = Self::path(folder);
        let Some(file) = plain_file::open(&path)? else {
            return Ok(None);
        };
        let mut head = Vec::new();
        file.take(MAX_HEAD)
            .read_to_end(&mut head)
            .map_err(|e| FsError::new("read", &path, e))?;
        // The cut may have gone through a character of some later path.
        let head = String::from_utf8_lossy(&head);
        match parse_head(&head) {
            Some((release, _)) => Ok(Some(release)),
            None => Err(RecordError::Form { path }),
        }
    }
}

fn parse_head(text: &str) -> Option<(Release, &str)> {
    let rest = text.strip_prefix(HEADER)?.strip_prefix('\n')?;
    let (name, rest) = rest.strip_prefix("name ")?.split_once('\n')?;
    let (version, rest) = rest.strip_prefix("version ")?.split_once('\n')?;
    let release = Release {
        name: name.into(),
        version: Version::from_str(version).ok()?,
    };
    Some((release, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_back_and_refusals() {
        let folder = tempfile::tempdir().unwrap();
        assert!(
            Record::load(folder.path(), Rules::host())
                .unwrap()
                .is_none()
        );
        let record = Record {
            release: Release {
                name: "app".into(),
                version: Version::from_str("1.0rc1").unwrap(),
            },
            manifest: Manifest::default(),
        };
        let path = Record::path(folder.path());
        std::fs::write(&path, record.to_text()).unwrap();
        let loaded = Record::load(folder.path(), Rules::host()).unwrap();
        assert_eq!(loaded.as_ref(), Some(&record));
        let release = Record::load_release(folder.path()).unwrap();
        assert_eq!(release, Some(record.release));
        for bad in [
            "",
            "notsotuf-release 2\nname a\nversion 1\n",
            "notsotuf-release 1\nname a\n",
        ] {
            std::fs::write(&path, bad).unwrap();
            assert!(
                Record::load(folder.path(), Rules::host()).is_err(),
                "{bad:?}"
            );
            assert!(Record::load_release(folder.path()).is_err(), "{bad:?}");
        }
    }
}
