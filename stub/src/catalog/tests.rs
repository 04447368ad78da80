use super::*;
use crate::policy::choose_release::{ClientState, ReleaseChoice, choose};
use crate::policy::wanted::Wanted;
use std::str::FromStr;

fn version(text: &str) -> Version {
    Version::from_str(text).unwrap()
}

/// Archives of these versions, and whether they are required.
pub(crate) fn catalog(archives: &[(&str, bool)]) -> Catalog {
    let mut catalog = Catalog::default();
    for (text, required) in archives {
        let hash = format!("hash of {text}");
        let file = TargetFile {
            length: 100,
            hashes: [("sha256".to_owned(), hash)].into_iter().collect(),
            custom: Default::default(),
        };
        let archive = Archive {
            path: format!("app-{text}.tar.gz"),
            file,
            required: *required,
            tree: None,
            stub: None,
            rollout: None,
            notes: None,
            settings: None,
        };
        catalog.archives.insert(version(text), archive);
    }
    catalog
}

fn chosen(archives: &[(&str, bool)], installed: &str, channel: Channel) -> Option<String> {
    chosen_but(archives, installed, channel, &[])
}

fn chosen_but(
    archives: &[(&str, bool)],
    installed: &str,
    channel: Channel,
    blocked: &[&str],
) -> Option<String> {
    let blocked = blocked.iter().map(|text| version(text)).collect();
    chosen_from(&catalog(archives), installed, channel, &blocked, "id")
}

fn chosen_from(
    catalog: &Catalog,
    installed: &str,
    channel: Channel,
    blocked: &BTreeSet<Version>,
    id: &str,
) -> Option<String> {
    let client = ClientState {
        installed: Some(&version(installed)),
        wanted: Wanted {
            channel,
            hold: None,
        },
        blocked,
        id,
    };
    match choose(catalog, client) {
        ReleaseChoice::UpToDate => None,
        ReleaseChoice::Update { version, .. } => Some(version.to_string()),
    }
}

#[test]
fn a_rollout_reaches_its_part_and_those_stay_in_it() {
    let mut catalog = catalog(&[("1.1", false), ("1.2", false)]);
    let mut reached = |percent: u64, required: bool| -> BTreeSet<String> {
        let archive = catalog.archives.get_mut(&version("1.2")).unwrap();
        archive.required = required;
        archive.rollout = Some(Rollout {
            percent,
            salt: "salt".into(),
        });
        let ids = (0..1000).map(|n| n.to_string());
        let got = |id: &String| chosen_from(&catalog, "1.0", Channel::Final, &[].into(), id);
        ids.filter(|id| match got(id).as_deref() {
            Some("1.2") => true,
            Some("1.1") => false,
            other => panic!("{other:?}"),
        })
        .collect()
    };
    assert_eq!(reached(0, false).len(), 0);
    let (tenth, half) = (reached(10, false), reached(50, false));
    assert!((60..140).contains(&tenth.len()), "{}", tenth.len());
    assert!((400..600).contains(&half.len()), "{}", half.len());
    assert!(tenth.is_subset(&half));
    assert_eq!(reached(100, false).len(), 1000);
    assert_eq!(reached(0, true).len(), 1000);
}

#[test]
fn who_has_a_withdrawn_version_goes_forward_or_else_back() {
    let mut some = catalog(&[("1.0", false), ("1.1b1", false), ("1.3", false)]);
    some.withdrawn = [version("1.2")].into();
    let chosen = |catalog: &Catalog, installed| {
        chosen_from(catalog, installed, Channel::Final, &[].into(), "id")
    };
    assert_eq!(chosen(&some, "1.2").unwrap(), "1.3");
    some.archives.remove(&version("1.3"));
    assert_eq!(chosen(&some, "1.2").unwrap(), "1.0");
    assert_eq!(chosen(&some, "1.2.1"), None);
    let blocked = [version("1.0")].into();
    assert_eq!(
        chosen_from(&some, "1.2", Channel::Final, &blocked, "id"),
        None
    );
}

