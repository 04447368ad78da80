//! Writes the streams of a patch, as bytes.

use crate::patch::bytes::{Bytes, Scratch, Spool};
use lzma_rust2::{LzmaOptions, LzmaWriter};
use notsotuf_stub::bundle::patch::parts::{Packing, Part, Prediction, Unit};
use notsotuf_stub::bundle::patch::references::{ReferenceKind, References, Segment};
use notsotuf_stub::bundle::patch::stream;
use notsotuf_stub::bundle::patch::{MAX_DICTIONARY, STORED};
use notsotuf_stub::bundle::recompress::Recipe;
use notsotuf_stub::fs::FsError;
use std::io::{self, Read, Write};

/// A run of zeros shorter than this is cheaper among the differences.
const MIN_ZEROS: u64 = 3;

/// Bytes of a stream of one file that stay in memory.
pub(super) const IN_MEMORY: usize = 1 << 16;

/// Writes a number as LEB128.
pub(super) fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Maps small values of either sign to small numbers.
pub(super) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// Writes a text: its length, and UTF-8.
pub(super) fn string(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a description of references, or that there is none.
pub(super) fn optional_references(out: &mut Vec<u8>, found: Option<&References>) {
    out.push(u8::from(found.is_some()));
    if let Some(found) = found {
        references(out, found);
    }
}

/// Writes an old file with its units, and the parts that are made of it.
pub(super) fn parts(out: &mut Vec<u8>, path: &str, units: &[Unit], parts: &[Part]) {
    number(out, 1);
    string(out, path);
    number(out, units.len() as u64);
    for unit in units {
        number(out, unit.gap);
        let packing = match unit.packing {
            Packing::Stored => 0,
            Packing::Deflate => 1,
            Packing::Zlib => 2,
        };
        number(out, unit.size << 2 | packing);
    }
    number(out, parts.len() as u64);
    let mut next = 0;
    for part in parts {
        let known = match &part.prediction {
            Prediction::Nothing => 0,
            Prediction::Native(_) => 1,
            Prediction::Marshal(_) => 2,
        };
        out.push(part.recipe.map_or(0, Recipe::byte) | known << 6);
        number(out, zigzag(part.piece as i64 - next));
        let unit = units.get(part.piece / 2);
        number(
            out,
            match unit {
                Some(unit) => {
                    let old = if part.piece % 2 == 0 {
                        unit.gap
                    } else {
                        unit.size
                    };
                    zigzag(part.size as i64 - old as i64)
                }
                None => part.size,
            },
        );
        match &part.prediction {
            Prediction::Nothing => {}
            Prediction::Native(found) => references(out, found),
            Prediction::Marshal(module) => out.push(module.byte()),
        }
        next = part.piece as i64 + 1;
    }
}

/// Writes a description of references.
pub(super) fn references(out: &mut Vec<u8>, references: &References) {
    let segments = |out: &mut Vec<u8>, list: &[Segment]| {
        number(out, list.len() as u64);
        for segment in list {
            number(out, segment.offset);
            number(out, segment.address);
            number(out, segment.size);
        }
    };
    segments(out, &references.old_segments);
    segments(out, &references.new_segments);
    number(out, references.regions.len() as u64);
    for region in &references.regions {
        number(out, region.offset);
        number(out, region.size);
        number(out, region.address);
        match region.kind {
            ReferenceKind::X86 => out.push(0),
            ReferenceKind::Table {
                stride,
                second,
                width,
                base_old,
                base_new,
            } => {
                out.push(1);
                number(out, u64::from(stride));
                number(out, u64::from(second));
                out.push(width);
                number(out, base_old);
                number(out, base_new);
            }
            ReferenceKind::Frames => out.push(2),
            ReferenceKind::Arm64 => out.push(3),
        }
    }
    number(out, references.spans.len() as u64);
    for span in &references.spans {
        number(out, span.old);
        number(out, span.new);
        number(out, span.size);
    }
}

/// Differences of bytes, with runs of zeros counted.
pub(super) struct Runs<'a> {
    runs: Vec<u8>,
    differences: Vec<u8>,
    /// What was moved on of both.
    moved: [Spool<'a>; 2],
    /// Of the run that is not written yet: zeros, others, and zeros of which
    /// it is not known yet whether they end it.
    zeros: u64,
    others: u64,
    pending: u64,
}

impl<'a> Runs<'a> {
    /// Starts with none.
    pub(super) fn new(scratch: &'a Scratch) -> Self {
        Runs {
            runs: Vec::new(),
            differences: Vec::new(),
            moved: [(); 2].map(|()| Spool::new(scratch, IN_MEMORY)),
            zeros: 0,
            others: 0,
            pending: 0,
        }
    }

    /// Returns what must be added to `predicted` to make it `actual`.
    pub(super) fn add(&mut self, predicted: &[u8], actual: &[u8]) {
        for (predicted, actual) in predicted.iter().zip(actual) {
            let difference = actual.wrapping_sub(*predicted);
            if difference == 0 {
                self.pending += 1;
                continue;
            }
            if self.others == 0 {
                self.zeros += self.pending;
            } else if self.pending < MIN_ZEROS {
                let among = self.pending as usize;
                self.differences.extend(std::iter::repeat_n(0, among));
                self.others += self.pending;
            } else {
                self.flush();
                self.zeros = self.pending;
            }
            self.pending = 0;
            self.differences.push(difference);
            self.others += 1;
        }
    }

    fn flush(&mut self) {
        if self.zeros + self.others > 0 {
            number(&mut self.runs, self.zeros);
            number(&mut self.runs, self.others);
        }
        (self.zeros, self.others) = (0, 0);
    }

    /// Moves what is written on to where it need not stay in memory.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn move_on(&mut self) -> Result<(), FsError> {
        for (written, moved) in [&mut self.runs, &mut self.differences]
            .into_iter()
            .zip(&mut self.moved)
        {
            if written.len() > IN_MEMORY {
                moved.push(written)?;
                written.clear();
            }
        }
        Ok(())
    }

    /// Returns the two streams.
    ///
    /// # Errors
    /// The file system's.
    pub(super) fn finish(mut self) -> Result<(Bytes, Bytes), FsError> {
        if self.others == 0 {
            self.zeros += self.pending;
        } else if self.pending > 0 {
            self.flush();
            self.zeros = self.pending;
        }
        self.flush();
        let [mut runs, mut differences] = self.moved;
        runs.push(&self.runs)?;
        differences.push(&self.differences)?;
        Ok((runs.finish()?, differences.finish()?))
    }
}

