//! Every command that the documentation shows is run, in its order, as it
//! stands there but for names of servers and folders.

mod github;
mod links;

use notsotuf_tests::daemons::S3;
use notsotuf_tests::github::GitHub;
use notsotuf_tests::{
    Server, copy_tree, program, root, run, write_windows_program, write_windows_stub,
};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Whatever begins with one of these, in a block of code, is a command.
const PROGRAMS: [&str; 14] = [
    "notsotuf",
    "pyinstaller",
    "pyupdater",
    "echo",
    "cp",
    "cd",
    "cargo",
    "HelloApp/hello",
    "scripts/demo",
    "scripts/test",
    "sed",
    "tar",
    "notepad-1.0-installer/install.sh",
    "~/.local/lib/notepad/uninstall.sh",
];

/// A folder in which the commands of a document are run.
struct Scene {
    folder: tempfile::TempDir,
    replaced: Vec<(&'static str, String)>,
    /// What runs beside.
    background: Vec<Child>,
    repository: Server,
    /// What stands in for GitHub, if that is used.
    github: Option<GitHub>,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["repository", "served/rsync", "media/dave"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        let repository = Server::start(&folder.path().join("repository"));
        let served = |name: &str| folder.path().join("served").join(name);
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let replaced = vec![
            ("https://example.com/updates", repository.url.clone()),
            ("s3://bucket/updates", text(served("bucket"))),
            (
                "rsync:user@host:/srv/www",
                format!("rsync:{}", text(served("rsync"))),
            ),
            ("/srv/www/updates", text(served("www"))),
            ("/media/dave", text(folder.path().join("media/dave"))),
        ];
        Scene {
            folder,
            replaced,
            background: Vec::new(),
            repository,
            github: None,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn replace(mut self, from: &'static str, to: &str) -> Self {
        self.replaced.push((from, to.into()));
        self
    }

    fn command(&self, line: &str, folder: &Path) -> Command {
        let path = std::env::join_paths(folders_of_programs());
        let mut command = Command::new("sh");
        command
            .args(["-c", line])
            .current_dir(folder)
            .env("PATH", path.unwrap())
            // Its cache, which others use at the same time.
            .env("PYINSTALLER_CONFIG_DIR", self.path("pyinstaller"))
            .env("NOTSOTUF_PASSPHRASE", "correct horse");
        if let Some(github) = &self.github {
            github.point(&mut command);
        }
        command
    }

    /// Runs the commands of a document, but for those in `skipped`.
    fn run(&mut self, document: &str, skipped: &[&str]) {
        let mut skipped = skipped.to_vec();
        let mut folder = self.path("");
        for (shown, says) in commands(document) {
            if let Some(at) = skipped.iter().position(|skip| *skip == shown) {
                skipped.remove(at);
                continue;
            }
            let mut line = shown.clone();
            for (from, to) in &self.replaced {
                line = line.replace(from, to);
            }
            if let Some(name) = line.strip_prefix("cd ") {
                folder = folder.join(name);
                continue;
            }
            if line.starts_with("notsotuf serve") {
                let mut command = self.command(&format!("exec {line}"), &folder);
                let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn();
                let mut child = child.unwrap();
                // It says where it listens once it does.
                let mut said = String::new();
                let out = child.stdout.as_mut().unwrap();
                std::io::BufRead::read_line(&mut std::io::BufReader::new(out), &mut said).unwrap();
                self.background.push(child);
                continue;
            }
            // It asks, on a terminal.
            if line.starts_with("notsotuf sign") {
                line = format!("echo y | script -qec '{line}' /dev/null");
            }
            let mut command = self.command(&line, &folder);
            let done = run(&mut command);
            assert!(
                done.status.success(),
                "{document}: {shown}\n{line}: {done:?}"
            );
            // What the document says it says.
            if let Some(says) = says {
                let out = String::from_utf8_lossy(&done.stdout).into_owned();
                let log = self.path("HelloApp/.notsotuf/log");
                let log = fs::read_to_string(log).unwrap_or_default();
                assert_eq!(out.trim(), says, "{shown}: {log}");
            }
        }
        assert!(
            skipped.is_empty(),
            "{document} does not show {skipped:?} any more"
        );
    }
}

/// Where commands find programs: those of this build and what they need, or, for
/// scripts/test-wheel, an environment that has all of it.
fn folders_of_programs() -> Vec<PathBuf> {
    let ours = match std::env::var_os("NOTSOTUF_PROGRAMS") {
        Some(installed) => vec![installed.into()],
        None => vec![
            program("notsotuf").parent().unwrap().to_path_buf(),
            root().join(".venv/bin"),
            root().join(".work/venv-pyupdater/bin"),
            "/usr/local/bin".into(),
        ],
    };
    ours.into_iter()
        .chain(["/usr/bin".into(), "/bin".into()])
        .collect()
}

impl Drop for Scene {
    fn drop(&mut self) {
        for child in &mut self.background {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

/// Without what is said about them; and what they print, which a comment
/// `# This is …` says.
fn commands(document: &str) -> Vec<(String, Option<String>)> {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let code = text.lines().filter_map(|line| line.strip_prefix("    "));
    code.filter(|line| PROGRAMS.iter().any(|p| line.split(' ').next() == Some(p)))
        .map(|line| {
            let says = line.split_once("# This is");
            let bare = line.split("  #").next().unwrap().trim();
            (
                bare.to_owned(),
                says.map(|(_, says)| format!("This is{says}")),
            )
        })
        .collect()
}

const SPEC: &str = "\
a = Analysis(['myapp.py'])
pyz = PYZ(a.pure)
exe = EXE(pyz, a.scripts, exclude_binaries=True, name='myapp')
coll = COLLECT(exe, a.binaries, a.datas, name='myapp')
";

fn application(scene: &Scene) {
    scene.write("myapp.py", "print('myapp')");
    scene.write("myapp.spec", SPEC);
    scene.write("NOTES.md", "# 2.0\n\n- Faster start\n");
}

/// The folder of a PyUpdater repository, called `myapp`.
fn pyupdater(scene: &Scene) {
    let old = scene.path("myapp");
    copy_tree(&root().join(".work/bundles/pyupdater"), &old);
    let done = run(&mut scene.command("pyupdater pkg --process --sign", &old));
    assert!(done.status.success(), "{done:?}");
    // What was released with it has a program of another name than that of the
    // documents, and `add` would ask for it.
    let spec = SPEC.replace(
        "exclude_binaries=True, name='myapp'",
        "exclude_binaries=True, name='program'",
    );
    scene.write("myapp.spec", &spec);
}

#[test]
fn the_tutorial_works_as_it_stands() {
    let free = notsotuf_tests::daemons::free_address();
    let port = free.split(':').next_back().unwrap();
    let mut scene = Scene::new().replace("8000", port);
    scene.run("docs/tutorial.md", &[]);
}

#[test]
fn the_tutorial_of_windows_works_as_it_stands() {
    let free = notsotuf_tests::daemons::free_address();
    let port = free.split(':').next_back().unwrap();
    let (example, home) = (root().join("examples/tkinter"), Scene::new());
    let home = home.path("home").to_str().unwrap().to_owned();
    let mut scene = Scene::new()
        .replace("examples/tkinter", example.to_str().unwrap())
        .replace("~/.local", &home)
        .replace("8000", port);
    // It opens windows; tests/tests/rehearsal.rs tries one without.
    scene.run(
        "docs/tutorial-window.md",
        &["notsotuf rehearse dist/notepad"],
    );
    // The uninstaller has removed what the installer made.
    assert!(!Path::new(&home).join("lib/notepad").exists());
    assert!(scene.path("notepad/notepad-1.0-installer").is_dir());
}

#[test]
fn the_readme_works_as_it_stands() {
    let mut scene = Scene::new();
    application(&scene);
    // They run all this, or are run by whoever runs this.
    scene.run("README.md", &["scripts/demo", "scripts/test"]);
    assert!(scene.path("MyApp-1.0/notsotuf.toml").exists());
}

/// The first thing that anybody reads stays short.
#[test]
fn the_readme_has_one_page_and_no_long_lines() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    assert!(text.lines().count() <= 120);
    let long: Vec<_> = text
        .lines()
        .filter(|line| line.chars().count() > 120)
        .collect();
    assert!(long.is_empty(), "{long:#?}");
}

#[test]
fn making_releases_works_as_it_stands() {
    let mut scene = Scene::new();
    application(&scene);
    scene.run("docs/how-to/release.md", &[]);
    assert!(scene.path("MyApp-1.0/notsotuf.toml").exists());
}

#[test]
fn testing_your_update_works_as_it_stands() {
    let mut scene = Scene::new();
    released(&scene, "notsotuf add 1.0 dist/myapp");
    scene.run("docs/how-to/test-your-update.md", &[]);
}

#[test]
fn sharing_keys_works_as_it_stands() {
    let mut scene = Scene::new();
    released(&scene, "notsotuf add 1.0 dist/myapp");
    scene.run("docs/how-to/keys.md", &[]);
    let requests = scene.repository.requests();
    assert!(
        requests.iter().any(|line| line.contains("timestamp.json")),
        "{requests:?}"
    );
}

/// A project with a release, as the other documents take for granted.
fn released(scene: &Scene, add: &str) {
    application(scene);
    for line in [
        "pyinstaller myapp.spec",
        "notsotuf init --app myapp --url https://example.com/updates --plain",
        add,
        "notsotuf publish",
    ] {
        let line = line.replace("https://example.com/updates", &scene.repository.url);
        let done = run(&mut scene.command(&line, &scene.path("")));
        assert!(done.status.success(), "{line}: {done:?}");
    }
}

#[test]
fn hosting_works_as_it_stands() {
    let mut scene = Scene::new();
    released(&scene, "notsotuf add 1.0 dist/myapp");
    let settings = scene.path("notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let upload = format!("upload = \"{}\"", scene.path("repository-copy").display());
    fs::write(
        &settings,
        text.replace("# upload = \"s3://bucket/prefix\"", &upload),
    )
    .unwrap();
    // It has a document, and a test, of its own.
    let github = ["notsotuf upload github:me/myapp"];
    scene.run("docs/how-to/hosting.md", &github);
    for place in [
        "served/bucket",
        "served/www",
        "served/rsync/updates",
        "repository-copy",
    ] {
        let timestamp = scene.path(place).join("metadata/timestamp.json");
        assert!(timestamp.exists(), "{timestamp:?}");
    }
}

/// What the steps of a workflow run, and the names of its secrets.
struct Workflow {
    runs: Vec<String>,
    secrets: Vec<String>,
}

/// The workflow called `name` in the document.
fn workflow(document: &str, name: &str) -> Workflow {
    let text = fs::read_to_string(root().join(document)).unwrap();
    let code = text.lines().map(|line| line.strip_prefix("    "));
    let mut lines = code
        .skip_while(|line| *line != Some(&format!("name: {name}")))
        .map_while(|line| line)
        .peekable();
    let (mut runs, mut secrets) = (Vec::new(), Vec::new());
    while let Some(line) = lines.next() {
        if let Some((_, secret)) = line.split_once("secrets.") {
            secrets.push(secret.split(' ').next().unwrap().to_owned());
        }
        let Some(run) = line.trim_start().strip_prefix("- run: ") else {
            continue;
        };
        if run != "|" {
            runs.push(run.to_owned());
            continue;
        }
        let indent = |line: &str| line.len() - line.trim_start().len();
        let depth = indent(lines.peek().unwrap());
        let mut script = Vec::new();
        while let Some(line) = lines.next_if(|line| indent(line) >= depth) {
            script.push(line.trim());
        }
        runs.push(script.join("\n"));
    }
    Workflow { runs, secrets }
}

/// A local S3 server, and what an attacker who can write to it changes.
struct Bucket {
    server: S3,
    folder: PathBuf,
}

impl Bucket {
    fn start(folder: &Path) -> Self {
        Bucket {
            server: S3::start(folder, Some(["secret", "secret"])),
            folder: folder.join("bucket/updates"),
        }
    }

    fn targets(&self) -> PathBuf {
        let files = fs::read_dir(self.folder.join("metadata")).unwrap();
        let names = files.map(|entry| entry.unwrap().path());
        let mut names: Vec<_> = names
            .filter(|path| path.to_str().unwrap().ends_with(".targets.json"))
            .collect();
        names.sort();
        names.pop().unwrap()
    }

    /// Without a key.
    fn tamper(&self) -> (PathBuf, String) {
        let path = self.targets();
        let sound = fs::read_to_string(&path).unwrap();
        fs::write(&path, sound.replace("myapp-1.0", "myapp-6.6")).unwrap();
        (path, sound)
    }
}

/// One run of a workflow, in a fresh checkout of `application`: the exit code
/// of the last step. `skip` are steps that need the network.
fn run_workflow(
    scene: &Scene,
    place: &dyn Fn(&mut Command),
    flow: &Workflow,
    tag: &str,
    skip: &[&str],
) -> Option<i32> {
    let checkout = scene.path("checkout");
    drop(fs::remove_dir_all(&checkout));
    let cloned = run(Command::new("git")
        .args(["clone", "-q"])
        .args([scene.path("application"), checkout.clone()]));
    assert!(cloned.status.success(), "{cloned:?}");
    for script in &flow.runs {
        if skip.iter().any(|skip| script.starts_with(skip)) {
            continue;
        }
        // GitHub runs them so.
        let mut command = scene.command(&format!("set -e\n{script}"), &checkout);
        for secret in &flow.secrets {
            let value = match (secret.as_str(), secret.strip_prefix("KEY_")) {
                (_, Some(key)) => {
                    let name = format!("updates/keystore/{}.pem", key.to_lowercase());
                    fs::read_to_string(scene.path("application").join(name)).unwrap()
                }
                ("NOTSOTUF_PASSPHRASE", _) => "correct horse".into(),
                _ => "secret".into(),
            };
            command.env(secret, value);
        }
        place(&mut command);
        command.env("GITHUB_REF_NAME", tag);
        let done = run(&mut command);
        if !done.status.success() {
            eprintln!("{script}: {}", String::from_utf8_lossy(&done.stderr));
            return done.status.code();
        }
    }
    Some(0)
}

/// The workflows as they stand, against a local S3 server, with somebody who
/// changes what is in the bucket in between.
#[test]
fn the_workflows_of_hosting_work_and_sign_nothing_that_was_smuggled_in() {
    let scene = Scene::new();
    let bucket = Bucket::start(&scene.path("store"));
    fs::create_dir_all(&bucket.folder).unwrap();
    let server = Server::start(&bucket.folder);
    // The project is in the repository of the application, as the text says.
    let application_folder = scene.path("application");
    fs::create_dir_all(application_folder.join("updates")).unwrap();
    application(&scene);
    for name in ["myapp.py", "myapp.spec", "NOTES.md"] {
        fs::rename(scene.path(name), application_folder.join(name)).unwrap();
    }
    let line = |line: &str| {
        let mut command = scene.command(line, &application_folder);
        bucket
            .server
            .point(&mut command)
            .env("AWS_ACCESS_KEY_ID", "secret")
            .env("AWS_SECRET_ACCESS_KEY", "secret");
        let done = run(&mut command);
        assert!(done.status.success(), "{line}: {done:?}");
    };
    line("pyinstaller myapp.spec");
    line(&format!(
        "notsotuf -C updates init --app myapp --url {}",
        server.url
    ));
    let settings = application_folder.join("updates/notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let text = text.replace(
        "# upload = \"s3://bucket/prefix\"",
        "upload = \"s3://bucket/updates\"",
    );
    fs::write(&settings, text).unwrap();
    for command in ["add 1.0 dist/myapp", "publish", "upload"] {
        line(&format!("notsotuf -C updates {command}"));
    }
    line(
        "git init -q . && git add myapp.py myapp.spec NOTES.md \
         updates/.gitignore updates/notsotuf-project.toml updates/notsotuf-root.json \
         updates/notsotuf-published.json updates/keystore && \
         git -c user.name=x -c user.email=x@example.com commit -qm start",
    );
    let release = workflow("docs/how-to/hosting.md", "release");
    let renew = workflow("docs/how-to/hosting.md", "renew");
    assert_eq!((release.runs.len(), renew.runs.len()), (4, 2));
    let skip = ["cargo install"];
    let place = |command: &mut Command| {
        bucket.server.point(command);
    };
    let go = |flow: &Workflow, tag: &str| run_workflow(&scene, &place, flow, tag, &skip);
    assert_eq!(go(&release, "v1.1"), Some(0));
    assert_eq!(go(&renew, ""), Some(0));
    // Somebody who can write to the bucket, and has no key.
    let (path, sound) = bucket.tamper();
    let before = fs::read(bucket.folder.join("metadata/timestamp.json")).unwrap();
    assert_eq!(go(&release, "v1.2"), Some(3));
    assert_eq!(go(&renew, ""), Some(3));
    let after = fs::read(bucket.folder.join("metadata/timestamp.json")).unwrap();
    assert!(before == after);
    fs::write(path, sound).unwrap();
    assert_eq!(go(&release, "v1.2"), Some(0));
    let listed = fs::read_to_string(bucket.targets()).unwrap();
    for version in ["1.0", "1.1", "1.2"] {
        assert!(listed.contains(&format!("myapp-{version}.tar.gz")));
    }
    assert!(!listed.contains("myapp-6.6"));
    // The packages that it would install are those that there are.
    let install = release
        .runs
        .iter()
        .find(|run| run.starts_with("cargo install"));
    let manifest = |package: &str| {
        let path = root().join(package).join("Cargo.toml");
        fs::read_to_string(path).unwrap()
    };
    let words: Vec<&str> = install.unwrap().split(' ').rev().take(2).collect();
    assert!(manifest("stub").contains(&format!("name = \"{}\"", words[0])));
    assert!(manifest("bundler").contains(&format!("name = \"{}\"", words[1])));
}

/// nginx takes the snippet, and does what the text says.
#[test]
fn nginx_takes_the_snippet_of_hosting() {
    let sandbox = notsotuf_tests::Sandbox::new();
    sandbox.release("1.0", &[]);
    let web = sandbox.path("web/updates");
    sandbox.bundler(&["upload", web.to_str().unwrap()]);
    let text = fs::read_to_string(root().join("docs/how-to/hosting.md")).unwrap();
    let lines = text.lines().filter_map(|line| line.strip_prefix("    "));
    let snippet: Vec<&str> = lines.filter(|line| line.starts_with("location")).collect();
    assert_eq!(snippet.len(), 2);
    let (address, place) = (
        notsotuf_tests::daemons::free_address(),
        sandbox.path("nginx"),
    );
    let folder = sandbox.path("web");
    let more = snippet.join("\n");
    let _nginx = notsotuf_tests::daemons::nginx(&sandbox, &folder, &place, &address, &more);
    let caching = |path: &str| {
        let url = format!("http://{address}/updates/{path}");
        let done = run(Command::new("curl").args(["-sfI", "--noproxy", "*", &url]));
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        assert!(said.contains(" 200 "), "{path}: {said}");
        let header = said
            .lines()
            .find_map(|line| line.strip_prefix("Cache-Control: "));
        header.map(|value| value.trim().to_owned())
    };
    let target = fs::read_dir(web.join("targets"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let target = format!("targets/{}", target.file_name().into_string().unwrap());
    let forever = Some("public, max-age=31536000, immutable".to_owned());
    assert_eq!(caching(&target), forever);
    assert_eq!(caching("metadata/1.snapshot.json"), forever);
    let shortly = Some("public, max-age=60".to_owned());
    assert_eq!(caching("metadata/timestamp.json"), shortly);
    assert_eq!(caching("metadata/root.json"), None);
}

#[test]
fn what_is_undone_works_as_it_stands() {
    let mut scene = Scene::new();
    released(&scene, "notsotuf add 1.0 dist/myapp");
    let settings = scene.path("notsotuf-project.toml");
    let text = fs::read_to_string(&settings).unwrap();
    let served = scene.path("served/undo");
    fs::create_dir_all(&served).unwrap();
    let server = Server::start(&served);
    let upload = format!("upload = \"{}\"", served.display());
    let text = text
        .replace("# upload = \"s3://bucket/prefix\"", &upload)
        .replace(&scene.repository.url, &server.url);
    fs::write(&settings, text).unwrap();
    scene.run("docs/how-to/undo.md", &[]);
    let targets: Vec<String> = fs::read_dir(served.join("targets"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        !targets.is_empty() && targets.iter().all(|name| name.contains("1.1.1")),
        "{targets:?}"
    );
}

#[test]
fn migration_works_as_it_stands() {
    let mut scene = Scene::new();
    application(&scene);
    pyupdater(&scene);
    let built = run(&mut scene.command("pyinstaller myapp.spec", &scene.path("")));
    assert!(built.status.success(), "{built:?}");
    let uploads = scene.path("uploads");
    fs::create_dir(scene.path("updates")).unwrap();
    // Three repositories in one document; the other two have tests of their own.
    let text = fs::read_to_string(root().join("docs/how-to/migration.md")).unwrap();
    let first = text.split("## From the Python package").next().unwrap();
    let part = scene.path("migration.md");
    let upload = format!("notsotuf -C updates upload {}", uploads.display());
    fs::write(&part, first.replace("notsotuf -C updates upload", &upload)).unwrap();
    scene.run(part.to_str().unwrap(), &["pyupdater upload --service s3"]);
    assert!(uploads.join("metadata/timestamp.json").exists());
}

#[test]
fn several_applications_work_as_it_stands() {
    let mut scene = Scene::new();
    for (name, bundle) in [("paint", "1.0"), ("viewer", "1.1")] {
        fs::create_dir_all(scene.path("dist")).unwrap();
        let to = scene.path("dist").join(name);
        let from = notsotuf_tests::bundle(bundle);
        copy_tree(&from, &to);
        fs::rename(to.join("program"), to.join(name)).unwrap();
    }
    fs::create_dir(scene.path("dist/paint-windows")).unwrap();
    write_windows_program(&scene.path("dist/paint-windows/paint.exe"));
    write_windows_stub(&scene.path("notsotuf-stub.exe"));
    scene.run("docs/how-to/multiple-applications.md", &[]);
    assert!(scene.path("Paint-windows/paint.exe").exists());
    let started = run(&mut Command::new(scene.path("Paint/paint")));
    assert!(started.status.success(), "{started:?}");
}

/// Names in code and in the text that explains them.
#[test]
fn formats_are_explained_in_full() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let text = read("docs/reference/file-formats.md");
    // What the stub reads of an entry, and what is where on disk.
    let custom = read("stub/src/catalog/custom.rs");
    let custom = custom.split("#[cfg(test)]").next().unwrap();
    let mut names = Vec::new();
    for before in ["take(map, \"", "map.get(\""] {
        let found = custom.split(before).skip(1);
        names.extend(found.map(|rest| rest.split('"').next().unwrap().to_owned()));
    }
    assert!(names.len() > 8, "{names:?}");
    let layout = read("stub/src/install/layout.rs");
    let found = layout.split("self.state().join(\"").skip(1);
    let places: Vec<_> = found
        .map(|rest| rest.split('"').next().unwrap().to_owned())
        .collect();
    assert!(places.len() > 8, "{places:?}");
    for name in names {
        assert!(text.contains(&format!("`{name}`")), "{name}");
    }
    for place in places {
        assert!(text.contains(&place), "{place}");
    }
}

#[test]
fn every_setting_of_a_project_is_explained() {
    let sandbox = notsotuf_tests::Sandbox::new();
    let written = fs::read_to_string(sandbox.path("project/notsotuf-project.toml")).unwrap();
    let text = fs::read_to_string(root().join("docs/reference/settings.md")).unwrap();
    let (_, text) = text.split_once("## Of a project").unwrap();
    let mut names = Vec::new();
    for line in written.lines() {
        let line = line.trim_start_matches("# ");
        let name = match line.strip_prefix('[') {
            Some(table) => table.trim_matches(['[', ']']),
            None => line.split_once(" = ").map_or("", |(name, _)| name),
        };
        if !name.is_empty() && !name.contains(' ') {
            names.push(name.to_owned());
        }
    }
    assert!(names.len() > 15, "{names:?}");
    for name in names {
        let named = ["`{}`", "`[{}]`", "`[[{}]]`"];
        let named = named
            .iter()
            .any(|form| text.contains(&form.replace("{}", &name)));
        assert!(named, "docs/reference/settings.md does not explain {name}");
    }
}

#[test]
fn a_project_sets_what_new_installs_have() {
    let sandbox = notsotuf_tests::Sandbox::new();
    let path = sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&path).unwrap();
    let more =
        "settings = { probation = 0.0, preserve = [\"config/*\"], texts = { left = \"!\" } }\n";
    fs::write(&path, before.clone() + more).unwrap();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    let settings = fs::read_to_string(sandbox.path("install/notsotuf.toml")).unwrap();
    assert!(settings.contains("\nprobation = 0.0\n"), "{settings}");
    assert!(
        settings.contains("\npreserve = [\"config/*\"]\n"),
        "{settings}"
    );
    assert_eq!(sandbox.start_version(), "1.0");
    // A slip is not found by users.
    fs::write(&path, before + "settings = { probtion = 0.0 }\n").unwrap();
    let output = sandbox.path("other");
    let mut ship = sandbox.command(&["ship", "--output", output.to_str().unwrap()]);
    let refused = run(&mut ship);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("there is no setting \"probtion\""), "{said}");
    assert!(!output.exists());
}
