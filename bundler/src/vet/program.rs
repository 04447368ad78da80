//! Checks the programs in a bundle, and whether the systems they are for can
//! hold it and start them.

use super::finding::Finding;
use super::look::{Found, Look, ProgramKind};
use crate::pack::archive::mode;
use crate::pack::pe::ends_with_exe;
use flate2::read::MultiGzDecoder;
use notsotuf_stub::bundle::{self, Entry, Manifest, Rules};
use notsotuf_stub::fs::{self, FsError};
use pep440_rs::Version;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// Limits how many names are told.
const TOLD: usize = 5;

/// Holds the previous release, as far as it matters here.
#[derive(Debug)]
pub(crate) struct Previous {
    /// Its version.
    pub version: Version,
    /// The programs that clients may start.
    pub programs: Vec<String>,
}

/// Reads the programs off the archive of a release; `None` if that cannot be
/// read.
pub(crate) fn previous(version: &Version, archive: &Path) -> Option<Previous> {
    let mut tar = tar::Archive::new(MultiGzDecoder::new(File::open(archive).ok()?));
    let mut found: BTreeMap<String, ProgramKind> = BTreeMap::new();
    for entry in tar.entries().ok()? {
        let mut entry = entry.ok()?;
        let name = entry
            .path()
            .ok()?
            .to_str()?
            .trim_start_matches("./")
            .to_owned();
        if !entry.header().entry_type().is_file() || !may_be_started(&name) {
            continue;
        }
        let executable = entry.header().mode().ok()? & 0o100 != 0;
        let mut head = Vec::new();
        (&mut entry).take(8).read_to_end(&mut head).ok()?;
        let kind = ProgramKind::of(&head);
        if executable || kind == ProgramKind::Pe {
            found.insert(name, kind);
        }
    }
    Some(Previous {
        version: version.clone(),
        programs: programs_of(found.iter().map(|(name, kind)| (name.as_str(), *kind))),
    })
}

/// Returns whether a program is where users start it: at the top, or in a
/// `.app`.
fn may_be_started(name: &str) -> bool {
    match name.split_once('/') {
        None => !is_library(name),
        Some((app, rest)) => {
            let inner = rest.strip_prefix("Contents/MacOS/");
            app.ends_with(".app") && inner.is_some_and(|inner| !inner.contains('/'))
        }
    }
}

fn is_library(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.contains(".so") || name.ends_with(".dylib") || name.ends_with(".dll")
}

/// Returns the programs; where there is one for Windows, only those for Windows
/// count.
fn programs_of<'a>(files: impl Iterator<Item = (&'a str, ProgramKind)> + Clone) -> Vec<String> {
    let exe = |name: &str, kind: ProgramKind| kind == ProgramKind::Pe && ends_with_exe(name);
    let windows = files.clone().any(|(name, kind)| exe(name, kind));
    let wanted = |(name, kind): &(&str, ProgramKind)| {
        if windows {
            exe(name, *kind)
        } else {
            *kind != ProgramKind::Other && *kind != ProgramKind::Pe
        }
    };
    files
        .filter(wanted)
        .map(|(name, _)| name.to_owned())
        .collect()
}

/// Whether the bundle is for Windows: it has such a program at the top.
fn is_for_windows(look: &Look) -> bool {
    let at_top = |file: &Found| !file.name.contains('/');
    let mut files = look.files.iter();
    files.any(|file| at_top(file) && file.kind == ProgramKind::Pe && ends_with_exe(&file.name))
}

fn is_for_macos(look: &Look) -> bool {
    let mut files = look.files.iter();
    files.any(|file| file.kind == ProgramKind::MachO && may_be_started(&file.name))
}

