//! Tells the time.

use crate::tuf::UnixTime;
use std::time::SystemTime;

/// Returns the current time, for expiry checks.
pub fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() as UnixTime)
}
