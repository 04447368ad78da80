//! Reads PyInstaller's archive of compressed modules.
//!
//! `PYZ\0`, four bytes of Python's, the place of the table (big-endian), the
//! modules, and the table: a marshalled list of `(name, (kind, place, size))`.

use super::{Member, big, bytes, little, table};
use crate::patch::bytes::Bytes;
use notsotuf_stub::bundle::patch::parts::Packing;

/// Lists the members of the archive `pyz`, which is called `name` and begins at
/// `start` of its file. The table is one of them.
pub(super) fn members(pyz: &Bytes, name: &str, start: usize) -> Vec<Member> {
    let mut found = Vec::new();
    let head = bytes(pyz, 0, 12).filter(|head| head.starts_with(b"PYZ\0"));
    let Some(at) = head.and_then(|head| big(&head, 8)) else {
        return found;
    };
    let size = pyz.len().checked_sub(at);
    let Some(listed) = size.and_then(|size| table(pyz, at, size)) else {
        return found;
    };
    let mut table = Table {
        bytes: &listed,
        at: 0,
        counted: Vec::new(),
    };
    found.push(Member {
        name: format!("{name}!"),
        stored: start + at..start + pyz.len(),
        packing: Packing::Stored,
    });
    // What is between a name and its numbers, and between those of two modules,
    // says how many objects there are, which shows anyway.
    let mut name_before = None;
    let mut numbers = Vec::new();
    while let Some(token) = table.next() {
        match token {
            Token::Text(text) => {
                name_before = Some(text);
                numbers.clear();
            }
            Token::Number(number) => numbers.push(number),
            Token::Other => {}
        }
        let (&[_, place, size], Some(module)) = (&numbers[..], &name_before) else {
            continue;
        };
        let end = place.saturating_add(size);
        if place < at && end <= at {
            found.push(Member {
                name: format!("{name}!{module}"),
                stored: start + place..start + end,
                packing: Packing::Zlib,
            });
        }
        name_before = None;
        numbers.clear();
    }
    found
}

#[derive(Clone)]
enum Token {
    Text(String),
    Number(usize),
    Other,
}

/// Reads the table, as marshalled objects one after the other.
struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Those that later ones refer to, by number.
    counted: Vec<Token>,
}

impl Table<'_> {
    fn next(&mut self) -> Option<Token> {
        let first = *self.bytes.get(self.at)?;
        self.at += 1;
        let token = match first & 0x7f {
            b'z' | b'Z' => self.text(1)?,
            b'u' | b't' | b'a' | b'A' => self.text(4)?,
            b'i' => Token::Number(self.number(4)?),
            b'r' => {
                let number = self.number(4)?;
                return self.counted.get(number).cloned();
            }
            b')' => self.number(1).map(|_| Token::Other)?,
            b'(' | b'[' => self.number(4).map(|_| Token::Other)?,
            b'N' | b'0' | b'{' => Token::Other,
            _ => return None,
        };
        if first & 0x80 != 0 {
            self.counted.push(token.clone());
        }
        Some(token)
    }

    fn number(&mut self, size: usize) -> Option<usize> {
        let number = little(self.bytes, self.at, size)?;
        self.at += size;
        Some(number)
    }

    fn text(&mut self, size: usize) -> Option<Token> {
        let length = self.number(size)?;
        let end = self.at.checked_add(length)?;
        let text = self.bytes.get(self.at..end)?;
        self.at = end;
        Some(Token::Text(String::from_utf8_lossy(text).into_owned()))
    }
}
