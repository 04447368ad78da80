//! Decides which paths may occur in a bundle. Everything that names a path
//! (archive, patch, stored record) passes here before a file is touched.

/// Limits the bytes of a path in a bundle.
pub const MAX_PATH: usize = 4096;

/// Limits the entries in a bundle.
pub const MAX_ENTRIES: usize = 200_000;

/// Limits the folders inside each other.
pub const MAX_DEPTH: usize = 128;

/// Limits the bytes of all paths of a bundle and of the targets of its links,
/// with folders that are only implied.
pub const MAX_PATHS: u64 = 24 << 20;

/// Limits the bytes a bundle may unpack to.
pub const MAX_TOTAL: u64 = 16 << 30;

/// Names the record of a release, at the top of its folder; no bundle may bring
/// one.
pub const RECORD: &str = ".notsotuf-release";

/// Says what the file system of the target machine cannot tell apart or hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Refuse two paths that differ only in case.
    pub case_insensitive: bool,
    /// Refuse the names that Windows gives a meaning to.
    pub windows_names: bool,
}

/// Says why a path or link is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Absolute, with a drive letter, or starting with a separator.
    #[error("{0:?} is not a relative path")]
    Absolute(String),
    /// A `..` segment.
    #[error("{0:?} leads out of the bundle")]
    Escapes(String),
    /// Empty, or with an empty, `.`, over-long or control-character segment.
    #[error("{0:?} is not a proper path")]
    Malformed(String),
    /// A name that Windows reserves or changes.
    #[error("{0:?} has a name that Windows reserves")]
    Reserved(String),
    /// The name of the release record.
    #[error("{0:?} is reserved for the updater's own record")]
    Record(String),
    /// A second entry for a path.
    #[error("{0:?} occurs twice")]
    Duplicate(String),
    /// Two paths that differ only in case.
    #[error("{0:?} and {1:?} are the same path where case does not count")]
    CaseCollision(String, String),
    /// Something inside what is not a folder.
    #[error("{0:?} lies inside {1:?}, which is not a folder")]
    NotAFolder(String, String),
    /// A link whose target is outside the bundle, directly or through others.
    #[error("the link {0:?} leads out of the bundle, to {1:?}")]
    LinkEscapes(String, String),
    /// A link that leads to itself.
    #[error("the link {0:?} leads in a circle")]
    LinkLoop(String),
    /// Inside too many folders.
    #[error("{0:?} lies more than {MAX_DEPTH} folders deep")]
    TooDeep(String),
    /// Links through links through links.
    #[error("its links lead through too many others")]
    Links,
    /// A header that names a member has too much to say.
    #[error("a name or header in it is far too long")]
    Extension,
    /// Too many bytes of paths.
    #[error("more than {MAX_PATHS} bytes of paths")]
    Paths,
    /// Too many entries.
    #[error("more than {MAX_ENTRIES} entries")]
    TooMany,
    /// Too many bytes.
    #[error("more than {MAX_TOTAL} bytes")]
    TooLarge,
}

impl Rules {
    /// Returns the rules of the machine this runs on.
    pub fn host() -> Self {
        Rules {
            case_insensitive: cfg!(any(windows, target_os = "macos")),
            windows_names: cfg!(windows),
        }
    }

    /// Returns the rules under which a bundle works on every platform.
    pub fn portable() -> Self {
        Rules {
            case_insensitive: true,
            windows_names: true,
        }
    }

    /// Checks one path by itself: relative, `/`-separated, no `.` or `..`.
    ///
    /// # Errors
    /// The [`PathError`] that names the path.
    pub fn check_path(&self, path: &str) -> Result<(), PathError> {
        let owned = || path.to_owned();
        if path.starts_with(['/', '\\']) || path.as_bytes().get(1) == Some(&b':') {
            return Err(PathError::Absolute(owned()));
        }
        if path.is_empty() || path.len() > MAX_PATH {
            return Err(PathError::Malformed(owned()));
        }
        if path.bytes().filter(|&b| b == b'/').count() > MAX_DEPTH {
            return Err(PathError::TooDeep(owned()));
        }
        for segment in path.split('/') {
            // A backslash separates segments on Windows, so it is refused on
            // every platform rather than meaning two things.
            if segment == ".." || segment.split('\\').any(|s| s == "..") {
                return Err(PathError::Escapes(owned()));
            }
            if segment.is_empty()
                || segment == "."
                || segment.len() > 255
                || segment.contains('\\')
                || segment.chars().any(char::is_control)
            {
                return Err(PathError::Malformed(owned()));
            }
            if self.windows_names && reserved_on_windows(segment) {
                return Err(PathError::Reserved(owned()));
            }
        }
        if path
            .split('/')
            .next()
            .is_some_and(|first| first.eq_ignore_ascii_case(RECORD))
        {
            return Err(PathError::Record(owned()));
        }
        Ok(())
    }
}

/// Names that mean a device, or that Windows stores as something else
/// (<https://learn.microsoft.com/windows/win32/fileio/naming-a-file>).
fn reserved_on_windows(name: &str) -> bool {
    if name.ends_with(['.', ' ']) || name.contains(['<', '>', ':', '"', '|', '?', '*']) {
        return true;
    }
    let stem = name.split('.').next().unwrap_or(name).trim_end();
    let stem = stem.to_ascii_uppercase();
    if matches!(
        stem.as_str(),
        "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$"
    ) {
        return true;
    }
    let mut chars = stem.chars();
    let device: String = chars.by_ref().take(3).collect();
    let number = chars.as_str();
    matches!(device.as_str(), "COM" | "LPT")
        && matches!(
            number,
            "0" | "1" | "2" | "3" | "4" | "5" | "6" | "7" | "8" | "9" | "¹" | "²" | "³"
        )
}
