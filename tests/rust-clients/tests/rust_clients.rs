//! The Rust crates `tough` and `tuf` as readers of repositories that our
//! bundler made: what they accept, and what they refuse and why. A change of
//! these errors means that docs/decisions/own-tuf-workflow.md is out of date.

use futures_util::{AsyncReadExt, TryStreamExt};
use notsotuf_tests::{Sandbox, bundle, forge::Forge, python_in, run, text, write_script};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use tough::{FilesystemTransport, RepositoryLoader, TargetName};
use tuf::client::{Client, Config};
use tuf::metadata::{Metadata, RawSignedMetadata, TargetPath};
use tuf::pouf::Pouf1;
use tuf::repository::{EphemeralRepository, FileSystemRepository};
use url::Url;

/// A published project with two releases and the patch between them.
fn published() -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    let meta = r#"{"notes": ["é", 1]}"#;
    sandbox.add("1.1", &bundle("1.1"), &["--meta", meta]);
    sandbox.bundler(&["publish"]);
    sandbox
}

fn run_async<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.expect("a runtime").block_on(work)
}

/// An error and what caused it, in one line.
fn chain(error: &dyn Error) -> String {
    let mut line = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        line.push_str(&format!(": {cause}"));
        next = cause.source();
    }
    line
}

/// A repository of tufup with one release.
fn published_by_tufup(sandbox: &Sandbox) -> PathBuf {
    let folder = sandbox.path("tufup");
    fs::create_dir_all(&folder).expect("a folder");
    let bundle = bundle("1.0");
    python_in(&folder, &["release", "app", "1.0", text(&bundle)]);
    folder.join("repository")
}

fn first_root(repository: &Path) -> Vec<u8> {
    fs::read(repository.join("metadata/1.root.json")).expect("a root")
}

/// The targets of a repository by name, as they are on disk.
fn stored_targets(repository: &Path) -> BTreeMap<String, Vec<u8>> {
    let files = fs::read_dir(repository.join("targets")).expect("targets");
    let target = |path: PathBuf| {
        let stored = path.file_name().and_then(|name| name.to_str());
        let (_hash, name) = stored
            .and_then(|name| name.split_once('.'))
            .expect("hash.name");
        (name.to_owned(), fs::read(&path).expect("a target"))
    };
    files
        .map(|entry| target(entry.expect("an entry").path()))
        .collect()
}

async fn load_with_tough(
    repository: &Path,
    datastore: Option<&Path>,
) -> Result<tough::Repository, String> {
    let root = first_root(repository);
    let folder = |name| Url::from_directory_path(repository.join(name)).expect("absolute");
    let mut loader = RepositoryLoader::new(&root, folder("metadata"), folder("targets"))
        .transport(FilesystemTransport);
    if let Some(datastore) = datastore {
        loader = loader.datastore(datastore);
    }
    loader.load().await.map_err(|error| chain(&error))
}

#[test]
fn tough_reads_our_repository_and_follows_its_roots() {
    let sandbox = published();
    sandbox.bundler(&["keys", "create", "online-2", "--plain"]);
    sandbox.bundler(&["keys", "replace", "timestamp", "online-2"]);
    sandbox.bundler(&["publish"]);
    let ours = sandbox.repository();
    let (root, listed, read) = run_async(async {
        let repository = load_with_tough(&ours, None).await.expect("it loads");
        let mut read = BTreeMap::new();
        for name in repository.targets().signed.targets.keys() {
            let stream = repository.read_target(name).await.expect("no network");
            let parts: Vec<_> = stream
                .expect("listed")
                .try_collect()
                .await
                .expect("verified");
            read.insert(name.raw().to_owned(), parts.concat());
        }
        let root = repository.root().signed.version.get();
        (root, repository.targets().signed.targets.clone(), read)
    });
    assert_eq!(root, 2);
    assert_eq!(read, stored_targets(&ours));
    let newest = &listed[&TargetName::new("app-1.1.tar.gz").expect("a name")];
    assert_eq!(newest.custom["user"], json!({ "notes": ["é", 1] }));
    assert!(newest.custom["tufup"]["tree"].is_string());
}

