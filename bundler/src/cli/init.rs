//! Implements `notsotuf init`.

use super::context::Context;
use super::error::Error;
use crate::keys::{External, KeyError, Keyring, NewKey, Passphrases, PublicKey};
use crate::metadata::{self, PIN, Published, Trust};
use crate::project::new_project::{self, NewFile};
use crate::project::{
    self, PatchFormat, Project, PyUpdaterName, Template, address, version_control,
};
use clap::{Args, FromArgMatches};
use notsotuf_stub::clock::now;
use notsotuf_stub::fs;
use notsotuf_stub::safe_text::Lines;
use rayon::prelude::*;
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  notsotuf init --app myapp --url https://example.com/updates
  notsotuf init --app myapp --url github:me/myapp
  notsotuf init --app myapp-windows-x86_64 --app myapp-linux-x86_64 --plain
  notsotuf init --app myapp --root-keys alice,bob,carol --root-threshold 2
  notsotuf init --app myapp --root-keys hsm --signer 'hsm=./sign-with-hsm --slot 1'

Keys that are already in the keystore are used as they are. So you can collect the keys of
several people there before you run `init` (their .pub files suffice for all but the root's
threshold), and the public key of a key in hardware, too: with --signer, no root key needs
to be a file.

If it is interrupted, run it again: a project exists with all its files, or not at all.")]
pub(super) struct Init {
    /// Name of an application; repeat for several
    #[arg(long = "app", required = true, value_name = "NAME")]
    apps: Vec<String>,
    /// Where the repository folder will be published, as clients fetch it: https://…
    ///
    /// github:OWNER/REPOSITORY stands for the addresses that `upload` there belongs to, and
    /// sets `upload`, too.
    #[arg(long, value_name = "URL", value_parser = address::check_new)]
    url: Option<String>,
    /// Name by which users know the application; asked for at a terminal
    #[arg(long, value_name = "TITLE")]
    title: Option<String>,
    /// Make keys without passphrases
    #[arg(long)]
    plain: bool,
    /// A key that signs through a program (HSM, KMS, YubiKey); repeat for several
    ///
    /// NAME.pub, its public key, is in the folder of the keys; a path of another file may stand
    /// for NAME. COMMAND is run in the project's folder, gets the payload on standard input, and
    /// writes the signature to standard output. It goes into the settings, under `[[signers]]`.
    #[arg(long = "signer", value_name = "KEY=COMMAND", value_parser = parse_signer)]
    signers: Vec<(String, Vec<String>)>,
    /// Folder of the keys
    #[arg(long, default_value = "keystore", value_name = "DIR")]
    keystore: PathBuf,
    /// Folder of the repository
    #[arg(long, default_value = "repository", value_name = "DIR")]
    repository: PathBuf,
    /// Names of the keys of root, which says who signs what; separated by commas
    #[arg(
        long,
        default_value = "root",
        value_delimiter = ',',
        value_name = "KEYS"
    )]
    root_keys: Vec<String>,
    /// Names of the keys of targets, which lists the releases; separated by commas
    #[arg(
        long,
        default_value = "targets",
        value_delimiter = ',',
        value_name = "KEYS",
        hide_short_help = true
    )]
    targets_keys: Vec<String>,
    /// Names of the keys of snapshot; separated by commas
    #[arg(
        long,
        default_value = "snapshot",
        value_delimiter = ',',
        value_name = "KEYS",
        hide_short_help = true
    )]
    snapshot_keys: Vec<String>,
    /// Names of the keys of timestamp, which is renewed most often; separated by commas
    #[arg(
        long,
        default_value = "timestamp",
        value_delimiter = ',',
        value_name = "KEYS",
        hide_short_help = true
    )]
    timestamp_keys: Vec<String>,
    /// How many keys of root must sign
    #[arg(long, default_value_t = 1, value_name = "N")]
    root_threshold: usize,
    /// How many keys of targets must sign
    #[arg(long, default_value_t = 1, value_name = "N", hide_short_help = true)]
    targets_threshold: usize,
    /// How many keys of snapshot must sign
    #[arg(long, default_value_t = 1, value_name = "N", hide_short_help = true)]
    snapshot_threshold: usize,
    /// How many keys of timestamp must sign
    #[arg(long, default_value_t = 1, value_name = "N", hide_short_help = true)]
    timestamp_threshold: usize,
    /// Days until the metadata of root expires
    #[arg(long, default_value_t = 365, value_name = "DAYS")]
    root_days: u32,
    /// Days until the metadata of targets expires
    #[arg(
        long,
        default_value_t = 180,
        value_name = "DAYS",
        hide_short_help = true
    )]
    targets_days: u32,
    /// Days until the metadata of snapshot expires
    #[arg(
        long,
        default_value_t = 30,
        value_name = "DAYS",
        hide_short_help = true
    )]
    snapshot_days: u32,
    /// Days until the metadata of timestamp expires
    #[arg(
        long,
        default_value_t = 14,
        value_name = "DAYS",
        hide_short_help = true
    )]
    timestamp_days: u32,
}

