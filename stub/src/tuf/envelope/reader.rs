//! Reads JSON strictly and writes its canonical form, in one pass.

use crate::tuf::canonical_json::JsonError;
use std::ops::Range;

/// Limits the values and names in one document that is no longer than clients
/// accept. Five megabytes of real metadata have about 350,000; the memory that
/// is needed later depends on them.
pub const MAX_VALUES: usize = 500_000;

/// Limits the values of a longer document, which only a publisher reads to fix
/// it: one for as many bytes.
const BYTES_FOR_A_VALUE: usize = 10;

/// Limits the bytes in one text, as error messages repeat texts.
pub(super) const MAX_TEXT: usize = 1 << 20;

/// Limits the containers inside each other, as in `serde_json`.
pub(super) const MAX_DEPTH: usize = 127;

/// Returns how many values and names are in a JSON document.
///
/// # Errors
/// If it is not acceptable.
pub fn count(bytes: &[u8]) -> Result<usize, JsonError> {
    Ok(Reader::all(bytes)?.0.values)
}

/// Says where the value of a name is, in what came and in what was made of it.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) raw: Range<usize>,
    pub(super) canonical: Range<usize>,
}

#[derive(Debug, Default)]
pub(super) struct Fields {
    pub(super) signed: Option<Field>,
    pub(super) signatures: Option<Field>,
}

/// Locates a name with its value in the canonical text, from quote to end.
/// Offsets have 32 bits, as there may be many.
#[derive(Clone, Copy)]
struct Member {
    pub(super) start: u32,
    key_end: u32,
    pub(super) end: u32,
    /// Whether a backslash stands in the name.
    escaped: bool,
}

pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    at: usize,
    depth: usize,
    values: usize,
    pub(super) out: Vec<u8>,
    /// Where the values of the wanted names of the outermost object are.
    raw_signed: Option<Range<usize>>,
    raw_signatures: Option<Range<usize>>,
    fields: Fields,
}

type Done = Result<(), JsonError>;

impl<'a> Reader<'a> {
    pub(super) fn all(bytes: &'a [u8]) -> Result<(Self, Fields), JsonError> {
        let mut reader = Reader {
            bytes,
            at: 0,
            depth: 0,
            values: 0,
            out: Vec::new(),
            raw_signed: None,
            raw_signatures: None,
            fields: Fields::default(),
        };
        if u32::try_from(bytes.len()).is_err() {
            return Err(reader.wrong("it is too long"));
        }
        if let Err(e) = std::str::from_utf8(bytes) {
            reader.at = e.valid_up_to();
            return Err(reader.wrong("it is not UTF-8"));
        }
        // It gets no longer, so it need not grow.
        reader.out.reserve_exact(bytes.len());
        reader.value()?;
        reader.space();
        if reader.at < bytes.len() {
            return Err(reader.wrong("something follows its end"));
        }
        let fields = std::mem::take(&mut reader.fields);
        Ok((reader, fields))
    }

    fn wrong(&self, what: &'static str) -> JsonError {
        JsonError::Text { what, at: self.at }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while let Some(b' ' | b'\n' | b'\t' | b'\r') = self.peek() {
            self.at += 1;
        }
    }

