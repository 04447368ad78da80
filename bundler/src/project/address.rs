//! Addresses at which clients fetch the repository.

use super::github::{self, GitHubPlace};
use crate::userinfo::hidden_in_destination;
use url::Url;

/// Checks an address on the command line of `init`, which may name a place at
/// GitHub, too, and returns it as it is.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_new(text: &str) -> Result<String, String> {
    let Some(rest) = text.strip_prefix(github::SCHEME) else {
        return check(text);
    };
    match GitHubPlace::parse(rest) {
        Some(place) => Ok(place.to_string()),
        None => Err(format!(
            "{text:?} names no repository; expected {}",
            github::FORM
        )),
    }
}

/// What `upload` takes and clients do not.
const DESTINATIONS: [&str; 6] = ["s3:", "gs:", "az:", "rsync:", "file:", github::SCHEME];

/// Checks an address that is on the command line or in the settings, and
/// returns it as it is.
///
/// # Errors
/// What is wrong with it, and what would do.
pub(crate) fn check(text: &str) -> Result<String, String> {
    const EXAMPLE: &str = "such as https://example.com/updates";
    let shown = hidden_in_destination(text);
    if text.is_empty() {
        return Err(format!("it is empty; expected an address {EXAMPLE}"));
    }
    if text
        .chars()
        .any(|c| c.is_whitespace() || c.is_control() || c == '\\')
    {
        return Err(format!(
            "{shown:?} has a space, a backslash or a control character in it, which an address \
             cannot have; write a space as %20"
        ));
    }
    let lower = text.to_ascii_lowercase();
    let scheme = ["https://", "http://"]
        .iter()
        .find(|scheme| lower.starts_with(**scheme));
    let Some(scheme) = scheme else {
        return Err(without_scheme(&shown, &shown.to_ascii_lowercase()));
    };
    let url = Url::parse(text).map_err(|e| format!("{shown:?} is not an address: {e}"))?;
    // `https:///a` would be taken for `https://a`.
    if text[scheme.len()..].starts_with('/') || url.host_str().is_none_or(str::is_empty) {
        return Err(format!(
            "{shown:?} names no server; it should be one {EXAMPLE}"
        ));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "it has a name or a password in it, which every user would get; `authorization` in the \
             stub's settings is for that"
                .into(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!(
            "{shown:?} has a ? or a # after it; /metadata/… and /targets/… are put after it"
        ));
    }
    Ok(text.into())
}

fn without_scheme(text: &str, lower: &str) -> String {
    let place = DESTINATIONS.iter().any(|scheme| lower.starts_with(scheme));
    if place || text.starts_with(['/', '.', '~']) {
        return format!(
            "clients fetch by https:// or http://; {text:?} is for `upload`, which copies the \
             repository to where a web server has it"
        );
    }
    let bare = lower
        .strip_prefix("https:")
        .or_else(|| lower.strip_prefix("http:"));
    let rest = bare.map_or(text, |bare| &text[text.len() - bare.len()..]);
    let rest = rest.trim_start_matches('/');
    let hint = if rest.contains(':') && !rest.contains('.') || rest.contains("://") {
        String::new()
    } else {
        format!("; did you mean https://{rest}?")
    };
    format!("{text:?} begins with neither https:// nor http://{hint}")
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn addresses_of_web_servers_are_taken_as_they_are() {
        for good in [
            "https://example.com/updates",
            "http://127.0.0.1:8000",
            "HTTPS://example.com:8443/a/b/",
            "https://example.com/with%20space",
            "https://[::1]:8000/x",
            "https://größe.example/a",
        ] {
            assert_eq!(check(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn what_clients_cannot_fetch_from_is_refused_by_name() {
        for (bad, words) in [
            ("", "https://example.com"),
            (
                "example.com/updates",
                "did you mean https://example.com/updates?",
            ),
            ("https:/example.com", "did you mean https://example.com?"),
            ("https:example.com", "did you mean https://example.com?"),
            ("http//example.com", "neither"),
            ("ftp://example.com/updates", "\"ftp://example.com/updates\""),
            ("/srv/www/updates", "`upload`"),
            ("s3://bucket/updates", "`upload`"),
            ("https://", "not an address"),
            ("https:///updates", "names no server"),
            ("https://user:secret@example.com/", "authorization"),
            ("https://example.com/?x=1", "has a ?"),
            ("https://example.com/#x", "has a ?"),
            ("https://example.com/with space", "%20"),
            ("https://example.com\\updates", "backslash"),
            ("https://example.com/\u{1b}[2J", "control"),
        ] {
            let said = check(bad).unwrap_err();
            assert!(said.contains(words), "{bad}: {said}");
            assert!(!said.contains("secret"), "{said}");
        }
    }
}
