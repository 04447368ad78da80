//! Says how a program that was to run as administrator ended.

/// Says how a program that was to run as administrator ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Elevated {
    /// The program ended with this exit code.
    Ended(i32),
    /// The user did not allow it.
    Declined,
}
