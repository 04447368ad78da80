//! Tells who would take a release, and from which one its patch leads. Pure.

use notsotuf_stub::catalog::Channel;
use pep440_rs::Version;
use std::collections::{BTreeMap, BTreeSet};

/// Describes a release that is on the list.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Listed {
    /// The version that its patch leads from, if it has a patch.
    pub from: Option<Version>,
    /// Whether it is for a part of the clients only.
    pub partial: bool,
}

/// Lists the releases of one application.
pub(super) type Line = BTreeMap<Version, Listed>;

/// Returns the newest release that keeps all clients from taking `new`: a
/// client that wants releases as final as this one sees that one, too, and
/// takes it instead. A release that is rolled out step by step keeps nobody
/// from it.
pub(super) fn barrier<'a>(line: &'a Line, new: &Version) -> Option<&'a Version> {
    let mut newer = line.range(new.clone()..).rev();
    newer
        .find(|(version, listed)| {
            *version == new || (Channel::of(version) >= Channel::of(new) && !listed.partial)
        })
        .map(|(version, _)| version)
}

/// Returns the release from which the patch to `new` leads. That is the one
/// before it, if those who take it come there by patches; else, as after a bug
/// fix beside a pre-release, the one before it that is as final as it is.
pub(super) fn base<'a>(line: &'a Line, new: &Version) -> Option<&'a Version> {
    let mut before = line.range(..new.clone()).rev().map(|(version, _)| version);
    let last = before.clone().next()?;
    let Some(own) = before.find(|version| Channel::of(version) >= Channel::of(new)) else {
        return Some(last);
    };
    let mut at = last;
    while at > own {
        match line.get(at).and_then(|listed| listed.from.as_ref()) {
            Some(from) if from < at => at = from,
            _ => break,
        }
    }
    Some(if at == own { last } else { own })
}

/// Returns the releases from which direct patches lead to `new`, beside the
/// patch from its `base`: the newest `count` before that one that are as final
/// as the new one. Those who have other ones come by the chain.
pub(super) fn direct_bases<'a>(
    line: &'a Line,
    new: &Version,
    base: &Version,
    count: usize,
    is_out: impl Fn(&Version) -> bool,
) -> Vec<&'a Version> {
    let before = line.range(..new.clone()).rev().map(|(version, _)| version);
    before
        .filter(|version| *version != base && Channel::of(version) >= Channel::of(new))
        .filter(|version| is_out(version))
        .take(count)
        .collect()
}

/// Returns versions of patches that clients of tufup would apply to what they
/// are not made for. They take all patches that are newer than what they have
/// and not newer than what they want, and do not look whether there is a gap:
/// where a release has no patch, or one that leads past the release before it,
/// those of older releases must go.
pub(super) fn misleading(line: &Line) -> BTreeSet<Version> {
    let mut newest_first = line.iter().rev().peekable();
    let mut older = None;
    while let Some((version, listed)) = newest_first.next() {
        let before = newest_first.peek().map(|(version, _)| *version);
        match &listed.from {
            None => {
                older = Some(version);
                break;
            }
            // Those who have the release it leads from, which is listed no
            // more, still take it.
            Some(from) if Some(from) != before && line.contains_key(from) => {
                return patched(line.range(..=version));
            }
            Some(_) => {}
        }
    }
    older.map_or_else(BTreeSet::new, |version| patched(line.range(..version)))
}

