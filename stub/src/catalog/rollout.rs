//! Decides which clients get a release that is rolled out step by step.

use crate::catalog::custom::Rollout;

impl Rollout {
    /// Returns whether the client with this id is among those that get the
    /// release. A client that is included stays included as the percentage
    /// grows.
    pub fn includes(&self, client: &str) -> bool {
        let text = format!("{}:{client}", self.salt);
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let first: [u8; 8] = hash.as_ref()[..8].try_into().expect("32 bytes");
        u64::from_be_bytes(first) % 100 < self.percent
    }
}
