//! Keeps the version current that Windows shows in its list of installed programs: what an
//! installer wrote there is the version that it brought.

use crate::install::{Layout, Record};
use std::io;
use std::path::Path;
use winreg::RegKey;
use winreg::enums::{HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE, KEY_READ, KEY_SET_VALUE};

const LIST: &str = r"Software\Microsoft\Windows\CurrentVersion\Uninstall";
const VERSION: &str = "DisplayVersion";

/// Writes the version that is installed into the entry of this install, if there is one. Never
/// fails: it is only shown.
pub(super) fn show_version(layout: &Layout) {
    let release = match Record::load_release(&layout.app()) {
        Ok(Some(release)) => release,
        Ok(None) => return,
        Err(e) => return log::debug!("{e}"),
    };
    let version = release.version.to_string();
    for root in [HKEY_CURRENT_USER, HKEY_LOCAL_MACHINE] {
        match show_in(&RegKey::predef(root), layout.root(), &version) {
            Ok(true) => return,
            Ok(false) => {}
            Err(e) => log::debug!("the list of installed programs: {e}"),
        }
    }
}

/// Returns whether there is an entry of this install.
fn show_in(root: &RegKey, install_dir: &Path, version: &str) -> io::Result<bool> {
    let list = root.open_subkey_with_flags(LIST, KEY_READ)?;
    for name in list.enum_keys().map_while(Result::ok) {
        let Ok(entry) = list.open_subkey_with_flags(&name, KEY_READ) else {
            continue;
        };
        let folder: String = entry.get_value("InstallLocation").unwrap_or_default();
        if !is_same_folder(&folder, install_dir) {
            continue;
        }
        let shown: String = entry.get_value(VERSION).unwrap_or_default();
        if shown != version {
            let entry = list.open_subkey_with_flags(&name, KEY_SET_VALUE)?;
            entry.set_value(VERSION, &version)?;
            log::info!("the list of installed programs shows version {version}");
        }
        return Ok(true);
    }
    Ok(false)
}

/// Compares two names of a folder as Windows does. Some installers put quotes around it.
fn is_same_folder(text: &str, folder: &Path) -> bool {
    let plain = |text: &str| {
        let text = text.trim_matches('"').replace('/', "\\");
        text.trim_end_matches('\\').to_lowercase()
    };
    !text.is_empty()
        && folder
            .to_str()
            .is_some_and(|folder| plain(text) == plain(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_compared_as_windows_does() {
        let folder = Path::new(r"C:\Users\Me\Programs\My App");
        for same in [
            r"C:\Users\Me\Programs\My App",
            r"c:\users\me\programs\my app\",
            "\"C:/Users/Me/Programs/My App\"",
        ] {
            assert!(is_same_folder(same, folder), "{same}");
        }
        for other in [
            "",
            r"C:\Users\Me\Programs",
            r"C:\Users\Me\Programs\My App\app",
        ] {
            assert!(!is_same_folder(other, folder), "{other}");
        }
    }
}
