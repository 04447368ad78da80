//! Networks as companies have them: mirrors, proxies, private authorities,
//! servers that ask for a name.

use notsotuf_tests::daemons::{Daemon, free_address, nginx};
use notsotuf_tests::faulty_server::{ClosingServer, Fault, FaultyServer, Hole};
use notsotuf_tests::{Sandbox, Server, copy_tree, json, run};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::Ordering;

#[test]
fn a_mirror_is_used_where_the_first_place_is_out_of_reach() {
    for nothing in ["http://127.0.0.1:9", "http://no-such-host.invalid"] {
        let sandbox = Sandbox::with_update();
        sandbox.add_settings(&format!("mirrors = [\"{nothing}\", \"{}\"]", sandbox.url()));
        sandbox.point_to(nothing);
        assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
        assert!(sandbox.log().contains("trying the next mirror"));
    }
}

#[test]
fn a_mirror_is_used_for_files_that_the_first_place_does_not_have() {
    let sandbox = Sandbox::with_update();
    let server = FaultyServer::start(&sandbox.repository(), "targets/", Fault::Status(503));
    sandbox.add_settings(&format!("mirrors = [\"{}/\"]", sandbox.url()));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
}

#[test]
fn a_mirror_with_something_else_is_refused_like_any_server() {
    let (mine, other) = (Sandbox::with_update(), Sandbox::with_update());
    mine.add_settings(&format!("mirrors = [\"{}\"]", other.url()));
    mine.point_to("http://127.0.0.1:9");
    assert_eq!(mine.start_version(), "1.0");
    assert!(mine.log().contains("(refused)"), "{}", mine.log());
}

#[test]
fn a_server_that_asks_for_a_name_and_a_password() {
    let sandbox = Sandbox::with_update();
    // user:päss
    let header = "Basic dXNlcjpww6Rzcw==".to_owned();
    let server = FaultyServer::start(&sandbox.repository(), "/", Fault::Guarded(header.clone()));
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(sandbox.log().contains("401"), "{}", sandbox.log());
    let origin = &server.url;
    sandbox.add_settings(&format!(
        "[[authorization]]\norigin = \"{origin}\"\nuser = \"user\"\nenv = \"UPDATE_PASSWORD\""
    ));
    let started = json(sandbox.stub().env("UPDATE_PASSWORD", "päss"));
    assert_eq!(started["version"], "1.1", "{}", sandbox.log());
    assert!(!sandbox.log().contains("päss"));
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let sandbox = Sandbox::with_update();
    let other = FaultyServer::start(&sandbox.repository(), "no such", Fault::Portal);
    let to = Fault::Redirect(other.url.clone());
    let server = FaultyServer::start(&sandbox.repository(), "/", to);
    sandbox.point_to(&server.url);
    let origin = &server.url;
    sandbox.add_settings(&format!(
        "[[authorization]]\norigin = \"{origin}\"\nbearer = \"token\""
    ));
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    let told = server.authorizations.lock().unwrap().clone();
    let bearer = Some("Bearer token".to_owned());
    assert!(!told.is_empty() && told.iter().all(|who| *who == bearer));
    let told = other.authorizations.lock().unwrap().clone();
    assert!(
        !told.is_empty() && told.iter().all(Option::is_none),
        "{told:?}"
    );
}

