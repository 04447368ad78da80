use super::super::table;
use super::*;

const FILE: &str = "name = 'app'\nmetadata_url = 'https://old/metadata'\n\
    targets_url = 'https://old/targets'\nexecutable = 'app'\nquiet = true\ntitle = 'Old'\n\
    mirrors = ['https://mirror']\n[texts]\nleft = 'noch {time}'\n";

fn parsed(text: &str) -> Table {
    table::parse(text).unwrap()
}

/// The settings file as `ship` writes it with version 1.0.
fn shipped() -> Table {
    let mut file = parsed(FILE);
    let mark = table::mark(&file, "1.0");
    file.insert(table::SHIPPED.into(), mark.into());
    file
}

fn release(version: &str, text: &str) -> Option<(Version, String)> {
    let json = table::parse(text).map(|table| Value::from(table).to_string());
    Some((
        version.parse().unwrap(),
        json.unwrap_or_else(|_| text.into()),
    ))
}

fn combine(layers: Layers) -> (Settings, Vec<String>) {
    let mut warnings = Vec::new();
    let alone = to_settings(layers.file.clone()).unwrap();
    (layers.combine(alone, &mut warnings), warnings)
}

fn metadata_urls(settings: &Settings) -> Vec<String> {
    let all = settings.all_urls().into_iter();
    all.map(|urls| urls.metadata_url).collect()
}

const MOVED: &str = "metadata_url = 'https://new/metadata'\ntargets_url = 'https://new/targets'\n\
    mirrors = []\ntitle = 'New'\n[texts]\nunpacking = 'x'\n";

#[test]
fn what_a_release_brings_takes_the_place_of_what_was_shipped() {
    let (settings, warnings) = combine(Layers {
        file: shipped(),
        release: release("1.1", MOVED),
        ..Layers::default()
    });
    assert!(warnings.is_empty(), "{warnings:?}");
    assert_eq!(settings.title.as_deref(), Some("New"));
    assert!(settings.quiet, "not in the release");
    assert_eq!(
        (settings.texts.len(), settings.mode),
        (2, Mode::BeforeLaunch)
    );
    let old = [
        "https://new/metadata",
        "https://old/metadata",
        "https://mirror/metadata",
    ];
    assert_eq!(metadata_urls(&settings), old);
}

#[test]
fn a_changed_file_wins_and_the_new_place_is_still_tried() {
    let mut changed = shipped();
    changed.insert("quiet".into(), false.into());
    for file in [changed, parsed(FILE)] {
        let (settings, warnings) = combine(Layers {
            file,
            release: release("1.1", &format!("wait = 7\n{MOVED}")),
            ..Layers::default()
        });
        assert!(warnings.is_empty(), "{warnings:?}");
        assert_eq!(settings.title.as_deref(), Some("Old"));
        assert_eq!(settings.wait, Some(7.0), "what the file does not say");
        let all = [
            "https://old/metadata",
            "https://mirror/metadata",
            "https://new/metadata",
        ];
        assert_eq!(metadata_urls(&settings), all);
    }
}

#[test]
fn urls_that_somebody_has_changed_are_the_only_ones() {
    for key in ["metadata_url", "targets_url"] {
        let mut file = shipped();
        file.insert(key.into(), "https://own".into());
        let (settings, _) = combine(Layers {
            file,
            release: release("1.1", &format!("wait = 7\n{MOVED}")),
            ..Layers::default()
        });
        assert_eq!(settings.wait, Some(7.0));
        assert_eq!(settings.all_urls().len(), 2, "the mirror is as shipped");
        assert!(
            settings
                .all_urls()
                .iter()
                .all(|urls| !urls.metadata_url.contains("new"))
        );
    }
}

#[test]
fn what_came_before_the_shipped_settings_says_nothing() {
    for (version, title) in [("0.9", "Old"), ("1.0", "Old"), ("1.0.post1", "New")] {
        let (settings, _) = combine(Layers {
            file: shipped(),
            release: release(version, MOVED),
            ..Layers::default()
        });
        assert_eq!(settings.title.as_deref(), Some(title), "{version}");
    }
}

#[test]
fn a_release_changes_nothing_that_belongs_to_the_install() {
    let (settings, warnings) = combine(Layers {
        file: shipped(),
        release: release(
            "1.1",
            "name = 'other'\nexecutable = '../evil'\nca_file = 'x'\nquiet = false\n\
             [[authorization]]\norigin = 'https://a'\nbearer = 'x'\n",
        ),
        ..Layers::default()
    });
    assert!(warnings.is_empty() && !settings.quiet);
    assert_eq!((&*settings.name, &*settings.executable), ("app", "app"));
    assert!(settings.ca_file.is_none() && settings.authorization().is_empty());
}

