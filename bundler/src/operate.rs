//! Operations on releases that are out: rolling out step by step, and
//! withdrawing. They change what the metadata says of a release, not its
//! files, and take effect with the next publish.

use crate::metadata::Published;
use crate::project::Project;
use crate::release::{Pending, ReleaseError};
use notsotuf_stub::select::{TargetKind, TargetName};
use notsotuf_stub::tuf::key::encode_hex;
use pep440_rs::Version;
use ring::rand::{SecureRandom, SystemRandom};
use serde_json::{Value, json};
use std::str::FromStr;

/// The entry of a rollout to `percent` of the clients, with the salt that it
/// has had so far, so that who has the release stays among them; `None` for
/// all clients.
pub fn rollout_entry(before: &Value, percent: u64) -> Option<Value> {
    if percent >= 100 {
        return None;
    }
    let salt = before["salt"].as_str().map_or_else(
        || {
            let mut bytes = [0; 8];
            SystemRandom::new()
                .fill(&mut bytes)
                .expect("the system has random numbers");
            encode_hex(&bytes)
        },
        str::to_owned,
    );
    Some(json!({ "percent": percent, "salt": salt }))
}

/// Sets the part of the clients that get a release.
///
/// # Errors
/// [`ReleaseError`], if there is no such release.
pub fn rollout(
    project: &Project,
    published: &Published,
    app: &str,
    version: &Version,
    percent: u64,
) -> Result<(), ReleaseError> {
    let mut pending = Pending::open(project, published)?;
    let releases = pending.releases(app);
    let (_, path) = releases
        .iter()
        .find(|(candidate, _)| candidate == version)
        .ok_or_else(|| no_release(app, version))?;
    let custom = &mut pending.entries[path]["custom"]["tufup"];
    match rollout_entry(&custom["rollout"], percent) {
        Some(entry) => custom["rollout"] = entry,
        None => {
            if let Some(custom) = custom.as_object_mut() {
                custom.remove("rollout");
            }
        }
    }
    pending.save()?;
    Ok(())
}

/// Takes a release back: its archive and all patches to and from it go, and
/// clients that have it go to another version, back if need be. The newest
/// release that is left says so.
///
/// # Errors
/// [`ReleaseError`], if there is no such release, or no other.
pub fn yank(
    project: &Project,
    published: &Published,
    app: &str,
    version: &Version,
) -> Result<(), ReleaseError> {
    let mut pending = Pending::open(project, published)?;
    let releases = pending.releases(app);
    if !releases.iter().any(|(candidate, _)| candidate == version) {
        return Err(no_release(app, version));
    }
    let others = releases
        .iter()
        .filter(|(candidate, _)| candidate != version);
    // A final one if there is one, which every channel sees.
    let (_, bearer) = others
        .clone()
        .rev()
        .find(|(candidate, _)| !candidate.any_prerelease())
        .or(others.clone().next_back())
        .ok_or_else(|| ReleaseError::OnlyOne(version.clone()))?;
    let known = releases
        .iter()
        .flat_map(|(_, path)| pending.entries[path]["custom"]["tufup"]["withdrawn"].as_array())
        .flatten()
        .filter_map(Value::as_str);
    let mut withdrawn: Vec<String> = known.map(str::to_owned).collect();
    withdrawn.push(version.to_string());
    withdrawn.sort();
    withdrawn.dedup();
    pending.entries[bearer]["custom"]["tufup"]["withdrawn"] = withdrawn.into();
    // Patches that lead on from it.
    let crossing: Vec<String> = pending
        .entries
        .iter()
        .filter(|(path, entry)| {
            let from = entry["custom"]["tufup"]["from"].as_str();
            from.and_then(|from| Version::from_str(from).ok()).as_ref() == Some(version)
                && TargetName::parse(path)
                    .is_some_and(|t| t.name == app && t.kind == TargetKind::Patch)
        })
        .map(|(path, _)| path.clone())
        .collect();
    for path in &crossing {
        pending.entries.remove(path);
    }
    pending.remove(app, |candidate| candidate == version)?;
    for path in crossing {
        notsotuf_stub::fs::remove_file(&pending.files().join(path))?;
    }
    Ok(())
}

fn no_release(app: &str, version: &Version) -> ReleaseError {
    ReleaseError::NoRelease {
        app: app.into(),
        version: version.clone(),
    }
}
