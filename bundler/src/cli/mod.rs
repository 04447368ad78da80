//! Reads the command line, and runs the command that it names.

mod add;
mod add_stub;
mod again;
mod app;
mod bridge;
mod completions;
mod context;
mod doctor;
pub(crate) mod error;
mod explain;
mod fetch;
mod import;
mod init;
mod keys;
mod list;
mod prune;
mod publish;
mod rehearse;
mod release;
mod remove_latest;
mod renew;
mod review;
mod review_fields;
mod role;
mod rollout;
mod serve;
mod ship;
mod sign;
mod sign_program;
mod status;
mod stub_at_hand;
mod upload;
mod verify;
mod yank;

use crate::keys::Passphrases;
use crate::metadata::{Journal, Trust};
use crate::output::Output;
use crate::progress::Progress;
use crate::project::lock::{Lock, WhenBusy};
use crate::project::{self, Project};
use clap::{CommandFactory, Parser, Subcommand};
use context::Context;
use error::Error;
use notsotuf_stub::fs;
use std::path::PathBuf;

/// The heading of options that every command has, after its own.
const GLOBAL: &str = "Options of every command";

/// Secure updates for applications made with PyInstaller: the release
/// engineer's side.
#[derive(Debug, Parser)]
#[command(
    name = "notsotuf",
    version,
    max_term_width = 100,
    after_help = "\
A project from nothing to the first update:

  notsotuf init --app myapp --url https://example.com/updates
  notsotuf add 1.0 dist/myapp        # the folder that PyInstaller made
  notsotuf publish                   # signs
  notsotuf upload s3://bucket/updates
  notsotuf ship --output MyApp       # what users install
  ...
  notsotuf release 1.1 dist/myapp --to s3://bucket/updates    # add, publish, upload, verify
  notsotuf list                      # users get 1.1 at their next start

Passphrases are read from NOTSOTUF_PASSPHRASE_<KEY>, NOTSOTUF_PASSPHRASE, the
file named with --passphrase-file, or the terminal, in this order.

Exit codes: 0 done; 1 failed; 2 wrong use; 3 something did not verify."
)]
pub(crate) struct Cli {
    /// Folder of the project; default: this folder, or the nearest one above with its settings
    #[arg(long, short = 'C', global = true, value_name = "DIR", help_heading = GLOBAL)]
    project: Option<PathBuf>,
    /// Print one JSON object on standard output instead of text
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// Another folder of keys, for example on a USB stick; repeat for several
    #[arg(long = "key-dir", global = true, value_name = "DIR", help_heading = GLOBAL)]
    key_dirs: Vec<PathBuf>,
    /// Show no progress, and no warnings
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Say on standard error what is done; repeat it for more
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = GLOBAL)]
    pub verbose: u8,
    /// Fail, instead of waiting, while another command changes the project
    #[arg(long, global = true, help_heading = GLOBAL)]
    no_wait: bool,
    /// File with the passphrase of the keys in its first line; readable by its owner only
    #[arg(long, global = true, value_name = "FILE", help_heading = GLOBAL)]
    passphrase_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

/// In the order in which they are used.
#[derive(Debug, Subcommand)]
enum Command {
    /// Start a project: settings, keys, and the root of trust
    Init(init::Init),
    /// Add a release: archive, patch against the release before, both checked
    Add(add::Add),
    /// Sign and write what was added or removed; renew timestamp and snapshot
    Publish,
    /// Copy what is published to where clients fetch it from
    Upload(upload::Upload),
    /// Download what is published, verified as by a client
    Fetch(fetch::Fetch),
    /// Do it all: add, publish, upload, verify
    Release(release::Release),
    /// Make the folder that users install: stub, settings, root of trust, app
    Ship(ship::Ship),
    /// List the releases: when, how large, for whom, and where they are published
    List(list::List),
    /// Show roles, keys, versions, expiry dates, and what is pending
    Status(status::Status),
    /// Find problems of the project, and say how to fix them
    Doctor(doctor::Doctor),
    /// Check a whole repository as clients would, old ones and new ones
    Verify(verify::Verify),
    /// Show why a patch is as large as it is, file by file
    Explain(explain::Explain),
    /// Try an update on this computer, with the real stub, before anybody gets it
    Rehearse(rehearse::Rehearse),
    /// Serve the repository on localhost, for trying things out
    Serve(serve::Serve),
    /// Renew expiry dates, and nothing else: for cron
    Renew(renew::Renew),
    /// Give a release to a share of the installs (takes effect with the next publish)
    Rollout(rollout::Rollout),
    /// Withdraw any release; clients step back (takes effect with the next publish)
    Yank(yank::Yank),
    /// Take back the latest release (takes effect with the next publish)
    RemoveLatest(app::App),
    /// Drop old releases (takes effect with the next publish)
    Prune(prune::Prune),
    /// Add a newer stub, by which installed stubs replace themselves
    AddStub(add_stub::AddStub),
    /// Make and list keys, and change which keys sign what
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Add the signatures of the keys at hand to half-signed metadata
    Sign(sign::Sign),
    /// Sign a program as `ship` does
    #[command(hide = true)]
    SignProgram(sign_program::SignProgram),
    /// Import a repository that another program made
    #[command(subcommand)]
    Import(import::Import),
    /// Make the archive by which clients of PyUpdater become clients of notsotuf
    Bridge(bridge::Bridge),
    /// Print completions for a shell
    #[command(after_help = "\
  notsotuf completions bash > ~/.local/share/bash-completion/completions/notsotuf
  notsotuf completions powershell >> $PROFILE")]
    Completions {
        /// Name of the shell
        shell: clap_complete::Shell,
    },
    /// Write manual pages, one for each command
    Man {
        /// Folder for them
        dir: PathBuf,
    },
}

