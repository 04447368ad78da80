//! Makes file system calls whose errors name the call and the path.

pub mod attributes;
mod error;
mod links;
mod list;
mod modes;
mod paths;
pub mod plain_file;
mod read;
mod remove;
mod retry;
mod sync;
#[cfg(windows)]
mod windows;
mod write;

pub use error::{FsError, Result};
#[cfg(windows)]
pub use links::has_one_name;
pub use links::{
    copy_link, is_across_file_systems, is_beyond_file_system, is_real_folder, link_or_copy,
    link_with_mode, symlink,
};
pub use list::{list, list_with_types};
pub use modes::{give_dir_mode, has_permissions, set_mode, set_path_mode, set_permissions};
pub use paths::join;
pub(crate) use read::read_limited;
pub use read::{inspect, open, read_exact_at, read_link, read_optional, read_through, size};
pub use remove::{
    remove_any, remove_at_once, remove_dir, remove_file_if_exists, remove_tree_if_exists,
};
pub use sync::{WORTH_BEGINNING, begin_sync, sync_dir, sync_file, sync_unless_linked};
pub use write::{
    copy_with_mode, create_dir_all, create_empty, create_new, create_private_dir, is_writable,
    no_more_writes, open_to_append, rename_durably, rename_unsynced, sweep, temporary_in,
    write_atomically, write_atomically_with,
};
