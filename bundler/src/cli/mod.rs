//! The command line.

mod add;
mod add_stub;
mod again;
mod app;
mod bridge;
mod doctor;
pub mod error;
mod explain;
mod fetch;
mod import;
mod init;
mod keys;
mod list;
mod prune;
mod publish;
mod release;
mod renew;
mod review;
mod role;
mod rollout;
mod serve;
mod ship;
mod sign;
mod status;
mod stub_at_hand;
mod upload;
mod verify;
mod yank;

use crate::keys::Passphrases;
use crate::metadata::{Published, Trust};
use crate::output::Output;
use crate::progress::Progress;
use crate::project::lock::Lock;
use crate::project::{self, Project};
use crate::publish as publication;
use crate::publish::{PublishScope, serve as server};
use crate::release::remove;
use clap::{Parser, Subcommand};
use error::Error;
use notsotuf_stub::fs;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::startup::now;
use serde_json::json;
use std::path::{Path, PathBuf};

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
pub struct Cli {
    /// Folder of the project, with its notsotuf-project.toml; else this one or the nearest above
    #[arg(long, short = 'C', global = true, value_name = "DIR", help_heading = GLOBAL)]
    project: Option<PathBuf>,
    /// Print one JSON object on standard output instead of text
    #[arg(long, global = true, help_heading = GLOBAL)]
    pub json: bool,
    /// A further folder of keys, on another medium say; repeat for several
    #[arg(long = "key-dir", global = true, value_name = "DIR", help_heading = GLOBAL)]
    key_dirs: Vec<PathBuf>,
    /// Show no progress, and no warnings
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    pub quiet: bool,
    /// Say on standard error what is done; twice and three times: more of it
    #[arg(long, short, global = true, action = clap::ArgAction::Count, help_heading = GLOBAL)]
    pub verbose: u8,
    /// Fail, instead of waiting, while another command changes the project
    #[arg(long, global = true, help_heading = GLOBAL)]
    no_wait: bool,
    /// File whose first line is the passphrase of the keys, readable by its owner only
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
    /// Bring here what is published, verified as by a client
    Fetch(fetch::Fetch),
    /// Do all of it: add, publish, upload, verify
    Release(release::Release),
    /// Make the folder that users install: stub, settings, root of trust, app
    Ship(ship::Ship),
    /// List the releases: when, how large, for whom, and where they are published
    List(list::List),
    /// Show roles, keys, versions, expiry dates, and what is pending
    Status(status::Status),
    /// Look for what is wrong with the project, and say what mends it
    Doctor(doctor::Doctor),
    /// Check a whole repository as clients would, old ones and new ones
    Verify(verify::Verify),
    /// Show why a patch is as large as it is, file by file
    Explain(explain::Explain),
    /// Serve the repository on localhost, for trying things out
    Serve(serve::Serve),
    /// Renew expiry dates, and nothing else: for cron
    Renew(renew::Renew),
    /// Give a release to part of the installs (takes effect with the next publish)
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
    /// Take over a repository that another program made
    #[command(subcommand)]
    Import(import::Import),
    /// Make the archive by which clients of PyUpdater become clients of notsotuf
    Bridge(bridge::Bridge),
    /// Print completions for a shell
    #[command(after_help = "\
  notsotuf completions bash > ~/.local/share/bash-completion/completions/notsotuf
  notsotuf completions powershell >> $PROFILE")]
    Completions {
        /// Which shell
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
pub fn run(cli: Cli, output: &Output) -> Result<(), Error> {
    let progress = Progress {
        show: !cli.quiet && !cli.json,
    };
    let passphrases = Passphrases::new(cli.passphrase_file);
    let named = cli.project.as_deref();
    // Where a project is to be.
    let folder = named.unwrap_or(Path::new(".")).to_path_buf();
    let open = || Project::open(&project::find(named)?);
    let _lock = lock(named, &cli.command, &cli.key_dirs, !cli.no_wait)?;
    match cli.command {
        Command::Init(args) => init::init(&folder, args, &cli.key_dirs, &passphrases, output),
        Command::Keys(command) => {
            keys::keys(&open()?, command, &cli.key_dirs, &passphrases, output)
        }
        Command::Sign(args) => sign::sign(&open()?, &args, &cli.key_dirs, &passphrases, output),
        Command::Renew(args) => renew::renew(&open()?, &args, &cli.key_dirs, &passphrases, output),
        Command::Status(args) => status::status(&open()?, &args, &cli.key_dirs, output),
        Command::Doctor(args) => {
            doctor::doctor(&open()?, &args, &cli.key_dirs, &passphrases, output)
        }
        Command::Verify(args) => verify::verify(named, &args, progress, output),
        Command::Add(args) => add::add(&open()?, args.what, &cli.key_dirs, progress, output),
        Command::AddStub(args) => add_stub::add(&open()?, args, progress, output),
        Command::Release(args) => {
            let context = release::Context {
                key_dirs: &cli.key_dirs,
                passphrases: &passphrases,
                progress,
            };
            release::release(&open()?, args, &context, output)
        }
        Command::List(args) => list::list(&open()?, &args, output),
        Command::RemoveLatest(app::App { app }) => {
            let project = open()?;
            let app = project.app(app.as_deref())?;
            let published = Published::load(&project)?;
            let version = remove::remove_latest(&project, &published, app)?;
            let text = format!("removed {app} {version}; `notsotuf publish` makes it so");
            let json = json!({ "app": app, "removed": version.to_string() });
            output.say(text, &json);
            Ok(())
        }
        Command::Rollout(args) => rollout::rollout(&open()?, &args, output),
        Command::Yank(args) => yank::yank(&open()?, &args, output),
        Command::Prune(prune::Prune { keep, app }) => {
            let project = open()?;
            let app = project.app(app.app.as_deref())?;
            let published = Published::load(&project)?;
            let gone = remove::prune(&project, &published, app, keep as usize)?;
            let gone: Vec<String> = gone.iter().map(ToString::to_string).collect();
            let text = match gone.is_empty() {
                true => format!("{app} has nothing older; nothing to do"),
                false => format!(
                    "dropped {app} {}; `notsotuf publish` makes it so",
                    gone.join(", ")
                ),
            };
            output.say(text, &json!({ "app": app, "removed": gone }));
            Ok(())
        }
        Command::Explain(args) => explain::explain(&open()?, &args, progress, output),
        Command::Publish => {
            let project = open()?;
            let keyring = project.keyring(&cli.key_dirs)?;
            let report = publication::publish(
                &project,
                &keyring,
                &passphrases,
                now(),
                PublishScope::Pending,
            )?;
            publish::tell_published(&project, &report, output);
            Ok(())
        }
        Command::Upload(args) => upload::upload(&open()?, &args, progress, output),
        Command::Fetch(args) => fetch::fetch(&open()?, &args, progress, output),
        Command::Ship(args) => ship::ship(&open()?, args, output),
        Command::Import(command) => {
            let context = import::Context {
                folder: &folder,
                key_dirs: &cli.key_dirs,
                passphrases: &passphrases,
                progress,
            };
            import::import(command, &context, output)
        }
        Command::Bridge(args) => bridge::bridge(&open()?, &args, output),
        Command::Completions { shell } => {
            let mut command = <Cli as clap::CommandFactory>::command();
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut command, "notsotuf", &mut script);
            let script = String::from_utf8_lossy(&script);
            let json = json!({ "shell": shell.to_string(), "script": script });
            output.raw(&script, &json);
            Ok(())
        }
        Command::Man { dir } => {
            fs::create_dir_all(&dir)?;
            let command = <Cli as clap::CommandFactory>::command();
            clap_mangen::generate_to(command, &dir)
                .map_err(|e| fs::FsError::new("write manual pages to", &dir, e))?;
            output.say(Lines::new(), &json!({ "dir": dir }));
            Ok(())
        }
        Command::Serve(args) => {
            let folder = match args.dir {
                Some(folder) => folder,
                None => open()?.repository(),
            };
            Ok(server::serve(&folder, args.port, cli.quiet, output)?)
        }
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

/// Locks the project for a command that changes it, and pins its root, if it
/// is from before roots were pinned.
fn lock(
    named: Option<&Path>,
    command: &Command,
    key_dirs: &[PathBuf],
    wait: bool,
) -> Result<Option<Lock>, Error> {
    // That there is no project is said by the command.
    let Ok(folder) = project::find(named) else {
        return Ok(None);
    };
    let lock = match command.changes() {
        Some(name) if folder.join(project::FILE).exists() => {
            Some(Lock::acquire(&folder, name, wait)?)
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
            Trust::pin_first(&project, key_dirs)?;
        }
    }
    Ok(lock)
}

#[cfg(test)]
mod tests;