/// Holds a compressed stream, and its entry in the header of a patch.
pub(super) struct Packed {
    /// Properties, dictionary, lengths.
    pub entry: Vec<u8>,
    /// LZMA.
    pub data: Bytes,
}

/// Bytes of a compressed stream that stay in memory.
const PACKED_IN_MEMORY: usize = 4 << 20;

/// Says how LZMA sees a byte: bits of the byte before that count for a literal,
/// bits of its position that do, and bits of the position that count for all
/// else.
type Fit = (u32, u32, u32);

/// What is tried. Text has long contexts, tables of numbers have positions, and
/// the streams of a patch often have neither.
const FITS: [Fit; 7] = [
    (0, 0, 0),
    (1, 0, 0),
    (3, 0, 0),
    (4, 0, 0),
    (3, 0, 2),
    (0, 2, 2),
    (1, 3, 3),
];

/// Streams up to this size are compressed in all ways, in an instant. Of larger
/// ones, a sample of this size says which one fits best.
const SMALL: u64 = 256 << 10;

/// Compresses a stream of `size` bytes, which `open` opens.
///
/// # Errors
/// What reading it, and writing the result, said.
pub(super) fn pack<R: Read>(
    index: usize,
    size: u64,
    open: impl Fn() -> R,
    scratch: &Scratch,
) -> io::Result<Packed> {
    let literals = index == stream::LITERALS;
    let sample = sample(size, open())?;
    // Which fits best cannot be told beforehand. Literals are partly code and
    // data, aligned to four bytes. The first of the smallest is taken, so that
    // the same stream gives the same bytes.
    let usual = (3, 0, if literals { 2 } else { 0 });
    let mut best = (
        usual,
        compress(literals, usual, sample.len() as u64, &sample[..], scratch)?,
    );
    for fit in FITS.into_iter().filter(|fit| *fit != usual) {
        let other = compress(literals, fit, sample.len() as u64, &sample[..], scratch)?;
        if other.data.len() < best.1.data.len() {
            best = (fit, other);
        }
    }
    if size <= SMALL {
        return Ok(best.1);
    }
    compress(literals, best.0, size, open(), scratch)
}

