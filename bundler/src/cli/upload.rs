//! Implements `notsotuf upload`.

use super::context::Context;
use super::error::Error;
use super::verify;
use crate::metadata::{self, Published, Trust};
use crate::progress::Progress;
use crate::project::Addresses;
use crate::project::{self, Project};
use crate::publish::upload::{
    self, Destination, Here, OpenDestination, Options, Report, UploadError,
};
use crate::release::PendingTargets;
use crate::ship::ShipError;
use crate::verify::{RepositorySource, Scope, There, compare};
use clap::Args;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::safe_text::Lines;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

#[derive(Debug, Args)]
#[command(after_help = "\
Sends only what changed, targets first and timestamp.json last, so that clients see a
complete repository at any time. If it is interrupted, run it again.

  notsotuf upload s3://bucket/updates
  notsotuf upload gs://bucket/updates --dry-run
  notsotuf upload az://container/updates
  notsotuf upload github:me/myapp
  notsotuf upload /srv/www/updates
  notsotuf upload rsync:user@host:/srv/www/updates

A folder on the command line is relative to the working directory, one in the settings to the
settings file. `upload` looks at the destination first, and changes nothing if it finds another
repository, a newer version, or the same version with different content; `notsotuf fetch`
downloads what is there.

Credentials come from the environment, as the tools of each cloud take them:
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT (for compatible
stores), or the profile AWS_PROFILE of ~/.aws, or the identity of the machine or container;
GOOGLE_APPLICATION_CREDENTIALS, or what `gcloud auth application-default login` left;
AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY; NOTSOTUF_GITHUB_TOKEN or
GITHUB_TOKEN.")]
pub(super) struct Upload {
    /// Destination; default: `upload` of the project settings
    to: Option<String>,
    /// Only say what would be done, and change nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Remove files that are no longer in the repository
    #[arg(long)]
    delete: bool,
    /// Replace whatever is there, even if newer or of another project; clients may refuse it
    #[arg(long)]
    force: bool,
    /// Afterwards, check everything that is published, as `verify --url` does
    #[arg(long)]
    verify: bool,
}

impl Upload {
    /// Runs `notsotuf upload TO --verify`.
    pub(super) fn and_verify(to: Option<String>) -> Self {
        Upload {
            to,
            dry_run: false,
            delete: false,
            force: false,
            verify: true,
        }
    }
}

/// Returns the destination: what the command line says, relative to the working
/// directory, or the settings, relative to themselves.
pub(super) fn destination(
    project: &Project,
    argument: Option<&str>,
) -> Result<Destination, UploadError> {
    match (argument, &project.settings.upload) {
        (Some(to), _) => Destination::parse(to, Path::new("")),
        (None, Some(to)) => Destination::parse(to, project.folder()),
        (None, None) => Err(UploadError::NoDestination),
    }
}

/// What was added, removed or drafted, and not published.
fn waiting(project: &Project, published: &Published) -> Result<Vec<String>, Error> {
    let entries = PendingTargets::open(project, published)?.entries;
    let before = published.target_entries();
    let added = entries
        .iter()
        .filter(|(path, entry)| before.get(*path) != Some(entry))
        .map(|(path, _)| path.clone());
    let removed = before
        .keys()
        .filter(|path| !entries.contains_key(*path))
        .map(|path| format!("removal of {path}"));
    let mut waiting: Vec<String> = added.chain(removed).collect();
    waiting.extend(match metadata::told_root_draft(project, published)? {
        Ok(draft) => draft.map(|draft| format!("root {}", draft.version())),
        Err(_) => Some("a draft of a root that cannot be published any more".into()),
    });
    Ok(waiting)
}