/// The ids of its keys are not the hashes that `tough` calculates.
#[test]
fn tough_refuses_the_key_ids_of_tufup() {
    let sandbox = Sandbox::new();
    let theirs = published_by_tufup(&sandbox);
    let said = run_async(load_with_tough(&theirs, None)).expect_err("a refusal");
    let refusal = "Failed to parse trusted root metadata: Invalid key ID";
    assert!(said.starts_with(refusal), "{said}");
}

/// Replaces the key of `targets` by one that openssl made on that curve.
fn replace_targets_key(sandbox: &Sandbox, curve: &str, digest: &str) {
    let (private, public) = (
        sandbox.path("hardware.key"),
        sandbox.path("project/keystore/hardware.pub"),
    );
    let openssl = |args: &[&str]| {
        let done = run(Command::new("openssl").args(args));
        assert!(done.status.success(), "{done:?}");
    };
    let option = format!("ec_paramgen_curve:{curve}");
    openssl(&[
        "genpkey",
        "-algorithm",
        "EC",
        "-pkeyopt",
        &option,
        "-out",
        text(&private),
    ]);
    openssl(&[
        "pkey",
        "-in",
        text(&private),
        "-pubout",
        "-out",
        text(&public),
    ]);
    let script = sandbox.path("sign");
    write_script(
        &script,
        &format!("exec openssl dgst -{digest} -sign '{}'", private.display()),
    );
    let settings = sandbox.path("project/notsotuf-project.toml");
    let before = fs::read_to_string(&settings).expect("settings");
    let signer =
        format!("\n[[signers]]\nkey = \"keystore/hardware.pub\"\ncommand = [{script:?}]\n");
    fs::write(&settings, before + &signer).expect("settings");
    sandbox.bundler(&["keys", "replace", "targets", "hardware"]);
    sandbox.bundler(&["publish"]);
}

#[test]
fn tough_knows_p256_keys_and_no_p384_keys() {
    for (curve, digest, refusal) in [
        ("P-256", "sha256", None),
        (
            "P-384",
            "sha384",
            Some("Failed to parse root metadata: Invalid SubjectPublicKeyInfo document"),
        ),
    ] {
        let sandbox = published();
        replace_targets_key(&sandbox, curve, digest);
        let loaded = run_async(load_with_tough(&sandbox.repository(), None));
        match (loaded, refusal) {
            (Ok(_), None) => {}
            (Err(said), Some(refusal)) => assert!(said.contains(refusal), "{said}"),
            (Ok(_), Some(_)) => panic!("tough reads {curve} keys now"),
            (Err(said), None) => panic!("{curve}: {said}"),
        }
    }
}

type TufClient = Client<Pouf1, EphemeralRepository<Pouf1>, FileSystemRepository<Pouf1>>;

async fn client_of_tuf(repository: &Path) -> tuf::Result<TufClient> {
    let remote = FileSystemRepository::builder(repository)
        .metadata_prefix("metadata")
        .targets_prefix("targets")
        .build();
    let root = RawSignedMetadata::new(first_root(repository));
    Client::with_trusted_root(Config::default(), &root, EphemeralRepository::new(), remote).await
}

fn refusal_by_tuf(repository: &Path) -> String {
    match run_async(client_of_tuf(repository)) {
        Ok(_) => panic!("tuf reads {repository:?} now"),
        Err(error) => chain(&error),
    }
}

