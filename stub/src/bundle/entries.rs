//! Keeps the entries of a tree in little memory: there may be 200,000 of them,
//! and those that come in order lie as closely as in one list.

use crate::bundle::entry::Entry;
use std::iter::{Flatten, Map};
use std::ops::Index;
use std::{fmt, slice};

/// The most entries of one part of the list.
const PART: usize = 256;

/// By how many entries a part that is not small any more grows.
const STEP: usize = 32;

type Item = (String, Entry);

/// Maps paths to entries, sorted by the bytes of the paths: what of a
/// `BTreeMap` is needed. Nodes of that are half empty when they are filled in
/// order, which is how archives and records come.
#[derive(Clone, Default)]
pub struct Entries {
    /// None of them empty.
    parts: Vec<Vec<Item>>,
    count: usize,
}

/// Iterates over paths and entries, in order.
type Iter<'a> = Map<Flatten<slice::Iter<'a, Vec<Item>>>, fn(&'a Item) -> (&'a String, &'a Entry)>;

impl Entries {
    /// Returns the number of entries.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Returns whether there are no entries.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Iterates over paths and entries, in order.
    pub fn iter(&self) -> Iter<'_> {
        let pair: fn(&Item) -> (&String, &Entry) = |(path, entry)| (path, entry);
        self.parts.iter().flatten().map(pair)
    }

    /// Returns the paths, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &String> + Clone {
        self.iter().map(|(path, _)| path)
    }

    /// Returns the entries, in the order of their paths.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &Entry> + Clone {
        self.iter().map(|(_, entry)| entry)
    }

    /// Returns the entries for changing them.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Entry> {
        self.parts.iter_mut().flatten().map(|(_, entry)| entry)
    }

    /// Returns the last path and its entry.
    pub fn last_key_value(&self) -> Option<(&String, &Entry)> {
        let (path, entry) = self.parts.last()?.last()?;
        Some((path, entry))
    }

    /// The part that has `path`, or would have it, and the place in it.
    fn find(&self, path: &str) -> (usize, Result<usize, usize>) {
        let after = |part: &Vec<Item>| part.first().is_some_and(|(first, _)| **first <= *path);
        let part = self.parts.partition_point(after).saturating_sub(1);
        let place = match self.parts.get(part) {
            Some(items) => items.binary_search_by(|(known, _)| known.as_str().cmp(path)),
            None => Err(0),
        };
        (part, place)
    }

    /// Returns the entry at a path.
    pub fn get<Q: AsRef<str> + ?Sized>(&self, path: &Q) -> Option<&Entry> {
        let (part, place) = self.find(path.as_ref());
        let place = place.ok()?;
        Some(&self.parts[part][place].1)
    }

    /// Returns whether there is an entry at a path.
    pub fn contains_key<Q: AsRef<str> + ?Sized>(&self, path: &Q) -> bool {
        self.get(path).is_some()
    }

    /// Puts an entry at a path, and returns what was there before.
    pub fn insert(&mut self, path: String, entry: Entry) -> Option<Entry> {
        let (part, place) = self.find(&path);
        let place = match place {
            Ok(place) => return Some(std::mem::replace(&mut self.parts[part][place].1, entry)),
            Err(place) => place,
        };
        self.count += 1;
        let last = self.parts.len().saturating_sub(1);
        let Some(items) = self.parts.get_mut(part) else {
            self.parts.push(vec![(path, entry)]);
            return None;
        };
        if items.len() < PART {
            put(items, place, (path, entry));
        } else if part == last && place == PART {
            self.parts.push(vec![(path, entry)]);
        } else if place == 0 {
            self.parts.insert(part, vec![(path, entry)]);
        } else {
            let mut rest = items.split_off(PART / 2);
            items.shrink_to_fit();
            match place.checked_sub(PART / 2) {
                Some(place) => put(&mut rest, place, (path, entry)),
                None => put(items, place, (path, entry)),
            }
            self.parts.insert(part + 1, rest);
        }
        None
    }

    /// Takes the entry at a path away.
    pub fn remove<Q: AsRef<str> + ?Sized>(&mut self, path: &Q) -> Option<Entry> {
        let (part, place) = self.find(path.as_ref());
        let place = place.ok()?;
        let (_, entry) = self.parts[part].remove(place);
        self.count -= 1;
        if self.parts[part].is_empty() {
            self.parts.remove(part);
        }
        Some(entry)
    }
}

/// Inserts with little room to spare, however the items come.
fn put(items: &mut Vec<Item>, place: usize, item: Item) {
    if items.len() == items.capacity() && items.len() >= STEP {
        items.reserve_exact(STEP);
    }
    items.insert(place, item);
}

impl PartialEq for Entries {
    fn eq(&self, other: &Self) -> bool {
        self.count == other.count && self.iter().eq(other.iter())
    }
}

impl Eq for Entries {}

impl fmt::Debug for Entries {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<Q: AsRef<str> + ?Sized> Index<&Q> for Entries {
    type Output = Entry;

    fn index(&self, path: &Q) -> &Entry {
        self.get(path).expect("there is an entry at that path")
    }
}

impl FromIterator<Item> for Entries {
    fn from_iter<I: IntoIterator<Item = Item>>(items: I) -> Self {
        let mut entries = Entries::default();
        for (path, entry) in items {
            entries.insert(path, entry);
        }
        entries
    }
}

impl<'a> IntoIterator for &'a Entries {
    type Item = (&'a String, &'a Entry);
    type IntoIter = Iter<'a>;

    fn into_iter(self) -> Iter<'a> {
        self.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::EntryKind;
    use std::collections::BTreeMap;

    /// It must do what a `BTreeMap` does, in any order.
    #[test]
    fn does_what_a_map_does() {
        let mut seed = 1u32;
        let mut random = |below: u32| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 8) % below
        };
        let entry = |mode| Entry {
            kind: EntryKind::Dir,
            mode,
        };
        for range in [3, 700, 5000] {
            let (mut ours, mut theirs) = (Entries::default(), BTreeMap::new());
            for step in 0..6000 {
                let path = format!("p{}", random(range));
                if random(3) == 0 {
                    assert_eq!(ours.remove(&path), theirs.remove(&path));
                } else {
                    let new = entry(step);
                    assert_eq!(
                        ours.insert(path.clone(), new.clone()),
                        theirs.insert(path, new)
                    );
                }
                let asked = format!("p{}", random(range));
                assert_eq!(ours.get(&asked), theirs.get(&asked));
                assert_eq!(ours.len(), theirs.len());
                assert_eq!(ours.last_key_value(), theirs.last_key_value());
            }
            assert!(ours.iter().eq(theirs.iter()));
            assert!(ours.iter().rev().eq(theirs.iter().rev()));
            assert_eq!(ours, theirs.clone().into_iter().collect());
            for path in theirs.keys() {
                assert!(ours.remove(path).is_some());
            }
            assert!(ours.is_empty() && ours.iter().next().is_none());
        }
    }

    #[test]
    fn what_comes_in_order_lies_closely() {
        let entry = Entry {
            kind: EntryKind::Dir,
            mode: 0o755,
        };
        let entries: Entries = (0..10 * PART)
            .map(|n| (format!("{n:09}"), entry.clone()))
            .collect();
        assert_eq!(entries.parts.len(), 10);
    }
}
