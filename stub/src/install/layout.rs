//! Says where everything is in an install dir.

use std::io;
use std::path::{Path, PathBuf};

/// Names the paths in an install dir. Touches nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    root: PathBuf,
}

impl Layout {
    /// Returns the layout of the install dir `root`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Layout { root: root.into() }
    }

    /// Returns the layout around the running program, links to it followed.
    ///
    /// # Errors
    /// If the system does not say where the program is.
    pub fn of_this_program() -> io::Result<Self> {
        let folder = crate::this_program::program()?.parent();
        folder
            .map(Layout::new)
            .ok_or_else(|| io::Error::other("the program is in no folder"))
    }

    /// Returns the install dir.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns the trusted root metadata that the application was shipped with.
    pub fn shipped_root(&self) -> PathBuf {
        self.root.join("root.json")
    }

    /// Returns the bundle that is started.
    pub fn app(&self) -> PathBuf {
        self.root.join("app")
    }

    /// Returns the state dir.
    pub fn state(&self) -> PathBuf {
        self.root.join(".notsotuf")
    }

    /// Returns the folder of the trusted metadata.
    pub fn metadata(&self) -> PathBuf {
        self.state().join("metadata")
    }

    /// Returns the folder of targets while they are downloaded.
    pub fn downloads(&self) -> PathBuf {
        self.state().join("downloads")
    }

    /// Returns the folder in which an update is put together.
    pub fn staging(&self) -> PathBuf {
        self.state().join("staging")
    }

    /// Returns the folder of the staged update, which is complete once it has a
    /// record.
    pub fn staged(&self) -> PathBuf {
        self.staging().join("tree")
    }

    /// Returns the file that says where the staged update is from, if its
    /// content alone does not say.
    pub fn origin(&self) -> PathBuf {
        self.staging().join("origin")
    }

    /// Returns the folder of files made by patches, on their way into the
    /// update.
    pub fn work(&self) -> PathBuf {
        self.staging().join("work")
    }

    /// Returns the folder of the previous version.
    pub fn previous(&self) -> PathBuf {
        self.state().join("previous")
    }

    /// Returns the folder of bundles and halves of such that nobody needs any
    /// more, until their files are in nobody's use (Windows).
    pub fn trash(&self) -> PathBuf {
        self.state().join("trash")
    }

    /// Says which bundle an interrupted commit was putting in place.
    pub fn journal(&self) -> PathBuf {
        self.state().join("journal")
    }

    /// Says that the installed version was not seen to work yet.
    pub fn probation(&self) -> PathBuf {
        self.state().join("probation")
    }

    /// Returns the file that the application makes to say that it is ready.
    pub fn ready(&self) -> PathBuf {
        self.state().join("ready")
    }

    /// Returns the file that lists the versions that failed here.
    pub fn quarantine(&self) -> PathBuf {
        self.state().join("quarantine")
    }

    /// Returns the file that says when and why versions were blocked here.
    pub fn blocked(&self) -> PathBuf {
        self.state().join("blocked")
    }

    /// Returns the stub that was here before this one, until this one has
    /// launched.
    pub fn old_stub(&self) -> PathBuf {
        self.state().join(if cfg!(windows) {
            "old-stub.exe"
        } else {
            "old-stub"
        })
    }

    /// Returns the file with the version of the stub that could not be
    /// installed here.
    pub fn failed_stub(&self) -> PathBuf {
        self.state().join("failed-stub")
    }

    /// Returns the file with what the makers said is new in the update that was
    /// staged last.
    pub fn notes(&self) -> PathBuf {
        self.state().join("notes")
    }

    /// Returns the file with the settings that releases brought, by version.
    pub fn release_settings(&self) -> PathBuf {
        self.state().join("release-settings")
    }

    /// Returns the file with a random text of this install's own.
    pub fn client_id(&self) -> PathBuf {
        self.state().join("id")
    }

    /// Returns the file with the channel that the user chose.
    pub fn channel(&self) -> PathBuf {
        self.state().join("channel")
    }

    /// Returns the file with the version that the user stays with.
    pub fn hold(&self) -> PathBuf {
        self.state().join("hold")
    }

    /// Returns the log.
    pub fn log(&self) -> PathBuf {
        self.state().join("log")
    }

    /// Returns the lock that is held by the one stub that updates.
    pub fn update_lock(&self) -> PathBuf {
        self.state().join("lock")
    }

    /// Returns the lock that is held by the process that updates behind the
    /// application.
    pub fn behind_lock(&self) -> PathBuf {
        self.state().join("behind.lock")
    }

    /// Returns the lock that is held by one that wants that process to end.
    pub fn claim_lock(&self) -> PathBuf {
        self.state().join("claim.lock")
    }

    /// Returns the lock that is held together by stubs that are starting the
    /// application, and alone by the one that replaces it.
    pub fn launch_lock(&self) -> PathBuf {
        self.state().join("launch.lock")
    }

    /// Returns all logs.
    pub(super) fn logs(&self) -> [PathBuf; 2] {
        [self.log(), self.log().with_extension("1")]
    }

    /// Returns all locks.
    pub(super) fn locks(&self) -> [PathBuf; 4] {
        [
            self.update_lock(),
            self.behind_lock(),
            self.claim_lock(),
            self.launch_lock(),
        ]
    }

    /// Returns everything in the state dir and its folders that is a file if
    /// this program made it, but for metadata, downloads and bundles.
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
            self.release_settings(),
            self.client_id(),
            self.channel(),
            self.hold(),
        ];
        files.extend(self.logs());
        files.extend(self.locks());
        files
    }
}
