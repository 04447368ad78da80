//! Percent-encodes names that metadata brings.

/// Percent-encodes a name as one segment of a path: everything that is not
/// unreserved (RFC 3986 section 2.3), slashes included. Role names come from
/// metadata and must not steer a URL or a file name elsewhere.
pub fn percent_encode(name: &str) -> String {
    encode(name, is_unreserved)
}

/// Percent-encodes a target path but for the slashes between its segments.
pub fn percent_encode_path(path: &str) -> String {
    encode(path, |byte| is_unreserved(byte) || byte == b'/')
}

/// RFC 3986 section 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~".contains(&byte)
}

fn encode(text: &str, is_kept: fn(u8) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if is_kept(byte) {
            out.push(byte as char);
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}
