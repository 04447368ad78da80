//! Making patches in the per-file format; see `notsotuf_stub::bundle::patch`
//! for the format itself.

use bidiff::enc::Writer as DiffWriter;
use bidiff::{DiffParams, Translator};
use flate2::Compression;
use flate2::write::DeflateEncoder;
use indicatif::ProgressBar;
use lzma_rust2::{LzmaOptions, LzmaWriter};
use notsotuf_stub::bundle::patch::{MAGIC, MAX_DICTIONARY, op};
use notsotuf_stub::bundle::{Entry, Kind, Manifest};
use notsotuf_stub::fs::{self, FsError};
use std::collections::BTreeMap;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// LZMA's own scale, 0 to 9.
const PRESET: u32 = 9;

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

/// Writes the new file `patch`, which leads from `old` to `new`. The same
/// trees give the same bytes.
///
/// # Errors
/// [`DiffError`].
pub fn diff(
    old: Tree,
    new: Tree,
    patch: &Path,
    bar: impl FnOnce(u64) -> ProgressBar,
) -> Result<Summary, DiffError> {
    let written = |source| DiffError::Write {
        path: patch.into(),
        source,
    };
    let steps = plan(old.manifest, new.manifest);
    let total = steps.iter().map(|step| step.size(new.manifest)).sum();
    let bar = bar(total);
    let mut head = Vec::new();
    let mut streams = Vec::new();
    let mut summary = Summary {
        kept: kept(old.manifest, new.manifest),
        ..Summary::default()
    };
    number(&mut head, steps.len() as u64);
    for step in &steps {
        step.write(old, new, &mut head, &mut streams, &mut summary)?;
        bar.inc(step.size(new.manifest));
    }
    let size: usize = head.len() + streams.iter().map(Vec::len).sum::<usize>();
    let mut options = LzmaOptions::with_preset(PRESET);
    // No larger than useful: the client sets this much memory aside.
    options.dict_size = u32::try_from(size.next_power_of_two())
        .unwrap_or(MAX_DICTIONARY)
        .clamp(1 << 16, MAX_DICTIONARY);
    let mut file = BufWriter::new(fs::create_new(patch)?);
    let mut start = MAGIC.to_vec();
    start.push(options.get_props());
    start.extend(options.dict_size.to_le_bytes());
    file.write_all(&start).map_err(written)?;
    let mut lzma = LzmaWriter::new(file, &options, false, true, None).map_err(written)?;
    for part in std::iter::once(&head).chain(&streams) {
        lzma.write_all(part).map_err(written)?;
    }
    let file = lzma.finish().map_err(written)?;
    let file = file.into_inner().map_err(|e| written(e.into_error()))?;
    file.sync_all().map_err(written)?;
    bar.finish_and_clear();
    Ok(summary)
}

fn kept(old: &Manifest, new: &Manifest) -> usize {
    let same = |(path, entry): &(&String, &Entry)| {
        matches!(entry.kind, Kind::File { .. }) && old.entries.get(*path) == Some(entry)
    };
    new.entries.iter().filter(same).count()
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
            Step::Change(path, _) | Step::New(path) => match new.entries[*path].kind {
                Kind::File { size, .. } => size,
                _ => 0,
            },
            _ => 0,
        }
    }

    fn write(
        &self,
        old: Tree,
        new: Tree,
        head: &mut Vec<u8>,
        streams: &mut Vec<Vec<u8>>,
        summary: &mut Summary,
    ) -> Result<(), DiffError> {
        let entry = |path: &str| &new.manifest.entries[path];
        let mut operation = |code: u8, path: &str| {
            head.push(code);
            if !matches!(code, op::REMOVE | op::LINK) {
                number(head, u64::from(entry(path).mode));
            }
            string(head, path);
        };
        match self {
            Step::Remove(path) => {
                operation(op::REMOVE, path);
                summary.removed += 1;
            }
            Step::Dir(path) => operation(op::DIR, path),
            Step::Link(path) => {
                operation(op::LINK, path);
                if let Kind::Link { target } = &entry(path).kind {
                    string(head, target);
                }
            }
            Step::Copy(path, from) => {
                operation(op::COPY, path);
                string(head, from);
                summary.moved += 1;
            }
            Step::New(path) => {
                let content = read(&fs::join(new.folder, path))?;
                operation(op::FULL, path);
                number(head, content.len() as u64);
                streams.push(content);
                summary.new += 1;
            }
            Step::Change(path, from) => {
                let before = read(&fs::join(old.folder, from))?;
                let content = read(&fs::join(new.folder, path))?;
                match difference(&before, &content) {
                    Some(stream) => {
                        operation(op::DIFF, path);
                        number(head, content.len() as u64);
                        string(head, from);
                        number(head, stream.len() as u64);
                        streams.push(stream);
                        summary.changed += 1;
                    }
                    None => {
                        operation(op::FULL, path);
                        number(head, content.len() as u64);
                        streams.push(content);
                        summary.new += 1;
                    }
                }
            }
        }
        Ok(())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, FsError> {
    std::fs::read(path).map_err(|e| FsError::new("read", path, e))
}

/// The bipatch stream from `old` to `new`; `None` if the new content itself
/// is likely smaller once compressed.
fn difference(old: &[u8], new: &[u8]) -> Option<Vec<u8>> {
    // The suffix array cannot be made of nothing.
    if old.is_empty() || new.is_empty() {
        return None;
    }
    let mut out = DiffWriter::new(Vec::new()).ok()?;
    let mut translator = Translator::new(old, new, |control| out.write(control));
    let params = DiffParams::default();
    bidiff::diff(old, new, &params, |found| translator.translate(found)).ok()?;
    translator.close().ok()?;
    let stream = out.into_inner();
    (estimate(&stream) < estimate(new)).then_some(stream)
}

/// About how large this is when compressed.
fn estimate(data: &[u8]) -> usize {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::fast());
    match encoder.write_all(data).and_then(|()| encoder.finish()) {
        Ok(out) => out.len(),
        Err(_) => data.len(),
    }
}

