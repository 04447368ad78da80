//! Pairs the members of an old and a new file that are to be compared as plain
//! bytes, and finds out how they were compressed.

use super::work::Work;
use crate::patch::bytes::{Bytes, Spool};
use crate::patch::members::{self, Member};
use notsotuf_stub::bundle::patch::marshal::{Layout, MarshalPredictor, Module, Walker};
use notsotuf_stub::bundle::patch::parts::Packing;
use notsotuf_stub::bundle::patch::{MAX_INFLATED, MAX_PLAIN_RATIO, MEMORY, most_plain};
use notsotuf_stub::bundle::recompress::{Compressor, Recipe, Recompressor};
use notsotuf_stub::fs::FsError;
use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{DefaultHasher, Hasher};
use std::io::{self, Read};
use std::ops::Range;

/// Plain bytes of the members of a file that stay in memory.
const IN_MEMORY: usize = 8 << 20;

/// Holds a member that is looked into.
pub(super) struct Plain {
    /// Where it is stored.
    pub member: Member,
    /// Its plain bytes.
    pub bytes: Bytes,
    /// How to compress them again: only of a new one that is compressed.
    pub recipe: Option<Recipe>,
    /// Number of the old one that it is like: only of a new one.
    pub counterpart: Option<usize>,
}

/// Says why a member that changed is compared as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It is damaged, or not what the container says.
    NotInflated,
    /// It is more than a client may inflate or compress for a file of that size.
    TooLarge,
    /// No compressor makes these bytes of its plain ones.
    Compressor,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Why::NotInflated => "it cannot be inflated",
            Why::TooLarge => "it is larger than a client may inflate",
            Why::Compressor => "neither zlib nor zlib-ng compresses it to these bytes",
        })
    }
}

/// Names a member that is compared as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flat {
    /// What the container calls it.
    pub name: String,
    /// Why it is not looked into.
    pub why: Why,
}

impl Flat {
    fn new(member: Member, why: Why) -> Self {
        let name = member.name;
        Flat { name, why }
    }
}

/// Holds the members of two files that changed, in their order.
#[derive(Default)]
pub(super) struct Changed {
    pub old: Vec<Plain>,
    pub new: Vec<Plain>,
    /// Members that are compared as they are.
    pub flat: Vec<Flat>,
    /// Whether nothing changed but the order of the members.
    pub reordered: bool,
}

/// Collects the plain bytes of members.
struct Collected<'a> {
    spool: Spool<'a>,
    /// Where those of each are; `None` if they are stored plain.
    places: Vec<Option<Range<usize>>>,
}

impl<'a> Collected<'a> {
    fn new(work: &Work<'a>) -> Self {
        Collected {
            spool: Spool::new(work.scratch, IN_MEMORY),
            places: Vec::new(),
        }
    }

    fn add(&mut self, member: &Member, bytes: &Bytes) -> Result<(), FsError> {
        if member.packing == Packing::Stored {
            self.places.push(None);
            return Ok(());
        }
        let start = self.spool.len();
        self.spool.append(bytes)?;
        self.places.push(Some(start..self.spool.len()));
        Ok(())
    }

    /// Gives them to the members, which are those of `file`.
    fn finish(self, file: &Bytes, members: &mut [Plain]) -> Result<(), FsError> {
        let spooled = self.spool.finish()?;
        for (member, place) in members.iter_mut().zip(self.places) {
            member.bytes = match place {
                Some(place) => spooled.slice(place),
                None => file.slice(member.member.stored.clone()),
            };
        }
        Ok(())
    }
}

