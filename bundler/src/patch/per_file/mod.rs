//! Making patches in the per-file format, which `docs/patch-format.md`
//! describes.

mod encode;
mod program;
mod search;
mod streams;

use encode::FileDiff;
use indicatif::ProgressBar;
use notsotuf_stub::bundle::patch::op;
use notsotuf_stub::bundle::patch::stream;
use notsotuf_stub::bundle::patch::{MAGIC, MAX_DIFF_SIZE, STREAMS};
use notsotuf_stub::bundle::{Entry, Kind, Manifest};
use notsotuf_stub::fs::{self, FsError};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};
use streams::{number, string};

/// What comparing files at the same time may take in memory. One file that
/// takes more by itself is compared alone.
const MEMORY: u64 = 220 << 20;

/// Why a patch cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DiffError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Compressing or writing the patch.
    #[error("cannot write {path:?}: {source}")]
    Write {
        /// The patch.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It takes longer than it may.
    #[error("it takes longer than it may")]
    Budget,
}

/// The time that making a patch may take.
#[derive(Debug, Clone, Copy)]
pub struct Budget(Option<Instant>);

impl Budget {
    /// As long as it takes.
    pub const UNLIMITED: Budget = Budget(None);

    /// From now on.
    pub fn of(time: Duration) -> Self {
        Budget(Instant::now().checked_add(time))
    }

    /// What is left of it; `None` if there is no end to it.
    pub fn left(self) -> Option<Duration> {
        let end = self.0?;
        Some(end.saturating_duration_since(Instant::now()))
    }

    /// Whether nothing is left.
    pub fn is_spent(self) -> bool {
        self.0.is_some_and(|end| Instant::now() >= end)
    }
}

/// A reader that ends with an error once the budget is spent.
struct Timed<R>(R, Budget);

impl<R: Read> Read for Timed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_spent() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.0.read(buffer)
    }
}

/// A bundle that lies in a folder.
#[derive(Clone, Copy)]
pub struct Tree<'a> {
    /// Where.
    pub folder: &'a Path,
    /// What.
    pub manifest: &'a Manifest,
}

/// How many files a patch treats in which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Not in the patch at all.
    pub kept: usize,
    /// Rebuilt from an old file.
    pub changed: usize,
    /// Under another name, or with other permissions only.
    pub moved: usize,
    /// Brought whole.
    pub new: usize,
    /// Taken away.
    pub removed: usize,
}

impl Summary {
    /// What two trees have in common, and nothing else yet.
    fn kept(old: &Manifest, new: &Manifest) -> Self {
        let same = |(path, entry): &(&String, &Entry)| {
            matches!(entry.kind, Kind::File { .. }) && old.entries.get(*path) == Some(entry)
        };
        Summary {
            kept: new.entries.iter().filter(same).count(),
            ..Summary::default()
        }
    }
}

impl std::fmt::Display for Summary {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        let Summary {
            kept,
            changed,
            moved,
            new,
            removed,
        } = self;
        write!(
            f,
            "{kept} files kept, {changed} changed, {moved} moved, {new} new, {removed} removed"
        )
    }
}

/// The file that brings most of what cannot be got out of the old tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heaviest {
    /// The file.
    pub path: String,
    /// Bytes before they are compressed.
    pub literals: u64,
}

/// Writes the new file `patch`, which leads from `old` to `new`. The same
/// trees give the same bytes, on any machine.
///
/// # Errors
/// [`DiffError`]; [`DiffError::Budget`] if it takes longer.
pub fn diff(
    old: Tree,
    new: Tree,
    patch: &Path,
    budget: Budget,
    bar: impl FnOnce(u64) -> ProgressBar,
) -> Result<(Summary, Option<Heaviest>), DiffError> {
    let written = |source: io::Error| match source.kind() {
        io::ErrorKind::TimedOut if budget.is_spent() => DiffError::Budget,
        _ => DiffError::Write {
            path: patch.into(),
            source,
        },
    };
    let steps = plan(old.manifest, new.manifest);
    let bar = bar(steps.iter().map(|step| step.size(new.manifest)).sum());
    let contents = compare(&steps, old, new, budget, &bar)?;
    let heaviest = heaviest(&steps, &contents);
    let mut summary = Summary::kept(old.manifest, new.manifest);
    let mut operations = Vec::new();
    number(&mut operations, steps.len() as u64);
    for (step, content) in steps.iter().zip(&contents) {
        step.write(new.manifest, content, &mut operations, &mut summary);
    }
    let parts = pack(&operations, &contents, budget).map_err(written)?;
    drop(contents);
    let mut file = BufWriter::new(fs::create_new(patch)?);
    streams::write(MAGIC, &parts, &mut file).map_err(written)?;
    let file = file.into_inner().map_err(|e| written(e.into_error()))?;
    file.sync_all().map_err(written)?;
    bar.finish_and_clear();
    Ok((summary, heaviest))
}

