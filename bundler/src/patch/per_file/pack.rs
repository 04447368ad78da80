//! Compresses the streams of a patch.

use super::budget::{Budget, Timed};
use super::steps::Content;
use super::streams;
use super::work::Gate;
use crate::patch::bytes::Scratch;
use notsotuf_stub::bundle::patch::{Format, STREAMS, stream};
use std::io::{self, Read};
use std::path::Path;

/// Limits the memory that compressing may take.
const MEMORY: u64 = 210 << 20;

/// Compresses the streams, as many at a time as the memory allows.
pub(super) fn pack(
    operations: &[u8],
    contents: &[Content],
    format: Format,
    budget: Budget,
    scratch: &Scratch,
) -> io::Result<Vec<streams::Packed>> {
    let open = |index: usize| {
        let (mut size, mut readers): (u64, Vec<Box<dyn Read>>) = (0, Vec::new());
        if index == stream::OPERATIONS {
            size += operations.len() as u64;
            readers.push(Box::new(operations));
        }
        for content in contents {
            let bytes = match content {
                Content::Diff(diff, _) => match index {
                    stream::COVERS => &diff.covers,
                    stream::RUNS => &diff.runs,
                    stream::DIFFERENCES => &diff.differences,
                    stream::LITERALS => &diff.literals,
                    _ => continue,
                },
                Content::Whole {
                    path, size: more, ..
                } if index == stream::LITERALS => {
                    size += more;
                    readers.push(Box::new(Later(path, None)));
                    continue;
                }
                _ => continue,
            };
            size += bytes.len() as u64;
            readers.push(Box::new(bytes.reader()));
        }
        readers.reverse();
        (size, Timed(Sequence(readers), budget))
    };
    let gate = Gate::new(MEMORY);
    let part = |index: usize| -> io::Result<streams::Packed> {
        let (size, _) = open(index);
        let _taken = gate.take(streams::memory(index, size));
        let packed = streams::pack(index, size, || open(index).1, scratch)?;
        if format == Format::One || (packed.data.len() as u64) < size {
            return Ok(packed);
        }
        // Compressing it would only cost time.
        streams::store(size, open(index).1, scratch)
    };
    std::thread::scope(|scope| {
        let part = &part;
        let all: Vec<_> = (0..STREAMS).map(|n| scope.spawn(move || part(n))).collect();
        all.into_iter()
            .map(|part| part.join().expect("no thread panics"))
            .collect()
    })
}

/// Reads from several readers, one after the other, from the last to the first.
pub(super) struct Sequence<'a>(Vec<Box<dyn Read + 'a>>);

impl Read for Sequence<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(reader) = self.0.last_mut() {
            match reader.read(buffer)? {
                0 if !buffer.is_empty() => self.0.pop(),
                n => return Ok(n),
            };
        }
        Ok(0)
    }
}

/// Reads a file that is opened when its turn comes.
pub(super) struct Later<'a>(&'a Path, Option<std::fs::File>);

impl Read for Later<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_none() {
            self.1 = Some(std::fs::File::open(self.0)?);
        }
        self.1.as_mut().expect("just opened").read(buffer)
    }
}
