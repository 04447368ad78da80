//! `notsotuf init`.

use super::Output;
use crate::error::Error;
use crate::keys::{self, Passphrases, PublicKey};
use crate::metadata::{self, PIN, Published, Trust};
use crate::project::{self, InPyUpdater, PatchFormat, Project, Template};
use clap::{Args, FromArgMatches};
use notsotuf_stub::fs;
use notsotuf_stub::launcher::now;
use notsotuf_stub::safe_text::Lines;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf init --app myapp --url https://example.com/updates
  notsotuf init --app myapp-windows-x86_64 --app myapp-linux-x86_64 --plain
  notsotuf init --app myapp --root-keys alice,bob,carol --root-threshold 2

Keys that are in the keystore already are used as they are, so keys of
several people can be gathered there (their .pub files suffice for all but
the root's threshold) before `init`.")]
pub struct Init {
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

impl Init {
    /// What the command line says if it says only this.
    pub fn plainly(apps: &[String], url: Option<&str>, plain: bool) -> Self {
        let mut arguments = vec!["init".to_owned()];
        arguments.extend(apps.iter().map(|app| format!("--app={app}")));
        arguments.extend(url.map(|url| format!("--url={url}")));
        arguments.extend(plain.then(|| "--plain".into()));
        let command = Self::augment_args(clap::Command::new("init"));
        let matches = command.get_matches_from(arguments);
        Self::from_arg_matches(&matches).expect("these are its arguments")
    }
}

/// `notsotuf init`.
pub fn init(
    folder: &Path,
    args: Init,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
    output: &Output,
) -> Result<(), Error> {
    let (template, made) = create(folder, &args, BTreeMap::new(), key_dirs, passphrases)?;
    let keys = if made.is_empty() {
        "those that were there".into()
    } else {
        format!("made {}", made.join(", "))
    };
    let mut text = Lines::from(format!("started a project in {}", folder.display()));
    let (keystore, repository) = (template.keystore.display(), template.repository.display());
    text.line(format!("  settings    {}", project::FILE));
    text.line(format!("  keys        {keystore} ({keys})"));
    text.line(format!("  repository  {repository}"));
    text.line(format!(
        "Put {PIN} under version control, outside of what is published: nothing is taken from \
         the repository that it does not lead to. Keep a copy of the keys in a safe place: \
         without the root keys, nobody can ever change the others."
    ));
    text.line("Next: notsotuf add VERSION BUNDLE");
    output.say(text, &json!({ "apps": template.apps, "keys_made": made }));
    Ok(())
}

/// Makes a project with its keys and its first root; returns what it was made
/// of and the names of the new keys.
pub fn create(
    folder: &Path,
    args: &Init,
    pyupdater: BTreeMap<String, InPyUpdater>,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
) -> Result<(Template, Vec<String>), Error> {
    let template = Template {
        apps: args.apps.clone(),
        url: args.url.clone(),
        expires_days: [
            args.root_days,
            args.targets_days,
            args.snapshot_days,
            args.timestamp_days,
        ],
        keystore: args.keystore.clone(),
        repository: args.repository.clone(),
        archive_suffix: ".tar.gz".into(),
        patch_format: PatchFormat::default(),
        pyupdater,
    };
    let project = project::create(folder, &template)?;
    match start(&project, args, key_dirs, passphrases) {
        Ok(made) => Ok((template, made)),
        Err(e) => {
            // So that it can be called again.
            fs::remove_file(&folder.join(project::FILE))?;
            Err(e)
        }
    }
}
/// Makes the keys that are missing and writes the first root; returns the
/// names of the new keys.
fn start(
    project: &Project,
    args: &Init,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
) -> Result<Vec<String>, Error> {
    let names = [
        &args.root_keys,
        &args.targets_keys,
        &args.snapshot_keys,
        &args.timestamp_keys,
    ];
    let thresholds = [
        args.root_threshold,
        args.targets_threshold,
        args.snapshot_threshold,
        args.timestamp_threshold,
    ];
    let path = project.metadata().join("1.root.json");
    if path.exists() {
        return Err(project::ProjectError::Exists(path).into());
    }
    let mut made: Vec<String> = Vec::new();
    let known = project.keyring(key_dirs)?;
    for name in names.into_iter().flatten() {
        if known.named(name).is_ok() || made.contains(name) {
            continue;
        }
        let passphrase = choose(args.plain, name, passphrases)?;
        keys::create(
            &project.keystore(),
            &project.keystore(),
            name,
            passphrase.as_deref(),
        )?;
        made.push(name.clone());
    }
    let keyring = project.keyring(key_dirs)?;
    let public = |names: &Vec<String>| -> Result<Vec<PublicKey>, Error> {
        let key = |name: &String| Ok(keyring.named(name)?.public.clone());
        names.iter().map(key).collect()
    };
    let mut roles = [const { (Vec::new(), 0) }; 4];
    for (index, role) in roles.iter_mut().enumerate() {
        *role = (public(names[index])?, thresholds[index]);
    }
    let days = project.settings.expires_days.root;
    let root = metadata::first_root(&roles, days, &keyring, passphrases, now())?;
    fs::create_dir_all(&project.metadata())?;
    fs::create_dir_all(&project.targets())?;
    fs::write_atomically(&project.metadata().join("root.json"), &root.to_bytes())?;
    fs::write_atomically(&path, &root.to_bytes())?;
    let published = Published::from_folder(&project.metadata(), Some(&root.to_bytes()))?;
    Trust::remember_published(project, &published)?;
    Ok(made)
}

/// The passphrase of a new key; none if it is to be plain.
pub fn choose(plain: bool, name: &str, passphrases: &Passphrases) -> Result<Option<String>, Error> {
    Ok(if plain {
        None
    } else {
        Some(passphrases.choose(name)?)
    })
}
