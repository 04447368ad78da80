//! Decides which delegated role may speak for a target path.
//!
//! TUF specification section 4.5: shell-style patterns in which no wildcard
//! matches a `/`, so that pattern and path have equally many segments.

/// Returns whether `path` matches `pattern`, segment by segment.
pub fn path_matches(pattern: &str, path: &str) -> bool {
    let (mut patterns, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return true,
            (Some(pattern), Some(segment)) => {
                let pattern: Vec<char> = pattern.chars().collect();
                let segment: Vec<char> = segment.chars().collect();
                if !segment_matches(&pattern, &segment) {
                    return false;
                }
            }
            _ => return false,
        }
    }
}

/// `*`, `?` and `[…]` as in fnmatch. Runs in O(pattern × segment): on a
/// mismatch only the last `*` is given another character, which suffices.
fn segment_matches(pattern: &[char], segment: &[char]) -> bool {
    let (mut p, mut s) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while s < segment.len() {
        if pattern.get(p) == Some(&'*') {
            retry = Some((p + 1, s));
            p += 1;
            continue;
        }
        if let Some(next) = one_matches(&pattern[p..], segment[s]) {
            p += next;
            s += 1;
            continue;
        }
        let Some((star, from)) = retry else {
            return false;
        };
        retry = Some((star, from + 1));
        p = star;
        s = from + 1;
    }
    pattern[p..].iter().all(|&c| c == '*')
}

/// Returns how many characters of the pattern its first element takes, if that
/// matches `c`.
fn one_matches(pattern: &[char], c: char) -> Option<usize> {
    match *pattern.first()? {
        '?' => Some(1),
        '[' => {
            let negated = pattern.get(1) == Some(&'!');
            let start = if negated { 2 } else { 1 };
            // As in fnmatch, a `]` in first place is an ordinary member, and
            // a `[` that is never closed is an ordinary character.
            let Some(length) = pattern
                .iter()
                .skip(start + 1)
                .position(|&c| c == ']')
                .map(|at| at + 1)
            else {
                return (c == '[').then_some(1);
            };
            let members = &pattern[start..start + length];
            (in_set(members, c) != negated).then_some(start + length + 1)
        }
        literal => (literal == c).then_some(1),
    }
}

fn in_set(members: &[char], c: char) -> bool {
    let mut i = 0;
    while i < members.len() {
        if i + 2 < members.len() && members[i + 1] == '-' {
            if (members[i]..=members[i + 2]).contains(&c) {
                return true;
            }
            i += 3;
        } else {
            if members[i] == c {
                return true;
            }
            i += 1;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::path_matches;

    #[test]
    fn patterns_match_as_fnmatch_does_within_segments() {
        for (pattern, path) in [
            ("*", "a.txt"),
            ("*.tgz", "x.tgz"),
            ("releases/*/*", "releases/x/y"),
            ("a?c", "abc"),
            ("[a-c]x", "bx"),
            ("[!a-c]x", "dx"),
            ("[]]x", "]x"),
            ("[x", "[x"),
            ("*a*b*", "xxaxxbxx"),
            ("é?", "éà"),
            ("", ""),
        ] {
            assert!(path_matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in [
            ("*", "a/b"),
            ("*.tgz", "dir/x.tgz"),
            ("a/*", "a"),
            ("a", "a/"),
            ("a?c", "ac"),
            ("[a-c]x", "dx"),
            ("[!a-c]x", "bx"),
            ("*ab", "aba"),
            ("A", "a"),
        ] {
            assert!(!path_matches(pattern, path), "{pattern} {path}");
        }
    }
}
