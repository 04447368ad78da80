//! Makes an archive for Linux with a script that installs for one user.

use super::desktop::{self, Icon};
use super::machine::Machine;
use super::tree::Tree;
use super::{Application, InstallerError};
use flate2::{Compression, GzBuilder};
use notsotuf_stub::fs::{self, FsError};
use std::path::{Path, PathBuf};

const INSTALL: &str = include_str!("install.sh");
const UNINSTALL: &str = include_str!("uninstall.sh");

pub(super) fn file_name(app: &Application) -> String {
    format!("{}.tar.gz", folder(app))
}

fn folder(app: &Application) -> String {
    format!("{}-{}-installer", app.name, app.version)
}

pub(super) fn make(
    app: &Application,
    _machine: Machine,
    work: &Path,
) -> Result<PathBuf, InstallerError> {
    let path = work.join("tar.gz");
    let out = std::io::BufWriter::new(fs::create_new(&path)?);
    let gzip = GzBuilder::new().mtime(0).write(out, Compression::best());
    let mut tree = Tree::new(gzip, &path);
    let top = folder(app);
    let icon = Icon::of(app)?;
    tree.folder(&top)?;
    let script = format!("{}{INSTALL}", head(app, icon.as_ref()));
    tree.file(&format!("{top}/install.sh"), 0o755, script.as_bytes())?;
    tree.file(&format!("{top}/uninstall.sh"), 0o644, UNINSTALL.as_bytes())?;
    let entry = desktop::entry(app);
    tree.file(&format!("{top}/entry.desktop"), 0o644, entry.as_bytes())?;
    if let Some(icon) = &icon {
        tree.file(&format!("{top}/{}", icon.name), 0o644, &icon.bytes)?;
    }
    tree.application(app, &format!("{top}/files"), &[])?;
    let written = |e| FsError::new("write", &path, e);
    let out = tree.finish()?.finish().map_err(written)?;
    let file = out.into_inner().map_err(|e| written(e.into_error()))?;
    file.sync_all().map_err(written)?;
    Ok(path)
}

/// What the script knows of the application.
fn head(app: &Application, icon: Option<&Icon>) -> String {
    let mut head = String::from("#!/bin/sh\n# Installs an application for one user.\nset -eu\n");
    let version = app.version.to_string();
    let values = [
        ("app", app.name),
        ("title", app.title),
        ("version", &version),
        ("program", app.program),
        ("command", app.program),
        ("icon_name", icon.map_or("", |icon| &icon.name)),
        ("icon_folder", icon.map_or("", |icon| &icon.folder)),
    ];
    for (name, value) in values {
        head.push_str(&format!("{name}={}\n", quoted(value)));
    }
    head
}

/// Writes a word of the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
