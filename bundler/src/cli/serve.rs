//! Implements `notsotuf serve`.

use super::context::Context;
use super::error::Error;
use crate::publish::serve::{self, Served};
use clap::Args;
use notsotuf_stub::fs::FsError;
use std::io;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Port; 0 takes a free one and prints it
    #[arg(long, default_value_t = 8000)]
    port: u16,
    /// Folder to serve; default: the repository of the project
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(args: Serve, context: &Context) -> Result<(), Error> {
    let served = match args.dir {
        Some(folder) if !folder.is_dir() => {
            let none = io::Error::new(io::ErrorKind::NotADirectory, "it is no folder");
            return Err(FsError::new("serve", &folder, none).into());
        }
        Some(folder) => Served::Folder(folder),
        None => Served::Repository(context.project()?.repository()),
    };
    Ok(serve::serve(
        &served,
        args.port,
        context.quiet,
        context.output,
    )?)
}
