//! Defines the option that says which application a command is for.

use clap::Args;

#[derive(Debug, Args)]
pub(super) struct App {
    /// Which application, if the project has several
    #[arg(long, value_name = "NAME")]
    pub app: Option<String>,
}
