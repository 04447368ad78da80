//! `notsotuf serve`.

use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Serve {
    /// Port; 0 takes a free one and prints it
    #[arg(long, default_value_t = 8000)]
    pub port: u16,
    /// Folder to serve; else the repository of the project
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
