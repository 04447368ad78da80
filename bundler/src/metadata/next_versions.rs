//! Makes the next metadata of the roles below root.

use super::document::{DAY, Document, file_name, in_days, next_version, root_file_name};
use super::error::MetadataError;
use super::limits;
use super::published::Published;
use super::role_keys::{key_names, signers, signers_of_both};
use super::root_change::{self, root_draft};
use crate::keys::{Keyring, Passphrases};
use crate::project::Project;
use notsotuf_stub::fs;
use notsotuf_stub::hex::sha256_hex;
use notsotuf_stub::tuf::UnixTime;
use notsotuf_stub::tuf::metadata::format_time;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Holds new metadata, signed and not written yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct Update {
    /// Files in the order in which they must be written.
    pub files: Vec<(String, Vec<u8>)>,
    /// The versions of the roles that change.
    pub versions: BTreeMap<&'static str, u64>,
    /// Why targets was not renewed, though it should be, or what that took
    /// away.
    pub targets_note: Option<String>,
}

/// Says what is to be made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// The targets.
    pub entries: &'a Map<String, Value>,
    /// Whether the drafted root comes with it, if there is one.
    pub drafted_root: bool,
    /// Whether only expiry dates are to change, so that targets may stay as it
    /// is while its keys are not at hand.
    pub only_renews: bool,
}

impl Update {
    fn push(&mut self, role: &'static str, document: &Document, consistent: bool) {
        self.versions.insert(role, document.version());
        let name = file_name(role, document.version(), consistent);
        self.files.push((name, document.to_bytes()));
    }
}

/// Makes the metadata that is wanted: a root, if one was drafted; new targets
/// if the entries changed, half of their time is over, or their keys changed;
/// always a new snapshot and timestamp.
///
/// # Errors
/// [`MetadataError::HalfSigned`] if signatures are missing; what was signed
/// is kept for others to add theirs.
pub(crate) fn update(
    project: &Project,
    published: &Published,
    wanted: Wanted,
    keyring: &Keyring,
    passphrases: &Passphrases,
    now: UnixTime,
) -> Result<Update, MetadataError> {
    let consistent = published.consistent_snapshot();
    let days = &project.settings.expires_days;
    let mut update = Update::default();
    let root = if wanted.drafted_root {
        next_root(project, published)?
    } else {
        published.root.clone()
    };
    let signing = Signing {
        old: &published.root,
        new: &root,
        keyring,
        passphrases,
        only_renews: wanted.only_renews,
    };
    let (targets, targets_file) =
        signing.targets(project, published, wanted.entries, now, &mut update)?;
    let mut fields = meta("targets", &targets, &targets_file);
    keep_delegated(published, &mut fields);
    let expires = in_days(now, days.snapshot);
    let snapshot = next(published.snapshot.as_ref(), "snapshot", expires, fields)?;
    let snapshot = signing.sign("snapshot", snapshot, None)?;
    update.push("snapshot", &snapshot, consistent);
    let expires = in_days(now, days.timestamp);
    let fields = meta("snapshot", &snapshot, &snapshot.to_bytes());
    let timestamp = next(published.timestamp.as_ref(), "timestamp", expires, fields)?;
    let timestamp = signing.sign("timestamp", timestamp, None)?;
    let below = [&timestamp, &snapshot, &targets];
    push_last(&mut update, &published.root, &root, below, consistent)?;
    Ok(update)
}

/// Puts the timestamp last, and a new root beside it.
fn push_last(
    update: &mut Update,
    old_root: &Document,
    root: &Document,
    [timestamp, snapshot, targets]: [&Document; 3],
    consistent: bool,
) -> Result<(), MetadataError> {
    if root.version() <= old_root.version() {
        update.push("timestamp", timestamp, consistent);
        return Ok(());
    }
    // Signed by the keys of both roots, the rest suits clients that have
    // not seen the new one yet; else clients see a new root that fits
    // first, which is the lesser evil.
    let both = timestamp.is_signed("timestamp", old_root)?
        && snapshot.is_signed("snapshot", old_root)?
        && targets.is_signed("targets", old_root)?;
    if !both {
        push_root(update, root);
    }
    update.push("timestamp", timestamp, consistent);
    if both {
        push_root(update, root);
    }
    Ok(())
}

/// Delegated roles that the snapshot lists stay listed.
fn keep_delegated(published: &Published, fields: &mut Map<String, Value>) {
    if let Some(Value::Object(old)) = published.snapshot.as_ref().map(|s| &s.signed()["meta"]) {
        for (file, entry) in old.iter().filter(|(file, _)| *file != "targets.json") {
            fields["meta"][file] = entry.clone();
        }
    }
}

/// Returns the root whose keys sign what is published next: the drafted one, if
/// there is one.
///
/// # Errors
/// [`MetadataError::HalfSigned`] if the draft misses signatures.
pub(crate) fn next_root(
    project: &Project,
    published: &Published,
) -> Result<Document, MetadataError> {
    // Signed by those who saw what changes (`keys`, `sign root`), not in passing.
    let Some(draft) = root_draft(project, published)? else {
        return Ok(published.root.clone());
    };
    let path = root_change::draft_path(project);
    require("root", &draft, &published.root, &path, RootIs::Previous)?;
    require("root", &draft, &draft, &path, RootIs::Current)?;
    Ok(draft)
}