#[test]
fn names_are_taken_apart_as_tufup_does() {
    for (path, name, text) in [
        ("my-app_x-1.0.tar.gz", "my-app_x", "1.0"),
        (
            "myapp-windows-x86_64-1.0rc1.patch",
            "myapp-windows-x86_64",
            "1.0rc1",
        ),
        ("app-1.0+local.1.gz", "app", "1.0+local.1"),
        ("app-1.0.post1.tar.gz", "app", "1.0.post1"),
        ("sub/app-2!1.0.tar.gz", "app", "2!1.0"),
    ] {
        let target = TargetName::parse(path).unwrap();
        assert_eq!(
            (target.name.as_str(), target.version),
            (name, version(text))
        );
    }
    for path in [
        "app-1.0.zip",
        "app.tar.gz",
        "-1.0.tar.gz",
        "app-x.tar.gz",
        "a b-1.tar.gz",
    ] {
        assert_eq!(TargetName::parse(path), None, "{path}");
    }
}

#[test]
fn names_of_direct_patches_say_from_where_and_lead_back_to_themselves() {
    let kind = |from| TargetKind::DirectPatch {
        from: version(from),
    };
    for (path, name, text, from) in [
        ("myapp-1.4.from-1.1.delta", "myapp", "1.4", "1.1"),
        (
            "my-app-1.4rc1.from-1.4b2.delta",
            "my-app",
            "1.4rc1",
            "1.4b2",
        ),
        (
            "app-2!1.0+x.2.from-1.0+y.delta",
            "app",
            "2!1.0+x.2",
            "1.0+y",
        ),
    ] {
        let target = TargetName::parse(path).unwrap();
        assert_eq!(
            (target.name.as_str(), &target.version, &target.kind),
            (name, &version(text), &kind(from))
        );
        assert_eq!(target.path(".gz"), path);
    }
    for path in [
        "app-1.4.delta",
        "app-1.4.from-.delta",
        "app-1.4.from-x.delta",
        "app-.from-1.0.delta",
        "1.4.from-1.0.delta",
        "app-1.4.from-1.0.patch",
        "app-1.4.from-1.0.gz",
    ] {
        assert_eq!(TargetName::parse(path), None, "{path}");
    }
    for path in ["app-1.4.patch", "app-1.4.tar.gz"] {
        assert_eq!(TargetName::parse(path).unwrap().path(".tar.gz"), path);
    }
}

#[test]
fn a_direct_patch_counts_if_it_is_signed_as_what_it_is_called() {
    let file = |from: Option<&str>| TargetFile {
        length: 1,
        hashes: Default::default(),
        custom: serde_json::from_value(serde_json::json!({
            "user": {}, "tufup": { "format": "notsotuf-2", "from": from, "tree": "ab".repeat(32) },
        }))
        .unwrap(),
    };
    let targets: BTreeMap<String, TargetFile> = [
        ("app-1.4.patch", file(Some("1.3"))),
        ("app-1.4.from-1.2.delta", file(Some("1.2"))),
        ("app-1.4.from-1.1.delta", file(Some("1.0"))),
        ("app-1.4.from-1.0.delta", file(None)),
        ("other-1.4.from-1.2.delta", file(Some("1.2"))),
    ]
    .map(|(path, file)| (path.to_owned(), file))
    .into();
    let catalog = Catalog::new("app", &targets);
    let to = catalog.patches_to(&version("1.4"));
    let paths: Vec<&str> = to.map(|patch| patch.path.as_str()).collect();
    assert_eq!(paths, ["app-1.4.patch", "app-1.4.from-1.2.delta"]);
    let lone = targets.iter().filter(|(path, _)| path.contains("1.2"));
    let lone = Catalog::new("app", lone);
    assert!(lone.signs_tree(&version("1.4"), TreeHash([0xab; 32])));
    assert!(!lone.signs_tree(&version("1.3"), TreeHash([0xab; 32])));
}