#[test]
fn tuf_refuses_every_spec_version_but_1_0_and_1_0_0() {
    let sandbox = published();
    let ours = refusal_by_tuf(&sandbox.repository());
    assert_eq!(ours, r#"Encoding("Unknown spec version 1.0.31")"#);
    let theirs = refusal_by_tuf(&published_by_tufup(&sandbox));
    assert!(
        theirs.starts_with(r#"Encoding("Unknown spec version 1.0."#),
        "{theirs}"
    );
}

/// Signs all metadata again, with the one version of the specification that
/// the crate `tuf` takes.
fn sign_as_1_0_0(sandbox: &Sandbox) {
    let forge = Forge::new(sandbox);
    for entry in fs::read_dir(sandbox.repository().join("metadata")).expect("metadata") {
        let path = entry.expect("an entry").path();
        let mut file: Value =
            serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        let mut signed = file["signed"].take();
        signed["spec_version"] = "1.0.0".into();
        // The lengths and hashes of what is signed again are not true any more.
        for listed in signed["meta"].as_object_mut().into_iter().flatten() {
            *listed.1 = json!({ "version": listed.1["version"] });
        }
        let role = signed["_type"].as_str().expect("a role").to_owned();
        let bytes = serde_json::to_vec(&signed).expect("JSON");
        fs::write(&path, forge.sign(&role, &bytes)).expect("written");
    }
}

#[test]
fn tuf_reads_our_repository_but_for_its_spec_version() {
    let sandbox = published();
    sign_as_1_0_0(&sandbox);
    let ours = sandbox.repository();
    let read = run_async(async {
        let mut client = client_of_tuf(&ours).await.expect("a client");
        assert!(client.update().await.expect("verified"));
        let mut read = BTreeMap::new();
        for name in stored_targets(&ours).into_keys() {
            let path = TargetPath::new(name.clone()).expect("a path");
            let mut bytes = Vec::new();
            let mut target = client.fetch_target(&path).await.expect("listed");
            target.read_to_end(&mut bytes).await.expect("verified");
            drop(target);
            read.insert(name, bytes);
        }
        read
    });
    assert_eq!(read, stored_targets(&ours));
}

/// The canonical form of a PEM text has line breaks as they are; `tuf` escapes
/// them, so the signature over such a root is not one to it.
#[test]
fn tuf_reads_no_root_that_lists_a_key_in_pem() {
    let sandbox = published();
    replace_targets_key(&sandbox, "P-256", "sha256");
    // Both roots, for the new one is signed by the same key as the first.
    let forge = Forge::new(&sandbox);
    for number in [1, 2] {
        let path = sandbox
            .repository()
            .join(format!("metadata/{number}.root.json"));
        let mut file: Value =
            serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
        file["signed"]["spec_version"] = "1.0.0".into();
        let bytes = serde_json::to_vec(&file["signed"]).expect("JSON");
        fs::write(&path, forge.sign("root", &bytes)).expect("written");
    }
    let said = run_async(async {
        let mut client = match client_of_tuf(&sandbox.repository()).await {
            Ok(client) => client,
            Err(error) => return chain(&error),
        };
        client
            .update()
            .await
            .map_or_else(|error| chain(&error), |_| "nothing".into())
    });
    assert_eq!(said, "metadata root signature threshold not met: 0/1");
}

/// The holder of the timestamp key alone leads clients back to the snapshot
/// before: section 5.4.3.2 of the specification forbids it.
fn roll_back_the_snapshot(sandbox: &Sandbox) {
    let path = sandbox.repository().join("metadata/timestamp.json");
    let file: Value = serde_json::from_slice(&fs::read(&path).expect("read")).expect("JSON");
    let mut signed = file["signed"].clone();
    let add = |value: &Value, more: i64| json!(value.as_i64().expect("a version") + more);
    signed["version"] = add(&signed["version"], 1);
    let listed = &mut signed["meta"]["snapshot.json"];
    *listed = json!({ "version": add(&listed["version"], -1) });
    let bytes = serde_json::to_vec(&signed).expect("JSON");
    fs::write(&path, Forge::new(sandbox).sign("timestamp", &bytes)).expect("written");
}

#[test]
fn tuf_follows_a_rollback_of_the_snapshot() {
    let sandbox = published();
    sign_as_1_0_0(&sandbox);
    let version = |client: &TufClient| {
        let snapshot = client.database().trusted_snapshot().expect("a snapshot");
        snapshot.version()
    };
    let (before, after) = run_async(async {
        let mut client = client_of_tuf(&sandbox.repository())
            .await
            .expect("a client");
        client.update().await.expect("verified");
        let before = version(&client);
        roll_back_the_snapshot(&sandbox);
        client.update().await.expect("the attack is not seen");
        (before, version(&client))
    });
    assert_eq!(after, before - 1);
}

#[test]
fn tough_refuses_a_rollback_of_the_snapshot() {
    let sandbox = published();
    let datastore = sandbox.path("datastore");
    fs::create_dir_all(&datastore).expect("a folder");
    let load = || run_async(load_with_tough(&sandbox.repository(), Some(&datastore)));
    load().expect("it loads");
    roll_back_the_snapshot(&sandbox);
    let said = load().expect_err("an attack");
    assert_eq!(
        said,
        "Snapshot version 1 in timestamp 3 is less than 2 in timestamp 2"
    );
}
