//! Installers for Linux, used as another user than root where that is possible: install, three
//! updates, another installer over it, uninstall.

#![cfg(target_os = "linux")]

use notsotuf_tests::{
    Sandbox, is_root, json, run, set_mode, text, write_windows_program, write_windows_stub,
};
use serde_json::Value;
use std::fs;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Who has no rights, where the test runs as root.
const NOBODY: u32 = 65534;

/// A user with nothing but a home.
struct User {
    folder: tempfile::TempDir,
}

impl User {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        set_mode(folder.path(), 0o755);
        let user = User { folder };
        fs::create_dir(user.home()).unwrap();
        if is_root() {
            chown(user.home(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        user
    }

    fn home(&self) -> PathBuf {
        self.folder.path().join("home of a \"user\"")
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env_clear().env("HOME", self.home());
        command.env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
        command.current_dir(self.home());
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    /// Unpacks an installer, and returns the folder with its script.
    fn unpack(&self, archive: &Path) -> PathBuf {
        let unpacked = self.home().join("Downloads");
        drop(fs::remove_dir_all(&unpacked));
        let mut mkdir = self.command(Path::new("mkdir"));
        assert!(run(mkdir.arg(&unpacked)).status.success());
        let mut tar = self.command(Path::new("tar"));
        tar.args(["xz", "-C"]).arg(&unpacked);
        tar.stdin(fs::File::open(archive).unwrap());
        assert!(tar.status().unwrap().success());
        let top = fs::read_dir(&unpacked).unwrap().next().unwrap().unwrap();
        top.path()
    }

    /// Unpacks an installer, and runs its script.
    fn install(&self, archive: &Path) -> Output {
        let top = self.unpack(archive);
        let installed = run(&mut self.command(&top.join("install.sh")));
        fs::remove_dir_all(top.parent().unwrap()).unwrap();
        installed
    }

    fn start(&self) -> Value {
        json(&mut self.command(&self.home().join(".local/bin/program")))
    }

    fn uninstall(&self, arguments: &[&str]) -> Output {
        let script = self.home().join(".local/lib/app/uninstall.sh");
        run(self.command(&script).args(arguments))
    }

    /// All files of this user.
    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut folders = vec![self.home()];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() && !path.is_symlink() {
                    folders.push(path);
                } else {
                    found.push(text(path.strip_prefix(self.home()).unwrap()).to_owned());
                }
            }
        }
        found.sort();
        found
    }
}

/// The smallest PNG picture that says its size.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x40";

/// Says more of the application in the settings.
fn describe(sandbox: &Sandbox) {
    let settings = sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    fs::write(sandbox.path("project/icon.png"), PICTURE).unwrap();
    let more = "[installer]\ndescription = 'Takes pictures'\nicon = 'icon.png'\n\
                categories = ['Graphics']\nmaintainer = 'Jane Doe <jane@example.com>'\n";
    fs::write(&settings, format!("{before}\n{more}")).unwrap();
}

fn ship(sandbox: &Sandbox, version: &str, kind: &[&str]) -> PathBuf {
    let output = sandbox.path(&format!("shipped-{version}-{}", kind.join("-")));
    let ship = ["ship", "--version", version, "--title", "My App"];
    let arguments = [&ship[..], &["--output", text(&output), "--installer"], kind].concat();
    let shipped = sandbox.bundler(&arguments);
    PathBuf::from(shipped["installers"][0].as_str().unwrap())
}