#[test]
fn the_newest_release_on_the_channel_is_chosen() {
    let all = [
        ("1.0", false),
        ("1.1.dev1", false),
        ("1.1a1", false),
        ("1.1b1", false),
        ("1.1rc1", false),
    ];
    assert_eq!(chosen(&all, "1.0", Channel::Final), None);
    assert_eq!(chosen(&all, "1.0", Channel::Candidate).unwrap(), "1.1rc1");
    assert_eq!(chosen(&all[..4], "1.0", Channel::Candidate), None);
    assert_eq!(chosen(&all[..4], "1.0", Channel::Beta).unwrap(), "1.1b1");
    assert_eq!(chosen(&all[..3], "1.0", Channel::Beta), None);
    assert_eq!(
        chosen(&all[..2], "1.0", Channel::Alpha).unwrap(),
        "1.1.dev1"
    );
    assert_eq!(
        chosen(&[("1.10", false), ("1.9", false)], "1.2", Channel::Final).unwrap(),
        "1.10"
    );
    assert_eq!(
        chosen(&[("1.0.post1", false)], "1.0", Channel::Final).unwrap(),
        "1.0.post1"
    );
}

#[test]
fn what_failed_is_passed_over_unless_required() {
    let all = [("1.1", false), ("1.2", true), ("1.3", false)];
    let but = |from, blocked: &[&str]| chosen_but(&all, from, Channel::Final, blocked);
    assert_eq!(but("1.2", &["1.3"]), None);
    assert_eq!(but("1.0", &["1.1"]).unwrap(), "1.2");
    assert_eq!(but("1.0", &["1.2"]).unwrap(), "1.1");
    assert_eq!(but("1.1", &["1.2"]), None);
}

#[test]
fn first_required_wins_and_only_on_the_channel() {
    let all = [
        ("1.1", true),
        ("1.2", true),
        ("1.3", false),
        ("1.1b1", true),
    ];
    assert_eq!(chosen(&all, "1.0", Channel::Final).unwrap(), "1.1");
    assert_eq!(chosen(&all, "1.1", Channel::Final).unwrap(), "1.2");
    assert_eq!(chosen(&all, "1.2", Channel::Final).unwrap(), "1.3");
    assert_eq!(chosen(&all, "1.0", Channel::Beta).unwrap(), "1.1b1");
    assert_eq!(chosen(&all, "2.0", Channel::Final), None);
}

#[test]
fn nothing_newer_than_the_version_to_stay_with_is_chosen() {
    let held = |archives: &[(&str, bool)], withdrawn: &[&str], installed: &str, hold: &str| {
        let mut catalog = catalog(archives);
        catalog.withdrawn = withdrawn.iter().map(|text| version(text)).collect();
        let (installed, hold) = (version(installed), version(hold));
        let client = ClientState {
            installed: Some(&installed),
            wanted: Wanted {
                channel: Channel::Final,
                hold: Some(&hold),
            },
            blocked: &[].into(),
            id: "id",
        };
        choose(&catalog, client).version().map(ToString::to_string)
    };
    let all = [("1.1", false), ("1.2", true), ("1.3", false)];
    assert_eq!(held(&all, &[], "1.0", "1.0"), None);
    assert_eq!(held(&all, &[], "1.0", "1.1").unwrap(), "1.1");
    assert_eq!(held(&all, &[], "1.0", "1.2.5").unwrap(), "1.2", "required");
    assert_eq!(held(&all, &[], "1.2", "1.2.5"), None);
    assert_eq!(held(&all, &[], "1.0", "1.2b1").unwrap(), "1.1");
    // It does not go back by itself, but from what was withdrawn.
    assert_eq!(held(&all, &[], "1.3", "1.1"), None);
    assert_eq!(held(&all, &["1.2.1"], "1.2.1", "1.2.1").unwrap(), "1.2");
    assert_eq!(held(&all, &["1.0"], "1.0", "1.0"), None);
    assert_eq!(held(&all, &["1.0"], "1.0", "1.1").unwrap(), "1.1");
}
