//! Writes the log file, rotated by size.

use crate::fs::FsError;
use crate::install::Layout;
use crate::install::secure_state;
use crate::log_folder;
use crate::safe_text::SafeLogger;
use crate::settings::LogLevel;
use simplelog::{ConfigBuilder, LevelFilter, WriteLogger};
use std::path::{Path, PathBuf};

/// Names the environment variable that says how much is logged, for once.
pub const LEVEL_VARIABLE: &str = "NOTSOTUF_LOG";

/// Starts logging to the state dir, or, where that cannot be written, to the
/// user's own folder ([`fallback`]). Returns the file; `None` if neither can
/// be, in which case nothing is logged, or if nothing should be. `level` applies
/// if the environment says nothing else.
pub fn start(layout: &Layout, name: &str, limit: u64, level: LogLevel) -> Option<PathBuf> {
    let asked = std::env::var(LEVEL_VARIABLE)
        .ok()
        .filter(|asked| !asked.is_empty());
    let known = asked.as_deref().map(LogLevel::parse);
    let level = known.flatten().unwrap_or(level);
    if level == LogLevel::Off {
        return None;
    }
    let own = layout.log();
    let opened = secure_state(layout).and_then(|done| Ok((open(&own, limit)?, done)));
    let (file, path, problems) = match opened {
        Ok((file, done)) => (file, own, done),
        Err(problem) => {
            let path = fallback(name)?;
            let problem = format!("{problem}; logging here instead");
            (open(&path, limit).ok()?, path, vec![problem])
        }
    };
    let config = ConfigBuilder::new()
        .set_time_format_rfc3339()
        .set_thread_level(LevelFilter::Off)
        .set_target_level(LevelFilter::Off)
        .set_location_level(LevelFilter::Off)
        // The libraries have nothing to say that helps a user.
        .add_filter_allow_str("notsotuf_stub")
        .build();
    let level = level.filter();
    let logger = SafeLogger(WriteLogger::new(level, config, file));
    log::set_boxed_logger(Box::new(logger)).ok()?;
    log::set_max_level(level);
    for problem in problems {
        log::warn!("{problem}");
    }
    if known == Some(None) {
        log::warn!("{LEVEL_VARIABLE} is none of off, error, warn, info, debug, trace");
    }
    Some(path)
}

/// Returns the folder of the log where the state dir cannot be written.
pub fn fallback(name: &str) -> Option<PathBuf> {
    Some(user_folder(name)?.join("log"))
}

/// Returns this user's own folder for an application: below `XDG_STATE_HOME`
/// (`~/.local/state`), `~/Library/Logs` or `LOCALAPPDATA`.
pub fn user_folder(name: &str) -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty());
    let base = if cfg!(windows) {
        PathBuf::from(variable("LOCALAPPDATA")?)
    } else {
        let home = variable("HOME").map(PathBuf::from);
        if cfg!(target_os = "macos") {
            home?.join("Library/Logs")
        } else {
            variable("XDG_STATE_HOME")
                .map(PathBuf::from)
                .or_else(|| home.map(|home| home.join(".local/state")))?
        }
    };
    let name: String = name
        .chars()
        .filter(|&c| c.is_alphanumeric() || "-_".contains(c))
        .collect();
    Some(base.join("notsotuf").join(name))
}

fn open(path: &Path, limit: u64) -> Result<std::fs::File, FsError> {
    log_folder::open_log(path, limit).map_err(|e| FsError::new("open", path, e))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_log_that_is_too_large_is_put_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state/log");
        for text in ["first", "second", "third"] {
            open(&path, 8).unwrap().write_all(text.as_bytes()).unwrap();
        }
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&path), "third");
        assert_eq!(read(&path.with_extension("1")), "firstsecond");
    }
}