impl Init {
    /// Returns these arguments as the command line gives them if it says only
    /// this.
    pub(super) fn plainly(apps: &[String], url: Option<&str>, plain: bool) -> Self {
        let mut arguments = vec!["init".to_owned()];
        arguments.extend(apps.iter().map(|app| format!("--app={app}")));
        arguments.extend(url.map(|url| format!("--url={url}")));
        arguments.extend(plain.then(|| "--plain".into()));
        let command = Self::augment_args(clap::Command::new("init"));
        let matches = command.get_matches_from(arguments);
        Self::from_arg_matches(&matches).expect("these are its arguments")
    }

    /// The keys of each role, and how many of them must sign.
    fn roles(&self) -> [(&[String], usize); 4] {
        [
            (&self.root_keys, self.root_threshold),
            (&self.targets_keys, self.targets_threshold),
            (&self.snapshot_keys, self.snapshot_threshold),
            (&self.timestamp_keys, self.timestamp_threshold),
        ]
    }
}

/// `NAME=COMMAND`, with quotes as in a shell.
fn parse_signer(text: &str) -> Result<(String, Vec<String>), String> {
    const FORM: &str = "expected KEY=COMMAND, such as hsm=./sign-with-hsm";
    let (key, command) = text.split_once('=').ok_or(FORM)?;
    let command = words(command)?;
    if key.trim().is_empty() || command.is_empty() {
        return Err(FORM.into());
    }
    Ok((key.trim().into(), command))
}

/// The words of a command. Only quotes are special: a backslash is part of
/// paths on Windows.
fn words(text: &str) -> Result<Vec<String>, String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    for c in text.chars() {
        match (c, quote) {
            (c, Some(open)) if c == open => quote = None,
            ('\'' | '"', None) => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (' ' | '\t', None) => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote in it is not closed".into());
    }
    words.extend(word);
    Ok(words)
}

/// The public key of a signer: the file that is named, or that of a name.
fn signer((key, command): &(String, Vec<String>), keystore: &Path) -> External {
    let named = key.contains(['/', '\\']) || key.ends_with(".pub");
    External {
        key: if named {
            key.into()
        } else {
            keystore.join(format!("{key}.pub"))
        },
        command: command.clone(),
        folder: PathBuf::new(),
    }
}

