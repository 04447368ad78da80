//! A desktop that nobody looks at: an X server in memory, and a session bus.

use crate::run;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// It ends when this is dropped.
pub struct Desktop {
    servers: Vec<Child>,
    display: String,
    bus: String,
}

impl Desktop {
    /// Starts it, on a display that is free.
    pub fn start() -> Self {
        let mut servers = Vec::new();
        let mut start = |command: &mut Command| {
            let mut child = command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|e| panic!("{command:?}: {e} (scripts/test installs it)"));
            let mut line = String::new();
            let stdout = child.stdout.as_mut().expect("piped");
            let read = BufReader::new(stdout).read_line(&mut line);
            assert!(read.expect("a line") > 0, "{command:?} does not start");
            servers.push(child);
            line.trim().to_owned()
        };
        let screen = ["-screen", "0", "1024x768x24", "-nolisten", "tcp"];
        let display = start(Command::new("Xvfb").args(["-displayfd", "1"]).args(screen));
        let session = ["--session", "--nofork", "--print-address"];
        let bus = start(Command::new("dbus-daemon").args(session));
        Desktop {
            servers,
            display: format!(":{display}"),
            bus,
        }
    }

    /// For programs that are to be on it.
    pub fn environment(&self) -> [(&str, &str); 4] {
        [
            ("DISPLAY", &self.display),
            ("DBUS_SESSION_BUS_ADDRESS", &self.bus),
            ("WAYLAND_DISPLAY", ""),
            ("XDG_CURRENT_DESKTOP", ""),
        ]
    }

    fn xdotool(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("xdotool");
        let output = run(command.args(arguments).env("DISPLAY", &self.display));
        String::from_utf8(output.stdout).expect("numbers")
    }

    /// The window with that title.
    pub fn find(&self, title: &str) -> Option<String> {
        let found = self.xdotool(&["search", "--onlyvisible", "--name", &format!("^{title}")]);
        found.lines().next().map(str::to_owned)
    }

    /// Waits until `child` has opened it.
    ///
    /// # Panics
    /// If the child ends before.
    pub fn wait_for(&self, title: &str, child: &mut Child) -> String {
        loop {
            if let Some(window) = self.find(title) {
                return window;
            }
            let ended = child.try_wait().expect("a child");
            assert_eq!(ended, None, "it ended, and there was no window {title:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Waits until that window is gone.
    pub fn wait_until_gone(&self, title: &str) {
        let start = Instant::now();
        while self.find(title).is_some() {
            assert!(start.elapsed() < Duration::from_secs(30), "{title:?} stays");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Presses a key there.
    pub fn press(&self, window: &str, key: &str) {
        self.xdotool(&["windowfocus", "--sync", window, "key", key]);
    }

    /// Takes a picture of the window in a moment, where pictures for the
    /// documents are wanted.
    pub fn picture(&self, title: &str, name: &str) {
        self.take("NOTSOTUF_SCREENSHOTS", title, name);
    }

    /// Takes a picture for whoever looks at a test, where one does
    /// (`NOTSOTUF_LOOK`, a folder).
    pub fn inspect(&self, title: &str, name: &str) {
        self.take("NOTSOTUF_LOOK", title, name);
    }

    fn take(&self, variable: &str, title: &str, name: &str) {
        let Ok(folder) = std::env::var(variable) else {
            return;
        };
        // It is empty at first.
        std::thread::sleep(Duration::from_millis(1500));
        let window = self.find(title).expect("it is there");
        let mut import = Command::new("import");
        import
            .args(["-window", &window])
            .arg(Path::new(&folder).join(format!("{name}.png")))
            .env("DISPLAY", &self.display);
        let done = run(&mut import);
        assert!(done.status.success(), "{done:?}");
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for server in &mut self.servers {
            server.kill().expect("it is ours");
            server.wait().expect("it ends");
        }
    }
}
