//! Says what is wrong with metadata.

use crate::keys::KeyError;
use notsotuf_stub::fs::FsError;
use notsotuf_stub::tuf::TufError;
use std::path::PathBuf;

/// Says what can be wrong with metadata.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MetadataError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A client refuses the metadata, or would.
    #[error("{0}")]
    Tuf(#[from] TufError),
    /// A file that should be there is missing.
    #[error("there is no {0:?}; is the repository complete?")]
    Missing(PathBuf),
    /// A file of the published metadata is not here.
    #[error(
        "there is no {0:?}: in a fresh checkout, or where it was lost, `notsotuf fetch` downloads \
         what is published"
    )]
    NotHere(PathBuf),
    /// What was published last is not remembered.
    #[error(
        "{path:?} is malformed ({reason}): take the file from version control; where it has the \
         marks of a merge, take that one of the two whose timestamp has the higher version"
    )]
    Memory {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file is not the JSON it should be.
    #[error("{path:?} is malformed: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Signatures are still missing.
    #[error(
        "{role} has {have} of the {need} signatures it needs{by}; it is kept in {path:?}. Run \
         `notsotuf sign {role}` where its keys are, here, too, if they came later; then `notsotuf publish`",
        by = if *.old { " by the keys of the previous root" } else { "" }
    )]
    HalfSigned {
        /// The role.
        role: String,
        /// Valid signatures by distinct keys.
        have: usize,
        /// The threshold.
        need: u64,
        /// Whether it is the threshold of the root before that is not met.
        old: bool,
        /// Where the document is.
        path: PathBuf,
    },
    /// A role that is signed by whoever publishes, and keys that are not at
    /// hand.
    #[error(
        "{role} has {have} of the {need} signatures it needs: of its keys ({keys}), too few \
         private halves are in {places}. Run this again with --key-dir DIR for the folder or \
         medium where they are; a program that signs belongs under `[[signers]]` in the project \
         settings"
    )]
    KeysMissing {
        /// The role.
        role: String,
        /// Valid signatures by distinct keys.
        have: usize,
        /// The threshold.
        need: u64,
        /// Names or ids of its keys.
        keys: String,
        /// Where they were looked for.
        places: String,
    },
    /// Targets that cannot be renewed without making worthless what was signed.
    #[error(
        "targets {version} was signed already with what is pending ({path:?}), and a renewal would \
         make that worthless. `notsotuf publish` publishes it, after `notsotuf sign targets` \
         where further keys are, if it needs them"
    )]
    DraftWaits {
        /// The version of the draft.
        version: u64,
        /// Where it is.
        path: PathBuf,
    },
    /// A root that cannot be made, changed or signed so.
    #[error(transparent)]
    Root(#[from] RootChangeError),
    /// What is in the repository folder is not what the project's keys
    /// signed.
    #[error(
        "what is in {folder:?} is not what the keys of this project signed: {reason}. Nothing is \
         signed on top of it. `notsotuf fetch` downloads a good copy from where you publish"
    )]
    Untrusted {
        /// The folder of the metadata.
        folder: PathBuf,
        /// What does not verify.
        reason: String,
    },
    /// Only a part of what was to be published was written.
    #[error(
        "a publication to {folder:?} was interrupted, or is going on: run `notsotuf publish`, which \
         completes it. As long as it is not complete: {reason}"
    )]
    Interrupted {
        /// The folder of the metadata.
        folder: PathBuf,
        /// What does not verify.
        reason: String,
    },
    /// Signed, but an earlier state than one that was published.
    #[error(
        "what is in {folder:?} is an old state: {role} has version {found}, but version {known} \
         was published before. `notsotuf fetch` downloads the newest state from where you publish"
    )]
    Old {
        /// The folder of the metadata.
        folder: PathBuf,
        /// The role.
        role: &'static str,
        /// Its version there.
        found: u64,
        /// The version that is remembered.
        known: u64,
    },
    /// Signed, of a version that was published with another content.
    #[error(
        "what is in {folder:?} is not what was published: {role} version {version} has different \
         content there. `notsotuf fetch` downloads what is published"
    )]
    Other {
        /// The folder of the metadata.
        folder: PathBuf,
        /// The role.
        role: &'static str,
        /// Its version.
        version: u64,
    },
    /// A project without a pinned root, whose repository none of its keys
    /// signed.
    #[error(
        "there is no {pin:?}, and the root in {folder:?} is not signed by any key whose public \
         half this project has. If you know that root, copy it to {pin:?}"
    )]
    Unpinned {
        /// The file of the pinned root.
        pin: PathBuf,
        /// The folder of the metadata.
        folder: PathBuf,
    },
    /// The version has no successor.
    #[error(
        "{role} has version {version}, and not all clients could read a higher one; the only way \
         out is a new root with other keys for that role, and metadata that starts again"
    )]
    Version {
        /// The role.
        role: String,
        /// Its version.
        version: u64,
    },
}

