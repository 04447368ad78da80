//! URLs as texts: what may be shown of them, which are taken from settings,
//! and where a redirect leads.

/// Returns a URL as it may be shown: without the name, the password and the
/// query, which may hold secrets.
pub fn shown(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        let end = url.rfind('@').map_or(0, |at| at + 1);
        return before_query(&url[end..]).to_owned();
    };
    let authority = authority(rest);
    let host = authority
        .rfind('@')
        .map_or(authority, |at| &authority[at + 1..]);
    if !is_host(host) {
        // Perhaps a password with a slash in it, and the host comes later.
        return format!("{scheme}://…");
    }
    format!(
        "{scheme}://{host}{}",
        before_query(&rest[authority.len()..])
    )
}

fn before_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// What follows `://`, up to the path.
fn authority(rest: &str) -> &str {
    rest.split(['/', '?', '#', '\\']).next().unwrap_or_default()
}

/// Whether this is a name or an address, and perhaps a port.
fn is_host(host: &str) -> bool {
    let (name, rest) = match host.strip_prefix('[') {
        Some(address) => address.split_once(']').unwrap_or_default(),
        None => host.split_at(host.find(':').unwrap_or(host.len())),
    };
    let port = rest.strip_prefix(':').unwrap_or("0");
    !name.is_empty() && (rest.is_empty() || rest.starts_with(':')) && port.parse::<u16>().is_ok()
}

/// Checks whether a URL of the settings can be used; the error says what is
/// wrong with it, in words that do not repeat a password.
pub fn check(url: &str) -> Result<(), String> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"));
    let Some(rest) = rest else {
        return Err(format!("{:?} is not an http or https address", shown(url)));
    };
    let authority = authority(rest);
    // An @ or a colon may be hidden as %40 or %3A; no host has them.
    let outside = authority
        .split_once(']')
        .map_or(authority, |(_, port)| port);
    if authority.contains('@') || outside.contains('%') {
        return Err(
            "has a user name or a password in it, where everybody sees them; they belong under \
             [[authorization]], as user and password"
                .into(),
        );
    }
    if !is_host(authority) {
        return Err("is not an http or https address: its host and port cannot be read".into());
    }
    Ok(())
}

/// Returns whether `url` is at this scheme, host and port.
pub(super) fn is_of(url: &str, origin: &str) -> bool {
    let rest = url.strip_prefix(origin.trim_end_matches('/'));
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Returns where a redirect of `base` leads (RFC 3986, 5.2), without a name and
/// a password; `None` if that is not http or https.
pub(super) fn join(base: &str, location: &str) -> Option<String> {
    let location = location.split('#').next().unwrap_or_default();
    let (scheme, rest) = base.split_once("://")?;
    let host = authority(rest);
    let path = before_query(&rest[host.len()..]);
    let scheme_of = |url: &str| {
        let (scheme, rest) = url.split_once(':')?;
        let named = scheme
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c));
        (named && !scheme.is_empty()).then(|| (scheme.to_ascii_lowercase(), rest.to_owned()))
    };
    let (scheme, rest) = match scheme_of(location) {
        Some((scheme, rest)) => (scheme, rest.strip_prefix("//")?.to_owned()),
        None if location.starts_with("//") => (scheme.to_owned(), location[2..].to_owned()),
        None if location.starts_with('/') => (scheme.to_owned(), format!("{host}{location}")),
        None if location.is_empty() || location.starts_with('?') => {
            (scheme.to_owned(), format!("{host}{path}{location}"))
        }
        None => {
            let folder = path.rfind('/').map_or("", |at| &path[..at]);
            (scheme.to_owned(), format!("{host}{folder}/{location}"))
        }
    };
    let host = authority(&rest);
    let (path, query) = {
        let rest = &rest[host.len()..];
        rest.split_at(rest.find('?').unwrap_or(rest.len()))
    };
    let host = &host[host.rfind('@').map_or(0, |at| at + 1)..];
    let known = (scheme == "http" || scheme == "https") && is_host(host);
    known.then(|| format!("{scheme}://{host}{}{query}", without_dots(path)))
}

