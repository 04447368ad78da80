//! What is where in an install dir.

use std::io;
use std::path::{Path, PathBuf};

/// What is where in an install dir. Only names paths, touches nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// The layout of the install dir `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Layout { root: root.into() }
    }

    /// The layout around the running program, links to it followed.
    ///
    /// # Errors
    /// If the system does not say where the program is.
    pub fn of_this_program() -> io::Result<Self> {
        let folder = crate::this_program::program()?.parent();
        folder
            .map(Layout::new)
            .ok_or_else(|| io::Error::other("the program is in no folder"))
    }

    /// The install dir.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The trusted root metadata that was shipped.
    pub fn shipped_root(&self) -> PathBuf {
        self.root.join("root.json")
    }

    /// The bundle that is started.
    pub fn app(&self) -> PathBuf {
        self.root.join("app")
    }

    /// The state dir.
    pub fn state(&self) -> PathBuf {
        self.root.join(".notsotuf")
    }

    /// Trusted metadata.
    pub fn metadata(&self) -> PathBuf {
        self.state().join("metadata")
    }

    /// Targets while they are downloaded.
    pub fn downloads(&self) -> PathBuf {
        self.state().join("downloads")
    }

    /// Where an update is put together.
    pub fn staging(&self) -> PathBuf {
        self.state().join("staging")
    }

    /// The update; complete once it has a record.
    pub fn staged(&self) -> PathBuf {
        self.staging().join("tree")
    }

    /// Where the update is from, if its content alone does not say.
    pub fn origin(&self) -> PathBuf {
        self.staging().join("origin")
    }

    /// Files made by patches, on their way into the update.
    pub fn work(&self) -> PathBuf {
        self.staging().join("work")
    }

    /// The bundle that was there before the last update.
    pub fn previous(&self) -> PathBuf {
        self.state().join("previous")
    }

    /// Says which bundle an interrupted commit was putting in place.
    pub fn journal(&self) -> PathBuf {
        self.state().join("journal")
    }

    /// Says that the installed version was not seen to work yet.
    pub fn probation(&self) -> PathBuf {
        self.state().join("probation")
    }

    /// The application makes this file to say that it is ready.
    pub fn ready(&self) -> PathBuf {
        self.state().join("ready")
    }

    /// Versions that failed here.
    pub fn quarantine(&self) -> PathBuf {
        self.state().join("quarantine")
    }

    /// When and why versions were blocked here.
    pub fn blocked(&self) -> PathBuf {
        self.state().join("blocked")
    }

    /// The stub that was here before this one, until this one has launched.
    pub fn old_stub(&self) -> PathBuf {
        self.state().join(if cfg!(windows) {
            "old-stub.exe"
        } else {
            "old-stub"
        })
    }

    /// The version of the stub that could not be installed here.
    pub fn failed_stub(&self) -> PathBuf {
        self.state().join("failed-stub")
    }

    /// What the makers said is new in the update that was staged last.
    pub fn notes(&self) -> PathBuf {
        self.state().join("notes")
    }

    /// A random text of this install's own.
    pub fn client_id(&self) -> PathBuf {
        self.state().join("id")
    }

    /// The log.
    pub fn log(&self) -> PathBuf {
        self.state().join("log")
    }

    /// Held by the one stub that updates.
    pub fn update_lock(&self) -> PathBuf {
        self.state().join("lock")
    }

    /// Held by the process that updates behind the application.
    pub fn behind_lock(&self) -> PathBuf {
        self.state().join("behind.lock")
    }

    /// Held by one that wants that process to end.
    pub fn claim_lock(&self) -> PathBuf {
        self.state().join("claim.lock")
    }

    /// Held together by stubs that are starting the application, alone by
    /// the one that replaces it.
    pub fn launch_lock(&self) -> PathBuf {
        self.state().join("launch.lock")
    }

    /// All logs.
    pub(super) fn logs(&self) -> [PathBuf; 2] {
        [self.log(), self.log().with_extension("1")]
    }

    /// All locks.
    pub(super) fn locks(&self) -> [PathBuf; 4] {
        [
            self.update_lock(),
            self.behind_lock(),
            self.claim_lock(),
            self.launch_lock(),
        ]
    }

    /// Everything in the state dir and its folders that is a file if this
    /// program made it, but for metadata, downloads and bundles.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let mut files = vec![
            self.origin(),
            self.journal(),
            self.probation(),
            self.ready(),
            self.quarantine(),
            self.blocked(),
            self.old_stub(),
            self.failed_stub(),
            self.notes(),
            self.client_id(),
        ];
        files.extend(self.logs());
        files.extend(self.locks());
        files
    }
}
