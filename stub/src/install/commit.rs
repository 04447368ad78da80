//! Putting a staged update in the place of the installed bundle, so that a
//! kill at any instant leaves one of the two, whole.

use super::probation::record_hash;
use super::staged_origin::{Origin, Why};
use super::{
    Layout, Lock, Probation, Record, RecordError, Release, exchange, running_instances, user_files,
};
use crate::bundle::patch::verify_file;
use crate::bundle::{Entry, Kind, Manifest, Rules};
use crate::fs::attributes::{self, with_access};
use crate::fs::plain_file;
use crate::fs::{self, FsError};
use std::cell::OnceCell;
use std::path::Path;
use std::time::Duration;

const JOURNAL_HEADER: &str = "notsotuf-journal 1\nto ";
/// The second line, once `previous` is a whole copy of `app`, which may be
/// gone or in pieces from then on.
const COPIED: &str = "\ncopied\n";

/// What a commit is doing, for the start that finds it interrupted. On disk:
///
/// ```text
/// notsotuf-journal 1
/// to <SHA-256 of the record of the update>
/// copied
/// ```
///
/// with the last line only if it is so.
struct Journal {
    to: String,
    copied: bool,
}

impl Journal {
    /// `None` if no commit is under way.
    fn load(layout: &Layout) -> Result<Option<Self>, FsError> {
        let Some(text) = plain_file::read(&layout.journal(), 1024)? else {
            return Ok(None);
        };
        let text = String::from_utf8_lossy(&text);
        // It is written atomically; one of another form is of another
        // version, and then names no bundle that is here.
        let to = text.strip_prefix(JOURNAL_HEADER).unwrap_or_default();
        Ok(Some(Journal {
            to: to.lines().next().unwrap_or_default().into(),
            copied: text.ends_with(COPIED),
        }))
    }

    fn store(&self, layout: &Layout) -> Result<(), FsError> {
        let end = if self.copied { COPIED } else { "\n" };
        let text = format!("{JOURNAL_HEADER}{}{end}", self.to);
        fs::write_atomically(&layout.journal(), text.as_bytes())
    }
}
/// How long stubs that are just starting the application may take.
const LAUNCH_PATIENCE: Duration = Duration::from_secs(1);

/// What became of a staged update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is installed.
    Done(Release),
    /// It stays staged: these processes of the application are running, or
    /// (none named) another stub is just starting it.
    Deferred(Vec<u32>),
    /// There is no complete staged update.
    Nothing,
}

/// Why a staged update is not installed. The installed one is as it was.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// A file system call failed.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// A record cannot be used.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// It cannot be told whether the application is running.
    #[error("cannot list the running programs: {0}")]
    Processes(#[from] sysinfo::Error),
    /// A staged file is not what was staged.
    #[error("the staged update is damaged: {path:?} is not as it was staged")]
    Damaged {
        /// The file.
        path: String,
    },
    /// Neither can the folders be exchanged nor one be moved to the other's
    /// place.
    #[error(
        "{staged:?} cannot take the place of {app:?}: they are on different file systems (or layers of one); the folder .notsotuf must be on that of the application"
    )]
    OtherFileSystem {
        /// The staged bundle.
        staged: std::path::PathBuf,
        /// The installed one.
        app: std::path::PathBuf,
    },
}

/// How to install what is staged.
#[derive(Clone, Copy, Default)]
pub struct How<'a> {
    /// Files that no release brought are left behind.
    pub purge: bool,
    /// Every staged file is hashed again first: for updates staged by an
    /// earlier run.
    pub recheck: bool,
    /// It has to prove itself before it counts as working. Not where there
    /// is nothing to go back to.
    pub probation: bool,
    /// It was installed before, and what it holds besides is not outdated.
    pub returning: bool,
    /// Which shipped files keep the changes made to them; `None`: none.
    pub preserve: Option<&'a dyn Fn(&str) -> bool>,
}

impl How<'_> {
    fn preserves(&self, path: &str) -> bool {
        self.preserve.is_some_and(|preserve| preserve(path))
    }
}

