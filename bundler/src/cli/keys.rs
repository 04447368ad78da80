//! The commands about keys, signatures and trust.

use super::init::choose;
use super::{Output, review, tell_published};
use crate::error::Error;
use crate::keys::{self, Info, Keyring, Passphrases, Private, PublicKey};
use crate::metadata::{self, Change, Document, Published, change_root};
use crate::project::{Project, ROLES};
use crate::publish::{self, What};
use crate::release::Pending;
use clap::{Args, Subcommand, ValueEnum};
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::startup::now;
use serde_json::json;
use std::io::IsTerminal;
use std::path::PathBuf;

/// A top-level role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl Role {
    fn name(self) -> &'static str {
        ROLES[self as usize]
    }
}

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Changes of who signs go into a draft of the next root metadata, which must be
signed by as many of the old root keys and of the new ones as their thresholds
ask for. `notsotuf status` shows what is missing, `notsotuf sign root` adds
signatures where more keys are, `notsotuf publish` publishes it once it has all.

Examples:
  notsotuf keys create online-2
  notsotuf keys replace timestamp online-2     # after a theft, say
  notsotuf keys add root dave --threshold 2
  notsotuf keys revoke carol")]
pub enum Keys {
    /// Make an ed25519 key: NAME.pem (private) and NAME.pub in the keystore
    ///
    /// With --key-dir both are made there, and NAME.pub in the keystore too.
    Create {
        /// Name of the key
        name: String,
        /// Without a passphrase
        #[arg(long)]
        plain: bool,
    },
    /// List the keys at hand and the roles they sign
    List,
    /// Give a role one more key
    Add {
        /// The role
        role: Role,
        /// Name of the key; its public half suffices
        name: String,
        /// How many of the role's keys must sign from now on
        #[arg(long, value_name = "N")]
        threshold: Option<usize>,
    },
    /// Put a key in the place of another, in all roles that have that one
    Replace {
        /// The key that goes
        old: String,
        /// The key that comes
        new: String,
    },
    /// Take a key away
    Revoke {
        /// The key that goes
        name: String,
        /// From this role only
        #[arg(long)]
        role: Option<Role>,
        /// How many of the role's keys must sign from now on (needs --role)
        #[arg(long, value_name = "N", requires = "role")]
        threshold: Option<usize>,
    },
    /// Change how many keys of a role must sign
    Threshold {
        /// The role
        role: Role,
        /// That many
        number: usize,
    },
}

#[derive(Debug, Args)]
#[command(after_help = "\
Shows what changes against what is published, keys by name and id, and asks before it
signs. Compare the ids with what you agreed on, not only the names.

Two people who each have one of two root keys:
  alice$ notsotuf keys replace targets targets-2      # 1 of 2 signatures
  alice$ ... hands the project folder on, with .notsotuf-pending
  bob$   notsotuf sign root                           # 2 of 2 signatures
  bob$   notsotuf publish")]
