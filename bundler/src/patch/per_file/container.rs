//! Pairs the members of an old and a new file that are to be compared as plain
//! bytes, and finds out how they were compressed.

use super::budget::Budget;
use crate::patch::members::{self, Member};
use notsotuf_stub::bundle::patch::marshal::{Layout, MarshalPredictor, Module, Walker};
use notsotuf_stub::bundle::patch::parts::Packing;
use notsotuf_stub::bundle::patch::{MAX_PLAIN_RATIO, MEMORY, most_plain};
use notsotuf_stub::bundle::recompress::{Compressor, Recipe, Recompressor};
use std::collections::{HashMap, HashSet};
use std::io::Read;

/// Holds a member that is looked into.
pub(super) struct Plain {
    /// Where it is stored.
    pub member: Member,
    /// Its plain bytes.
    pub bytes: Vec<u8>,
    /// How to compress them again: only of a new one that is compressed.
    pub recipe: Option<Recipe>,
    /// Number of the old one that it is like: only of a new one.
    pub twin: Option<usize>,
}

/// Holds the members of two files that changed, in their order.
#[derive(Default)]
pub(super) struct Changed {
    pub old: Vec<Plain>,
    pub new: Vec<Plain>,
    /// Names of members that could not be compressed again, and stay as they
    /// are.
    pub flat: Vec<String>,
    /// Whether nothing changed but the order of the members.
    pub reordered: bool,
}

/// Finds out which members of two files changed: none if one of the files is no
/// container.
pub(super) fn changed(old: &[u8], new: &[u8], budget: Budget) -> Changed {
    let mut changed = Changed::default();
    let (old_members, new_members) = (members::find(old), members::find(new));
    if old_members.is_empty() || new_members.is_empty() {
        return changed;
    }
    // What is in both files is copied as it is, wherever it went.
    let (old_contents, new_contents) = (contents(old, &old_members), contents(new, &new_members));
    changed.reordered = old != new
        && new_contents.is_subset(&old_contents)
        && order(&old_members) != order(&new_members);
    // What is between members counts as well.
    let mut most = (new.len() as u64).saturating_mul(MAX_PLAIN_RATIO - 1);
    let mut likely = Vec::new();
    for member in new_members {
        let stored = &new[member.stored.clone()];
        if old_contents.contains(stored) || budget.is_spent() {
            continue;
        }
        let Some(bytes) = plain(stored, member.packing, most) else {
            changed.flat.push(member.name);
            continue;
        };
        // At level 0 nothing is compressed, and bytes are compared as they are.
        if stored.len() > bytes.len() && member.packing != Packing::Stored {
            continue;
        }
        let recipe = match member.packing {
            Packing::Stored => None,
            packing => match recipe(&bytes, stored, packing, &mut likely) {
                None => {
                    changed.flat.push(member.name);
                    continue;
                }
                recipe => recipe,
            },
        };
        most -= bytes.len() as u64;
        changed.new.push(Plain {
            member,
            bytes,
            recipe,
            twin: None,
        });
    }
    add_old(&mut changed, old, old_members, &new_contents);
    changed
}

fn order(members: &[Member]) -> Vec<&str> {
    members.iter().map(|member| &member.name[..]).collect()
}

fn contents<'a>(file: &'a [u8], members: &[Member]) -> HashSet<&'a [u8]> {
    let content = |member: &Member| &file[member.stored.clone()];
    members.iter().map(content).collect()
}

/// Adds the old members that new ones may be made of: those of the same name,
/// and those that are gone.
fn add_old(changed: &mut Changed, old: &[u8], members: Vec<Member>, new_contents: &HashSet<&[u8]>) {
    let flat: HashSet<&str> = changed.flat.iter().map(String::as_str).collect();
    let mut most = most_plain(old.len() as u64);
    let mut found = Vec::new();
    for member in members {
        let stored = &old[member.stored.clone()];
        if new_contents.contains(stored) || flat.contains(&member.name[..]) {
            continue;
        }
        let Some(bytes) = plain(stored, member.packing, most) else {
            continue;
        };
        most -= bytes.len() as u64;
        found.push(Plain {
            member,
            bytes,
            recipe: None,
            twin: None,
        });
    }
    let names: HashMap<&str, usize> = found
        .iter()
        .enumerate()
        .map(|(n, old)| (&old.member.name[..], n))
        .collect();
    for new in &mut changed.new {
        new.twin = names.get(&new.member.name[..]).copied();
    }
    changed.old = found;
}

