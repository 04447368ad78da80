//! The first-install folder: the stub under the application's name, its
//! settings, the trusted root, and the bundle.

use crate::metadata::{MetadataError, Published};
use crate::project::{FILE, Project, toml_string};
use crate::release::{Pending, ReleaseError};
use crate::temporary;
use notsotuf_stub::bundle::unpack::{ArchiveError, unpack};
use notsotuf_stub::bundle::{Kind, Manifest, Rules};
use notsotuf_stub::catalog::Channel;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::install::{Layout, Record, Release};
use notsotuf_stub::settings;
use notsotuf_stub::update::self_update;
use pep440_rs::Version;
use std::io;
use std::path::{Path, PathBuf};
use toml_edit::{DocumentMut, Item};

/// A stub has about 3 MB.
const MAX_STUB: u64 = 256 << 20;

/// Why nothing can be shipped.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// The published metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The list of releases.
    #[error(transparent)]
    Release(#[from] ReleaseError),
    /// The archive of the release.
    #[error("{path:?}: {source}")]
    Archive {
        /// The archive.
        path: PathBuf,
        /// What is wrong.
        source: ArchiveError,
    },
    /// No such release.
    #[error("there is no release {0}; `notsotuf add` and `notsotuf publish` make one")]
    NoRelease(String),
    /// The archive is not here.
    #[error("the archive {0} is not in the repository folder, or is not the published one")]
    NoArchive(String),
    /// The output folder has something in it.
    #[error("{0:?} exists already; remove it or name another folder with --output")]
    Exists(PathBuf),
    /// Which program is to be started?
    #[error("cannot tell which program of the bundle to start; name it with --executable ({})", .0.join(", "))]
    WhichProgram(Vec<String>),
    /// A program that is not in the bundle.
    #[error("the bundle has no {0:?}")]
    NoProgram(String),
    /// No URL in the settings.
    #[error(
        "where will the repository be? Set `url` under [client] in the project settings, or use --url"
    )]
    NoUrl,
    /// Not a stub.
    #[error(
        "{0:?} is no notsotuf-stub: --stub names the stub of the target platform, as it was built; \
         the application itself is in the release"
    )]
    NotAStub(PathBuf),
    /// No stub to ship.
    #[error("there is no stub at {0:?}; name the notsotuf-stub of the target platform with --stub")]
    NoStub(PathBuf),
    /// The settings would not work.
    #[error(
        "the stub would not accept `settings` under [client] in {FILE}: {0}; docs/settings.md \
         lists them all"
    )]
    Settings(String),
    /// The stub cannot have the name of the folder that the bundle is in.
    #[error(
        "the stub cannot be called {0:?} beside the folder `app`; give it another name with --name"
    )]
    Name(String),
    /// The stub is no Windows program.
    #[error("{0:?} is not a program for Windows")]
    NotPe(PathBuf),
}

/// What to ship.
#[derive(Debug, Clone)]
pub struct Order<'a> {
    /// Application.
    pub app: &'a str,
    /// Which release; `None`: the newest final one, else the newest.
    pub version: Option<Version>,
    /// The stub's binary.
    pub stub: &'a Path,
    /// The program to start, relative to the bundle.
    pub executable: Option<&'a str>,
    /// The stub's name; `None`: that of the program.
    pub name: Option<&'a str>,
    /// What users know the application as; `None`: its name.
    pub title: Option<&'a str>,
    /// Where the repository is published.
    pub url: Option<&'a str>,
    /// The new folder.
    pub output: &'a Path,
}

/// What was shipped.
#[derive(Debug)]
pub struct Shipped {
    /// The release.
    pub version: Version,
    /// The stub in the new folder: what users start.
    pub program: PathBuf,
}

