//! Updates of an application in a folder that only administrators can write
//! to. This process looks for an update with the user's rights; if there is
//! one, it asks to run `--updater update` as administrator. That process is
//! handed nothing: it looks, downloads and verifies itself, with the settings
//! and the root of trust in the install dir, and never starts the application.

use crate::clock::now;
use crate::fs::plain_file;
use crate::hex::sha256_hex;
use crate::install::{self, Elevated, Layout, Record};
use crate::log_folder::own_folder;
use crate::logging::user_folder;
use crate::policy::choose_release::ReleaseChoice;
use crate::progress::Event;
use crate::settings::Settings;
use crate::tuf::Limits;
use crate::update::{self, ElevationError, Outcome, UpdateError};
use crate::{fs, this_program};

/// Looks for an update, and has it installed if the user allows that. Who
/// does not is not asked again for the same version.
///
/// # Errors
/// [`UpdateError`]; what was installed still is.
pub fn update(
    layout: &Layout,
    settings: &Settings,
    tell: &dyn Fn(Event),
) -> Result<Outcome, UpdateError> {
    let folder = user_folder(&settings.name).ok_or(ElevationError::NoFolder)?;
    own_folder(&folder).map_err(|source| ElevationError::Folder {
        folder: folder.clone(),
        source,
    })?;
    // Of this root of trust: another application may have had this name.
    let root =
        fs::read_optional(&layout.shipped_root(), Limits::default().root)?.unwrap_or_default();
    let metadata = format!("metadata-{}", &sha256_hex(&root)[..16]);
    let choice = update::check_read_only(layout, settings, now(), &folder.join(metadata))?;
    let ReleaseChoice::Update { version, .. } = choice else {
        return Ok(Outcome::UpToDate);
    };
    let declined = folder.join("declined");
    let text = version.to_string();
    let before = plain_file::read(&declined, 256)?.unwrap_or_default();
    if before == text.as_bytes() {
        return Err(ElevationError::DeclinedBefore(version).into());
    }
    log::info!("found version {version}; asking for the rights of an administrator");
    tell(Event::Elevating);
    let program = this_program::program().map_err(ElevationError::Program)?;
    match install::run_elevated(program, "--updater update") {
        Ok(Elevated::Ended(0)) => {}
        Ok(Elevated::Ended(code)) => {
            let log = layout.log();
            return Err(ElevationError::Failed { code, log }.into());
        }
        Ok(Elevated::Declined) => {
            fs::write_atomically(&declined, text.as_bytes())?;
            return Err(ElevationError::Declined(version).into());
        }
        Err(e) => return Err(ElevationError::Ask(e).into()),
    }
    let installed = Record::load_release(&layout.app())?.ok_or(UpdateError::NoRecord)?;
    if installed.version == version {
        Ok(Outcome::Installed(installed))
    } else {
        Ok(Outcome::Deferred {
            version,
            instances: Vec::new(),
        })
    }
}
