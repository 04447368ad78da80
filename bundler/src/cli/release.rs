//! Implements `notsotuf release`: all that a release takes, in one go, and
//! again from where it stopped.

use super::add::{Addable, add, read_notes};
use super::again::{AgainError, TakeBack};
use super::context::Context;
use super::error::Error;
use super::publish::tell_published;
use super::upload::{self, Upload};
use crate::keys::{Keyring, Passphrases};
use crate::metadata::{self, MetadataError, Published};
use crate::pack::archive;
use crate::progress::Progress;
use crate::project::Project;
use crate::publish::{self, PublishScope};
use crate::release::{PendingTargets, ReleaseError, is_listed_as, take_back};
use crate::temporary;
use clap::Args;
use notsotuf_stub::catalog::custom::ArchiveCustom;
use notsotuf_stub::clock::now;
use serde_json::{Value, json};

#[derive(Debug, Args)]
#[command(after_help = "\
Does the same as these four commands, one after the other:
  notsotuf add 1.1 dist/myapp
  notsotuf publish
  notsotuf upload
  notsotuf verify --url https://example.com/updates

Before it begins, it opens the keys, and checks that destination and URL are known. If it
stops, it says why; run it again with the same bundle to continue from there. Whatever else
is pending is published with it.

  notsotuf release 1.1 dist/myapp
  notsotuf release 1.2 dist/myapp --to s3://bucket/updates --rollout 10% --notes NOTES.md")]
pub(super) struct Release {
    #[command(flatten)]
    what: Addable,
    /// Destination of the upload; default: `upload` of the project settings
    #[arg(long, value_name = "DESTINATION")]
    to: Option<String>,
}

/// How far a release is.
enum Stage {
    New,
    Added,
    Signed,
    /// For another percentage of the installs.
    SignedFor(u64),
}

pub(super) fn run(args: Release, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let app = project.app(args.what.app.app.as_deref())?.to_owned();
    let mut done = json!({ "app": app, "version": args.what.version.to_string() });
    let result = steps(project, &app, args, context, &mut done);
    // What was done is told also if the next step was refused.
    let last = context.output.take();
    if let Value::Object(last) = &last
        && !last.is_empty()
    {
        done["uploaded"] = last.clone().into();
    }
    context.output.say("", &done);
    result
}

fn steps(
    project: &Project,
    app: &str,
    args: Release,
    context: &Context,
    done: &mut Value,
) -> Result<(), Error> {
    upload::destination(project, args.to.as_deref())?;
    if project.settings.client.url.is_none() {
        return Err(AgainError::NoUrl.into());
    }
    let version = args.what.version.clone();
    let published = Published::load(project)?;
    let keyring = context.keyring(project)?;
    let stage = stage(project, &published, app, &args.what, context.progress)?;
    let is_signed = matches!(stage, Stage::Signed | Stage::SignedFor(_));
    if !is_signed {
        open_keys(project, &published, &keyring, &context.passphrases)?;
    }
    match stage {
        Stage::New => {
            add(project, args.what, context)?;
            done["added"] = context.output.take();
        }
        Stage::Added => context
            .output
            .say(format!("{app} {version} is added already"), &json!({})),
        Stage::Signed => context
            .output
            .say(format!("{app} {version} is signed already"), &json!({})),
        Stage::SignedFor(percent) => {
            let wanted = args.what.rollout;
            let text = format!(
                "{app} {version} is signed already, for {percent} % of the installs, not {wanted} %: \
                 `notsotuf rollout {version} {wanted}% --app {app}`, and then `notsotuf publish` and \
                 `notsotuf upload`, change that"
            );
            context.output.say(&text, &json!({}));
            done["warnings"] = json!([text]);
        }
    }
    if !is_signed {
        let passphrases = &context.passphrases;
        let report =
            publish::publish(project, &keyring, passphrases, now(), PublishScope::Pending)?;
        tell_published(project, &report, context.output);
        done["published"] = context.output.take();
    }
    let upload = Upload::and_verify(args.to);
    upload::upload(project, &upload, context)
}

