//! Implements `notsotuf add`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::{rollout, stub_at_hand};
use crate::metadata::{Published, limits};
use crate::output::Output;
use crate::project::{Project, parse_duration};
use crate::release as releases;
use crate::release::{AddReport, DirectPatch, NewRelease, PendingTargets};
use crate::vet::Vetting;
use clap::Args;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::fs;
use notsotuf_stub::safe_text::Lines;
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf add 1.0 dist/myapp
  notsotuf add 1.1rc1 dist/myapp            # seen by the channels rc, b and a
  notsotuf add 2.0 dist/myapp --required    # no client skips this one
  notsotuf add 2.1 dist/myapp --meta '{\"notes\": \"Faster start\"}'
  notsotuf add 1.4.1 dist/myapp             # a bug fix while 2.0b1 is out

A version number is used once: after a release was published or withdrawn, the next one needs
a higher number. The bundle is checked first. Private keys, the project itself and the folder
that `ship` makes of the same application are never released; a likely mistake (no program,
the wrong folder, names that Windows refuses) needs --force.")]
pub(super) struct Add {
    #[command(flatten)]
    what: Addable,
}

/// Says what is added, and how.
#[derive(Debug, Args)]
pub(super) struct Addable {
    /// Version (PEP 440), newer than the latest release that is at least as final
    #[arg(value_parser = parse_version)]
    pub version: Version,
    /// What PyInstaller made: a folder, or one file
    pub bundle: PathBuf,
    #[command(flatten)]
    pub app: App,
    /// Clients install this release before any later one
    #[arg(long)]
    pub required: bool,
    /// JSON object for the application's own use, kept in the metadata
    #[arg(long, value_name = "JSON", value_parser = parse_meta)]
    pub meta: Option<Map<String, Value>>,
    /// Make no patches
    #[arg(long)]
    pub skip_patch: bool,
    /// Make no patch if that takes longer than this: 90s, 15m, 2h; direct ones within the same
    /// time. Once half of it is over, large files are compared less finely. Default: patch_budget
    /// of the project settings, or else 15m
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub patch_budget: Option<Duration>,
    /// Add what does not look like a bundle, or a number that was published and nobody has
    #[arg(long)]
    pub force: bool,
    /// Stubs older than this do not install the release, and say so
    #[arg(long, value_name = "VERSION")]
    pub min_stub: Option<Version>,
    /// Share of the installs that get the release at first; see `notsotuf rollout`
    #[arg(long, value_name = "PERCENT", default_value = "100%", value_parser = rollout::parse_percent)]
    pub rollout: u64,
    /// File with what is new, in Markdown; kept in the metadata, so keep it short
    #[arg(long, value_name = "FILE")]
    pub notes: Option<PathBuf>,
}

/// Reads a version; people swap the two arguments.
pub(super) fn parse_version(text: &str) -> Result<Version, String> {
    text.parse().map_err(|_| {
        let path = text.contains(['/', '\\']) || Path::new(text).exists();
        let what = if path {
            "that is a path"
        } else {
            "that is not a PEP 440 version"
        };
        format!(
            "{what}; give the version first, such as 1.0 or 2.0b1, and then the bundle: notsotuf \
             add 1.0 dist/myapp"
        )
    })
}

pub(super) fn parse_meta(text: &str) -> Result<Map<String, Value>, String> {
    // Metadata is signed in canonical form, which has no such numbers.
    match notsotuf_stub::tuf::canonical_json::parse(text.as_bytes()) {
        Ok(Value::Object(_)) if text.len() as u64 > limits::PER_RELEASE => Err(format!(
            "it has {} bytes, but at most {} are allowed, since every client fetches it for \
             every release: put more into a file of the bundle, or on a web page",
            text.len(),
            limits::PER_RELEASE
        )),
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err("it must be a JSON object".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// Reads notes, which are bounded as every client fetches the notes of every
/// release.
pub(super) fn read_notes(path: &Path) -> Result<String, Error> {
    let wrong = |reason: String| Error::Notes {
        path: path.into(),
        reason,
    };
    let file = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong(
                "do not exist: is the path right, relative to the current folder?".into(),
            ));
        }
        Err(e) => return Err(wrong(format!("cannot be read: {e}"))),
    };
    if file.len() > limits::PER_RELEASE {
        return Err(wrong(format!(
            "have {} bytes, but at most {} are allowed, since every client fetches them for \
             every release: shorten them, and link to the rest",
            file.len(),
            limits::PER_RELEASE
        )));
    }
    let bytes = fs::read_optional(path, limits::PER_RELEASE)?.unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| wrong("are not UTF-8: save them in that encoding".into()))
}

