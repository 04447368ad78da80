//! Keeps what the user has chosen: the channel, and a version to stay with.
//! Each is a file of one line in the state dir, so that one is replaced without
//! a look at the other, and no lock is needed.

use super::{Layout, StateError, may_believe_state, open_state_dir};
use crate::catalog::Channel;
use crate::fs::{self, plain_file};
use crate::settings::Settings;
use pep440_rs::Version;
use std::path::Path;
use std::str::FromStr;

/// More than any of these files has.
const MAX_SIZE: u64 = 1 << 10;

/// Holds what the user has chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UserChoices {
    /// The channel, in place of the one in the settings.
    pub channel: Option<Channel>,
    /// The version to stay with: nothing newer is installed.
    pub hold: Option<Version>,
}

impl UserChoices {
    /// Reads what the user has chosen. What cannot be read counts as not
    /// chosen, and so does what is in a state dir that others could have written
    /// to.
    pub fn load(layout: &Layout) -> Self {
        if !may_believe_state(layout) {
            return UserChoices::default();
        }
        UserChoices {
            channel: read(&layout.channel(), "a channel", Channel::parse),
            hold: read(&layout.hold(), "a version", |text| {
                Version::from_str(text).ok()
            }),
        }
    }

    /// Puts the choices in place of what the settings say, as far as no
    /// administrator has decided.
    pub fn apply(&self, settings: &mut Settings) {
        if let Some(channel) = self.channel
            && settings.channel_set_by.is_none()
        {
            settings.channel = channel;
        }
        settings.hold.clone_from(&self.hold);
    }

    /// Remembers a channel, or with `None` that of the settings.
    ///
    /// # Errors
    /// [`StateError`]; the choice is what it was.
    pub fn choose_channel(layout: &Layout, channel: Option<Channel>) -> Result<(), StateError> {
        store(layout, &layout.channel(), channel)
    }

    /// Remembers a version to stay with, or with `None` that there is none.
    ///
    /// # Errors
    /// [`StateError`]; the choice is what it was.
    pub fn choose_hold(layout: &Layout, hold: Option<&Version>) -> Result<(), StateError> {
        store(layout, &layout.hold(), hold)
    }
}

fn read<T>(path: &Path, what: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
    let bytes = plain_file::read(path, MAX_SIZE).unwrap_or_else(|e| {
        log::warn!("{e}; what the user chose is ignored");
        None
    })?;
    let text = String::from_utf8(bytes).ok();
    let chosen = text.and_then(|text| parse(text.trim()));
    if chosen.is_none() {
        log::warn!("{path:?} is ignored: it does not have {what}");
    }
    chosen
}

fn store(
    layout: &Layout,
    path: &Path,
    choice: Option<impl std::fmt::Display>,
) -> Result<(), StateError> {
    open_state_dir(layout)?;
    match choice {
        Some(choice) => fs::write_atomically(path, format!("{choice}\n").as_bytes())?,
        None => fs::remove_file_if_exists(path)?,
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install() -> (tempfile::TempDir, Layout) {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::new(folder.path());
        (folder, layout)
    }

    #[test]
    fn a_choice_is_kept_until_it_is_taken_back() {
        let (_folder, layout) = install();
        let version = Version::from_str("1.2rc1").unwrap();
        assert_eq!(UserChoices::load(&layout), UserChoices::default());
        assert!(!layout.state().exists(), "reading makes nothing");
        for channel in Channel::ALL {
            UserChoices::choose_channel(&layout, Some(channel)).unwrap();
            assert_eq!(UserChoices::load(&layout).channel, Some(channel));
        }
        UserChoices::choose_hold(&layout, Some(&version)).unwrap();
        assert_eq!(UserChoices::load(&layout).hold.as_ref(), Some(&version));
        UserChoices::choose_channel(&layout, None).unwrap();
        let left = UserChoices::load(&layout);
        assert_eq!((left.channel, left.hold), (None, Some(version)));
        UserChoices::choose_hold(&layout, None).unwrap();
        UserChoices::choose_hold(&layout, None).unwrap();
        assert_eq!(UserChoices::load(&layout), UserChoices::default());
    }

    #[test]
    fn a_damaged_file_counts_as_no_choice_and_leaves_the_other() {
        let (_folder, layout) = install();
        for damage in [&b""[..], b"beta", b"\xff\xfe", b"b\nb", &[b'b'; 5000]] {
            UserChoices::choose_channel(&layout, Some(Channel::Beta)).unwrap();
            UserChoices::choose_hold(&layout, Some(&Version::new([1, 2]))).unwrap();
            std::fs::write(layout.channel(), damage).unwrap();
            let read = UserChoices::load(&layout);
            assert_eq!(read.channel, None, "{damage:?}");
            assert_eq!(read.hold, Some(Version::new([1, 2])));
            std::fs::write(layout.hold(), damage).unwrap();
            assert_eq!(UserChoices::load(&layout).hold, None, "{damage:?}");
        }
        // Something else in its place, which is no file of this program's.
        std::fs::remove_file(layout.channel()).unwrap();
        std::fs::create_dir(layout.channel()).unwrap();
        assert_eq!(UserChoices::load(&layout).channel, None);
        UserChoices::choose_channel(&layout, Some(Channel::Alpha)).unwrap();
        assert_eq!(UserChoices::load(&layout).channel, Some(Channel::Alpha));
        // As an editor leaves it.
        std::fs::write(layout.channel(), "rc\r\n").unwrap();
        let read = UserChoices::load(&layout);
        assert_eq!(read.channel, Some(Channel::Candidate));
    }
}