/// Installs the staged update, if there is a complete one and no instance of
/// the application is running.
///
/// # Errors
/// [`CommitError`]; what was installed still is.
pub fn commit(layout: &Layout, _update_lock: &Lock, how: How) -> Result<Committed, CommitError> {
    let rules = Rules::host();
    let staged = layout.staged();
    let Some(update) = Record::load(&staged, rules)? else {
        return Ok(Committed::Nothing);
    };
    if how.recheck {
        // A file that did not change is one with that of `app`.
        restore_modes(&staged, &update, &|path| how.preserves(path))?;
        // An edited file may be in its place already, from an interrupted
        // commit.
        let damaged = check_files(&staged, &update, &|path| how.preserves(path))?;
        if let Some(path) = damaged.into_iter().next() {
            return Err(CommitError::Damaged { path });
        }
    }
    // From here until the exchange no stub may start the application.
    let Some(_launch_lock) = Lock::exclusive(&layout.launch_lock(), LAUNCH_PATIENCE)? else {
        return Ok(Committed::Deferred(Vec::new()));
    };
    let app = layout.app();
    let instances = running_instances::instances(&app)?;
    if !instances.is_empty() {
        return Ok(Committed::Deferred(instances));
    }
    let installed = Record::load(&app, rules).unwrap_or_else(|e| {
        log::warn!("{e}; all files that the update does not bring are kept");
        None
    });
    prepare_tree(layout, installed.as_ref(), &update, how)?;
    let Some(hash) = record_hash(&staged)? else {
        return Ok(Committed::Nothing);
    };
    if how.probation && installed.is_some() {
        Probation::begin(layout, hash.clone())?;
    }
    let mut journal = Journal {
        to: hash,
        copied: false,
    };
    journal.store(layout)?;
    let result = take_its_place(layout, installed.as_ref(), &update, how, &mut journal);
    if let Err(e) = &result {
        log::warn!("{e}; taking the update back");
    }
    // Whatever state that left after an error, this knows it.
    finish(layout, &journal.to)?;
    result?;
    Ok(Committed::Done(update.release))
}

/// All that can be done to the staged bundle before anything is moved.
fn prepare_tree(
    layout: &Layout,
    installed: Option<&Record>,
    update: &Record,
    how: How,
) -> Result<(), FsError> {
    let (app, staged) = (layout.app(), layout.staged());
    let old = installed.map(|record| &record.manifest);
    if how.purge || !how.returning {
        user_files::drop_unlisted(&staged, &update.manifest)?;
    }
    if let Some(old) = old {
        let wanted = |path: &str| how.preserves(path);
        user_files::keep_edits(&app, old, &staged, &update.manifest, &wanted)?;
    }
    user_files::adopt_owners(&app, old, &staged, &update.manifest)
}

fn take_its_place(
    layout: &Layout,
    installed: Option<&Record>,
    update: &Record,
    how: How,
    journal: &mut Journal,
) -> Result<(), CommitError> {
    if !how.purge {
        let old = installed.map(|record| &record.manifest);
        let staged = layout.staged();
        let count = user_files::move_over(&layout.app(), old, &staged, &update.manifest)?;
        log::debug!("{count} files and folders of the application's own moved");
    }
    match swap(layout) {
        Err(e) if fs::is_across_file_systems(&e) => {
            log::info!("{e}; copying the installed version instead");
            swap_by_copy(layout, installed.is_some(), journal)
        }
        result => Ok(result?),
    }
}

