//! Puts bundles away that nobody needs any more.
//!
//! Their files mostly are files of `app/`, too, by another name. Windows refuses to
//! remove a file that a program has loaded, and a program's ordinary open fails
//! at the instant in which somebody removes one of the names of that file. So
//! there a folder goes as a whole to the trash, which touches no file in it, and
//! is emptied while the application does not run and cannot start.

use crate::fs::{self, FsError};
use crate::install::{CommitError, Layout, Lock, running_instances};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long emptying may take: nobody can start the application meanwhile. What is
/// left waits for another time.
const PATIENCE: Duration = Duration::from_secs(2);

/// Removes a folder whose files may be those of `app/`; on Windows as soon as
/// nobody can notice that. What another user has made in it stays in the trash.
///
/// # Errors
/// A file system call that failed.
pub(super) fn put_away(layout: &Layout, folder: &Path) -> Result<(), FsError> {
    if cfg!(windows) {
        move_to_trash(layout, folder)
    } else {
        match fs::remove_tree_if_exists(folder) {
            // What an application made that an administrator started once.
            Err(e) if e.is_denied() => {
                log::warn!(
                    "{e}; what is left of {folder:?} stays in {:?}",
                    layout.trash()
                );
                move_to_trash(layout, folder)
            }
            result => result,
        }
    }
}

fn move_to_trash(layout: &Layout, folder: &Path) -> Result<(), FsError> {
    if fs::inspect(folder)?.is_none() {
        return Ok(());
    }
    let trash = layout.trash();
    fs::create_dir_all(&trash)?;
    fs::rename_unsynced(folder, &free_name(&trash)?)
}

/// A name in the trash that is not taken. Only one process at a time puts anything
/// there: it holds the update lock.
fn free_name(trash: &Path) -> Result<PathBuf, FsError> {
    let mut number = 0_u32;
    loop {
        let name = trash.join(number.to_string());
        if fs::inspect(&name)?.is_none() {
            return Ok(name);
        }
        number += 1;
    }
}

/// Empties the trash if nobody updates and the application does not run. What cannot
/// be removed yet stays until another time.
pub fn empty_trash(layout: &Layout) {
    if !is_full(layout) {
        return;
    }
    if let Err(e) = empty_if_alone(layout) {
        log::debug!("the trash is not emptied: {e}");
    }
}

fn empty_if_alone(layout: &Layout) -> Result<(), CommitError> {
    let alone = |path: &Path| Lock::exclusive(path, Duration::ZERO);
    let Some(_update_lock) = alone(&layout.update_lock())? else {
        return Ok(());
    };
    let Some(launch_lock) = alone(&layout.launch_lock())? else {
        return Ok(());
    };
    if running_instances::instances(&layout.app())
        .map_err(CommitError::Processes)?
        .is_empty()
    {
        empty(layout, &launch_lock);
    }
    Ok(())
}

fn is_full(layout: &Layout) -> bool {
    fs::list(&layout.trash()).is_ok_and(|found| !found.is_empty())
}

/// Empties the trash. `_launch_lock` is held alone, and no instance runs.
pub(super) fn empty(layout: &Layout, _launch_lock: &Lock) {
    if !is_full(layout) {
        return;
    }
    if let Err(e) = clear(&layout.trash(), Instant::now() + PATIENCE) {
        log::info!("{e}; the rest of what is not needed any more is removed at another start");
    }
}

/// Removes a folder, and waits for nobody: who has a file open may have it so for
/// hours.
fn clear(folder: &Path, end: Instant) -> Result<(), FsError> {
    for (entry, kind) in fs::list_with_types(folder)? {
        if Instant::now() > end {
            let error = std::io::Error::other("that takes too long");
            return Err(FsError::new("remove", &entry, error));
        }
        if kind.is_dir() {
            clear(&entry, end)?;
        } else {
            fs::remove_at_once(&entry)?;
        }
    }
    fs::remove_at_once(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_go_to_the_trash_whole_and_from_there_when_nobody_runs() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.app().join("inner")).unwrap();
        let file = layout.app().join("inner/file");
        std::fs::write(&file, "text").unwrap();
        for _ in 0..2 {
            let staged = layout.staged();
            std::fs::create_dir_all(staged.join("inner")).unwrap();
            std::fs::hard_link(&file, staged.join("inner/file")).unwrap();
            move_to_trash(&layout, &layout.staging()).unwrap();
            assert!(!layout.staging().exists());
        }
        move_to_trash(&layout, &layout.staging()).unwrap();
        for number in ["0", "1"] {
            let whole = layout.trash().join(number).join("tree/inner/file");
            assert_eq!(std::fs::read_to_string(whole).unwrap(), "text");
        }
        // A stub that is about to start the application keeps it from being emptied.
        let starting = Lock::shared(&layout.launch_lock(), Duration::ZERO).unwrap();
        empty_trash(&layout);
        assert!(layout.trash().join("1").exists());
        drop(starting);
        empty_trash(&layout);
        assert!(!layout.trash().exists());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "text");
        empty_trash(&layout);
    }

    #[cfg(unix)]
    #[test]
    fn the_trash_is_not_emptied_while_the_application_runs() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        std::fs::create_dir_all(layout.app()).unwrap();
        std::fs::create_dir_all(layout.staging()).unwrap();
        let program = layout.app().join("program");
        std::fs::copy("/bin/cat", &program).unwrap();
        let mut running = std::process::Command::new(&program)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        move_to_trash(&layout, &layout.staging()).unwrap();
        empty_trash(&layout);
        assert!(layout.trash().join("0").exists());
        drop(running.stdin.take());
        running.wait().unwrap();
        empty_trash(&layout);
        assert!(!layout.trash().exists());
    }
}