/// LEB128.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn string(out: &mut Vec<u8>, text: &str) {
    number(out, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;
    use notsotuf_stub::bundle::Rules;
    use notsotuf_stub::bundle::patch::{PatchError, Scattered, hash_file};
    use std::fs::{create_dir_all, write};

    /// A deterministic stand-in for a program: hard to compress.
    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut state = seed.wrapping_mul(2) + 1;
        let step = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state as u8
        };
        std::iter::repeat_with(step).take(length).collect()
    }

    enum Node {
        Bytes(Vec<u8>),
        Folder,
        #[cfg(unix)]
        Link(&'static str),
    }

    fn tree(folder: &Path, nodes: &[(&str, Node)]) -> Manifest {
        let mut manifest = Manifest::default();
        create_dir_all(folder).unwrap();
        for (path, node) in nodes {
            let place = fs::join(folder, path);
            let kind = match node {
                Node::Bytes(bytes) => {
                    write(&place, bytes).unwrap();
                    let (size, sha256) = hash_file(&place).unwrap();
                    Kind::File { size, sha256 }
                }
                Node::Folder => {
                    create_dir_all(&place).unwrap();
                    Kind::Dir
                }
                #[cfg(unix)]
                Node::Link(target) => {
                    std::os::unix::fs::symlink(target, &place).unwrap();
                    Kind::Link {
                        target: (*target).into(),
                    }
                }
            };
            let mode = match kind {
                Kind::File { .. } => 0o644,
                Kind::Dir => 0o755,
                Kind::Link { .. } => 0o777,
            };
            manifest
                .entries
                .insert((*path).into(), Entry { kind, mode });
        }
        manifest
    }

    fn changed(mut bytes: Vec<u8>) -> Vec<u8> {
        bytes.splice(1000..1010, *b"inserted here, a bit");
        let last = bytes.len() - 7;
        bytes[last] ^= 1;
        bytes
    }

    fn old_nodes() -> Vec<(&'static str, Node)> {
        vec![
            ("app", Node::Bytes(noise(1, 200_000))),
            ("lib", Node::Folder),
            ("lib/kept", Node::Bytes(noise(2, 1000))),
            ("lib/to-move", Node::Bytes(noise(3, 1000))),
            ("lib/pkg-1.2.dist-info", Node::Folder),
            ("lib/pkg-1.2.dist-info/RECORD", Node::Bytes(noise(4, 5000))),
            ("lib/gone", Node::Bytes(noise(5, 10))),
            ("lib/file-then-folder", Node::Bytes(noise(6, 10))),
            ("lib/empty", Node::Bytes(Vec::new())),
            ("lib/grows", Node::Bytes(Vec::new())),
            ("lib/shrinks", Node::Bytes(noise(7, 100))),
        ]
    }

    fn new_nodes() -> Vec<(&'static str, Node)> {
        vec![
            ("app", Node::Bytes(changed(noise(1, 200_000)))),
            ("lib", Node::Folder),
            ("lib/kept", Node::Bytes(noise(2, 1000))),
            ("lib/moved", Node::Bytes(noise(3, 1000))),
            ("lib/moved-again", Node::Bytes(noise(3, 1000))),
            ("lib/pkg-1.3.dist-info", Node::Folder),
            (
                "lib/pkg-1.3.dist-info/RECORD",
                Node::Bytes(changed(noise(4, 5000))),
            ),
            ("lib/file-then-folder", Node::Folder),
            ("lib/file-then-folder/x", Node::Bytes(noise(8, 3000))),
            ("lib/empty", Node::Bytes(Vec::new())),
            ("lib/grows", Node::Bytes(noise(9, 50))),
            ("lib/shrinks", Node::Bytes(Vec::new())),
            #[cfg(unix)]
            ("lib/link", Node::Link("moved")),
        ]
    }

    fn bars(_: u64) -> ProgressBar {
        ProgressBar::hidden()
    }

    #[test]
    fn the_stub_makes_the_new_tree_of_the_old_one_and_the_patch_is_small() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let old = tree(&place("old"), &old_nodes());
        let new = tree(&place("new"), &new_nodes());
        let trees = [("old", &old), ("new", &new)].map(|(name, manifest)| (place(name), manifest));
        let [from, to] = trees
            .each_ref()
            .map(|(folder, manifest)| Tree { folder, manifest });
        let summary = diff(from, to, &place("patch"), bars).unwrap();
        let expected = Summary {
            kept: 2,
            changed: 2,
            moved: 3,
            new: 2,
            removed: 4,
        };
        assert_eq!(summary, expected);
        let size = std::fs::metadata(place("patch")).unwrap().len();
        assert!(size < 5000, "{size}");
        diff(from, to, &place("patch2"), bars).unwrap();
        let read = |name: &str| std::fs::read(place(name)).unwrap();
        assert_eq!(read("patch"), read("patch2"));

        let apply = |expected, work: &str| {
            create_dir_all(place(work)).unwrap();
            let patch = std::fs::File::open(place("patch")).unwrap();
            let installed = Scattered::installed(&place("old"), old.clone());
            installed.apply(patch, expected, &place(work), Rules::host(), &mut |_| true)
        };
        let wrong = apply(old.tree_hash(), "work0");
        assert!(matches!(wrong, Err(PatchError::WrongTree { .. })));
        let patched = apply(new.tree_hash(), "work").unwrap();
        create_dir_all(place("out")).unwrap();
        assert_eq!(patched.gather(&place("out"), &mut |_| true).unwrap(), new);
        for (path, entry) in &new.entries {
            if let Kind::File { size, sha256 } = entry.kind {
                let found = hash_file(&fs::join(&place("out"), path)).unwrap();
                assert_eq!(found, (size, sha256), "{path}");
            }
        }
    }

    #[test]
    fn a_patch_that_is_cut_or_damaged_anywhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        let old = tree(&place("old"), &old_nodes());
        let new = tree(&place("new"), &new_nodes());
        let (old_folder, new_folder) = (place("old"), place("new"));
        let from = Tree {
            folder: &old_folder,
            manifest: &old,
        };
        let to = Tree {
            folder: &new_folder,
            manifest: &new,
        };
        diff(from, to, &place("patch"), bars).unwrap();
        let patch = std::fs::read(place("patch")).unwrap();
        let mut tried = 0;
        let mut refused = |bytes: &[u8]| {
            tried += 1;
            let work = place(&format!("work{tried}"));
            create_dir_all(&work).unwrap();
            let installed = Scattered::installed(&place("old"), old.clone());
            let rules = Rules::host();
            let result = installed.apply(bytes, new.tree_hash(), &work, rules, &mut |_| true);
            assert!(result.is_err());
            std::fs::remove_dir_all(&work).unwrap();
        };
        for cut in (0..patch.len()).step_by(97) {
            refused(&patch[..cut]);
        }
        for at in (0..patch.len() - 8).step_by(61) {
            let mut damaged = patch.clone();
            damaged[at] ^= 0x10;
            refused(&damaged);
        }
    }

    #[test]
    fn similar_names_differ_only_in_versions_and_hashes() {
        for (one, other) in [
            (
                "numpy-1.26.4.dist-info/METADATA",
                "numpy-2.0.0.dist-info/METADATA",
            ),
            (
                "libopenblas64_p-r0-0cf96a72.so",
                "libopenblas64_p-r0-39a31c03.so",
            ),
            ("libx.so.1.2", "libx.so.1.3.1"),
        ] {
            assert_eq!(skeleton(one), skeleton(other));
        }
        assert_ne!(skeleton("a/x.py"), skeleton("b/x.py"));
    }
}
