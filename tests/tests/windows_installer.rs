//! The installer for Windows, under wine: silent install, three updates, another installer over
//! it, uninstall. scripts/test-windows.

#![cfg(target_os = "linux")]

use notsotuf_tests::signer::Signer;
use notsotuf_tests::windows_install::WindowsInstall;
use notsotuf_tests::wine::{built, on_drive, windows_bundle, wine};
use notsotuf_tests::{json, run, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// An application that is not installed yet, with a title that has special characters.
struct Product {
    install: WindowsInstall,
    setup: PathBuf,
    /// Where the user has it.
    folder: PathBuf,
    signer: Signer,
}

const TITLE: &str = "Föto & Joe's $Desk";

impl Product {
    fn new() -> Self {
        let mut install = WindowsInstall::new("windowed");
        let stub = built("notsotuf-stub.exe");
        // Letters that mean something to NSIS, or to a shell.
        let output = install.sandbox.path("it's $x/shipped");
        // Only now: `add` would sign the bundles, which all tests share.
        let signer = Signer::new(&install.sandbox.path(""));
        let settings = install.sandbox.path("project/notsotuf-project.toml");
        let before = fs::read_to_string(&settings).unwrap();
        let id = "[client]\nsettings = { app_user_model_id = 'Example.Desk' }";
        let with_id = before.replace("[client]", id);
        assert!(with_id != before);
        fs::write(&settings, signer.settings(&with_id)).unwrap();
        let ship = [
            "ship",
            "--title",
            TITLE,
            "--stub",
            text(&stub),
            "--installer",
        ];
        let shipped = install
            .sandbox
            .bundler(&[&ship[..], &["--output", text(&output)]].concat());
        fs::write(&settings, before).unwrap();
        let setup = PathBuf::from(shipped["installers"][0].as_str().unwrap());
        let prefix = PathBuf::from(std::env::var("WINEPREFIX").unwrap());
        let users = fs::read_dir(prefix.join("drive_c/users")).unwrap();
        let local = users
            .map(|user| user.unwrap().path().join("AppData/Local"))
            .find(|local| local.is_dir())
            .unwrap();
        let folder = local.join("Programs").join(TITLE);
        install.folder = folder.clone();
        Product {
            install,
            setup,
            folder,
            signer,
        }
    }

    fn set_up(&self) -> Option<i32> {
        silently(&mut wine(&self.setup))
    }

    /// Uninstalls, and waits until the uninstaller, which goes on as a copy, has done it.
    fn uninstall(&self) {
        silently(&mut wine(&self.folder.join("uninstall.exe")));
        let begun = Instant::now();
        while self.entry("DisplayName").is_some() {
            assert!(
                begun.elapsed() < Duration::from_secs(60),
                "{:?}",
                self.left()
            );
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    /// What the list of installed programs says.
    fn entry(&self, value: &str) -> Option<String> {
        let mut query = wine(Path::new("reg"));
        let list = r"HKCU\Software\Microsoft\Windows\CurrentVersion\Uninstall\app";
        let output = run(query.args(["query", list, "/v", value]));
        let said = String::from_utf8_lossy(&output.stdout).replace('\r', "");
        let line = said
            .lines()
            .find(|line| line.trim_start().starts_with(value))?;
        // It has another encoding.
        let value = line.split_once("REG_SZ")?.1.trim();
        Some(value.replace('\u{fffd}', "ö"))
    }

    fn shortcuts(&self) -> Vec<PathBuf> {
        let user = self.folder.ancestors().nth(4).unwrap();
        let menu = user.join("AppData/Roaming/Microsoft/Windows/Start Menu/Programs");
        [menu, user.join("Desktop")]
            .map(|folder| folder.join(format!("{TITLE}.lnk")))
            .into()
    }

    /// What is in the install dir.
    fn left(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }
}

/// Without a window and without a pipe that wine's desktop might hold.
fn silently(command: &mut Command) -> Option<i32> {
    command
        .arg("/S")
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().unwrap().code()
}

#[test]
#[ignore = "scripts/test-windows"]
fn an_installer_installs_is_updated_and_leaves_nothing() {
    let product = Product::new();
    let install = &product.install;
    assert_eq!(product.set_up(), Some(0));
    assert_eq!(install.version(), "1.0");
    assert_eq!(product.entry("DisplayName").as_deref(), Some(TITLE));
    assert_eq!(product.entry("DisplayVersion").as_deref(), Some("1.0"));
    assert!(product.shortcuts().iter().all(|link| link.is_file()));
    for program in [&product.setup, &product.folder.join("uninstall.exe")] {
        assert!(product.signer.verifies(program), "{program:?}");
    }
    for (version, add) in [("1.1", &[][..]), ("1.2", &["--skip-patch"])] {
        install.release(version, add);
        assert_eq!(install.version(), version, "{}", install.log());
        assert_eq!(product.entry("DisplayVersion").as_deref(), Some(version));
    }
    let newest = windows_bundle("1.1", "windowed");
    install.sandbox.add("1.3", &newest, &[]);
    install.sandbox.bundler(&["publish"]);
    assert_eq!(install.version(), "1.1", "{}", install.log());
    assert_eq!(product.entry("DisplayVersion").as_deref(), Some("1.3"));
    // Back, and what the list shows with it.
    let said = json(install.stub().args(["--updater", "rollback", "--json"]));
    assert_eq!(said["version"], "1.2", "{said}");
    assert_eq!(product.entry("DisplayVersion").as_deref(), Some("1.2"));

    // The installer of 1.0 over it.
    let mine = product.folder.join("app/mine.txt");
    fs::write(&mine, "mine").unwrap();
    let known = product.folder.join(".notsotuf/metadata/timestamp.json");
    let before = fs::read(&known).unwrap();
    assert_eq!(product.set_up(), Some(0));
    assert!(mine.exists());
    assert_eq!(fs::read(&known).unwrap(), before);
    assert_eq!(product.entry("DisplayVersion").as_deref(), Some("1.0"));
    assert!(!product.left().iter().any(|name| name.starts_with("setup-")));
    let settings = product.folder.join("notsotuf.toml");
    let online = fs::read_to_string(&settings).unwrap();
    fs::write(
        &settings,
        online.replace("mode = \"before-launch\"", "mode = \"off\""),
    )
    .unwrap();
    assert_eq!(install.version(), "1.0", "{}", install.log());

    product.uninstall();
    assert_eq!(product.left(), ["app"]);
    let left: Vec<_> = fs::read_dir(product.folder.join("app")).unwrap().collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(mine.exists());
    fs::remove_file(&mine).unwrap();
    assert_eq!(product.set_up(), Some(0));
    product.uninstall();
    assert!(!product.folder.exists(), "{:?}", product.left());
    assert!(!product.shortcuts().iter().any(|link| link.exists()));

    // While it runs, nothing is touched.
    assert_eq!(product.set_up(), Some(0));
    let report = install.sandbox.path("running");
    let mut command = install.stub();
    command
        .env("PROGRAM_REPORT", on_drive(&report))
        .args(["--sleep", "60"]);
    let mut application = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let begun = Instant::now();
    while !report.exists() {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "{}",
            install.log()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(product.set_up(), Some(5));
    silently(&mut wine(&product.folder.join("uninstall.exe")));
    std::thread::sleep(Duration::from_secs(3));
    assert!(product.folder.join("app").join(install.program()).exists());
    assert!(product.entry("DisplayName").is_some());
    application.kill().unwrap();
    application.wait().unwrap();
    product.uninstall();
    assert!(!product.folder.exists(), "{:?}", product.left());
}
