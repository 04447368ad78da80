//! The installed application on disk: where things are, what is installed,
//! and how an update takes its place.

mod blocked_versions;
mod commit;
mod elevate;
mod exchange;
mod integrity;
mod journal;
mod lock;
mod probation;
mod record;
mod recover;
pub mod release_notes;
mod running_instances;
mod staged_origin;
mod staging;
mod state_dir;
mod swap;
mod user_files;

pub use blocked_versions::{BlockedVersions, offered_previous};
pub use commit::{CommitError, Committed, How, commit, roll_back};
pub use elevate::run_elevated;
pub use integrity::{check_files, restore_modes};
pub use lock::Lock;
pub use probation::{Probation, record_hash};
pub use record::{Record, RecordError, Release};
pub use recover::recover;
pub use running_instances::{BOOTLOADERS, await_end, bootloaders, instances, sees_processes};
pub use staged_origin::{Origin, Why};
pub use staging::{SealError, discard, keep_downloads, prepare, seal, tidy};
pub use state_dir::{
    StateError, forget, is_left_to_owner, open_state, owns_state, quarantined, secure_state,
    translocated,
};

use std::io;
use std::path::{Path, PathBuf};

/// How a program that was to run as administrator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elevated {
    /// With this exit code.
    Ended(i32),
    /// The user did not allow it.
    Declined,
}

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
    fn logs(&self) -> [PathBuf; 2] {
        [self.log(), self.log().with_extension("1")]
    }
    /// All locks.
    fn locks(&self) -> [PathBuf; 4] {
        [
            self.update_lock(),
            self.behind_lock(),
            self.claim_lock(),
            self.launch_lock(),
        ]
    }
    /// Everything in the state dir and its folders that is a file if this
    /// program made it, but for metadata, downloads and bundles.
    fn files(&self) -> Vec<PathBuf> {
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

    /// The folder to start the application from: `app`, unless a commit was
    /// interrupted and cannot be finished (on a disk that has become
    /// read-only, say); then whatever complete bundle there is.
    pub fn launchable(&self) -> PathBuf {
        let app = self.app();
        if app.exists() && !swap::is_being_removed(self) {
            return app;
        }
        let is_whole = |folder: &PathBuf| matches!(Record::load_release(folder), Ok(Some(_)));
        // Whatever else is staged was not checked yet.
        let staged = Some(self.staged()).filter(|staged| {
            let staged = probation::record_hash(staged);
            let to = swap::interrupted(self);
            matches!((staged, to), (Ok(Some(staged)), Ok(Some(to))) if staged == to)
        });
        let mut bundles = staged.into_iter().chain([self.previous()]);
        bundles.find(is_whole).unwrap_or(app)
    }
}
