//! Lists processes on Linux and macOS.

use std::io;
use std::path::{Path, PathBuf};
use sysinfo::{
    Pid, Process, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind,
};

pub(super) fn programs() -> io::Result<Vec<(u32, PathBuf)>> {
    let mut system = System::new().map_err(io::Error::other)?;
    let what = ProcessRefreshKind::nothing().with_exe(UpdateKind::Always);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
    let program = |process: &Process| Some((process.pid().as_u32(), process.exe()?.to_owned()));
    Ok(system.processes().values().filter_map(program).collect())
}

/// Knows which process started which. Each is looked up when it is asked for: to read
/// all of /proc would take longer.
pub(super) struct Snapshot;

impl Snapshot {
    #[expect(clippy::unnecessary_wraps, reason = "other systems may fail")]
    pub(super) fn new() -> io::Result<Self> {
        Ok(Snapshot)
    }

    pub(super) fn parent(&self, id: u32) -> Option<u32> {
        let mut system = System::new().ok()?;
        Some(look_up(&mut system, id)?.parent()?.as_u32())
    }
}

fn look_up(system: &mut System, id: u32) -> Option<&Process> {
    let id = Pid::from_u32(id);
    system.refresh_processes_specifics(
        ProcessesToUpdate::Some(&[id]),
        true,
        ProcessRefreshKind::nothing(),
    );
    system.process(id)
}

pub(super) fn is_running(id: u32) -> bool {
    if !sees_processes() {
        return is_there(id);
    }
    let Ok(mut system) = System::new() else {
        return false;
    };
    let ended = [ProcessStatus::Zombie, ProcessStatus::Dead];
    look_up(&mut system, id).is_some_and(|found| !ended.contains(&found.status()))
}

pub(super) fn is_there(id: u32) -> bool {
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

pub(super) fn sees_processes() -> bool {
    !cfg!(target_os = "linux") || Path::new("/proc/self").exists()
}
