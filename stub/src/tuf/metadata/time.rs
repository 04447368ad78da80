//! Reads and writes the times of metadata.

/// Counts seconds since 1970-01-01T00:00:00Z; the only form of time in this
/// module, always handed in.
pub type UnixTime = i64;

/// Reads `YYYY-MM-DDTHH:MM:SSZ` (section 4.2), nothing looser.
pub fn parse_time(text: &str) -> Option<UnixTime> {
    if text.len() != 20 || !text.ends_with('Z') || text.as_bytes()[10] != b'T' {
        return None;
    }
    time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc3339)
        .ok()
        .map(time::OffsetDateTime::unix_timestamp)
}

/// Writes a time the way [`parse_time`] reads it; out-of-range times come out
/// as a number of seconds.
pub fn format_time(seconds: UnixTime) -> String {
    time::OffsetDateTime::from_unix_timestamp(seconds)
        .ok()
        .and_then(|t| {
            t.format(&time::format_description::well_known::Rfc3339)
                .ok()
        })
        .unwrap_or_else(|| format!("{seconds} s"))
}
