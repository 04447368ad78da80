//! Reads the parts of a patch.

use super::PatchError;
use super::budget::Budget;
use super::covers::Cover;
use crate::bundle::patch::error::unused;
use crate::bundle::patch::format::{
    Format, MAX_COVERS, MAX_DICTIONARY, MAX_HEADER, MAX_STREAM, STORED, STREAM_WEIGHT, STREAMS, op,
    stream, unzigzag, varint,
};
use crate::bundle::patch::input_stream::{Content, Stream};
use crate::bundle::patch::operation::Operation;
use crate::bundle::patch::parts::OldFile;
use crate::bundle::path_rules::{MAX_ENTRIES, MAX_TOTAL, PathError, Rules};
use crate::fs::{self, FsError};
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::Path;

/// Reads a patch.
pub(super) struct Patch {
    format: Format,
    streams: [Stream; STREAMS],
    /// What the stream of operations takes in memory.
    first: u64,
    /// Bytes of all files so far.
    total: u64,
    /// Plain bytes of all members of old files so far.
    plain: u64,
    /// Of the runs: zero bytes still to come, and different ones after them.
    zeros: u64,
    others: u64,
}

/// Opens the stream of a patch that begins at this place of the file.
fn open_stream(path: &Path, at: u64, entry: &Entry) -> Result<Stream, PatchError> {
    const BUFFER: usize = 1 << 14;
    let mut file = fs::open(path)?;
    file.seek(SeekFrom::Start(at))
        .map_err(|e| FsError::new("read", path, e))?;
    let stored = BufReader::with_capacity(BUFFER, file.take(entry.compressed));
    let reader = if entry.props == STORED {
        Content::Stored(stored)
    } else {
        let lzma = lzma_rust2::LzmaReader::new_with_props(
            stored,
            entry.size,
            entry.props,
            entry.window(),
            None,
        );
        let lzma = lzma.map_err(PatchError::Read)?;
        Content::Lzma(Box::new(BufReader::with_capacity(BUFFER, lzma)))
    };
    Ok(Stream {
        reader: Some(reader),
        left: entry.size,
    })
}

impl Patch {
    /// Opens a patch and checks its header.
    pub(super) fn open(path: &Path, budget: &mut Budget) -> Result<Self, PatchError> {
        let mut head = Vec::new();
        let mut file = fs::open(path)?;
        let length = file
            .metadata()
            .map_err(|e| FsError::new("inspect", path, e))?
            .len();
        (&mut file)
            .take(MAX_HEADER as u64)
            .read_to_end(&mut head)
            .map_err(|e| FsError::new("read", path, e))?;
        let known = |format: &Format| head.starts_with(format.magic());
        let format = Format::ALL.into_iter().find(known);
        let format = format.ok_or(PatchError::Format)?;
        let mut rest = &head[format.magic().len()..];
        let mut entries = Vec::new();
        for _ in 0..STREAMS {
            entries.push(entry(&mut rest).ok_or(PatchError::Malformed("its header is cut"))?);
        }
        let mut at = (head.len() - rest.len()) as u64;
        let mut streams = Vec::new();
        let first = entries[stream::OPERATIONS].weight();
        for (index, entry) in entries.into_iter().enumerate() {
            let limit = match index {
                stream::LITERALS => 4 * MAX_DICTIONARY,
                _ => MAX_DICTIONARY,
            };
            if entry.dictionary > limit || entry.size > MAX_STREAM {
                return Err(PatchError::Malformed("a stream is too large"));
            }
            if entry.props == STORED && (format == Format::One || entry.compressed != entry.size) {
                return Err(PatchError::Malformed("a stream's header is wrong"));
            }
            budget.take(entry.weight())?;
            streams.push(open_stream(path, at, &entry)?);
            at = at.saturating_add(entry.compressed);
        }
        if at != length {
            return Err(PatchError::Malformed("its length is not that of its parts"));
        }
        let Ok(streams) = streams.try_into() else {
            return Err(PatchError::Malformed("its header is cut"));
        };
        Ok(Patch {
            format,
            streams,
            first,
            total: 0,
            plain: 0,
            zeros: 0,
            others: 0,
        })
    }

    /// Reads all operations, whose paths are proper ones.
    pub(super) fn operations(
        &mut self,
        rules: Rules,
        budget: &mut Budget,
    ) -> Result<Vec<Operation>, PatchError> {
        let count = self.streams[stream::OPERATIONS].number()?;
        if count > 2 * MAX_ENTRIES as u64 {
            return Err(PathError::TooMany.into());
        }
        let mut operations = Vec::new();
        for _ in 0..count {
            // What has many parts counts them while they are read.
            let mut left = *budget;
            let operation = self.operation(rules, &mut left)?;
            budget.take(operation.weight())?;
            operations.push(operation);
        }
        if self.streams[stream::OPERATIONS].left > 0 {
            return Err(unused());
        }
        // It has said all.
        self.streams[stream::OPERATIONS].reader = None;
        budget.give_back(self.first);
        Ok(operations)
    }

