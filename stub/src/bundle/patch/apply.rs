//! Applies a patch to a tree.

use crate::bundle::entry::{Entry, EntryKind};
use crate::bundle::manifest::{Manifest, Tree, TreeHash};
use crate::bundle::patch::budget::Budget;
use crate::bundle::patch::error::PatchError;
use crate::bundle::patch::file_digest::verify;
use crate::bundle::patch::format::MAX_DIFF_SIZE;
use crate::bundle::patch::operation::Operation;
use crate::bundle::patch::output::Output;
use crate::bundle::patch::plain_view::PlainView;
use crate::bundle::patch::reader::Patch;
use crate::bundle::patch::rebuild::rebuild;
use crate::bundle::patch::tree_overlay::{FileSource, Made, Source, TreeOverlay};
use crate::bundle::path_rules::Rules;
use crate::fs::{self, FsError};
use std::collections::HashSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

impl TreeOverlay {
    /// Applies one patch. New files are made in the folder `work`, which must
    /// be empty. `observer` is told of every byte written and may stop it.
    ///
    /// # Errors
    /// [`PatchError`]; in particular if the result does not have tree hash
    /// `expected`. The installed files are only read.
    pub fn apply(
        mut self,
        patch: &Path,
        expected: TreeHash,
        work: &Path,
        rules: Rules,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<TreeOverlay, PatchError> {
        let mut budget = Budget::default();
        budget.take(self.weight())?;
        let mut patch = Patch::open(patch, &mut budget)?;
        let operations = patch.operations(rules, &mut budget)?;
        // What stays is checked while the rest is made. Old paths mean the
        // old tree, so that is changed when all is made.
        let changed: HashSet<&str> = operations.iter().map(Operation::path).collect();
        let stop = AtomicBool::new(false);
        let made = std::thread::scope(|scope| {
            let kept = || verify(self.unverified(|path| !changed.contains(path)), &stop);
            let checks = std::thread::Builder::new()
                .spawn_scoped(scope, kept)
                .map_err(|e| FsError::new("start a thread for", work, e))?;
            let mut perform = || {
                let mut made = Vec::with_capacity(operations.len());
                for (index, operation) in operations.iter().enumerate() {
                    let built = work.join(index.to_string());
                    let source = Source {
                        patch: &mut patch,
                        budget,
                    };
                    made.push(self.perform(operation, source, &built, observer)?);
                }
                patch.finish().map(|()| made)
            };
            let performed = perform();
            stop.store(performed.is_err(), Ordering::Relaxed);
            let checked = checks.join().expect("no thread panics");
            performed.and_then(|made| checked.map(|()| made))
        })?;
        self.checked = true;
        for (path, place) in &mut self.places {
            place.verified |= !place.free && !changed.contains(path.as_str());
        }
        drop(changed);
        for (operation, made) in operations.into_iter().zip(made) {
            self.change(operation.into_path(), made)?;
        }
        rules.check_tree(&self.manifest)?;
        let found = self.manifest.tree_hash();
        if found != expected {
            return Err(PatchError::WrongTree { found, expected });
        }
        Ok(self)
    }

    /// Makes what one operation brings; `None` if it takes something away.
    fn perform(
        &self,
        operation: &Operation,
        source: Source,
        built: &Path,
        observer: &mut dyn FnMut(u64) -> bool,
    ) -> Result<Option<Made>, PatchError> {
        let (kind, mode, place) = match operation {
            Operation::Remove(_) => return Ok(None),
            Operation::Dir { mode, .. } => (EntryKind::Dir, *mode, None),
            Operation::Link { target, .. } => {
                let target = target.clone();
                (EntryKind::Link { target }, 0o777, None)
            }
            Operation::Copy { mode, old, .. } => {
                let place = FileSource {
                    free: false,
                    ..self.old(old)?
                };
                (self.manifest.entries[old].kind.clone(), *mode, Some(place))
            }
            &Operation::Full { mode, size, .. } => {
                let mut out = Output::create(built, size, mode, observer)?;
                source.patch.literals(size, &mut |bytes| out.write(bytes))?;
                let sha256 = out.finish()?;
                let place = FileSource::built(built, mode);
                (EntryKind::File { size, sha256 }, mode, Some(place))
            }
            Operation::Diff {
                mode,
                size,
                old,
                parts,
                ..
            } => {
                let old = old
                    .iter()
                    .map(|file| Ok((self.old(&file.path)?.path, file)));
                let old = old.collect::<Result<Vec<_>, PatchError>>()?;
                // Before anything is inflated for it.
                if *size > MAX_DIFF_SIZE {
                    return Err(PatchError::Malformed("a file is too large to be patched"));
                }
                let work = built.parent().unwrap_or(built);
                let view = PlainView::open(&old, work, observer)?;
                let mut out = Output::create(built, *size, *mode, observer)?;
                rebuild(&view, parts, source, &mut out)?;
                let (size, sha256) = (*size, out.finish()?);
                let place = FileSource::built(built, *mode);
                (EntryKind::File { size, sha256 }, *mode, Some(place))
            }
        };
        let entry = Entry { kind, mode };
        Ok(Some(Made { entry, place }))
    }

    /// Puts what was made into the tree.
    pub(super) fn change(&mut self, path: String, made: Option<Made>) -> Result<(), PatchError> {
        self.places.remove(&path);
        let Some(Made { entry, place }) = made else {
            return match self.manifest.entries.remove(&path) {
                Some(_) => Ok(()),
                None => Err(PatchError::NoOld(path)),
            };
        };
        if let Some(place) = place {
            self.places.insert(path.clone(), place);
        }
        self.manifest.entries.insert(path, entry);
        Ok(())
    }
}

/// Applies one patch to the bundle `old`, whose files are only read, and puts
/// the result into the folder `tree` in `into`, which is made for it.
/// `observer` is told of every byte written and may stop it.
///
/// # Errors
/// [`PatchError`]; in particular if the result does not have tree hash
/// `expected`.
pub fn apply_patch(
    old: Tree<'_>,
    patch: &Path,
    expected: TreeHash,
    rules: Rules,
    into: &Path,
    observer: &mut dyn FnMut(u64) -> bool,
) -> Result<Manifest, PatchError> {
    let (work, tree) = (into.join("work"), into.join("tree"));
    fs::create_dir_all(&work)?;
    fs::create_dir_all(&tree)?;
    TreeOverlay::installed(old.folder, old.manifest.clone())
        .apply(patch, expected, &work, rules, observer)?
        .gather(&tree, observer)
}