/// Makes the folder. It is complete or not there at all.
///
/// # Errors
/// [`ShipError`].
pub fn ship(project: &Project, order: &Order) -> Result<Shipped, ShipError> {
    if order.output.exists() {
        return Err(ShipError::Exists(order.output.into()));
    }
    if !order.stub.is_file() {
        return Err(ShipError::NoStub(order.stub.into()));
    }
    let program = fs::read_optional(order.stub, MAX_STUB)?.unwrap_or_default();
    if self_update::version_of(&program).is_none() {
        return Err(ShipError::NotAStub(order.stub.into()));
    }
    let published = Published::load(project)?;
    let pending = Pending::open(project, &published)?;
    let (version, target) = choose(&pending, order)?;
    let archive = pending
        .find(&target, published.consistent_snapshot())?
        .ok_or_else(|| ShipError::NoArchive(target.clone()))?;
    let parent = match order.output.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    fs::create_dir_all(parent)?;
    let work = temporary::Folder::new_in(parent, ".ship-")?;
    let layout = Layout::new(work.path().join("install"));
    fs::create_dir_all(&layout.app())?;
    let file = fs::open(&archive)?;
    let manifest =
        unpack(file, &layout.app(), None, Rules::host(), &mut |_| true).map_err(|source| {
            ShipError::Archive {
                path: archive,
                source,
            }
        })?;
    let executable = program_of(&manifest, order)?;
    let release = Release {
        name: order.app.into(),
        version: version.clone(),
    };
    let url = order
        .url
        .or(project.settings.client.url.as_deref())
        .ok_or(ShipError::NoUrl)?;
    let text = stub_settings(project, order, url, &executable);
    let text = with_own(&text, &project.settings.client.settings).map_err(ShipError::Settings)?;
    fs::write_atomically(&layout.root().join(settings::FILE), text.as_bytes())?;
    fs::write_atomically(&layout.shipped_root(), &published.root.to_bytes())?;
    let record = Record { release, manifest };
    fs::write_atomically(&Record::path(&layout.app()), record.to_text().as_bytes())?;
    // The stub has the program's name, whatever folder that is in.
    let name = executable.rsplit('/').next().unwrap_or(&executable);
    let name = order.name.unwrap_or(name);
    if name.eq_ignore_ascii_case("app") || name.contains(['/', '\\']) || name.is_empty() {
        return Err(ShipError::Name(name.into()));
    }
    let stub = layout.root().join(name);
    fs::copy_with_mode(order.stub, &stub, 0o755)?;
    if name.to_ascii_lowercase().ends_with(".exe") {
        let app = fs::join(&layout.app(), &executable);
        take_subsystem(&app, &stub)?;
    }
    fs::set_path_mode(layout.root(), 0o755)?;
    fs::rename(layout.root(), order.output)?;
    Ok(Shipped {
        version,
        program: order.output.join(name),
    })
}

fn choose(pending: &Pending, order: &Order) -> Result<(Version, String), ShipError> {
    let mut releases = pending.releases(order.app);
    let found = match &order.version {
        Some(wanted) => releases.into_iter().find(|(version, _)| version == wanted),
        None => {
            let last_final =
                |(version, _): &(Version, String)| Channel::of(version) == Channel::Final;
            match releases.iter().rposition(last_final) {
                Some(at) => Some(releases.swap_remove(at)),
                None => releases.pop(),
            }
        }
    };
    found.ok_or_else(|| {
        let version = order.version.as_ref().map(|v| format!(" {v}"));
        ShipError::NoRelease(format!("{}{}", order.app, version.unwrap_or_default()))
    })
}

/// The program to start: the one that was named, else the only executable
/// file at the top of the bundle.
fn program_of(manifest: &Manifest, order: &Order) -> Result<String, ShipError> {
    if let Some(named) = order.executable {
        let found = manifest.entries.get(named).map(|entry| &entry.kind);
        return match found {
            Some(Kind::File { .. } | Kind::Link { .. }) => Ok(named.into()),
            _ => Err(ShipError::NoProgram(named.into())),
        };
    }
    let windows = manifest.entries.keys().any(|path| path.ends_with(".exe"));
    let mut programs: Vec<String> = manifest
        .entries
        .iter()
        .filter(|(path, entry)| {
            let file = matches!(entry.kind, Kind::File { .. });
            let runs = if windows {
                path.to_ascii_lowercase().ends_with(".exe")
            } else {
                entry.mode & 0o100 != 0 && !path.contains(".so")
            };
            file && runs && !path.contains('/')
        })
        .map(|(path, _)| path.clone())
        .collect();
    match programs.pop() {
        Some(only) if programs.is_empty() => Ok(only),
        last => {
            programs.extend(last);
            Err(ShipError::WhichProgram(programs))
        }
    }
}

