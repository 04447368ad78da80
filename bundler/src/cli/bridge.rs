//! Implements `notsotuf bridge`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::stub_at_hand::beside_this_program;
use crate::migrate::pyupdater_bridge;
use crate::project::address;
use crate::ship::ShipOptions;
use clap::Args;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::safe_text::Lines;
use pep440_rs::Version;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Makes an archive as PyUpdater's `build` does, but it contains what `notsotuf ship` makes: the
stub under the application's name, its settings, the root of trust, and the
application. Sign and upload it with PyUpdater once more; clients that install it are
clients of notsotuf from then on. Applications of one file (--onefile) and Mac bundles
(.app) cannot cross like that: give their users an installer.

  notsotuf bridge 1.4 --output pyu-data/new
  pyupdater pkg --process --sign
  pyupdater upload --service s3")]
pub(super) struct Bridge {
    /// Version of the release; default: the newest final one
    version: Option<Version>,
    /// Folder for the archive: PyUpdater's pyu-data/new
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    app: App,
    /// The program in the bundle to start; needed if there are several
    #[arg(long, value_name = "PATH")]
    executable: Option<String>,
    /// The stub; default: the notsotuf-stub beside this program
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
    /// Where the new repository is published; default: the url of the settings
    #[arg(long, value_name = "URL", value_parser = address::check)]
    url: Option<String>,
}

pub(super) fn run(args: &Bridge, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let app = project.app(args.app.app.as_deref())?;
    let options = ShipOptions {
        app,
        version: args.version.clone(),
        stub: &args.stub.clone().unwrap_or_else(beside_this_program),
        executable: args.executable.as_deref(),
        name: None,
        title: None,
        url: args.url.as_deref(),
        output: &args.output,
        installers: &[],
    };
    let made = pyupdater_bridge::make(project, &options)?;
    let mut text = Lines::from(format!("{}  {}", made.archive.display(), bytes(made.size)));
    text.line("Now let PyUpdater sign and upload it: pyupdater pkg --process --sign");
    let json = json!({
        "app": app,
        "version": made.version.to_string(),
        "archive": made.archive,
        "size": made.size,
    });
    context.output.say(text, &json);
    Ok(())
}
