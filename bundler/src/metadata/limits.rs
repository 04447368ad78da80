//! Limits how large metadata may become. Clients refuse what is larger, and
//! then nothing that is published reaches them any more, so it is not
//! published.

use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::tuf::Limits;
use serde_json::{Map, Value};

/// Limits what is read here: what is too large for clients already must still
/// be open to fixing.
pub(crate) const READ: u64 = 64 << 20;
/// Percentage of the bound from which on `publish` warns.
const WARN_FROM: u64 = 60;
/// What signatures, expiry date and the like take.
const FRAME: u64 = 4096;
/// Limits what `add --meta` and `add --notes` may take: every client fetches
/// those of every release, each time one of them changes.
pub(crate) const PER_RELEASE: u64 = 16 << 10;

/// Describes targets metadata that clients would refuse.
#[derive(Debug, thiserror::Error)]
#[error(
    "targets metadata would have {}, but clients refuse more than {}: nothing is published. \
     `notsotuf prune --keep N` drops old releases (take a smaller N if you already did); --meta \
     and --notes of each release count, too",
    bytes(*size), bytes(bound())
)]
pub(crate) struct TooLarge {
    /// Their size.
    pub size: u64,
}

/// Returns the limit of clients.
pub(crate) fn bound() -> u64 {
    Limits::default().targets
}

/// Returns a warning about metadata of these targets that are not signed yet.
pub(crate) fn warning(entries: &Map<String, Value>) -> Option<String> {
    let size = serde_json::to_vec(entries).map_or(0, |text| text.len() as u64) + FRAME;
    said(size)
}

pub(crate) fn said(size: u64) -> Option<String> {
    let percent = size.saturating_mul(100) / bound();
    let over = match percent {
        ..WARN_FROM => return None,
        WARN_FROM..100 => "and it grows with each release",
        _ => "and is not published like that",
    };
    Some(format!(
        "targets metadata has {}, {percent} % of what clients read ({}), {over}; `notsotuf prune` \
         drops old releases",
        bytes(size),
        bytes(bound())
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_before_it_is_too_late() {
        assert_eq!(said(bound() * 59 / 100), None);
        assert!(said(bound() * 60 / 100).unwrap().contains("60 %"));
        assert!(said(bound() - 1).unwrap().contains("99 %"));
        assert!(said(bound()).unwrap().contains("prune"));
    }
}
