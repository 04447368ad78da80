//! Guards the state dir, which belongs to the user who updates, and to nobody
//! else: what is in it is renamed into the place of the application.

use super::{BlockedVersions, Layout, Lock};
use crate::fs::{self, FsError, attributes};
use std::fs::Metadata;
use std::path::{Path, PathBuf};

/// The mode bit of a state dir that a killed run has left behind before all was
/// removed.
#[cfg(unix)]
const NOT_YET_EMPTY: u32 = 0o1000;

/// Says why the state dir is not used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// Something else is in its place, as somebody might put there who wants
    /// files to be written elsewhere.
    #[error("{0:?} is not a folder; remove it, or reinstall the application")]
    NotAFolder(PathBuf),
    /// This user may not write to the install dir, where nobody keeps a state dir.
    #[error("{0:?} is not this user's to change, so whoever installed the application updates it")]
    NotWritable(PathBuf),
    /// The state dir belongs to another user.
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

/// Returns whether updates of this install are its owner's affair, and nothing
/// in it is to be touched: what root makes there, the owner could not change
/// any more; and where the owner can make links, root should make nothing.
pub fn is_left_to_owner(layout: &Layout) -> bool {
    attributes::is_of_another_than_root(layout.root())
}

/// Makes the state dir, or makes sure that it is a folder of this user's
/// which nobody else can write to, or could: what is in it would be installed.
/// On Windows it belongs to this user, to an administrator or to whom the install dir
/// belongs. What was removed is logged.
///
/// # Errors
/// [`StateError`]; then nothing in it may be used.
pub fn open_state_dir(layout: &Layout) -> Result<(), StateError> {
    for done in secure_state(layout)? {
        log::warn!("{done}");
    }
    Ok(())
}

/// Does the same as [`open_state_dir`] where there is no log yet: returns what
/// should be in it.
///
/// # Errors
/// [`StateError`]; then nothing in it may be used.
pub fn secure_state(layout: &Layout) -> Result<Vec<String>, StateError> {
    let path = layout.state();
    if is_left_to_owner(layout) {
        return Err(StateError::LeftToOwner(layout.root().into()));
    }
    put_roots_aside(layout)?;
    let mut is_new = false;
    loop {
        let Some(found) = fs::inspect(&path)? else {
            // Or somebody else was quicker.
            is_new = fs::create_private_dir(&path).map_err(|e| {
                if e.is_denied() {
                    StateError::NotWritable(layout.root().into())
                } else {
                    e.into()
                }
            })?;
            if is_new && cfg!(unix) {
                return Ok(Vec::new());
            }
            continue;
        };
        check(layout, &found)?;
        let mut done = close(layout, &found)?;
        done.extend(remove_strange(layout)?);
        // On Windows it begins with the permissions of the install dir.
        return Ok(if is_new { Vec::new() } else { done });
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
            return fs::rename_durably(&path, &name);
        }
    }
    Ok(())
}

#[cfg(windows)]
fn put_roots_aside(_layout: &Layout) -> Result<(), FsError> {
    Ok(())
}

/// Returns whether the state dir is there and a folder of this user's, so that
/// files may be made in it. Changes nothing.
pub fn owns_state(layout: &Layout) -> bool {
    let path = layout.state();
    !is_left_to_owner(layout)
        && matches!(fs::inspect(&path), Ok(Some(found)) if check(layout, &found).is_ok())
}

/// Returns whether the state dir is there, this user's, and closed to the writes
/// of others (unless those can write to the install dir, too), so that what is
/// in it may be believed. Changes nothing.
pub fn may_believe_state(layout: &Layout) -> bool {
    let path = layout.state();
    !is_left_to_owner(layout)
        && matches!(fs::inspect(&path), Ok(Some(found)) if check(layout, &found).is_ok())
        && (is_closed(layout, &path) || !is_closed(layout, layout.root()))
}

#[cfg(unix)]
fn is_closed(_: &Layout, folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    matches!(fs::inspect(folder), Ok(Some(found)) if found.mode() & (0o022 | NOT_YET_EMPTY) == 0)
}

#[cfg(windows)]
fn is_closed(layout: &Layout, folder: &Path) -> bool {
    writers(layout, folder).is_ok_and(|writers| writers == access::Writers::default())
}

/// Who may write to a folder besides this user and the owner of the install.
#[cfg(windows)]
fn writers(layout: &Layout, folder: &Path) -> Result<access::Writers, FsError> {
    let root = security_of(layout.root())?;
    let found = security_of(folder)?;
    Ok(access::writers(
        &found,
        &this_user()?,
        root.owner.as_deref(),
    ))
}