/// Runs `notsotuf init`.
pub(super) fn run(mut args: Init, context: &Context) -> Result<(), Error> {
    let folder = context.folder();
    new_project::clear_up(folder)?;
    // Before anything is asked.
    project::planned(folder, &template(&args, BTreeMap::new()))?;
    if let ([app], None, false) = (&args.apps[..], &args.title, context.output.is_json()) {
        args.title = ask_title(app)?;
    }
    let (template, made) = create(
        folder,
        &args,
        BTreeMap::new(),
        &context.key_dirs,
        &context.passphrases,
    )?;
    let keys = if made.keys.is_empty() {
        "those that were there".into()
    } else {
        format!("made {}", made.keys.join(", "))
    };
    let mut text = Lines::from(format!("started a project in {}", folder.display()));
    let (keystore, repository) = (template.keystore.display(), template.repository.display());
    text.line(format!("  settings    {}", project::FILE));
    text.line(format!("  keys        {keystore} ({keys})"));
    text.line(format!("  repository  {repository}"));
    text.line(format!(
        "Put {PIN} under version control, outside of what is published: notsotuf accepts nothing \
         from the repository that does not follow from it. {} Keep a copy of them in a safe \
         place: without the root keys, nobody can ever change the others.",
        tell_ignored(&template.keystore, made.ignored.as_deref())
    ));
    text.line("Next: `notsotuf add VERSION BUNDLE`");
    let json = json!({
        "apps": template.apps, "keys_made": made.keys, "keys_ignored_by": made.ignored,
    });
    context.output.say(text, &json);
    Ok(())
}

/// Asks for the title at a terminal.
fn ask_title(app: &str) -> Result<Option<String>, Error> {
    let input = std::io::stdin();
    let mut out = std::io::stderr();
    if !input.is_terminal() || !out.is_terminal() {
        return Ok(None);
    }
    let mut line = String::new();
    let asked = write!(
        out,
        "By what name do users know the application? (Enter: {app}): "
    )
    .and_then(|()| out.flush())
    .and_then(|()| input.read_line(&mut line));
    asked.map_err(|e| fs::FsError::new("read from", Path::new("the terminal"), e))?;
    let title = line.trim();
    Ok((!title.is_empty() && title != app).then(|| title.to_owned()))
}

fn template(args: &Init, pyupdater: BTreeMap<String, PyUpdaterName>) -> Template {
    let signers = args.signers.iter();
    Template {
        apps: args.apps.clone(),
        url: args.url.clone(),
        title: args.title.clone(),
        signers: signers.map(|it| signer(it, &args.keystore)).collect(),
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
    }
}

/// Makes a project with its keys and its first root. Whatever goes wrong, there is nothing of
/// it then.
pub(super) fn create(
    folder: &Path,
    args: &Init,
    pyupdater: BTreeMap<String, PyUpdaterName>,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
) -> Result<(Template, Made), Error> {
    new_project::clear_up(folder)?;
    let template = template(args, pyupdater);
    let (project, settings) = project::planned(folder, &template)?;
    // Signers run there.
    let new_folder = !template.signers.is_empty() && !folder.exists();
    if new_folder {
        fs::create_dir_all(folder)?;
    }
    let made = start(&project, args, &settings, key_dirs, passphrases);
    if made.is_err() && new_folder {
        fs::remove_tree_if_exists(folder)?;
    }
    Ok((template, made?))
}

/// What a project was made of.
pub(super) struct Made {
    /// Names of the new keys.
    keys: Vec<String>,
    /// The `.gitignore` that keeps private keys out of version control.
    ignored: Option<PathBuf>,
}