#[test]
fn a_download_may_be_held_back() {
    let sandbox = Sandbox::with_update();
    // More than there is to fetch, so that the test does not wait.
    sandbox.add_settings("max_rate = 50000000");
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let done = run(Command::new("openssl").args(arguments).current_dir(folder));
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

/// A certificate for 127.0.0.1 and the authority that vouches for it
/// (`ca.pem`); both are in the folder that is returned.
fn certificates(sandbox: &Sandbox) -> PathBuf {
    let tls = sandbox.path("tls");
    fs::create_dir_all(&tls).unwrap();
    let key = [
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ];
    let authority = ["req", "-x509", "-subj", "/CN=Our CA", "-days", "2"];
    let files = ["-keyout", "ca.key", "-out", "ca.pem"];
    openssl(&tls, &[&authority[..], &key, &files].concat());
    let request = [
        "req",
        "-subj",
        "/CN=updates",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ];
    let files = ["-keyout", "server.key", "-out", "server.csr"];
    openssl(&tls, &[&request[..], &key, &files].concat());
    let sign = [
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
    ];
    let files = [
        "-CAcreateserial",
        "-days",
        "2",
        "-copy_extensions",
        "copy",
        "-out",
        "server.pem",
    ];
    openssl(&tls, &[&sign[..], &files].concat());
    tls
}

/// nginx over the repository by https, and its URL; `more` are lines of its
/// configuration.
fn nginx_tls(sandbox: &Sandbox, tls: &Path, more: &str) -> (Daemon, String) {
    let address = free_address();
    let lines = format!(
        "ssl_certificate {tls}/server.pem; ssl_certificate_key {tls}/server.key;\n{more}",
        tls = tls.display()
    );
    let place = sandbox.path(&format!("nginx-{}", address.replace(':', "-")));
    let nginx = nginx(sandbox, &sandbox.repository(), &place, &address, &lines);
    (nginx, format!("https://{address}"))
}

/// An authority of a company's own, and a server that it vouches for.
#[test]
fn an_authority_of_a_company_is_believed_if_the_settings_name_it() {
    let sandbox = Sandbox::with_update();
    let tls = certificates(&sandbox);
    let (_nginx, url) = nginx_tls(&sandbox, &tls, "");
    sandbox.point_to(&url);
    assert_eq!(sandbox.start_version(), "1.0");
    let log = sandbox.log();
    assert!(
        log.contains("(unavailable): cannot reach https://"),
        "{log}"
    );
    sandbox.add_settings("ca_file = \"company.pem\"");
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(sandbox.log().contains("(local)"), "{}", sandbox.log());
    fs::copy(tls.join("ca.pem"), sandbox.path("install/company.pem")).unwrap();
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

/// Whoever has got at a server could otherwise have everything fetched in
/// clear.
#[test]
fn https_is_not_left_by_a_redirect() {
    let sandbox = Sandbox::with_update();
    let tls = certificates(&sandbox);
    fs::copy(tls.join("ca.pem"), sandbox.path("install/company.pem")).unwrap();
    sandbox.add_settings("ca_file = \"company.pem\"");
    let plain = sandbox.url();
    let mut daemons = Vec::new();
    let mut by_tls = |more: String| {
        let (daemon, url) = nginx_tls(&sandbox, &tls, &more);
        daemons.push(daemon);
        url
    };
    let all = by_tls(format!("return 302 {plain}$request_uri;"));
    // To https first, and from there to http.
    let hop = by_tls(format!("return 307 {all}$request_uri;"));
    let targets = by_tls(format!(
        "location /targets/ {{ return 301 {plain}$request_uri; }}"
    ));
    // What begins in clear does not leave https again either.
    let clear = FaultyServer::start(&sandbox.repository(), "/", Fault::Redirect(all.clone()));
    let server = sandbox.server.as_ref().unwrap();
    for url in [&all, &hop, &targets, &clear.url] {
        server.requests();
        sandbox.point_to(url);
        assert_eq!(sandbox.start_version(), "1.0");
        assert_eq!(server.requests(), Vec::<String>::new(), "{url}");
        let log = sandbox.log();
        assert!(log.contains("which is not https"), "{log}");
    }
    // Other redirects are followed: relative ones, to another server, to https.
    let relative = by_tls(format!(
        "absolute_redirect off; location /moved/ {{ alias {}/; }}\n\
         location /metadata/ {{ return 308 /moved$request_uri; }}",
        sandbox.repository().display()
    ));
    let other = by_tls(format!("return 303 {relative}$request_uri;"));
    let from_clear = FaultyServer::start(&sandbox.repository(), "/", Fault::Redirect(other));
    sandbox.point_to(&from_clear.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    assert_eq!(server.requests(), Vec::<String>::new());
}

/// tinyproxy, which asks for a password.
#[test]
fn a_proxy_with_a_password() {
    let sandbox = Sandbox::with_update();
    let address = free_address();
    let port = address.rsplit(':').next().unwrap();
    let place = sandbox.path("proxy");
    fs::create_dir_all(&place).unwrap();
    let log = place.join("log");
    let configuration = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\nBasicAuth someone secret\n\
         LogFile \"{}\"\nLogLevel Connect\n",
        log.display()
    );
    fs::write(place.join("conf"), configuration).unwrap();
    let mut proxy = Command::new("tinyproxy");
    let _proxy = Daemon::start(proxy.arg("-d").arg("-c").arg(place.join("conf")), &address);
    let through = |proxy: &str| {
        let mut command = sandbox.stub();
        let command = command.env("HTTP_PROXY", proxy).env("NO_PROXY", "");
        json(command)["version"].clone()
    };
    assert_eq!(through(&format!("http://{address}")), "1.0");
    let told = sandbox.log();
    assert!(told.contains("asks for a name and a password"), "{told}");
    assert_eq!(through(&format!("http://someone:secret@{address}")), "1.1");
    assert!(!sandbox.log().contains("secret"), "{}", sandbox.log());
    let used = fs::read_to_string(log).unwrap();
    assert!(used.contains("127.0.0.1"), "{used}");
}

/// The proxy's own rules allow CONNECT to port 443 only: http goes through it
/// as it is, and https by CONNECT.
/// <https://github.com/algesten/ureq/pull/587>,
/// <https://github.com/vertexproject/synapse/issues/3708>
#[test]
fn a_proxy_for_each_scheme() {
    let sandbox = Sandbox::with_update();
    let tls = certificates(&sandbox);
    fs::copy(tls.join("ca.pem"), sandbox.path("install/company.pem")).unwrap();
    sandbox.add_settings("ca_file = \"company.pem\"");
    let (_nginx, https) = nginx_tls(&sandbox, &tls, "");
    let port = https.rsplit(':').next().unwrap();
    let plain = tinyproxy(&sandbox, "plain", "ConnectPort 443\n");
    let connecting = tinyproxy(&sandbox, "connecting", &format!("ConnectPort {port}\n"));
    let check = |variables: &[(&str, &str)]| {
        let mut command = sandbox.stub();
        command.args(["--updater", "check", "--json"]);
        command.env_remove("NO_PROXY").env_remove("no_proxy");
        let output = run(command.envs(variables.iter().copied()));
        serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()
    };
    let nowhere = "http://127.0.0.1:9";
    for (variables, found) in [
        (vec![("http_proxy", plain.url.as_str())], true),
        (
            vec![("HTTP_PROXY", &plain.url), ("HTTPS_PROXY", nowhere)],
            true,
        ),
        (vec![("ALL_PROXY", &plain.url)], true),
        (vec![("http_proxy", nowhere)], false),
        (
            vec![("http_proxy", nowhere), ("HTTP_PROXY", &plain.url)],
            false,
        ),
        (
            vec![
                ("http_proxy", nowhere),
                ("NO_PROXY", "10.0.0.0/8,127.0.0.0/8"),
            ],
            true,
        ),
        (
            vec![("http_proxy", nowhere), ("NO_PROXY", "10.0.0.0/8")],
            false,
        ),
        (
            vec![("HTTP_PROXY", nowhere), ("REQUEST_METHOD", "GET")],
            true,
        ),
        (vec![("ALL_PROXY", "socks5://me:secret@127.0.0.1:9")], false),
    ] {
        let said = check(&variables);
        assert_eq!(said["update"] == "1.1", found, "{variables:?}: {said}");
    }
    assert!(sandbox.log().contains("names a proxy of an unknown kind"));
    assert!(!sandbox.log().contains("secret"), "{}", sandbox.log());
    assert!(
        plain
            .log()
            .contains(&format!("GET {}/metadata/timestamp.json", sandbox.url()))
    );
    sandbox.point_to(&https);
    for (variables, found) in [
        (vec![("https_proxy", connecting.url.as_str())], true),
        (
            vec![("HTTPS_PROXY", &connecting.url), ("http_proxy", nowhere)],
            true,
        ),
        (vec![("HTTP_PROXY", nowhere)], true),
        (vec![("HTTPS_PROXY", nowhere)], false),
        (vec![("HTTPS_PROXY", &plain.url)], false),
    ] {
        let said = check(&variables);
        assert_eq!(said["update"] == "1.1", found, "{variables:?}: {said}");
    }
    assert!(sandbox.log().contains("answers 403"), "{}", sandbox.log());
    assert!(
        connecting
            .log()
            .contains(&format!("CONNECT 127.0.0.1:{port}"))
    );
    // All of the update, by both ways.
    let mut start = sandbox.stub();
    start
        .env("HTTPS_PROXY", &connecting.url)
        .env_remove("NO_PROXY");
    assert_eq!(json(&mut start)["version"], "1.1", "{}", sandbox.log());
}

struct Tinyproxy {
    url: String,
    log: PathBuf,
    _daemon: Daemon,
}

impl Tinyproxy {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap()
    }
}

fn tinyproxy(sandbox: &Sandbox, name: &str, more: &str) -> Tinyproxy {
    let address = free_address();
    let port = address.rsplit(':').next().unwrap();
    let log = sandbox.path(&format!("{name}.log"));
    let configuration = format!(
        "Port {port}\nListen 127.0.0.1\nTimeout 60\nAllow 127.0.0.1\n\
         LogFile \"{}\"\nLogLevel Connect\n{more}",
        log.display()
    );
    let path = sandbox.path(&format!("{name}.conf"));
    fs::write(&path, configuration).unwrap();
    let mut command = Command::new("tinyproxy");
    Tinyproxy {
        url: format!("http://{address}"),
        _daemon: Daemon::start(command.arg("-d").arg("-c").arg(path), &address),
        log,
    }
}

/// The install as it was shipped, again and again.
struct Fresh<'a>(&'a Sandbox);

