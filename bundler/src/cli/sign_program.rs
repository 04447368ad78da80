//! Implements `notsotuf sign-program`, by which NSIS has the uninstaller signed that it
//! puts into an installer. Not for people.

use super::context::Context;
use super::error::Error;
use clap::Args;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(super) struct SignProgram {
    /// What `sign_command` signs in its place
    file: PathBuf,
}

pub(super) fn run(args: &SignProgram, context: &Context) -> Result<(), Error> {
    let project = context.project()?;
    if let Some(signing) = project.code_signing() {
        signing.sign(&args.file)?;
    }
    Ok(())
}
