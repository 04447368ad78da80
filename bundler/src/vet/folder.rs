//! Recognizes folders that are taken for the bundle: that of the project, of
//! the keys, of the sources, of PyInstaller's work, and the one above the
//! bundle.

use super::error::did_you_mean;
use super::finding::Finding;
use super::look::{Look, ProgramKind};
use super::program::Previous;
use crate::project::{self, Project};
use notsotuf_stub::fs;
use std::path::{Path, PathBuf};

/// Settings files of projects: this program's, tufup's, original notsotuf's.
const SETTINGS: [&str; 3] = [project::FILE, ".tufup-repo-config", ".notsotuf-repo-config"];
/// What people are sent, rather than what PyInstaller makes.
const PACKAGES: [&str; 14] = [
    ".zip", ".tar", ".tar.gz", ".tgz", ".gz", ".7z", ".rar", ".dmg", ".pkg", ".msi", ".deb",
    ".rpm", ".whl", ".spec",
];

/// Checks whether the bundle has to do with the project's own folders.
pub(super) fn project(project: &Project, bundle: &Path, key_dirs: &[PathBuf]) -> Vec<Finding> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let Some(bundle) = real(bundle) else {
        return Vec::new();
    };
    let pending = project.pending();
    let root = pending.parent().and_then(real);
    let mut folders = vec![
        ("the project's keys", project.keystore()),
        ("the published repository", project.repository()),
        ("what is not published yet", pending.clone()),
    ];
    folders.extend(key_dirs.iter().map(|keys| ("keys", keys.clone())));
    let mut findings = Vec::new();
    if root.as_ref().is_some_and(|root| root.starts_with(&bundle)) {
        findings.push(holds("this project itself, with its settings"));
    }
    for (what, folder) in folders {
        let Some(folder) = real(&folder) else {
            continue;
        };
        // The project may say that its own folder is that of the keys.
        let apart = root.as_ref().is_none_or(|root| !root.starts_with(&folder));
        if folder.starts_with(&bundle) || (apart && bundle.starts_with(&folder)) {
            findings.push(holds(what));
        }
    }
    findings.truncate(1);
    findings
}

fn holds(what: &str) -> Finding {
    Finding::never(format!(
        "it holds {what}, which everybody would get; name just the folder that PyInstaller made, \
         such as dist/myapp"
    ))
}

/// Finds settings of projects, wherever they are.
pub(super) fn settings(look: &Look) -> Vec<Finding> {
    let is_settings = |name: &str| SETTINGS.contains(&name.rsplit('/').next().unwrap_or(name));
    let found = look.files.iter().find(|file| is_settings(&file.name));
    let text = |name: &str| holds(&format!("a project ({name})"));
    found.map(|file| text(&file.name)).into_iter().collect()
}

/// Checks what else is taken for a bundle.
pub(super) fn other(look: &Look, previous: Option<&Previous>) -> Vec<Finding> {
    let found = package(look)
        .or_else(|| part(look))
        .or_else(|| work(look))
        .or_else(|| environment(look))
        .or_else(|| parent(look, previous))
        .or_else(|| sources(look));
    found.into_iter().collect()
}

fn package(look: &Look) -> Option<Finding> {
    let name = look.bundle.file_name()?.to_str()?.to_ascii_lowercase();
    let file = look.bundle.is_file();
    let kind = PACKAGES.iter().find(|end| file && name.ends_with(**end))?;
    Some(Finding::unless_forced(format!(
        "it is a {kind} file, and clients would get just that; name the folder or the program that \
         PyInstaller made"
    )))
}

/// A program that needs what is beside it: PyInstaller puts `base_library.zip` there, or
/// below `_internal`.
fn part(look: &Look) -> Option<Finding> {
    if !look.bundle.is_file() {
        return None;
    }
    let real = std::fs::canonicalize(&look.bundle).ok()?;
    let folder = real.parent()?;
    let needed = ["_internal/base_library.zip", "base_library.zip"];
    let needed = needed.iter().find(|path| folder.join(path).is_file())?;
    Some(Finding::unless_forced(format!(
        "it is the program alone, and {needed:?} beside it is what it starts with; name its folder, \
         {:?}",
        look.bundle.parent().unwrap_or(folder)
    )))
}