impl<'a> Fresh<'a> {
    fn new(sandbox: &'a Sandbox) -> Self {
        // Each place gets its share of this.
        sandbox.set("deadline", "6.0");
        sandbox.add_settings(&format!("mirrors = [\"{}\"]", sandbox.url()));
        copy_tree(&sandbox.path("install"), &sandbox.path("shipped"));
        Fresh(sandbox)
    }

    /// Starts it, with `url` as the first place; the version that started.
    fn start_with(&self, url: &str) -> String {
        fs::remove_dir_all(self.0.path("install")).unwrap();
        copy_tree(&self.0.path("shipped"), &self.0.path("install"));
        self.0.point_to(url);
        self.0.start_version()
    }

    /// Starts it, with `url` as the first place, where the mirror must make up
    /// for what `said` names; the log.
    #[track_caller]
    fn updates_by_mirror(&self, url: &str, case: &str, said: &str) -> String {
        let version = self.start_with(url);
        let log = self.0.log();
        assert_eq!(version, "1.1", "{case}: {log}");
        assert!(
            log.contains(said) && log.contains("trying the next mirror"),
            "{case}: {log}"
        );
        log
    }
}

/// A page instead of metadata, and all else that a primary repository can
/// answer. <https://github.com/nefarius/vicius/pull/152>
#[test]
fn a_mirror_is_used_whatever_is_wrong_with_the_metadata() {
    let sandbox = Sandbox::with_update();
    let fresh = Fresh::new(&sandbox);
    let portal = Fault::Leads("/login?from=secret".into());
    for (what, fault, said) in [
        (
            "metadata/",
            Fault::Portal,
            "sends a web page instead of the file",
        ),
        ("metadata/", portal, "after a redirect to http://127.0.0.1:"),
        ("metadata/", Fault::Gzipped, "sends gzip though"),
        ("metadata/", Fault::Part, "answers 206"),
        ("timestamp", Fault::Closed(100), "was cut short"),
        (
            "timestamp",
            Fault::Truncated(100),
            "the connection broke after 100 of",
        ),
        ("metadata/", Fault::Status(403), "answers 403"),
        ("metadata/", Fault::Status(500), "answers 500"),
        ("metadata/", Fault::Status(511), "asks for a login"),
        ("snapshot", Fault::Status(404), "has no snapshot.json"),
        (
            "targets.json",
            Fault::Flipped,
            "targets does not match its sha256 hash",
        ),
        ("metadata/", Fault::Refused, "cannot reach http://"),
        ("metadata/", Fault::Silent, "there is no answer in time"),
        ("timestamp", Fault::Stalled, "there is no answer in time"),
        ("timestamp", Fault::Dripping, "sends too slowly"),
    ] {
        let case = format!("{what}: {fault:?}");
        let server = FaultyServer::start(&sandbox.repository(), what, fault);
        let log = fresh.updates_by_mirror(&server.url, &case, said);
        assert!(!log.contains("secret"), "{log}");
    }
    // Where the mirror does no better, the first place's error is told.
    let page = FaultyServer::start(&sandbox.repository(), "metadata/", Fault::Portal);
    sandbox.set("mirrors", "[\"http://127.0.0.1:9\"]");
    fs::remove_dir_all(sandbox.path("shipped")).unwrap();
    copy_tree(&sandbox.path("install"), &sandbox.path("shipped"));
    assert_eq!(fresh.start_with(&page.url), "1.1");
    let log = sandbox.log();
    let log = log.lines().last().unwrap();
    assert!(
        log.contains("(refused): timestamp metadata is malformed"),
        "{log}"
    );
    assert!(log.contains("sends a web page"), "{log}");
}

