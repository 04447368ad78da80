//! Running instances of the application: while there is one, its folder is
//! not renamed under it.

use std::path::Path;
use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// The process ids of programs that were started from inside `app`.
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
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// Whether there is a process with this id.
pub fn is_running(id: u32) -> bool {
    let Ok(mut system) = System::new() else {
        return false;
    };
    let id = Pid::from_u32(id);
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[id]),
        true,
        ProcessRefreshKind::nothing(),
    );
    system.process(id).is_some()
}

fn is_inside(exe: &Path, app: &Path) -> bool {
    if cfg!(windows) {
        // `canonicalize` puts `\\?\` in front, the process list does not.
        let text = |path: &Path| {
            let text = path.to_string_lossy().to_lowercase();
            text.strip_prefix(r"\\?\")
                .map_or(text.clone(), str::to_owned)
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
}