/// PyInstaller writes `build/<name>/Analysis-00.toc` and others.
fn work(look: &Look) -> Option<Finding> {
    let numbered = |name: &str, start: &str, end: &str| {
        let digits = name
            .strip_prefix(start)
            .and_then(|rest| rest.strip_suffix(end));
        digits.is_some_and(|d| !d.is_empty() && d.chars().all(|c| c.is_ascii_digit()))
    };
    let found = look.files.iter().find(|file| {
        let (folder, name) = file.name.rsplit_once('/').unwrap_or(("", &file.name));
        !folder.contains('/')
            && (numbered(name, "Analysis-", ".toc")
                || numbered(name, "PYZ-", ".toc")
                || numbered(name, "EXE-", ".toc"))
    })?;
    let real = std::fs::canonicalize(&look.bundle).ok();
    let mut up = real
        .iter()
        .flat_map(|path| path.ancestors().skip(1).take(2));
    let name = real.as_ref().and_then(|path| path.file_name());
    let made = up.find_map(|folder| {
        let dist = folder.join("dist");
        let own = name
            .map(|name| dist.join(name))
            .filter(|path| path.exists());
        let all = || {
            let mut all = fs::list(&dist).unwrap_or_default();
            all.truncate(3);
            all
        };
        let made = own.map_or_else(all, |own| vec![own]);
        (!made.is_empty()).then_some(made)
    });
    Some(Finding::unless_forced(format!(
        "it is the folder in which PyInstaller works (it has {}); the bundle is in dist{}",
        file_name(&found.name),
        did_you_mean(&made.unwrap_or_default())
    )))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn environment(look: &Look) -> Option<Finding> {
    look.file("pyvenv.cfg")?;
    Some(Finding::unless_forced(
        "it is a virtual environment of Python; the bundle is in dist".into(),
    ))
}

/// A folder with bundles in it. One that holds a single `.app` is itself what
/// is released.
fn parent(look: &Look, previous: Option<&Previous>) -> Option<Finding> {
    let at_top = |file: &&super::look::Found| !file.name.contains('/');
    let starts = |kind: ProgramKind| kind != ProgramKind::Other;
    if look
        .files
        .iter()
        .filter(at_top)
        .any(|file| starts(file.kind))
    {
        return None;
    }
    let folders: Vec<&str> = look
        .items
        .iter()
        .filter(|item| item.kind.is_dir() && !item.name.contains('/'))
        .map(|item| item.name.as_str())
        .collect();
    let is_app =
        |name: &&str| name.ends_with(".app") && look.has_folder(&format!("{name}/Contents/MacOS"));
    let bundles: Vec<&str> = folders
        .iter()
        .filter(|n| is_bundle(look, n) || is_app(n))
        .copied()
        .collect();
    // As it was released before, it is meant.
    let meant = previous.is_some_and(|previous| {
        previous
            .programs
            .iter()
            .any(|program| look.file(program).is_some())
    });
    let (first, single) = (bundles.first()?, bundles.len() == 1);
    if meant || (single && is_app(first)) {
        return None;
    }
    let all: Vec<String> = bundles
        .iter()
        .take(4)
        .map(|name| format!("{:?}", look.bundle.join(name)))
        .collect();
    let what = if single {
        "a bundle but is not one"
    } else {
        "bundles but is not one"
    };
    Some(Finding::unless_forced(format!(
        "it holds {what} itself; did you mean {}?",
        all.join(" or ")
    )))
}

/// Whether the folder `name` is what PyInstaller makes.
fn is_bundle(look: &Look, name: &str) -> bool {
    let has = |file: &str| look.file(&format!("{name}/{file}")).is_some();
    let mut inner = look.files.iter().filter(|file| {
        let rest = file
            .name
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('/'));
        rest.is_some_and(|rest| !rest.contains('/'))
    });
    (look.has_folder(&format!("{name}/_internal")) || has("base_library.zip"))
        && inner.any(|file| file.kind != ProgramKind::Other)
}

fn sources(look: &Look) -> Option<Finding> {
    let spec = look
        .files
        .iter()
        .find(|file| !file.name.contains('/') && file.name.to_ascii_lowercase().ends_with(".spec"));
    let what = match spec {
        Some(spec) => spec.name.as_str(),
        None => [".git", ".hg", ".svn"]
            .into_iter()
            .find(|name| look.has_folder(name))?,
    };
    Some(Finding::unless_forced(format!(
        "it is the folder of the sources (it has {what}); the bundle is what PyInstaller makes, in \
         dist"
    )))
}
