//! Makes a package for Debian and its like, without its tools: an archive of `ar` with two of
//! tar (<https://manpages.debian.org/deb.5>). The application is the package manager's to update.

use super::desktop::{self, Icon};
use super::machine::Machine;
use super::tree::Tree;
use super::{Application, InstallerError};
use crate::ship::stub_settings;
use flate2::{Compression, GzBuilder};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::settings;
use pep440_rs::{PrereleaseKind, Version};
use std::path::{Path, PathBuf};

pub(super) fn file_name(app: &Application, machine: Machine) -> String {
    let version = debian_version(app.version).replace(':', "%3a");
    format!("{}_{version}_{}.deb", package(app.name), machine.debian())
}

pub(super) fn make(
    app: &Application,
    machine: Machine,
    work: &Path,
) -> Result<PathBuf, InstallerError> {
    let mut bytes = 0;
    let data = archive(&work.join("data.tar.gz"), |tree| {
        bytes = write_data(app, tree)?;
        Ok(())
    })?;
    let control = archive(&work.join("control.tar.gz"), |tree| {
        let control = control(app, machine, bytes)?;
        tree.file("control", 0o644, control.as_bytes())?;
        tree.file("postrm", 0o755, after_removal(app).as_bytes())
    })?;
    let path = work.join("deb");
    let members = [
        ("debian-binary", b"2.0\n".to_vec()),
        ("control.tar.gz", control),
        ("data.tar.gz", data),
    ];
    fs::write_atomically(&path, &ar(&members))?;
    Ok(path)
}

fn home(app: &Application) -> String {
    format!("opt/{}", app.name)
}

fn write_data(
    app: &Application,
    tree: &mut Tree<impl std::io::Write>,
) -> Result<u64, InstallerError> {
    let home = home(app);
    let program = format!("/{home}/{}", app.program);
    tree.folder("opt")?;
    // What packages bring, packages update.
    let text = app.folder.join(settings::FILE);
    let text = fs::read_optional(&text, 1 << 20)?.unwrap_or_default();
    let text = stub_settings::with_mode_off(&String::from_utf8_lossy(&text));
    let text = text.map_err(|reason| InstallerError::Setting {
        name: "settings",
        reason,
    })?;
    let replaced = [(settings::FILE, text.into_bytes())];
    let bytes = tree.application(app, &home, &replaced)?;
    for folder in ["usr", "usr/bin", "usr/share", "usr/share/applications"] {
        tree.folder(folder)?;
    }
    tree.link(&format!("usr/bin/{}", app.program), &program)?;
    let entry = desktop::entry(app) + &desktop::exec(&program);
    let name = format!("usr/share/applications/{}.desktop", app.name);
    tree.file(&name, 0o644, entry.as_bytes())?;
    if let Some(icon) = Icon::of(app)? {
        let mut folder = "usr/share".to_owned();
        for part in ["icons", "hicolor", &icon.folder, "apps"] {
            folder = format!("{folder}/{part}");
            tree.folder(&folder)?;
        }
        tree.file(&format!("{folder}/{}", icon.name), 0o644, &icon.bytes)?;
    }
    Ok(bytes)
}

/// Makes a gzipped tar archive, and returns it.
fn archive(
    path: &Path,
    fill: impl FnOnce(&mut Tree<&mut flate2::write::GzEncoder<Vec<u8>>>) -> Result<(), InstallerError>,
) -> Result<Vec<u8>, InstallerError> {
    let mut gzip = GzBuilder::new()
        .mtime(0)
        .write(Vec::new(), Compression::best());
    let mut tree = Tree::new(&mut gzip, path);
    fill(&mut tree)?;
    tree.finish()?;
    gzip.finish()
        .map_err(|e| FsError::new("write", path, e).into())
}

/// Writes an archive of `ar`, which has but file names that fit.
fn ar(members: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"!<arch>\n".to_vec();
    for (name, bytes) in members {
        let time = crate::pack::archive::MTIME;
        let size = bytes.len();
        file.extend(format!("{name:<16}{time:<12}0     0     100644  {size:<10}`\n").bytes());
        file.extend(bytes);
        if size % 2 == 1 {
            file.push(b'\n');
        }
    }
    file
}

