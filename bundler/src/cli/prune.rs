//! `notsotuf prune`.

use super::app::App;
use clap::Args;

#[derive(Debug, Args)]
#[command(after_help = "\
Keeps the newest final releases, all that are newer than the oldest of them, and
all that were added with --required. Clients with an older version take the
full archive. Clients of tufup, which do not look for gaps, may fail once before they
do: keep enough for them.

  notsotuf prune --keep 10
  notsotuf publish")]
pub struct Prune {
    /// How many final releases stay
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: u32,
    #[command(flatten)]
    pub app: App,
}