#[cfg(unix)]
fn check(layout: &Layout, found: &Metadata) -> Result<(), StateError> {
    if !fs::is_real_folder(found) {
        return Err(StateError::NotAFolder(layout.state()));
    }
    if is_own(found) {
        Ok(())
    } else {
        Err(StateError::OtherOwner(layout.state()))
    }
}

#[cfg(windows)]
fn check(layout: &Layout, found: &Metadata) -> Result<(), StateError> {
    let path = layout.state();
    if !fs::is_real_folder(found) {
        return Err(StateError::NotAFolder(path));
    }
    // Somebody who may make folders here, but not replace the application, may have
    // made it to have something of theirs installed.
    if is_trusted(&path, layout)? {
        Ok(())
    } else {
        Err(StateError::OtherOwner(path))
    }
}

#[cfg(windows)]
fn security_of(path: &Path) -> Result<access::Security, FsError> {
    security::read(path).map_err(|e| FsError::new("inspect the owner of", path, e))
}

#[cfg(windows)]
fn this_user() -> Result<String, FsError> {
    security::this_user().map_err(|e| FsError::new("tell who runs", Path::new("this program"), e))
}

#[cfg(windows)]
fn is_trusted(path: &Path, layout: &Layout) -> Result<bool, FsError> {
    is_as_trusted(path, layout.root()).map_err(|e| FsError::new("inspect the owner of", path, e))
}

/// Returns whether something belongs to this user, to an administrator or the system, or
/// to whom the install dir belongs.
///
/// # Errors
/// That cannot be told.
#[cfg(windows)]
pub(crate) fn is_as_trusted(path: &Path, install_dir: &Path) -> std::io::Result<bool> {
    let (found, root) = (security::read(path)?, security::read(install_dir)?);
    let owner = found.owner.as_deref();
    let user = security::this_user()?;
    Ok(access::is_trusted(owner, &user, root.owner.as_deref()))
}

#[cfg(unix)]
fn is_own(found: &Metadata) -> bool {
    std::os::unix::fs::MetadataExt::uid(found) == rustix::process::geteuid().as_raw()
}

/// Takes the state dir away from others. If they could write to it, what is
/// in it may be theirs, and is removed.
#[cfg(unix)]
fn close(layout: &Layout, found: &Metadata) -> Result<Vec<String>, StateError> {
    use std::os::unix::fs::MetadataExt;
    let (path, mode) = (layout.state(), found.mode());
    if mode & (0o022 | NOT_YET_EMPTY) == 0 {
        if mode & 0o777 != 0o700 {
            fs::set_path_mode(&path, 0o700)?;
        }
        return Ok(Vec::new());
    }
    if fs::set_path_mode(&path, 0o700 | NOT_YET_EMPTY).is_err()
        || fs::inspect(&path)?.is_none_or(|found| found.mode() & 0o022 != 0)
    {
        // A file system without permissions, as on a memory stick: whoever can
        // write to it can write to the install dir too.
        fs::set_path_mode(&path, 0o700)?;
        return Ok(Vec::new());
    }
    discard_content(layout)?;
    fs::set_path_mode(&path, 0o700)?;
    Ok(vec![discarded(&path)])
}

/// The same by the access control list.
#[cfg(windows)]
fn close(layout: &Layout, _: &Metadata) -> Result<Vec<String>, StateError> {
    let path = layout.state();
    if writers(layout, &path)? == access::Writers::default() {
        return Ok(Vec::new());
    }
    let user = this_user()?;
    let root = security_of(layout.root())?;
    let owner = root.owner.as_deref();
    let close = |is_empty| {
        security::set(&path, &access::closed(&user, owner, is_empty))
            .map_err(|e| FsError::new("change who may write to", &path, e))
    };
    match close(false).and_then(|()| writers(layout, &path)) {
        Ok(access::Writers { others: false, .. }) => {}
        // A file system without permissions, or one that somebody else is in charge of:
        // whoever can write to it can write to the install dir too.
        _ if writers(layout, layout.root())?.others => return Ok(Vec::new()),
        Ok(_) => {
            let error = std::io::Error::other("others still may");
            return Err(FsError::new("change who may write to", &path, error).into());
        }
        Err(e) => return Err(e.into()),
    }
    discard_content(layout)?;
    close(true)?;
    Ok(vec![discarded(&path)])
}

fn discarded(path: &Path) -> String {
    format!("{path:?} could be written by others, so its content is discarded")
}

