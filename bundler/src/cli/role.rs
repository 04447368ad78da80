//! Names the top-level roles, as arguments.

use crate::project::ROLES;
use clap::ValueEnum;

/// Names a top-level role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Role {
    Root,
    Targets,
    Snapshot,
    Timestamp,
}

impl Role {
    pub(super) fn name(self) -> &'static str {
        ROLES[self as usize]
    }
}
