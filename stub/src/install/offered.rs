//! Tells which releases are here besides the installed one, for whoever may choose them.

use crate::install::{BlockedVersions, Layout, Record, Release};
use crate::policy::blocked::BlockedWhy;
use crate::policy::wanted::Wanted;
use crate::settings::Settings;
use std::path::Path;

/// Returns the release of this application that is recorded in `folder`. A record that
/// cannot be read counts as none.
pub fn recorded(folder: &Path, name: &str) -> Option<Release> {
    release_in(folder).filter(|release| release.name == name)
}

fn release_in(folder: &Path) -> Option<Release> {
    Record::load_release(folder).unwrap_or_else(|e| {
        log::debug!("{e}");
        None
    })
}

/// Returns the release that was staged and may be installed at the next start: updates are
/// not switched off, and it is still wanted.
pub fn offered_staged(layout: &Layout, settings: &Settings) -> Option<Release> {
    if settings.switched_off_by.is_some() {
        return None;
    }
    recorded(&layout.staged(), &settings.name).filter(|staged| may_follow(layout, settings, staged))
}

/// Returns whether the settings and the user want a staged release in the place
/// of the installed one.
pub fn may_follow(layout: &Layout, settings: &Settings, staged: &Release) -> bool {
    let installed = recorded(&layout.app(), &settings.name);
    let installed = installed.as_ref().map(|release| &release.version);
    Wanted::of(settings).may_follow(&staged.version, installed)
}

/// Returns the previous bundle, if one can go back to it: not to one that
/// failed here.
pub fn offered_previous(layout: &Layout) -> Option<Release> {
    let release = release_in(&layout.previous())?;
    let blocked = BlockedVersions::load(layout);
    let failed = blocked.find(&release.version, BlockedWhy::Failed);
    failed.is_none().then_some(release)
}