/// Reads a stream of `size` bytes, or pieces of it if it is large.
fn sample(size: u64, mut content: impl Read) -> io::Result<Vec<u8>> {
    const PIECES: u64 = 8;
    let (piece, skip) = if size <= SMALL {
        (size, 0)
    } else {
        // A piece begins where the position counts as it does in the stream.
        (SMALL / PIECES, (size - SMALL) / PIECES / 16 * 16)
    };
    let mut sample = Vec::new();
    while (sample.len() as u64) < size.min(SMALL) {
        let before = sample.len();
        (&mut content).take(piece).read_to_end(&mut sample)?;
        if sample.len() == before {
            break;
        }
        io::copy(&mut (&mut content).take(skip), &mut io::sink())?;
    }
    Ok(sample)
}

/// Returns the dictionary for a stream: no larger than useful, as the client
/// sets that much memory aside.
fn dictionary(literals: bool, size: u64) -> u32 {
    let limit = if literals { 4 } else { 1 } * MAX_DICTIONARY;
    size.next_power_of_two().clamp(1 << 12, u64::from(limit)) as u32
}

/// Counts what compressing a stream of `size` bytes takes in memory: what the
/// search for matches keeps for each byte of the dictionary, and the dictionary.
pub(super) fn memory(index: usize, size: u64) -> u64 {
    let dictionary = dictionary(index == stream::LITERALS, size);
    12 * u64::from(dictionary) + PACKED_IN_MEMORY as u64
}

/// Compresses a stream in one way.
fn compress(
    literals: bool,
    (context, literal_position, position): Fit,
    size: u64,
    mut content: impl Read,
    scratch: &Scratch,
) -> io::Result<Packed> {
    let dictionary = dictionary(literals, size);
    let mut options = LzmaOptions::with_preset(9);
    options.dict_size = dictionary;
    options.nice_len = 273;
    options.lc = context;
    options.lp = literal_position;
    options.pb = position;
    let out = Spool::new(scratch, PACKED_IN_MEMORY);
    let mut lzma = LzmaWriter::new(out, &options, false, false, None)?;
    let copied = io::copy(&mut content, &mut lzma)?;
    if copied != size {
        return Err(io::Error::other("a file changed its size meanwhile"));
    }
    let data = lzma.finish()?.finish().map_err(io::Error::other)?;
    let mut entry = vec![options.get_props(), dictionary.trailing_zeros() as u8];
    number(&mut entry, data.len() as u64);
    number(&mut entry, size);
    Ok(Packed { entry, data })
}

/// Keeps a stream of `size` bytes as it is.
///
/// # Errors
/// What reading it said.
pub(super) fn store(size: u64, mut content: impl Read, scratch: &Scratch) -> io::Result<Packed> {
    let mut data = Spool::new(scratch, PACKED_IN_MEMORY);
    io::copy(&mut content, &mut data)?;
    let data = data.finish().map_err(io::Error::other)?;
    let mut entry = vec![STORED, 0];
    number(&mut entry, data.len() as u64);
    number(&mut entry, size);
    Ok(Packed { entry, data })
}

/// Writes out the parts one after the other.
///
/// # Errors
/// What the system said.
pub(super) fn write(magic: &[u8], parts: &[Packed], out: &mut dyn Write) -> io::Result<()> {
    out.write_all(magic)?;
    for part in parts {
        out.write_all(&part.entry)?;
    }
    for part in parts {
        io::copy(&mut part.data.reader(), out)?;
    }
    Ok(())
}
