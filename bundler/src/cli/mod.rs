//! The command line.

mod add_stub;
mod doctor;
mod fetch;
mod import;
mod init;
mod keys;
mod list;
mod release;
mod review;
mod rollout;
mod upload;
mod verify;

use crate::error::Error;
use crate::keys::Passphrases;
use crate::metadata::limits;
use crate::metadata::{Published, Trust};
use crate::output::Output;
use crate::progress::Progress;
use crate::project::address;
use crate::project::lock::Lock;
use crate::project::{self, Project};
use crate::publish;
use crate::publish::What;
use crate::publish::serve;
use crate::release::remove;
use crate::release::{self as releases, Addition, Pending};
use crate::ship::{self, Order};
use crate::vet::Vetting;
use clap::{Args, Parser, Subcommand};
use notsotuf_stub::fs;
use notsotuf_stub::progress::bytes;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::startup::now;
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

pub use release::AgainError;

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
    Add(Add),
    /// Sign and write what was added or removed; renew timestamp and snapshot
    Publish,
    /// Copy what is published to where clients fetch it from
    Upload(upload::Upload),
    /// Bring here what is published, verified as by a client
    Fetch(fetch::Fetch),
    /// Do all of it: add, publish, upload, verify
    Release(release::Release),
    /// Make the folder that users install: stub, settings, root of trust, app
    Ship(Ship),
    /// List the releases: when, how large, for whom, and where they are published
    List(list::List),
    /// Show roles, keys, versions, expiry dates, and what is pending
    Status(verify::Status),
    /// Look for what is wrong with the project, and say what mends it
    Doctor(doctor::Doctor),
    /// Check a whole repository as clients would, old ones and new ones
    Verify(verify::Verify),
    /// Show why a patch is as large as it is, file by file
    Explain(Explain),
    /// Serve the repository on localhost, for trying things out
    Serve(Serve),
    /// Renew expiry dates, and nothing else: for cron
    Renew(keys::Renew),
    /// Give a release to part of the installs (takes effect with the next publish)
    Rollout(rollout::Rollout),
    /// Withdraw any release; clients step back (takes effect with the next publish)
    Yank(rollout::Yank),
    /// Take back the latest release (takes effect with the next publish)
    RemoveLatest(App),
    /// Drop old releases (takes effect with the next publish)
    Prune(Prune),
    /// Add a newer stub, by which installed stubs replace themselves
    AddStub(add_stub::AddStub),
    /// Make and list keys, and change which keys sign what
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Add the signatures of the keys at hand to half-signed metadata
    Sign(keys::Sign),
    /// Take over a repository that another program made
    #[command(subcommand)]
    Import(import::Import),
    /// Make the archive by which clients of PyUpdater become clients of notsotuf
    Bridge(import::Bridge),
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

#[derive(Debug, Args)]
#[command(after_help = "\
Keeps the newest final releases, all that are newer than the oldest of them, and
all that were added with --required. Clients with an older version take the
full archive. Clients of tufup, which do not look for gaps, may fail once before they
do: keep enough for them.

  notsotuf prune --keep 10
  notsotuf publish")]
struct Prune {
    /// How many final releases stay
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: u32,
    #[command(flatten)]
    app: App,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Compares the archive of VERSION with that of the release before it, as `add` did. The
bytes of a file are what its part takes compressed by itself, so the sum is a little
more than the patch.