/// A path without `.` and `..` (RFC 3986, 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let last = path.rsplit('/').next().unwrap_or_default();
    for part in path.split('/').skip(1) {
        match part {
            "." => {}
            ".." => drop(kept.pop()),
            part => kept.push(part),
        }
    }
    if last == "." || last == ".." {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_shown() {
        for (url, expected) in [
            ("https://h/a/b", "https://h/a/b"),
            ("https://h:8/npm/x@1.0/m", "https://h:8/npm/x@1.0/m"),
            ("https://h/a?sig=SECRET#SECRET", "https://h/a"),
            ("https://me:SECRET@h/a", "https://h/a"),
            ("https://SECRET@h:8/a", "https://h:8/a"),
            ("https://me:SEC@RET@h/a", "https://h/a"),
            ("https://me:SECRET/@h/a", "https://…"),
            ("https://me:SECRET?x@h/a", "https://…"),
            ("https://me:SECRET\\@h/a", "https://…"),
            ("ftp://me:SECRET@h/a", "ftp://h/a"),
            ("https:/me:SECRET@h/a", "h/a"),
            ("me:SECRET@h?SECRET", "h"),
            ("https://[::1]:8/a", "https://[::1]:8/a"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn a_url_in_the_settings_has_a_host_and_no_password() {
        for good in [
            "https://h",
            "http://h:80/a/",
            "http://[::1]:80/a@b",
            "https://h/a%40b",
            "http://h?x=a@b",
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        for bad in [
            "https://me:SECRET@h/a",
            "https://me@h/a",
            "https://@h/a",
            "http://me%3ASECRET%40h/a",
            "http://me:SECRET@[::1]/a",
            "http://[me:SECRET@h]/a",
        ] {
            let said = check(bad).unwrap_err();
            assert!(said.contains("[[authorization]]"), "{bad}: {said}");
            assert!(!said.contains("SECRET"));
        }
        for bad in [
            "",
            "h/a",
            "file:///a",
            "https://",
            "https:///a",
            "https:/me:SECRET@h/a",
            "http:\\\\me:SECRET@h/a",
            "HTTPS//me:SECRET@h",
            "https://me:SECRET/x@h",
            "https://h:99999/",
        ] {
            let said = check(bad).unwrap_err();
            assert!(said.contains("not an http or https address"), "{bad}");
            assert!(!said.contains("SECRET"), "{said}");
        }
    }

    #[test]
    fn credentials_are_for_one_origin() {
        let origin = "https://updates.example";
        assert!(is_of("https://updates.example/metadata/x", origin));
        assert!(is_of("https://updates.example", "https://updates.example/"));
        for other in [
            "http://updates.example/x",
            "https://updates.example.evil/x",
            "https://updates.example:8443/x",
            "https://updates.example@evil/x",
            "https://evil/https://updates.example/",
        ] {
            assert!(!is_of(other, origin), "{other}");
        }
    }

    #[test]
    fn a_redirect_is_resolved_against_the_url_that_answered() {
        let base = "https://h:8/a/b/c.json?x=1";
        for (location, expected) in [
            ("https://o/x?y#z", "https://o/x?y"),
            ("HTTP://o", "http://o/"),
            ("//o/x", "https://o/x"),
            ("/x/./y/../z", "https://h:8/x/z"),
            ("d.json", "https://h:8/a/b/d.json"),
            ("../d", "https://h:8/a/d"),
            ("../../../d", "https://h:8/d"),
            ("./", "https://h:8/a/b/"),
            ("?y=2", "https://h:8/a/b/c.json?y=2"),
            ("", "https://h:8/a/b/c.json"),
            ("x/y:z", "https://h:8/a/b/x/y:z"),
            ("https://me:secret@o/x", "https://o/x"),
        ] {
            assert_eq!(
                join(base, location).as_deref(),
                Some(expected),
                "{location}"
            );
        }
        for location in [
            "ftp://o/x",
            "file:///x",
            "https:x",
            "https:///x",
            "javascript:x",
        ] {
            assert_eq!(join(base, location), None, "{location}");
        }
    }
}
