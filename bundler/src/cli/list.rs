//! Implements `notsotuf list`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::publish::next_upload;
use crate::metadata::{Document, Published};
use crate::project::{self, Addresses, Project};
use crate::release::{PendingTargets, direct_patches, stored_name};
use crate::verify::{self, Finding, RepositorySource};
use clap::Args;
use notsotuf_stub::catalog::custom::ArchiveCustom;
use notsotuf_stub::catalog::{Channel, TargetKind, TargetName};
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::fs;
use notsotuf_stub::tuf::metadata::format_time;
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::time::UNIX_EPOCH;

#[derive(Debug, Args)]
#[command(after_help = "\
Newest first. STATE says how far a release is: pending (added, rolled out, withdrawn or
removed, but `publish` was not run yet), only here (signed, but `upload` was not run yet),
published (at the URL of the settings, too), only there (somebody else published it), or
withdrawn. PATCH is the size of the patch from the release before, and how many direct ones
there are from older releases (`patch_from` of the settings).

  notsotuf list
  notsotuf list --offline
  notsotuf --json list --app myapp")]
pub(super) struct List {
    #[command(flatten)]
    app: App,
    /// Do not ask what is published at the URL of the settings
    #[arg(long)]
    offline: bool,
}

/// The targets of one place, by path.
type Entries = Map<String, Value>;

/// What is published there, or why that is not known.
enum There {
    Known(Entries),
    Unknown(String),
}

pub(super) fn run(args: &List, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let published = Published::load(project)?;
    let here = published.target_entries();
    let next = PendingTargets::open(project, &published)?.entries;
    let there = match (project.settings.client.addresses(), args.offline) {
        (_, true) => There::Unknown("not asked (--offline)".into()),
        (None, _) => There::Unknown("the settings name no `url` under [client]".into()),
        (Some(at), false) => ask(at, &published.root),
    };
    let mut apps = project.apps(args.app.app.as_deref())?;
    let places = Places {
        project,
        consistent: published.consistent_snapshot(),
        next: &next,
        here: &here,
        there: &there,
    };
    let unknown_apps = places.unknown_apps();
    if args.app.app.is_none() {
        apps.extend(unknown_apps.iter().map(String::as_str));
    }
    let rows: Vec<Row> = apps.iter().flat_map(|app| places.rows(app)).collect();
    let mut text = table(&rows, apps.len() > 1);
    if rows.is_empty() {
        text = "no releases; next: `notsotuf add VERSION BUNDLE`\n".into();
    }
    for app in &unknown_apps {
        text.push_str(&format!("{app} is not in `apps` of {}\n", project::FILE));
    }
    if let There::Unknown(reason) = &there {
        text.push_str(&format!("it is not known what is published: {reason}\n"));
    }
    if rows.iter().any(|row| row.pending.is_some()) {
        text.push_str("next: `notsotuf publish`, which signs what is pending\n");
    } else if rows.iter().any(Row::is_only_here) {
        text.push_str(&format!("signed; next: {}\n", next_upload(project)));
    }
    let unknown = match &there {
        There::Known(_) => Value::Null,
        There::Unknown(reason) => reason.as_str().into(),
    };
    let list: Vec<Value> = rows.iter().map(Row::to_json).collect();
    context.output.say(
        &text,
        &json!({ "releases": list, "there_unknown": unknown }),
    );
    Ok(())
}

/// Asks for the targets that are published there, as a client does that
/// trusts the root here.
fn ask(at: Addresses, root: &Document) -> There {
    let url = at.url.clone();
    let target = RepositorySource::remote(at);
    match verify::listed(&target, &root.to_bytes()) {
        Ok(Finding::Sound(entries)) => There::Known(entries),
        Ok(Finding::Problem(reason)) => There::Unknown(format!("{url}: {reason}")),
        Err(e) => There::Unknown(e.to_string()),
    }
}

/// Where releases are looked for.
struct Places<'a> {
    project: &'a Project,
    consistent: bool,
    /// As after the next `publish`.
    next: &'a Entries,
    here: &'a Entries,
    there: &'a There,
}

/// A release.
struct Row {
    app: String,
    version: Version,
    date: Option<String>,
    size: Option<u64>,
    patch: Option<u64>,
    /// Direct patches to it: the version that each leads from, and its size.
    direct: BTreeMap<Version, u64>,
    rollout: u64,
    required: bool,
    withdrawn: bool,
    pending: Option<&'static str>,
    here: bool,
    there: Option<bool>,
}

