//! Implements `notsotuf yank`.

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
Removes the archive, and all patches to and from it. Signed metadata tells clients that have
the release; they take the full archive of a newer version or, if there is none, of the newest
one before it. There must be such a release that all of them can get. Clients of tufup do
not go back. A withdrawn version number cannot be used again.

  notsotuf yank 2.0
  notsotuf publish")]
pub(super) struct Yank {
    /// Version of the release
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
    let text = format!("withdrew {app} {version}; run `notsotuf publish` to apply");
    context.output.say(
        text,
        &json!({ "app": app, "withdrawn": version.to_string() }),
    );
    Ok(())
}
