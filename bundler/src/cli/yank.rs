//! `notsotuf yank`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use crate::metadata::Published;
use crate::release::yank;
use clap::Args;
use pep440_rs::Version;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "\
Its archive, and all patches to and from it, go. Clients that have it are told by signed
metadata, and go on to a newer version, or back to the newest one before it, in full.
Clients of tufup do not go back. A version number that was withdrawn is not to be used
again.

  notsotuf yank 2.0
  notsotuf publish")]
pub(super) struct Yank {
    /// Which release
    version: Version,
    #[command(flatten)]
    app: App,
}

pub(super) fn run(args: &Yank, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(project)?;
    let version = &args.version;
    yank::yank(project, &published, app, version)?;
    let text = format!("withdrew {app} {version}; `notsotuf publish` makes it so");
    context.output.say(
        text,
        &json!({ "app": app, "withdrawn": version.to_string() }),
    );
    Ok(())
}
