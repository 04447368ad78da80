//! Networks as companies have them: mirrors, proxies, private authorities,
//! servers that ask for a name.

use notsotuf_tests::fault::{Fault, FaultyServer};
use notsotuf_tests::peers::{Daemon, free_address, nginx};
use notsotuf_tests::{World, json, run};
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn a_mirror_is_used_where_the_first_place_is_out_of_reach() {
    for nothing in ["http://127.0.0.1:9", "http://no-such-host.invalid"] {
        let world = World::with_update();
        world.add_settings(&format!("mirrors = [\"{nothing}\", \"{}\"]", world.url()));
        world.point_to(nothing);
        assert_eq!(world.start_version(), "1.1", "{}", world.log());
        assert!(world.log().contains("trying the next mirror"));
    }
}

#[test]
fn a_mirror_is_used_for_files_that_the_first_place_does_not_have() {
    let world = World::with_update();
    let server = FaultyServer::start(&world.repository(), "targets/", Fault::Status(503));
    world.add_settings(&format!("mirrors = [\"{}/\"]", world.url()));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
    assert!(world.log().contains("by 1 patch"), "{}", world.log());
}

#[test]
fn a_mirror_with_something_else_is_refused_like_any_server() {
    let (mine, other) = (World::with_update(), World::with_update());
    mine.add_settings(&format!("mirrors = [\"{}\"]", other.url()));
    mine.point_to("http://127.0.0.1:9");
    assert_eq!(mine.start_version(), "1.0");
    assert!(mine.log().contains("(refused)"), "{}", mine.log());
}

#[test]
fn a_server_that_asks_for_a_name_and_a_password() {
    let world = World::with_update();
    // user:päss
    let header = "Basic dXNlcjpww6Rzcw==".to_owned();
    let server = FaultyServer::start(&world.repository(), "/", Fault::Guarded(header.clone()));
    world.point_to(&server.url);
    assert_eq!(world.start_version(), "1.0");
    assert!(world.log().contains("401"), "{}", world.log());
    let origin = &server.url;
    world.add_settings(&format!(
        "[[authorization]]\norigin = \"{origin}\"\nuser = \"user\"\nenv = \"UPDATE_PASSWORD\""
    ));
    let started = json(world.stub().env("UPDATE_PASSWORD", "päss"));
    assert_eq!(started["version"], "1.1", "{}", world.log());
    assert!(!world.log().contains("päss"));
}

#[test]
fn credentials_do_not_follow_a_redirect() {
    let world = World::with_update();
    let other = FaultyServer::start(&world.repository(), "no such", Fault::Portal);
    let to = Fault::Redirect(other.url.clone());
    let server = FaultyServer::start(&world.repository(), "/", to);
    world.point_to(&server.url);
    let origin = &server.url;
    world.add_settings(&format!(
        "[[authorization]]\norigin = \"{origin}\"\nbearer = \"token\""
    ));
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
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
    let world = World::with_update();
    // More than there is to fetch, so that the test does not wait.
    world.add_settings("max_rate = 50000000");
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

fn openssl(folder: &Path, arguments: &[&str]) {
    let done = run(Command::new("openssl").args(arguments).current_dir(folder));
    assert!(done.status.success(), "{arguments:?}: {done:?}");
}

/// An authority of a company's own, and a server that it vouches for.
#[test]
fn a_private_authority() {
    let world = World::with_update();
    let tls = world.path("tls");
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
    let address = free_address();
    let lines = format!(
        "ssl_certificate {place}/server.pem; ssl_certificate_key {place}/server.key;",
        place = tls.display()
    );
    let _nginx = nginx(&world, &world.repository(), &tls, &address, &lines);
    world.point_to(&format!("https://{address}"));
    assert_eq!(world.start_version(), "1.0");
    let log = world.log();
    assert!(
        log.contains("(unavailable): cannot reach https://"),
        "{log}"
    );
    world.add_settings("ca_file = \"company.pem\"");
    assert_eq!(world.start_version(), "1.0");
    assert!(world.log().contains("(local)"), "{}", world.log());
    fs::copy(tls.join("ca.pem"), world.path("install/company.pem")).unwrap();
    assert_eq!(world.start_version(), "1.1", "{}", world.log());
}

/// tinyproxy, which asks for a password.
#[test]
fn a_proxy_with_a_password() {
    let world = World::with_update();
    let address = free_address();
    let port = address.rsplit(':').next().unwrap();
    let place = world.path("proxy");
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
        let mut command = world.stub();
        let command = command.env("HTTP_PROXY", proxy).env("NO_PROXY", "");
        json(command)["version"].clone()
    };
    assert_eq!(through(&format!("http://{address}")), "1.0");
    let told = world.log();
    assert!(told.contains("asks for a name and a password"), "{told}");
    assert_eq!(through(&format!("http://someone:secret@{address}")), "1.1");
    assert!(!world.log().contains("secret"), "{}", world.log());
    let used = fs::read_to_string(log).unwrap();
    assert!(used.contains("127.0.0.1"), "{used}");
}
