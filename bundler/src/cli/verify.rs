//! Implements `notsotuf verify`.

use super::context::Context;
use super::error::Error;
use crate::metadata::Published;
use crate::progress::Progress;
use crate::project::{Addresses, address};
use crate::verify::{self, Report, RepositorySource, Scope, There};
use clap::Args;
use notsotuf_stub::clock::now;
use notsotuf_stub::safe_text::Lines;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Walks the metadata as a fresh client and as clients that last saw each of the
older roots would, checks length and hashes of every target, unpacks every
archive and applies every patch.

Examples:
  notsotuf verify                                  # the repository here
  notsotuf verify --url https://example.com/updates --root root.json
  notsotuf verify --metadata-only")]
pub(super) struct Verify {
    /// Check what is published there instead
    #[arg(long, value_name = "URL", value_parser = address::check)]
    url: Option<String>,
    /// Trust this root; default: the first one of the repository here
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Do not fetch targets
    #[arg(long)]
    metadata_only: bool,
}

/// Runs `notsotuf verify`.
pub(super) fn run(args: &Verify, context: &Context) -> Result<(), Error> {
    let open = || context.project();
    let project = match (&args.root, &args.url) {
        // Wherever that is.
        (Some(_), Some(_)) => open().ok(),
        _ => Some(open()?),
    };
    let root = match (&args.root, &project) {
        (Some(path), _) => path.clone(),
        (None, Some(project)) => project.metadata().join("1.root.json"),
        (None, None) => unreachable!("opened above"),
    };
    let target = match (&args.url, &project) {
        (Some(url), Some(project)) => {
            RepositorySource::remote(project.settings.client.addresses_at(url))
        }
        (Some(url), None) => RepositorySource::remote(Addresses::below(url)),
        (None, Some(project)) => RepositorySource::Local(project.repository()),
        (None, None) => unreachable!("opened above"),
    };
    let published = project.as_ref().map(Published::load);
    let here = match &published {
        Some(Ok(published)) if args.url.is_some() => Some(published),
        _ => None,
    };
    let scope = if args.metadata_only {
        Scope::MetadataOnly
    } else {
        Scope::Everything
    };
    let mut checked = check(&target, &root, scope, here, context.progress)?;
    // Without one's own root, it is the project that is looked at.
    if let Some(Err(e)) = &published
        && args.root.is_none()
    {
        checked.report.problems.push(e.to_string());
    }
    let Report {
        roots,
        archives,
        patches,
        others,
        problems,
    } = &checked.report;
    let mut text = Lines::from(format!(
        "{roots} roots, {archives} archives, {patches} patches, {others} other targets checked"
    ));
    checked.tell(&mut text);
    let json = json!({
        "roots": roots, "archives": archives, "patches": patches, "others": others,
        "problems": problems,
    });
    context.output.say(text, &json);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Problems(problems.len()))
}

/// Holds what [`check`] found.
pub(super) struct Checked {
    pub report: Report,
    /// The version of the timestamp, if what is there is newer than what is
    /// here.
    newer: Option<u64>,
}

impl Checked {
    /// Says what is wrong, and what is newer.
    pub(super) fn tell(&self, text: &mut Lines) {
        for problem in &self.report.problems {
            text.line(format!("problem: {problem}"));
        }
        if let Some(version) = self.newer {
            text.line(format!(
                "a newer state than the one here is published (timestamp {version}): run \
                 `notsotuf fetch`"
            ));
        }
    }
}

/// Checks a repository as clients that trust the file `root` would, and
/// compares it with what is published `here`, if that is given: an old state
/// is sound by itself.
pub(super) fn check(
    target: &RepositorySource,
    root: &Path,
    scope: Scope,
    here: Option<&Published>,
    progress: Progress,
) -> Result<Checked, Error> {
    let mut report = verify::verify(target, root, scope, now(), progress)?;
    let newer = match here {
        Some(here) => beside(target, here, &mut report.problems)?,
        None => None,
    };
    Ok(Checked { report, newer })
}

/// Compares what is there with what is here; returns the version of what is
/// newer there.
fn beside(
    target: &RepositorySource,
    published: &Published,
    problems: &mut Vec<String>,
) -> Result<Option<u64>, Error> {
    match verify::compare(target, published)? {
        There::Newer(version) => return Ok(Some(version)),
        There::Older(version) => problems.push(format!(
            "what is published (timestamp {version}) is older than what is here: run `notsotuf \
             upload`; if you did, it went to another place than this URL, or a cache serves old \
             files"
        )),
        There::Other(file) => problems.push(format!(
            "{file} has different content there than here: somebody else published; run \
             `notsotuf fetch`"
        )),
        // Said by the audit.
        There::Same | There::Nothing | There::NoMetadata => {}
    }
    Ok(None)
}