fn heaviest(steps: &[Step], contents: &[Content]) -> Option<Heaviest> {
    let all = steps.iter().zip(contents).filter_map(|(step, content)| {
        let (Step::Change(path, _) | Step::New(path)) = step else {
            return None;
        };
        let literals = match content {
            Content::Nothing => 0,
            Content::Whole { size, .. } => *size,
            Content::Diff(diff) => diff.literals.len() as u64,
        };
        Some((literals, path))
    });
    let (literals, path) = all.max()?;
    Some(Heaviest {
        path: (*path).to_owned(),
        literals,
    })
}

/// What one file adds to a patch.
#[derive(Debug)]
pub struct Part {
    /// The file.
    pub path: String,
    /// `changed`, `new`, `moved`, `removed`, `folder` or `link`.
    pub what: &'static str,
    /// What it takes in the patch, compressed by itself.
    pub bytes: u64,
    /// What it takes on disk.
    pub size: u64,
}

/// Compares two trees as [`diff`] does, and tells what the patch would hold.
///
/// # Errors
/// [`DiffError`].
pub fn explain(
    old: Tree,
    new: Tree,
    bar: impl FnOnce(u64) -> ProgressBar,
) -> Result<(Summary, Vec<Part>), DiffError> {
    let steps = plan(old.manifest, new.manifest);
    let bar = bar(steps.iter().map(|step| step.size(new.manifest)).sum());
    let contents = compare(&steps, old, new, Budget::UNLIMITED, &bar)?;
    let mut summary = Summary::kept(old.manifest, new.manifest);
    let mut parts = Vec::new();
    for (step, content) in steps.iter().zip(&contents) {
        let mut operation = Vec::new();
        step.write(new.manifest, content, &mut operation, &mut summary);
        let (what, path) = match (step, content) {
            (Step::Remove(path), _) => ("removed", path),
            (Step::Dir(path), _) => ("folder", path),
            (Step::Link(path), _) => ("link", path),
            (Step::Copy(path, _), _) => ("moved", path),
            (Step::Change(path, _), Content::Diff(_)) => ("changed", path),
            (Step::New(path) | Step::Change(path, _), _) => ("new", path),
        };
        let written = |source| DiffError::Write {
            path: fs::join(new.folder, path),
            source,
        };
        let content = std::slice::from_ref(content);
        let streams = pack(&operation, content, Budget::UNLIMITED).map_err(written)?;
        parts.push(Part {
            path: (*path).to_owned(),
            what,
            bytes: streams.iter().map(|stream| stream.data.len() as u64).sum(),
            size: step.size(new.manifest),
        });
    }
    bar.finish_and_clear();
    Ok((summary, parts))
}

/// What the streams hold for one step.
enum Content {
    Nothing,
    /// All of a file.
    Whole {
        path: PathBuf,
        size: u64,
    },
    Diff(FileDiff),
}

/// Compares the files of all steps, several at a time, the largest first.
fn compare(
    steps: &[Step],
    old: Tree,
    new: Tree,
    budget: Budget,
    bar: &ProgressBar,
) -> Result<Vec<Content>, DiffError> {
    let mut order: Vec<usize> = (0..steps.len()).collect();
    order.sort_by_key(|&n| std::cmp::Reverse(steps[n].memory(old.manifest, new.manifest)));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let queue = Mutex::new(Queue {
        waiting: order,
        free: MEMORY,
        failed: false,
    });
    let freed = Condvar::new();
    let done: Mutex<Vec<(usize, Content)>> = Mutex::default();
    let work = || -> Result<(), DiffError> {
        while let Some((index, memory)) = take(&queue, &freed, |n| {
            steps[n].memory(old.manifest, new.manifest)
        }) {
            let content = steps[index].content(old, new, budget);
            let mut queue = queue.lock().expect("no thread panics");
            queue.free += memory;
            queue.failed |= content.is_err();
            drop(queue);
            freed.notify_all();
            bar.inc(steps[index].size(new.manifest));
            done.lock()
                .expect("no thread panics")
                .push((index, content?));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        workers
            .into_iter()
            .try_for_each(|worker| worker.join().expect("no thread panics"))
    })?;
    let mut done = done.into_inner().expect("no thread panics");
    done.sort_by_key(|(index, _)| *index);
    Ok(done.into_iter().map(|(_, content)| content).collect())
}