/// Returns the root whose keys sign targets now: the drafted one, if it has all of
/// its signatures, else the published one.
///
/// # Errors
/// If the draft is malformed.
pub(crate) fn signing_root(
    project: &Project,
    published: &Published,
) -> Result<Document, MetadataError> {
    match next_root(project, published) {
        Err(MetadataError::HalfSigned { .. }) => Ok(published.root.clone()),
        root => root,
    }
}

/// What snapshot or timestamp say of the file of `role`: with length and hash,
/// clients refuse another file before they read it.
fn meta(role: &str, document: &Document, file: &[u8]) -> Map<String, Value> {
    let entry = json!({
        "version": document.version(),
        "length": file.len(),
        "hashes": { "sha256": sha256_hex(file) },
    });
    Map::from_iter([("meta".into(), json!({ format!("{role}.json"): entry }))])
}

fn push_root(update: &mut Update, root: &Document) {
    update.versions.insert("root", root.version());
    let name = root_file_name(root.version());
    update.files.push((name, root.to_bytes()));
    // For those who start new clients from the repository, as tufup does.
    update.files.push(("root.json".into(), root.to_bytes()));
}

struct Signing<'a> {
    old: &'a Document,
    new: &'a Document,
    keyring: &'a Keyring,
    passphrases: &'a Passphrases,
    only_renews: bool,
}

impl Signing<'_> {
    /// Returns the targets metadata that the snapshot lists, and its file: what
    /// is published, if that is for these targets and lasts, else a new one.
    fn targets(
        &self,
        project: &Project,
        published: &Published,
        entries: &Map<String, Value>,
        now: UnixTime,
        update: &mut Update,
    ) -> Result<(Document, Vec<u8>), MetadataError> {
        let mut old = published.targets.as_ref().zip(published.file("targets"));
        if let Some((targets, _)) = old
            && (published.target_entries() != *entries
                || !targets.is_signed("targets", self.new)?)
        {
            old = None;
        }
        if let Some((targets, file)) = old.filter(|(t, _)| !renewal_is_due(project, t, now)) {
            return Ok((targets.clone(), file.to_vec()));
        }
        let old = old.filter(|(t, _)| self.only_renews && t.expires() > now);
        let theirs = self.other_draft(project, published, entries, now)?;
        let signed = match (&theirs, old) {
            // The draft would be of a version that is published then.
            (Some(draft), Some(_)) => Err(MetadataError::DraftWaits {
                version: draft.version(),
                path: draft_path(project),
            }),
            _ => next_targets(project, published, entries, now).and_then(|targets| {
                let path = draft_path(project);
                self.sign("targets", targets, Some(&path).filter(|_| theirs.is_none()))
            }),
        };
        match (signed, old) {
            (Ok(targets), _) => {
                update.targets_note = theirs.map(|draft| {
                    format!(
                        "what is published had expired and was renewed, so that what was signed \
                         of targets {} with what is pending counts no more: sign it again",
                        draft.version()
                    )
                });
                update.push("targets", &targets, published.consistent_snapshot());
                let file = targets.to_bytes();
                Ok((targets, file))
            }
            (Err(e), Some((targets, file))) if e.is_want_of_keys() => {
                let days = (targets.expires() - now) / DAY;
                update.targets_note = Some(format!(
                    "targets is not renewed, and what is published is valid for {days} more days: {e}"
                ));
                Ok((targets.clone(), file.to_vec()))
            }
            (Err(e), _) => Err(e),
        }
    }

    /// Returns what somebody has signed for other targets than a renewal is
    /// for, which that must not write over.
    fn other_draft(
        &self,
        project: &Project,
        published: &Published,
        entries: &Map<String, Value>,
        now: UnixTime,
    ) -> Result<Option<Document>, MetadataError> {
        match current_draft(project, published, now)? {
            Some(draft)
                if self.only_renews
                    && draft.signed()["targets"].as_object() != Some(entries)
                    && draft.signatures("targets", self.new)?.0 > 0 =>
            {
                Ok(Some(draft))
            }
            _ => Ok(None),
        }
    }

    /// Adds the signatures of all keys at hand, also of those that the old
    /// root gives the role. If they are too few, the document is kept at
    /// `draft`.
    fn sign(
        &self,
        role: &str,
        mut document: Document,
        draft: Option<&PathBuf>,
    ) -> Result<Document, MetadataError> {
        let mut all = signers(role, self.new, self.keyring, self.passphrases)?;
        if self.new != self.old {
            let known: Vec<String> = all.iter().map(|(id, _)| id.clone()).collect();
            let old = signers(role, self.old, self.keyring, self.passphrases)?;
            all.extend(old.into_iter().filter(|(id, _)| !known.contains(id)));
        }
        document.sign(&all)?;
        let (have, need) = document.signatures(role, self.new)?;
        if have as u64 >= need {
            return Ok(document);
        }
        // A renewal that nobody has signed is nothing to hand on.
        let Some(path) = draft.filter(|_| have > 0 || !self.only_renews) else {
            // Nobody else adds signatures to it: it is made anew each time.
            return Err(MetadataError::KeysMissing {
                role: role.into(),
                have,
                need,
                keys: key_names(role, self.new, self.keyring).join(", "),
                places: self.keyring.places(),
            });
        };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write_atomically(path, &document.to_bytes())?;
        require(role, &document, self.new, path, RootIs::Current)?;
        Ok(document)
    }
}

