//! Finds running instances of the application: while there is one, its folder
//! is not renamed under it.

use std::path::Path;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use sysinfo::{
    Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind,
};

/// Names the environment variable with the loaders of one-file bundles (their
/// process ids, with commas) that wait for this very process to end. They have
/// read what they need, so they are no instances.
pub const BOOTLOADERS: &str = "NOTSOTUF_BOOTLOADERS";

/// Returns the process ids of programs that were started from inside `app`, but
/// for [`bootloaders`].
///
/// Programs of other users may be invisible here; on Windows their open
/// files keep the folder from being renamed anyway.
///
/// # Errors
/// If the system does not list its processes.
pub fn instances(app: &Path) -> Result<Vec<u32>, sysinfo::Error> {
    // The system reports paths with links resolved.
    let app = app.canonicalize().unwrap_or_else(|_| app.to_path_buf());
    let mut system = System::new()?;
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let mut found: Vec<u32> = system
        .processes()
        .values()
        .filter(|process| process.exe().is_some_and(|exe| is_inside(exe, &app)))
        .map(|process| process.pid().as_u32())
        .filter(|id| !bootloaders().contains(id))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// Returns whether this process can tell which others there are: on Linux that
/// takes a /proc, which a chroot may not have.
pub fn sees_processes() -> bool {
    !cfg!(target_os = "linux") || Path::new("/proc/self").exists()
}

/// Returns the loaders that [`BOOTLOADERS`] names, if they do wait for this
/// process: only processes that it comes from can do that.
pub fn bootloaders() -> &'static [u32] {
    static FOUND: OnceLock<Vec<u32>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut named = ids(BOOTLOADERS);
        if !named.is_empty() {
            let known = ancestors();
            named.retain(|id| known.contains(id));
        }
        named
    })
}

/// The process ids in an environment variable, with commas or spaces between.
fn ids(variable: &str) -> Vec<u32> {
    let text = std::env::var(variable).unwrap_or_default();
    text.split([',', ' '])
        .filter_map(|id| id.parse().ok())
        .collect()
}

/// The process that started this one, the one that started that, and so on.
fn ancestors() -> Vec<u32> {
    /// More than there are anywhere; a process id may be used again.
    const MOST: usize = 1000;
    let mut found = Vec::new();
    let Ok(mut system) = System::new() else {
        return found;
    };
    let mut id = Pid::from_u32(std::process::id());
    while found.len() < MOST {
        let Some(parent) = look_up(&mut system, id).and_then(Process::parent) else {
            break;
        };
        found.push(parent.as_u32());
        id = parent;
    }
    found
}

fn look_up(system: &mut System, id: Pid) -> Option<&Process> {
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[id]),
        true,
        ProcessRefreshKind::nothing(),
    );
    system.process(id)
}

/// Waits, but not longer than `max_wait`, until the processes have ended that
/// the environment variable `variable` names.
pub fn await_end(variable: &str, max_wait: Duration) {
    let start = Instant::now();
    for id in ids(variable) {
        // An application that becomes the stub names itself.
        let lives = || id != std::process::id() && is_running(id);
        while lives() && start.elapsed() < max_wait {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// Whether there is a process with this id that has not ended. One that has,
/// and that nobody asked about yet (a zombie), does nothing any more.
fn is_running(id: u32) -> bool {
    if !sees_processes() {
        return is_there(id);
    }
    let Ok(mut system) = System::new() else {
        return false;
    };
    let ended = [ProcessStatus::Zombie, ProcessStatus::Dead];
    look_up(&mut system, Pid::from_u32(id)).is_some_and(|found| !ended.contains(&found.status()))
}

#[cfg(unix)]
fn is_there(id: u32) -> bool {
    let id = i32::try_from(id)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    id.is_some_and(|id| {
        !matches!(
            rustix::process::test_kill_process(id),
            Err(rustix::io::Errno::SRCH)
        )
    })
}

#[cfg(windows)]
fn is_there(_: u32) -> bool {
    false
}

fn is_inside(exe: &Path, app: &Path) -> bool {
    if cfg!(windows) {
        // `canonicalize` puts `\\?\` in front, the process list does not.
        let text = |path: &Path| {
            let text = path.to_string_lossy().to_lowercase();
            text.strip_prefix(r"\\?\")
                .map_or_else(|| text.clone(), str::to_owned)
        };
        return Path::new(&text(exe)).starts_with(text(app));
    }
    exe.starts_with(app)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_very_process() {
        let exe = std::env::current_exe().unwrap();
        let here = instances(exe.parent().unwrap()).unwrap();
        assert!(here.contains(&std::process::id()), "{here:?}");
        assert!(is_running(std::process::id()));
        assert!(!is_running(u32::MAX - 1));
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(instances(elsewhere.path()).unwrap(), Vec::<u32>::new());
    }

    #[cfg(unix)]
    #[test]
    fn a_zombie_does_not_run_and_a_child_comes_from_here() {
        let mut child = std::process::Command::new("cat")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        assert!(is_running(child.id()) && is_there(child.id()));
        assert!(!ancestors().contains(&child.id()));
        assert!(ancestors().contains(&std::os::unix::process::parent_id()));
        drop(child.stdin.take());
        while is_running(child.id()) {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Nobody has asked for its end yet.
        assert!(is_there(child.id()));
        child.wait().unwrap();
        assert!(!is_there(child.id()));
    }
}
