//! The command line.

use crate::error::Error;
use crate::keys::Passphrases;
use crate::metadata::{self, Published};
use crate::progress::Progress;
use crate::project::{self, Project, ROLES, Template};
use crate::release::{self, Addition};
use crate::ship::{self, Order};
use crate::{publish, serve};
use clap::{Args, Parser, Subcommand};
use notsotuf_stub::fs;
use notsotuf_stub::launcher::now;
use notsotuf_stub::report::bytes;
use pep440_rs::Version;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

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
  notsotuf publish                   # then copy repository/ to the web server
  notsotuf ship --output MyApp       # what users install
  ...
  notsotuf add 1.1 dist/myapp
  notsotuf publish                   # users get 1.1 at their next start

Passphrases are read from NOTSOTUF_PASSPHRASE_<KEY>, NOTSOTUF_PASSPHRASE, the
file named with --passphrase-file, or the terminal, in this order.

Exit codes: 0 done; 1 failed; 2 wrong use; 3 something did not verify."
)]
pub struct Cli {
    /// Folder of the project, with its notsotuf-project.toml
    #[arg(
        long,
        short = 'C',
        global = true,
        default_value = ".",
        value_name = "DIR"
    )]
    project: PathBuf,
    /// Print one JSON object on standard output instead of text
    #[arg(long, global = true)]
    pub json: bool,
    /// Show no progress
    #[arg(long, short, global = true)]
    quiet: bool,
    /// File whose first line is the passphrase of the keys
    #[arg(long, global = true, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a project: settings, keys, and the root of trust
    Init(Init),
    /// Make and list keys
    #[command(subcommand)]
    Keys(Keys),
    /// Add a release: archive, patch against the release before, both checked
    Add(Add),
    /// Take back the latest release (takes effect with the next publish)
    RemoveLatest(App),
    /// Sign and write what was added or removed; renew timestamp and snapshot
    Publish,
    /// Make the folder that users install: stub, settings, root of trust, app
    Ship(Ship),
    /// Serve the repository on localhost, for trying things out
    Serve(Serve),
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
  notsotuf init --app myapp --url https://example.com/updates
  notsotuf init --app myapp-windows-x86_64 --app myapp-linux-x86_64 --plain
  notsotuf init --app myapp --root-keys alice,bob,carol --root-threshold 2

Keys that are in the keystore already are used as they are, so keys of
several people can be gathered there (their .pub files suffice for all but
the root's threshold) before `init`.")]
struct Init {
    /// Name of an application; repeat for several
    #[arg(long = "app", required = true, value_name = "NAME")]
    apps: Vec<String>,
    /// Where the repository folder will be published
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Make keys without passphrases
    #[arg(long)]
    plain: bool,
    /// Folder of the keys
    #[arg(long, default_value = "keystore", value_name = "DIR")]
    keystore: PathBuf,
    /// Folder of the repository
    #[arg(long, default_value = "repository", value_name = "DIR")]
    repository: PathBuf,
    /// Names of the keys of each role, separated by commas
    #[arg(
        long,
        default_value = "root",
        value_delimiter = ',',
        value_name = "KEYS"
    )]
    root_keys: Vec<String>,
    #[arg(
        long,
        default_value = "targets",
        value_delimiter = ',',
        value_name = "KEYS",
        hide_short_help = true
    )]
    targets_keys: Vec<String>,
    #[arg(
        long,
        default_value = "snapshot",
        value_delimiter = ',',
        value_name = "KEYS",
        hide_short_help = true
    )]
    snapshot_keys: Vec<String>,
    #[arg(
        long,
        default_value = "timestamp",
        value_delimiter = ',',
        value_name = "KEYS",
        hide_short_help = true
    )]
    timestamp_keys: Vec<String>,
    /// How many keys of each role must sign
    #[arg(long, default_value_t = 1, value_name = "N")]
    root_threshold: usize,
    #[arg(long, default_value_t = 1, value_name = "N", hide_short_help = true)]
    targets_threshold: usize,
    #[arg(long, default_value_t = 1, value_name = "N", hide_short_help = true)]
    snapshot_threshold: usize,
    #[arg(long, default_value_t = 1, value_name = "N", hide_short_help = true)]
    timestamp_threshold: usize,
    /// Days until the metadata of each role expires
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    root_days: u32,
    #[arg(
        long,
        default_value_t = 180,
        value_name = "DAYS",
        hide_short_help = true
    )]
    targets_days: u32,
    #[arg(
        long,
        default_value_t = 30,
        value_name = "DAYS",
        hide_short_help = true
    )]
    snapshot_days: u32,
    #[arg(
        long,
        default_value_t = 14,
        value_name = "DAYS",
        hide_short_help = true
    )]
    timestamp_days: u32,
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Make an ed25519 key: NAME.pem (private) and NAME.pub in the keystore
    Create {
        /// Name of the key
        name: String,
        /// Without a passphrase
        #[arg(long)]
        plain: bool,
    },
    /// List the keys in the keystore
    List,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf add 1.0 dist/myapp
  notsotuf add 1.1rc1 dist/myapp            # seen by the channels rc, b and a
  notsotuf add 2.0 dist/myapp --required    # no client skips this one
  notsotuf add 2.1 dist/myapp --meta '{\"notes\": \"Faster start\"}'")]
