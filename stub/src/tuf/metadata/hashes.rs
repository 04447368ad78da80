//! Keeps the hashes of a file, by algorithm.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::collections::BTreeMap;

/// Holds hexadecimal hashes by algorithm. There is one set for each file that
/// is listed, so it is kept small.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hashes(Box<[(Box<str>, Box<str>)]>);

impl Hashes {
    /// Returns the hash of this algorithm.
    pub fn get(&self, algorithm: &str) -> Option<&str> {
        let found = self.0.iter().find(|(name, _)| **name == *algorithm);
        found.map(|(_, hash)| &**hash)
    }

    /// Returns the hashes, sorted by algorithm.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(_, hash)| &**hash)
    }

    /// Returns the hashes with their algorithms, sorted by these.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, hash)| (&**name, &**hash))
    }

    /// Returns whether there are no hashes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(String, String)> for Hashes {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(hashes: I) -> Self {
        let sorted: BTreeMap<_, _> = hashes.into_iter().collect();
        Hashes(
            sorted
                .into_iter()
                .map(|(a, h)| (a.into(), h.into()))
                .collect(),
        )
    }
}

impl<'de> Deserialize<'de> for Hashes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        BTreeMap::<String, String>::deserialize(deserializer).map(Self::from_iter)
    }
}

impl Serialize for Hashes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, hash)| (name, hash)))
    }
}
