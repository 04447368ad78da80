//! `notsotuf prune`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use crate::metadata::Published;
use crate::release::remove;
use clap::Args;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "\
Keeps the newest final releases, all that are newer than the oldest of them, and
all that were added with --required. Clients with an older version take the
full archive. Clients of tufup, which do not look for gaps, may fail once before they
do: keep enough for them.

  notsotuf prune --keep 10
  notsotuf publish")]
pub(super) struct Prune {
    /// How many final releases stay
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
        format!("{app} has nothing older; nothing to do")
    } else {
        format!(
            "dropped {app} {}; `notsotuf publish` makes it so",
            gone.join(", ")
        )
    };
    let json = json!({ "app": app, "removed": gone });
    context.output.say(text, &json);
    Ok(())
}
