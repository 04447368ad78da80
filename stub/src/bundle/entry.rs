//! Says what a bundle holds at a path: a file, a folder or a link.

/// Tells files, folders and links apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntryKind {
    /// A folder.
    Dir,
    /// A regular file.
    File {
        /// Bytes.
        size: u64,
        /// Of its content.
        sha256: [u8; 32],
    },
    /// A symbolic link.
    Link {
        /// As stored in the link, with `/`.
        target: String,
    },
}

/// Describes one file, folder or link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// Permission bits, `0o000` to `0o777`; always `0o777` for links.
    pub mode: u32,
}
