//! Finds running instances of the application: while there is one, its folder
//! is not renamed under it.

use crate::install::processes;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

/// Names the environment variable with the loaders of one-file bundles (their
/// process ids, with commas) that wait for this very process to end. They have
/// read what they need, so they are no instances.
pub const BOOTLOADERS: &str = "NOTSOTUF_BOOTLOADERS";

/// How long a loader of a one-file bundle that nobody named may take to remove what it
/// unpacked.
const LOADER_PATIENCE: Duration = Duration::from_secs(5);

/// Returns the process ids of programs that were started from inside `app`, but
/// for [`bootloaders`].
///
/// Programs of other users may be invisible here; on Windows their open
/// files keep the folder from being renamed anyway.
///
/// # Errors
/// If the system does not list its processes.
pub fn instances(app: &Path) -> io::Result<Vec<u32>> {
    let app = Place::of(app);
    let programs = processes::programs()?.into_iter();
    let inside = programs.filter(|(_, program)| app.contains(program));
    let mut found: Vec<u32> = inside
        .map(|(id, _)| id)
        .filter(|id| !bootloaders().contains(id))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// A folder by all the names that the system may use for it: the one by which it is
/// known here, and the real one. A share or a folder with a drive letter of its own
/// has several, and Windows reports the one by which a program was started.
struct Place(Vec<PathBuf>);

impl Place {
    fn of(folder: &Path) -> Self {
        let real = folder.canonicalize().ok();
        let names = real.into_iter().chain([folder.to_owned()]);
        Place(names.map(|name| comparable(&name)).collect())
    }

    fn contains(&self, program: &Path) -> bool {
        let has = |program: &Path| {
            let program = comparable(program);
            self.0.iter().any(|folder| program.starts_with(folder))
        };
        // What is on Unix is real already; a program that was replaced there is
        // "… (deleted)".
        has(program) || (cfg!(windows) && program.canonicalize().is_ok_and(|real| has(&real)))
    }
}

fn comparable(path: &Path) -> PathBuf {
    if cfg!(windows) {
        plain_windows_path(&path.to_string_lossy()).into()
    } else {
        path.to_owned()
    }
}

/// Returns a path of Windows in lower case, and without what says that it is not to be
/// interpreted: `canonicalize` puts that in front, the list of processes does not.
fn plain_windows_path(path: &str) -> String {
    let path = path.to_lowercase();
    if let Some(share) = path.strip_prefix(r"\\?\unc\") {
        format!(r"\\{share}")
    } else {
        path.strip_prefix(r"\\?\").unwrap_or(&path).to_owned()
    }
}

/// Returns the loaders that [`BOOTLOADERS`] names, if they do wait for this
/// process: only processes that it comes from can do that.
pub fn bootloaders() -> &'static [u32] {
    static FOUND: OnceLock<Vec<u32>> = OnceLock::new();
    FOUND.get_or_init(|| {
        let mut named = ids(BOOTLOADERS);
        if !named.is_empty() {
            let known = processes::ancestors(std::process::id());
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

/// Waits, but not longer than `max_wait`, until the processes have ended that
/// the environment variable `variable` names, an application that restarts itself.
/// That of a one-file bundle has a loader, in `app`, that ends after it and may not
/// be named.
pub fn await_end(app: &Path, variable: &str, max_wait: Duration) {
    let end = Instant::now() + max_wait;
    // An application that becomes the stub names itself.
    let this = std::process::id();
    let named: Vec<u32> = ids(variable).into_iter().filter(|id| *id != this).collect();
    if named.is_empty() {
        return;
    }
    let lives = |id: &&u32| processes::is_running(**id);
    let place = Place::of(app);
    let mut loaders: Vec<u32> = named.iter().filter_map(|id| loader(&place, *id)).collect();
    // Of those that live still, it was not too late to ask who had started them.
    let known = named.iter().filter(lives).count() == named.len();
    loaders.retain(|id| *id != this && !bootloaders().contains(id));
    wait_while(end, || named.iter().chain(&loaders).any(|id| lives(&id)));
    if !known {
        let end = end.min(Instant::now() + LOADER_PATIENCE);
        wait_while(end, || instances(app).is_ok_and(|found| !found.is_empty()));
    }
}

fn wait_while(end: Instant, mut wanted: impl FnMut() -> bool) {
    while wanted() && Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The process that started this one, if that is a program in this place.
fn loader(place: &Place, id: u32) -> Option<u32> {
    let parent = processes::ancestors(id).into_iter().next()?;
    let programs = processes::programs().ok()?;
    let (_, program) = programs.iter().find(|(id, _)| *id == parent)?;
    place.contains(program).then_some(parent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_this_very_process() {
        let exe = std::env::current_exe().unwrap();
        let here = instances(exe.parent().unwrap()).unwrap();
        assert!(here.contains(&std::process::id()), "{here:?}");
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(instances(elsewhere.path()).unwrap(), Vec::<u32>::new());
    }

    #[test]
    fn paths_of_windows_are_compared_whatever_form_they_have() {
        for (path, plain) in [
            (r"C:\Program Files\App", r"c:\program files\app"),
            (r"\\?\C:\Größe", r"c:\größe"),
            (r"\\?\UNC\Server\Share\App", r"\\server\share\app"),
            (r"\\Server\Share\App", r"\\server\share\app"),
            (r"C:\unc\app", r"c:\unc\app"),
            (r"\\?\Volume{1b2c}\app", r"volume{1b2c}\app"),
        ] {
            assert_eq!(plain_windows_path(path), plain);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_place_is_known_by_its_own_name_and_the_real_one() {
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        std::fs::create_dir(&real).unwrap();
        std::os::unix::fs::symlink(&real, &link).unwrap();
        let place = Place::of(&link);
        for name in [&real, &link] {
            assert!(place.contains(&name.join("inner/program")));
        }
        for other in ["realer/program", "program"] {
            assert!(!place.contains(&folder.path().join(other)));
        }
    }
}