/// Goes back to the bundle that was there before the last update: stages it
/// and commits that. The application's own files come along. Where that has
/// to wait, or is interrupted, the next start completes it.
///
/// # Errors
/// [`CommitError`]; what was installed still is.
pub fn roll_back(
    layout: &Layout,
    update_lock: &Lock,
    preserve: &dyn Fn(&str) -> bool,
) -> Result<Committed, CommitError> {
    let (previous, staged) = (layout.previous(), layout.staged());
    let Some(record) = Record::load(&previous, Rules::host())? else {
        return Ok(Committed::Nothing);
    };
    restore_modes(&previous, &record, preserve)?;
    for path in check_files(&previous, &record, preserve)? {
        if fs::inspect(&fs::join(&previous, &path))?.is_none() {
            return Err(CommitError::Damaged { path });
        }
        // Most likely by the version that failed: where both have a file,
        // it is one file with two names.
        log::warn!("{path:?} of the version before was changed since it was installed");
    }
    super::discard(layout)?;
    fs::create_dir_all(&layout.staging())?;
    // So that a later start knows it from what was put there by others.
    if let (Some(record), Some(from)) = (record_hash(&previous)?, record_hash(&layout.app())?) {
        let why = Why::BackFrom(from);
        Origin { record, why }.store(layout)?;
    }
    fs::rename(&previous, &staged)?;
    let how = How {
        returning: true,
        preserve: Some(preserve),
        ..How::default()
    };
    commit(layout, update_lock, how)
}

/// The paths in `folder` that are not what the record says, but for those
/// that `may_differ`.
///
/// # Errors
/// If something is there and cannot be read.
pub fn check_files(
    folder: &Path,
    record: &Record,
    may_differ: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, FsError> {
    let mut damaged = Vec::new();
    let modes = Modes::of(folder);
    for (path, entry) in &record.manifest.entries {
        let place = fs::join(folder, path);
        let free = matches!(entry.kind, Kind::File { .. }) && may_differ(path);
        let sound = match &entry.kind {
            Kind::File { .. } if free => fs::inspect(&place)?.is_some(),
            Kind::File { size, sha256 } => verify_file(&place, *size, sha256)?,
            Kind::Dir => fs::inspect(&place)?.is_some_and(|found| found.is_dir()),
            Kind::Link { target } => {
                fs::inspect(&place)?.is_some_and(|found| found.is_symlink())
                    && fs::read_link(&place)?.to_str().map(slashes).as_ref() == Some(target)
            }
        };
        if !sound || !(free || modes.are_right(&place, entry)?) {
            damaged.push(path.clone());
        }
    }
    Ok(damaged)
}

/// On Windows links are made with backslashes.
fn slashes(target: &str) -> String {
    match cfg!(windows) {
        true => target.replace('\\', "/"),
        false => target.into(),
    }
}

/// Gives the files and folders of the bundle in `folder` the permission bits
/// that the record says, where they have others, and returns which those are.
/// Those that `may_differ` stay as they are.
///
/// # Errors
/// If something is there and cannot be inspected.
pub fn restore_modes(
    folder: &Path,
    record: &Record,
    may_differ: &dyn Fn(&str) -> bool,
) -> Result<Vec<String>, FsError> {
    let mut restored = Vec::new();
    let modes = Modes::of(folder);
    // A folder comes before what is in it, which may be out of reach so far.
    for (path, entry) in &record.manifest.entries {
        let place = fs::join(folder, path);
        let free = matches!(entry.kind, Kind::File { .. }) && may_differ(path);
        if free || modes.are_right(&place, entry)? {
            continue;
        }
        match fs::set_path_mode(&place, entry.mode) {
            Ok(()) => restored.push(path.clone()),
            // Only a new file can have others then.
            Err(e) => log::warn!("{e}"),
        }
    }
    Ok(restored)
}

/// Whether files have the permission bits they should, where files can have
/// such: only tried if some have not.
struct Modes<'a> {
    folder: &'a Path,
    kept: OnceCell<bool>,
}

impl<'a> Modes<'a> {
    fn of(folder: &'a Path) -> Self {
        Modes {
            folder,
            kept: OnceCell::new(),
        }
    }

    /// What is not there, or is something else, has no wrong ones.
    fn are_right(&self, place: &Path, entry: &Entry) -> Result<bool, FsError> {
        let Some(found) = fs::inspect(place)? else {
            return Ok(true);
        };
        let same_kind = match entry.kind {
            Kind::File { .. } => found.is_file(),
            Kind::Dir => found.is_dir(),
            Kind::Link { .. } => false,
        };
        if !same_kind || fs::has_permissions(&found, entry.mode) {
            return Ok(true);
        }
        let beside = self.folder.parent().unwrap_or(self.folder);
        Ok(!self.kept.get_or_init(|| attributes::keeps_modes(beside)))
    }
}

