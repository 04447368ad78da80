//! Makes the first-install folder: the stub under the application's name, its
//! settings, the trusted root, and the bundle.

mod error;
mod face;
mod installer;
mod newest_program;
mod options;
mod program_of;
mod stub_settings;
mod unpack_release;

pub(crate) use error::ShipError;
pub(crate) use face::take_face;
pub(crate) use installer::SCRIPT;

pub(crate) use newest_program::with_newest_program;
pub(crate) use options::{InstallerKind, ShipOptions};
use program_of::program_of;
use stub_settings::{mark_as_shipped, merge_project_settings};
pub(crate) use unpack_release::unpack_newest;
use unpack_release::unpack_release;

use crate::interrupt;
use crate::metadata::Published;
use crate::pack::pe::ends_with_exe;
use crate::project::Project;
use crate::release::PendingTargets;
use crate::temporary;
use crate::vet::ProgramKind;
use notsotuf_stub::catalog::Channel;
use notsotuf_stub::fs::FsError;
use notsotuf_stub::install::{Layout, Record, Release};
use notsotuf_stub::stub_version;
use notsotuf_stub::{fs, settings};
use pep440_rs::Version;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The most that is read of a program that may be a stub, which has about 3 MB.
pub(crate) const MAX_STUB: u64 = 256 << 20;

/// Says what was shipped.
#[derive(Debug)]
pub(crate) struct Shipped {
    /// The release.
    pub version: Version,
    /// The stub in the new folder: what users start.
    pub program: PathBuf,
    /// The installers that were made of it.
    pub installers: Vec<PathBuf>,
}

/// Makes the folder, and installers of it beside it. Each is complete or not there at all, and
/// none is there where one of them cannot be made.
///
/// # Errors
/// [`ShipError`].
pub(crate) fn ship(project: &Project, options: &ShipOptions) -> Result<Shipped, ShipError> {
    if options.output.exists() {
        return Err(ShipError::Exists(options.output.into()));
    }
    check_stub(options.stub)?;
    let published = Published::load(project)?;
    let pending = PendingTargets::open(project, &published)?;
    let (version, target) = choose(&pending, options)?;
    let parent = parent_of(options.output);
    fs::create_dir_all(parent)?;
    let work = temporary::Folder::new_in(parent, ".ship-")?;
    let layout = Layout::new(work.path().join("install"));
    fs::create_dir_all(&layout.app())?;
    let manifest = unpack_release(&pending, &published, &target, &layout.app())?.manifest;
    let executable = program_of(&manifest, options.executable)?;
    check_system(options.stub, &fs::join(&layout.app(), &executable))?;
    let release = Release {
        name: options.app.into(),
        version: version.clone(),
    };
    let client = &project.settings.client;
    let url = options.url.or(client.url.as_deref());
    let at = client.addresses_at(url.ok_or(ShipError::NoUrl)?);
    let text = stub_settings::stub_settings(project, options, &at, &executable);
    let text = merge_project_settings(&text, &project.settings.client.settings)
        .and_then(|text| mark_as_shipped(&text, &version))
        .map_err(ShipError::Settings)?;
    fs::write_atomically(&layout.root().join(settings::FILE), text.as_bytes())?;
    fs::write_atomically(&layout.shipped_root(), &published.root.to_bytes())?;
    let record = Record { release, manifest };
    fs::write_atomically(&Record::path(&layout.app()), record.to_text().as_bytes())?;
    let name = stub_name(options, &executable)?;
    let stub = layout.root().join(name);
    fs::copy_with_mode(options.stub, &stub, 0o755)?;
    if ends_with_exe(name) {
        let app = fs::join(&layout.app(), &executable);
        take_face(&app, &stub)?;
        if let Some(signing) = project.code_signing() {
            signing.sign(&stub)?;
        }
    }
    fs::set_path_mode(layout.root(), 0o755)?;
    let app = application(project, options, &version, &layout, name);
    let installers = installer::make(options.installers, &app, work.path(), parent)?;
    let _whole = interrupt::hold();
    fs::rename_durably(layout.root(), options.output)?;
    for (made, path) in &installers {
        fs::rename_durably(made, path)?;
    }
    Ok(Shipped {
        version,
        program: options.output.join(name),
        installers: installers.into_iter().map(|(_, path)| path).collect(),
    })
}

/// What installers are made of.
fn application<'a>(
    project: &'a Project,
    options: &ShipOptions<'a>,
    version: &'a Version,
    layout: &'a Layout,
    program: &'a str,
) -> installer::Application<'a> {
    let title = options.title.or(project.settings.client.title.as_deref());
    installer::Application {
        name: options.app,
        title: title.unwrap_or(options.app),
        version,
        folder: layout.root(),
        program,
        project: project.root(),
        settings: &project.settings.installer,
        signing: project.code_signing(),
    }
}

fn parent_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

/// What the stub is called: as the program, whatever folder that is in, or as
/// was asked.
fn stub_name<'a>(options: &ShipOptions<'a>, executable: &'a str) -> Result<&'a str, ShipError> {
    let name = executable.rsplit('/').next().unwrap_or(executable);
    let name = options.name.unwrap_or(name);
    if name.eq_ignore_ascii_case("app") || name.contains(['/', '\\']) || name.is_empty() {
        return Err(ShipError::Name(name.into()));
    }
    Ok(name)
}

fn check_stub(stub: &Path) -> Result<(), ShipError> {
    if !stub.is_file() {
        return Err(ShipError::NoStub(stub.into()));
    }
    let program = fs::read_optional(stub, MAX_STUB)?.unwrap_or_default();
    match stub_version::version_of(&program) {
        Some(_) => Ok(()),
        None => Err(ShipError::NotAStub(stub.into())),
    }
}

/// Makes sure that the stub and the program that it is to start are for one system, as
/// far as that can be told: a script is for any.
///
/// # Errors
/// [`ShipError::OtherSystem`], and those of reading them.
pub(crate) fn check_system(stub: &Path, program: &Path) -> Result<(), ShipError> {
    match (system_of(stub)?, system_of(program)?) {
        (Some(system), Some(program)) if system != program => Err(ShipError::OtherSystem {
            stub: stub.into(),
            system,
            program,
        }),
        _ => Ok(()),
    }
}

fn system_of(program: &Path) -> Result<Option<&'static str>, FsError> {
    let mut head = Vec::new();
    let read = fs::open(program)?.take(8).read_to_end(&mut head);
    read.map_err(|e| FsError::new("read", program, e))?;
    Ok(ProgramKind::of(&head).system())
}

fn choose(pending: &PendingTargets, options: &ShipOptions) -> Result<(Version, String), ShipError> {
    let mut releases = pending.releases(options.app);
    let found = match &options.version {
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
        let version = options.version.as_ref().map(|v| format!(" {v}"));
        ShipError::NoRelease(format!("{}{}", options.app, version.unwrap_or_default()))
    })
}
