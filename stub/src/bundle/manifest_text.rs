//! Reads and writes the canonical text of a manifest.

use crate::bundle::entry::{Entry, EntryKind};
use crate::bundle::manifest::{Manifest, TreeHash};
use crate::bundle::path_rules::{MAX_PATH, PathError, Rules};
use crate::bundle::tree_check::Tally;
use crate::hex::{decode_hex, encode_hex};

pub(super) const HEADER: &str = "notsotuf-manifest 1";

/// Says why a text is not a manifest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// The first line is not that of a manifest of this version.
    #[error("not a manifest of a known version")]
    Version,
    /// A line of no known form.
    #[error("line {0} of the manifest is malformed")]
    Line(usize),
    /// Lines are not sorted, or a path occurs twice.
    #[error("line {0} of the manifest is out of order")]
    Order(usize),
    /// A path or link that may not be.
    #[error(transparent)]
    Refused(#[from] PathError),
}

/// Reads the canonical text line by line.
#[derive(Debug)]
pub struct Parser {
    rules: Rules,
    pub(super) tree: Manifest,
    tally: Tally,
    /// Lines so far.
    pub(super) lines: usize,
}

impl Parser {
    /// Limits the bytes of a line: escapes take three times as many.
    pub const MAX_LINE: usize = 3 * 2 * MAX_PATH + 128;

    /// Creates a parser for a tree that must obey `rules`.
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
            return if line == HEADER {
                Ok(())
            } else {
                Err(ManifestError::Version)
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

    /// Returns the tree, after checking it.
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
            let kind = EntryKind::Dir;
            Some((unescape(path)?, Entry { kind, mode }))
        }
        "f" => {
            let mut parts = rest.splitn(4, ' ');
            let mode = parse_mode(parts.next()?)?;
            let size = parts.next()?.parse().ok()?;
            let sha256 = TreeHash::parse(parts.next()?)?.0;
            let kind = EntryKind::File { size, sha256 };
            Some((unescape(parts.next()?)?, Entry { kind, mode }))
        }
        "l" => {
            let (target, path) = rest.split_once(' ')?;
            let target = unescape(target)?;
            let kind = EntryKind::Link { target };
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

/// Says what becomes of spaces: only the last field of a line keeps them.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Spaces {
    Kept,
    Escaped,
}

fn escape(text: &str, spaces: Spaces, out: &mut String) {
    for c in text.chars() {
        if c == '%' || c.is_ascii_control() || (spaces == Spaces::Escaped && c == ' ') {
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

impl Manifest {
    /// Returns the manifest as canonical text.
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
                EntryKind::Dir => out.push_str(&format!("d {:03o} ", entry.mode)),
                EntryKind::File { size, sha256 } => out.push_str(&format!(
                    "f {:03o} {size} {} ",
                    entry.mode,
                    encode_hex(sha256)
                )),
                EntryKind::Link { target } => {
                    out.push_str("l ");
                    escape(target, Spaces::Escaped, &mut out);
                    out.push(' ');
                }
            }
            escape(path, Spaces::Kept, &mut out);
            out.push('\n');
            sink(&out);
        }
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
}