  notsotuf explain 1.1
  notsotuf --json explain 1.1 --all")]
struct Explain {
    /// Version that the patch leads to
    version: Version,
    /// List every file, not only the twenty that take most
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    app: App,
}

#[derive(Debug, Args)]
struct App {
    /// Which application, if the project has several
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf add 1.0 dist/myapp
  notsotuf add 1.1rc1 dist/myapp            # seen by the channels rc, b and a
  notsotuf add 2.0 dist/myapp --required    # no client skips this one
  notsotuf add 2.1 dist/myapp --meta '{\"notes\": \"Faster start\"}'
  notsotuf add 1.4.1 dist/myapp             # a bug fix while 2.0b1 is out

A number is used once: what was published or withdrawn needs a higher one. The bundle is
looked at first: private keys, the project itself and what `ship` makes of the same
application are never released; what is likely a mistake (no program, another folder, names
that Windows refuses) needs --force.")]
struct Add {
    #[command(flatten)]
    what: Addable,
}

/// What is added, and how.
#[derive(Debug, Args)]
struct Addable {
    /// Version, by PEP 440; newer than the latest one that is as final
    #[arg(value_parser = parse_version)]
    version: Version,
    /// What PyInstaller made: a folder, or one file
    bundle: PathBuf,
    #[command(flatten)]
    app: App,
    /// Clients install this release before any later one
    #[arg(long)]
    required: bool,
    /// JSON object for the application's own use, kept in the metadata
    #[arg(long, value_name = "JSON", value_parser = parse_meta)]
    meta: Option<Map<String, Value>>,
    /// Make no patch
    #[arg(long)]
    skip_patch: bool,
    /// Do without a patch that takes longer than this to make: 90s, 15m, 2h
    #[arg(long, value_name = "TIME", default_value = "15m", value_parser = parse_budget)]
    patch_budget: Duration,
    /// Add what does not look like a bundle, or a number that was published and nobody has
    #[arg(long)]
    force: bool,
    /// Older stubs than this do not install it, and say so
    #[arg(long, value_name = "VERSION")]
    min_stub: Option<Version>,
    /// Part of the installs that get it at first; see `notsotuf rollout`
    #[arg(long, value_name = "PERCENT", default_value = "100%", value_parser = rollout::parse_percent)]
    rollout: u64,
    /// File with what is new, in Markdown; kept in the metadata, so keep it short
    #[arg(long, value_name = "FILE")]
    notes: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf ship --output MyApp
  notsotuf ship --output MyApp --executable myapp --version 1.0
  notsotuf ship --output MyApp --stub target/x86_64-pc-windows-gnu/release/notsotuf-stub.exe")]
struct Ship {
    /// The folder to make
    #[arg(long, short, value_name = "DIR")]
    output: PathBuf,
    #[command(flatten)]
    app: App,
    /// Which release; else the newest final one
    #[arg(long, value_name = "VERSION")]
    version: Option<Version>,
    /// The program in the bundle to start; needed if there are several
    #[arg(long, value_name = "PATH")]
    executable: Option<String>,
    /// What users start: the stub's file name; else that of the program
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What users know the application as, for messages; else its name here
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// The stub; else the notsotuf-stub beside this program
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
    /// Where the repository is published; else the url of the settings
    #[arg(long, value_name = "URL", value_parser = address::check)]
    url: Option<String>,
}

#[derive(Debug, Args)]
struct Serve {
    /// Port; 0 takes a free one and prints it
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Folder to serve; else the repository of the project
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

/// People swap the two arguments.
fn parse_version(text: &str) -> Result<Version, String> {
    text.parse().map_err(|_| {
        let path = text.contains(['/', '\\']) || Path::new(text).exists();
        let what = if path {
            "that is a path"
        } else {
            "that is no version by PEP 440"
        };
        format!(
            "{what}; the version, such as 1.0 or 2.0b1, comes first, and then the bundle: \
             notsotuf add 1.0 dist/myapp"
        )
    })
}

fn parse_budget(text: &str) -> Result<Duration, String> {
    let wrong = || "a number and s, m or h, such as 15m".to_owned();
    let unit = match text.chars().last() {
        Some('s') => 1,
        Some('m') => 60,
        Some('h') => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    let seconds = number.checked_mul(unit).ok_or_else(wrong)?;
    Ok(Duration::from_secs(seconds))
}

fn parse_meta(text: &str) -> Result<Map<String, Value>, String> {
    // Metadata is signed in canonical form, which has no such numbers.
    match notsotuf_stub::tuf::canonical_json::parse(text.as_bytes()) {
        Ok(Value::Object(_)) if text.len() as u64 > limits::PER_RELEASE => Err(format!(
            "it has {} bytes; since all clients fetch that of all releases, at most {} are taken: \
             put more into a file of the bundle, or on a web page",
            text.len(),
            limits::PER_RELEASE
        )),
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err("it must be a JSON object".into()),
        Err(e) => Err(e.to_string()),
    }
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
        Command::Sign(args) => keys::sign(&open()?, &args, &cli.key_dirs, &passphrases, output),
        Command::Renew(args) => keys::renew(&open()?, &args, &cli.key_dirs, &passphrases, output),
        Command::Status(args) => verify::status(&open()?, &args, &cli.key_dirs, output),
        Command::Doctor(args) => {
            doctor::doctor(&open()?, &args, &cli.key_dirs, &passphrases, output)
        }
        Command::Verify(args) => verify::verify(named, &args, progress, output),
        Command::Add(args) => add(&open()?, args.what, &cli.key_dirs, progress, output),
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
        Command::RemoveLatest(App { app }) => {
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
        Command::Yank(args) => rollout::yank(&open()?, &args, output),
        Command::Prune(Prune { keep, app }) => {
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
        Command::Explain(args) => explain(&open()?, &args, progress, output),
        Command::Publish => {
            let project = open()?;
            let keyring = project.keyring(&cli.key_dirs)?;
            let report = publish::publish(&project, &keyring, &passphrases, now(), What::Pending)?;
            tell_published(&project, &report, output);
            Ok(())
        }
        Command::Upload(args) => upload::upload(&open()?, &args, progress, output),
        Command::Fetch(args) => fetch::fetch(&open()?, &args, progress, output),
        Command::Ship(args) => ship(&open()?, args, output),
        Command::Import(command) => {
            let context = import::Context {
                folder: &folder,
                key_dirs: &cli.key_dirs,
                passphrases: &passphrases,
                progress,
            };
            import::import(command, &context, output)
        }
        Command::Bridge(args) => import::bridge(&open()?, &args, output),
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
            serve::serve(&folder, args.port, cli.quiet, output)
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

/// All clients fetch the notes of all releases, so they are bounded.
fn read_notes(path: &Path) -> Result<String, Error> {
    let wrong = |reason: String| Error::Notes {
        path: path.into(),
        reason,
    };
    let file = match std::fs::metadata(path) {
        Ok(found) => found,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
            return Err(wrong(
                "are not there: is the path right, seen from here?".into(),
            ));
        }
        Err(e) => return Err(wrong(format!("cannot be read: {e}"))),
    };
    if file.len() > limits::PER_RELEASE {
        return Err(wrong(format!(
            "have {} bytes; since all clients fetch those of all releases, at most {} are taken: \
             shorten them, and link to the rest",
            file.len(),
            limits::PER_RELEASE
        )));
    }
    let bytes = fs::read_optional(path, limits::PER_RELEASE)?.unwrap_or_default();
    String::from_utf8(bytes).map_err(|_| wrong("are not UTF-8: save them in that encoding".into()))
}

fn add(
    project: &Project,
    args: Addable,
    key_dirs: &[PathBuf],
    progress: Progress,
    output: &Output,
) -> Result<(), Error> {
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(project)?;
    let notes = match &args.notes {
        Some(path) => Some(read_notes(path)?),
        None => None,
    };
    if let Some(wanted) = &args.min_stub {
        let pending = Pending::open(project, &published)?;
        releases::check_stub(&pending, app, wanted, add_stub::at_hand())?;
    }
    let addition = Addition {
        app,
        version: args.version.clone(),
        bundle: &args.bundle,
        required: args.required,
        meta: args.meta.unwrap_or_default(),
        skip_patch: args.skip_patch,
        stub: args.min_stub,
        rollout: args.rollout,
        notes,
        budget: args.patch_budget,
        vetting: match args.force {
            true => Vetting::Forced { key_dirs },
            false => Vetting::Checked { key_dirs },
        },
    };
    let added = releases::add(project, &published, &addition, progress)?;
    let (archive, size) = &added.archive;
    let mut text = Lines::from(format!("{archive}  {}", bytes(*size)));
    let mut json = json!({
        "app": app,
        "version": args.version.to_string(),
        "archive": { "path": archive, "size": size },
        "patch": null,
        "warnings": added.warnings,
    });
    for warning in &added.warnings {
        text.line(format!("warning: {warning}"));
    }
    if let Some((patch, size, summary)) = &added.patch {
        let from = added
            .from
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        let mut line = format!("{patch}  {} from {from}", bytes(*size));
        json["patch"] = json!({ "path": patch, "size": size, "from": from });
        if let Some(summary) = summary {
            line.push_str(&format!(": {summary}"));
            json["patch"]["files"] = json!({
                "kept": summary.kept, "changed": summary.changed, "moved": summary.moved,
                "new": summary.new, "removed": summary.removed,
            });
        }
        text.line(line);
    }
    if let Some(why) = added.no_patch {
        text.line(format!("no patch: {why}"));
        json["no_patch"] = why.into();
    }
    text.line("added; next: `notsotuf publish`, which signs it");
    output.say(text, &json);
    Ok(())
}

/// What brings to clients what is signed.
fn next_upload(project: &Project) -> &'static str {
    match project.settings.upload {
        Some(_) => "`notsotuf upload`",
        None => "`notsotuf upload DESTINATION` (or set `upload` in the settings)",
    }
}

fn tell_published(project: &Project, report: &publish::Report, output: &Output) {
    let mut text = Lines::new();
    for path in &report.added {
        text.line(format!("+ {path}"));
    }
    for path in &report.removed {
        text.line(format!("- {path}"));
    }
    let versions = &report.update.versions;
    let list: Vec<_> = versions
        .iter()
        .map(|(role, v)| format!("{role} {v}"))
        .collect();
    text.line(format!(
        "wrote {} to {}",
        list.join(", "),
        project.repository().display(),
    ));
    text.line(format!("signed; next: {}", next_upload(project)));
    if let Some(warning) = &report.warning {
        text.line(format!("warning: {warning}"));
    }
    let warnings: Vec<&String> = report.warning.iter().collect();
    let json = json!({
        "added": report.added, "removed": report.removed, "versions": versions,
        "warnings": warnings,
    });
    output.say(text, &json);
}

fn ship(project: &Project, args: Ship, output: &Output) -> Result<(), Error> {
    let order = Order {
        app: project.app(args.app.app.as_deref())?,
        version: args.version,
        stub: &args.stub.unwrap_or_else(add_stub::beside_this_program),
        executable: args.executable.as_deref(),
        name: args.name.as_deref(),
        title: args.title.as_deref(),
        url: args.url.as_deref(),
        output: &args.output,
    };
    let shipped = ship::ship(project, &order)?;
    let program = shipped.program.display().to_string();
    let text = format!("{program} starts version {}", shipped.version);
    let json = json!({ "program": program, "version": shipped.version.to_string() });
    output.say(text, &json);
    Ok(())
}

fn explain(
    project: &Project,
    args: &Explain,
    progress: Progress,
    output: &Output,
) -> Result<(), Error> {
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(project)?;
    let explained = releases::explain(project, &published, app, &args.version, progress)?;
    let mut parts = explained.parts;
    parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then(a.path.cmp(&b.path)));
    let mut text = Lines::from(format!(
        "{app} {} from {}: {}",
        args.version, explained.from, explained.summary
    ));
    let shown = if args.all {
        parts.len()
    } else {
        parts.len().min(20)
    };
    for part in &parts[..shown] {
        let of = bytes(part.size);
        let (takes, what, path) = (bytes(part.bytes), part.what, &part.path);
        text.line(format!("{takes:>10}  {what:<8} {path} ({of})"));
    }
    let rest = &parts[shown..];
    if !rest.is_empty() {
        let sum = bytes(rest.iter().map(|part| part.bytes).sum());
        text.line(format!("{sum:>10}  {} more", rest.len()));
    }
    let list: Vec<Value> = parts
        .iter()
        .map(|part| json!({ "path": part.path, "what": part.what, "bytes": part.bytes, "size": part.size }))
        .collect();
    let json = json!({ "app": app, "version": args.version.to_string(), "from": explained.from.to_string(), "files": list });
    output.say(text, &json);
    Ok(())
}

#[cfg(test)]
mod tests;