/// Runs the command.
///
/// # Errors
/// What the command says.
pub(crate) fn run(cli: Cli, output: &Output) -> Result<(), Error> {
    let progress = Progress {
        show: !cli.quiet && !cli.json,
    };
    let context = Context {
        named: cli.project,
        key_dirs: cli.key_dirs,
        passphrases: Passphrases::new(cli.passphrase_file),
        progress,
        quiet: cli.quiet,
        output,
    };
    let when_busy = if cli.no_wait {
        WhenBusy::Refuse
    } else {
        WhenBusy::Wait
    };
    let _lock = lock(&cli.command, &context, when_busy)?;
    dispatch(cli.command, &context)
}

fn dispatch(command: Command, context: &Context) -> Result<(), Error> {
    match command {
        Command::Init(args) => init::run(args, context),
        Command::Add(args) => add::run(args, context),
        Command::Publish => publish::run(context),
        Command::Upload(args) => upload::run(&args, context),
        Command::Fetch(args) => fetch::run(&args, context),
        Command::Release(args) => release::run(args, context),
        Command::Ship(args) => ship::run(args, context),
        Command::List(args) => list::run(&args, context),
        Command::Status(args) => status::run(&args, context),
        Command::Doctor(args) => doctor::run(&args, context),
        Command::Verify(args) => verify::run(&args, context),
        Command::Explain(args) => explain::run(&args, context),
        Command::Rehearse(args) => rehearse::run(args, context),
        Command::Serve(args) => serve::run(args, context),
        Command::Renew(args) => renew::run(&args, context),
        Command::Rollout(args) => rollout::run(&args, context),
        Command::Yank(args) => yank::run(&args, context),
        Command::RemoveLatest(args) => remove_latest::run(&args, context),
        Command::Prune(args) => prune::run(&args, context),
        Command::AddStub(args) => add_stub::run(args, context),
        Command::Keys(command) => keys::run(command, context),
        Command::Sign(args) => sign::run(&args, context),
        Command::SignProgram(args) => sign_program::run(&args, context),
        Command::Import(command) => import::run(command, context),
        Command::Bridge(args) => bridge::run(&args, context),
        Command::Completions { shell } => completions::completions(Cli::command(), shell, context),
        Command::Man { dir } => completions::man(Cli::command(), &dir, context),
    }
}

impl Command {
    /// What it is called, if it changes the project.
    fn changes(&self) -> Option<&'static str> {
        match self {
            Command::Keys(keys::Keys::List)
            | Command::Upload(upload::Upload { dry_run: true, .. }) => None,
            Command::Keys(_) => Some("keys"),
            Command::Sign(_) => Some("sign"),
            Command::Renew(_) => Some("renew"),
            Command::Add(_) => Some("add"),
            Command::AddStub(_) => Some("add-stub"),
            Command::RemoveLatest(_) => Some("remove-latest"),
            Command::Rollout(_) => Some("rollout"),
            Command::Yank(_) => Some("yank"),
            Command::Prune(_) => Some("prune"),
            Command::Publish => Some("publish"),
            Command::Release(_) => Some("release"),
            Command::Upload(_) => Some("upload"),
            Command::Fetch(_) => Some("fetch"),
            Command::Import(_) => Some("import"),
            _ => None,
        }
    }
}

/// Locks the project for a command that changes it, completes a publication
/// that was interrupted, and pins its root, if it is from before roots were
/// pinned.
fn lock(command: &Command, context: &Context, when_busy: WhenBusy) -> Result<Option<Lock>, Error> {
    // That there is no project is said by the command.
    let Ok(folder) = project::find(context.named.as_deref()) else {
        return Ok(None);
    };
    let lock = match command.changes() {
        Some(name) if folder.join(project::FILE).exists() => {
            Some(Lock::acquire(&folder, name, when_busy)?)
        }
        _ => None,
    };
    if lock.is_some() {
        // What commands that were killed left half written.
        fs::sweep(&folder)?;
    }
    let ships = matches!(command, Command::Ship(_) | Command::Bridge(_));
    if lock.is_some() || ships {
        // Whatever is wrong with the settings is said by the command.
        if let Ok(project) = Project::open(&folder) {
            if lock.is_some() {
                Journal::complete(&project)?;
            }
            Trust::pin_first(&project, &context.key_dirs)?;
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests;
