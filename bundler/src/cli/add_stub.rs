//! Implements `notsotuf add-stub`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::stub_at_hand::beside_this_program;
use crate::metadata::Published;
use crate::release::{self, NewRelease, ReleaseError};
use crate::ship::{MAX_STUB, ShipError};
use clap::Args;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::{fs, stub_version};
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Args)]
#[command(after_help = "\
Older installed stubs download it, start it once to see whether it runs, and replace
themselves. The stub's version is read from the program. On Windows, first sign the stub
(Authenticode), and give it the subsystem of the application (as `ship` does).

  notsotuf add-stub                          # the one beside this program
  notsotuf add-stub MyApp/MyApp.exe          # as it was shipped
  notsotuf publish")]
pub(super) struct AddStub {
    /// The stub; default: the notsotuf-stub beside this program
    stub: Option<PathBuf>,
    #[command(flatten)]
    app: App,
}

pub(super) fn run(args: AddStub, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let app = stub_version::target_name(project.app(args.app.app.as_deref())?);
    let stub = args.stub.unwrap_or_else(beside_this_program);
    let program =
        fs::read_optional(&stub, MAX_STUB)?.ok_or_else(|| ShipError::NoStub(stub.clone()))?;
    let version =
        stub_version::version_of(&program).ok_or_else(|| ReleaseError::NotAStub(stub.clone()))?;
    let published = Published::load(project)?;
    let addition = NewRelease::plain(&app, version.clone(), &stub);
    let (path, size) = release::add(project, &published, &addition, context.progress)?.archive;
    let mut text = Lines::from(format!("{path}  {}", bytes(size)));
    text.line("added; next: `notsotuf publish`, which signs it");
    let json = json!({
        "app": app,
        "version": version.to_string(),
        "archive": { "path": path, "size": size },
    });
    context.output.say(text, &json);
    Ok(())
}