    fn operation(&mut self, rules: Rules, budget: &mut Budget) -> Result<Operation, PatchError> {
        let (format, total, plain) = (self.format, &mut self.total, &mut self.plain);
        let input = &mut self.streams[stream::OPERATIONS];
        let kind = input.byte()?;
        let mode = match kind {
            op::REMOVE | op::LINK => 0,
            _ => input.number()?,
        };
        if mode > 0o777 {
            return Err(PatchError::Malformed("a mode has more than nine bits"));
        }
        let mode = mode as u32;
        let path = input.string()?;
        rules.check_path(&path)?;
        Ok(match kind {
            op::REMOVE => Operation::Remove(path),
            op::DIR => Operation::Dir { path, mode },
            op::LINK => Operation::Link {
                path,
                target: input.string()?,
            },
            op::FULL => Operation::Full {
                path,
                mode,
                size: size(input, total)?,
            },
            op::DIFF | op::PARTS if kind == op::DIFF || format.has_parts() => {
                let size = size(input, total)?;
                let (old, parts) = match kind {
                    op::DIFF => input.whole_file(size)?,
                    _ => input.parts(size, budget)?,
                };
                // Inflating them takes time, which is bounded with that.
                add(plain, old.iter().map(OldFile::plain).sum())?;
                Operation::Diff {
                    path,
                    mode,
                    size,
                    old,
                    parts,
                }
            }
            op::COPY => Operation::Copy {
                path,
                mode,
                old: input.string()?,
            },
            _ => return Err(PatchError::Malformed("an operation is unknown")),
        })
    }

    /// Reads the covers of the next file, which make up `size` bytes together
    /// with the literals before, between, and after them.
    pub(super) fn covers(
        &mut self,
        size: u64,
        budget: &mut Budget,
    ) -> Result<Vec<Cover>, PatchError> {
        let input = &mut self.streams[stream::COVERS];
        let count = input.number()?;
        if count > MAX_COVERS {
            return Err(PatchError::Malformed("a file has too many covers"));
        }
        budget.take(count * size_of::<Cover>() as u64)?;
        let mut covers = Vec::with_capacity(count as usize);
        let mut left = size;
        for _ in 0..count {
            let cover = Cover {
                literal: input.number()?,
                length: input.number()?,
                skip: unzigzag(input.number()?),
            };
            left = left
                .checked_sub(cover.literal)
                .and_then(|left| left.checked_sub(cover.length))
                .ok_or(PatchError::Malformed("a file comes out too long"))?;
            covers.push(cover);
        }
        Ok(covers)
    }

    /// Passes on the next `size` literal bytes.
    pub(super) fn literals(
        &mut self,
        size: u64,
        sink: &mut dyn FnMut(&[u8]) -> Result<(), PatchError>,
    ) -> Result<(), PatchError> {
        let mut buffer = [0; 1 << 14];
        let mut left = size;
        while left > 0 {
            let n = left.min(buffer.len() as u64) as usize;
            self.streams[stream::LITERALS].fill(&mut buffer[..n])?;
            sink(&buffer[..n])?;
            left -= n as u64;
        }
        Ok(())
    }

    /// Adds the next differences to `bytes`.
    pub(super) fn add(&mut self, mut bytes: &mut [u8]) -> Result<(), PatchError> {
        while !bytes.is_empty() {
            if self.zeros == 0 && self.others == 0 {
                let runs = &mut self.streams[stream::RUNS];
                self.zeros = runs.number()?;
                self.others = runs.number()?;
                if self.zeros == 0 && self.others == 0 {
                    return Err(PatchError::Malformed("a run is empty"));
                }
            }
            let zeros = self.zeros.min(bytes.len() as u64);
            self.zeros -= zeros;
            bytes = &mut bytes[zeros as usize..];
            let others = self.others.min(bytes.len() as u64) as usize;
            if self.zeros == 0 && others > 0 {
                let (here, rest) = bytes.split_at_mut(others);
                let input = &mut self.streams[stream::DIFFERENCES];
                let mut buffer = [0; 256];
                for part in here.chunks_mut(buffer.len()) {
                    let differences = &mut buffer[..part.len()];
                    input.fill(differences)?;
                    for (byte, difference) in part.iter_mut().zip(differences) {
                        *byte = byte.wrapping_add(*difference);
                    }
                }
                self.others -= others as u64;
                bytes = rest;
            }
        }
        Ok(())
    }

    /// Checks that everything was used.
    pub(super) fn finish(&self) -> Result<(), PatchError> {
        if self.zeros + self.others > 0 || self.streams.iter().any(|s| s.left > 0) {
            return Err(unused());
        }
        Ok(())
    }
}

/// Reads the size of a new file, and adds it to that of all.
fn size(input: &mut Stream, total: &mut u64) -> Result<u64, PatchError> {
    let size = input.number()?;
    add(total, size)?;
    Ok(size)
}

fn add(total: &mut u64, bytes: u64) -> Result<(), PatchError> {
    *total = total.saturating_add(bytes);
    if *total > MAX_TOTAL {
        return Err(PathError::TooLarge.into());
    }
    Ok(())
}

/// Holds a stream's entry in the header.
struct Entry {
    props: u8,
    dictionary: u32,
    compressed: u64,
    size: u64,
}

impl Entry {
    /// A dictionary is of no use beyond the size of its stream.
    fn window(&self) -> u32 {
        let size = u32::try_from(self.size).unwrap_or(u32::MAX);
        self.dictionary.min(size.max(1 << 12))
    }

    /// Returns about how many bytes of memory decoding takes.
    fn weight(&self) -> u64 {
        if self.props == STORED {
            return STREAM_WEIGHT;
        }
        // Two bytes for each probability of a literal: the properties say how
        // many contexts they have.
        let (lc, lp) = (self.props % 9, self.props / 9 % 5);
        let literals = (2 * 0x300) << (lc + lp);
        u64::from(self.window()) + literals + STREAM_WEIGHT
    }
}

fn entry(from: &mut &[u8]) -> Option<Entry> {
    let (&props, rest) = from.split_first()?;
    let (&shift, rest) = rest.split_first()?;
    *from = rest;
    Some(Entry {
        props,
        dictionary: 1u32.checked_shl(u32::from(shift))?,
        compressed: varint(from)?,
        size: varint(from)?,
    })
}
