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

use super::entries::Entries;
use super::path_rules::{MAX_PATH, Refusal, Rules, Tally};
use crate::tuf::key::{decode_hex, encode_hex};
use ring::digest;
use std::fmt;

const HEADER: &str = "notsotuf-manifest 1";

/// What an entry of a tree takes in memory besides its texts.
const ENTRY_WEIGHT: u64 = 96;

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
    pub entries: Entries,
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
        self.lines(&mut |line| out.push_str(line));
        out
    }

    /// Passes on the canonical text, line by line.
    pub fn lines(&self, sink: &mut dyn FnMut(&str)) {
        sink(HEADER);
        sink("\n");
        let mut out = String::new();
        for (path, entry) in &self.entries {
            out.clear();
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
            sink(&out);
        }
    }

    /// The tree hash: SHA-256 of [`Manifest::to_text`].
    pub fn tree_hash(&self) -> TreeHash {
        let mut hash = digest::Context::new(&digest::SHA256);
        self.lines(&mut |line| hash.update(line.as_bytes()));
        TreeHash(
            hash.finish()
                .as_ref()
                .try_into()
                .expect("SHA-256 has 32 bytes"),
        )
    }

    /// Reads the canonical text and checks the tree against `rules`.
    ///
    /// # Errors
    /// [`ManifestError`]; text that is not canonical is refused.
    pub fn parse(text: &str, rules: Rules) -> Result<Self, ManifestError> {
        let mut parser = Parser::new(rules);
        for line in text.split_terminator('\n') {
            parser.line(line)?;
        }
        parser.finish()
    }

    /// About how many bytes of memory it takes.
    pub fn weight(&self) -> u64 {
        let entries = self.entries.iter().map(|(path, entry)| match &entry.kind {
            Kind::Link { target } => path.len() + target.len(),
            _ => path.len(),
        });
        entries.map(|bytes| bytes as u64 + ENTRY_WEIGHT).sum()
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

/// Reads the canonical text line by line.
#[derive(Debug)]
pub struct Parser {
    rules: Rules,
    tree: Manifest,
    tally: Tally,
    /// Lines so far.
    lines: usize,
}

impl Parser {
    /// The most bytes of a line: escapes take three times as many.
    pub const MAX_LINE: usize = 3 * 2 * MAX_PATH + 128;

    /// For a tree that must obey `rules`.
    pub fn new(rules: Rules) -> Self {
        Parser {
            rules,
            tree: Manifest::default(),
            tally: Tally::default(),
            lines: 0,
        }
    }

    /// Takes the next line, without its end.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn line(&mut self, line: &str) -> Result<(), ManifestError> {
        self.lines += 1;
        if self.lines == 1 {
            return match line == HEADER {
                true => Ok(()),
                false => Err(ManifestError::Version),
            };
        }
        let (path, entry) = parse_line(line).ok_or(ManifestError::Line(self.lines))?;
        if let Some((last, _)) = self.tree.entries.last_key_value()
            && last.as_bytes() >= path.as_bytes()
        {
            return Err(ManifestError::Order(self.lines));
        }
        // Before there is more of it than may be.
        self.tally.add(&path, &entry.kind)?;
        self.tree.entries.insert(path, entry);
        Ok(())
    }

    /// The tree, checked.
    ///
    /// # Errors
    /// [`ManifestError`].
    pub fn finish(self) -> Result<Manifest, ManifestError> {
        if self.lines == 0 {
            return Err(ManifestError::Version);
        }
        self.rules.check_tree(&self.tree)?;
        Ok(self.tree)
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

    /// 25 kB of nested folders took 2 GB.
    #[test]
    fn what_a_tree_takes_is_bounded_with_the_folders_that_it_only_implies() {
        use crate::bundle::path_rules::{MAX_ENTRIES, MAX_PATHS};
        for rules in [Rules::portable(), Rules::host()] {
            let refused = |text: &str| match Manifest::parse(text, rules) {
                Err(ManifestError::Refused(refusal)) => refusal,
                other => panic!("{:?}", other.map(|tree| tree.entries.len())),
            };
            let text = |paths: &mut dyn Iterator<Item = String>| {
                let lines = paths.map(|path| format!("d 755 {path}\n"));
                lines.fold(format!("{HEADER}\n"), |text, line| text + &line)
            };
            // Each of them implies folders with 150 kB of paths.
            let folders = "f".repeat(30) + "/";
            let nested = |n: u64| format!("{n:04}/{}x", folders.repeat(100));
            let few = text(&mut (0..100).map(nested));
            assert!(Manifest::parse(&few, rules).is_ok());
            let many = text(&mut (0..MAX_PATHS / 150_000).map(nested));
            assert_eq!(refused(&many), Refusal::Paths);
            let long = |n: u64| format!("{n:08}{}", "/x".repeat(9));
            let many = text(&mut (0..=MAX_ENTRIES as u64 / 10).map(long));
            assert_eq!(refused(&many), Refusal::TooMany);
            let listed = |n: u64| format!("{n:08}");
            let most = text(&mut (0..MAX_ENTRIES as u64).map(listed));
            assert!(Manifest::parse(&most, rules).is_ok());
            let more = text(&mut (0..=MAX_ENTRIES as u64).map(listed));
            assert_eq!(refused(&more), Refusal::TooMany);
        }
    }

    #[test]
    fn links_through_links_are_followed_for_a_bounded_time() {
        // 39 of the longest, and many that lead through all of them.
        let long = |n: usize| format!("{}l{n}", "./".repeat(2000));
        let chain = (0..38).map(|n| (format!("l{n}"), link(&long(n + 1))));
        let many = (0..20_000).map(|n| (format!("m{n}"), link("l0")));
        let all: Vec<_> = chain.chain(many).chain([("l38".into(), file())]).collect();
        let all: Vec<_> = all.iter().map(|(p, k)| (p.as_str(), k.clone())).collect();
        let refused = Rules::host().check_tree(&tree(&all));
        assert_eq!(refused, Err(Refusal::Links));
        assert_eq!(Rules::host().check_tree(&tree(&all[..100])), Ok(()));
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
