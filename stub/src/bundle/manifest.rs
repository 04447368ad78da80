//! The manifest: what a bundle folder holds, in one canonical text.
//!
//! ```text
//! notsotuf-manifest 1
//! d <mode> <path>
//! f <mode> <size> <sha256> <path>
//! l <target> <path>
//! ```
//! Entries are sorted by the bytes of their paths, modes are three octal
//! digits, sizes decimal; `%`, control characters and (in link targets) spaces
//! are percent-encoded. The SHA-256 of this text is the *tree hash*, which
//! the repository signs.

use super::rules::{Refusal, Rules};
use crate::tuf::key::{decode_hex, encode_hex};
use ring::digest;
use std::collections::BTreeMap;
use std::fmt;

const HEADER: &str = "notsotuf-manifest 1";

/// SHA-256 of a manifest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TreeHash(pub [u8; 32]);

impl TreeHash {
    /// Reads 64 hexadecimal digits.
    pub fn parse(hex: &str) -> Option<Self> {
        decode_hex(hex)?.try_into().ok().map(TreeHash)
    }
}

impl fmt::Display for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&encode_hex(&self.0))
    }
}

impl fmt::Debug for TreeHash {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What an entry is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A folder.
    Dir,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Of its content.
        sha256: [u8; 32],
    },
    /// A symbolic link.
    Link {
        /// As stored in the link, with `/`.
        target: String,
    },
}

/// One file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: Kind,
    /// Permission bits, `0o000` to `0o777`; always `0o777` for links.
    pub mode: u32,
}

/// A whole tree, sorted by path.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Manifest {
    /// Entries by `/`-separated relative path.
    pub entries: BTreeMap<String, Entry>,
}

/// Why a text is not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The first line is not that of a manifest of this version.
    #[error("not a manifest of a known version")]
    Version,
    /// A line of no known form.
    #[error("line {0} of the manifest is malformed")]
    Line(usize),
    /// Not sorted, or a path twice.
    #[error("line {0} of the manifest is out of order")]
    Order(usize),
    /// A path or link that may not be.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Manifest {
    /// The canonical text.
    pub fn to_text(&self) -> String {
        let mut out = String::with_capacity(64 + self.entries.len() * 128);
        out.push_str(HEADER);
        out.push('\n');
        for (path, entry) in &self.entries {
            match &entry.kind {
                Kind::Dir => out.push_str(&format!("d {:03o} ", entry.mode)),
                Kind::File { size, sha256 } => out.push_str(&format!(
                    "f {:03o} {size} {} ",
                    entry.mode,
                    encode_hex(sha256)
                )),
                Kind::Link { target } => {
                    out.push_str("l ");
                    escape(target, true, &mut out);
                    out.push(' ');
                }
            }
            escape(path, false, &mut out);
            out.push('\n');
        }
        out
    }

    /// The tree hash: SHA-256 of [`Manifest::to_text`].
    pub fn tree_hash(&self) -> TreeHash {
        let hash = digest::digest(&digest::SHA256, self.to_text().as_bytes());
        TreeHash(hash.as_ref().try_into().expect("SHA-256 has 32 bytes"))
    }

    /// Reads the canonical text and checks the tree against `rules`.
    ///
    /// # Errors
    /// [`ManifestError`]; text that is not canonical is refused.
    pub fn parse(text: &str, rules: Rules) -> Result<Self, ManifestError> {
        let mut lines = text.split_terminator('\n');
        if lines.next() != Some(HEADER) {
            return Err(ManifestError::Version);
        }
        let mut tree = Manifest::default();
        for (index, line) in lines.enumerate() {
            let number = index + 2;
            let (path, entry) = parse_line(line).ok_or(ManifestError::Line(number))?;
            if let Some((last, _)) = tree.entries.last_key_value()
                && last.as_bytes() >= path.as_bytes()
            {
                return Err(ManifestError::Order(number));
            }
            tree.entries.insert(path, entry);
        }
        rules.check_tree(&tree)?;
        Ok(tree)
    }

    /// The number of regular files and their bytes.
    pub fn totals(&self) -> (usize, u64) {
        self.entries
            .values()
            .fold((0, 0), |(n, sum), entry| match entry.kind {
                Kind::File { size, .. } => (n + 1, sum + size),
                _ => (n, sum),
            })
    }
}

