//! Changes who signs what: drafts of the next root, which are signed one by one
//! and published only when enough keys, old and new, have signed.

use super::document::{Document, in_days, next_version, root_file_name};
use super::error::{MetadataError, RootChangeError};
use super::published::{Published, same_signed};
use super::role_keys::{role_keys, signers, signers_of_both};
use crate::keys::{Keyring, Passphrases, PublicKey};
use crate::project::{Project, ROLES};
use notsotuf_stub::fs;
use notsotuf_stub::tuf::metadata::format_time;
use notsotuf_stub::tuf::{Limits, UnixTime};
use serde_json::{Map, Value, json};
use std::path::PathBuf;

/// Makes the first root of a repository, which says who signs each of
/// [`ROLES`], and how many of them must.
///
/// # Errors
/// [`RootChangeError`] if a threshold cannot be met, or what is wrong
/// with a key.
pub(crate) fn first_root(
    roles: &[(Vec<PublicKey>, usize); 4],
    days: u32,
    keyring: &Keyring,
    passphrases: &Passphrases,
    now: UnixTime,
) -> Result<Document, MetadataError> {
    let mut keys = Map::new();
    let mut entries = Map::new();
    for (role, (public, threshold)) in ROLES.iter().zip(roles) {
        if *threshold < 1 || *threshold > public.len() {
            return Err(RootChangeError::Threshold {
                role,
                threshold: *threshold,
                keys: public.len(),
            }
            .into());
        }
        let ids: Vec<String> = public.iter().map(PublicKey::id).collect();
        keys.extend(public.iter().map(|key| (key.id(), key.to_json())));
        entries.insert(
            (*role).into(),
            json!({ "keyids": ids, "threshold": threshold }),
        );
    }
    let mut fields = Map::new();
    // Versioned file names: a client that asks while a release is being
    // published sees the old one or the new one, never half of each.
    fields.insert("consistent_snapshot".into(), true.into());
    fields.insert("keys".into(), keys.into());
    fields.insert("roles".into(), entries.into());
    let mut root = Document::new("root", 1, in_days(now, days), fields);
    root.sign(&signers("root", &root, keyring, passphrases)?)?;
    let (have, need) = root.signatures("root", &root)?;
    if (have as u64) < need {
        let places = keyring.places();
        return Err(RootChangeError::FirstRoot { have, need, places }.into());
    }
    Ok(root)
}

/// Returns the path of the draft of the next root.
pub(super) fn draft_path(project: &Project) -> PathBuf {
    project.pending().join("root.json")
}

/// Returns the draft of the next root, if there is one. One that is published
/// is none any more.
///
/// # Errors
/// If it is malformed, or [`RootChangeError::Stale`].
pub(crate) fn root_draft(
    project: &Project,
    published: &Published,
) -> Result<Option<Document>, MetadataError> {
    let path = draft_path(project);
    let Some(bytes) = fs::read_optional(&path, Limits::default().root)? else {
        return Ok(None);
    };
    let draft = Document::parse(&path, &bytes)?;
    let newest = published.root.version();
    if draft.version() == next_version("root", newest)? {
        return Ok(Some(draft));
    }
    let name = root_file_name(draft.version());
    let mut roots = published.roots();
    match roots.find(|(file, _)| *file == name) {
        // Whoever signed it: a publication was interrupted, or a colleague
        // published it.
        Some((_, bytes)) if same_signed(&path, bytes, &draft.to_bytes())? => Ok(None),
        _ => Err(RootChangeError::Stale {
            version: draft.version(),
            newest,
            path,
        }
        .into()),
    }
}

/// Keeps a root that was published here only as the draft of the next one.
///
/// # Errors
/// If it is malformed, or the file system's.
pub(crate) fn keep_root_draft(project: &Project, bytes: &[u8]) -> Result<(), MetadataError> {
    let path = draft_path(project);
    Document::parse(&path, bytes)?;
    fs::create_dir_all(&project.pending())?;
    Ok(fs::write_atomically(&path, bytes)?)
}

/// Returns the version of the draft of a root, if there is one, whatever it
/// follows from.
///
/// # Errors
/// If it is malformed.
pub(crate) fn root_draft_version(project: &Project) -> Result<Option<u64>, MetadataError> {
    let path = draft_path(project);
    match fs::read_optional(&path, Limits::default().root)? {
        Some(bytes) => Ok(Some(Document::parse(&path, &bytes)?.version())),
        None => Ok(None),
    }
}

/// Returns the same for who only tells of it: the draft, if there is one, or what
/// is wrong with one that cannot be published any more.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn told_root_draft(
    project: &Project,
    published: &Published,
) -> Result<Result<Option<Document>, RootChangeError>, MetadataError> {
    match root_draft(project, published) {
        Ok(draft) => Ok(Ok(draft)),
        Err(MetadataError::Root(stale @ RootChangeError::Stale { .. })) => Ok(Err(stale)),
        Err(e) => Err(e),
    }
}

/// Returns what is wrong with a draft of a root that cannot be published any
/// more, if there is one.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn stale_root_draft(
    project: &Project,
    published: &Published,
) -> Result<Option<RootChangeError>, MetadataError> {
    Ok(told_root_draft(project, published)?.err())
}

