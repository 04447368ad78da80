//! The commands that look and change nothing.

use super::Output;
use crate::error::Error;
use crate::metadata::{self, Published};
use crate::progress::Progress;
use crate::project::address;
use crate::project::{self, Project, ROLES};
use crate::release::Pending;
use crate::verify::{self, Report, Target, There};
use clap::Args;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::startup::now;
use notsotuf_stub::tuf::metadata::format_time;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Seconds.
pub const DAY: i64 = 86_400;

#[derive(Debug, Args)]
#[command(after_help = "\
For monitoring: `notsotuf status --fail-within 14d` exits with 1 if any role
expires within 14 days, or has expired.")]
pub struct Status {
    /// Fail if a role expires within this time: 14d, 36h
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    fail_within: Option<i64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Walks the metadata as a fresh client and as clients that last saw each of the
older roots would, checks length and hashes of every target, unpacks every
archive and applies every patch.

Examples:
  notsotuf verify                                  # the repository here
  notsotuf verify --url https://example.com/updates --root root.json
  notsotuf verify --metadata-only")]
pub struct Verify {
    /// Check what is published there instead
    #[arg(long, value_name = "URL", value_parser = address::check)]
    url: Option<String>,
    /// Trust this root; else the first one of the repository here
    #[arg(long, value_name = "FILE")]
    root: Option<PathBuf>,
    /// Do not fetch targets
    #[arg(long)]
    metadata_only: bool,
}

fn parse_time(text: &str) -> Result<i64, String> {
    let unit = match text.chars().last() {
        Some('d') => DAY,
        Some('h') => 3600,
        _ => return Err("a number and d or h, such as 14d".into()),
    };
    let number: i64 = text[..text.len() - 1]
        .parse()
        .map_err(|_| "a number and d or h, such as 14d".to_owned())?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds >= 0)
        .ok_or_else(|| "that is too long".into())
}

/// `notsotuf status`.
pub fn status(
    project: &Project,
    args: &Status,
    key_dirs: &[PathBuf],
    output: &Output,
) -> Result<(), Error> {
    let published = Published::load(project)?;
    let keyring = project.keyring(key_dirs)?;
    let now = now();
    let mut text = Lines::new();
    let mut roles = serde_json::Map::new();
    let mut soon = Vec::new();
    for role in ROLES {
        let document = published.document(role);
        let names = metadata::key_names(role, &published.root, &keyring);
        let threshold = &published.root.signed()["roles"][role]["threshold"];
        let by = format!("{threshold} of {}", names.join(", "));
        let Some(document) = document else {
            text.line(format!("{role:10} not published yet              {by}"));
            roles.insert(
                role.into(),
                json!({ "keys": names, "threshold": threshold }),
            );
            continue;
        };
        let left = document.expires() - now;
        if args.fail_within.is_some_and(|within| left <= within) {
            soon.push(role);
        }
        let when = if left < 0 {
            "EXPIRED".into()
        } else {
            format!("{} days left", left / DAY)
        };
        let (have, need) = document.signatures(role, &published.root)?;
        text.line(format!(
            "{role:10} version {:<5} {when:14} signed by {by}{}",
            document.version(),
            if (have as u64) < need {
                format!(" (has {have}!)")
            } else {
                String::new()
            }
        ));
        roles.insert(
            role.into(),
            json!({
                "version": document.version(), "expires": format_time(document.expires()),
                "signatures": have, "threshold": need, "keys": names,
            }),
        );
    }
    let pending = pending(project, &published, &mut text)?;
    output.say(
        text,
        &json!({ "roles": roles, "pending": pending, "expiring": soon }),
    );
    if soon.is_empty() {
        return Ok(());
    }
    Err(Error::Expiring {
        roles: soon.join(", "),
        mend: match soon.contains(&"root") {
            true => "`notsotuf renew --root` renews it, with the root keys at hand, and the others",
            false => "`notsotuf renew` renews what the keys at hand can sign",
        },
    })
}

