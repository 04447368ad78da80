//! The program that the TUF conformance suite runs, over real HTTP.

use notsotuf_tests::{Sandbox, bundle, program, run};
use std::fs;
use std::process::Command;

struct Client<'a> {
    sandbox: &'a Sandbox,
}

impl Client<'_> {
    fn run(&self, args: &[&str]) -> i32 {
        let url = self.sandbox.url();
        let mut command = Command::new(program("conformance"));
        command
            .arg("--metadata-dir")
            .arg(self.sandbox.path("metadata"));
        command.arg("--metadata-url").arg(format!("{url}/metadata"));
        command
            .arg("--target-base-url")
            .arg(format!("{url}/targets"));
        command
            .arg("--target-dir")
            .arg(self.sandbox.path("targets"));
        run(command.args(args)).status.code().unwrap()
    }

    fn init(&self) -> i32 {
        let root = self.sandbox.repository().join("metadata/1.root.json");
        let mut command = Command::new(program("conformance"));
        command
            .arg("--metadata-dir")
            .arg(self.sandbox.path("metadata"));
        run(command.arg("init").arg(root)).status.code().unwrap()
    }

    fn stored(&self, folder: &str) -> Vec<String> {
        let list = fs::read_dir(self.sandbox.path(folder)).unwrap();
        let names = list.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<_> = names
            .filter(|name| !name.ends_with(".etag") && name != "root.chain")
            .collect();
        names.sort();
        names
    }
}

#[test]
fn init_and_refresh_and_download_do_what_the_suite_expects() {
    let sandbox = Sandbox::new();
    sandbox.add("1.0", &bundle("onefile-1.0"), &[]);
    sandbox.bundler(&["publish"]);
    let server = sandbox.server.as_ref().unwrap();
    let client = Client { sandbox: &sandbox };
    server.requests();
    assert_eq!(client.init(), 0);
    assert_eq!(server.requests(), Vec::<String>::new());
    assert_eq!(client.stored("metadata"), ["root.json"]);
    assert_eq!(client.run(&["refresh"]), 0);
    let roles = [
        "root.json",
        "snapshot.json",
        "targets.json",
        "timestamp.json",
    ];
    assert_eq!(client.stored("metadata"), roles);
    let one = ["--target-name", "app-1.0.tar.gz", "download"];
    assert_eq!(client.run(&one), 0);
    assert_eq!(client.stored("targets"), ["app-1.0.tar.gz"]);
    server.requests();
    assert_eq!(client.run(&one), 0);
    assert!(
        !server
            .requests()
            .iter()
            .any(|line| line.contains("/targets/"))
    );
    // What is there and is something else is replaced.
    fs::write(sandbox.path("targets/app-1.0.tar.gz"), "something else").unwrap();
    assert_eq!(client.run(&one), 0);
    assert!(
        fs::metadata(sandbox.path("targets/app-1.0.tar.gz"))
            .unwrap()
            .len()
            > 1000
    );
}

#[test]
fn targets_are_downloaded_up_to_the_first_that_fails() {
    let sandbox = Sandbox::new();
    sandbox.add("1.0", &bundle("onefile-1.0"), &[]);
    sandbox.add("1.1", &bundle("onefile-1.1"), &["--skip-patch"]);
    sandbox.bundler(&["publish"]);
    let client = Client { sandbox: &sandbox };
    client.init();
    let (first, last) = ("app-1.0.tar.gz", "app-1.1.tar.gz");
    let args = [
        "--target-name",
        first,
        "--target-name",
        "none",
        "--target-name",
        last,
        "download",
    ];
    assert_eq!(client.run(&args), 1);
    assert_eq!(client.stored("targets"), [first]);
    let args = ["--target-name", first, "--target-name", last, "download"];
    assert_eq!(client.run(&args), 0);
    assert_eq!(client.stored("targets"), [first, last]);
    // A damaged file is not accepted and not left behind.
    let targets = sandbox.repository().join("targets");
    for entry in fs::read_dir(&targets).unwrap() {
        fs::write(entry.unwrap().path(), "damaged").unwrap();
    }
    fs::remove_dir_all(sandbox.path("targets")).unwrap();
    assert_eq!(client.run(&["--target-name", first, "download"]), 1);
    assert_eq!(client.stored("targets"), Vec::<String>::new());
}
