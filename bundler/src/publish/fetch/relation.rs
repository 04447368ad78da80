//! Tells how what is here relates to what is there: newer, behind, or gone
//! another way.

use super::error::FetchError;
use crate::metadata::{MetadataError, Published, Trust, limits, walk};
use crate::project::Project;
use crate::publish::upload::{self, Conflict, OpenDestination, UploadError};
use notsotuf_stub::fs;
use notsotuf_stub::http::HttpError;
use std::time::Duration;

/// Says how what is here relates to what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    /// There is nothing here, or nothing sound.
    None,
    /// Both are the same.
    Same,
    /// Here is a later state of what is there.
    Newer,
    /// Here is an earlier state, or one that went another way.
    Behind,
}

pub(super) fn relation(
    project: &Project,
    from: &OpenDestination,
    trust: &Trust,
    here: Option<&Published>,
    there: &Published,
) -> Relation {
    let Some(here) = here.filter(|here| here.timestamp.is_some()) else {
        return Relation::None;
    };
    if here.file("timestamp") == there.file("timestamp") {
        return Relation::Same;
    }
    let metadata = there.files.iter().cloned().collect();
    let local = |file: &str| {
        let path = project.metadata().join(file);
        fs::read_optional(&path, limits::READ).ok().flatten()
    };
    match upload::check(&from.name(), here, &trust.memory, &metadata, &local) {
        Ok(()) => Relation::Newer,
        Err(UploadError::Conflict {
            conflict: Conflict::Newer { .. } | Conflict::Diverged { .. } | Conflict::NewerRoot(_),
            ..
        }) => Relation::Behind,
        Err(_) => Relation::None,
    }
}

/// Loads what is published there; twice, as somebody may just be uploading.
pub(super) fn published_at(from: &OpenDestination, pin: &[u8]) -> Result<Published, FetchError> {
    let load = || -> Result<Published, UploadError> {
        from.refresh()?;
        let read = &mut |file: &str, limit| -> Result<Option<Vec<u8>>, UploadError> {
            let found = from.read(&format!("metadata/{file}"), limit)?;
            Ok(found.map(|found| found.bytes))
        };
        walk(Some(pin), read)
    };
    let refused = |reason: String| FetchError::Refused {
        place: from.name(),
        reason,
    };
    let loaded = match load() {
        Err(
            UploadError::Tuf(_)
            | UploadError::Metadata(_)
            | UploadError::TooLarge { .. }
            | UploadError::Http(HttpError::TooLong { .. }),
        ) => {
            std::thread::sleep(Duration::from_secs(1));
            load()
        }
        loaded => loaded,
    };
    let there = match loaded {
        Ok(there) => there,
        Err(UploadError::Metadata(MetadataError::Missing(file)))
            if file.as_os_str() == "1.root.json" =>
        {
            return Err(FetchError::Nothing(from.name()));
        }
        Err(UploadError::Metadata(MetadataError::Missing(file))) => {
            let reason = format!("there is no {}", file.display());
            return Err(refused(reason));
        }
        Err(UploadError::Tuf(e)) => return Err(refused(e.to_string())),
        Err(e @ (UploadError::TooLarge { .. } | UploadError::Http(HttpError::TooLong { .. }))) => {
            return Err(refused(e.to_string()));
        }
        Err(UploadError::Metadata(e)) => return Err(refused(e.to_string())),
        Err(e) => return Err(e.into()),
    };
    match there.timestamp {
        Some(_) => Ok(there),
        None => Err(FetchError::Nothing(from.name())),
    }
}

/// Checks that the state is not older than what clients have seen; nor, where
/// nothing here proves that it went another way, older than what was published.
pub(super) fn check_age(
    from: &OpenDestination,
    trust: &Trust,
    there: &Published,
    relation: &Relation,
) -> Result<(), FetchError> {
    let Some(state) = there.state() else {
        return Ok(());
    };
    let proven = matches!(relation, Relation::Newer | Relation::Behind);
    let published = trust.memory.published.as_ref().filter(|_| !proven);
    for known in trust.memory.uploaded.iter().chain(published) {
        if let Some((role, found, known)) = state.older_than(known) {
            return Err(FetchError::Old {
                place: from.name(),
                role,
                found,
                known,
            });
        }
    }
    Ok(trust
        .memory
        .check_roots(std::path::Path::new(&from.name()), there)?)
}