struct Queue {
    waiting: Vec<usize>,
    free: u64,
    failed: bool,
}

/// The next step that fits into what is left of the memory, and how much it
/// takes; `None` when there is nothing left to do.
fn take(
    queue: &Mutex<Queue>,
    freed: &Condvar,
    memory: impl Fn(usize) -> u64,
) -> Option<(usize, u64)> {
    let mut queue = queue.lock().expect("no thread panics");
    loop {
        if queue.waiting.is_empty() || queue.failed {
            return None;
        }
        let free = queue.free;
        let next = queue
            .waiting
            .iter()
            .position(|&n| memory(n).min(MEMORY) <= free);
        if let Some(next) = next {
            let index = queue.waiting.remove(next);
            let memory = memory(index).min(MEMORY);
            queue.free -= memory;
            return Some((index, memory));
        }
        queue = freed.wait(queue).expect("no thread panics");
    }
}

/// Compresses the streams, all at a time.
fn pack(
    operations: &[u8],
    contents: &[Content],
    budget: Budget,
) -> io::Result<Vec<streams::Packed>> {
    let part = |index: usize| -> io::Result<streams::Packed> {
        let (mut size, mut readers): (u64, Vec<Box<dyn Read>>) = (0, Vec::new());
        if index == stream::OPERATIONS {
            size += operations.len() as u64;
            readers.push(Box::new(operations));
        }
        for content in contents {
            let bytes = match content {
                Content::Diff(diff) => match index {
                    stream::COVERS => &diff.covers,
                    stream::RUNS => &diff.runs,
                    stream::DIFFERENCES => &diff.differences,
                    stream::LITERALS => &diff.literals,
                    _ => continue,
                },
                Content::Whole { path, size: more } if index == stream::LITERALS => {
                    size += more;
                    readers.push(Box::new(Later(path, None)));
                    continue;
                }
                _ => continue,
            };
            size += bytes.len() as u64;
            readers.push(Box::new(&bytes[..]));
        }
        readers.reverse();
        streams::pack(index, size, Timed(Sequence(readers), budget))
    };
    std::thread::scope(|scope| {
        let part = &part;
        let all: Vec<_> = (0..STREAMS).map(|n| scope.spawn(move || part(n))).collect();
        all.into_iter()
            .map(|part| part.join().expect("no thread panics"))
            .collect()
    })
}

/// What is done about one path.
#[derive(Debug, PartialEq, Eq)]
enum Step<'a> {
    Remove(&'a str),
    Dir(&'a str),
    Link(&'a str),
    /// From the old file of that path, where it has the same content.
    Copy(&'a str, &'a str),
    /// From the old file of that path, where it pays.
    Change(&'a str, &'a str),
    New(&'a str),
}

/// Compares two trees. Files are matched by path, then by content, then by
/// similar name.
fn plan<'a>(old: &'a Manifest, new: &'a Manifest) -> Vec<Step<'a>> {
    let mut steps = Vec::new();
    let gone: Vec<&str> = old
        .entries
        .keys()
        .filter(|path| !new.entries.contains_key(*path))
        .map(String::as_str)
        .collect();
    let mut by_content: BTreeMap<&[u8; 32], &str> = BTreeMap::new();
    for (path, entry) in old.entries.iter().rev() {
        if let Kind::File { sha256, .. } = &entry.kind {
            by_content.insert(sha256, path);
        }
    }
    let mut similar = similar_names(old, &gone);
    for (path, entry) in &new.entries {
        let before = old.entries.get(path);
        if before == Some(entry) {
            continue;
        }
        let step = match &entry.kind {
            Kind::Dir => Step::Dir(path),
            Kind::Link { .. } => Step::Link(path),
            Kind::File { sha256, .. } => {
                let was_file = |e: &&Entry| matches!(e.kind, Kind::File { .. });
                if let Some(from) = by_content.get(sha256) {
                    Step::Copy(path, from)
                } else if before.filter(was_file).is_some() {
                    Step::Change(path, path)
                } else if let Some(from) = similar.get_mut(&skeleton(path)).and_then(Vec::pop) {
                    Step::Change(path, from)
                } else {
                    Step::New(path)
                }
            }
        };
        steps.push(step);
    }
    steps.extend(gone.into_iter().map(Step::Remove));
    steps
}

/// Files that are gone, by what their path has besides digits; the first in
/// order last.
fn similar_names<'a>(old: &Manifest, gone: &[&'a str]) -> BTreeMap<String, Vec<&'a str>> {
    let mut similar: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for path in gone.iter().rev() {
        if matches!(old.entries[*path].kind, Kind::File { .. }) {
            similar.entry(skeleton(path)).or_default().push(path);
        }
    }
    similar
}