fn swap(layout: &Layout) -> Result<(), FsError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    if fs::inspect(&app)?.is_none() {
        return fs::rename(&staged, &app);
    }
    let exchanged = with_access(&[&app, &staged], || {
        exchange::exchange(&staged, &app).map_err(|e| FsError::new("exchange", &app, e))
    });
    if exchanged? {
        fs::sync_dir(layout.root())?;
        return fs::sync_dir(&layout.staging());
    }
    remove_bundle(&previous)?;
    with_access(&[&app], || fs::rename(&app, &previous))?;
    with_access(&[&staged], || fs::rename(&staged, &app))
}

/// Puts the staged bundle in the place of `app` where that cannot be renamed,
/// as a folder of an overlay's lower layer cannot: `previous` becomes a copy
/// of it, and only then it is removed.
fn swap_by_copy(layout: &Layout, recorded: bool, journal: &mut Journal) -> Result<(), CommitError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    // Without a record nobody could tell whether a bundle is whole.
    let here = fs::inspect(&app)?.is_some();
    if !recorded || !here || !can_rename_into(layout)? {
        return Err(CommitError::OtherFileSystem { staged, app });
    }
    if let Err(e) = copy_to_previous(layout) {
        remove_bundle(&previous)?;
        return Err(e.into());
    }
    journal.copied = true;
    journal.store(layout)?;
    remove_bundle(&app)?;
    Ok(fs::rename(&staged, &app)?)
}

fn copy_to_previous(layout: &Layout) -> Result<(), FsError> {
    let (app, previous) = (layout.app(), layout.previous());
    remove_bundle(&previous)?;
    user_files::copy_bundle(&app, &previous)?;
    let record = plain_file::read(&Record::path(&app), u64::MAX)?;
    fs::write_atomically(&Record::path(&previous), &record.unwrap_or_default())
}

/// Whether a folder can be moved from the staging area into the install dir.
fn can_rename_into(layout: &Layout) -> Result<bool, FsError> {
    let (from, to) = (
        layout.staging().join("probe"),
        layout.root().join("app.probe"),
    );
    fs::create_dir_all(&from)?;
    let moved = fs::rename(&from, &to);
    fs::remove_tree(&from)?;
    fs::remove_tree(&to)?;
    match moved {
        Err(e) if fs::is_across_file_systems(&e) => Ok(false),
        result => result.map(|()| true),
    }
}

/// Completes a commit that was interrupted at any point, or takes it back.
/// Does nothing if none was.
///
/// # Errors
/// A file system call that failed; [`Layout::launchable`] still names a
/// complete bundle.
pub fn recover(layout: &Layout, _update_lock: &Lock) -> Result<(), FsError> {
    let Some(Journal { to, .. }) = Journal::load(layout)? else {
        return Ok(());
    };
    log::warn!("an update was interrupted while it was put in place; completing it");
    finish(layout, &to)
}

/// The hash of the record that an interrupted commit was putting in place;
/// `None` if none was interrupted.
pub(super) fn interrupted(layout: &Layout) -> Result<Option<String>, FsError> {
    Ok(Journal::load(layout)?.map(|journal| journal.to))
}

/// Whether a commit was interrupted when `app` was being removed, a copy of
/// it being `previous`.
pub(super) fn is_being_removed(layout: &Layout) -> bool {
    let copied = matches!(
        Journal::load(layout),
        Ok(Some(Journal { copied: true, .. }))
    );
    copied && matches!(fs::inspect(&Record::path(&layout.app())), Ok(None))
}

