//! Weighs what a look at a bundle finds.

/// How much is made of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weight {
    /// Nobody can mean that.
    Never,
    /// Somebody may mean that.
    UnlessForced,
    /// It is said.
    Warning,
}

/// Something that the release engineer should know.
#[derive(Debug)]
pub struct Finding {
    pub weight: Weight,
    pub text: String,
}

impl Finding {
    pub fn never(text: String) -> Self {
        let weight = Weight::Never;
        Finding { weight, text }
    }
    pub fn unless_forced(text: String) -> Self {
        let weight = Weight::UnlessForced;
        Finding { weight, text }
    }
    pub fn warning(text: String) -> Self {
        let weight = Weight::Warning;
        Finding { weight, text }
    }
}