/// Finds out which members of two files changed: none if one of the files is no
/// container.
///
/// # Errors
/// The file system's.
pub(super) fn changed(old: &Bytes, new: &Bytes, work: &Work) -> Result<Changed, FsError> {
    let mut changed = Changed::default();
    let (old_members, new_members) = (members::find(old), members::find(new));
    if old_members.is_empty() || new_members.is_empty() {
        return Ok(changed);
    }
    // What is in both files is copied as it is, wherever it went.
    let old_contents = contents(old, &old_members)?;
    let new_contents = contents(new, &new_members)?;
    let (in_old, in_new) = (
        old_contents.iter().copied().collect::<HashSet<_>>(),
        new_contents.iter().copied().collect::<HashSet<_>>(),
    );
    changed.reordered = in_new.is_subset(&in_old) && order(&old_members) != order(&new_members);
    // What is between members counts as well.
    let mut most = (new.len() as u64).saturating_mul(MAX_PLAIN_RATIO - 1);
    let mut likely = Vec::new();
    let mut collected = Collected::new(work);
    for (member, content) in new_members.into_iter().zip(new_contents) {
        if in_old.contains(&content) || work.budget.is_spent() {
            continue;
        }
        let stored = new.slice(member.stored.clone());
        let bytes = match plain(&stored, member.packing, most, work)? {
            Ok(bytes) => bytes,
            Err(why) => {
                changed.flat.push(Flat::new(member, why));
                continue;
            }
        };
        // At level 0 nothing is compressed, and bytes are compared as they are.
        if stored.len() > bytes.len() && member.packing != Packing::Stored {
            continue;
        }
        let recipe = match member.packing {
            Packing::Stored => None,
            packing => match recipe(&bytes, &stored, packing, &mut likely)? {
                Err(why) => {
                    changed.flat.push(Flat::new(member, why));
                    continue;
                }
                Ok(recipe) => Some(recipe),
            },
        };
        most -= bytes.len() as u64;
        collected.add(&member, &bytes)?;
        changed.new.push(Plain {
            member,
            bytes: Bytes::default(),
            recipe,
            counterpart: None,
        });
    }
    collected.finish(new, &mut changed.new)?;
    let old_members = old_members.into_iter().zip(old_contents);
    let gone = old_members.filter(|(_, content)| !in_new.contains(content));
    add_old(&mut changed, old, gone.map(|(member, _)| member), work)?;
    Ok(changed)
}

fn order(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| &member.name[..]).collect()
}

/// Returns what tells the content of each member from all others.
fn contents(file: &Bytes, members: &[Member]) -> Result<Vec<(usize, u64)>, FsError> {
    let content = |member: &Member| {
        let stored = file.slice(member.stored.clone());
        let mut hash = DefaultHasher::new();
        for chunk in stored.chunks() {
            hash.write(&chunk?);
        }
        Ok((stored.len(), hash.finish()))
    };
    members.iter().map(content).collect()
}

/// Adds the old members that new ones may be made of: those of the same name,
/// and those that are gone.
fn add_old(
    changed: &mut Changed,
    old: &Bytes,
    members: impl Iterator<Item = Member>,
    work: &Work,
) -> Result<(), FsError> {
    let flat: HashSet<&str> = changed.flat.iter().map(|flat| &flat.name[..]).collect();
    let mut most = most_plain(old.len() as u64).min(MAX_INFLATED);
    let mut found = Vec::new();
    let mut collected = Collected::new(work);
    for member in members.filter(|member| !flat.contains(&member.name[..])) {
        let stored = old.slice(member.stored.clone());
        let Ok(bytes) = plain(&stored, member.packing, most, work)? else {
            continue;
        };
        most -= bytes.len() as u64;
        collected.add(&member, &bytes)?;
        found.push(Plain {
            member,
            bytes: Bytes::default(),
            recipe: None,
            counterpart: None,
        });
    }
    collected.finish(old, &mut found)?;
    let names: HashMap<&str, usize> = found
        .iter()
        .enumerate()
        .map(|(n, old)| (&old.member.name[..], n))
        .collect();
    for new in &mut changed.new {
        new.counterpart = names.get(&new.member.name[..]).copied();
    }
    changed.old = found;
    Ok(())
}

/// Returns a member's plain bytes, or why there are none: it does not inflate, or
/// not to less than `most` bytes.
pub(super) fn plain(
    stored: &Bytes,
    packing: Packing,
    most: u64,
    work: &Work,
) -> Result<Result<Bytes, Why>, FsError> {
    const ONE_IN_MEMORY: usize = 1 << 20;
    let input = io::BufReader::new(stored.reader());
    let mut spool = Spool::new(work.scratch, ONE_IN_MEMORY);
    let (read, used) = match packing {
        Packing::Stored => {
            let fits = stored.len() as u64 <= most;
            return Ok(fits.then(|| stored.clone()).ok_or(Why::TooLarge));
        }
        Packing::Zlib => {
            let mut inflate = flate2::bufread::ZlibDecoder::new(input);
            let read = copy(&mut (&mut inflate).take(most), &mut spool)?;
            (read, inflate.total_in())
        }
        Packing::Deflate => {
            let mut inflate = flate2::bufread::DeflateDecoder::new(input);
            let read = copy(&mut (&mut inflate).take(most), &mut spool)?;
            (read, inflate.total_in())
        }
    };
    // What has as many bytes may have been cut.
    if spool.len() as u64 >= most {
        return Ok(Err(Why::TooLarge));
    }
    if !read || used != stored.len() as u64 {
        return Ok(Err(Why::NotInflated));
    }
    spool.finish().map(Ok)
}

