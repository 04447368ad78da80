//! Reads the members of a tar file, one after the other. Names too long for a
//! header come in members of their own, which are read here with a bound: a
//! library that hands out finished entries takes all of such a member into
//! memory.

use super::ArchiveError;
use crate::bundle::path_rules::{MAX_TOTAL, PathError};
use std::io::{self, Read};
use tar::{EntryType, Header};

const BLOCK: u64 = 512;
/// The most bytes of a long name, or of the pax records of a member.
const MAX_EXTENSION: u64 = 1 << 16;
/// The most bytes of a whole tar file: the contents, and what headers, fill
/// and extensions may add.
const MAX_TAR: u64 = MAX_TOTAL + (1 << 30);

/// Describes a member, as its headers have it.
#[derive(Debug)]
pub(super) struct Member {
    /// As it stands there.
    pub path: Vec<u8>,
    /// Of links, as it stands there.
    pub link: Vec<u8>,
    /// File, folder, link, or what else there is.
    pub kind: EntryType,
    /// Permission bits, and more.
    pub mode: u32,
    /// Bytes of content that follow.
    pub size: u64,
}

/// What extensions say of the member that follows them.
#[derive(Default)]
struct Extensions {
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
    pax: bool,
    pax_path: Option<Vec<u8>>,
    pax_link: Option<Vec<u8>>,
    pax_size: Option<u64>,
}

/// Reads members; as a reader, the content of the one that came last.
pub(super) struct Members<R> {
    from: R,
    /// Of the content: bytes to come, and fill behind them.
    left: u64,
    fill: u64,
    /// Bytes of the tar file so far.
    total: u64,
}

impl<R: Read> Members<R> {
    /// Reads the tar file `from`.
    pub(super) fn new(from: R) -> Self {
        Members {
            from,
            left: 0,
            fill: 0,
            total: 0,
        }
    }

    /// Returns what follows the last member.
    pub(super) fn into_inner(self) -> R {
        self.from
    }

    /// Returns the next member; `None` behind the last one. Whatever was not
    /// read of the one before is skipped.
    ///
    /// # Errors
    /// [`ArchiveError`].
    pub(super) fn next(&mut self) -> Result<Option<Member>, ArchiveError> {
        let mut found = Extensions::default();
        loop {
            self.skip()?;
            let Some(header) = self.header()? else {
                return if found.is_empty() {
                    Ok(None)
                } else {
                    Err(wrong("a long name belongs to nothing"))
                };
            };
            let size = header.entry_size().map_err(ArchiveError::Read)?;
            let known = header.as_gnu().is_some() || header.as_ustar().is_some();
            self.expect(size)?;
            match header.entry_type() {
                EntryType::GNULongName if known => {
                    let name = self.extension()?;
                    once(&mut found.path, without_end(name))?;
                }
                EntryType::GNULongLink if known => {
                    let name = self.extension()?;
                    once(&mut found.link, without_end(name))?;
                }
                EntryType::XHeader if known => {
                    if std::mem::replace(&mut found.pax, true) {
                        return Err(wrong("a member has two pax headers"));
                    }
                    let records = self.extension()?;
                    found.pax(&records)?;
                }
                // Says nothing that matters here.
                EntryType::XGlobalHeader => {}
                kind => return self.member(&header, kind, size, found).map(Some),
            }
        }
    }

    fn member(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        found: Extensions,
    ) -> Result<Member, ArchiveError> {
        let size = found.pax_size.unwrap_or(size);
        self.expect(size)?;
        let path = found.path.or(found.pax_path);
        let link = found.link.or(found.pax_link);
        Ok(Member {
            path: path.unwrap_or_else(|| header.path_bytes().into_owned()),
            link: link
                .or_else(|| Some(header.link_name_bytes()?.into_owned()))
                .unwrap_or_default(),
            kind,
            mode: header.mode().map_err(ArchiveError::Read)?,
            size,
        })
    }

    /// The content that comes next has `size` bytes.
    fn expect(&mut self, size: u64) -> Result<(), ArchiveError> {
        if size > MAX_TAR {
            return Err(PathError::TooLarge.into());
        }
        self.left = size;
        self.fill = size.next_multiple_of(BLOCK) - size;
        Ok(())
    }

