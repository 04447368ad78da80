//! Servers of other makes.

use crate::{Sandbox, root, run};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A local address that nothing listens at, just now.
pub fn free_address() -> String {
    let free = TcpListener::bind("127.0.0.1:0").expect("a free port");
    free.local_addr().expect("bound").to_string()
}

/// A server that runs until this is dropped.
pub struct Daemon(Child);

impl Daemon {
    /// Starts it, and waits until it listens at `address`.
    pub fn start(command: &mut Command, address: &str) -> Self {
        let output = command.stdout(Stdio::null()).stderr(Stdio::null());
        let child = output.spawn();
        let child = child.unwrap_or_else(|e| panic!("{command:?}: {e}"));
        let daemon = Daemon(child);
        let start = Instant::now();
        while TcpStream::connect(address).is_err() {
            assert!(start.elapsed() < Duration::from_secs(30), "{command:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        daemon
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // Not killed: nginx would leave its workers behind.
        let id = self.0.id().to_string();
        assert!(run(Command::new("kill").arg(&id)).status.success());
        self.0.wait().expect("it ends");
    }
}

/// nginx over `folder`; `place` is its own folder, and gets its `log`.
/// `more` are lines of its configuration, for TLS say.
pub fn nginx(sandbox: &Sandbox, folder: &Path, place: &Path, address: &str, more: &str) -> Daemon {
    std::fs::create_dir_all(place).expect("a folder");
    let (ssl, here, folder) = (
        if more.contains("ssl_certificate") {
            " ssl"
        } else {
            ""
        },
        place.display(),
        folder.display(),
    );
    let configuration = format!(
        "daemon off; pid {here}/pid; error_log {here}/errors; events {{}}\n\
         http {{ access_log {here}/log; client_body_temp_path {here}/1; proxy_temp_path {here}/2;\n\
         fastcgi_temp_path {here}/3; uwsgi_temp_path {here}/4; scgi_temp_path {here}/5;\n\
         server {{ listen {address}{ssl}; root {folder};\n{more} }} }}\n"
    );
    std::fs::write(place.join("conf"), configuration).expect("written");
    // Its worker is another user, if it is started by root.
    let mut open = Command::new("chmod");
    let open = run(open.args(["-R", "a+rX"]).arg(sandbox.path("")));
    assert!(open.status.success(), "{open:?}");
    // But not the keys, which would not be used then.
    let keys = sandbox.path("project/keystore");
    if keys.exists() {
        let closed = run(Command::new("chmod").args(["-R", "go="]).arg(keys));
        assert!(closed.status.success(), "{closed:?}");
    }
    let mut nginx = Command::new("nginx");
    Daemon::start(nginx.arg("-c").arg(place.join("conf")), address)
}

/// s3s-fs: an S3-compatible server that checks signatures. It has a bucket
/// `bucket`.
pub struct S3 {
    _daemon: Daemon,
    /// Where it listens, without a final slash.
    pub url: String,
}

impl S3 {
    /// Over `folder`, for who has this access key and this secret one; without,
    /// for everybody.
    pub fn start(folder: &Path, keys: Option<[&str; 2]>) -> Self {
        let program = root().join(".work/tools/bin/s3s-fs");
        assert!(program.exists(), "scripts/test installs {program:?}");
        std::fs::create_dir_all(folder.join("bucket")).expect("a folder");
        let address = free_address();
        let port = address.rsplit(':').next().expect("it has a port");
        let mut command = Command::new(program);
        command.args(["--host", "127.0.0.1", "--port", port]);
        if let Some([access, secret]) = keys {
            command.args(["--access-key", access, "--secret-key", secret]);
        }
        command.arg(folder);
        S3 {
            _daemon: Daemon::start(&mut command, &address),
            url: format!("http://{address}"),
        }
    }

    /// Tells a command where it is; not the keys.
    pub fn point<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT", &self.url)
            .env("AWS_ALLOW_HTTP", "true")
    }
}
