//! The stub as a target of its own.

use super::{App, Output};
use crate::error::Error;
use crate::metadata::Published;
use crate::progress::Progress;
use crate::project::Project;
use crate::release::{self, Addition, ReleaseError};
use crate::ship::ShipError;
use clap::Args;
use notsotuf_stub::fs;
use notsotuf_stub::progress::bytes;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::update::self_update;
use pep440_rs::Version;
use serde_json::json;
use std::path::PathBuf;

/// A stub has about 3 MB.
const MAX_STUB: u64 = 256 << 20;

#[derive(Debug, Args)]
#[command(after_help = "\
Installed stubs that are older fetch it, start it once to see that it runs, and replace
themselves. The stub's version is read from the program. On Windows, sign the stub
(Authenticode) before, and give it the subsystem of the application (`ship` does).

  notsotuf add-stub                          # the one beside this program
  notsotuf add-stub MyApp/MyApp.exe          # as it was shipped
  notsotuf publish")]
pub struct AddStub {
    /// The stub; else the notsotuf-stub beside this program
    stub: Option<PathBuf>,
    #[command(flatten)]
    app: App,
}

/// Where the stub is unless the command line says otherwise.
pub fn beside_this_program() -> PathBuf {
    let name = format!("notsotuf-stub{}", std::env::consts::EXE_SUFFIX);
    let program = std::env::current_exe().ok();
    let folder = program.as_ref().and_then(|program| program.parent());
    folder.map_or_else(|| PathBuf::from(&name), |folder| folder.join(&name))
}

/// The version of that one.
pub fn at_hand() -> Option<Version> {
    let program = fs::read_optional(&beside_this_program(), MAX_STUB)
        .ok()
        .flatten()?;
    self_update::version_of(&program)
}

pub fn add(
    project: &Project,
    args: AddStub,
    progress: Progress,
    output: &Output,
) -> Result<(), Error> {
    let app = self_update::target_name(project.app(args.app.app.as_deref())?);
    let stub = args.stub.unwrap_or_else(beside_this_program);
    let program =
        fs::read_optional(&stub, MAX_STUB)?.ok_or_else(|| ShipError::NoStub(stub.clone()))?;
    let version =
        self_update::version_of(&program).ok_or_else(|| ReleaseError::NotAStub(stub.clone()))?;
    let published = Published::load(project)?;
    let addition = Addition::plain(&app, version.clone(), &stub);
    let (path, size) = release::add(project, &published, &addition, progress)?.archive;
    let mut text = Lines::from(format!("{path}  {}", bytes(size)));
    text.line("added; next: `notsotuf publish`, which signs it");
    let json = json!({
        "app": app,
        "version": version.to_string(),
        "archive": { "path": path, "size": size },
    });
    output.say(text, &json);
    Ok(())
}