    /// The next header; `None` at the end.
    fn header(&mut self) -> Result<Option<Header>, ArchiveError> {
        let mut header = Header::new_old();
        let block = header.as_mut_bytes();
        let mut have = 0;
        while have < block.len() {
            match self.from.read(&mut block[have..]) {
                Ok(0) if have == 0 => return Ok(None),
                Ok(0) => return Err(cut()),
                Ok(n) => have += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(ArchiveError::Read(e)),
            }
        }
        self.count(BLOCK)?;
        if block.iter().all(|&byte| byte == 0) {
            return Ok(None);
        }
        // With spaces in the place of the sum itself.
        let sum: u32 = block[..148]
            .iter()
            .chain(&block[156..])
            .map(|&b| u32::from(b))
            .sum();
        let sum = sum + 8 * u32::from(b' ');
        match header.cksum() {
            Ok(found) if found == sum => Ok(Some(header)),
            Ok(_) => Err(wrong("the checksum of a header is wrong")),
            Err(e) => Err(ArchiveError::Read(e)),
        }
    }

    /// All of the content, which belongs to another member.
    fn extension(&mut self) -> Result<Vec<u8>, ArchiveError> {
        if self.left > MAX_EXTENSION {
            return Err(PathError::Extension.into());
        }
        let mut bytes = vec![0; self.left as usize];
        self.read_exact(&mut bytes).map_err(ArchiveError::Read)?;
        Ok(bytes)
    }

    /// Passes by what is left of the content, and its fill.
    fn skip(&mut self) -> Result<(), ArchiveError> {
        let left = self.left + self.fill;
        (self.left, self.fill) = (0, 0);
        let mut rest = (&mut self.from).take(left);
        let skipped = io::copy(&mut rest, &mut io::sink()).map_err(ArchiveError::Read)?;
        self.count(skipped)?;
        if skipped == left { Ok(()) } else { Err(cut()) }
    }

    fn count(&mut self, bytes: u64) -> Result<(), PathError> {
        self.total += bytes;
        if self.total > MAX_TAR {
            Err(PathError::TooLarge)
        } else {
            Ok(())
        }
    }
}

impl<R: Read> Read for Members<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.left.min(buffer.len() as u64) as usize;
        if most == 0 {
            return Ok(0);
        }
        let n = self.from.read(&mut buffer[..most])?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left -= n as u64;
        self.count(n as u64).map_err(io::Error::other)?;
        Ok(n)
    }
}

impl Extensions {
    fn is_empty(&self) -> bool {
        self.path.is_none() && self.link.is_none() && !self.pax
    }

    /// Takes pax records, `<length> <key>=<value>\n` each (POSIX, pax, "pax
    /// Header Block"); the length is that of all of it.
    fn pax(&mut self, mut records: &[u8]) -> Result<(), ArchiveError> {
        while !records.is_empty() {
            let malformed = || wrong("a pax header is malformed");
            let space = records
                .iter()
                .position(|&b| b == b' ')
                .ok_or_else(malformed)?;
            let length = std::str::from_utf8(&records[..space]).ok();
            let length = length.and_then(|text| text.parse::<usize>().ok());
            let record = length
                .and_then(|n| records.get(space + 1..n))
                .ok_or_else(malformed)?;
            records = &records[space + 1 + record.len()..];
            let record = record.strip_suffix(b"\n").ok_or_else(malformed)?;
            let equals = record
                .iter()
                .position(|&b| b == b'=')
                .ok_or_else(malformed)?;
            let (key, value) = (&record[..equals], &record[equals + 1..]);
            match key {
                b"path" => once(&mut self.pax_path, value.to_vec())?,
                b"linkpath" => once(&mut self.pax_link, value.to_vec())?,
                b"size" => {
                    let size = std::str::from_utf8(value).ok();
                    let size = size.and_then(|text| text.parse().ok());
                    once(&mut self.pax_size, size.ok_or_else(malformed)?)?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Sets what may be said once only, as two readers may believe different ones.
fn once<T>(place: &mut Option<T>, value: T) -> Result<(), ArchiveError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(wrong("a member has two long names")),
    }
}

/// GNU tar ends long names with a zero byte.
fn without_end(mut name: Vec<u8>) -> Vec<u8> {
    if name.last() == Some(&0) {
        name.pop();
    }
    name
}

fn wrong(what: &'static str) -> ArchiveError {
    ArchiveError::Read(io::Error::other(what))
}

fn cut() -> ArchiveError {
    ArchiveError::Read(io::ErrorKind::UnexpectedEof.into())
}
