//! Reads one of the compressed streams of a patch.

use crate::bundle::patch::PatchError;
use crate::bundle::patch::references::{
    MAX_REGIONS, MAX_SEGMENTS, MAX_SPANS, ReferenceKind, References, Region, Segment, Span,
};
use crate::bundle::path_rules::MAX_PATH;
use std::fs::File;
use std::io;
use std::io::{BufReader, Read};

/// Decompresses one stream on the way.
pub(super) struct Stream {
    /// `None` once its end was reached.
    pub(super) reader: Option<Content>,
    pub(super) left: u64,
}

/// Says where the bytes of a stream come from.
pub(super) enum Content {
    Lzma(Box<BufReader<lzma_rust2::LzmaReader<BufReader<io::Take<File>>>>>),
    Stored(BufReader<io::Take<File>>),
}

impl Content {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        match self {
            Content::Lzma(reader) => reader.read_exact(buffer),
            Content::Stored(reader) => reader.read_exact(buffer),
        }
    }
}

impl Stream {
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<(), PatchError> {
        self.left = self
            .left
            .checked_sub(buffer.len() as u64)
            .ok_or(PatchError::Malformed("a stream is too short"))?;
        match &mut self.reader {
            Some(reader) => reader.fill(buffer).map_err(PatchError::Read),
            None => Ok(()),
        }
    }

    pub(super) fn byte(&mut self) -> Result<u8, PatchError> {
        let mut byte = [0];
        self.fill(&mut byte)?;
        Ok(byte[0])
    }

    pub(super) fn number(&mut self) -> Result<u64, PatchError> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if shift == 63 && bits > 1 {
                break;
            }
            value |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(PatchError::Malformed("a number is too large"))
    }

    fn count(&mut self, limit: usize) -> Result<usize, PatchError> {
        let count = self.number()?;
        usize::try_from(count)
            .ok()
            .filter(|&count| count <= limit)
            .ok_or(PatchError::Malformed("there are too many of something"))
    }

    pub(super) fn string(&mut self) -> Result<String, PatchError> {
        let length = self.count(MAX_PATH)?;
        let mut bytes = vec![0; length];
        self.fill(&mut bytes)?;
        String::from_utf8(bytes).map_err(|_| PatchError::Malformed("a path is not UTF-8"))
    }

    pub(super) fn many<T>(
        &mut self,
        limit: usize,
        mut one: impl FnMut(&mut Self) -> Result<T, PatchError>,
    ) -> Result<Vec<T>, PatchError> {
        let count = self.count(limit)?;
        (0..count).map(|_| one(self)).collect()
    }

    fn segment(&mut self) -> Result<Segment, PatchError> {
        Ok(Segment {
            offset: self.number()?,
            address: self.number()?,
            size: self.number()?,
        })
    }

    fn region(&mut self) -> Result<Region, PatchError> {
        Ok(Region {
            offset: self.number()?,
            size: self.number()?,
            address: self.number()?,
            kind: match self.byte()? {
                0 => ReferenceKind::X86,
                1 => ReferenceKind::Table {
                    stride: self.count(1 << 20)? as u32,
                    second: self.count(1 << 20)? as u32,
                    width: self.byte()?,
                    base_old: self.number()?,
                    base_new: self.number()?,
                },
                2 => ReferenceKind::Frames,
                3 => ReferenceKind::Arm64,
                _ => return Err(PatchError::Malformed("a kind of reference is unknown")),
            },
        })
    }

    pub(super) fn references(&mut self) -> Result<References, PatchError> {
        let references = References {
            old_segments: self.many(MAX_SEGMENTS, Self::segment)?,
            new_segments: self.many(MAX_SEGMENTS, Self::segment)?,
            regions: self.many(MAX_REGIONS, Self::region)?,
            spans: self.many(MAX_SPANS, |stream| {
                Ok(Span {
                    old: stream.number()?,
                    new: stream.number()?,
                    size: stream.number()?,
                })
            })?,
        };
        if !references.is_valid() {
            return Err(PatchError::Malformed(
                "a description of references is wrong",
            ));
        }
        Ok(references)
    }
}