fn stub_settings(project: &Project, order: &Order, url: &str, executable: &str) -> String {
    let url = url.trim_end_matches('/');
    let client = &project.settings.client;
    let mode = match client.mode {
        settings::Mode::BeforeLaunch => "before-launch",
        settings::Mode::Background => "background",
        settings::Mode::Off => "off",
    };
    format!(
        "\
# Settings of the updater that starts this application.

# The application's name in the repository, and where that is.
name = {name}
# What is shown of that; else the name.
{title}

metadata_url = {metadata}
targets_url = {targets}

# The program to start, in the folder app.
executable = {executable}

# Which releases are wanted: \"final\", \"rc\", \"b\" (betas) or \"a\" (alphas).
channel = \"{channel}\"

# \"before-launch\": look for updates before the application starts;
# \"background\": start it at once, fetch updates meanwhile, and install them at
# the next start; \"off\": only install what the application asked for.
mode = \"{mode}\"

# Seconds until it must be known whether there is an update; then the
# application starts anyway.
deadline = 3.0

# Seconds without a byte after which a download is given up.
stall = 20.0

# true: an update removes files in app that no release brought.
purge = false

# Files in app that releases bring and users may change, as patterns; such
# changes are kept. For example: [\"config/*.ini\"]
preserve = []

# A new version must live so many seconds, unless it ends with exit code 0 or
# makes the file that the environment variable NOTSOTUF_READY_FILE names; else
# the version before comes back. 0: never.
probation = 10.0

# true: where only administrators can write to this folder, as in Program Files,
# ask the user to allow each update (Windows).
elevate = false

# true: show nothing of an update, on a terminal or in a window.
quiet = false

# Where there is no terminal, a window shows an update that takes longer than a
# second, with a button to start the application without it. false: no window.
window = true

# The language of what is shown, as \"de\"; else the user's.
# language = \"en\"
",
        name = toml_string(order.app),
        title = match order.title.or(client.title.as_deref()) {
            Some(title) => format!("title = {}", toml_string(title)),
            None => "# title = \"My App\"".into(),
        },
        metadata = toml_string(&format!("{url}/metadata")),
        targets = toml_string(&format!("{url}/targets")),
        executable = toml_string(executable),
        channel = client.channel,
    )
}

/// `; did you mean …?`, if one of the words is nearly this one.
fn nearest<'a>(wrong: &str, known: impl Iterator<Item = &'a String>) -> String {
    let close = known
        .map(|word| (strsim::damerau_levenshtein(wrong, word), word))
        .min()
        .filter(|(distance, _)| *distance <= 2);
    close.map_or_else(String::new, |(_, word)| format!("; did you mean {word:?}?"))
}

/// Checks the settings of the stub that a project has for new installs.
///
/// # Errors
/// What is wrong with them.
pub fn check_settings(own: &toml::Table) -> Result<(), String> {
    let least = "name = 'a'\nmetadata_url = 'https://a'\ntargets_url = 'https://a'\n\
                 executable = 'a'\n";
    with_own(least, own).map(drop)
}

/// The settings with those of the project in their places, or after them.
fn with_own(text: &str, own: &toml::Table) -> Result<String, String> {
    let own = toml_edit::ser::to_document(own).map_err(|e| e.to_string())?;
    let mut document: DocumentMut = text.parse().expect("it is TOML");
    for (key, item) in own.iter() {
        if ["name", "metadata_url", "targets_url", "executable"].contains(&key) {
            return Err(format!("{key} is not for the project to set"));
        }
        match (document.get_mut(key), item) {
            // So that the comment before it stays.
            (Some(Item::Value(there)), Item::Value(value)) => {
                let decor = there.decor().clone();
                *there = value.clone();
                *there.decor_mut() = decor;
            }
            _ => document[key] = item.clone(),
        }
    }
    let text = document.to_string();
    let settings = settings::Settings::parse(&text)?;
    let known = serde_json::to_value(settings).map_err(|e| e.to_string())?;
    match own.iter().find(|(key, _)| known.get(key).is_none()) {
        Some((key, _)) => {
            let known = known.as_object().into_iter().flat_map(|known| known.keys());
            Err(format!(
                "there is no setting {key:?}{}",
                nearest(key, known)
            ))
        }
        None => Ok(text),
    }
}

/// Makes the stub a console or a windowed program, as the application is:
/// the field Subsystem of the PE optional header
/// (<https://learn.microsoft.com/windows/win32/debug/pe-format>). Sign the
/// stub (Authenticode) after this, not before.
fn take_subsystem(app: &Path, stub: &Path) -> Result<(), ShipError> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| FsError::new("read", path, e));
    let application = read(app)?;
    let mut program = read(stub)?;
    let from = subsystem_offset(&application).ok_or_else(|| ShipError::NotPe(app.into()))?;
    let to = subsystem_offset(&program).ok_or_else(|| ShipError::NotPe(stub.into()))?;
    program[to..to + 2].copy_from_slice(&application[from..from + 2]);
    let written = |e: io::Error| FsError::new("write", stub, e);
    std::fs::write(stub, program).map_err(written)?;
    Ok(())
}

