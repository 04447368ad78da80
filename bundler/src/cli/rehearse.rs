//! Implements `notsotuf rehearse`.

use super::context::Context;
use super::error::Error;
use super::stub_at_hand;
use crate::metadata::Published;
use crate::project::{Project, ProjectError, parse_duration};
use crate::rehearsal::{RehearsalPlan, RehearsalReport, rehearse};
use crate::ship::{self, ShipError};
use crate::temporary;
use clap::Args;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::fs;
use notsotuf_stub::safe_text::Lines;
use serde_json::json;
use std::path::{Path, PathBuf};
use std::time::Duration;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf rehearse dist/myapp                       # from the newest release of the project
  notsotuf rehearse dist/myapp --from old/myapp      # needs no project
  notsotuf rehearse dist/myapp -- --self-test        # what the application is started with

It takes a project, a server and an install of its own, in a temporary folder: nothing is
published, and the application that you have installed stays as it is. The old bundle is
installed and started, updated to the new one by the real stub, started twice, and taken back.
At each start the application must end with exit code 0, or still be running after the time
of --for, which is longer than the probation; then it is ended. The application runs as you, with
your files: give it a home of its own if it changes them. Installs get the `settings` under
[client] of the project, if there is one, but for where and when updates come. Exit code 1
means that the update would not work; the end of the stub's log says why.")]
pub(super) struct Rehearse {
    /// What PyInstaller made: a folder, or one file
    new: PathBuf,
    /// The bundle that is updated; default: the newest release of the project
    #[arg(long, value_name = "BUNDLE")]
    from: Option<PathBuf>,
    /// Which application, if the project has several
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// The program in the bundle to start; needed if there are several
    #[arg(long, value_name = "PATH")]
    executable: Option<String>,
    /// Try it although `add` takes it only with --force
    #[arg(long)]
    force: bool,
    /// The stub; default: the notsotuf-stub beside this program
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
    /// How long the application may run at each start (longer than its probation)
    #[arg(long = "for", value_name = "TIME", default_value = "15s", value_parser = parse_duration)]
    limit: Duration,
    /// What the application is started with
    #[arg(last = true, value_name = "ARGUMENTS")]
    arguments: Vec<String>,
}

pub(super) fn run(args: Rehearse, context: &Context) -> Result<(), Error> {
    let project = match (context.project(), &args.from) {
        (Ok(project), _) => Some(project),
        (Err(ProjectError::Nowhere(_) | ProjectError::Foreign(_)), Some(_)) => None,
        (Err(e), _) => return Err(e.into()),
    };
    let work = temporary::Folder::new()?;
    let old = match (args.from, &project) {
        (Some(from), _) => from,
        (None, Some(project)) => newest(project, args.app.as_deref(), work.path())?,
        (None, None) => unreachable!("there is a project, or an error"),
    };
    let stub = args.stub.unwrap_or_else(stub_at_hand::beside_this_program);
    let plan = RehearsalPlan {
        old: &old,
        new: &args.new,
        force: args.force,
        stub: &stub,
        executable: args.executable.as_deref(),
        arguments: &args.arguments,
        limit: args.limit,
        project: project.as_ref(),
    };
    let report = rehearse(&plan, context.progress)?;
    tell(&report, context);
    Ok(())
}

/// Unpacks the newest release.
fn newest(project: &Project, app: Option<&str>, work: &Path) -> Result<PathBuf, Error> {
    let app = project.app(app)?;
    let published = Published::load(project)?;
    let folder = work.join("old");
    fs::create_dir_all(&folder)?;
    ship::unpack_newest(project, &published, app, &folder)?
        .ok_or_else(|| ShipError::NoRelease(app.into()))?;
    Ok(folder)
}

fn tell(report: &RehearsalReport, context: &Context) {
    let by = match report.patch {
        Some(size) => format!("a patch of {}", bytes(size)),
        None => "no patch".to_owned(),
    };
    let mut text = Lines::from(format!(
        "the update works: archive of {}, {by}",
        bytes(report.archive)
    ));
    for (bundle, end) in &report.starts {
        text.line(format!("{bundle} version: {end}"));
    }
    let starts: Vec<_> = report
        .starts
        .iter()
        .map(|(bundle, end)| json!({ "version": bundle.to_string(), "exit_code": end.code() }))
        .collect();
    let json = json!({ "archive": report.archive, "patch": report.patch, "starts": starts });
    context.output.say(text, &json);
}