/// Returns a member's plain bytes; `None` if it does not inflate, or not to less
/// than `most` bytes.
pub(super) fn plain(stored: &[u8], packing: Packing, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let (read, used) = match packing {
        Packing::Stored => return Some(stored.to_vec()).filter(|b| b.len() as u64 <= most),
        Packing::Zlib => {
            let mut inflate = flate2::bufread::ZlibDecoder::new(stored);
            let read = (&mut inflate).take(most).read_to_end(&mut bytes);
            (read, inflate.total_in())
        }
        Packing::Deflate => {
            let mut inflate = flate2::bufread::DeflateDecoder::new(stored);
            let read = (&mut inflate).take(most).read_to_end(&mut bytes);
            (read, inflate.total_in())
        }
    };
    // What has as many bytes may have been cut.
    let whole = used == stored.len() as u64 && (bytes.len() as u64) < most;
    (read.is_ok() && whole).then_some(bytes)
}

/// Finds out how `stored` was made of `plain`; `None` if no recipe does it.
/// Recipes that were right before, the last one first, are tried before others.
fn recipe(
    plain: &[u8],
    stored: &[u8],
    packing: Packing,
    likely: &mut Vec<Recipe>,
) -> Option<Recipe> {
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
    let found = tried
        .iter()
        .copied()
        .chain(others)
        .find(|&recipe| makes(recipe, plain, stored))?;
    likely.retain(|recipe| *recipe != found);
    likely.push(found);
    Some(found)
}

/// Returns whether a recipe makes `stored` of `plain`.
fn makes(recipe: Recipe, plain: &[u8], stored: &[u8]) -> bool {
    const PIECE: usize = 1 << 16;
    let mut output = Vec::new();
    let mut done = 0;
    let mut stream = Recompressor::new(recipe, plain.len() as u64, &mut output);
    if !stored.starts_with(&output) {
        return false;
    }
    for piece in plain.chunks(PIECE) {
        stream.write(piece, &mut output);
        let rest = &stored[done..];
        if rest.get(..output.len()) != Some(&output[..]) {
            return false;
        }
        done += output.len();
        output.clear();
    }
    stream.finish(&mut output);
    stored[done..] == output
}

/// Returns how two marshalled modules are laid out, the new of which is to be
/// predicted from the old one; `None` if one of them is none, or that takes a
/// client too much memory.
pub(super) fn modules(old: &[u8], new: &[u8]) -> Option<Module> {
    if old.len() as u64 > MarshalPredictor::MAX_SIZE {
        return None;
    }
    let known = module(old).filter(|known| module(new) == Some(*known))?;
    // The streams of the patch have to fit, too.
    MarshalPredictor::new(old, known, MEMORY / 4).map(|_| known)
}

/// Returns how a marshalled module is laid out; `None` if `bytes` are none.
fn module(bytes: &[u8]) -> Option<Module> {
    const PYC_HEADER: usize = 16;
    // A module, or a table of them.
    let is_code = |at: usize| matches!(bytes.get(at).map(|first| first & 0x7f), Some(b'c' | b'['));
    // The magic number of a file ends with a line.
    let is_file = bytes.get(2..4) == Some(b"\r\n") && is_code(PYC_HEADER);
    if !is_file && !is_code(0) {
        return None;
    }
    let modules = Layout::ALL.map(|layout| Module { layout, is_file });
    modules.into_iter().find(|&module| {
        let mut walker = Walker::new(module);
        for &byte in bytes {
            walker.feed(byte);
        }
        walker.is_complete()
    })
}
