//! Makes installers of a first-install folder: one file a kind.

mod deb;
mod desktop;
mod error;
mod icon;
mod machine;
mod nsis;
mod tarball;
mod tree;

pub(crate) use error::InstallerError;
pub(crate) use nsis::SCRIPT;

use crate::pack::CodeSigning;
use crate::project::Installer;
use crate::ship::options::InstallerKind;
use machine::Machine;
use notsotuf_stub::fs;
use pep440_rs::Version;
use std::path::{Path, PathBuf};

/// Holds what installers are made of.
#[derive(Debug)]
pub(crate) struct Application<'a> {
    /// The application's name in the repository.
    pub name: &'a str,
    /// What users know it as.
    pub title: &'a str,
    /// The version that is shipped.
    pub version: &'a Version,
    /// The folder that `ship` has made.
    pub folder: &'a Path,
    /// The stub's name in that folder.
    pub program: &'a str,
    /// The project's folder, where paths of its settings begin.
    pub project: &'a Path,
    /// The project's settings of installers.
    pub settings: &'a Installer,
    /// What signs programs.
    pub signing: Option<CodeSigning<'a>>,
}

impl Application<'_> {
    /// Returns the path that a setting names, once that is a file.
    fn file(&self, name: &'static str, path: &Path) -> Result<PathBuf, InstallerError> {
        let path = self.project.join(path);
        let reason = format!("there is no file {path:?}");
        if path.is_file() {
            Ok(path)
        } else {
            Err(InstallerError::Setting { name, reason })
        }
    }

    /// Returns the machine that the stub is for.
    fn machine(&self) -> Result<Option<Machine>, InstallerError> {
        Ok(Machine::of(&self.folder.join(self.program))?)
    }
}

/// Makes one in a folder for its work.
type Maker = fn(&Application, Machine, &Path) -> Result<PathBuf, InstallerError>;

/// Makes an installer in the folder `into`, and returns its path.
///
/// # Errors
/// [`InstallerError`]; then there is none.
pub(crate) fn make(
    kind: InstallerKind,
    app: &Application,
    into: &Path,
) -> Result<PathBuf, InstallerError> {
    let machine = app.machine()?;
    let is = |fits: fn(Machine) -> bool| machine.is_some_and(fits);
    let (word, wanted, fits) = match kind {
        InstallerKind::Usual if is(Machine::is_windows) => {
            return make(InstallerKind::Setup, app, into);
        }
        InstallerKind::Usual => return make(InstallerKind::Tar, app, into),
        InstallerKind::Setup => ("setup", "Windows", is(Machine::is_windows)),
        InstallerKind::Tar => ("tar", "Linux", is(Machine::is_linux)),
        InstallerKind::Deb => ("deb", "Linux", is(Machine::is_linux)),
    };
    let Some(machine) = machine.filter(|_| fits) else {
        return Err(InstallerError::OtherSystem {
            kind: word,
            wanted,
            program: app.folder.join(app.program),
        });
    };
    let (name, maker): (_, Maker) = match kind {
        InstallerKind::Setup => (nsis::file_name(app), nsis::make),
        InstallerKind::Deb => (deb::file_name(app, machine), deb::make),
        InstallerKind::Tar | InstallerKind::Usual => (tarball::file_name(app), tarball::make),
    };
    let path = into.join(name);
    if path.exists() {
        return Err(InstallerError::Exists(path));
    }
    let work = crate::temporary::Folder::new_in(into, ".installer-")?;
    let made = maker(app, machine, work.path())?;
    fs::rename_durably(&made, &path)?;
    Ok(path)
}
