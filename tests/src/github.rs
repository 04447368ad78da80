//! A server that stands in for GitHub: tests/python/github.py.

use crate::daemons::{Daemon, free_address};
use crate::{json, root};
use serde_json::Value;
use std::process::Command;

/// A GitHub with one public repository, `me/app`, until this is dropped.
pub struct GitHub {
    _daemon: Daemon,
    /// Where it is, without a final slash.
    pub url: String,
    objects: u16,
}

impl Default for GitHub {
    fn default() -> Self {
        Self::start()
    }
}

impl GitHub {
    /// The token that it accepts.
    pub const TOKEN: &str = "ghp_secret";

    /// Starts it.
    pub fn start() -> Self {
        let (address, objects) = (free_address(), free_address());
        let port = |address: &str| {
            address
                .rsplit(':')
                .next()
                .expect("it has a port")
                .to_owned()
        };
        let mut command = Command::new(root().join(".venv/bin/python"));
        command
            .arg(root().join("tests/python/github.py"))
            .args([port(&address), port(&objects)]);
        GitHub {
            _daemon: Daemon::start(&mut command, &address),
            url: format!("http://{address}"),
            objects: port(&objects).parse().expect("a port"),
        }
    }

    /// Tells a command where it is, and the token.
    pub fn point<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .env("GITHUB_API_URL", format!("{}/api", self.url))
            .env("GITHUB_SERVER_URL", &self.url)
            .env("GITHUB_TOKEN", Self::TOKEN)
            .env_remove("NOTSOTUF_GITHUB_TOKEN")
    }

    /// Changes how it behaves, as tests/python/github.py says.
    pub fn set(&self, state: &Value) -> Value {
        self.steer("set", state)
    }

    /// Replaces a text in a file of the branch, as somebody does who has no key.
    pub fn tamper(&self, path: &str, old: &str, new: &str) -> Value {
        self.steer(
            "tamper",
            &serde_json::json!({ "path": path, "old": old, "new": new }),
        )
    }

    /// What it has, and what it was asked.
    pub fn state(&self) -> Value {
        self.set(&serde_json::json!({}))
    }

    /// Requests as `METHOD PATH`, those for the content of files with `objects` before.
    pub fn requests(&self) -> Vec<String> {
        let state = self.state();
        let log = state["log"].as_array().expect("a log");
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let line = |entry: &Value| {
            let elsewhere = entry[0] == self.objects;
            let host = if elsewhere { "objects " } else { "" };
            format!("{host}{} {}", text(&entry[1]), text(&entry[2]))
        };
        log.iter().map(line).collect()
    }

    /// Credentials that the host of the files was given, which should be none.
    pub fn given_to_objects(&self) -> Vec<Value> {
        let state = self.state();
        let log = state["log"].as_array().expect("a log").iter();
        let of_objects = log.filter(|entry| entry[0] == self.objects);
        of_objects.map(|entry| entry[3].clone()).collect()
    }

    fn steer(&self, what: &str, body: &Value) -> Value {
        let mut curl = Command::new("curl");
        curl.args(["-sf", "--noproxy", "*", "-X", "POST", "--data-binary"])
            .args([body.to_string(), format!("{}/-/{what}", self.url)]);
        json(&mut curl)
    }
}