fn control(app: &Application, machine: Machine, bytes: u64) -> Result<String, InstallerError> {
    let settings = app.settings;
    let maintainer = settings.maintainer.as_deref().ok_or_else(|| {
        let reason = "a package needs it, as \"Jane Doe <jane@example.com>\"".into();
        InstallerError::Setting {
            name: "maintainer",
            reason,
        }
    })?;
    let mut text = String::new();
    let mut line = |name: &str, value: &str| text.push_str(&format!("{name}: {value}\n"));
    line("Package", &package(app.name));
    line("Version", &debian_version(app.version));
    line("Architecture", machine.debian());
    line("Maintainer", &one_line(maintainer));
    line("Installed-Size", &bytes.div_ceil(1024).to_string());
    line("Depends", &one_line(&settings.depends.join(", ")));
    line("Section", "misc");
    line("Priority", "optional");
    if let Some(homepage) = &settings.homepage {
        line("Homepage", &one_line(homepage));
    }
    let description = settings.description.as_deref().unwrap_or(app.title);
    line("Description", &one_line(description));
    Ok(text)
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A start by root leaves a log there, which no package lists.
fn after_removal(app: &Application) -> String {
    let home = home(app);
    format!(
        "#!/bin/sh\nset -e\nhome=\"${{DPKG_ROOT-}}/\"'{home}'\n\
         case $1 in remove | purge)\n  rm -rf \"$home/.notsotuf\"\n  \
         rmdir --ignore-fail-on-non-empty \"$home\" 2>/dev/null || true ;;\nesac\n"
    )
}

/// Makes a name that Debian allows of an application's.
fn package(name: &str) -> String {
    let letter = |letter: char| match letter.to_ascii_lowercase() {
        it if it.is_ascii_alphanumeric() || "+-.".contains(it) => it,
        _ => '-',
    };
    let name: String = name.chars().map(letter).collect();
    let name = name.trim_start_matches(|it: char| !it.is_ascii_alphanumeric());
    match name.len() {
        0 => "application".into(),
        1 => format!("{name}-application"),
        _ => name.into(),
    }
}

/// Writes a version so that Debian orders it as Python does: `~` comes before the end.
fn debian_version(version: &Version) -> String {
    let numbers: Vec<_> = version.release().iter().map(u64::to_string).collect();
    let mut text = match version.epoch() {
        0 => numbers.join("."),
        epoch => format!("{epoch}:{}", numbers.join(".")),
    };
    let is_dev_only = version.pre().is_none() && version.post().is_none();
    if let Some(pre) = version.pre() {
        let kind = match pre.kind {
            PrereleaseKind::Alpha => "a",
            PrereleaseKind::Beta => "b",
            PrereleaseKind::Rc => "rc",
        };
        text.push_str(&format!("~{kind}{}", pre.number));
    }
    if let Some(post) = version.post() {
        text.push_str(&format!(".post{post}"));
    }
    if let Some(dev) = version.dev() {
        let mark = if is_dev_only { "~~" } else { "~" };
        text.push_str(&format!("{mark}dev{dev}"));
    }
    for part in version.local() {
        text.push_str(&format!("+{part}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_ordered_as_pythons_are() {
        let written = |version: &str| debian_version(&version.parse().unwrap());
        for (python, debian) in [
            ("1.0", "1.0"),
            ("1.0a1", "1.0~a1"),
            ("1.0rc2", "1.0~rc2"),
            ("1.0.dev3", "1.0~~dev3"),
            ("1.0a1.dev2", "1.0~a1~dev2"),
            ("1.0.post1", "1.0.post1"),
            ("2!1.0", "2:1.0"),
        ] {
            assert_eq!(written(python), debian);
        }
    }

    #[test]
    fn names_are_what_debian_allows() {
        for (name, package_name) in [
            ("photo-desk", "photo-desk"),
            ("My_App", "my-app"),
            ("_x y", "x-y"),
            ("a", "a-application"),
            ("__", "application"),
        ] {
            assert_eq!(package(name), package_name);
        }
    }

    #[test]
    fn members_begin_at_even_places() {
        let file = ar(&[("one", b"odd".to_vec()), ("two", b"even".to_vec())]);
        assert_eq!(&file[..8], b"!<arch>\n");
        let second = 8 + 60 + 4;
        assert_eq!(&file[second..second + 16], b"two             ");
        assert_eq!(&file[second + 58..second + 60], b"`\n");
        assert_eq!(file.len(), second + 60 + 4);
    }
}