/// Where in a PE file the two bytes of the subsystem are.
fn subsystem_offset(file: &[u8]) -> Option<usize> {
    let header = u32::from_le_bytes(file.get(0x3c..0x40)?.try_into().ok()?) as usize;
    let pe = file.get(..2)? == b"MZ" && file.get(header..header.checked_add(4)?)? == b"PE\0\0";
    // 4 bytes of signature, 20 of COFF header, 68 into the optional header.
    let offset = header + 24 + 68;
    (pe && file.len() >= offset + 2).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use notsotuf_stub::bundle::Entry;

    #[test]
    fn the_program_is_the_only_executable_at_the_top() {
        let file = |mode| Entry {
            kind: Kind::File {
                size: 1,
                sha256: [0; 32],
            },
            mode,
        };
        let mut manifest = Manifest::default();
        let mut order = Order {
            app: "x",
            version: None,
            stub: Path::new(""),
            executable: None,
            name: None,
            title: None,
            url: None,
            output: Path::new(""),
        };
        for (path, mode) in [
            ("readme", 0o644),
            ("tool", 0o755),
            ("_internal/libx", 0o755),
        ] {
            manifest.entries.insert(path.into(), file(mode));
        }
        assert_eq!(program_of(&manifest, &order).unwrap(), "tool");
        manifest.entries.insert("another".into(), file(0o755));
        assert!(
            matches!(program_of(&manifest, &order), Err(ShipError::WhichProgram(all)) if all.len() == 2)
        );
        order.executable = Some("another");
        assert_eq!(program_of(&manifest, &order).unwrap(), "another");
        order.executable = Some("none");
        assert!(matches!(
            program_of(&manifest, &order),
            Err(ShipError::NoProgram(_))
        ));
        order.executable = None;
        manifest.entries.insert("App.exe".into(), file(0o644));
        assert_eq!(program_of(&manifest, &order).unwrap(), "App.exe");
    }

    #[test]
    fn the_project_has_settings_of_its_own() {
        let text = "# A comment.\nname = 'a'\nmetadata_url = 'http://a'\ntargets_url = 'http://a'\n\
                    executable = 'a'\n\n# Seconds.\nprobation = 10.0 # really\n\n# window = true\n";
        let own = |own: &str| with_own(text, &own.parse().unwrap());
        let done = own(
            "probation = 0.5\nwindow = false\npreserve = ['a', 'b']\n[texts]\nleft = 'noch {time}'\n\
             [[authorization]]\norigin = 'https://a'\nbearer = 'x'\n",
        )
        .unwrap();
        assert!(done.starts_with("# A comment.\nname"), "{done}");
        assert!(
            done.contains("\n# Seconds.\nprobation = 0.5 # really\n"),
            "{done}"
        );
        let settings = settings::Settings::parse(&done).unwrap();
        assert_eq!((settings.probation, settings.window), (0.5, false));
        assert_eq!(settings.preserve, ["a", "b"]);
        assert_eq!(settings.texts["left"], "noch {time}");
        assert_eq!(settings.authorization().len(), 1);
        for (bad, told) in [
            ("probtion = 1.0", "no setting \"probtion\""),
            ("name = 'b'", "not for the project"),
            ("probation = -1.0", "probation must be"),
        ] {
            assert!(own(bad).unwrap_err().contains(told), "{bad}");
        }
        assert_eq!(own("").unwrap(), text);
    }

    #[test]
    fn the_subsystem_is_copied_from_program_to_program() {
        let folder = tempfile::tempdir().unwrap();
        let pe = |subsystem: u8| {
            let mut file = vec![0; 0x200];
            file[..2].copy_from_slice(b"MZ");
            file[0x3c] = 0x80;
            file[0x80..0x84].copy_from_slice(b"PE\0\0");
            file[0x80 + 24 + 68] = subsystem;
            file
        };
        let (app, stub) = (folder.path().join("app"), folder.path().join("stub"));
        std::fs::write(&app, pe(2)).unwrap();
        std::fs::write(&stub, pe(3)).unwrap();
        take_subsystem(&app, &stub).unwrap();
        assert_eq!(std::fs::read(&stub).unwrap(), pe(2));
        std::fs::write(&app, "#!/bin/sh\n").unwrap();
        assert!(matches!(
            take_subsystem(&app, &stub),
            Err(ShipError::NotPe(_))
        ));
    }
}
