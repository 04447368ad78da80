//! Answers `--updater status`.

use crate::http::shown;
use crate::install::release_notes::{self, Note};
use crate::install::{self, BlockedVersions, Layout, Probation, Release};
use crate::policy::blocked::BlockedWhy;
use crate::safe_text::Lines;
use crate::settings::Settings;
use crate::stub_version;
use crate::update::UpdateError;
use crate::updater_cli::command_output::{
    CommandOutput, add_notes, describe, installed, list, or_none, release,
};
use pep440_rs::Version;
use serde_json::json;
use std::io::{self};
use std::path::Path;

/// Whether this user may know what is in the state dir; there may be none yet.
fn is_readable(layout: &Layout) -> bool {
    match std::fs::read_dir(layout.state()) {
        Ok(_) => true,
        Err(e) => e.kind() == io::ErrorKind::NotFound,
    }
}

/// What only the owner of the state dir can see.
struct OwnersView {
    staged: Option<Release>,
    previous: Option<Release>,
    on_probation: bool,
    failed: Vec<String>,
    rolled_back: Vec<String>,
    not_installed: Vec<String>,
    notes: Vec<Note>,
}

impl OwnersView {
    fn of(
        layout: &Layout,
        settings: &Settings,
        current: Option<&Release>,
    ) -> Result<Self, UpdateError> {
        let staged = install::offered_staged(layout, settings);
        let newest = staged.iter().chain(current).map(|r| &r.version).max();
        let notes = newest.map_or(Ok(Vec::new()), |newest| release_notes::kept(layout, newest))?;
        let blocked = BlockedVersions::load(layout);
        Ok(OwnersView {
            staged,
            previous: install::offered_previous(layout),
            on_probation: matches!(Probation::load(layout), Ok(Some(_))),
            failed: surely(&blocked, BlockedWhy::Failed),
            rolled_back: surely(&blocked, BlockedWhy::RolledBack),
            not_installed: surely(&blocked, BlockedWhy::NotInstalled),
            notes,
        })
    }

    fn lines(&self) -> [(&'static str, String); 5] {
        [
            ("ready", or_none(&self.staged)),
            ("previous", or_none(&self.previous)),
            ("failed here", list(&self.failed)),
            ("rolled back", list(&self.rolled_back)),
            ("left out", list(&self.not_installed)),
        ]
    }
}

/// Tells what is known to everybody who may start the application, and what is in
/// the state dir, if this user may look into that.
pub(super) fn status(
    layout: &Layout,
    settings: &Settings,
    log: &Path,
) -> Result<CommandOutput, UpdateError> {
    let current = installed(&layout.app());
    let own = if is_readable(layout) {
        Some(OwnersView::of(layout, settings, current.as_ref())?)
    } else {
        None
    };
    let own = own.as_ref();
    let on_probation = own.is_some_and(|own| own.on_probation);
    let probation = if on_probation { " (on probation)" } else { "" };
    let (metadata, targets) = (shown(&settings.metadata_url), shown(&settings.targets_url));
    let hold = settings.hold.as_ref().map(ToString::to_string);
    let held = hold.clone().unwrap_or_else(|| "none".into());
    let mut lines = vec![(
        "installed",
        format!("{}{probation}", describe(current.as_ref())),
    )];
    lines.extend(own.into_iter().flat_map(OwnersView::lines));
    let off = settings.switched_off_by.as_ref();
    let mode = match off {
        Some(by) => format!("switched off by {}", by.display()),
        None => settings.mode.to_string(),
    };
    lines.extend([
        ("channel", settings.channel.to_string()),
        ("updates", mode),
        ("stays with", held),
        ("metadata", metadata.clone()),
        ("targets", targets.clone()),
        ("log", log.display().to_string()),
    ]);
    let text = as_text(lines, own, layout);
    let json = json!({
        "updater": stub_version::version().to_string(),
        "installed": current.as_ref().map(release),
        "staged": own.and_then(|own| own.staged.as_ref()).map(release),
        "previous": own.and_then(|own| own.previous.as_ref()).map(release),
        "probation": own.map(|own| own.on_probation),
        "failed": own.map(|own| &own.failed),
        "rolled_back": own.map(|own| &own.rolled_back),
        "not_installed": own.map(|own| &own.not_installed),
        "notes": own.map(|own| &own.notes),
        "channel": settings.channel.to_string(),
        "mode": settings.mode.to_string(),
        "hold": hold,
        "switched_off_by": off.map(|by| by.to_string_lossy()),
        "metadata_url": metadata,
        "targets_url": targets,
        "log": log.to_string_lossy(),
        "readable": own.is_some(),
    });
    Ok(CommandOutput { text, json })
}

fn as_text(lines: Vec<(&str, String)>, own: Option<&OwnersView>, layout: &Layout) -> Lines {
    let mut text = Lines::new();
    for (what, value) in lines {
        text.line(format!("{what:11} {value}"));
    }
    match own {
        Some(own) => add_notes(&mut text, &own.notes),
        None => add_reason(&mut text, layout),
    }
    text
}

/// Says why there is no more.
fn add_reason(text: &mut Lines, layout: &Layout) {
    text.line("");
    text.line(format!(
        "{} belongs to another user, who alone can see and do more.",
        layout.state().display()
    ));
}

/// Versions blocked for this reason; what may work at the next start is not
/// left out yet.
fn surely(blocked: &BlockedVersions, why: BlockedWhy) -> Vec<String> {
    let versions = blocked.versions(why).into_iter();
    let sure = |v: &Version| blocked.find(v, why).is_some_and(|entry| entry.sure);
    versions.filter(sure).map(|v| v.to_string()).collect()
}
