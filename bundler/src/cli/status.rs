//! Implements `notsotuf status`.

use super::context::Context;
use super::error::Error;
use crate::metadata::{self, Published};
use crate::project::{Project, ROLES};
use crate::release::PendingTargets;
use clap::Args;
use notsotuf_stub::clock::now;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::tuf::metadata::format_time;
use serde_json::{Value, json};

/// Counts the seconds of a day.
pub(super) const DAY: i64 = 86_400;

#[derive(Debug, Args)]
#[command(after_help = "\
For monitoring: `notsotuf status --fail-within 14d` exits with 1 if any role
expires within 14 days, or has expired.")]
pub(super) struct Status {
    /// Fail if a role expires within this time: 14d, 36h
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    fail_within: Option<i64>,
}

pub(super) fn parse_time(text: &str) -> Result<i64, String> {
    let unit = match text.chars().last() {
        Some('d') => DAY,
        Some('h') => 3600,
        _ => return Err("expected a number and d or h, such as 14d".into()),
    };
    let number: i64 = text[..text.len() - 1]
        .parse()
        .map_err(|_| "expected a number and d or h, such as 14d".to_owned())?;
    number
        .checked_mul(unit)
        .filter(|seconds| *seconds >= 0)
        .ok_or_else(|| "that is too long".into())
}

/// Runs `notsotuf status`.
pub(super) fn run(args: &Status, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let published = Published::load(project)?;
    let keyring = context.keyring(project)?;
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
        let (have, need) = document.signatures(role, &published.root)?;
        let mut notes = String::new();
        if (have as u64) < need {
            notes += &format!(" (has {have}!)");
        }
        let due = role == "targets" && metadata::renewal_is_due(project, document, now);
        if due {
            notes += "; to be renewed with these keys";
        }
        text.line(format!(
            "{role:10} version {:<5} {:14} signed by {by}{notes}",
            document.version(),
            time_left(left)
        ));
        let mut member = json!({
            "version": document.version(), "expires": format_time(document.expires()),
            "signatures": have, "threshold": need, "keys": names,
        });
        if due {
            member["renewal_due"] = true.into();
        }
        roles.insert(role.into(), member);
    }
    let pending = pending(project, &published, &mut text)?;
    context.output.say(
        text,
        &json!({ "roles": roles, "pending": pending, "expiring": soon }),
    );
    if !soon.is_empty() {
        return Err(expiring(&soon));
    }
    let stale = metadata::stale_root_draft(project, &published)?;
    stale.map_or(Ok(()), |stale| Err(stale.into()))
}

fn time_left(left: i64) -> String {
    if left < 0 {
        "EXPIRED".into()
    } else {
        format!("{} days left", left / DAY)
    }
}

fn expiring(roles: &[&str]) -> Error {
    Error::Expiring {
        roles: roles.join(", "),
        fix: if roles.contains(&"root") {
            "`notsotuf renew --root` renews it, with the root keys at hand, and the others"
        } else {
            "`notsotuf renew` renews what the keys at hand can sign"
        },
    }
}

pub(super) fn pending(
    project: &Project,
    published: &Published,
    text: &mut Lines,
) -> Result<Value, Error> {
    let entries = PendingTargets::open(project, published)?.entries;
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
    let root = match metadata::told_root_draft(project, published)? {
        Ok(None) => Value::Null,
        Ok(Some(draft)) => {
            let (old, old_need) = draft.signatures("root", &published.root)?;
            let (new, new_need) = draft.signatures("root", &draft)?;
            text.line(format!(
                "pending    root {}: {old} of {old_need} old, {new} of {new_need} new signatures",
                draft.version()
            ));
            json!({
                "version": draft.version(),
                "old": { "have": old, "need": old_need }, "new": { "have": new, "need": new_need },
            })
        }
        Err(stale) => {
            text.line(format!("pending    {stale}"));
            json!({ "stale": stale.to_string() })
        }
    };
    Ok(json!({ "added": added, "removed": removed, "root": root }))
}
