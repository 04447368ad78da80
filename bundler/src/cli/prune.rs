//! Implements `notsotuf prune`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use crate::metadata::Published;
use crate::release::remove;
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "\
Keeps the newest final releases that are for all clients, all that are newer than
the oldest of them, and all that were added with --required. Clients with an older version take the
full archive; direct patches go with the release that they lead from. Clients of tufup do not look for gaps, and may fail once before they take it:
keep enough releases for them.

  notsotuf prune --keep 10
  notsotuf publish")]
pub(super) struct Prune {
    /// How many final releases to keep
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    #[command(flatten)]
    app: App,
}

pub(super) fn run(args: &Prune, context: &Context) -> Result<(), Error> {
    let project = context.project()?;
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(&project)?;
    let gone = remove::prune(&project, &published, app, args.keep as usize)?;
    let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
    let text = if gone.is_empty() {
        format!("{app} has no older releases; nothing to do")
    } else {
        format!(
            "dropped {app} {}; run `notsotuf publish` to apply",
            gone.join(", ")
        )
    };
    let json = json!({ "app": app, "removed": gone });
    context.output.say(text, &json);
    Ok(())
}