struct Add {
    /// Version, by PEP 440; newer than the latest
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
    /// The stub; else the notsotuf-stub beside this program
    #[arg(long, value_name = "FILE")]
    stub: Option<PathBuf>,
    /// Where the repository is published; else the url of the settings
    #[arg(long, value_name = "URL")]
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

fn parse_meta(text: &str) -> Result<Map<String, Value>, String> {
    // Metadata is signed in canonical form, which has no such numbers.
    match notsotuf_stub::tuf::json::parse(text.as_bytes()) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err("it must be a JSON object".into()),
        Err(e) => Err(e.to_string()),
    }
}

/// Says what was done, as text or as JSON.
struct Output {
    json: bool,
}

impl Output {
    fn say(&self, text: &str, json: &Value) {
        if self.json {
            println!("{json}");
        } else if !text.is_empty() {
            println!("{}", text.trim_end());
        }
    }
}

/// Runs the command.
///
/// # Errors
/// What the command says.
pub fn run(cli: Cli) -> Result<(), Error> {
    let output = Output { json: cli.json };
    let progress = Progress {
        show: !cli.quiet && !cli.json,
    };
    let passphrases = Passphrases::new(cli.passphrase_file);
    let folder = cli.project;
    let open = || Project::open(&folder);
    match cli.command {
        Command::Init(args) => init(&folder, args, &passphrases, &output),
        Command::Keys(Keys::Create { name, plain }) => {
            let passphrase = if plain {
                None
            } else {
                Some(passphrases.choose(&name)?)
            };
            let key = open()?.keystore().create(&name, passphrase.as_deref())?;
            let json = json!({ "name": name, "keyid": key.id() });
            output.say(&format!("made the key {name}, id {}", key.id()), &json);
            Ok(())
        }
        Command::Keys(Keys::List) => list_keys(&open()?, &output),
        Command::Add(args) => add(&open()?, args, progress, &output),
        Command::RemoveLatest(App { app }) => {
            let project = open()?;
            let app = project.app(app.as_deref())?;
            let published = Published::load(&project.metadata())?;
            let version = release::remove_latest(&project, &published, app)?;
            let text = format!("removed {app} {version}; `notsotuf publish` makes it so");
            let json = json!({ "app": app, "removed": version.to_string() });
            output.say(&text, &json);
            Ok(())
        }
        Command::Publish => publish(&open()?, &passphrases, &output),
        Command::Ship(args) => ship(&open()?, args, &output),
        Command::Serve(args) => {
            let folder = match args.dir {
                Some(folder) => folder,
                None => open()?.repository(),
            };
            serve::serve(&folder, args.port, cli.quiet)
        }
    }
}

fn init(
    folder: &Path,
    args: Init,
    passphrases: &Passphrases,
    output: &Output,
) -> Result<(), Error> {
    let template = Template {
        apps: args.apps,
        url: args.url,
        keys: [
            args.root_keys,
            args.targets_keys,
            args.snapshot_keys,
            args.timestamp_keys,
        ],
        thresholds: [
            args.root_threshold,
            args.targets_threshold,
            args.snapshot_threshold,
            args.timestamp_threshold,
        ],
        expires_days: [
            args.root_days,
            args.targets_days,
            args.snapshot_days,
            args.timestamp_days,
        ],
        keystore: args.keystore,
        repository: args.repository,
    };
    let project = project::create(folder, &template)?;
    match first_root(&project, &template, args.plain, passphrases) {
        Ok(made) => {
            let text = format!(
                "started a project in {}\n  settings    {}\n  keys        {} ({})\n  repository  {}\n\
                 Keep a copy of the keys in a safe place: without the root keys, nobody can ever \
                 change the others.\nNext: notsotuf add VERSION BUNDLE",
                folder.display(),
                project::FILE,
                template.keystore.display(),
                if made.is_empty() {
                    "those that were there".into()
                } else {
                    format!("made {}", made.join(", "))
                },
                template.repository.display(),
            );
            output.say(&text, &json!({ "apps": template.apps, "keys_made": made }));
            Ok(())
        }
        Err(e) => {
            // So that `init` can be called again.
            fs::remove_file(&folder.join(project::FILE))?;
            Err(e)
        }
    }
}

/// Makes the keys that are missing and writes the first root; returns the
/// names of the new keys.
fn first_root(
    project: &Project,
    template: &Template,
    plain: bool,
    passphrases: &Passphrases,
) -> Result<Vec<String>, Error> {
    let keystore = project.keystore();
    let mut made: Vec<String> = Vec::new();
    let known: Vec<String> = keystore.list()?.into_iter().map(|key| key.name).collect();
    for name in template.keys.iter().flatten() {
        if known.contains(name) || made.contains(name) {
            continue;
        }
        let passphrase = if plain {
            None
        } else {
            Some(passphrases.choose(name)?)
        };
        keystore.create(name, passphrase.as_deref())?;
        made.push(name.clone());
    }
    let roles = &project.settings.roles;
    let root = metadata::first_root(roles, &keystore, passphrases, now())?;
    metadata::check_root(&root)?;
    fs::create_dir_all(&project.metadata())?;
    fs::create_dir_all(&project.targets())?;
    let path = project.metadata().join("1.root.json");
    if path.exists() {
        return Err(project::ProjectError::Exists(path).into());
    }
    fs::write_atomically(&path, &root.to_bytes())?;
    Ok(made)
}