pub(super) fn upload(project: &Project, args: &Upload, context: &Context) -> Result<(), Error> {
    let to = destination(project, args.to.as_deref())?;
    // Said before anything is sent.
    let addresses = project.settings.client.addresses();
    let verify = match (args.verify && !args.dry_run, addresses) {
        (true, None) => return Err(ShipError::NoUrl.into()),
        (true, addresses) => addresses,
        (false, _) => None,
    };
    let published = Published::load(project)?;
    let trust = Trust::open(project)?;
    let place = OpenDestination::open(&to)?;
    let options = Options {
        dry_run: args.dry_run,
        delete: args.delete,
        force: args.force,
    };
    let here = Here {
        repository: &project.repository(),
        published: &published,
        memory: &trust.memory,
    };
    let report = upload::upload(&here, &place, options, context.progress)?;
    if !args.dry_run {
        Trust::remember_uploaded(project, &published)?;
    }
    let mut text = text_of(&report, args.dry_run);
    let waiting = waiting(project, &published)?;
    tell_waiting(&waiting, &mut text);
    let mut json = json!({
        "to": place.name(),
        "dry_run": args.dry_run,
        "pending": waiting,
        "uploaded": report.uploaded,
        "bytes": report.bytes,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "extra": report.extra,
        "left_out": report.left_out,
    });
    if let Destination::GitHub(place) = &to {
        tell_addresses(project, place.addresses(), &mut text, &mut json);
    }
    let mut problems = Vec::new();
    if let Some(addresses) = verify {
        if matches!(to, Destination::GitHub(_)) && !report.uploaded.is_empty() {
            wait_for_caches(&addresses, &published, context.progress);
        }
        let checked = check_all(project, &published, addresses, context)?;
        text.line("checked what is published");
        checked.tell(&mut text);
        problems = checked.report.problems;
        json["problems"] = problems.clone().into();
    }
    context.output.say(text, &json);
    match problems.len() {
        0 => Ok(()),
        number => Err(Error::Problems(number)),
    }
}

fn tell_waiting(waiting: &[String], text: &mut Lines) {
    if !waiting.is_empty() {
        text.line(format!(
            "not uploaded, as it is not published yet: {}; run `notsotuf publish`, then `upload` \
             again",
            waiting.join(", ")
        ));
    }
}

/// Says where clients would find what was uploaded, if the settings send them elsewhere.
fn tell_addresses(project: &Project, right: Addresses, text: &mut Lines, json: &mut Value) {
    let set = project.settings.client.addresses();
    // Metadata may be fetched from GitHub Pages, too.
    if set.is_some_and(|at| at.targets_url == right.targets_url) {
        return;
    }
    text.line(format!(
        "clients do not look there: put url = {:?} and targets_url = {:?} under [client] in {}, \
         and ship again",
        right.url,
        right.targets_url,
        project::FILE
    ));
    json["url"] = right.url.into();
    json["targets_url"] = right.targets_url.into();
}

/// How long files of a branch may be older than the branch: GitHub keeps them for five
/// minutes.
const CACHES: Duration = Duration::from_secs(330);

/// Waits until clients get what was uploaded, or should.
fn wait_for_caches(addresses: &Addresses, published: &Published, progress: Progress) {
    let there = RepositorySource::remote(addresses.clone());
    let bar = progress.waiting("waiting until GitHub's caches have the new metadata");
    let start = Instant::now();
    loop {
        match compare(&there, published) {
            Ok(There::Nothing | There::Older(_)) if start.elapsed() < CACHES => {
                std::thread::sleep(Duration::from_secs(5));
            }
            // What is wrong is found by the check that follows.
            _ => break,
        }
    }
    bar.finish_and_clear();
}

/// Checks all that clients get.
fn check_all(
    project: &Project,
    published: &Published,
    addresses: Addresses,
    context: &Context,
) -> Result<verify::Checked, Error> {
    let target = RepositorySource::remote(addresses);
    let root = project.metadata().join("1.root.json");
    let (all, here) = (Scope::Everything, Some(published));
    verify::check(&target, &root, all, here, context.progress)
}

/// What was uploaded, or would be.
fn text_of(report: &Report, dry_run: bool) -> Lines {
    let mut text = Lines::new();
    for path in &report.uploaded {
        text.line(path);
    }
    let removed = if dry_run { "to remove" } else { "removed" };
    for path in &report.removed {
        text.line(format!("{removed} {path}"));
    }
    let done = if dry_run { "to upload" } else { "uploaded" };
    let mut sum = format!(
        "{} files {done}, {}; {} unchanged",
        report.uploaded.len(),
        bytes(report.bytes),
        report.unchanged
    );
    if !report.extra.is_empty() {
        sum.push_str(&format!(
            "; {} there are not in the repository any more (--delete removes them)",
            report.extra.len()
        ));
    }
    text.line(sum);
    if !report.left_out.is_empty() {
        text.line(format!(
            "not sent, as it is no part of the repository: {}",
            report.left_out.join(", ")
        ));
    }
    text
}

pub(super) fn run(args: &Upload, context: &Context) -> Result<(), Error> {
    upload(&context.project()?, args, context)
}
