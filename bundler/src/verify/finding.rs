//! Tells what a check has found, apart from whether it could be done at all.

use std::fmt::Display;

/// Says what a check has found. A check that could not be done is an error
/// instead.
#[derive(Debug)]
pub(crate) enum Finding<T> {
    /// All is well, and this came of it.
    Sound(T),
    /// What is wrong, in a sentence.
    Problem(String),
}

impl<T, E: Display> From<Result<T, E>> for Finding<T> {
    fn from(result: Result<T, E>) -> Self {
        match result {
            Ok(found) => Finding::Sound(found),
            Err(e) => Finding::Problem(e.to_string()),
        }
    }
}