fn list_keys(project: &Project, output: &Output) -> Result<(), Error> {
    let roles_of = |name: &String| -> Vec<&str> {
        let named = |role: &&str| project.settings.roles.get(role).keys.contains(name);
        ROLES.into_iter().filter(named).collect()
    };
    let mut text = String::new();
    let mut list = Vec::new();
    for key in project.keystore().list()? {
        let state = match key.encrypted {
            Some(true) => "encrypted",
            Some(false) => "plain",
            None => "public only",
        };
        let roles = roles_of(&key.name);
        let id = key.public.id();
        text.push_str(&format!(
            "{:12} {:12} {}  {}\n",
            key.name,
            state,
            &id[..16],
            roles.join(", ")
        ));
        list.push(json!({
            "name": key.name, "keyid": id, "private": state, "roles": roles,
        }));
    }
    if text.is_empty() {
        text = "there are no keys".into();
    }
    output.say(&text, &json!({ "keys": list }));
    Ok(())
}

fn add(project: &Project, args: Add, progress: Progress, output: &Output) -> Result<(), Error> {
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(&project.metadata())?;
    let addition = Addition {
        app,
        version: args.version.clone(),
        bundle: &args.bundle,
        required: args.required,
        meta: args.meta.unwrap_or_default(),
        skip_patch: args.skip_patch,
    };
    let added = release::add(project, &published, &addition, progress)?;
    let (archive, size) = &added.archive;
    let mut text = format!("{archive}  {}\n", bytes(*size));
    let mut json = json!({
        "app": app,
        "version": args.version.to_string(),
        "archive": { "path": archive, "size": size },
        "patch": null,
    });
    if let Some((patch, size, summary)) = &added.patch {
        let from = added
            .from
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        text.push_str(&format!(
            "{patch}  {} from {from}: {} files kept, {} changed, {} moved, {} new, {} removed\n",
            bytes(*size),
            summary.kept,
            summary.changed,
            summary.moved,
            summary.new,
            summary.removed
        ));
        json["patch"] = json!({
            "path": patch, "size": size, "from": from, "kept": summary.kept,
            "changed": summary.changed, "moved": summary.moved, "new": summary.new,
            "removed": summary.removed,
        });
    }
    if let Some(why) = added.no_patch {
        text.push_str(&format!("no patch: {why}\n"));
        json["no_patch"] = why.into();
    }
    text.push_str("`notsotuf publish` signs and publishes it");
    output.say(&text, &json);
    Ok(())
}

fn publish(project: &Project, passphrases: &Passphrases, output: &Output) -> Result<(), Error> {
    let report = publish::publish(project, passphrases, now())?;
    let mut text = String::new();
    for path in &report.added {
        text.push_str(&format!("+ {path}\n"));
    }
    for path in &report.removed {
        text.push_str(&format!("- {path}\n"));
    }
    let versions = &report.update.versions;
    let list: Vec<_> = versions
        .iter()
        .map(|(role, v)| format!("{role} {v}"))
        .collect();
    text.push_str(&format!(
        "published {} in {}",
        list.join(", "),
        project.repository().display()
    ));
    let json = json!({
        "added": report.added, "removed": report.removed, "versions": versions,
    });
    output.say(&text, &json);
    Ok(())
}

fn ship(project: &Project, args: Ship, output: &Output) -> Result<(), Error> {
    let beside = std::env::current_exe().ok().and_then(|program| {
        let name = format!("notsotuf-stub{}", std::env::consts::EXE_SUFFIX);
        Some(program.parent()?.join(name))
    });
    let order = Order {
        app: project.app(args.app.app.as_deref())?,
        version: args.version,
        stub: &args
            .stub
            .or(beside)
            .unwrap_or_else(|| "notsotuf-stub".into()),
        executable: args.executable.as_deref(),
        name: args.name.as_deref(),
        url: args.url.as_deref(),
        output: &args.output,
    };
    let shipped = ship::ship(project, &order)?;
    let program = shipped.program.display().to_string();
    let text = format!("{program} starts version {}", shipped.version);
    let json = json!({ "program": program, "version": shipped.version.to_string() });
    output.say(&text, &json);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn meta_is_an_object_that_can_be_signed() {
        assert!(parse_meta(r#"{"notes": "x", "n": 1}"#).is_ok());
        for bad in ["[]", "{\"x\": 1.5}", "{\"a\":1,\"a\":2}", "{"] {
            assert!(parse_meta(bad).is_err(), "{bad}");
        }
    }
}