/// Says whose keys have to sign.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RootIs {
    /// Those of the root that is in force once this is published.
    Current,
    /// Those of the root before it.
    Previous,
}

fn require(
    role: &str,
    document: &Document,
    root: &Document,
    path: &std::path::Path,
    root_is: RootIs,
) -> Result<(), MetadataError> {
    let (have, need) = document.signatures(role, root)?;
    if have as u64 >= need {
        return Ok(());
    }
    Err(MetadataError::HalfSigned {
        role: role.into(),
        have,
        need,
        old: root_is == RootIs::Previous,
        path: path.into(),
    })
}

/// Returns the path of half-signed targets metadata.
pub(super) fn draft_path(project: &Project) -> PathBuf {
    project.pending().join("signed-targets.json")
}

/// Returns whether somebody has signed the next targets metadata.
pub(crate) fn has_targets_draft(project: &Project) -> bool {
    draft_path(project).exists()
}

/// Returns the next targets metadata for `entries`, half signed or not signed
/// at all.
///
/// # Errors
/// If what is half signed is malformed.
pub(crate) fn targets_draft(
    project: &Project,
    published: &Published,
    entries: &Map<String, Value>,
    now: UnixTime,
) -> Result<Document, MetadataError> {
    next_targets(project, published, entries, now)
}

/// Adds the signatures of all keys at hand to the next targets metadata for
/// `entries`, as `publish` does, and keeps it.
///
/// # Errors
/// What is wrong with a key.
pub(crate) fn sign_targets(
    project: &Project,
    published: &Published,
    entries: &Map<String, Value>,
    keyring: &Keyring,
    passphrases: &Passphrases,
    now: UnixTime,
) -> Result<Document, MetadataError> {
    let mut targets = next_targets(project, published, entries, now)?;
    let roots = [&signing_root(project, published)?, &published.root];
    let signers = signers_of_both("targets", roots, keyring, passphrases)?;
    if signers.is_empty() {
        return Ok(targets);
    }
    targets.sign(&signers)?;
    fs::create_dir_all(&project.pending())?;
    fs::write_atomically(&draft_path(project), &targets.to_bytes())?;
    Ok(targets)
}

/// The next targets metadata: the half-signed one, if it is for just these
/// entries, else a new one without signatures.
///
/// # Errors
/// If the half-signed one is malformed.
fn next_targets(
    project: &Project,
    published: &Published,
    entries: &Map<String, Value>,
    now: UnixTime,
) -> Result<Document, MetadataError> {
    if let Some(draft) = current_draft(project, published, now)?
        && draft.signed()["targets"].as_object() == Some(entries)
    {
        return Ok(draft);
    }
    let fields = Map::from_iter([("targets".into(), entries.clone().into())]);
    let expires = in_days(now, project.settings.expires_days.targets);
    next(published.targets.as_ref(), "targets", expires, fields)
}

/// Returns the half-signed targets metadata, if it is the next version and not
/// expired.
///
/// # Errors
/// If it is malformed.
fn current_draft(
    project: &Project,
    published: &Published,
    now: UnixTime,
) -> Result<Option<Document>, MetadataError> {
    let path = draft_path(project);
    let Some(bytes) = fs::read_optional(&path, limits::READ)? else {
        return Ok(None);
    };
    let draft = Document::parse(&path, &bytes)?;
    let version = published.targets.as_ref().map_or(0, Document::version);
    let is_next = draft.version() == next_version("targets", version)?;
    Ok(Some(draft).filter(|draft| is_next && draft.expires() > now))
}

/// Returns whether half of the time of targets metadata is over, from when on it
/// is renewed.
pub(crate) fn renewal_is_due(project: &Project, targets: &Document, now: UnixTime) -> bool {
    let days = i64::from(project.settings.expires_days.targets);
    targets.expires() - now < days * DAY / 2
}

/// The successor of `old`: fields that are not given stay as they are.
fn next(
    old: Option<&Document>,
    role: &str,
    expires: UnixTime,
    fields: Map<String, Value>,
) -> Result<Document, MetadataError> {
    let Some(old) = old else {
        return Ok(Document::new(role, 1, expires, fields));
    };
    let mut document = old.clone();
    let version = next_version(role, old.version())?;
    let signed = document.edit();
    signed.extend(fields);
    signed.insert("version".into(), version.into());
    signed.insert("expires".into(), format_time(expires).into());
    Ok(document)
}