pub struct Sign {
    /// root or targets
    role: Role,
    /// Sign without asking; what changes is shown all the same
    #[arg(long, short)]
    yes: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Without arguments: a fresh timestamp and snapshot (and targets, if half of
their time is over), with the keys at hand.
  17 4 * * *  notsotuf -C /srv/project renew --passphrase-file /etc/notsotuf")]
pub struct Renew {
    /// Renew the root too
    #[arg(long)]
    root: bool,
}

/// `notsotuf keys …`.
pub fn keys(
    project: &Project,
    command: Keys,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
    output: &Output,
) -> Result<(), Error> {
    let keyring = project.keyring(key_dirs)?;
    let public =
        |name: &str| -> Result<PublicKey, Error> { Ok(keyring.named(name)?.public.clone()) };
    let threshold = |role: Role, number: Option<usize>| {
        number.map(|number| Change::Threshold(role.name().into(), number))
    };
    let changes = match command {
        Keys::Create { name, plain } => {
            let passphrase = choose(plain, &name, passphrases)?;
            let keystore = project.keystore();
            let folder = key_dirs.last().unwrap_or(&keystore);
            // With the public half, roles can be given to it without the medium.
            let key = keys::create(folder, &keystore, &name, passphrase.as_deref())?;
            let json = json!({ "name": name, "keyid": key.id(), "folder": folder });
            let text = format!(
                "made the key {name} in {}, id {}",
                folder.display(),
                key.id()
            );
            output.say(text, &json);
            return Ok(());
        }
        Keys::List => return list(project, &keyring, output),
        Keys::Add {
            role,
            name,
            threshold: number,
        } => {
            let mut changes = vec![Change::Add(role.name().into(), public(&name)?)];
            changes.extend(threshold(role, number));
            changes
        }
        Keys::Replace { old, new } => vec![Change::Replace(public(&old)?, public(&new)?)],
        Keys::Revoke {
            name,
            role,
            threshold: number,
        } => {
            let only = role.map(|role| role.name().to_owned());
            let change = Change::Revoke(public(&name)?, only);
            // A lower threshold first, so that the rest can meet it.
            let lower = role.and_then(|role| threshold(role, number));
            lower.into_iter().chain([change]).collect()
        }
        Keys::Threshold { role, number } => vec![Change::Threshold(role.name().into(), number)],
    };
    let published = Published::load(project)?;
    if let Some(earlier) = metadata::root_draft(project, &published)? {
        // It is signed with this change, whoever drafted it.
        let changes = review::root_changes(&published.root, &earlier, &keyring);
        let terminal = std::io::stdin().is_terminal();
        review::confirm("drafted already", &changes, !terminal)?;
    }
    let mut draft = None;
    for change in &changes {
        let made = change_root(project, &published, change, &keyring, passphrases, now())?;
        draft = Some(made);
    }
    if let Some(draft) = draft {
        let changes = review::root_changes(&published.root, &draft, &keyring);
        tell_root(&draft, &published, &changes, output)?;
    }
    Ok(())
}

/// Says how far the draft of a root is.
fn tell_root(
    draft: &Document,
    published: &Published,
    changes: &[String],
    output: &Output,
) -> Result<(), Error> {
    let (old, old_need) = draft.signatures("root", &published.root)?;
    let (new, new_need) = draft.signatures("root", draft)?;
    let ready = old as u64 >= old_need && new as u64 >= new_need;
    let next = if ready {
        "`notsotuf publish` publishes it"
    } else {
        "`notsotuf sign root` adds signatures where more root keys are"
    };
    let mut text = Lines::new();
    for change in changes {
        text.line(change);
    }
    text.line(format!(
        "root {} is drafted: {old} of {old_need} signatures by the old root keys, {new} of \
         {new_need} by the new ones",
        draft.version()
    ));
    text.line(next);
    let json = json!({
        "role": "root", "version": draft.version(), "ready": ready,
        "old": { "have": old, "need": old_need }, "new": { "have": new, "need": new_need },
        "changes": changes,
    });
    output.say(text, &json);
    Ok(())
}

fn list(project: &Project, keyring: &Keyring, output: &Output) -> Result<(), Error> {
    let published = Published::load(project)?;
    let mut text = Lines::new();
    let mut list = Vec::new();
    for Info {
        name,
        public,
        private,
        ..
    } in keyring.keys()
    {
        let state = match private {
            Private::Encrypted(_) => "encrypted",
            Private::Plain(_) => "plain",
            Private::External(_) => "external",
            Private::No => "public only",
        };
        let signs = |role: &&str| {
            let keys = metadata::role_keys(role, &published.root);
            let this = Some(public.material());
            keys.iter()
                .any(|(_, key)| key.as_ref().map(PublicKey::material) == this)
        };
        let roles: Vec<&str> = ROLES.into_iter().filter(signs).collect();
        let id = public.id();
        text.line(format!(
            "{name:12} {state:12} {:20} {}  {}",
            public.scheme(),
            &id[..16],
            roles.join(", ")
        ));
        list.push(json!({
            "name": name, "keyid": id, "scheme": public.scheme(), "private": state, "roles": roles,
        }));
    }
    let unpaired = keyring.unpaired();
    for path in unpaired {
        text.line(format!(
            "{} is encrypted, and of no public key of its name; it is tried for all",
            path.display()
        ));
    }
    if text.as_str().is_empty() {
        text = Lines::from(format!(
            "there are no keys in {}; `notsotuf keys create NAME` makes one, --key-dir names \
             another folder",
            keyring.places()
        ));
    }
    output.say(text, &json!({ "keys": list, "unpaired": unpaired }));
    Ok(())
}

/// `notsotuf sign ROLE`.
pub fn sign(
    project: &Project,
    args: &Sign,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
    output: &Output,
) -> Result<(), Error> {
    let published = Published::load(project)?;
    let keyring = project.keyring(key_dirs)?;
    match args.role {
        Role::Root => {
            let none =
                || metadata::MetadataError::Keys("there is no draft of a root to sign".into());
            let draft = metadata::root_draft(project, &published)?.ok_or_else(none)?;
            let changes = review::root_changes(&published.root, &draft, &keyring);
            review::confirm("what is to be signed", &changes, args.yes)?;
            let draft = metadata::sign_root_draft(project, &published, &keyring, passphrases)?;
            tell_root(&draft.ok_or_else(none)?, &published, &changes, output)
        }
        Role::Targets => {
            let entries = Pending::open(project, &published)?.entries;
            let draft = metadata::targets_draft(project, &published, &entries, now())?;
            let changes = review::targets_changes(published.targets.as_ref(), &draft);
            review::confirm("what is to be signed", &changes, args.yes)?;
            let signed = metadata::sign_targets(
                project,
                &published,
                &entries,
                &keyring,
                passphrases,
                now(),
            )?;
            let (have, need) = signed.signatures("targets", &published.root)?;
            let text = format!(
                "targets {} has {have} of {need} signatures",
                signed.version()
            );
            let json = json!({
                "role": "targets", "version": signed.version(), "have": have, "need": need,
                "changes": changes,
            });
            output.say(text, &json);
            Ok(())
        }
        Role::Snapshot | Role::Timestamp => Err(metadata::MetadataError::Keys(
            "snapshot and timestamp are signed by `notsotuf publish` and `notsotuf renew`".into(),
        )
        .into()),
    }
}

/// `notsotuf renew`.
pub fn renew(
    project: &Project,
    args: &Renew,
    key_dirs: &[PathBuf],
    passphrases: &Passphrases,
    output: &Output,
) -> Result<(), Error> {
    let keyring = project.keyring(key_dirs)?;
    if args.root {
        let published = Published::load(project)?;
        match metadata::root_draft(project, &published)? {
            None => {
                let change = Change::Renew;
                change_root(project, &published, &change, &keyring, passphrases, now())?;
            }
            // From an earlier call that did not come to its end.
            Some(draft) if review::is_renewal(&published.root, &draft) => {}
            // Which would be signed unseen.
            Some(draft) => {
                return Err(metadata::MetadataError::Keys(format!(
                    "root {} is drafted already: `notsotuf sign root` and `notsotuf publish` it first, \
                     or delete it in {:?}",
                    draft.version(),
                    project.pending()
                ))
                .into());
            }
        }
    }
    let report = publish::publish(project, &keyring, passphrases, now(), What::Renewal)?;
    tell_published(project, &report, output);
    Ok(())
}
