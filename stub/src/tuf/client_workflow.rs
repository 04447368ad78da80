//! Orders how metadata is loaded, fetched and kept: says which file is wanted
//! next and takes the answer (TUF specification, sections 5.3 to 5.6).

use super::error::TufError;
use super::metadata::{TargetFile, UnixTime};
use super::root_chain::SelfSignedRoot;
use super::trusted_metadata_set::{SnapshotOrigin, TrustedMetadataSet};
use crate::tuf::root_change::RootChange;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Limits what a repository can make the client fetch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of a root file.
    pub root: u64,
    /// Bytes of a timestamp file.
    pub timestamp: u64,
    /// Bytes of a snapshot file, whatever length is listed.
    pub snapshot: u64,
    /// Bytes of a targets file, whatever length is listed.
    pub targets: u64,
    /// Bytes of all targets files that are trusted at the same time: those of
    /// delegated roles come together in a search.
    pub all_targets: u64,
    /// New root versions in one refresh.
    pub root_rotations: u32,
    /// Targets roles visited in one search.
    pub delegations: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            root: 512_000,
            timestamp: 16_384,
            snapshot: 2_000_000,
            targets: 5_000_000,
            all_targets: 6_000_000,
            root_rotations: 256,
            delegations: 32,
        }
    }
}

/// Says what the workflow needs done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Read the stored copy of this role, then [`Refresh::answer`].
    Load {
        /// Role name.
        role: String,
    },
    /// Fetch this metadata file, then [`Refresh::answer`]; `None` means that
    /// the repository does not have it.
    Fetch {
        /// Role name.
        role: String,
        /// File name without folder, not percent-encoded.
        file: String,
        /// No more bytes than this may be read.
        max_length: u64,
    },
    /// Delete the stored copy of this role.
    Remove {
        /// Role name.
        role: String,
    },
    /// Keep these bytes as the trusted copy of this role.
    Store {
        /// Role name.
        role: String,
        /// The file.
        bytes: Vec<u8>,
    },
    /// Nothing more to do.
    Done,
}

/// Does what the workflow asks for: reads and writes the stored metadata, and
/// fetches from the repository. A client that stores nothing has only to fetch.
pub trait RefreshIo {
    /// Why it could not.
    type Error: From<TufError>;

    /// Reads the stored copy of a role; `None` if there is none.
    fn load(&mut self, _role: &str) -> Option<Vec<u8>> {
        None
    }

    /// Fetches a file of at most `max_length` bytes, whose name is not
    /// percent-encoded; `None` if the repository does not have it.
    ///
    /// # Errors
    /// What ends the refresh.
    fn fetch(
        &mut self,
        role: &str,
        file: &str,
        max_length: u64,
    ) -> Result<Option<Vec<u8>>, Self::Error>;

    /// Keeps the trusted copy of a role.
    ///
    /// # Errors
    /// What ends the refresh.
    fn store(&mut self, _role: &str, _bytes: &[u8]) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Deletes the stored copy of a role.
    ///
    /// # Errors
    /// What ends the refresh.
    fn remove(&mut self, _role: &str) -> Result<(), Self::Error> {
        Ok(())
    }

    /// Says why what was fetched last is not accepted.
    fn refused(&mut self, error: TufError) -> Self::Error {
        error.into()
    }
}

#[derive(Debug)]
enum State {
    Root,
    Timestamp { local: bool },
    Snapshot { local: bool },
    Targets { local: bool },
    Done,
}

/// Runs one refresh of the trusted metadata, and searches for targets after it.
#[derive(Debug)]
pub struct Refresh {
    trusted: TrustedMetadataSet,
    bounds: Limits,
    state: State,
    rotations: u32,
    actions: VecDeque<Step>,
    search: Search,
    /// Bytes of the targets files that are trusted, by role.
    sizes: BTreeMap<String, u64>,
}

#[derive(Debug, Default)]
struct Search {
    /// `None`: the top-level targets metadata is all that is wanted.
    path: Option<String>,
    /// (role, delegator), next one last.
    stack: Vec<(String, String)>,
    visited: BTreeSet<String>,
    found: Option<TargetFile>,
}

impl Refresh {
    /// Starts from the stored trusted root at time `now`.
    ///
    /// # Errors
    /// If that root is malformed or not signed by its own keys.
    pub fn new(root: &[u8], now: UnixTime, bounds: Limits) -> Result<Self, TufError> {
        let root = SelfSignedRoot::parse(root)?;
        Ok(Self::starting_from(root, now, bounds))
    }

    /// Starts from a root that was read already.
    pub fn starting_from(root: SelfSignedRoot, now: UnixTime, bounds: Limits) -> Self {
        Refresh {
            trusted: TrustedMetadataSet::starting_from(root, now),
            bounds,
            state: State::Root,
            rotations: 0,
            actions: VecDeque::new(),
            search: Search {
                stack: vec![("targets".into(), "root".into())],
                ..Search::default()
            },
            sizes: BTreeMap::new(),
        }
    }