/// Opens the keys that `publish` will use, which asks for their passphrases:
/// not only after a patch was made for minutes. Of targets, one is enough to
/// go on: what it signed is kept for others to sign, too.
fn open_keys(
    project: &Project,
    published: &Published,
    keyring: &Keyring,
    passphrases: &Passphrases,
) -> Result<(), Error> {
    let root = metadata::next_root(project, published)?;
    for role in ["targets", "snapshot", "timestamp"] {
        let have = metadata::signers(role, &root, keyring, passphrases)?.len();
        let need = root.threshold(role);
        let enough = match role {
            "targets" => have > 0 || metadata::has_targets_draft(project),
            _ => have as u64 >= need,
        };
        if !enough {
            return Err(MetadataError::KeysMissing {
                role: role.into(),
                have,
                need,
                keys: metadata::key_names(role, &root, keyring).join(", "),
                places: keyring.places(),
            }
            .into());
        }
    }
    Ok(())
}

/// How far this release is; one that is there already must be this one.
fn stage(
    project: &Project,
    published: &Published,
    app: &str,
    what: &Addable,
    progress: Progress,
) -> Result<Stage, Error> {
    let pending = PendingTargets::open(project, published)?;
    let releases = pending.releases(app);
    let found = releases.iter().find(|(known, _)| *known == what.version);
    let Some((_, path)) = found else {
        return Ok(Stage::New);
    };
    let is_signed = published.target_entries().contains_key(path);
    let entry = &pending.entries[path];
    let differs = match differing_option(what, entry, is_signed)? {
        Some(option) => Some(option),
        None if is_packed_alike(project, what, entry, progress)? => None,
        None => Some("bundle"),
    };
    let take_back = TakeBack {
        command: take_back(&pending, project, app, &what.version),
        pending: project.pending(),
    };
    let (app, version) = (app.to_owned(), what.version.clone());
    let percent = rolled_out(entry);
    match differs {
        None if is_signed && percent != what.rollout => Ok(Stage::SignedFor(percent)),
        None if is_signed => Ok(Stage::Signed),
        None => Ok(Stage::Added),
        Some(what) if is_signed => Err(AgainError::Published { app, version, what }.into()),
        Some("bundle") => Err(AgainError::OtherBundle {
            app,
            version,
            take_back,
        }
        .into()),
        Some(what) => Err(AgainError::OtherOption {
            app,
            version,
            what,
            take_back,
        }
        .into()),
    }
}

/// The percentage of the installs that get a release.
fn rolled_out(entry: &Value) -> u64 {
    let rollout = ArchiveCustom::of(&entry["custom"]).rollout;
    rollout.map_or(100, |part| part.percent)
}

/// The option with which the release was not added. The rollout of one that
/// is out changes by itself.
fn differing_option(
    what: &Addable,
    entry: &Value,
    is_signed: bool,
) -> Result<Option<&'static str>, Error> {
    let custom = ArchiveCustom::of(&entry["custom"]);
    let notes = what.notes.as_deref().map(read_notes).transpose()?;
    let meta = Value::Object(what.meta.clone().unwrap_or_default());
    Ok(if custom.required != what.required {
        Some("--required")
    } else if entry["custom"]["user"] != meta {
        Some("--meta")
    } else if custom.stub != what.min_stub {
        Some("--min-stub")
    } else if custom.notes != notes {
        Some("--notes")
    } else if rolled_out(entry) != what.rollout && !is_signed {
        Some("--rollout")
    } else {
        None
    })
}

/// Whether the bundle packs to the archive of that entry: two packings of one
/// bundle are the same bytes.
fn is_packed_alike(
    project: &Project,
    what: &Addable,
    entry: &Value,
    progress: Progress,
) -> Result<bool, Error> {
    notsotuf_stub::fs::create_dir_all(&project.pending())?;
    let work = temporary::Folder::new_in(&project.pending(), ".release-")?;
    let file = work.path().join("archive");
    archive::pack(&what.bundle, &file, |n| progress.bar("packing", n))
        .map_err(ReleaseError::Pack)?;
    Ok(is_listed_as(&file, entry)?)
}
