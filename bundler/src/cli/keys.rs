//! Implements `notsotuf keys`.

use super::context::Context;
use super::error::Error;
use super::init::choose;
use super::review;
use super::role::Role;
use super::sign::tell_root;
use crate::keys::{self, KeyError, KeyFolders, KeyInfo, Keyring, NewKey, Private, PublicKey};
use crate::metadata::{self, Change, Published, change_root};
use crate::output::Output;
use crate::project::places::{is_published, resolved};
use crate::project::{Project, ROLES, version_control};
use clap::Subcommand;
use notsotuf_stub::clock::now;
use notsotuf_stub::safe_text::Lines;
use serde_json::json;
use std::io::IsTerminal;

#[derive(Debug, Subcommand)]
#[command(after_help = "\
Changes to who signs go into a draft of the next root metadata. It needs signatures by as
many of the old root keys, and of the new ones, as their thresholds require. `notsotuf
status` shows what is missing, `notsotuf sign root` adds signatures where more keys are, and
`notsotuf publish` publishes the draft once it has all of them.

Examples:
  notsotuf keys create online-2
  notsotuf keys replace timestamp online-2     # after a theft, say
  notsotuf keys add root dave --threshold 2
  notsotuf keys revoke carol")]
pub(super) enum Keys {
    /// Make an ed25519 key: NAME.pem (private) and NAME.pub in the keystore
    ///
    /// With --key-dir both are made there, and NAME.pub in the keystore too.
    Create {
        /// Name of the key
        name: String,
        /// Make the key without a passphrase
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
    /// Replace a key by another, in all roles that have it
    Replace {
        /// Key to replace
        old: String,
        /// The new key
        new: String,
    },
    /// Revoke a key
    Revoke {
        /// Key to revoke
        name: String,
        /// Revoke it from this role only
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
        /// Number of signatures required
        number: usize,
    },
}

/// Runs `notsotuf keys …`.
pub(super) fn run(command: Keys, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let keyring = context.keyring(project)?;
    let public =
        |name: &str| -> Result<PublicKey, Error> { Ok(keyring.named(name)?.public.clone()) };
    let threshold = |role: Role, number: Option<usize>| {
        number.map(|number| Change::Threshold(role.name().into(), number))
    };
    let changes = match command {
        Keys::Create { name, plain } => return create(project, &name, plain, context),
        Keys::List => return list(project, &keyring, context.output),
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
            let lower = role.and_then(|role| threshold(role, number));
            [change].into_iter().chain(lower).collect()
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
    let draft = change_root(
        project,
        &published,
        &changes,
        &keyring,
        &context.passphrases,
        now(),
    )?;
    let changes = review::root_changes(&published.root, &draft, &keyring);
    tell_root(&draft, &published, &changes, context.output)
}

fn create(project: &Project, name: &str, plain: bool, context: &Context) -> Result<(), Error> {
    let keystore = project.keystore();
    let folder = context.key_dirs.last().unwrap_or(&keystore);
    if is_published(project, folder) {
        let folder = folder.clone();
        return Err(KeyError::Published { folder }.into());
    }
    let passphrase = choose(plain, name, &context.passphrases)?;
    let folders = KeyFolders {
        key: folder,
        keystore: &keystore,
    };
    // Before the key is there. What `init` wrote for the keystore is not
    // written again: somebody may have taken it away on purpose.
    let is_keystore = resolved(folder) == resolved(&keystore);
    let [private, _] = NewKey::paths(name, folder);
    let ignored = version_control::of_keys(project, folder, &[&private]);
    version_control::write(ignored.into_iter().filter(|_| !is_keystore).collect())?;
    let key = keys::create(name, passphrase.as_deref(), folders)?;
    let json = json!({ "name": name, "keyid": key.id(), "folder": folder });
    let text = format!(
        "made the key {name} in {}, id {}",
        folder.display(),
        key.id()
    );
    context.output.say(text, &json);
    Ok(())
}

fn list(project: &Project, keyring: &Keyring, output: &Output) -> Result<(), Error> {
    let published = Published::load(project)?;
    let mut text = Lines::new();
    let mut list = Vec::new();
    for KeyInfo {
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
            Private::Absent => "public only",
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
            "{} is encrypted, and no public key of that name is beside it; it is tried for every \
             key",
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