/// Removes what others may have made.
fn discard_content(layout: &Layout) -> Result<(), FsError> {
    // Unless a commit was interrupted: then the application is in there. Who
    // can take it away from its place can write to the install dir.
    let bundles = match fs::inspect(&layout.app())? {
        Some(_) => Vec::new(),
        None => vec![layout.staging(), layout.previous(), layout.journal()],
    };
    for entry in fs::list(&layout.state())? {
        if !bundles.contains(&entry) && !is_harmless(layout, &entry)? {
            fs::remove_any(&entry)?;
        }
    }
    Ok(())
}

/// Logs, which nothing is done by, and locks, which others may hold: if they
/// are this user's alone.
fn is_harmless(layout: &Layout, entry: &Path) -> Result<bool, FsError> {
    let (logs, locks) = (layout.logs(), layout.locks());
    if !logs.iter().chain(&locks).any(|path| path == entry) {
        return Ok(false);
    }
    let found = fs::inspect(entry)?.filter(Metadata::is_file);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let _: &Layout = layout;
        Ok(found
            .is_some_and(|found| is_own(&found) && found.nlink() == 1 && found.mode() & 0o022 == 0))
    }
    // Rights that it had from the folder are gone with those.
    #[cfg(windows)]
    Ok(found.is_some() && fs::has_one_name(entry)? && is_trusted(entry, layout)?)
}

/// Removes what is not of this program's making: links, pipes and the like,
/// files in the place of folders, and folders that are another user's or in
/// the place of files.
fn remove_strange(layout: &Layout) -> Result<Vec<String>, FsError> {
    let made_here = [layout.metadata(), layout.downloads(), layout.staging()];
    let bundles = [layout.previous(), layout.staged(), layout.trash()];
    let folders = [&made_here[..], &bundles].concat();
    let files = layout.files();
    let mut done = Vec::new();
    for folder in [
        layout.state(),
        layout.metadata(),
        layout.downloads(),
        layout.staging(),
    ] {
        // One that is strange itself is gone by now.
        for (entry, found) in fs::list_with_types(&folder)? {
            let sound = if found.is_dir() {
                !files.contains(&entry) && (!made_here.contains(&entry) || own(&entry)?)
            } else {
                found.is_file() && !folders.contains(&entry)
            };
            if !sound {
                fs::remove_any(&entry)?;
                done.push(format!(
                    "removed {entry:?}, which was not made by this program"
                ));
            }
        }
    }
    Ok(done)
}

#[cfg(unix)]
fn own(path: &Path) -> Result<bool, FsError> {
    // What is gone is nobody else's.
    Ok(fs::inspect(path)?.is_none_or(|found| is_own(&found)))
}

#[cfg(windows)]
fn own(_: &Path) -> Result<bool, FsError> {
    Ok(true)
}

/// Forgets all that came by metadata of another chain of roots: what is staged,
/// the bundle before, versions that failed, and the version to stay with: those
/// are other versions. The channel that the user chose stays.
///
/// # Errors
/// A file system call that failed.
pub fn forget(layout: &Layout, _update_lock: &Lock) -> Result<(), FsError> {
    super::discard(layout)?;
    fs::remove_tree_if_exists(&layout.downloads())?;
    if fs::inspect(&layout.app())?.is_some() {
        super::swap::remove_bundle(layout, &layout.previous())?;
    }
    for path in [
        layout.probation(),
        layout.notes(),
        layout.release_settings(),
        layout.failed_stub(),
        layout.hold(),
    ] {
        fs::remove_file_if_exists(&path)?;
    }
    BlockedVersions::clear(layout)
}

/// Returns whether macOS runs this program from a read-only copy of it
/// somewhere else, as it does with what was downloaded and not moved by the
/// Finder (App Translocation). There are no updates then.
pub fn translocated(program: &Path) -> bool {
    let mut parts = program.components();
    parts.any(|part| part.as_os_str() == "AppTranslocation")
}

/// Returns whether macOS has marked a file as downloaded and not yet approved
/// by the user: then it may refuse to start it.
pub fn has_quarantine_attribute(path: &Path) -> bool {
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

/// Returns whether a file or folder belongs to the administrators or the system.
#[cfg(windows)]
pub(crate) fn belongs_to_administrators(path: &Path) -> std::io::Result<bool> {
    Ok(access::is_of_administrators(&security::read(path)?))
}

#[cfg(any(windows, test))]
mod access;
#[cfg(windows)]
mod security;
#[cfg(test)]
mod tests;