/// Makes the keys that are missing and the first root, and writes all that a
/// project has.
fn start(
    project: &Project,
    args: &Init,
    settings: &str,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
) -> Result<Made, Error> {
    let mut keyring = project.keyring(key_dirs)?;
    let new = make_keys(project, args, &mut keyring, passphrases)?;
    let mut roles = [const { (Vec::new(), 0) }; 4];
    for (role, (names, threshold)) in roles.iter_mut().zip(args.roles()) {
        let keys: Result<Vec<PublicKey>, Error> = names
            .iter()
            .map(|name| Ok(keyring.named(name)?.public.clone()))
            .collect();
        *role = (keys?, threshold);
    }
    let days = project.settings.expires_days.root;
    let root = metadata::first_root(&roles, days, &keyring, passphrases, now())?.to_bytes();
    let mut files = Vec::new();
    for key in &new {
        let [private, public] = NewKey::paths(&key.name, &project.keystore());
        files.push(NewFile::secret(private, key.private_text.as_bytes()));
        files.push(NewFile::open(public, key.public_text.as_bytes()));
    }
    for name in ["root.json", "1.root.json"] {
        files.push(NewFile::open(project.metadata().join(name), &root[..]));
    }
    files.push(NewFile::open(project.root().join(PIN), &root[..]));
    let there = keyring.private_files();
    let keys = version_control::of_keys(project, &project.keystore(), &there);
    let ignored = keys.as_ref().map(|keys| keys.file.clone());
    let all = keys.into_iter().chain([version_control::of_work(project)]);
    for (path, text) in version_control::texts(all.collect())? {
        if path.exists() {
            // Lines that do no harm, if the rest fails: what is there is not
            // taken back.
            fs::write_atomically(&path, text.as_bytes())?;
        } else {
            files.push(NewFile::open(path, text));
        }
    }
    // The last one, which makes it a project.
    let path = project.root().join(project::FILE);
    files.push(NewFile::open(path, settings));
    new_project::write(project.root(), &files)?;
    fs::create_dir_all(&project.targets())?;
    let published = Published::from_folder(&project.metadata(), Some(&root))?;
    Trust::remember_published(project, &published)?;
    Ok(Made {
        keys: new.into_iter().map(|key| key.name).collect(),
        ignored,
    })
}

/// The keys that are named and not there. All questions come first: the cost
/// of encrypting is felt.
fn make_keys(
    project: &Project,
    args: &Init,
    keyring: &mut Keyring,
    passphrases: &Passphrases,
) -> Result<Vec<NewKey>, Error> {
    let mut wanted: Vec<(String, Option<String>)> = Vec::new();
    for name in args.roles().into_iter().flat_map(|(names, _)| names) {
        if keyring.named(name).is_ok() || wanted.iter().any(|(known, _)| known == name) {
            continue;
        }
        let [private, _] = NewKey::paths(name, &project.keystore());
        if private.exists() {
            return Err(KeyError::Exists { path: private }.into());
        }
        wanted.push((name.clone(), choose(args.plain, name, passphrases)?));
    }
    let made: Result<Vec<NewKey>, KeyError> = wanted
        .par_iter()
        .map(|(name, passphrase)| NewKey::generate(name, passphrase.as_deref()))
        .collect();
    let made = made?;
    for key in &made {
        let [private, _] = NewKey::paths(&key.name, &project.keystore());
        keyring.insert(key, private);
    }
    Ok(made)
}

/// What is said of private keys and version control.
pub(super) fn tell_ignored(keystore: &Path, ignored: Option<&Path>) -> String {
    match ignored {
        Some(file) => format!(
            "Private keys stay out of version control ({} sees to that).",
            file.display()
        ),
        None => format!(
            "Keep private keys out of version control: {} is outside of the project, and no \
             .gitignore sees to that.",
            keystore.display()
        ),
    }
}

/// Returns the passphrase of a new key; `None` if the key should have none.
pub(super) fn choose(
    plain: bool,
    name: &str,
    passphrases: &Passphrases,
) -> Result<Option<String>, Error> {
    Ok(if plain {
        None
    } else {
        Some(passphrases.choose(name)?)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signers_are_a_key_and_a_command() {
        let parsed = parse_signer("hsm=./sign --pin 'a b' \"\"").unwrap();
        assert_eq!(parsed.0, "hsm");
        assert_eq!(parsed.1, ["./sign", "--pin", "a b", ""]);
        assert_eq!(parse_signer("a=b=c").unwrap().1, ["b=c"]);
        for bad in ["hsm", "hsm=", "=x", "hsm= ", "hsm='x"] {
            assert!(parse_signer(bad).is_err(), "{bad}");
        }
        let key = |key: &str| signer(&(key.into(), Vec::new()), Path::new("keys")).key;
        assert_eq!(key("hsm"), Path::new("keys/hsm.pub"));
        assert_eq!(key("hsm.pub"), Path::new("hsm.pub"));
        assert_eq!(key("media/hsm.pub"), Path::new("media/hsm.pub"));
    }
}