impl Places<'_> {
    /// The paths of all targets, more than once where they are in several
    /// places.
    fn paths(&self) -> impl Iterator<Item = &String> {
        let there = match self.there {
            There::Known(there) => Some(there),
            There::Unknown(_) => None,
        };
        let everywhere = [self.next, self.here].into_iter().chain(there);
        everywhere.flat_map(Map::keys)
    }

    fn unknown_apps(&self) -> BTreeSet<String> {
        self.project.unknown_apps(self.paths())
    }

    fn rows(&self, app: &str) -> Vec<Row> {
        let mut versions = BTreeSet::new();
        for path in self.paths() {
            let target = TargetName::parse(path).filter(|target| target.name == app);
            versions.extend(target.map(|target| target.version));
        }
        let withdrawn: BTreeSet<Version> = self
            .next
            .iter()
            .filter(|(path, _)| TargetName::parse(path).is_some_and(|t| t.name == app))
            .flat_map(|(_, entry)| ArchiveCustom::of(&entry["custom"]).withdrawn)
            .collect();
        versions.extend(withdrawn.iter().cloned());
        let row = |version| self.row(app, version, &withdrawn);
        versions.into_iter().rev().map(row).collect()
    }

    fn row(&self, app: &str, version: Version, withdrawn: &BTreeSet<Version>) -> Row {
        let next = find(self.next, app, &version, TargetKind::Archive);
        let here = find(self.here, app, &version, TargetKind::Archive);
        let there = match self.there {
            There::Known(there) => Some(find(there, app, &version, TargetKind::Archive)),
            There::Unknown(_) => None,
        };
        let patch_in = |entries| find(entries, app, &version, TargetKind::Patch);
        let patch = patch_in(self.next).or_else(|| patch_in(self.here));
        let withdrawn = withdrawn.contains(&version);
        let pending = match (next, here) {
            (Some(_), None) => Some("added"),
            (None, Some(_)) if withdrawn => Some("withdrawn"),
            (None, Some(_)) => Some("removed"),
            (Some((_, next)), Some((_, here))) if next != here => Some("changed"),
            _ => None,
        };
        let shown = next.or(here).or_else(|| there.flatten());
        let custom = shown.map(|(_, entry)| ArchiveCustom::of(&entry["custom"]));
        let custom = custom.unwrap_or_default();
        Row {
            app: app.into(),
            date: match custom.added {
                Some(added) => Some(format_time(added)),
                None => shown.and_then(|(path, entry)| self.date_of_file(path, entry)),
            },
            size: shown.and_then(|(_, entry)| entry["length"].as_u64()),
            patch: patch.and_then(|(_, entry)| entry["length"].as_u64()),
            direct: direct_patches(self.next, app, &version),
            rollout: custom.rollout.map_or(100, |part| part.percent),
            required: custom.required,
            withdrawn,
            pending,
            here: here.is_some(),
            there: there.map(|there| there.is_some()),
            version,
        }
    }

    /// Returns when a release was added by the time of its file, as old entries
    /// do not say it.
    fn date_of_file(&self, path: &str, entry: &Value) -> Option<String> {
        let stored = stored_name(path, entry, self.consistent);
        let waiting = self.project.pending().join("files").join(path);
        let places = [waiting, self.project.targets().join(stored)];
        let file = places
            .iter()
            .find_map(|place| fs::inspect(place).ok().flatten())?;
        let changed = file.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
        Some(format_time(i64::try_from(changed.as_secs()).ok()?))
    }
}

/// The target of that kind, with its path.
fn find<'a>(
    entries: &'a Entries,
    app: &str,
    version: &Version,
    kind: TargetKind,
) -> Option<(&'a String, &'a Value)> {
    entries.iter().find(|(path, _)| {
        TargetName::parse(path)
            .is_some_and(|t| t.name == app && t.version == *version && t.kind == kind)
    })
}

impl Row {
    fn is_only_here(&self) -> bool {
        self.here && self.there == Some(false)
    }

    fn state(&self) -> String {
        if let Some(pending) = self.pending {
            return format!("pending: {pending}");
        }
        match (self.here, self.there) {
            _ if self.withdrawn => "withdrawn",
            (true, Some(true)) => "published",
            (true, Some(false)) => "only here",
            (false, _) => "only there",
            (true, None) => "signed",
        }
        .into()
    }

    fn to_json(&self) -> Value {
        let direct = self.direct.iter().rev();
        let direct = direct.map(|(from, size)| json!({ "from": from.to_string(), "size": size }));
        json!({
            "app": self.app,
            "version": self.version.to_string(),
            "date": self.date,
            "size": self.size,
            "patch": self.patch,
            "direct_patches": direct.collect::<Vec<_>>(),
            "channel": Channel::of(&self.version).to_string(),
            "rollout": self.rollout,
            "required": self.required,
            "withdrawn": self.withdrawn,
            "pending": self.pending,
            "here": self.here,
            "there": self.there,
            "state": self.state(),
        })
    }

    fn cells(&self) -> Vec<String> {
        let size = |size: Option<u64>| size.map_or_else(|| "-".into(), bytes);
        let mut state = self.state();
        if self.required {
            state.push_str(", required");
        }
        let date = self.date.as_ref().and_then(|date| date.get(..10));
        vec![
            self.version.to_string(),
            date.unwrap_or("-").into(),
            Channel::of(&self.version).to_string(),
            size(self.size),
            match self.direct.len() {
                0 => size(self.patch),
                more => format!("{} +{more}", size(self.patch)),
            },
            format!("{} %", self.rollout),
            state,
        ]
    }
}

const HEADS: [&str; 7] = [
    "VERSION", "DATE", "CHANNEL", "ARCHIVE", "PATCH", "ROLLOUT", "STATE",
];

fn table(rows: &[Row], with_app: bool) -> String {
    let mut lines: Vec<Vec<String>> = Vec::new();
    let line = |app: &str, cells: Vec<String>| {
        if with_app {
            [vec![app.to_owned()], cells].concat()
        } else {
            cells
        }
    };
    lines.push(line("APP", HEADS.map(String::from).into()));
    lines.extend(rows.iter().map(|row| line(&row.app, row.cells())));
    let mut widths: BTreeMap<usize, usize> = BTreeMap::new();
    for (column, cell) in lines.iter().flat_map(|line| line.iter().enumerate()) {
        let width = widths.entry(column).or_default();
        *width = (*width).max(cell.chars().count());
    }
    let mut text = String::new();
    for line in lines {
        let cells = line.iter().enumerate();
        let padded: Vec<String> = cells
            .map(|(column, cell)| format!("{cell:width$}", width = widths[&column]))
            .collect();
        text.push_str(padded.join("  ").trim_end());
        text.push('\n');
    }
    text
}