#[test]
fn a_mirror_is_used_whatever_is_wrong_with_the_files() {
    let sandbox = Sandbox::with_update();
    sandbox.set("stall", "4.0");
    let fresh = Fresh::new(&sandbox);
    let portal = Fault::Leads("/login".into());
    for (fault, said) in [
        (Fault::Portal, "sends a web page instead of the file"),
        (portal, "after a redirect to http://127.0.0.1:"),
        (Fault::Gzipped, "sends gzip though"),
        (Fault::Part, "answers 206"),
        (Fault::Closed(500), "the connection broke after 500 of"),
        (Fault::Truncated(500), "the connection broke after 500 of"),
        (Fault::Status(404), "answers 404"),
        (Fault::Flipped, "does not match its sha256 hash"),
        (Fault::Longer, "are signed"),
        (Fault::Refused, "cannot reach http://"),
        (Fault::Stalled, "there is no answer in time"),
        (Fault::Dripping, "sends too slowly"),
    ] {
        let case = format!("{fault:?}");
        let server = FaultyServer::start(&sandbox.repository(), "targets/", fault);
        let log = fresh.updates_by_mirror(&server.url, &case, said);
        assert!(log.contains("by 1 patch"), "{case}: {log}");
    }
    // Some servers say of a .gz that it is compressed, and send it as it is.
    let server = FaultyServer::start(&sandbox.repository(), "", Fault::Labelled);
    assert_eq!(fresh.start_with(&server.url), "1.1");
    assert!(!sandbox.log().contains("mirror"), "{}", sandbox.log());
}