impl MetadataError {
    /// Returns whether the error means that signatures have to come from where
    /// other keys are.
    pub(super) fn is_want_of_keys(&self) -> bool {
        matches!(
            self,
            MetadataError::Key(_)
                | MetadataError::HalfSigned { .. }
                | MetadataError::KeysMissing { .. }
                | MetadataError::DraftWaits { .. }
        )
    }

    /// Returns whether the error means that something does not verify.
    pub(crate) fn is_refusal(&self) -> bool {
        matches!(
            self,
            MetadataError::Tuf(_)
                | MetadataError::Untrusted { .. }
                | MetadataError::Interrupted { .. }
                | MetadataError::Old { .. }
                | MetadataError::Other { .. }
                | MetadataError::Unpinned { .. }
        )
    }
}

/// Says why a root is not made, changed or signed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RootChangeError {
    /// A role of the first root has too few keys.
    #[error("a threshold of {threshold} cannot be met by the {keys} key(s) of {role}")]
    Threshold {
        /// The role.
        role: &'static str,
        /// How many are to sign it.
        threshold: usize,
        /// How many keys it has.
        keys: usize,
    },
    /// Too few private halves are at hand for the first root.
    #[error(
        "the first root needs {need} signatures; the private halves of {have} of its keys are at \
         hand, in {places}: name further folders with --key-dir, and programs that sign with \
         --signer KEY=COMMAND"
    )]
    FirstRoot {
        /// Signatures by distinct keys.
        have: usize,
        /// The threshold.
        need: u64,
        /// Where keys were looked for.
        places: String,
    },
    /// Nobody could sign a role after the change.
    #[error(
        "{role} would have {keys} key(s) and a threshold of {need}, and nobody could sign it: \
         `notsotuf keys replace OLD NEW` puts a key in the place of another, `notsotuf keys add \
         {role} NEW` gives it one more, and `notsotuf keys threshold {role} NUMBER` changes how many \
         must sign"
    )]
    Unsignable {
        /// The role.
        role: &'static str,
        /// How many keys it would have.
        keys: u64,
        /// How many would have to sign it.
        need: u64,
    },
    /// The role has the key that is to be added.
    #[error("{0} has this key already")]
    Listed(String),
    /// The key that is to be replaced is nowhere.
    #[error("no role has the key that is to be replaced")]
    NothingToReplace,
    /// The key that is to be revoked is nowhere.
    #[error("no such role has the key that is to be revoked")]
    NothingToRevoke,
    /// Nothing waits for signatures.
    #[error("there is no draft of a root to sign")]
    NoDraft,
    /// A draft holds more than the renewal that was asked for, which would be
    /// signed unseen.
    #[error(
        "root {version} is drafted already: `notsotuf sign root` and `notsotuf publish` it first, or \
         delete it in {folder:?}"
    )]
    Drafted {
        /// The version of the draft.
        version: u64,
        /// The folder that it is in.
        folder: PathBuf,
    },
    /// A draft that does not follow from what is published.
    #[error(
        "the draft of root {version} in {path:?} was made on top of another root than root \
         {newest}, which is published by now: what it changes is not in force, and it cannot be \
         published. Delete that file, and make the change again (`notsotuf keys`, which shows \
         what the new draft changes)"
    )]
    Stale {
        /// The version of the draft.
        version: u64,
        /// The version that is published.
        newest: u64,
        /// Where the draft is.
        path: PathBuf,
    },
    /// None of the keys that are missing is at hand.
    #[error(
        "no signature was added: {role} has {have} of the {need} that it needs, and of the keys \
         that have not signed ({keys}) none is in {places}: name their folder with --key-dir, or \
         the program that signs under `[[signers]]`"
    )]
    NothingSigned {
        /// The role.
        role: &'static str,
        /// Signatures by distinct keys.
        have: usize,
        /// The threshold.
        need: u64,
        /// Names of the keys that have not signed.
        keys: String,
        /// Where keys were looked for.
        places: String,
    },
    /// A role that is signed in passing.
    #[error("snapshot and timestamp are signed by `notsotuf publish` and `notsotuf renew`")]
    SignedByPublish,
}