#[test]
fn an_installer_for_one_user_installs_is_updated_and_leaves_nothing() {
    let sandbox = Sandbox::new();
    describe(&sandbox);
    sandbox.release("1.0", &[]);
    let archive = ship(&sandbox, "1.0", &[]);
    assert!(
        text(&archive).ends_with("/app-1.0-installer.tar.gz"),
        "{archive:?}"
    );
    let user = User::new();
    let installed = user.install(&archive);
    assert!(installed.status.success(), "{installed:?}");
    assert_eq!(user.start()["version"], "1.0");
    for version in ["1.1", "1.2", "1.3"] {
        sandbox.release(version, &[]);
        assert_eq!(user.start()["version"], version);
    }
    let share = user.home().join(".local/share");
    let entry = fs::read_to_string(share.join("applications/app.desktop")).unwrap();
    for line in [
        "Name=My App",
        "Icon=app",
        "Comment=Takes pictures",
        "Categories=Graphics;",
    ] {
        assert!(entry.lines().any(|it| it == line), "{line}: {entry}");
    }
    let program = text(&user.home()).replace('"', "\\\\\"") + "/.local/lib/app/program";
    assert!(entry.contains(&format!("Exec=\"{program}\"\n")), "{entry}");
    let icon = fs::read(share.join("icons/hicolor/64x64/apps/app.png"));
    assert_eq!(icon.unwrap(), PICTURE);

    // The first installer once more: what is the user's stays, and what is known of the
    // repository.
    let app = user.home().join(".local/lib/app/app");
    fs::write(app.join("mine.txt"), "mine").unwrap();
    let state = user.home().join(".local/lib/app/.notsotuf");
    let known = fs::read(state.join("metadata/timestamp.json")).unwrap();
    let installed = user.install(&archive);
    assert!(installed.status.success(), "{installed:?}");
    assert!(app.join("mine.txt").exists());
    assert_eq!(
        fs::read(state.join("metadata/timestamp.json")).unwrap(),
        known
    );
    assert_eq!(user.start()["version"], "1.3");

    // Not without being asked, and nobody can be asked here.
    assert_eq!(user.uninstall(&[]).status.code(), Some(1));
    assert_eq!(user.start()["version"], "1.3");
    let removed = user.uninstall(&["--yes"]);
    assert!(removed.status.success(), "{removed:?}");
    assert_eq!(user.files(), [".local/lib/app/app/mine.txt"]);

    // Over what was left of that.
    assert!(user.install(&archive).status.success());
    assert_eq!(user.start()["version"], "1.3");
    assert!(user.uninstall(&["--yes", "--purge"]).status.success());
    assert_eq!(user.files(), [""; 0]);
}

#[test]
fn nothing_is_replaced_or_removed_while_the_application_runs() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let archive = ship(&sandbox, "1.0", &["tar"]);
    let user = User::new();
    assert!(user.install(&archive).status.success());
    let before = user.files();
    let mut command = user.command(&user.home().join(".local/bin/program"));
    command.args(["--sleep", "60"]).stdout(Stdio::piped());
    let mut application = command.spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(application.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    for refused in [user.install(&archive), user.uninstall(&["--yes"])] {
        assert_eq!(refused.status.code(), Some(5), "{refused:?}");
        let said = String::from_utf8_lossy(&refused.stderr);
        assert!(said.contains("running"), "{said}");
    }
    application.kill().unwrap();
    application.wait().unwrap();
    let left: Vec<_> = before
        .iter()
        .filter(|file| !user.files().contains(file))
        .collect();
    assert_eq!(left, [""; 0]);
    assert!(user.uninstall(&["--yes"]).status.success());
    assert_eq!(user.files(), [""; 0]);
}

#[test]
fn a_damaged_install_is_replaced_and_removed() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let archive = ship(&sandbox, "1.0", &["tar"]);
    let user = User::new();
    let folder = user.home().join(".local/lib/app");
    let damage = |what: &str| {
        assert!(user.install(&archive).status.success(), "{what}");
        let state = folder.join(".notsotuf");
        match what {
            "record" => fs::write(folder.join("app/.notsotuf-release"), "").unwrap(),
            "settings" => fs::write(folder.join("notsotuf.toml"), "nonsense").unwrap(),
            "updater" => fs::write(folder.join("program"), "nonsense").unwrap(),
            "state" => {
                user.start();
                fs::remove_dir_all(&state).unwrap();
                fs::write(&state, "a file").unwrap();
            }
            _ => unreachable!(),
        }
    };
    for what in ["record", "settings", "updater", "state"] {
        // The next round installs over the damage of this.
        damage(what);
        let again = user.install(&archive);
        assert!(again.status.success(), "{what}: {again:?}");
        assert_eq!(user.start()["version"], "1.0", "{what}");
        damage(what);
        let removed = user.uninstall(&["--yes", "--purge"]);
        assert!(removed.status.success(), "{what}: {removed:?}");
        assert_eq!(user.files(), [""; 0], "{what}");
    }
}

