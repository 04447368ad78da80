//! Implements `notsotuf completions` and `notsotuf man`, which write what is
//! made of the command line.

use super::context::Context;
use super::error::Error;
use clap::Command;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::safe_text::Lines;
use serde_json::json;
use std::path::Path;

pub(super) fn completions(
    mut command: Command,
    shell: clap_complete::Shell,
    context: &Context,
) -> Result<(), Error> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command, "notsotuf", &mut script);
    let script = String::from_utf8_lossy(&script);
    let json = json!({ "shell": shell.to_string(), "script": script });
    context.output.raw(&script, &json);
    Ok(())
}

pub(super) fn man(command: Command, dir: &Path, context: &Context) -> Result<(), Error> {
    fs::create_dir_all(dir)?;
    clap_mangen::generate_to(command, dir)
        .map_err(|e| FsError::new("write manual pages to", dir, e))?;
    context.output.say(Lines::new(), &json!({ "dir": dir }));
    Ok(())
}