/// A path without what versions and build hashes change in it:
/// `numpy-1.26.4.dist-info/METADATA`, `libopenblas64_p-r0-0cf96a72.so`.
fn skeleton(path: &str) -> String {
    let words = path.split_inclusive(['/', '-', '.', '_']);
    words
        .filter(|word| {
            let bare = word.trim_end_matches(['/', '-', '.', '_']);
            let version = bare.chars().all(|c| c.is_ascii_digit());
            let hash = bare.len() >= 8
                && bare.chars().all(|c| c.is_ascii_hexdigit())
                && bare.chars().any(|c| c.is_ascii_digit());
            !(version || hash)
        })
        .collect()
}

impl Step<'_> {
    fn size(&self, new: &Manifest) -> u64 {
        match self {
            Step::Change(path, _) | Step::New(path) => file_size(new, path),
            _ => 0,
        }
    }

    /// About how many bytes of memory it takes: both files, what comes out, and
    /// a suffix array with four bytes for each of the old one.
    fn memory(&self, old: &Manifest, new: &Manifest) -> u64 {
        match self {
            Step::Change(path, from) => 2 * file_size(new, path) + 5 * file_size(old, from),
            _ => 0,
        }
    }

    fn content(&self, old: Tree, new: Tree, budget: Budget) -> Result<Content, DiffError> {
        if budget.is_spent() {
            return Err(DiffError::Budget);
        }
        let whole = |path| Content::Whole {
            path: fs::join(new.folder, path),
            size: file_size(new.manifest, path),
        };
        match self {
            Step::New(path) => Ok(whole(path)),
            Step::Change(path, from) => {
                let largest = file_size(old.manifest, from).max(file_size(new.manifest, path));
                if largest >= MAX_DIFF_SIZE {
                    return Ok(whole(path));
                }
                let before = read(&fs::join(old.folder, from))?;
                let after = read(&fs::join(new.folder, path))?;
                let found = encode::difference(&before, &after, budget);
                // What is found when the time is over is not all there is.
                if budget.is_spent() {
                    return Err(DiffError::Budget);
                }
                Ok(found.map_or_else(|| whole(path), Content::Diff))
            }
            _ => Ok(Content::Nothing),
        }
    }

    fn write(&self, new: &Manifest, content: &Content, out: &mut Vec<u8>, summary: &mut Summary) {
        let mut operation = |code: u8, path: &str| {
            out.push(code);
            if !matches!(code, op::REMOVE | op::LINK) {
                number(out, u64::from(new.entries[path].mode));
            }
            string(out, path);
        };
        match (self, content) {
            (Step::Remove(path), _) => {
                operation(op::REMOVE, path);
                summary.removed += 1;
            }
            (Step::Dir(path), _) => operation(op::DIR, path),
            (Step::Link(path), _) => {
                operation(op::LINK, path);
                if let Kind::Link { target } = &new.entries[*path].kind {
                    string(out, target);
                }
            }
            (Step::Copy(path, from), _) => {
                operation(op::COPY, path);
                string(out, from);
                summary.moved += 1;
            }
            (Step::Change(path, from), Content::Diff(diff)) => {
                operation(op::DIFF, path);
                number(out, file_size(new, path));
                string(out, from);
                match &diff.references {
                    None => out.push(0),
                    Some(references) => {
                        out.push(1);
                        streams::references(out, references);
                    }
                }
                summary.changed += 1;
            }
            (Step::New(path) | Step::Change(path, _), _) => {
                operation(op::FULL, path);
                number(out, file_size(new, path));
                summary.new += 1;
            }
        }
    }
}

fn file_size(manifest: &Manifest, path: &str) -> u64 {
    match manifest.entries[path].kind {
        Kind::File { size, .. } => size,
        _ => 0,
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    std::fs::read(path).map_err(|e| FsError::new("read", path, e))
}

/// One reader after the other, from the last to the first.
struct Sequence<'a>(Vec<Box<dyn Read + 'a>>);

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

/// A file that is opened when its turn comes.
struct Later<'a>(&'a Path, Option<std::fs::File>);

impl Read for Later<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.1.is_none() {
            self.1 = Some(std::fs::File::open(self.0)?);
        }
        self.1.as_mut().expect("just opened").read(buffer)
    }
}

#[cfg(test)]
mod tests;
