//! The server of the bundler.

use crate::program;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// `notsotuf serve` on a free port, until this is dropped.
pub struct Server {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Where it listens, without a final slash.
    pub url: String,
}

impl Server {
    /// Serves `folder`.
    pub fn start(folder: &Path) -> Self {
        let mut child = Command::new(program("notsotuf"))
            .args(["serve", "--port", "0", "--dir"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the server starts");
        let mut line = String::new();
        let stdout = child.stdout.take().expect("piped");
        BufReader::new(stdout)
            .read_line(&mut line)
            .expect("it says where it is");
        let url = line
            .split_whitespace()
            .last()
            .expect("the URL is last")
            .to_owned();
        let log = Arc::new(Mutex::new(Vec::new()));
        let (stderr, lines) = (child.stderr.take().expect("piped"), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                lines.lock().expect("no panics").push(line);
            }
        });
        Server { child, log, url }
    }

    /// The requests since this was last asked, as `STATUS METHOD PATH`.
    pub fn requests(&self) -> Vec<String> {
        // A line is written after the answer is sent; this one is the last.
        let end = "/the-end";
        let address = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(address).expect("it listens");
        write!(stream, "GET {end} HTTP/1.0\r\n\r\n").expect("it listens");
        loop {
            let mut log = self.log.lock().expect("no panics");
            if let Some(at) = log.iter().position(|line| line.ends_with(end)) {
                let lines = log.drain(..=at);
                return lines.take(at).collect();
            }
            drop(log);
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have been stopped by the test already.
        if self.child.kill().is_ok() {
            self.child.wait().expect("a killed child can be waited for");
        }
    }
}