/// The end of a commit, from whatever state it is in. `to` is the hash of
/// the update's record.
fn finish(layout: &Layout, to: &str) -> Result<(), FsError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    let is_update = |folder: &Path| -> Result<bool, FsError> {
        Ok(record_hash(folder)?.is_some_and(|hash| hash == to))
    };
    if is_being_removed(layout) {
        remove_bundle(&app)?;
    }
    if fs::inspect(&app)?.is_none() {
        // Between two renames.
        let forward = match is_update(&staged)? {
            true => with_access(&[&staged], || fs::rename(&staged, &app)).map(|()| true),
            false => Ok(false),
        };
        if !matches!(forward, Ok(true)) && fs::inspect(&previous)?.is_some() {
            fs::rename(&previous, &app)?;
        } else {
            forward?;
        }
    }
    if fs::inspect(&staged)?.is_some() {
        if is_update(&app)? {
            if is_update(&staged)? {
                // A repair: both are the same release, and this is before the
                // exchange or after it.
                take_back(layout)?;
            }
            // After an exchange: what is staged now is the old bundle.
            remove_bundle(&previous)?;
            fs::rename(&staged, &previous)?;
        } else {
            take_back(layout)?;
        }
    }
    fs::remove_file(&layout.journal())?;
    fs::sync_dir(&layout.state())?;
    super::tidy(layout)
}

/// The commit is not gone on with: what is the application's own returns.
fn take_back(layout: &Layout) -> Result<(), FsError> {
    let (app, staged, previous) = (layout.app(), layout.staged(), layout.previous());
    let update = Record::load(&staged, Rules::host()).unwrap_or_else(|e| {
        log::warn!("{e}");
        None
    });
    // Of a bundle that nothing is known of, all is kept.
    let update = update.map_or_else(Manifest::default, |record| record.manifest);
    user_files::move_back(&staged, &app, &update)?;
    // A copy that was not needed is nothing to go back to.
    let copy = record_hash(&previous)?;
    if copy.is_some() && copy == record_hash(&app)? {
        remove_bundle(&previous)?;
    }
    Ok(())
}

