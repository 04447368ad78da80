//! Implements `notsotuf ship`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::stub_at_hand;
use crate::project::address;
use crate::ship::{self, ShipOptions};
use clap::Args;
use pep440_rs::Version;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf ship --output MyApp
  notsotuf ship --output MyApp --executable myapp --version 1.0
  notsotuf ship --output MyApp --stub target/x86_64-pc-windows-gnu/release/notsotuf-stub.exe")]
pub(super) struct Ship {
    /// The folder to make
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    app: App,
    /// Version of the release; default: the newest final one
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
    /// The program in the bundle to start; needed if there are several
    #[arg(long, value_name = "PATH")]
    executable: Option<String>,
    /// File name of the stub, which users start; default: that of the program
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Name by which users know the application, for messages; default: its name here
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// The stub; default: the notsotuf-stub beside this program
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
    /// Where the repository is published; default: the url of the settings
    #[arg(long, value_name = "URL", value_parser = address::check)]
    url: Option<String>,
}

pub(super) fn run(args: Ship, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let options = ShipOptions {
        app: project.app(args.app.app.as_deref())?,
        version: args.version,
        stub: &args.stub.unwrap_or_else(stub_at_hand::beside_this_program),
        executable: args.executable.as_deref(),
        name: args.name.as_deref(),
        title: args.title.as_deref(),
        url: args.url.as_deref(),
        output: &args.output,
    };
    let shipped = ship::ship(project, &options)?;
    let program = shipped.program.display().to_string();
    let text = format!("{program} starts version {}", shipped.version);
    let json = json!({ "program": program, "version": shipped.version.to_string() });
    context.output.say(text, &json);
    Ok(())
}
