//! A place of its own for a test: a project, its server, and an install.

use crate::{Server, bundle, bundler_in, json, program, set_stub_version};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A project, its server, and an install of it.
pub struct Sandbox {
    folder: tempfile::TempDir,
    /// The server of the repository.
    pub server: Option<Server>,
}

impl Default for Sandbox {
    fn default() -> Self {
        Self::new()
    }
}

/// With `NOTSOTUF_KEEP=1`, the folder of a test that failed stays to be looked
/// at.
impl Drop for Sandbox {
    fn drop(&mut self) {
        if std::thread::panicking() && std::env::var_os("NOTSOTUF_KEEP").is_some() {
            self.folder.disable_cleanup(true);
            eprintln!("kept: {}", self.folder.path().display());
        }
    }
}

impl Sandbox {
    /// An initialised project with plain keys, served.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// The same, with further arguments of `init`.
    pub fn with(init: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let repository = folder.path().join("project/repository");
        std::fs::create_dir_all(&repository).expect("a folder");
        let server = Server::start(&repository);
        let sandbox = Sandbox {
            folder,
            server: Some(server),
        };
        let url = sandbox.url();
        sandbox.bundler(&[&["init", "--app", "app", "--plain", "--url", &url], init].concat());
        sandbox
    }

    /// An install of 1.0 with 1.1 in the repository.
    pub fn with_update() -> Self {
        let sandbox = Self::new();
        sandbox.release("1.0", &[]);
        sandbox.ship("1.0");
        sandbox.release("1.1", &[]);
        sandbox
    }

    /// The URL of the repository.
    pub fn url(&self) -> String {
        self.server
            .as_ref()
            .map(|server| server.url.clone())
            .expect("it is served")
    }

    /// A path in the test's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bundler, in the project.
    pub fn command(&self, args: &[&str]) -> Command {
        bundler_in(&self.path("project"), args)
    }

    /// Runs the bundler, which must succeed.
    pub fn bundler(&self, args: &[&str]) -> Value {
        json(&mut self.command(args))
    }

    /// Adds a bundle as a release, without publishing it.
    pub fn add(&self, version: &str, bundle: &Path, more: &[&str]) -> Value {
        let bundle = bundle.to_str().expect("Unicode");
        self.bundler(&[&["add", version, bundle], more].concat())
    }

    /// Adds and publishes the bundle of that version.
    pub fn release(&self, version: &str, more: &[&str]) -> Value {
        let added = self.add(version, &bundle(version), more);
        self.bundler(&["publish"]);
        added
    }

    /// Ships a version to `install`.
    pub fn ship(&self, version: &str) {
        self.ship_with(&["--version", version]);
    }

    /// Ships to `install`, with these arguments.
    pub fn ship_with(&self, arguments: &[&str]) {
        let output = self.path("install");
        let output = output.to_str().expect("Unicode");
        self.bundler(&[&["ship", "--output", output], arguments].concat());
    }

    /// The stub of this build, which takes itself for another version.
    pub fn stub_of_version(&self, version: &str) -> PathBuf {
        let mut bytes = std::fs::read(program("notsotuf-stub")).expect("a stub");
        set_stub_version(&mut bytes, version);
        let path = self.path(&format!("stub-{version}"));
        std::fs::write(&path, bytes).expect("a stub");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, mode).expect("it is ours");
        }
        path
    }

    /// The stub of the install.
    pub fn stub(&self) -> Command {
        let mut command = Command::new(self.path("install/program"));
        command.stdin(Stdio::null());
        command
    }

    /// Starts the application and returns what it says of itself.
    pub fn start(&self) -> Value {
        json(&mut self.stub())
    }

    /// Starts the application and returns its version.
    pub fn start_version(&self) -> String {
        self.start()["version"]
            .as_str()
            .expect("a version")
            .to_owned()
    }

    /// The stub's log.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.path("install/.notsotuf/log")).unwrap_or_default()
    }

    /// Waits until no update goes on behind an application that was started
    /// here. (Who waits for `behind.lock` may be too early: that process takes
    /// it only a while after it was started.)
    #[track_caller]
    pub fn settle(&self) {
        let end = Instant::now() + Duration::from_secs(60);
        while goes_on_behind(self.folder.path()) {
            assert!(
                Instant::now() < end,
                "an update goes on behind the application for a minute: {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Points the install at another server.
    pub fn point_to(&self, url: &str) {
        for kind in ["metadata", "targets"] {
            self.set(&format!("{kind}_url"), &format!("\"{url}/{kind}\""));
        }
    }

    /// The folder that is served.
    pub fn repository(&self) -> PathBuf {
        self.path("project/repository")
    }

    /// Adds to the install's settings, at the end or, without a table's
    /// header, at the start.
    pub fn add_settings(&self, text: &str) {
        let path = self.path("install/notsotuf.toml");
        let before = std::fs::read_to_string(&path).expect("settings");
        let after = if text.starts_with('[') {
            format!("{before}\n{text}\n")
        } else {
            format!("{text}\n{before}")
        };
        std::fs::write(path, after).expect("settings");
    }

    /// Changes the install's settings.
    pub fn set(&self, key: &str, value: &str) {
        let path = self.path("install/notsotuf.toml");
        let text = std::fs::read_to_string(&path).expect("settings");
        let mut found = false;
        let lines = text.lines().map(|line| {
            if line.starts_with(&format!("{key} = ")) {
                found = true;
                return format!("{key} = {value}\n");
            }
            format!("{line}\n")
        });
        let text: String = lines.collect();
        assert!(found, "no {key} in the settings");
        std::fs::write(path, text).expect("settings");
    }
}

/// Whether an install below `folder` is updated behind its application: that
/// is a process `STUB --updater behind` in the folder of the install. It is
/// there before the application is, since who starts it waits for its exec.
#[cfg(target_os = "linux")]
fn goes_on_behind(folder: &Path) -> bool {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let behind = b"\0--updater\0behind\0";
    let processes = std::fs::read_dir("/proc").expect("there is a /proc");
    processes.flatten().any(|process| {
        let process = process.path();
        // Those that end in the meantime have neither.
        let cwd = std::fs::read_link(process.join("cwd"));
        let line = std::fs::read(process.join("cmdline")).unwrap_or_default();
        let program = line.split(|&byte| byte == 0).next().unwrap_or_default();
        let is_here = cwd.is_ok_and(|cwd| cwd.starts_with(folder));
        let is_from_here = Path::new(OsStr::from_bytes(program)).starts_with(folder);
        let is_behind = line.windows(behind.len()).any(|part| part == behind);
        // For an instant of an exec there are no arguments.
        is_behind && (is_here || is_from_here) || is_here && line.is_empty()
    })
}

/// The same, as far as its lock tells.
#[cfg(not(target_os = "linux"))]
fn goes_on_behind(folder: &Path) -> bool {
    let lock = std::fs::File::open(folder.join("install/.notsotuf/behind.lock"));
    lock.is_ok_and(|lock| lock.try_lock().is_err())
}
