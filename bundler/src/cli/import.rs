//! Implements `notsotuf import`.

use super::context::Context;
use super::error::Error;
use super::init::{self, Init};
use crate::metadata::Published;
use crate::migrate::ImportError;
use crate::migrate::pyupdater::{self, PyUpdaterRelease, PyUpdaterRepository};
use crate::migrate::tufup::{self, Flavour};
use crate::output::Output;
use crate::progress::Progress;
use crate::project::{self, Project, ProjectError, address, version_control};
use crate::release::{self, NewRelease, PendingTargets};
use crate::{keys, temporary};
use clap::{Args, Subcommand};
use notsotuf_stub::fs;
use notsotuf_stub::safe_text::Lines;
use serde_json::{Map, Value, json};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(super) enum Import {
    /// Continue a tufup repository in place; its clients keep updating
    #[command(after_help = "\
Run it in the folder that has .tufup-repo-config. Keys, metadata and targets
stay where they are; only notsotuf-project.toml is written, and lines of .gitignore that
keep private keys out. From then on use notsotuf in place of tufup.

  notsotuf import tufup --url https://example.com/updates
  notsotuf status
  notsotuf add 2.0 dist/myapp
  notsotuf publish")]
    Tufup(InPlace),
    /// Continue a repository of the Python package notsotuf in place
    #[command(after_help = "\
Run it in the folder that has .notsotuf-repo-config. Keys, metadata and targets
stay where they are; only notsotuf-project.toml is written, and lines of .gitignore that
keep private keys out. Its clients keep updating, from now on by full archives: patch_format = \"none\" makes no patches,
since those clients treat every listed patch as one of their own. Once they are gone, set
patch_format = \"notsotuf-2\".

  notsotuf import notsotuf --url https://example.com/updates
  notsotuf add 2.0 dist/myapp
  notsotuf publish")]
    Notsotuf(InPlace),
    /// Make a project of the releases in a PyUpdater 4 repository, with fresh keys
    #[command(after_help = "\
Checks both signatures of PyUpdater's lists and the hashes of the archives, makes a
project (as `init` does), and adds the releases of each platform under the name
<APP_NAME>-<platform>. The PyUpdater repository is only read. If it is interrupted, run it
again: it continues with what is missing.

  notsotuf -C updates import pyupdater ../myapp --url https://example.com/updates
  notsotuf -C updates publish
  notsotuf -C updates bridge 1.4 --output ../myapp/pyu-data/new")]
    Pyupdater(FromPyUpdater),
}

