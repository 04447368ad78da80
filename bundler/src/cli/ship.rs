//! Implements `notsotuf ship`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::stub_at_hand;
use crate::project::address;
use crate::ship::{self, InstallerKind, ShipOptions};
use clap::Args;
use notsotuf_stub::fs::{self, FsError};
use pep440_rs::Version;
use serde_json::json;
use std::io::Write;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf ship --output MyApp
  notsotuf ship --output MyApp --executable myapp --version 1.0
  notsotuf ship --output dist/MyApp --installer        # and a Setup.exe, or an archive for Linux
  notsotuf ship --output dist/MyApp --installer tar --installer deb
  notsotuf ship --write-script installer.nsi           # to change it
  notsotuf ship --output MyApp --stub target/x86_64-pc-windows-gnu/release/notsotuf-stub.exe")]
pub(super) struct Ship {
    /// The folder to make
    #[arg(
        long,
        short,
        value_name = "DIR",
        required_unless_present = "write_script"
    )]
    output: Option<PathBuf>,
    /// Also make an installer beside the folder; default: setup for Windows, tar for Linux
    #[arg(long, value_name = "KIND", num_args = 0..=1, default_missing_value = "usual")]
    installer: Vec<InstallerKind>,
    /// Only write the script for NSIS that makes a Setup.exe, for `script` under `[installer]`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["output", "installer"])]
    write_script: Option<PathBuf>,
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
    if let Some(script) = &args.write_script {
        fs::create_new(script)?
            .write_all(ship::SCRIPT.as_bytes())
            .map_err(|e| FsError::new("write", script, e))?;
        let text = format!("wrote the script for NSIS to {}", script.display());
        context.output.say(text, &json!({ "script": script }));
        return Ok(());
    }
    let project = &context.project()?;
    let output = args.output.unwrap_or_default();
    let options = ShipOptions {
        app: project.app(args.app.app.as_deref())?,
        version: args.version,
        stub: &args.stub.unwrap_or_else(stub_at_hand::beside_this_program),
        executable: args.executable.as_deref(),
        name: args.name.as_deref(),
        title: args.title.as_deref(),
        url: args.url.as_deref(),
        output: &output,
        installers: &args.installer,
    };
    let shipped = ship::ship(project, &options)?;
    let program = shipped.program.display().to_string();
    let mut text = format!("{program} starts version {}", shipped.version);
    for installer in &shipped.installers {
        text.push_str(&format!("\n{} installs it", installer.display()));
    }
    let json = json!({
        "program": program,
        "version": shipped.version.to_string(),
        "installers": shipped.installers,
    });
    context.output.say(text, &json);
    Ok(())
}