#[test]
fn an_installer_goes_where_it_is_told_to_and_nowhere_else() {
    let sandbox = Sandbox::new();
    describe(&sandbox);
    sandbox.release("1.0", &[]);
    let archive = ship(&sandbox, "1.0", &["tar"]);
    let user = User::new();
    // Where `cd` would look first.
    let elsewhere = user.home().join("elsewhere");
    fs::create_dir_all(elsewhere.join("place")).unwrap();
    let top = user.unpack(&archive);
    let precious = user.home().join("precious");
    fs::write(&precious, "precious").unwrap();
    for path in [
        "applications/app.desktop",
        "icons/hicolor/64x64/apps/app.png",
    ] {
        let path = user.home().join("place/share").join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::os::unix::fs::symlink(&precious, &path).unwrap();
    }
    let own = Command::new("chown")
        .arg("-R")
        .arg("65534:65534")
        .arg(user.home())
        .status();
    assert!(!is_root() || own.unwrap().success());
    let mut install = user.command(&top.join("install.sh"));
    install
        .current_dir(user.home())
        .env("CDPATH", &elsewhere)
        .args(["--prefix", "place"]);
    let done = run(&mut install);
    assert!(done.status.success(), "{done:?}");
    assert!(user.home().join("place/lib/app/program").exists());
    assert_eq!(fs::read_dir(elsewhere.join("place")).unwrap().count(), 0);
    assert_eq!(fs::read(&precious).unwrap(), b"precious");
    if is_root() {
        // Another user's folders.
        let mut install = Command::new(top.join("install.sh"));
        install.env("HOME", user.home());
        for prefix in [&[][..], &["--prefix", text(&user.home().join("place"))]] {
            let done = run(install.args(prefix));
            let said = String::from_utf8_lossy(&done.stderr);
            assert!(
                !done.status.success() && said.contains("another user"),
                "{said}"
            );
        }
        assert!(!user.home().join(".local").exists());
    }
}

#[test]
fn the_same_folder_makes_the_same_installers() {
    let sandbox = Sandbox::new();
    describe(&sandbox);
    sandbox.release("1.0", &[]);
    for kind in ["tar", "deb"] {
        let one = fs::read(ship(&sandbox, "1.0", &[kind])).unwrap();
        let first = sandbox.path(&format!("shipped-1.0-{kind}"));
        fs::remove_dir_all(&first).unwrap();
        for entry in fs::read_dir(sandbox.path("")).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && text(&path).contains("app") {
                fs::remove_file(path).unwrap();
            }
        }
        assert!(
            one == fs::read(ship(&sandbox, "1.0", &[kind])).unwrap(),
            "{kind}"
        );
    }
}

