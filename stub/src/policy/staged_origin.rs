//! Says where a staged update is from, if its content alone does not say: the
//! metadata gives no tree hash for it, or it is no update but the way back.

const HEADER: &str = "notsotuf-origin 1";

/// Says why a bundle is staged. On disk, beside it:
///
/// ```text
/// notsotuf-origin 1
/// record <SHA-256 of the record of the bundle meant>
/// target <algorithm> <hash of the target> <target path>
/// ```
///
/// or `back-from <SHA-256 of the record of the installed bundle>` as the last line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The hash of the record.
    pub record: String,
    /// How it came there.
    pub why: Why,
}

/// Says how a bundle came into the staging area.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// Out of this target, which was verified then.
    Target {
        /// Target path.
        path: String,
        /// Name of the hash function.
        algorithm: String,
        /// Its hash, as it was signed.
        hash: String,
    },
    /// It is the previous version, and takes the place of the bundle with this
    /// record.
    BackFrom(String),
}

impl Origin {
    /// Returns the origin as text.
    pub fn to_text(&self) -> String {
        let record = &self.record;
        let why = match &self.why {
            Why::Target {
                path,
                algorithm,
                hash,
            } => format!("target {algorithm} {hash} {path}"),
            Why::BackFrom(from) => format!("back-from {from}"),
        };
        format!("{HEADER}\nrecord {record}\n{why}\n")
    }

    /// Reads the text; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix(HEADER)?.strip_prefix("\nrecord ")?;
        let (record, rest) = rest.split_once('\n')?;
        let why = rest.strip_suffix('\n')?;
        let why = match why.split_once(' ')? {
            ("back-from", from) => Why::BackFrom(from.into()),
            ("target", rest) => {
                let mut parts = rest.splitn(3, ' ').map(str::to_owned);
                Why::Target {
                    algorithm: parts.next()?,
                    hash: parts.next()?,
                    path: parts.next()?,
                }
            }
            _ => return None,
        };
        Some(Origin {
            record: record.into(),
            why,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_read_back_as_it_was_written() {
        let target = Why::Target {
            path: "some folder/app-1.0.tar.gz".into(),
            algorithm: "sha256".into(),
            hash: "abcd".into(),
        };
        for why in [target, Why::BackFrom("1234".into())] {
            let origin = Origin {
                record: "cafe".into(),
                why,
            };
            let text = origin.to_text();
            assert_eq!(Origin::parse(&text), Some(origin));
            assert_eq!(Origin::parse(&text.replace("origin 1", "origin 2")), None);
            assert_eq!(Origin::parse(&text[..text.len() - 6]), None, "{text}");
        }
    }
}
