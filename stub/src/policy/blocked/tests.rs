use super::*;
use crate::catalog::tests::catalog;
use crate::catalog::{Channel, Rollout};
use std::str::FromStr;

const FINAL: Wanted = Wanted {
    channel: Channel::Final,
    hold: None,
};

fn version(text: &str) -> Version {
    Version::from_str(text).unwrap()
}

fn failed(text: &str, count: u32, since: UnixTime) -> Blocked {
    Blocked {
        count,
        since,
        updater: Some(version("1.0")),
        ..Blocked::new(version(text), BlockedWhy::Failed)
    }
}

fn blocked_at(catalog: &Catalog, entry: &Blocked, now: UnixTime) -> bool {
    blocked_with(catalog, entry, now, "1.0", None)
}

fn blocked_with(
    catalog: &Catalog,
    entry: &Blocked,
    now: UnixTime,
    updater: &str,
    room: Option<u64>,
) -> bool {
    let included = |archive: &Archive| {
        let rollout = archive.rollout.as_ref();
        rollout.is_none_or(|rollout| rollout.includes("id"))
    };
    let updater = version(updater);
    let at = Circumstances {
        now,
        updater: &updater,
        room,
    };
    let entries = std::slice::from_ref(entry);
    let blocked = blocked_now(catalog, entries, FINAL, &included, at);
    blocked.contains(&entry.version)
}

#[test]
fn it_is_tried_again_after_a_day_a_week_and_four_weeks() {
    let catalog = catalog(&[("1.1", false)]);
    let noon = 1_700_000_000;
    for (count, days) in [(1, 1), (2, 7), (3, 28), (4, 28), (u32::MAX, 28)] {
        let entry = failed("1.1", count, noon);
        assert!(blocked_at(&catalog, &entry, noon), "{count}");
        assert!(
            blocked_at(&catalog, &entry, noon + days * DAY - 1),
            "{count}"
        );
        assert!(!blocked_at(&catalog, &entry, noon + days * DAY), "{count}");
    }
    // The clock is set right by seconds, or was wrong by years.
    let entry = failed("1.1", 3, noon);
    assert!(blocked_at(&catalog, &entry, noon - 60));
    assert!(!blocked_at(&catalog, &entry, noon - 2 * DAY));
    let entry = failed("1.1", 3, UnixTime::MAX);
    assert!(!blocked_at(&catalog, &entry, noon));
}

#[test]
fn what_the_user_left_and_what_may_have_been_chance() {
    let catalog = catalog(&[("1.1", false)]);
    let left = Blocked::new(version("1.1"), BlockedWhy::RolledBack);
    assert!(blocked_at(&catalog, &left, UnixTime::MAX));
    let mut chance = failed("1.1", 1, 0);
    chance.why = BlockedWhy::NotInstalled;
    assert!(blocked_at(&catalog, &chance, 0));
    chance.sure = false;
    assert!(!blocked_at(&catalog, &chance, 0));
}

#[test]
fn a_newer_stub_another_file_or_more_room_lift_it() {
    let catalog = catalog(&[("1.1", false)]);
    let mut entry = failed("1.1", 3, 0);
    assert!(!blocked_with(&catalog, &entry, 0, "1.1", None));
    assert!(blocked_with(&catalog, &entry, 0, "0.9", None));
    entry.archive = Some("hash of 1.1".into());
    assert!(blocked_at(&catalog, &entry, 0));
    entry.archive = Some("another hash".into());
    assert!(!blocked_at(&catalog, &entry, 0));
    entry.archive = None;
    entry.room = Some(100);
    assert!(blocked_with(
        &catalog,
        &entry,
        0,
        "1.0",
        Some(100 + MORE_ROOM)
    ));
    assert!(!blocked_with(
        &catalog,
        &entry,
        0,
        "1.0",
        Some(101 + MORE_ROOM)
    ));
    assert!(blocked_with(&catalog, &entry, 0, "1.0", None));
}

#[test]
fn a_required_one_is_tried_once_for_each_newer_release() {
    let mut entry = failed("1.1", 1, 0);
    let mut all = vec![("1.1", true)];
    assert!(blocked_at(&catalog(&all), &entry, 0));
    for newer in ["1.2b1", "1.2"] {
        all.push((newer, false));
        // A beta is not for this channel.
        assert_eq!(blocked_at(&catalog(&all), &entry, 0), newer == "1.2b1");
    }
    entry.seen = Some(version("1.2"));
    assert!(blocked_at(&catalog(&all), &entry, 0));
    all.push(("1.3", false));
    assert!(!blocked_at(&catalog(&all), &entry, 0));
    // Not for one that others get.
    let mut catalog = catalog(&all);
    catalog.archives.get_mut(&version("1.3")).unwrap().rollout = Some(Rollout {
        percent: 0,
        salt: String::new(),
    });
    assert!(blocked_at(&catalog, &entry, 0));
    // One that is not required is in nobody's way.
    catalog.archives.get_mut(&version("1.1")).unwrap().required = false;
    entry.seen = None;
    assert!(blocked_at(&catalog, &entry, 0));
}

#[test]
fn what_is_passed_over_is_named_with_the_way_to_get_it() {
    let catalog = catalog(&[("1.1", true), ("1.2", false)]);
    let mut entry = failed("1.1", 1, 0);
    entry.reason = "exit code 1".into();
    let names = |blocked: BTreeSet<Version>, beyond: &str| {
        let found = skipped(
            &catalog,
            std::slice::from_ref(&entry),
            &blocked,
            FINAL,
            &|_| true,
            Some(&version(beyond)),
        );
        found.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let blocked: BTreeSet<Version> = [version("1.1")].into();
    assert_eq!(
        names(blocked.clone(), "1.0"),
        [
            "version 1.1 is skipped, as it failed here (exit code 1), and all later ones with it, as it is required; --updater update --retry installs it anyway, and so does any start after 1970-01-02T00:00:00Z"
        ]
    );
    assert!(names(blocked, "1.1").is_empty());
    assert!(names([].into(), "1.0").is_empty());
}