/// Checks that there is something to start, and what the previous release had.
pub(super) fn programs(look: &Look, previous: Option<&Previous>) -> Result<Vec<Finding>, FsError> {
    let windows = is_for_windows(look);
    let starts = |file: &&Found| file.kind != ProgramKind::Other && !is_library(&file.name);
    // Whether what may be executed is of a kind that this system, and not that
    // of the users, knows is not for this program to say.
    let runs = |file: &&Found| {
        if windows {
            starts(file)
        } else {
            file.executable && !is_library(&file.name)
        }
    };
    if !look.files.iter().any(|file| runs(&file)) {
        let lost = look.files.iter().filter(starts);
        let lost = lost.min_by_key(|file| file.name.matches('/').count());
        return Ok(vec![Finding::unless_forced(match lost {
            Some(file) => lost_bits(&file.name),
            None => "it has no program that could be started; is it what PyInstaller made?".into(),
        })]);
    }
    let Some(previous) = previous else {
        return Ok(Vec::new());
    };
    let missing = |name: &&String| !look.file(name).is_some_and(|file| runs(&file));
    let gone: Vec<&String> = previous.programs.iter().filter(missing).collect();
    let Some(first) = gone.first() else {
        return Ok(Vec::new());
    };
    if look.file(first).is_some_and(|file| starts(&file)) {
        return Ok(vec![Finding::unless_forced(lost_bits(first))]);
    }
    let all = gone.len() == previous.programs.len();
    let names: Vec<&str> = gone.iter().map(|name| name.as_str()).collect();
    let (names, version) = (names.join(", "), &previous.version);
    if !all {
        return Ok(vec![Finding::warning(format!(
            "{names}, which {version} has, is not in this bundle: installs that start that would \
             not start any more"
        ))]);
    }
    let near = match near(look, first)? {
        Some(near) => format!("; did you mean {near}?"),
        None => String::new(),
    };
    Ok(vec![Finding::unless_forced(format!(
        "it does not have {names}, which {version} has and installs start{near}"
    ))])
}

fn lost_bits(name: &str) -> String {
    format!(
        "{name} looks like a program, and may not be executed: some archives, disks and steps of \
         CI lose that permission; `chmod +x` gives it back, and packing the bundle with tar on \
         the way keeps it"
    )
}

/// Returns where the program is, or what is called something like it.
fn near(look: &Look, program: &str) -> Result<Option<String>, FsError> {
    let inside = look.files.iter().find_map(|file| {
        let folder = file.name.strip_suffix(program)?.strip_suffix('/')?;
        Some(look.bundle.join(folder))
    });
    if let Some(folder) = inside {
        return Ok(Some(format!("{folder:?}")));
    }
    let parent = look.bundle.parent().unwrap_or_else(|| Path::new(""));
    let parent = if parent.as_os_str().is_empty() {
        Path::new(".")
    } else {
        parent
    };
    let mut places = fs::list(parent).unwrap_or_default();
    places.push(parent.to_path_buf());
    let place = |place: &std::path::PathBuf| *place != look.bundle && place.join(program).is_file();
    if let Some(folder) = places.into_iter().find(place) {
        let folder = folder.strip_prefix("./").unwrap_or(&folder).to_path_buf();
        return Ok(Some(format!("{folder:?}")));
    }
    let similar = look.files.iter().find(|file| {
        !file.name.contains('/')
            && file.kind != ProgramKind::Other
            && super::near_names::distance(&file.name.to_lowercase(), &program.to_lowercase()) <= 2
    });
    Ok(similar.map(|file| format!("{} (its name is another one)", file.name)))
}

/// Names that the system which the bundle is for cannot hold, whatever this
/// one can.
pub(super) fn names(look: &Look) -> Vec<Finding> {
    let (rules, system) = match (is_for_windows(look), is_for_macos(look)) {
        (true, _) => (Rules::portable(), "Windows"),
        (_, true) => {
            let rules = Rules {
                case_insensitive: true,
                windows_names: false,
            };
            (rules, "macOS")
        }
        _ => return Vec::new(),
    };
    let bad: Vec<String> = look
        .items
        .iter()
        .filter_map(|item| rules.check_path(&item.name).err())
        .map(|refusal| refusal.to_string())
        .collect();
    let said = match bad.len() {
        0 => match rules.check_tree(&manifest(look)) {
            Ok(()) => return Vec::new(),
            Err(refusal) => refusal.to_string(),
        },
        n if n > TOLD => format!("{}; and {} more", bad[..TOLD].join("; "), n - TOLD),
        _ => bad.join("; "),
    };
    vec![Finding::unless_forced(format!(
        "it has a program for {system}, where clients would refuse it: {said}"
    ))]
}

/// The paths as a manifest has them; what the files hold does not matter.
fn manifest(look: &Look) -> Manifest {
    let entry = |item: &crate::pack::archive::Item| {
        let kind = if item.kind.is_dir() {
            bundle::EntryKind::Dir
        } else {
            // Links are checked when the archive is read back.
            bundle::EntryKind::File {
                size: item.kind.len(),
                sha256: [0; 32],
            }
        };
        let entry = Entry {
            kind,
            mode: mode(item),
        };
        (item.name.clone(), entry)
    };
    Manifest {
        entries: look.items.iter().map(entry).collect(),
    }
}
