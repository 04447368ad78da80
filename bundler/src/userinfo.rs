//! Takes names and passwords out of addresses before they are shown: what is
//! shown ends in the logs of CI.

use std::borrow::Cow;

/// Stands for what is not shown.
const HIDDEN: &str = "…";

/// Returns a text without what is before the `@` of addresses in it.
pub(crate) fn hidden(text: &str) -> Cow<'_, str> {
    const START: &str = "://";
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(START) {
        let (before, after) = rest.split_at(at + START.len());
        shown.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || "/?#'\"`<>".contains(c));
        let authority = &after[..end.unwrap_or(after.len())];
        rest = after;
        if let Some(at) = authority.rfind('@') {
            shown.push_str(HIDDEN);
            rest = &after[at..];
        }
    }
    if shown.contains(HIDDEN) {
        Cow::Owned(shown + rest)
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns a destination that is none as it may be shown: without its query, and
/// without whatever could be a password in it.
pub(crate) fn hidden_in_destination(text: &str) -> String {
    let start = text.find("://").map_or(0, |at| at + 3);
    let (scheme, rest) = text.split_at(start);
    let rest = match scheme {
        "" => rest,
        _ => rest.split(['?', '#']).next().unwrap_or_default(),
    };
    match rest.rfind('@') {
        // A name alone is where rsync has one.
        Some(at) if !scheme.is_empty() || rest[..at].contains(':') => {
            format!("{scheme}{HIDDEN}{}", &rest[at..])
        }
        _ => format!("{scheme}{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_before_the_at_of_an_address_is_shown() {
        for (text, shown) in [
            ("https://me:pw@h/x", "https://…@h/x"),
            (
                "'http://me@h' and s3://a:b@c/@d: e",
                "'http://…@h' and s3://…@c/@d: e",
            ),
            ("https://h/a@b and me@h", "https://h/a@b and me@h"),
            ("://@", "://…@"),
            ("", ""),
        ] {
            assert_eq!(hidden(text), shown);
        }
        for (text, shown) in [
            ("https://me:p/w@h/x?sig=secret", "https://…@h/x"),
            ("me:p/w@h:/srv", "…@h:/srv"),
            ("me@h:/srv", "me@h:/srv"),
            ("ftp://h/x#y", "ftp://h/x"),
        ] {
            assert_eq!(hidden_in_destination(text), shown);
        }
    }
}