#[test]
fn a_package_for_debian_is_updated_by_the_package_manager_alone() {
    let sandbox = Sandbox::new();
    describe(&sandbox);
    sandbox.release("1.0", &[]);
    let package = ship(&sandbox, "1.0", &["deb"]);
    if Command::new("dpkg-deb").arg("--version").output().is_err() {
        eprintln!("skipped: there is no dpkg-deb here");
        return;
    }
    let dpkg = |arguments: &[&str]| {
        let output = run(Command::new("dpkg-deb").args(arguments));
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let fields = dpkg(&["--field", text(&package)]);
    for field in [
        "Package: app",
        "Version: 1.0",
        "Maintainer: Jane Doe <jane@example.com>",
    ] {
        assert!(
            fields.lines().any(|line| line == field),
            "{field}: {fields}"
        );
    }
    let listed = dpkg(&["--contents", text(&package)]);
    for part in ["root/root", "usr/bin/program -> /opt/app/program"] {
        assert!(listed.contains(part), "{part}: {listed}");
    }
    let system = sandbox.path("system");
    dpkg(&["--extract", text(&package), text(&system)]);
    assert!(
        system
            .join("usr/share/icons/hicolor/64x64/apps/app.png")
            .exists()
    );
    let entry = fs::read_to_string(system.join("usr/share/applications/app.desktop"));
    assert!(entry.unwrap().contains("Exec=\"/opt/app/program\"\n"));
    sandbox.release("1.1", &[]);
    let said = json(&mut Command::new(system.join("opt/app/program")));
    assert_eq!(said["version"], "1.0", "updates are off");
    if is_root() {
        installs_by_dpkg(&sandbox, &package);
    }
}

/// In a folder that takes the place of the system's root.
fn installs_by_dpkg(sandbox: &Sandbox, package: &Path) {
    let system = sandbox.path("installed");
    let database = system.join("var/lib/dpkg");
    for folder in ["info", "updates"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    // There is no libc6.
    fs::write(database.join("status"), "").unwrap();
    let dpkg = |arguments: &[&str]| {
        let mut dpkg = Command::new("dpkg");
        dpkg.arg(format!("--root={}", text(&system)));
        dpkg.args(["--force-script-chrootless", "--force-depends"]);
        let output = run(dpkg.args(arguments));
        assert!(output.status.success(), "{output:?}");
    };
    dpkg(&["--install", text(package)]);
    let home = system.join("opt/app");
    let said = json(&mut Command::new(home.join("program")));
    assert_eq!(said["version"], "1.0");
    // As a start by root leaves it.
    fs::create_dir_all(home.join(".notsotuf")).unwrap();
    dpkg(&["--remove", "app"]);
    assert!(!home.exists());
}

#[test]
fn what_is_missing_or_does_not_fit_is_named() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let refused = |kind: &str, words: &[&str]| {
        let output = sandbox.path(&format!("shipped-{kind}"));
        let arguments = ["ship", "--output", text(&output), "--installer", kind];
        let done = run(&mut sandbox.command(&arguments));
        let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
        assert!(!done.status.success(), "{said}");
        assert!(words.iter().all(|word| said.contains(word)), "{said}");
        assert!(!output.exists(), "it is complete or not there at all");
    };
    refused("setup", &["for Windows", "program"]);
    refused("deb", &["maintainer", "[installer]"]);
    // Nor is there the other one, which could be made.
    let both = sandbox.path("shipped-both");
    let arguments = ["ship", "--output", text(&both)];
    let kinds = ["--installer", "tar", "--installer", "deb"];
    let done = run(&mut sandbox.command(&[&arguments[..], &kinds].concat()));
    assert_eq!(done.status.code(), Some(1), "{done:?}");
    let beside: Vec<_> = fs::read_dir(both.parent().unwrap()).unwrap().collect();
    let beside = beside.into_iter().map(|entry| entry.unwrap().file_name());
    let beside: Vec<_> = beside.map(|name| name.into_string().unwrap()).collect();
    let debris = |name: &String| name.contains("installer") || name.starts_with(".ship-");
    assert!(!both.exists() && !beside.iter().any(debris), "{beside:?}");
    let settings = sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).unwrap();
    for (more, words) in [
        ("icon = 'none.png'", &["icon", "none.png"][..]),
        ("icon = 'notsotuf-project.toml'", &["icon", "neither"]),
        ("colour = 'red'", &["colour"]),
    ] {
        fs::write(&settings, format!("{before}\n[installer]\n{more}\n")).unwrap();
        refused("tar", words);
    }
    let script = sandbox.path("installer.nsi");
    sandbox.bundler(&["ship", "--write-script", text(&script)]);
    assert!(
        fs::read_to_string(&script)
            .unwrap()
            .contains("WriteUninstaller")
    );
}

#[test]
fn without_nsis_there_is_a_word_about_it() {
    let sandbox = Sandbox::new();
    let bundle = sandbox.path("bundle");
    fs::create_dir(&bundle).unwrap();
    write_windows_program(&bundle.join("program.exe"));
    fs::write(bundle.join("data"), "data").unwrap();
    sandbox.add("1.0", &bundle, &[]);
    sandbox.bundler(&["publish"]);
    let stub = sandbox.path("stub.exe");
    write_windows_stub(&stub);
    let output = sandbox.path("shipped");
    let ship = [
        "ship",
        "--output",
        text(&output),
        "--stub",
        text(&stub),
        "--installer",
    ];
    let mut command = sandbox.command(&ship);
    let done = run(command.env("MAKENSIS", sandbox.path("none")));
    let said = String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned();
    assert!(
        !done.status.success() && said.contains("install NSIS"),
        "{said}"
    );
    assert!(!output.exists());
    for title in ["${NSISDIR}", "$%HOME%"] {
        let done = run(sandbox.command(&ship).args(["--title", title]));
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(
            said.contains("NSIS would read") && said.contains(title),
            "{said}"
        );
        assert!(!output.exists());
    }
}
