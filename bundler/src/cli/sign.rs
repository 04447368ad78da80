//! Implements `notsotuf sign`.

use super::context::Context;
use super::error::Error;
use super::review;
use super::role::Role;
use crate::keys::Keyring;
use crate::metadata::{self, Document, Published, RootChangeError};
use crate::output::Output;
use crate::project::Project;
use crate::release::PendingTargets;
use clap::Args;
use notsotuf_stub::clock::now;
use notsotuf_stub::safe_text::Lines;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "\
Shows what changes against what is published, keys by name and id, and asks before it
signs. Compare the ids with what you agreed on, not only the names.

Two people who each have one of two root keys:
  alice$ notsotuf keys replace targets targets-2      # 1 of 2 signatures
  alice$ ... hands the project folder on, with .notsotuf-pending
  bob$   notsotuf sign root                           # 2 of 2 signatures
  bob$   notsotuf publish")]
pub(super) struct Sign {
    /// root or targets
    role: Role,
    /// Sign without asking; the changes are shown anyway
    #[arg(long, short)]
    yes: bool,
}

/// Runs `notsotuf sign ROLE`.
pub(super) fn run(args: &Sign, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let published = Published::load(project)?;
    let keyring = context.keyring(project)?;
    match args.role {
        Role::Root => root(args, project, &published, &keyring, context),
        Role::Targets => targets(args, project, &published, &keyring, context),
        Role::Snapshot | Role::Timestamp => Err(RootChangeError::SignedByPublish.into()),
    }
}

fn root(
    args: &Sign,
    project: &Project,
    published: &Published,
    keyring: &Keyring,
    context: &Context,
) -> Result<(), Error> {
    let draft = metadata::root_draft(project, published)?.ok_or(RootChangeError::NoDraft)?;
    let changes = review::root_changes(&published.root, &draft, keyring);
    review::confirm("what will be signed", &changes, args.yes)?;
    let signed = metadata::sign_root_draft(project, published, keyring, &context.passphrases)?
        .ok_or(RootChangeError::NoDraft)?;
    let old = added("root", &published.root, [&draft, &signed], keyring);
    // Of keys that both roots have, one signature counts for both.
    old.or_else(|e| added("root", &signed, [&draft, &signed], keyring).map_err(|_| e))?;
    tell_root(&signed, published, &changes, context.output)
}

fn targets(
    args: &Sign,
    project: &Project,
    published: &Published,
    keyring: &Keyring,
    context: &Context,
) -> Result<(), Error> {
    let entries = PendingTargets::open(project, published)?.entries;
    let draft = metadata::targets_draft(project, published, &entries, now())?;
    let changes = review::targets_changes(published.targets.as_ref(), &draft);
    review::confirm("what will be signed", &changes, args.yes)?;
    let signed = metadata::sign_targets(
        project,
        published,
        &entries,
        keyring,
        &context.passphrases,
        now(),
    )?;
    let root = metadata::signing_root(project, published)?;
    added("targets", &root, [&draft, &signed], keyring)?;
    let (have, need) = signed.signatures("targets", &root)?;
    let text = format!(
        "targets {} has {have} of {need} signatures",
        signed.version()
    );
    let json = json!({
        "role": "targets", "version": signed.version(), "have": have, "need": need,
        "changes": changes,
    });
    context.output.say(text, &json);
    Ok(())
}

/// Checks that a signature by a key that `by` gives the role was added, if there
/// were too few.
fn added(
    role: &'static str,
    by: &Document,
    [before, after]: [&Document; 2],
    keyring: &Keyring,
) -> Result<(), Error> {
    let (had, _) = before.signatures(role, by)?;
    let (have, need) = after.signatures(role, by)?;
    if have as u64 >= need || have > had {
        return Ok(());
    }
    Err(RootChangeError::NothingSigned {
        role,
        have,
        need,
        keys: metadata::missing_names(role, by, after, keyring).join(", "),
        places: keyring.places(),
    }
    .into())
}

/// Says how far the draft of a root is.
pub(super) fn tell_root(
    draft: &Document,
    published: &Published,
    changes: &[String],
    output: &Output,
) -> Result<(), Error> {
    let (old, old_need) = draft.signatures("root", &published.root)?;
    let (new, new_need) = draft.signatures("root", draft)?;
    let ready = old as u64 >= old_need && new as u64 >= new_need;
    let next = if ready {
        "`notsotuf publish` publishes it"
    } else {
        "run `notsotuf sign root` where more root keys are"
    };
    let mut text = Lines::new();
    for change in changes {
        text.line(change);
    }
    text.line(format!(
        "root {} is drafted: {old} of {old_need} signatures by the old root keys, {new} of \
         {new_need} by the new ones",
        draft.version()
    ));
    text.line(next);
    let json = json!({
        "role": "root", "version": draft.version(), "ready": ready,
        "old": { "have": old, "need": old_need }, "new": { "have": new, "need": new_need },
        "changes": changes,
    });
    output.say(text, &json);
    Ok(())
}