/// As networks with broken IPv6 do.
/// <https://github.com/algesten/ureq/issues/1150>,
/// <https://github.com/pi-hole/pi-hole/issues/6542>
#[cfg(target_os = "linux")]
#[test]
fn a_place_that_swallows_packets() {
    let sandbox = Sandbox::with_update();
    let hole = Hole::new();
    sandbox.point_to(&format!("http://127.0.0.1:{}", hole.port()));
    assert_eq!(sandbox.start_version(), "1.0");
    assert!(
        sandbox.log().contains("no answer from 127.0.0.1:"),
        "{}",
        sandbox.log()
    );
    // What goes on behind the application has the lock, until it gives up too.
    sandbox.settle();
    sandbox.add_settings(&format!("mirrors = [\"{}\"]", sandbox.url()));
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}

/// The same with one of the addresses of a name, the first.
#[cfg(target_os = "linux")]
#[test]
fn an_address_that_swallows_packets() {
    let sandbox = Sandbox::with_update();
    let hole = Hole::new();
    let port = hole.port();
    let address = format!("127.0.0.77:{port}");
    let _nginx = nginx(
        &sandbox,
        &sandbox.repository(),
        &sandbox.path("nginx"),
        &address,
        "",
    );
    let hosts = sandbox.path("hosts");
    let lines = "127.0.0.1 localhost\n127.0.0.1 updates.test\n127.0.0.77 updates.test\n";
    fs::write(&hosts, lines).unwrap();
    let with_hosts = || {
        let mut command = Command::new("unshare");
        let script = "mount --bind \"$0\" /etc/hosts && exec \"$@\"";
        command.args(["--mount", "sh", "-c", script]).arg(&hosts);
        command
    };
    if !run(Command::new("unshare").args(["--mount", "true"]))
        .status
        .success()
    {
        eprintln!("skipped: naming hosts takes root");
        return;
    }
    // The hole comes first, or there would be nothing to be tried after it.
    let found = run(with_hosts().args(["getent", "ahosts", "updates.test"]));
    let found = String::from_utf8(found.stdout).unwrap();
    let addresses = found.lines().map(|line| line.split(' ').next().unwrap());
    let mut addresses: Vec<_> = addresses.collect();
    addresses.dedup();
    assert_eq!(addresses, ["127.0.0.1", "127.0.0.77"], "{found}");
    sandbox.point_to(&format!("http://updates.test:{port}"));
    let started = json(with_hosts().arg(sandbox.path("install/program")));
    assert_eq!(started["version"], "1.1", "{}", sandbox.log());
}