#[derive(Debug, Args)]
pub(super) struct InPlace {
    /// Where the repository folder is published
    #[arg(long, value_name = "URL", value_parser = address::check_new)]
    url: Option<String>,
    /// Trust this root, the one that clients were given; default: the first one of the repository
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct FromPyUpdater {
    /// Folder in which `pyupdater init` was called
    folder: PathBuf,
    /// Folder with keys.gz, versions*.gz and archives; default: pyu-data/deploy
    #[arg(long, value_name = "DIR")]
    published: Option<PathBuf>,
    /// Where the new repository will be published
    #[arg(long, value_name = "URL", value_parser = address::check_new)]
    url: Option<String>,
    /// Import only the N newest releases of each platform
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    last: Option<u32>,
    /// Make keys without passphrases
    #[arg(long)]
    plain: bool,
}

pub(super) fn run(command: Import, context: &Context) -> Result<(), Error> {
    match command {
        Import::Tufup(args) => in_place(Flavour::Tufup, args, context),
        Import::Notsotuf(args) => in_place(Flavour::Notsotuf, args, context),
        Import::Pyupdater(args) => from_pyupdater(&args, context),
    }
}

fn in_place(flavour: Flavour, args: InPlace, context: &Context) -> Result<(), Error> {
    let imported = tufup::import(context.folder(), flavour, args.url, args.root.as_deref())?;
    let app = &imported.app;
    let mut text = Lines::from(format!("imported {app} with {} targets", imported.targets));
    let mut names_of = Map::new();
    for (role, names) in imported.keys {
        let list = if names.is_empty() {
            "no private key at hand (see --key-dir)".into()
        } else {
            names.join(", ")
        };
        text.line(format!("  {role:10} {list}"));
        names_of.insert(role.into(), names.into());
    }
    // Other programs left them open to all, which `publish` would refuse.
    let project = Project::open(context.folder())?;
    let mut closed = Vec::new();
    let keyring = project.keyring(&[])?;
    let private = keyring.private_files();
    let keys = version_control::of_keys(&project, &project.keystore(), &private);
    let ignored = keys.as_ref().map(|keys| keys.file.clone());
    version_control::write(keys.into_iter().collect())?;
    text.line(init::tell_ignored(&project.keystore(), ignored.as_deref()));
    for path in private {
        if keys::close_to_others(path)? {
            text.line(format!(
                "{} can be read by its owner only from now on",
                path.display()
            ));
            closed.push(path.to_path_buf());
        }
    }
    for warning in &imported.warnings {
        text.line(format!("warning: {warning}"));
    }
    let json = json!({
        "app": app, "apps": imported.apps, "targets": imported.targets, "keys": names_of,
        "closed": closed, "keys_ignored_by": ignored, "patch_format": imported.patch_format.name(),
        "warnings": imported.warnings,
    });
    context.output.say(text, &json);
    Ok(())
}

fn from_pyupdater(args: &FromPyUpdater, context: &Context) -> Result<(), Error> {
    let old = pyupdater::read(&args.folder, args.published.as_deref())?;
    let apps = old.apps();
    if apps.is_empty() {
        return Err(ImportError::NoArchives.into());
    }
    let names: Vec<String> = apps.keys().cloned().collect();
    let project = match Project::open(context.folder()) {
        Ok(project) => project,
        Err(ProjectError::Missing(_)) => {
            let init = Init::plainly(&names, args.url.as_deref(), args.plain);
            init::create(
                context.folder(),
                &init,
                apps,
                &context.key_dirs,
                &context.passphrases,
            )?;
            Project::open(context.folder())?
        }
        Err(e) => return Err(e.into()),
    };
    let published = Published::load(&project)?;
    let mut taken = Vec::new();
    for name in &names {
        let app = project.app(Some(name))?;
        let known = PendingTargets::open(&project, &published)?.releases(app);
        let releases: Vec<_> = old.releases.iter().filter(|r| r.app == app).collect();
        let count = args.last.map_or(releases.len(), |last| last as usize);
        for release in &releases[releases.len().saturating_sub(count)..] {
            if known.iter().all(|(version, _)| *version != release.version) {
                take(&project, &published, release, context.progress)?;
                taken.push(*release);
            }
        }
    }
    say_taken(&project, &old, &taken, context.output);
    Ok(())
}

/// Adds one release.
fn take(
    project: &Project,
    published: &Published,
    release: &PyUpdaterRelease,
    progress: Progress,
) -> Result<(), Error> {
    let pending = project.pending();
    fs::create_dir_all(&pending)?;
    let work = temporary::Folder::new_in(&pending, ".import-")?;
    let bundle = pyupdater::unpack(&release.archive, work.path())?;
    // No patch: nobody has the previous version by notsotuf.
    let addition = NewRelease::plain(&release.app, release.version.clone(), &bundle);
    release::add(project, published, &addition, progress)?;
    Ok(())
}

fn say_taken(
    project: &Project,
    old: &PyUpdaterRepository,
    taken: &[&PyUpdaterRelease],
    output: &Output,
) {
    let mut text = Lines::from(format!(
        "imported {} release(s) of {}",
        taken.len(),
        old.app
    ));
    for release in taken {
        text.line(format!("  {} {}", release.app, release.version));
    }
    for it in &old.disagreements {
        text.line(format!(
            "{} is listed as {}; imported as {}, which its name says",
            it.archive, it.listed, it.taken
        ));
    }
    for name in &old.missing {
        text.line(format!("{name} is listed but missing: not imported"));
    }
    for name in &old.assets {
        text.line(format!(
            "{name} is not a release of {}: not imported (put it into the bundle)",
            old.app
        ));
    }
    let next = match project.settings.client.url {
        Some(_) => "",
        None => "set `url` under [client] in the settings, then ",
    };
    text.line(format!(
        "Next: {next}notsotuf publish, and notsotuf bridge for the clients that still use \
         PyUpdater"
    ));
    output.say(text, &taken_json(old, taken));
}

fn taken_json(old: &PyUpdaterRepository, taken: &[&PyUpdaterRelease]) -> Value {
    let releases: Vec<_> = taken
        .iter()
        .map(|r| json!({ "app": r.app, "version": r.version.to_string() }))
        .collect();
    let disagreements: Vec<_> = old
        .disagreements
        .iter()
        .map(|it| {
            json!({
                "archive": it.archive,
                "listed": it.listed.to_string(),
                "taken": it.taken.to_string(),
            })
        })
        .collect();
    json!({
        "app": old.app,
        "releases": releases,
        "disagreements": disagreements,
        "missing": old.missing,
        "assets": old.assets,
        "update_urls": old.urls,
        "settings": project::FILE,
    })
}
