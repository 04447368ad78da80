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
use notsotuf_stub::settings::Settings;
use pep440_rs::Version;
use std::collections::BTreeMap;
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

    /// Returns the id that windows of the application have on Windows.
    fn app_user_model_id(&self) -> Option<String> {
        // `ship` has just written them.
        Settings::load(self.folder).ok()?.app_user_model_id
    }

    /// Returns the machine that the stub is for.
    fn machine(&self) -> Result<Option<Machine>, InstallerError> {
        Ok(Machine::of(&self.folder.join(self.program))?)
    }
}

/// Makes one in a folder for its work, and returns its path.
type Maker = fn(&Application, Machine, &Path) -> Result<PathBuf, InstallerError>;

/// Holds an installer that can be made.
struct Planned {
    name: String,
    machine: Machine,
    maker: Maker,
}

impl Planned {
    fn new(kind: InstallerKind, app: &Application) -> Result<Self, InstallerError> {
        let machine = app.machine()?;
        let for_windows = machine.filter(|machine| machine.is_windows());
        let for_linux = machine.filter(|machine| machine.is_linux());
        let kind = match kind {
            InstallerKind::Usual if for_windows.is_some() => InstallerKind::Setup,
            InstallerKind::Usual => InstallerKind::Tar,
            kind => kind,
        };
        let no = |kind, wanted| InstallerError::OtherSystem {
            kind,
            wanted,
            program: app.folder.join(app.program),
        };
        Ok(match kind {
            InstallerKind::Setup => Planned {
                machine: for_windows.ok_or_else(|| no("setup", "Windows"))?,
                name: nsis::file_name(app),
                maker: nsis::make,
            },
            InstallerKind::Tar | InstallerKind::Usual => Planned {
                machine: for_linux.ok_or_else(|| no("tar", "Linux"))?,
                name: tarball::file_name(app),
                maker: tarball::make,
            },
            InstallerKind::Deb => {
                let machine = for_linux.ok_or_else(|| no("deb", "Linux"))?;
                Planned {
                    machine,
                    name: deb::file_name(app, machine),
                    maker: deb::make,
                }
            }
        })
    }
}

/// Makes installers in the folder `work`, each in one of its own, for the folder `into`. Returns
/// for each where it is and where it belongs.
///
/// # Errors
/// [`InstallerError`].
pub(crate) fn make(
    kinds: &[InstallerKind],
    app: &Application,
    work: &Path,
    into: &Path,
) -> Result<Vec<(PathBuf, PathBuf)>, InstallerError> {
    // Whatever can be told now is told before the work.
    let mut planned = BTreeMap::new();
    for &kind in kinds {
        let installer = Planned::new(kind, app)?;
        let path = into.join(&installer.name);
        if path.exists() {
            return Err(InstallerError::Exists(path));
        }
        planned.insert(path, installer);
    }
    let mut made = Vec::new();
    for (number, (path, installer)) in planned.into_iter().enumerate() {
        let work = work.join(format!("installer-{number}"));
        fs::create_dir_all(&work)?;
        made.push(((installer.maker)(app, installer.machine, &work)?, path));
    }
    Ok(made)
}
