//! Implements `notsotuf explain`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use crate::metadata::Published;
use crate::patch::per_file::{Budget, Coarse, MemberPart, Part};
use crate::project::parse_duration;
use crate::release as releases;
use clap::Args;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::safe_text::Lines;
use pep440_rs::Version;
use serde_json::{Value, json};
use std::cmp::Reverse;
use std::time::Duration;

#[derive(Debug, Args)]
#[command(after_help = "\
Compares the archive of VERSION with that of the release before it, as `add` did, or with
that of --from, as for a direct patch. The size
that is shown for a file is that of its part of the patch, compressed by itself, so the sum is
a little more than the patch. Below a file come the members of it that were compared as plain
bytes (path!member), with how they are compressed, and those that had to stay compressed: no
compressor that notsotuf has makes the same bytes of them. Files of more than 24 MiB are
compared block by block first, and where blocks differ with what is around their place: of
such files a line says how much that was.

  notsotuf explain 1.1
  notsotuf explain 1.4 --from 1.1
  notsotuf --json explain 1.1 --all")]
pub(super) struct Explain {
    /// Version that the patch leads to
    version: Version,
    /// List every file, not only the twenty largest
    #[arg(long)]
    all: bool,
    /// Release that the patch leads from; default: the one before VERSION
    #[arg(long, value_name = "VERSION")]
    from: Option<Version>,
    /// Compare as `add` does when it may take so long: 90s, 15m, 2h; default: as long as it takes
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    patch_budget: Option<Duration>,
    #[command(flatten)]
    app: App,
}

pub(super) fn run(args: &Explain, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(project)?;
    let (version, from) = (&args.version, args.from.as_ref());
    let budget = args.patch_budget.map_or(Budget::UNLIMITED, Budget::of);
    let explained = releases::explain(
        project,
        &published,
        app,
        version,
        from,
        budget,
        context.progress,
    )?;
    let mut parts = explained.parts;
    parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.path.cmp(&b.path)));
    let mut text = Lines::from(format!(
        "{app} {} from {}: {}",
        args.version, explained.from, explained.summary
    ));
    let shown = if args.all {
        parts.len()
    } else {
        parts.len().min(20)
    };
    for part in &parts[..shown] {
        let of = bytes(part.size);
        let (takes, what, path) = (bytes(part.bytes), part.what, &part.path);
        text.line(format!("{takes:>10}  {what:<8} {path} ({of})"));
        coarse(part, &mut text);
        members(part, args.all, &mut text);
    }
    let rest = &parts[shown..];
    if !rest.is_empty() {
        let sum = bytes(rest.iter().map(|part| part.bytes).sum());
        text.line(format!("{sum:>10}  {} more", rest.len()));
    }
    let direct = explained.direct.iter().rev();
    let direct = direct.map(|(from, size)| {
        text.line(format!("direct patch from {from}: {}", bytes(*size)));
        json!({ "from": from.to_string(), "size": size })
    });
    let direct: Vec<Value> = direct.collect();
    let list: Vec<Value> = parts.iter().map(part_json).collect();
    let json = json!({
        "app": app, "version": args.version.to_string(), "from": explained.from.to_string(),
        "direct_patches": direct, "files": list,
    });
    context.output.say(text, &json);
    Ok(())
}

fn part_json(part: &Part) -> Value {
    let members = part.members.iter().map(
        |m: &MemberPart| json!({ "name": m.name, "how": m.how, "bytes": m.bytes, "size": m.size }),
    );
    json!({
        "path": part.path, "what": part.what, "bytes": part.bytes, "size": part.size,
        "members": members.collect::<Vec<_>>(),
        "in_windows": part.coarse.in_windows, "in_blocks": part.coarse.in_blocks,
    })
}

/// What of a large file was compared with less than all of the old one.
fn coarse(part: &Part, text: &mut Lines) {
    let Coarse {
        in_windows,
        in_blocks,
    } = part.coarse;
    let path = &part.path;
    if in_windows > 0 {
        let size = bytes(in_windows);
        text.line(format!(
            "{:>12}  {path}: {size} were compared only with what is around their place",
            ""
        ));
    }
    if in_blocks > 0 {
        let size = bytes(in_blocks);
        text.line(format!(
            "{:>12}  {path}: {size} were compared block by block only, for want of time",
            ""
        ));
    }
}

/// The members of a container, those that take most first.
fn members(part: &Part, all: bool, text: &mut Lines) {
    const SHOWN: usize = 10;
    let mut members: Vec<&MemberPart> = part.members.iter().collect();
    // What could not be compared comes first: something can be done about it.
    members.sort_by_key(|member| Reverse(member.bytes.unwrap_or(u64::MAX)));
    let shown = if all {
        members.len()
    } else {
        members.len().min(SHOWN)
    };
    for member in &members[..shown] {
        let takes = member.bytes.map_or_else(|| "?".into(), bytes);
        let (path, name, how) = (&part.path, &member.name, &member.how);
        let size = match member.size {
            0 => String::new(),
            size => format!("{}, ", bytes(size)),
        };
        text.line(format!("{takes:>12}  {path}!{name} ({size}{how})"));
    }
    let rest = &members[shown..];
    if !rest.is_empty() {
        let sum = bytes(rest.iter().filter_map(|member| member.bytes).sum());
        text.line(format!("{sum:>12}  {} more members", rest.len()));
    }
}