fn pending(project: &Project, published: &Published, text: &mut Lines) -> Result<Value, Error> {
    let entries = Pending::open(project, published)?.entries;
    let before = published.target_entries();
    let new = |(path, entry): &(&String, &Value)| before.get(*path) != Some(entry);
    let added: Vec<&String> = entries.iter().filter(new).map(|(path, _)| path).collect();
    let removed: Vec<&String> = before
        .keys()
        .filter(|path| !entries.contains_key(*path))
        .collect();
    for path in &added {
        text.line(format!("pending  + {path}"));
    }
    for path in &removed {
        text.line(format!("pending  - {path}"));
    }
    let mut root = Value::Null;
    if let Some(draft) = metadata::root_draft(project, published)? {
        let (old, old_need) = draft.signatures("root", &published.root)?;
        let (new, new_need) = draft.signatures("root", &draft)?;
        text.line(format!(
            "pending    root {}: {old} of {old_need} old, {new} of {new_need} new signatures",
            draft.version()
        ));
        root = json!({
            "version": draft.version(),
            "old": { "have": old, "need": old_need }, "new": { "have": new, "need": new_need },
        });
    }
    Ok(json!({ "added": added, "removed": removed, "root": root }))
}

/// `notsotuf verify`.
pub fn verify(
    named: Option<&Path>,
    args: &Verify,
    progress: Progress,
    output: &Output,
) -> Result<(), Error> {
    let open = || Project::open(&project::find(named)?);
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
        (Some(url), _) => Target::remote(url),
        (None, Some(project)) => Target::Local(project.repository()),
        (None, None) => unreachable!("opened above"),
    };
    let published = project.as_ref().map(Published::load);
    let here = match &published {
        Some(Ok(published)) if args.url.is_some() => Some(published),
        _ => None,
    };
    let mut checked = check(&target, &root, args.metadata_only, here, progress)?;
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
    output.say(text, &json);
    if problems.is_empty() {
        return Ok(());
    }
    Err(Error::Problems(problems.len()))
}

/// What [`check`] found.
pub struct Checked {
    pub report: Report,
    /// The version of the timestamp, if what is there is newer than what is
    /// here.
    newer: Option<u64>,
}

impl Checked {
    /// Says what is wrong, and what is newer.
    pub fn tell(&self, text: &mut Lines) {
        for problem in &self.report.problems {
            text.line(format!("problem: {problem}"));
        }
        if let Some(version) = self.newer {
            text.line(format!(
                "there is a newer state than here (timestamp {version}): `notsotuf fetch` brings it"
            ));
        }
    }
}

/// Checks a repository as clients that trust the file `root` would, and
/// compares it with what is published `here`, if that is given: an old state
/// is sound by itself.
pub fn check(
    target: &Target,
    root: &Path,
    metadata_only: bool,
    here: Option<&Published>,
    progress: Progress,
) -> Result<Checked, Error> {
    let mut report = verify::verify(target, root, metadata_only, now(), progress)?;
    let newer = match here {
        Some(here) => beside(target, here, &mut report.problems)?,
        None => None,
    };
    Ok(Checked { report, newer })
}

/// Compares what is there with what is here; returns the version of what is
/// newer there.
fn beside(
    target: &Target,
    published: &Published,
    problems: &mut Vec<String>,
) -> Result<Option<u64>, Error> {
    match verify::compare(target, published)? {
        There::Newer(version) => return Ok(Some(version)),
        There::Older(version) => problems.push(format!(
            "what is there (timestamp {version}) is older than what is here: `notsotuf upload`; \
             if that was done, it went to another place than this URL, or a cache gives out old files"
        )),
        There::Other(file) => problems.push(format!(
            "{file} is there with another content than here: somebody else published; `notsotuf fetch`"
        )),
        // Said by the audit.
        There::Same | There::Nothing | There::NoMetadata => {}
    }
    Ok(None)
}