/// Names a change to who signs.
#[derive(Debug, Clone)]
pub(crate) enum Change {
    /// Gives a role one more key.
    Add(String, PublicKey),
    /// Puts a key in the place of another, in all roles.
    Replace(PublicKey, PublicKey),
    /// Takes a key away, from one role or from all.
    Revoke(PublicKey, Option<String>),
    /// How many keys of a role must sign.
    Threshold(String, usize),
    /// Only the expiry date.
    Renew,
}

/// Makes changes in the draft of the next root (a new one, if there is
/// none), gives it a new expiry date, and signs it with the keys at hand. All
/// of the changes are kept, or none.
///
/// # Errors
/// [`RootChangeError`] for changes that together leave fewer keys than must
/// sign, or one that changes nothing.
pub(crate) fn change_root(
    project: &Project,
    published: &Published,
    changes: &[Change],
    keyring: &Keyring,
    passphrases: &Passphrases,
    now: UnixTime,
) -> Result<Document, MetadataError> {
    let mut draft = match root_draft(project, published)? {
        Some(draft) => draft,
        None => published.root.clone(),
    };
    let version = next_version("root", published.root.version())?;
    let expires = in_days(now, project.settings.expires_days.root);
    for change in changes {
        apply(&mut draft, change)?;
    }
    let signed = draft.edit();
    signed.insert("version".into(), version.into());
    signed.insert("expires".into(), format_time(expires).into());
    for role in ROLES {
        let keys = role_keys(role, &draft).len() as u64;
        let need = draft.signed()["roles"][role]["threshold"].as_u64();
        if need.is_none_or(|need| need < 1 || need > keys) {
            let need = need.unwrap_or(0);
            return Err(RootChangeError::Unsignable { role, keys, need }.into());
        }
    }
    sign_root(&mut draft, published, keyring, passphrases)?;
    fs::create_dir_all(&project.pending())?;
    fs::write_atomically(&draft_path(project), &draft.to_bytes())?;
    Ok(draft)
}

fn apply(draft: &mut Document, change: &Change) -> Result<(), MetadataError> {
    // Keys are told apart by what they are: ids are whoever made them.
    let id_of = |draft: &Document, role: &str, key: &PublicKey| {
        role_keys(role, draft)
            .into_iter()
            .find(|(_, listed)| {
                let listed = listed.as_ref().map(PublicKey::material);
                listed == Some(key.material())
            })
            .map(|(id, _)| id)
    };
    match change {
        Change::Renew => {}
        Change::Threshold(role, threshold) => {
            draft.edit()["roles"][role]["threshold"] = (*threshold).into();
        }
        Change::Add(role, key) => {
            if id_of(draft, role, key).is_some() {
                return Err(RootChangeError::Listed(role.clone()).into());
            }
            list(draft, role, key);
        }
        Change::Replace(old, new) => {
            let mut found = false;
            for role in ROLES {
                if let Some(id) = id_of(draft, role, old) {
                    found = true;
                    unlist(draft, role, &id);
                    if id_of(draft, role, new).is_none() {
                        list(draft, role, new);
                    }
                }
            }
            if !found {
                return Err(RootChangeError::NothingToReplace.into());
            }
        }
        Change::Revoke(key, only) => {
            let mut found = false;
            for role in ROLES {
                if only.as_deref().is_some_and(|only| only != role) {
                    continue;
                }
                if let Some(id) = id_of(draft, role, key) {
                    found = true;
                    unlist(draft, role, &id);
                }
            }
            if !found {
                return Err(RootChangeError::NothingToRevoke.into());
            }
        }
    }
    drop_unused(draft);
    Ok(())
}

fn list(draft: &mut Document, role: &str, key: &PublicKey) {
    let signed = draft.edit();
    signed["keys"][&key.id()] = key.to_json();
    if let Some(ids) = signed["roles"][role]["keyids"].as_array_mut() {
        ids.push(key.id().into());
    }
}

fn unlist(draft: &mut Document, role: &str, id: &str) {
    if let Some(ids) = draft.edit()["roles"][role]["keyids"].as_array_mut() {
        ids.retain(|listed| listed != id);
    }
}

fn drop_unused(draft: &mut Document) {
    let used: Vec<Value> = ROLES
        .iter()
        .filter_map(|role| draft.signed()["roles"][role]["keyids"].as_array())
        .flatten()
        .cloned()
        .collect();
    if let Some(keys) = draft.edit()["keys"].as_object_mut() {
        keys.retain(|id, _| used.iter().any(|used| used == id));
    }
}

/// Adds the signatures of all keys at hand to the draft of the next root;
/// `None` if there is no draft.
///
/// # Errors
/// What is wrong with a key.
pub(crate) fn sign_root_draft(
    project: &Project,
    published: &Published,
    keyring: &Keyring,
    passphrases: &Passphrases,
) -> Result<Option<Document>, MetadataError> {
    let Some(mut draft) = root_draft(project, published)? else {
        return Ok(None);
    };
    sign_root(&mut draft, published, keyring, passphrases)?;
    fs::write_atomically(&draft_path(project), &draft.to_bytes())?;
    Ok(Some(draft))
}

/// Adds the signatures of all keys at hand, of the old root and of the new.
///
/// # Errors
/// What is wrong with a key.
pub(super) fn sign_root(
    draft: &mut Document,
    published: &Published,
    keyring: &Keyring,
    passphrases: &Passphrases,
) -> Result<(), MetadataError> {
    let all = signers_of_both("root", [&published.root, draft], keyring, passphrases)?;
    draft.sign(&all)
}