    /// Returns the metadata that is trusted so far.
    pub fn trusted(&self) -> &TrustedMetadataSet {
        &self.trusted
    }

    /// Runs the workflow to its end, by means of `io`.
    ///
    /// # Errors
    /// Those of `io`, and metadata that is not accepted.
    pub fn run<I: RefreshIo>(&mut self, io: &mut I) -> Result<(), I::Error> {
        loop {
            match self.next_step() {
                Step::Done => return Ok(()),
                Step::Load { role } => self.answer(io.load(&role))?,
                Step::Store { role, bytes } => io.store(&role, &bytes)?,
                Step::Remove { role } => io.remove(&role)?,
                Step::Fetch {
                    role,
                    file,
                    max_length,
                } => {
                    let bytes = io.fetch(&role, &file, max_length)?;
                    self.answer(bytes).map_err(|e| io.refused(e))?;
                }
            }
        }
    }

    /// Returns the next thing to do. Asking again without an answer repeats the
    /// question, except that stores and removals are handed out once.
    pub fn next_step(&mut self) -> Step {
        if let Some(action) = self.actions.pop_front() {
            return action;
        }
        let version = |v: u64, name: &str| {
            if self.trusted.root().consistent_snapshot {
                format!("{v}.{name}.json")
            } else {
                format!("{name}.json")
            }
        };
        match self.state {
            State::Root => Step::Fetch {
                role: "root".into(),
                file: format!(
                    "{}.root.json",
                    self.trusted.root().common.version.saturating_add(1)
                ),
                max_length: self.bounds.root,
            },
            State::Timestamp { local: true } => load("timestamp"),
            State::Timestamp { local: false } => Step::Fetch {
                role: "timestamp".into(),
                file: "timestamp.json".into(),
                max_length: self.bounds.timestamp,
            },
            State::Snapshot { local: true } => load("snapshot"),
            State::Snapshot { local: false } => {
                let listed = self.trusted.timestamp().expect("in order").snapshot();
                Step::Fetch {
                    role: "snapshot".into(),
                    file: version(listed.version, "snapshot"),
                    max_length: least(listed.length, self.bounds.snapshot),
                }
            }
            State::Targets { local } => {
                let (role, _) = self.search.stack.last().expect("a role is wanted");
                if local {
                    return load(role);
                }
                let snapshot = self.trusted.snapshot().expect("in order");
                let listed = snapshot.meta.get(&format!("{role}.json"));
                Step::Fetch {
                    role: role.clone(),
                    file: version(listed.map_or(1, |l| l.version), role),
                    max_length: least(listed.and_then(|l| l.length), self.targets_bound(role)),
                }
            }
            State::Done => Step::Done,
        }
    }

    /// Takes the answer to the last [`Step::Load`] or [`Step::Fetch`].
    ///
    /// # Errors
    /// What the repository sent is not acceptable; the refresh is over, what
    /// was stored before stays trusted.
    pub fn answer(&mut self, bytes: Option<Vec<u8>>) -> Result<(), TufError> {
        match self.state {
            State::Root => self.root(bytes),
            State::Timestamp { local: true } => {
                // Local files are checked like remote ones; whatever is wrong
                // with one, the repository's decides.
                if let Some(bytes) = bytes {
                    ignore(self.trusted.update_timestamp(&bytes));
                }
                self.state = State::Timestamp { local: false };
                Ok(())
            }
            State::Timestamp { local: false } => {
                let bytes = bytes.ok_or_else(|| missing("timestamp.json"))?;
                match self.trusted.update_timestamp(&bytes) {
                    Ok(()) => self.store("timestamp", bytes),
                    Err(TufError::SameVersion { .. }) => {}
                    Err(error) => return Err(error),
                }
                self.state = State::Snapshot { local: true };
                Ok(())
            }
            State::Snapshot { local: true } => {
                let usable = bytes
                    .map(|bytes| {
                        self.trusted
                            .update_snapshot(&bytes, SnapshotOrigin::Stored)
                            .is_ok()
                    })
                    .unwrap_or(false);
                if usable {
                    return self.want_targets("targets");
                }
                self.state = State::Snapshot { local: false };
                Ok(())
            }
            State::Snapshot { local: false } => {
                let bytes = bytes.ok_or_else(|| missing("snapshot.json"))?;
                self.trusted
                    .update_snapshot(&bytes, SnapshotOrigin::Fetched)?;
                self.store("snapshot", bytes);
                self.want_targets("targets")
            }
            State::Targets { local } => self.targets(bytes, local),
            State::Done => Ok(()),
        }
    }