fn parse_line(line: &str) -> Option<(String, Entry)> {
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "d" => {
            let (mode, path) = rest.split_once(' ')?;
            let mode = parse_mode(mode)?;
            let kind = Kind::Dir;
            Some((unescape(path)?, Entry { kind, mode }))
        }
        "f" => {
            let mut parts = rest.splitn(4, ' ');
            let mode = parse_mode(parts.next()?)?;
            let size = parts.next()?.parse().ok()?;
            let sha256 = TreeHash::parse(parts.next()?)?.0;
            let kind = Kind::File { size, sha256 };
            Some((unescape(parts.next()?)?, Entry { kind, mode }))
        }
        "l" => {
            let (target, path) = rest.split_once(' ')?;
            let target = unescape(target)?;
            let kind = Kind::Link { target };
            Some((unescape(path)?, Entry { kind, mode: 0o777 }))
        }
        _ => None,
    }
}

fn parse_mode(text: &str) -> Option<u32> {
    (text.len() == 3)
        .then(|| u32::from_str_radix(text, 8).ok())
        .flatten()
}

fn escape(text: &str, spaces: bool, out: &mut String) {
    for c in text.chars() {
        if c == '%' || c.is_ascii_control() || (spaces && c == ' ') {
            out.push_str(&format!("%{:02x}", c as u32));
        } else {
            out.push(c);
        }
    }
}

fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let hex = [bytes.next()?, bytes.next()?];
        out.push(decode_hex(std::str::from_utf8(&hex).ok()?)?[0]);
    }
    String::from_utf8(out).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(entries: &[(&str, Kind)]) -> Manifest {
        let entries = entries.iter().map(|(path, kind)| {
            let mode = if matches!(kind, Kind::Link { .. }) {
                0o777
            } else {
                0o755
            };
            let kind = kind.clone();
            ((*path).to_owned(), Entry { kind, mode })
        });
        Manifest {
            entries: entries.collect(),
        }
    }
    fn file() -> Kind {
        Kind::File {
            size: 5,
            sha256: [7; 32],
        }
    }
    fn link(target: &str) -> Kind {
        Kind::Link {
            target: target.into(),
        }
    }

    #[test]
    fn text_and_back_keeps_everything() {
        let odd = tree(&[
            ("a b%20", Kind::Dir),
            ("a b%20/ü 日本", file()),
            ("a-b", file()),
            ("link", link("a b%20/ü 日本")),
        ]);
        let text = odd.to_text();
        assert_eq!(Manifest::parse(&text, Rules::portable()).unwrap(), odd);
        let reordered: Vec<_> = text.lines().collect();
        let swapped = format!("{}\n{}\n{}\n", reordered[0], reordered[2], reordered[1]);
        assert_eq!(
            Manifest::parse(&swapped, Rules::portable()),
            Err(ManifestError::Order(3))
        );
    }

    #[test]
    fn refuses_paths_that_escape_or_collide() {
        let strict = Rules::portable();
        for path in [
            "/etc/passwd",
            "../x",
            "a/../../x",
            "a/./b",
            "a//b",
            "",
            "C:/x",
            "c:x",
            "\\\\srv\\x",
            "a\\..\\b",
            "a\\b",
            "nul",
            "a/COM1.txt",
            "lpt9",
            "x.",
            "x ",
            "a:b",
            "a\nb",
            ".notsotuf-release",
            ".NOTSOTUF-release/x",
        ] {
            assert!(strict.check_path(path).is_err(), "{path:?}");
        }
        for path in [
            "a",
            "a/b.c",
            ".hidden",
            "com",
            "COM10",
            "nullable",
            "日本/ü",
        ] {
            assert!(strict.check_path(path).is_ok(), "{path:?}");
        }
        for bad in [
            vec![("A", file()), ("a", file())],
            vec![("D/x", file()), ("d/y", file())],
            vec![("f", file()), ("f/x", file())],
            vec![("l", link("d")), ("l/x", file())],
            vec![("l", link("/etc"))],
            vec![("l", link("../x"))],
            vec![("d", Kind::Dir), ("d/l", link("../../x"))],
            vec![("l", link("l"))],
            vec![("a", link("b")), ("b", link("a"))],
        ] {
            assert!(strict.check_tree(&tree(&bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_link_may_not_leave_through_another_link() {
        // Read word by word `d1/d2/b/../..` is `d1`; followed, it is outside.
        let sly = tree(&[
            ("d1/d2/a", link("b/../..")),
            ("d1/d2/b", link("../../top")),
            ("top", Kind::Dir),
        ]);
        assert!(matches!(
            Rules::host().check_tree(&sly),
            Err(Refusal::LinkEscapes(..))
        ));
        let fine = tree(&[
            ("lib/libx.so", link("libx.so.1")),
            ("lib/libx.so.1", link("../real/./libx.so.1.2")),
            ("real/libx.so.1.2", file()),
        ]);
        assert_eq!(Rules::portable().check_tree(&fine), Ok(()));
    }
}