fn patched<'a>(range: impl Iterator<Item = (&'a Version, &'a Listed)>) -> BTreeSet<Version> {
    range
        .filter(|(_, listed)| listed.from.is_some())
        .map(|(version, _)| version.clone())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn v(text: &str) -> Version {
        text.parse().unwrap()
    }

    /// `1.1<1.0` has a patch from 1.0; `1.1%` is for a part.
    fn line(releases: &[&str]) -> Line {
        let parse = |text: &&str| {
            let partial = text.ends_with('%');
            let (version, from) = match text.trim_end_matches('%').split_once('<') {
                Some((version, from)) => (v(version), Some(v(from))),
                None => (v(text.trim_end_matches('%')), None),
            };
            (version, Listed { from, partial })
        };
        releases.iter().map(parse).collect()
    }

    #[test]
    fn a_release_must_have_somebody_who_takes_it() {
        let some = line(&["1.4.0", "2.0b1", "3.0a1"]);
        let barrier = |line: &Line, new: &str| barrier(line, &v(new)).map(ToString::to_string);
        for fine in [
            "1.4.1",
            "2.0",
            "1.4.1.post1",
            "2.0b2",
            "2.0rc1",
            "1.5rc1",
            "3.0a2",
            "4.0",
        ] {
            assert_eq!(barrier(&some, fine), None, "{fine}");
        }
        for (bad, by) in [
            ("1.4.0", "1.4.0"),
            ("1.4", "1.4.0"),
            ("1.3", "1.4.0"),
            ("1.4.1b1", "2.0b1"),
            ("2.0a5", "3.0a1"),
            ("2.0.dev1", "3.0a1"),
            ("2.0b1", "2.0b1"),
        ] {
            assert_eq!(barrier(&some, bad).as_deref(), Some(by), "{bad}");
        }
        // Who is not among the ten percent takes the bug fix.
        let some = line(&["1.4.0", "2.0%"]);
        assert_eq!(barrier(&some, "1.4.1"), None);
        assert_eq!(barrier(&some, "1.3").as_deref(), Some("1.4.0"));
        assert_eq!(barrier(&some, "2.0").as_deref(), Some("2.0"));
    }

    #[test]
    fn patches_lead_from_what_those_have_who_take_them() {
        let base =
            |releases: &[&str], new: &str| base(&line(releases), &v(new)).map(ToString::to_string);
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(base(&[], "1.0"), None);
        assert_eq!(base(&["1.0"], "1.1"), some("1.0"));
        // All come to the beta by patches, and from there on.
        let straight = ["1.4.0", "2.0b1<1.4.0"];
        assert_eq!(base(&straight, "2.0"), some("2.0b1"));
        assert_eq!(base(&straight, "1.4.1"), some("1.4.0"));
        // Who has the bug fix does not.
        let forked = ["1.4.0", "1.4.1<1.4.0", "2.0b1<1.4.0"];
        assert_eq!(base(&forked, "2.0"), some("1.4.1"));
        assert_eq!(base(&forked, "2.0b2"), some("2.0b1"));
        assert_eq!(
            base(&["1.4.0", "1.4.1<1.4.0", "2.0b1"], "2.0"),
            some("1.4.1")
        );
        // No final one yet.
        assert_eq!(base(&["1.0b1", "1.0b2<1.0b1"], "1.0"), some("1.0b2"));
    }

    #[test]
    fn direct_patches_lead_from_the_last_releases_that_are_out() {
        let direct = |releases: &[&str], new: &str, count| -> Vec<String> {
            let (line, new) = (line(releases), v(new));
            let base = super::base(&line, &new).unwrap();
            let is_out = |version: &Version| *version != v("1.2");
            let found = direct_bases(&line, &new, base, count, is_out);
            found.iter().map(ToString::to_string).collect()
        };
        let straight = ["0.9", "1.0", "1.1<1.0", "1.2<1.1", "1.3<1.2"];
        assert_eq!(direct(&straight, "1.4", 0), [""; 0]);
        assert_eq!(direct(&straight, "1.4", 2), ["1.1", "1.0"]);
        assert_eq!(direct(&straight, "1.4", 9), ["1.1", "1.0", "0.9"]);
        // The patch leads from the beta, which most do not have.
        let beta = ["1.0", "1.1<1.0", "2.0b1<1.1", "2.0b2<2.0b1"];
        assert_eq!(direct(&beta, "2.0", 1), ["1.1"]);
        assert_eq!(direct(&beta, "2.0", 3), ["1.1", "1.0"]);
        assert_eq!(direct(&beta, "2.0b3", 2), ["2.0b1", "1.1"]);
        // It leads from the bug fix, past the beta.
        let forked = ["1.4.0", "1.4.1<1.4.0", "2.0b1<1.4.0"];
        assert_eq!(direct(&forked, "2.0", 3), ["1.4.0"]);
        assert_eq!(direct(&forked, "1.4.2", 3), ["1.4.0"]);
        assert_eq!(direct(&forked, "2.0b2", 3), ["1.4.1", "1.4.0"]);
    }

    #[test]
    fn patches_that_mislead_clients_of_tufup_are_found() {
        let misleading = |releases: &[&str]| -> Vec<String> {
            let found = misleading(&line(releases));
            found.iter().map(ToString::to_string).collect()
        };
        assert_eq!(misleading(&["1.0", "1.1<1.0", "1.2<1.1"]), [""; 0]);
        // Who has 1.0 would take that of 1.1 for the way to 1.2.
        assert_eq!(misleading(&["1.0", "1.1<1.0", "1.2"]), ["1.1"]);
        assert_eq!(misleading(&["1.0", "1.1<1.0", "1.2", "1.3<1.2"]), ["1.1"]);
        // The release that it leads from is gone.
        assert_eq!(misleading(&["1.0<0.9", "1.2<1.1"]), [""; 0]);
        // A bug fix has come in between.
        assert_eq!(
            misleading(&["1.0", "1.1<1.0", "1.1.1<1.1", "2.0b1<1.1", "2.0b2<2.0b1"]),
            ["1.1", "1.1.1", "2.0b1"]
        );
    }
}