#[test]
fn a_connection_that_was_just_closed_is_made_again() {
    let sandbox = Sandbox::with_update();
    let server = ClosingServer::start(&sandbox.repository());
    sandbox.point_to(&server.url);
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
    // For metadata, and for the patch.
    assert!(server.closed.load(Ordering::Relaxed) > 1);
    assert!(sandbox.log().contains("by 1 patch"), "{}", sandbox.log());
}

/// A copy that is not up to date takes nothing back, and its error is not
/// what is told.
#[test]
fn an_old_mirror_is_not_believed() {
    let sandbox = Sandbox::new();
    sandbox.release("1.0", &[]);
    sandbox.ship("1.0");
    copy_tree(&sandbox.repository(), &sandbox.path("old"));
    sandbox.release("1.1", &[]);
    assert_eq!(sandbox.start_version(), "1.1");
    let old = Server::start(&sandbox.path("old"));
    sandbox.add_settings(&format!("mirrors = [\"{}\"]", old.url));
    sandbox.point_to("http://127.0.0.1:9");
    assert_eq!(sandbox.start_version(), "1.1");
    let log = sandbox.log();
    assert!(log.contains("is older than version"), "{log}");
    let last = log.lines().last().unwrap();
    assert!(last.contains("(unavailable): cannot reach"), "{log}");
    // Once it is, it is used.
    fs::remove_dir_all(sandbox.path("old")).unwrap();
    copy_tree(&sandbox.repository(), &sandbox.path("old"));
    assert_eq!(sandbox.start_version(), "1.1");
    assert!(sandbox.log().ends_with("up to date\n"), "{}", sandbox.log());
}

/// A name and a password in a URL come into logs, which users attach to their
/// reports.
#[test]
fn a_password_in_a_url_is_refused_and_not_shown() {
    let sandbox = Sandbox::with_update();
    let settings = sandbox.path("install/notsotuf.toml");
    let good = fs::read_to_string(&settings).unwrap();
    let with = sandbox.url().replace("http://", "http://me:S3cret@");
    let metadata = good.replace(&sandbox.url(), &with);
    let mirror = format!("mirrors = [\"{with}\"]\n{good}");
    let hidden = good.replace("http://", "http://me%3AS3cret%40");
    let torn = metadata.replace("/metadata\"", "/metadata");
    for text in [metadata, mirror, hidden, torn] {
        fs::write(&settings, &text).unwrap();
        assert_eq!(sandbox.start_version(), "1.0");
        for command in ["status", "check", "update"] {
            for json in [&[][..], &["--json"]] {
                let output = run(sandbox.stub().args(["--updater", command]).args(json));
                assert_eq!(output.status.code(), Some(5), "{output:?}");
                assert!(!format!("{output:?}").contains("S3cret"), "{output:?}");
            }
        }
    }
    let log = sandbox.log();
    assert!(
        log.contains("[[authorization]]") && !log.contains("S3cret"),
        "{log}"
    );
    // A query is no password to everybody, but may be.
    fs::write(
        &settings,
        good.replace("/metadata\"", "/metadata?token=S3cret\""),
    )
    .unwrap();
    assert_eq!(sandbox.start_version(), "1.0");
    let status = run(sandbox.stub().args(["--updater", "status"]));
    assert!(status.status.success());
    let said = format!("{status:?}{}", sandbox.log());
    assert!(!said.contains("S3cret"), "{said}");
    fs::write(&settings, good).unwrap();
    assert_eq!(sandbox.start_version(), "1.1", "{}", sandbox.log());
}
