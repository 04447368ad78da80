//! Implements `notsotuf add-stub`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::stub_at_hand::beside_this_program;
use crate::metadata::Published;
use crate::project::Project;
use crate::release::{self, NewRelease, ReleaseError};
use crate::ship::{self, MAX_STUB, ShipError};
use crate::temporary;
use clap::Args;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::{fs, stub_version};
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Older installed stubs download it, start it once to see whether it runs, and replace
themselves. The stub's version is read from the program. One for Windows gets what `ship` gives
it, from the program of the newest release: subsystem, icon, version information and manifest.
A signed one (Authenticode) must have them already: sign what `ship` has made, and add that, or
have it signed by sign_command of the project settings. A stub that was added and is not
published yet is replaced.

  notsotuf add-stub                          # the one beside this program
  notsotuf add-stub MyApp/MyApp.exe          # as it was shipped
  notsotuf publish")]
pub(super) struct AddStub {
    /// The stub; default: the notsotuf-stub beside this program
    stub: Option<PathBuf>,
    #[command(flatten)]
    app: App,
    /// The program of the newest release that it resembles (Windows); needed if there are several
    #[arg(long, value_name = "PATH")]
    executable: Option<String>,
}

pub(super) fn run(args: AddStub, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let started = project.app(args.app.app.as_deref())?;
    let app = stub_version::target_name(started);
    let stub = args.stub.unwrap_or_else(beside_this_program);
    let program =
        fs::read_optional(&stub, MAX_STUB)?.ok_or_else(|| ShipError::NoStub(stub.clone()))?;
    let version =
        stub_version::version_of(&program).ok_or_else(|| ReleaseError::NotAStub(stub.clone()))?;
    let published = Published::load(project)?;
    let named = args.executable.as_deref();
    let (_work, stub) = in_disguise(project, &published, started, named, stub, &program)?;
    // Nobody has one that is not published: there is nothing to take back first.
    let addition = NewRelease {
        replaces: true,
        ..NewRelease::plain(&app, version.clone(), &stub)
    };
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

/// Returns the stub with the face of the newest release's program, where it is one for Windows
/// and there is such a release: a copy, in a folder that goes with the first value. It must be
/// for the system of that program.
fn in_disguise(
    project: &Project,
    published: &Published,
    app: &str,
    named: Option<&str>,
    stub: PathBuf,
    program: &[u8],
) -> Result<(Option<temporary::Folder>, PathBuf), Error> {
    if !program.starts_with(b"MZ") {
        let same = |program: &Path| ship::check_system(&stub, program);
        return match ship::with_newest_program(project, published, app, named, same) {
            // One for these systems resembles no program, so none need be named.
            Ok(_) | Err(ShipError::WhichProgram(_)) => Ok((None, stub)),
            Err(e) => Err(e.into()),
        };
    }
    let work = temporary::Folder::new()?;
    let copy = work.path().join(stub.file_name().unwrap_or_default());
    fs::copy_with_mode(&stub, &copy, 0o755)?;
    let taken = ship::with_newest_program(project, published, app, named, |program| {
        ship::check_system(&stub, program)?;
        ship::take_face(program, &copy)
    })?;
    let signed = match project.code_signing() {
        Some(signing) => signing.sign(&copy).map_err(ShipError::from)?,
        None => false,
    };
    // Else it has that face already, or there is nobody whom it could resemble.
    let changed = signed || taken == Some(true);
    Ok(if changed {
        (Some(work), copy)
    } else {
        (None, stub)
    })
}
