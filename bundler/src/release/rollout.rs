//! Gives a release to a part of the clients. What the metadata says of it changes,
//! not its files, and it takes effect with the next publish.

use super::error::no_release;
use super::yank::check_way_out;
use super::{PendingTargets, ReleaseError};
use crate::metadata::Published;
use crate::project::Project;
use notsotuf_stub::catalog::custom::Rollout;
use notsotuf_stub::hex::encode_hex;
use pep440_rs::Version;
use ring::rand::{SecureRandom, SystemRandom};

/// Returns the rollout to `percent` of the clients, with the salt that it has
/// had so far, so that clients that have the release stay among them; `None`
/// for all clients.
pub(crate) fn rollout_entry(before: Option<Rollout>, percent: u64) -> Option<Rollout> {
    if percent >= 100 {
        return None;
    }
    let salt = before.map_or_else(
        || {
            let mut bytes = [0; 8];
            SystemRandom::new()
                .fill(&mut bytes)
                .expect("the system has random numbers");
            encode_hex(&bytes)
        },
        |before| before.salt,
    );
    Some(Rollout { percent, salt })
}

/// Sets the part of the clients that get a release. Returns the versions that
/// were withdrawn and that not all clients which have them could leave then.
///
/// # Errors
/// [`ReleaseError`], if there is no such release, or it is one that no client may
/// skip.
pub(crate) fn rollout(
    project: &Project,
    published: &Published,
    app: &str,
    version: &Version,
    percent: u64,
) -> Result<Vec<Version>, ReleaseError> {
    let mut pending = PendingTargets::open(project, published)?;
    let releases = pending.releases(app);
    let (_, path) = releases
        .iter()
        .find(|(candidate, _)| candidate == version)
        .ok_or_else(|| no_release(app, version))?;
    let mut custom = pending.custom(path);
    if custom.required && percent < 100 {
        return Err(ReleaseError::ForAll {
            app: app.into(),
            version: version.clone(),
        });
    }
    custom.rollout = rollout_entry(custom.rollout.take(), percent);
    pending.set_custom(path, custom);
    pending.save()?;
    let withdrawn = pending.withdrawn(app).into_iter();
    Ok(withdrawn
        .filter(|gone| check_way_out(&pending, app, gone).is_err())
        .collect())
}
