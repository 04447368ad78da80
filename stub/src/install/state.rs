//! The state dir belongs to the user who updates, and to nobody else: what is
//! in it is renamed into the place of the application.

use super::Layout;
use crate::attributes;
use crate::fs::{self, FsError};
use std::path::{Path, PathBuf};

/// Why the state dir is not used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Something else is in its place, as somebody might put there who wants
    /// files to be written elsewhere.
    #[error("{0:?} is not a folder; remove it, or reinstall the application")]
    NotAFolder(PathBuf),
    /// It is another user's.
    #[error(
        "{0:?} belongs to another user, so updates are left to that one (or the application was installed by another)"
    )]
    OtherOwner(PathBuf),
    /// This is root, and the install dir is another user's.
    #[error(
        "{0:?} belongs to another user than root: updates are left to that one, so that it stays able to install them; if root is to do that, give the folder to root (chown -R root)"
    )]
    LeftToOwner(PathBuf),
}

/// Whether updates of this install are its owner's affair, and nothing in it
/// is to be touched: what root makes there, the owner could not change any
/// more; and where the owner can make links, root should make nothing.
pub fn is_left_to_owner(layout: &Layout) -> bool {
    attributes::is_of_another_than_root(layout.root())
}

/// Makes the state dir, or makes sure that it is a folder of this user's
/// which nobody else can write to. On Windows it has the permissions of the
/// install dir.
///
/// # Errors
/// [`StateError`]; then nothing in it may be used.
pub fn open_state(layout: &Layout) -> Result<(), StateError> {
    let path = layout.state();
    if is_left_to_owner(layout) {
        return Err(StateError::LeftToOwner(layout.root().into()));
    }
    put_roots_aside(layout)?;
    loop {
        let Some(found) = fs::inspect(&path)? else {
            if fs::create_private_dir(&path)? {
                return Ok(());
            }
            // Somebody else was quicker.
            continue;
        };
        if !found.is_dir() {
            return Err(StateError::NotAFolder(path));
        }
        return own(&path, &found);
    }
}

/// A start as root, by a stub of old, left a state dir that the owner of the
/// install cannot use. It cannot remove it either, but has another name for
/// it.
#[cfg(unix)]
fn put_roots_aside(layout: &Layout) -> Result<(), FsError> {
    use std::os::unix::fs::MetadataExt;
    let user = rustix::process::geteuid().as_raw();
    let is_of = |path: &Path, user: u32| {
        let found = fs::inspect(path)?;
        Ok::<_, FsError>(found.is_some_and(|found| found.is_dir() && found.uid() == user))
    };
    let path = layout.state();
    if user == 0 || !is_of(&path, 0)? || !is_of(layout.root(), user)? {
        return Ok(());
    }
    let names = (1..100).map(|n| layout.root().join(format!(".notsotuf-of-root-{n}")));
    for name in names {
        if fs::inspect(&name)?.is_none() {
            return fs::rename(&path, &name);
        }
    }
    Ok(())
}

#[cfg(windows)]
fn put_roots_aside(_layout: &Layout) -> Result<(), FsError> {
    Ok(())
}

#[cfg(unix)]
fn own(path: &Path, found: &std::fs::Metadata) -> Result<(), StateError> {
    use std::os::unix::fs::MetadataExt;
    if found.uid() != rustix::process::geteuid().as_raw() {
        return Err(StateError::OtherOwner(path.into()));
    }
    if found.mode() & 0o077 != 0 {
        fs::set_dir_mode(path, 0o700)?;
    }
    Ok(())
}

#[cfg(windows)]
fn own(path: &Path, found: &std::fs::Metadata) -> Result<(), StateError> {
    use std::os::windows::fs::MetadataExt;
    // A junction counts as a folder, and leads elsewhere.
    const REPARSE_POINT: u32 = 0x400;
    match found.file_attributes() & REPARSE_POINT {
        0 => Ok(()),
        _ => Err(StateError::NotAFolder(path.into())),
    }
}

/// Whether macOS runs this program from a read-only copy of it somewhere
/// else, as it does with what was downloaded and not moved by the Finder
/// (App Translocation). There are no updates then.
pub fn translocated(program: &Path) -> bool {
    let mut parts = program.components();
    parts.any(|part| part.as_os_str() == "AppTranslocation")
}

/// Whether macOS has marked a file as downloaded and not yet approved by the
/// user: then it may refuse to start it.
pub fn quarantined(path: &Path) -> bool {
    #[cfg(target_vendor = "apple")]
    {
        let mut value = [0u8; 256];
        rustix::fs::getxattr(path, "com.apple.quarantine", &mut value).is_ok()
    }
    #[cfg(not(target_vendor = "apple"))]
    {
        let _: &Path = path;
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn translocation_shows_in_the_path() {
        let random = "/private/var/folders/x/T/AppTranslocation/0A-1B/d/My.app/Contents/MacOS/My";
        assert!(translocated(Path::new(random)));
        assert!(!translocated(Path::new(
            "/Applications/My.app/Contents/MacOS/My"
        )));
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_can_write_to_it_and_links_are_refused() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        let mode = || {
            let found = std::fs::metadata(layout.state()).unwrap();
            found.permissions().mode() & 0o777
        };
        open_state(&layout).unwrap();
        assert_eq!(mode(), 0o700);
        fs::set_dir_mode(&layout.state(), 0o777).unwrap();
        open_state(&layout).unwrap();
        assert_eq!(mode(), 0o700);
        fs::remove_tree(&layout.state()).unwrap();
        std::fs::create_dir(folder.path().join("victim")).unwrap();
        symlink(folder.path().join("victim"), layout.state()).unwrap();
        let refused = open_state(&layout);
        assert!(matches!(refused, Err(StateError::NotAFolder(_))));
        std::fs::remove_file(layout.state()).unwrap();
        std::fs::write(layout.state(), "").unwrap();
        let refused = open_state(&layout);
        assert!(matches!(refused, Err(StateError::NotAFolder(_))));
    }
}
