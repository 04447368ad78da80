//! Which clients a release is for that is rolled out step by step.

use crate::catalog::custom::Rollout;

impl Rollout {
    /// Whether the client with this id is among those that are to have it.
    /// Who is stays so when the percentage grows.
    pub fn includes(&self, client: &str) -> bool {
        let text = format!("{}:{client}", self.salt);
        let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
        let first: [u8; 8] = hash.as_ref()[..8].try_into().expect("32 bytes");
        u64::from_be_bytes(first) % 100 < self.percent
    }
}