pub(super) fn add(project: &Project, args: Addable, context: &Context) -> Result<(), Error> {
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(project)?;
    let notes = match &args.notes {
        Some(path) => Some(read_notes(path)?),
        None => None,
    };
    if let Some(wanted) = &args.min_stub {
        let pending = PendingTargets::open(project, &published)?;
        releases::check_stub(&pending, app, wanted, stub_at_hand::at_hand())?;
    }
    let addition = NewRelease {
        app,
        version: args.version.clone(),
        bundle: &args.bundle,
        required: args.required,
        meta: args.meta.unwrap_or_default(),
        skip_patch: args.skip_patch,
        stub: args.min_stub,
        rollout: args.rollout,
        notes,
        budget: args.patch_budget.unwrap_or(project.settings.patch_budget),
        vetting: if args.force {
            Vetting::Forced {
                key_dirs: &context.key_dirs,
            }
        } else {
            Vetting::Checked {
                key_dirs: &context.key_dirs,
            }
        },
        replaces: false,
    };
    let mut added = releases::add(project, &published, &addition, context.progress)?;
    if addition.required && addition.rollout < 100 {
        added.warnings.push(
            "all installs take it, whatever --rollout says, as --required makes it one that none \
             may skip"
                .into(),
        );
    }
    tell(app, &args.version, &added, context.output);
    Ok(())
}

fn tell(app: &str, version: &Version, added: &AddReport, output: &Output) {
    let (archive, size) = &added.archive;
    let mut text = Lines::from(format!("{archive}  {}", bytes(*size)));
    let mut json = json!({
        "app": app,
        "version": version.to_string(),
        "archive": { "path": archive, "size": size },
        "patch": null,
        "warnings": added.warnings,
    });
    if !added.signed.is_empty() {
        let signed = added.signed.iter();
        json["signed"] = signed.map(|path| json!(path.to_string_lossy())).collect();
    }
    for path in &added.signed {
        text.line(format!("signed {}", path.display()));
    }
    for warning in &added.warnings {
        text.line(format!("warning: {warning}"));
    }
    if let Some((patch, size, summary)) = &added.patch {
        let from = added
            .from
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut line = format!("{patch}  {} from {from}", bytes(*size));
        json["patch"] = json!({ "path": patch, "size": size, "from": from });
        if let Some(summary) = summary {
            line.push_str(&format!(": {summary}"));
            json["patch"]["files"] = json!({
                "kept": summary.kept, "changed": summary.changed, "moved": summary.moved,
                "new": summary.new, "removed": summary.removed,
            });
        }
        text.line(line);
    }
    if let Some(why) = &added.no_patch {
        text.line(format!("no patch: {why}"));
        json["no_patch"] = why.to_string().into();
    }
    direct(added, &mut text, &mut json);
    text.line("added; next: `notsotuf publish`, which signs it");
    output.say(text, &json);
}

/// Tells of direct patches, if any are wanted.
fn direct(added: &AddReport, text: &mut Lines, json: &mut Value) {
    let mut list: Vec<Value> = Vec::new();
    for DirectPatch { from, made } in &added.direct {
        list.push(match made {
            Ok((path, size)) => {
                text.line(format!("{path}  {} from {from}", bytes(*size)));
                json!({ "path": path, "size": size, "from": from.to_string() })
            }
            Err(why) => {
                let line = format!("no direct patch from {from}: {why}");
                if !added.warnings.contains(&line) {
                    text.line(line);
                }
                json!({ "from": from.to_string(), "left_out": why.to_string() })
            }
        });
    }
    if !list.is_empty() {
        json["direct_patches"] = list.into();
    }
}

pub(super) fn run(args: Add, context: &Context) -> Result<(), Error> {
    add(&context.project()?, args.what, context)
}
