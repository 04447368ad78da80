//! Stubs in a bundle. A client that installs one of its own application starts
//! that, which installs another one inside, and so on. One of another
//! application is how clients of tufup cross over (docs/how-to/migration.md).

use super::finding::Finding;
use super::look::{Found, Look};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::settings;

/// Finds what is wrong with the stubs in a bundle for `app`.
pub(super) fn stubs(look: &Look, app: &str) -> Result<Vec<Finding>, FsError> {
    let mut findings = Vec::new();
    let mut shipped: Vec<String> = Vec::new();
    let is_settings = |file: &&Found| file.name.rsplit('/').next() == Some(settings::FILE);
    for file in look.files.iter().filter(is_settings) {
        let folder = folder_of(&file.name);
        let inner = format!("{folder}app");
        if !(look.has_folder(&inner) || stub_in(look, folder).is_some()) {
            continue;
        }
        let text = fs::read_optional(&file.path, settings::MAX_SIZE)?.unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let table: toml::Table = text.parse().unwrap_or_default();
        let name = table
            .get("name")
            .and_then(|name| name.as_str())
            .unwrap_or_default();
        if name == app {
            let bundle = look.bundle.join(&inner);
            findings.push(Finding::never(format!(
                "it is what `ship` makes for {app}, or an install of it: its stub would install \
                 itself into itself for ever; name the bundle alone, such as {bundle:?}"
            )));
            return Ok(findings);
        }
        if let Some(outer) = shipped.iter().find(|outer| folder.starts_with(*outer)) {
            findings.push(Finding::unless_forced(format!(
                "there is a stub ({folder}) in what another one ({outer:?}) starts"
            )));
        }
        let state = format!("{folder}.notsotuf");
        if look.has_folder(&state) {
            findings.push(Finding::unless_forced(format!(
                "it was started already, and all users would get what that left in {state}; make \
                 it anew with `ship`"
            )));
        }
        shipped.push(folder.to_owned());
    }
    let alone = |file: &&Found| {
        let mut folders = shipped.iter();
        file.stub && !folders.any(|folder| file.name.starts_with(folder))
    };
    if let Some(file) = look.files.iter().find(alone) {
        findings.push(Finding::unless_forced(format!(
            "{} is a stub without settings; `ship` puts it beside the bundle, and `add-stub` \
             releases a newer one",
            file.name
        )));
    }
    Ok(findings)
}

/// Returns the folder with a slash at the end, unless it is the top.
fn folder_of(name: &str) -> &str {
    name.rfind('/').map_or("", |at| &name[..=at])
}

fn stub_in<'a>(look: &'a Look, folder: &str) -> Option<&'a Found> {
    look.files
        .iter()
        .find(|file| file.stub && folder_of(&file.name) == folder)
}