/// Copies all that can be read. Returns whether that went well.
fn copy(from: &mut dyn Read, to: &mut Spool) -> Result<bool, FsError> {
    let mut buffer = vec![0; 1 << 16];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(true),
            Ok(n) => to.push(&buffer[..n])?,
            Err(_) => return Ok(false),
        }
    }
}

/// Finds out how `stored` was made of `plain`, or says why there is no recipe.
/// Recipes that were right before, the last one first, are tried before others.
fn recipe(
    plain: &Bytes,
    stored: &Bytes,
    packing: Packing,
    likely: &mut Vec<Recipe>,
) -> Result<Result<Recipe, Why>, FsError> {
    let wrapped = packing == Packing::Zlib;
    let fits = |recipe: &Recipe| recipe.weight(plain.len() as u64) <= MEMORY / 2;
    let levels = [6, 9, 1, 5, 4, 3, 2, 7, 8];
    let all = Compressor::ALL.into_iter();
    let all = all.flat_map(|compressor| {
        levels.map(|level| Recipe {
            compressor,
            level,
            wrapped,
        })
    });
    let tried: Vec<Recipe> = likely
        .iter()
        .rev()
        .copied()
        .filter(|r| r.wrapped == wrapped && fits(r))
        .collect();
    let others = all.filter(|recipe| fits(recipe) && !tried.contains(recipe));
    for found in tried.iter().copied().chain(others) {
        if makes(found, plain, stored)? {
            likely.retain(|recipe| *recipe != found);
            likely.push(found);
            return Ok(Ok(found));
        }
    }
    Ok(Err(Why::Compressor))
}

/// Returns whether a recipe makes `stored` of `plain`.
fn makes(recipe: Recipe, plain: &Bytes, stored: &Bytes) -> Result<bool, FsError> {
    const PIECE: usize = 1 << 16;
    let mut output = Vec::new();
    let mut stored_at = 0;
    let mut is_next = |output: &mut Vec<u8>| {
        let end = stored_at + output.len();
        let right = end <= stored.len() && *stored.get(stored_at..end)? == output[..];
        stored_at = end;
        output.clear();
        Ok::<_, FsError>(right)
    };
    let mut stream = Recompressor::new(recipe, plain.len() as u64, &mut output);
    if !is_next(&mut output)? {
        return Ok(false);
    }
    for chunk in plain.chunks() {
        for piece in chunk?.chunks(PIECE) {
            stream.write(piece, &mut output);
            if !is_next(&mut output)? {
                return Ok(false);
            }
        }
    }
    stream.finish(&mut output);
    Ok(is_next(&mut output)? && stored_at == stored.len())
}

/// Returns how two marshalled modules are laid out, the new of which is to be
/// predicted from the old one; `None` if one of them is none, or that takes a
/// client too much memory.
///
/// # Errors
/// The file system's.
pub(super) fn modules(old: &Bytes, new: &Bytes) -> Result<Option<Module>, FsError> {
    let Some(old) = possible_module(old)? else {
        return Ok(None);
    };
    let Some(new) = possible_module(new)? else {
        return Ok(None);
    };
    let known = module(&old).filter(|known| module(&new) == Some(*known));
    // The streams of the patch have to fit, too.
    Ok(known.filter(|known| MarshalPredictor::new(&old, *known, MEMORY / 4).is_some()))
}

/// Counts the bytes before the object of a file that holds a module.
const PYC_HEADER: usize = 16;

/// Returns what may be a marshalled module.
fn possible_module(bytes: &Bytes) -> Result<Option<Cow<'_, [u8]>>, FsError> {
    let head = bytes.get(0..bytes.len().min(PYC_HEADER + 1))?;
    if bytes.len() as u64 > MarshalPredictor::MAX_SIZE || is_module(&head).is_none() {
        return Ok(None);
    }
    bytes.all().map(Some)
}

/// Returns whether a module is a file of its own; `None` if it is none, as its
/// beginning shows.
fn is_module(bytes: &[u8]) -> Option<bool> {
    // A module, or a table of them.
    let is_code = |at: usize| matches!(bytes.get(at).map(|first| first & 0x7f), Some(b'c' | b'['));
    // The magic number of a file ends with a line.
    let is_file = bytes.get(2..4) == Some(b"\r\n") && is_code(PYC_HEADER);
    (is_file || is_code(0)).then_some(is_file)
}

/// Returns how a marshalled module is laid out; `None` if `bytes` are none.
fn module(bytes: &[u8]) -> Option<Module> {
    let is_file = is_module(bytes)?;
    let modules = Layout::ALL.map(|layout| Module { layout, is_file });
    modules.into_iter().find(|&module| {
        let mut walker = Walker::new(module);
        for &byte in bytes {
            walker.feed(byte);
        }
        walker.is_complete()
    })
}