    /// Passes by white space and takes `byte`, if that comes next.
    fn take(&mut self, byte: u8) -> bool {
        self.space();
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    fn one_more(&mut self) -> Done {
        self.values += 1;
        if self.values > MAX_VALUES.max(self.bytes.len() / BYTES_FOR_A_VALUE) {
            Err(self.wrong("it has too many values"))
        } else {
            Ok(())
        }
    }

    fn value(&mut self) -> Done {
        self.one_more()?;
        self.space();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.text().map(|_| ()),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't') => self.word(b"true"),
            Some(b'f') => self.word(b"false"),
            Some(b'n') => self.word(b"null"),
            Some(_) => Err(self.wrong("there should be a value")),
            None => Err(self.wrong("it is cut short")),
        }
    }

    fn nested(&mut self, container: fn(&mut Self) -> Done) -> Done {
        if self.depth == MAX_DEPTH {
            return Err(self.wrong("it is nested too deeply"));
        }
        self.depth += 1;
        self.at += 1;
        container(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn word(&mut self, word: &'static [u8]) -> Done {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(self.wrong("there should be a value"));
        }
        self.at += word.len();
        self.out.extend_from_slice(word);
        Ok(())
    }

    fn number(&mut self) -> Done {
        let rest = &self.bytes[self.at..];
        let negative = rest.first() == Some(&b'-');
        let digits = rest[usize::from(negative)..]
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count();
        let length = digits + usize::from(negative);
        if let Some(b'.' | b'e' | b'E') = rest.get(length) {
            return Err(self.wrong("it has a number that is not an integer"));
        }
        let text = std::str::from_utf8(&rest[..length]).unwrap_or_default();
        let leading = digits > 1 && text.trim_start_matches('-').starts_with('0');
        let fits = if negative {
            text.parse::<i64>().is_ok_and(|n| n < 0)
        } else {
            text.parse::<u64>().is_ok()
        };
        if leading || !fits {
            return Err(self.wrong("it has a number that is not an integer of at most 64 bits"));
        }
        self.out.extend_from_slice(text.as_bytes());
        self.at += length;
        Ok(())
    }

    fn array(&mut self) -> Done {
        self.out.push(b'[');
        if !self.take(b']') {
            loop {
                self.value()?;
                if self.take(b']') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.wrong("there should be a comma"));
                }
                self.out.push(b',');
            }
        }
        self.out.push(b']');
        Ok(())
    }

    fn object(&mut self) -> Done {
        self.out.push(b'{');
        let mut members = Vec::new();
        if !self.take(b'}') {
            loop {
                members.push(self.member()?);
                if self.take(b'}') {
                    break;
                }
                if !self.take(b',') {
                    return Err(self.wrong("there should be a comma"));
                }
                self.out.push(b',');
            }
        }
        self.arrange(&mut members)?;
        self.out.push(b'}');
        if self.depth == 1 {
            self.note_fields(&members);
        }
        Ok(())
    }

    fn member(&mut self) -> Result<Member, JsonError> {
        let start = self.out.len();
        self.one_more()?;
        self.space();
        if self.peek() != Some(b'"') {
            return Err(self.wrong("there should be a name"));
        }
        let escaped = self.text()?;
        let key_end = self.out.len();
        if !self.take(b':') {
            return Err(self.wrong("there should be a colon"));
        }
        self.out.push(b':');
        self.space();
        let from = self.at;
        self.value()?;
        if self.depth == 1 {
            let raw = Some(from..self.at);
            match &self.out[start..key_end] {
                b"\"signed\"" => self.raw_signed = raw,
                b"\"signatures\"" => self.raw_signatures = raw,
                _ => {}
            }
        }
        Ok(Member {
            start: start as u32,
            key_end: key_end as u32,
            end: self.out.len() as u32,
            escaped,
        })
    }

    /// Sorts the members of an object, which are the end of what was made so
    /// far. No name may be there twice, as two readers may pick different ones.
    fn arrange(&mut self, members: &mut [Member]) -> Done {
        let out = &self.out;
        let order = |a: &Member, b: &Member| {
            let key = |m: &Member| &out[m.start as usize + 1..m.key_end as usize - 1];
            if a.escaped || b.escaped {
                plain(key(a)).cmp(plain(key(b)))
            } else {
                key(a).cmp(key(b))
            }
        };
        if members.is_sorted_by(|a, b| order(a, b).is_lt()) {
            return Ok(());
        }
        members.sort_unstable_by(order);
        if members.windows(2).any(|m| order(&m[0], &m[1]).is_eq()) {
            return Err(self.wrong("a name appears twice in one object"));
        }
        let first = members.iter().map(|m| m.start).min().unwrap_or(0) as usize;
        let unsorted = self.out[first..].to_vec();
        self.out.truncate(first);
        for (index, member) in members.iter_mut().enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let (from, to) = (member.start as usize - first, member.end as usize - first);
            let start = self.out.len() as u32;
            self.out.extend_from_slice(&unsorted[from..to]);
            *member = Member {
                start,
                key_end: start + (member.key_end - member.start),
                end: self.out.len() as u32,
                escaped: member.escaped,
            };
        }
        Ok(())
    }

    fn note_fields(&mut self, members: &[Member]) {
        for member in members {
            let canonical = member.key_end as usize + 1..member.end as usize;
            let field = |raw: &Option<Range<usize>>| {
                let raw = raw.clone()?;
                Some(Field { raw, canonical })
            };
            match &self.out[member.start as usize..member.key_end as usize] {
                b"\"signed\"" => self.fields.signed = field(&self.raw_signed),
                b"\"signatures\"" => self.fields.signatures = field(&self.raw_signatures),
                _ => {}
            }
        }
    }

    /// A text; canonical JSON escapes only the quote and the backslash.
    /// Answers whether there is such in it.
    fn text(&mut self) -> Result<bool, JsonError> {
        self.at += 1;
        self.out.push(b'"');
        let (begin, mut escaped) = (self.out.len(), false);
        loop {
            let rest = &self.bytes[self.at..];
            let special = |&b: &u8| b == b'"' || b == b'\\' || b < 0x20;
            let Some(run) = rest.iter().position(special) else {
                return Err(self.wrong("a text has no end"));
            };
            self.out.extend_from_slice(&rest[..run]);
            self.at += run;
            if self.out.len() - begin > MAX_TEXT {
                return Err(self.wrong("a text is too long"));
            }
            match rest[run] {
                b'"' => break,
                b'\\' => {
                    self.at += 1;
                    let c = self.escape()?;
                    if matches!(c, '"' | '\\') {
                        self.out.push(b'\\');
                        escaped = true;
                    }
                    let mut buffer = [0; 4];
                    let utf8 = c.encode_utf8(&mut buffer);
                    self.out.extend_from_slice(utf8.as_bytes());
                }
                _ => return Err(self.wrong("a text has a control character")),
            }
        }
        self.at += 1;
        self.out.push(b'"');
        Ok(escaped)
    }

    /// What stands behind a backslash.
    fn escape(&mut self) -> Result<char, JsonError> {
        let kind = self.peek();
        self.at += 1;
        Ok(match kind {
            Some(c @ (b'"' | b'\\' | b'/')) => char::from(c),
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let mut units = vec![self.unit()?];
                if (0xd800..0xdc00).contains(&units[0]) && self.bytes[self.at..].starts_with(b"\\u")
                {
                    self.at += 2;
                    units.push(self.unit()?);
                }
                match char::decode_utf16(units).collect::<Vec<_>>()[..] {
                    [Ok(c)] => c,
                    _ => return Err(self.wrong("half of a character is escaped")),
                }
            }
            _ => return Err(self.wrong("an escape is unknown")),
        })
    }

    fn unit(&mut self) -> Result<u16, JsonError> {
        let digits = self.bytes.get(self.at..self.at + 4);
        let digits = digits.filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let text = digits.and_then(|d| std::str::from_utf8(d).ok());
        let unit = text.and_then(|text| u16::from_str_radix(text, 16).ok());
        let unit = unit.ok_or_else(|| self.wrong("an escape is unknown"))?;
        self.at += 4;
        Ok(unit)
    }
}

/// The bytes of a canonical text without its escapes, by which names are sorted.
fn plain(text: &[u8]) -> impl Iterator<Item = u8> + '_ {
    let mut escape = false;
    text.iter().copied().filter(move |&b| {
        escape = b == b'\\' && !escape;
        !escape
    })
}