/// Removes a bundle, its record first: without one it counts as incomplete.
pub(super) fn remove_bundle(folder: &Path) -> Result<(), FsError> {
    if fs::inspect(folder)?.is_some() {
        fs::remove_file(&Record::path(folder))?;
    }
    fs::remove_tree(folder)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Entry, Manifest};
    use pep440_rs::Version;
    use ring::digest;
    use std::fs::{create_dir_all, read_to_string, rename, write};
    use std::str::FromStr;

    const RECHECK: How = How {
        purge: false,
        recheck: true,
        probation: true,
        returning: false,
        preserve: None,
    };
    const PURGE: How = How {
        purge: true,
        recheck: false,
        ..RECHECK
    };

    fn bundle(folder: &Path, version: &str) -> Record {
        create_dir_all(folder).unwrap();
        write(folder.join("file"), version).unwrap();
        let hash = digest::digest(&digest::SHA256, version.as_bytes());
        let kind = Kind::File {
            size: version.len() as u64,
            sha256: hash.as_ref().try_into().unwrap(),
        };
        let mut manifest = Manifest::default();
        manifest
            .entries
            .insert("file".into(), Entry { kind, mode: 0o644 });
        let record = Record {
            release: Release {
                name: "app".into(),
                version: Version::from_str(version).unwrap(),
            },
            manifest,
        };
        write(Record::path(folder), record.to_text()).unwrap();
        record
    }

    fn version(folder: &Path) -> Option<String> {
        let release = Record::load_release(folder).unwrap()?;
        let content = read_to_string(folder.join("file")).unwrap();
        assert_eq!(content, release.version.to_string());
        Some(content)
    }

    struct Case {
        _folder: tempfile::TempDir,
        layout: Layout,
        lock: Lock,
    }

    fn case() -> Case {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        create_dir_all(layout.staging()).unwrap();
        bundle(&layout.app(), "1.0");
        write(layout.app().join("own"), "mine").unwrap();
        let lock = Lock::exclusive(&layout.update_lock(), Duration::ZERO);
        Case {
            lock: lock.unwrap().unwrap(),
            layout,
            _folder: folder,
        }
    }

    fn journal(layout: &Layout, update: &Path) -> Journal {
        let journal = Journal {
            to: record_hash(update).unwrap().unwrap(),
            copied: false,
        };
        journal.store(layout).unwrap();
        journal
    }

    #[test]
    fn the_update_takes_its_place_and_the_old_one_is_kept() {
        let Case { layout, lock, .. } = &case();
        assert_eq!(commit(layout, lock, RECHECK).unwrap(), Committed::Nothing);
        for (new, old) in [("1.1", "1.0"), ("1.2", "1.1")] {
            let record = bundle(&layout.staged(), new);
            let done = commit(layout, lock, RECHECK).unwrap();
            assert_eq!(done, Committed::Done(record.release));
            assert_eq!(version(&layout.app()).as_deref(), Some(new));
            assert_eq!(version(&layout.previous()).as_deref(), Some(old));
            assert_eq!(read_to_string(layout.app().join("own")).unwrap(), "mine");
            assert!(!layout.journal().exists() && !layout.staged().exists());
        }
        bundle(&layout.staged(), "1.3");
        commit(layout, lock, PURGE).unwrap();
        assert!(!layout.app().join("own").exists(), "purged");
    }

    #[test]
    fn a_damaged_or_unfinished_update_is_not_installed() {
        let Case { layout, lock, .. } = &case();
        bundle(&layout.staged(), "1.1");
        write(layout.staged().join("file"), "1.x").unwrap();
        let damaged = commit(layout, lock, RECHECK);
        assert!(matches!(damaged, Err(CommitError::Damaged { .. })));
        fs::remove_file(&Record::path(&layout.staged())).unwrap();
        assert_eq!(commit(layout, lock, RECHECK).unwrap(), Committed::Nothing);
        assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
    }

    #[test]
    fn waits_for_stubs_that_are_launching() {
        let Case { layout, lock, .. } = &case();
        bundle(&layout.staged(), "1.1");
        let launching = Lock::shared(&layout.launch_lock(), Duration::ZERO);
        let deferred = commit(layout, lock, RECHECK).unwrap();
        assert_eq!(deferred, Committed::Deferred(Vec::new()));
        assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
        drop(launching);
        assert!(matches!(
            commit(layout, lock, RECHECK).unwrap(),
            Committed::Done(_)
        ));
    }

    #[test]
    fn rolls_back_with_the_applications_files() {
        let Case { layout, lock, .. } = &case();
        let none = roll_back(layout, lock, &|_| false).unwrap();
        assert_eq!(none, Committed::Nothing);
        bundle(&layout.staged(), "1.1");
        commit(layout, lock, RECHECK).unwrap();
        assert_eq!(Probation::load(layout).unwrap().unwrap().starts, 0);
        write(layout.app().join("own"), "newer").unwrap();
        write(layout.app().join("made by 1.1"), "").unwrap();
        let back = roll_back(layout, lock, &|_| false).unwrap();
        assert!(matches!(back, Committed::Done(_)));
        assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
        assert_eq!(version(&layout.previous()).as_deref(), Some("1.1"));
        assert_eq!(read_to_string(layout.app().join("own")).unwrap(), "newer");
        assert!(layout.app().join("made by 1.1").exists());
        assert_eq!(Probation::load(layout).unwrap(), None);
        std::fs::remove_file(layout.previous().join("file")).unwrap();
        let damaged = roll_back(layout, lock, &|_| false);
        assert!(matches!(damaged, Err(CommitError::Damaged { .. })));
        assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
    }

    #[test]
    fn recovers_from_every_point_of_the_two_renames_and_of_the_exchange() {
        type Break = fn(&Layout);
        let points: [(&str, Break, &str, Option<&str>); 5] = [
            ("journal written", |_| {}, "1.0", None),
            (
                "app renamed",
                |l| rename(l.app(), l.previous()).unwrap(),
                "1.1",
                Some("1.0"),
            ),
            (
                "both renamed",
                |l| {
                    rename(l.app(), l.previous()).unwrap();
                    rename(l.staged(), l.app()).unwrap();
                },
                "1.1",
                Some("1.0"),
            ),
            (
                "exchanged",
                |l| {
                    let aside = l.root().join("aside");
                    rename(l.app(), &aside).unwrap();
                    rename(l.staged(), l.app()).unwrap();
                    rename(&aside, l.staged()).unwrap();
                },
                "1.1",
                Some("1.0"),
            ),
            (
                "app renamed, update lost",
                |l| {
                    rename(l.app(), l.previous()).unwrap();
                    std::fs::remove_dir_all(l.staging()).unwrap();
                },
                "1.0",
                None,
            ),
        ];
        for (point, break_off, expected, previous) in points {
            let Case {
                layout,
                lock,
                _folder,
            } = &case();
            bundle(&layout.staged(), "1.1");
            journal(layout, &layout.staged());
            break_off(layout);
            assert!(version(&layout.launchable()).is_some(), "{point}");
            recover(layout, lock).unwrap();
            assert_eq!(version(&layout.app()).as_deref(), Some(expected), "{point}");
            assert_eq!(version(&layout.previous()).as_deref(), previous, "{point}");
            assert!(!layout.journal().exists(), "{point}");
            recover(layout, lock).unwrap();
        }
    }

    #[test]
    fn the_journal_is_as_the_formats_say() {
        let Case { layout, .. } = &case();
        for (copied, text) in [
            (false, "notsotuf-journal 1\nto ab12\n"),
            (true, "notsotuf-journal 1\nto ab12\ncopied\n"),
        ] {
            let to = "ab12".into();
            Journal { to, copied }.store(layout).unwrap();
            assert_eq!(read_to_string(layout.journal()).unwrap(), text);
            let found = Journal::load(layout).unwrap().unwrap();
            assert_eq!((found.to.as_str(), found.copied), ("ab12", copied));
        }
        for text in ["", "notsotuf-journal 2\nto ab12\n", "ab12"] {
            write(layout.journal(), text).unwrap();
            let found = Journal::load(layout).unwrap().unwrap();
            assert_eq!((found.to.as_str(), found.copied), ("", false), "{text}");
        }
    }

    /// As [`swap_by_copy`] does up to its last steps.
    fn copied(layout: &Layout) {
        copy_to_previous(layout).unwrap();
        let mut journal = journal(layout, &layout.staged());
        journal.copied = true;
        journal.store(layout).unwrap();
    }

    #[test]
    fn where_folders_cannot_be_renamed_a_copy_is_made_first() {
        let Case {
            layout,
            lock,
            _folder,
        } = &case();
        let update = bundle(&layout.staged(), "1.1");
        let mut journal = journal(layout, &layout.staged());
        let old = Record::load(&layout.app(), Rules::host()).unwrap();
        let old = old.map(|record| record.manifest);
        let moved = user_files::move_over(
            &layout.app(),
            old.as_ref(),
            &layout.staged(),
            &update.manifest,
        );
        moved.unwrap();
        assert!(matches!(
            swap_by_copy(layout, false, &mut journal),
            Err(CommitError::OtherFileSystem { .. })
        ));
        swap_by_copy(layout, true, &mut journal).unwrap();
        recover(layout, lock).unwrap();
        assert_eq!(version(&layout.app()).as_deref(), Some("1.1"));
        assert_eq!(version(&layout.previous()).as_deref(), Some("1.0"));
        let own = read_to_string(layout.app().join("own")).unwrap();
        assert_eq!(own, "mine");
        assert!(!layout.journal().exists());
        assert_eq!(fs::list(layout.root()).unwrap().len(), 2);
    }

    #[test]
    fn recovers_from_every_point_of_a_swap_by_copy() {
        type Break = fn(&Layout);
        let points: [(&str, Break, &str, Option<&str>); 6] = [
            (
                "half a copy",
                |l| {
                    create_dir_all(l.previous()).unwrap();
                    journal(l, &l.staged());
                },
                "1.0",
                None,
            ),
            (
                "copied, and not said so",
                |l| {
                    copy_to_previous(l).unwrap();
                    journal(l, &l.staged());
                },
                "1.0",
                None,
            ),
            ("copied", copied, "1.0", None),
            (
                "the record is gone",
                |l| {
                    copied(l);
                    std::fs::remove_file(Record::path(&l.app())).unwrap();
                },
                "1.1",
                Some("1.0"),
            ),
            (
                "all of it is gone",
                |l| {
                    copied(l);
                    std::fs::remove_dir_all(l.app()).unwrap();
                },
                "1.1",
                Some("1.0"),
            ),
            (
                "all of it and the update are gone",
                |l| {
                    copied(l);
                    std::fs::remove_dir_all(l.app()).unwrap();
                    std::fs::remove_dir_all(l.staging()).unwrap();
                },
                "1.0",
                None,
            ),
        ];
        for (point, break_off, expected, previous) in points {
            let Case {
                layout,
                lock,
                _folder,
            } = &case();
            bundle(&layout.staged(), "1.1");
            // Moved along already, and not to be lost on the way back.
            std::fs::rename(layout.app().join("own"), layout.staged().join("own")).unwrap();
            break_off(layout);
            assert!(version(&layout.launchable()).is_some(), "{point}");
            recover(layout, lock).unwrap();
            assert_eq!(version(&layout.app()).as_deref(), Some(expected), "{point}");
            let left = Record::load_release(&layout.previous()).unwrap();
            let left = left.map(|release| release.version.to_string());
            assert_eq!(left.as_deref(), previous, "{point}");
            if layout.staging().exists() || expected == "1.1" {
                let own = read_to_string(layout.app().join("own")).unwrap();
                assert_eq!(own, "mine", "{point}");
            }
            assert!(!layout.journal().exists(), "{point}");
            recover(layout, lock).unwrap();
        }
    }

    #[test]
    fn what_was_moved_returns_before_anything_staged_is_removed() {
        let Case {
            layout,
            lock,
            _folder,
        } = &case();
        bundle(&layout.staged(), "1.1");
        std::fs::rename(layout.app().join("own"), layout.staged().join("own")).unwrap();
        let to = journal(layout, &layout.staged()).to;
        finish(layout, &to).unwrap();
        assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
        let own = read_to_string(layout.app().join("own")).unwrap();
        assert_eq!(own, "mine");
        assert!(!layout.staged().join("own").exists());
        // And nothing of it is thrown away while that was not done.
        journal(layout, &layout.staged());
        assert!(crate::install::discard(layout).is_err());
        recover(layout, lock).unwrap();
        crate::install::discard(layout).unwrap();
    }

    // A repair exchanges two bundles with the same record.
    #[test]
    fn own_files_are_not_lost_where_both_bundles_are_the_same_release() {
        for exchanged in [false, true] {
            let Case {
                layout,
                lock,
                _folder,
            } = &case();
            bundle(&layout.staged(), "1.0");
            write(layout.app().join("other"), "mine, too").unwrap();
            journal(layout, &layout.staged());
            rename(layout.app().join("own"), layout.staged().join("own")).unwrap();
            if exchanged {
                rename(layout.app().join("other"), layout.staged().join("other")).unwrap();
                let aside = layout.root().join("aside");
                rename(layout.app(), &aside).unwrap();
                rename(layout.staged(), layout.app()).unwrap();
                rename(&aside, layout.staged()).unwrap();
            }
            recover(layout, lock).unwrap();
            assert_eq!(version(&layout.app()).as_deref(), Some("1.0"));
            for own in ["own", "other"] {
                assert!(layout.app().join(own).exists(), "{own}, {exchanged}");
                assert!(!layout.previous().join(own).exists(), "{own}, {exchanged}");
            }
            assert!(!layout.journal().exists());
        }
    }

    #[cfg(unix)]
    #[test]
    fn modes_are_looked_at_and_restored() {
        use std::os::unix::fs::PermissionsExt;
        let Case {
            layout, _folder, ..
        } = &case();
        let app = layout.app();
        let record = Record::load(&app, Rules::host()).unwrap().unwrap();
        let none = |_: &str| false;
        let set = |mode| {
            let mode = std::fs::Permissions::from_mode(mode);
            std::fs::set_permissions(app.join("file"), mode).unwrap();
        };
        for wrong in [0o600, 0o666, 0o4644] {
            set(wrong);
            assert_eq!(check_files(&app, &record, &none).unwrap(), ["file"]);
            assert!(check_files(&app, &record, &|_| true).unwrap().is_empty());
            assert!(restore_modes(&app, &record, &|_| true).unwrap().is_empty());
            assert_eq!(restore_modes(&app, &record, &none).unwrap(), ["file"]);
            assert!(check_files(&app, &record, &none).unwrap().is_empty());
        }
    }
}
