//! Asks the system which processes there are.

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as os;
#[cfg(windows)]
use windows as os;

use std::io;
use std::path::PathBuf;

/// Returns the ids of all processes whose program the system tells, with that.
///
/// # Errors
/// If the system does not list its processes.
pub(super) fn programs() -> io::Result<Vec<(u32, PathBuf)>> {
    os::programs()
}

/// Returns the process that started this one, the one that started that, and so on;
/// as far as they live still.
pub(super) fn ancestors(id: u32) -> Vec<u32> {
    /// More than there are anywhere; a process id may be used again.
    const MOST: usize = 1000;
    let mut found = Vec::new();
    let Ok(processes) = os::Snapshot::new() else {
        return found;
    };
    let mut id = id;
    while let Some(parent) = processes.parent(id)
        && found.len() < MOST
    {
        found.push(parent);
        id = parent;
    }
    found
}

/// Returns whether there is a process with this id that has not ended. One that has,
/// and that nobody asked about yet (a zombie), does nothing any more.
pub(super) fn is_running(id: u32) -> bool {
    os::is_running(id)
}

/// Returns whether this process can tell which others there are: on Linux that
/// takes a /proc, which a chroot may not have.
pub fn sees_processes() -> bool {
    os::sees_processes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_among_them_and_was_started_by_another() {
        let id = std::process::id();
        let found = programs().unwrap();
        let this = found.iter().find(|(found, _)| *found == id).unwrap();
        let program = std::env::current_exe().unwrap().canonicalize().unwrap();
        assert_eq!(this.1.canonicalize().unwrap(), program);
        assert!(is_running(id) && !is_running(u32::MAX - 1));
        assert!(!ancestors(id).contains(&id));
        assert!(!ancestors(id).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_zombie_does_not_run_and_a_child_comes_from_here() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(is_running(child.id()) && unix::is_there(child.id()));
        assert_eq!(ancestors(child.id())[0], std::process::id());
        let ours = ancestors(std::process::id());
        assert!(ours.contains(&std::os::unix::process::parent_id()));
        drop(child.stdin.take());
        while is_running(child.id()) {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        // Nobody has asked for its end yet.
        assert!(unix::is_there(child.id()));
        child.wait().unwrap();
        assert!(!unix::is_there(child.id()));
    }
}
