//! Implements `notsotuf fetch`.

use super::context::Context;
use super::error::Error;
use crate::metadata::{MEMORY, PIN};
use crate::output::Output;
use crate::project::Project;
use crate::publish::fetch::{self, FetchError, Options, Report};
use crate::publish::upload::{Destination, OpenDestination};
use clap::Args;
use notsotuf_stub::clock::now;
use notsotuf_stub::fs;
use notsotuf_stub::safe_text::Lines;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
For a fresh checkout, or after somebody else published: downloads what is published, verified
as by a client that trusts notsotuf-root.json, and the archives that the next patches start
from. If it is interrupted, run it again. What was published here but never uploaded is
pending again afterwards.

  notsotuf fetch                               # from `upload` of the settings, else `url`
  notsotuf fetch https://example.com/updates
  notsotuf fetch s3://bucket/updates --all")]
pub(super) struct Fetch {
    /// Source: a URL, or a destination of `upload`; default: what the settings say
    from: Option<String>,
    /// Fetch all targets, not only those that the next patches start from
    #[arg(long)]
    all: bool,
    /// Trust this root, if none is pinned yet
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Accept a state that is older than one that was published
    #[arg(long)]
    force: bool,
}

/// Returns the source: what the command line says, relative to the working
/// directory, or the settings, relative to themselves.
fn source(project: &Project, args: &Fetch) -> Result<Destination, Error> {
    let settings = &project.settings;
    let of_settings = settings.upload.as_ref().or(settings.client.url.as_ref());
    let source = match (&args.from, of_settings) {
        (Some(from), _) => Destination::parse_source(from, Path::new(""))?,
        (None, Some(from)) => Destination::parse_source(from, project.folder())?,
        (None, None) => return Err(FetchError::NoSource.into()),
    };
    Ok(match source {
        Destination::Web(at) => Destination::Web(settings.client.addresses_at(&at.url)),
        other => other,
    })
}

pub(super) fn run(args: &Fetch, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let from = OpenDestination::open(&source(project, args)?)?;
    let root = match &args.root {
        Some(path) => Some(
            fs::read_optional(path, 512_000)?
                .ok_or_else(|| crate::metadata::MetadataError::Missing(path.clone()))?,
        ),
        None => None,
    };
    let options = Options {
        all: args.all,
        force: args.force,
        root,
    };
    let report = fetch::fetch(project, &from, &options, now(), context.progress)?;
    tell(&report, &from.name(), context.output);
    Ok(())
}

fn tell(report: &Report, from: &str, output: &Output) {
    let mut text = Lines::new();
    for path in report.targets.iter().chain(&report.metadata) {
        text.paragraph(&format!("{path}\n"));
    }
    let versions: Vec<_> = report
        .versions
        .iter()
        .map(|(role, version)| format!("{role} {version}"))
        .collect();
    text.paragraph(&format!(
        "{} has {}; {} target(s) fetched, {} here already\n",
        from,
        versions.join(", "),
        report.targets.len(),
        report.unchanged
    ));
    if report.newer_here {
        text.paragraph("what is here is newer and was kept; `notsotuf upload` publishes it\n");
    }
    for role in &report.expired {
        text.paragraph(&format!(
            "{role} is EXPIRED; clients do not update until it is renewed\n"
        ));
    }
    if !report.pending.is_empty() {
        text.paragraph(&format!(
            "pending on top of it: {}; `notsotuf publish` signs it\n",
            report.pending.join(", ")
        ));
    }
    for dropped in &report.dropped {
        text.paragraph(&format!("{} is not kept: {}\n", dropped.path, dropped.why));
    }
    if let Some(version) = report.pending_root {
        text.paragraph(&format!(
            "root {version} was published here only, and is pending again; `notsotuf publish` \
             publishes it\n"
        ));
    }
    if let Some(stale) = &report.stale_root {
        text.paragraph(&format!("{stale}\n"));
    }
    for file in &report.delegated {
        text.paragraph(&format!(
            "{file} is a delegated role, which is not fetched\n"
        ));
    }
    if report
        .metadata
        .iter()
        .any(|file| file.ends_with("root.json"))
    {
        text.paragraph(&format!("keep {PIN} and {MEMORY} under version control\n"));
    }
    output.say(text, &json_of(report, from));
}

fn json_of(report: &Report, from: &str) -> Value {
    let dropped: Vec<&String> = report.dropped.iter().map(|dropped| &dropped.path).collect();
    json!({
        "from": from,
        "versions": report.versions,
        "metadata": report.metadata,
        "targets": report.targets,
        "unchanged": report.unchanged,
        "newer_here": report.newer_here,
        "expired": report.expired,
        "pending": report.pending,
        "dropped": dropped,
        "pending_root": report.pending_root,
        "stale_root": report.stale_root,
        "delegated": report.delegated,
    })
}
