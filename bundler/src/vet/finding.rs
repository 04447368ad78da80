//! Weighs what a look at a bundle finds.

/// Says how serious a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Weight {
    /// Nobody can mean that: it is refused.
    Never,
    /// Somebody may mean that: it needs `--force`.
    UnlessForced,
    /// It is reported, and nothing else.
    Warning,
}

/// Holds something that the release engineer should know.
#[derive(Debug)]
pub(super) struct Finding {
    pub weight: Weight,
    pub text: String,
}

impl Finding {
    pub(super) fn never(text: String) -> Self {
        let weight = Weight::Never;
        Finding { weight, text }
    }
    pub(super) fn unless_forced(text: String) -> Self {
        let weight = Weight::UnlessForced;
        Finding { weight, text }
    }
    pub(super) fn warning(text: String) -> Self {
        let weight = Weight::Warning;
        Finding { weight, text }
    }
}