#[test]
fn a_release_with_impossible_settings_changes_nothing() {
    for bad in [
        "quiet = false\nprobation = -1.0",
        "quiet = false\nmax_rate = 9999",
        "quiet = false\nstall = 0.9",
        "quiet = false\ndeadline = 0.4",
        "quiet = false\nmetadata_url = 'ftp://a'\ntargets_url = 'https://a'",
        "quiet = false\nmetadata_url = 'https://a'",
        "quiet = 'false'",
        "quiet = ",
    ] {
        let (settings, warnings) = combine(Layers {
            file: shipped(),
            release: release("1.1", bad),
            ..Layers::default()
        });
        assert!(settings.quiet && warnings.len() == 1, "{bad}");
        assert!(warnings[0].contains("version 1.1"), "{warnings:?}");
        let old = ["https://old/metadata", "https://mirror/metadata"];
        assert_eq!(metadata_urls(&settings), old);
    }
}

#[test]
fn administrators_win_and_their_place_is_the_only_one() {
    let with = |administrators: Vec<&str>| {
        let files = administrators.into_iter().enumerate();
        combine(Layers {
            file: shipped(),
            release: release("1.1", MOVED),
            administrators: files
                .map(|(n, text)| (format!("/etc/{n}").into(), Ok(parsed(text))))
                .collect(),
        })
    };
    let own = "metadata_url = 'https://own/m'\ntargets_url = 'https://own/t'\ntitle = 'Ours'";
    let (settings, warnings) = with(vec![own]);
    assert!(warnings.is_empty());
    assert_eq!(metadata_urls(&settings), ["https://own/m"]);
    assert_eq!(settings.title.as_deref(), Some("Ours"));
    let (settings, _) = with(vec!["mirrors = ['https://near']"]);
    let all = [
        "https://new/metadata",
        "https://near/metadata",
        "https://old/metadata",
        "https://mirror/metadata",
    ];
    assert_eq!(metadata_urls(&settings), all);
    // The last one wins.
    let (settings, _) = with(vec!["title = 'One'\nquiet = false", "title = 'Two'"]);
    assert_eq!(
        (settings.title.as_deref(), settings.quiet),
        (Some("Two"), false)
    );
}

#[test]
fn administrators_switch_updates_off_and_a_file_that_says_nothing_clear_does_too() {
    let with = |administrators: &[&str]| {
        let files = administrators.iter().enumerate();
        combine(Layers {
            file: shipped(),
            administrators: files
                .map(|(n, text)| (format!("/etc/{n}").into(), Ok(parsed(text))))
                .collect(),
            ..Layers::default()
        })
    };
    let by = |n: &str| Some(PathBuf::from("/etc").join(n));
    let (settings, warnings) = with(&["mode = 'off'"]);
    assert_eq!(
        (settings.mode, settings.switched_off_by),
        (Mode::Off, by("0"))
    );
    assert!(warnings.is_empty());
    let (settings, _) = with(&["mode = 'off'", "mode = 'background'"]);
    assert_eq!(
        (settings.mode, settings.switched_off_by),
        (Mode::Background, None)
    );
    let (settings, _) = with(&["mode = 'off'", "quiet = false"]);
    assert_eq!((settings.switched_off_by, settings.quiet), (by("0"), false));
    for (bad, told) in [
        ("deadline = 'soon'", "deadline: "),
        ("mode = 'of'", "mode: "),
        ("executable = 'other'", "executable cannot be set here"),
        ("metadata_url = 'ftp://a'", "metadata_url"),
        ("mod = 'off'", "no setting \"mod\""),
        ("[client]\nmode = 'off'", "no setting \"client\""),
    ] {
        let (settings, warnings) = with(&["quiet = false", bad]);
        assert_eq!(
            (settings.mode, settings.switched_off_by),
            (Mode::Off, by("1")),
            "{bad}"
        );
        assert!(warnings[0].contains(told), "{warnings:?}");
        assert!(!settings.quiet, "the other file still counts");
    }
    // What another file says does not mend it.
    let (settings, _) = with(&["mod = 'off'", "mode = 'background'"]);
    assert_eq!(
        (settings.mode, settings.switched_off_by),
        (Mode::Off, by("0"))
    );
    let (settings, warnings) = combine(Layers {
        file: shipped(),
        administrators: vec![(by("0").unwrap(), Err("it is not TOML".into()))],
        ..Layers::default()
    });
    assert_eq!(
        (settings.mode, settings.switched_off_by),
        (Mode::Off, by("0"))
    );
    assert!(warnings[0].contains("it is not TOML"));
    // In the settings file itself, it leaves alone what the application stages.
    let mut file = parsed(FILE);
    file.insert("mode".into(), "off".into());
    let (settings, _) = combine(Layers {
        file,
        ..Layers::default()
    });
    assert_eq!((settings.mode, settings.switched_off_by), (Mode::Off, None));
}

#[test]
fn every_setting_is_known_by_its_key() {
    let settings = to_settings(table::least()).unwrap();
    let known = serde_json::to_value(settings).unwrap();
    let known: Vec<_> = known.as_object().unwrap().keys().cloned().collect();
    let mut keys = table::KEYS.to_vec();
    keys.sort_unstable();
    assert_eq!(keys, known);
}