    fn root(&mut self, bytes: Option<Vec<u8>>) -> Result<(), TufError> {
        let Some(bytes) = bytes else {
            // 5.3.3 and 5.3.10: no newer root, so this one must be valid now.
            self.trusted.finish_root()?;
            self.state = State::Timestamp { local: true };
            return Ok(());
        };
        self.rotations += 1;
        if self.rotations > self.bounds.root_rotations {
            return Err(TufError::TooManyRoots {
                limit: self.bounds.root_rotations,
            });
        }
        let change = self.trusted.update_root(&bytes)?;
        if change == RootChange::KeysRotated {
            // Before the root is stored: were it the other way round, a crash
            // in between would leave a fast-forwarded timestamp for ever.
            for role in ["timestamp", "snapshot"] {
                self.actions.push_back(Step::Remove { role: role.into() });
            }
        }
        self.store("root", bytes);
        Ok(())
    }

    fn targets(&mut self, bytes: Option<Vec<u8>>, local: bool) -> Result<(), TufError> {
        let (role, delegator) = self.search.stack.last().expect("a role is wanted").clone();
        let limit = self.targets_bound(&role);
        let size = bytes.as_ref().map_or(0, Vec::len) as u64;
        // A stored file that does not fit is as good as none.
        match (bytes.filter(|_| size <= limit), local) {
            (Some(bytes), true) => {
                if self
                    .trusted
                    .update_targets(&bytes, &role, &delegator)
                    .is_ok()
                {
                    self.sizes.insert(role.clone(), size);
                    return self.visited(&role);
                }
                self.state = State::Targets { local: false };
            }
            (None, true) => self.state = State::Targets { local: false },
            (Some(bytes), false) => {
                self.trusted.update_targets(&bytes, &role, &delegator)?;
                self.sizes.insert(role.clone(), size);
                self.store(&role, bytes);
                return self.visited(&role);
            }
            (None, false) => return Err(missing(&format!("{role}.json"))),
        }
        Ok(())
    }

    /// How long the targets file of `role` may be, beside those of the other
    /// roles that are trusted.
    fn targets_bound(&self, role: &str) -> u64 {
        let others = self.sizes.iter().filter(|(other, _)| *other != role);
        let others = others.map(|(_, size)| size).sum();
        let left = self.bounds.all_targets.saturating_sub(others);
        left.min(self.bounds.targets)
    }

    /// Looks for `path` in the targets roles, in pre-order (5.6.7), after the
    /// refresh is done. Go on with [`Refresh::next_step`]; then [`Refresh::found`].
    ///
    /// # Errors
    /// A role on the way is not trusted by the one that delegates to it, or
    /// the snapshot does not list it.
    pub fn search(&mut self, path: &str) -> Result<(), TufError> {
        self.search = Search {
            path: Some(path.into()),
            stack: vec![("targets".into(), "root".into())],
            ..Search::default()
        };
        self.advance()
    }

    /// Asks for the metadata of `role`, stored or else fetched.
    fn want_targets(&mut self, role: &str) -> Result<(), TufError> {
        self.trusted.check_listed(role)?;
        self.state = State::Targets { local: true };
        Ok(())
    }

    /// Returns the target that the last search found.
    pub fn found(&self) -> Option<&TargetFile> {
        self.search.found.as_ref()
    }

    /// Marks the role on top of the stack as seen, and goes on.
    fn visited(&mut self, role: &str) -> Result<(), TufError> {
        debug_assert!(self.trusted.targets(role).is_some());
        if self.search.path.is_none() {
            self.search.stack.clear();
            self.state = State::Done;
            return Ok(());
        }
        self.advance()
    }

    fn advance(&mut self) -> Result<(), TufError> {
        let path = self.search.path.clone().expect("a search is going on");
        while let Some((role, delegator)) = self.search.stack.last().cloned() {
            // 5.6.7.1: each role once, and not too many of them.
            if self.search.visited.contains(&role)
                || self.search.visited.len() > self.bounds.delegations
            {
                self.search.stack.pop();
                continue;
            }
            let Some(targets) = self.trusted.targets_by(&role, &delegator)? else {
                return self.want_targets(&role);
            };
            if let Some(target) = targets.targets.get(&path) {
                self.search.found = Some(target.clone());
                break;
            }
            self.search.visited.insert(role.clone());
            self.search.stack.pop();
            if let Some(delegations) = &targets.delegations {
                let (children, terminating) = delegations.roles_for(&path);
                if terminating {
                    self.search.stack.clear();
                }
                let children = children.into_iter().rev();
                self.search
                    .stack
                    .extend(children.map(|child| (child, role.clone())));
            }
        }
        self.search.stack.clear();
        self.state = State::Done;
        Ok(())
    }

    fn store(&mut self, role: &str, bytes: Vec<u8>) {
        self.actions.push_back(Step::Store {
            role: role.into(),
            bytes,
        });
    }
}

fn load(role: &str) -> Step {
    Step::Load { role: role.into() }
}

/// What is listed never lifts a bound.
fn least(listed: Option<u64>, bound: u64) -> u64 {
    listed.map_or(bound, |listed| listed.min(bound))
}

fn missing(file: &str) -> TufError {
    TufError::Missing { file: file.into() }
}

/// A stored file that is no longer acceptable is not an error.
fn ignore(result: Result<(), TufError>) {
    drop(result);
}
