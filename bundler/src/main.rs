//! `notsotuf`: archives, patches, metadata and signatures for release
//! engineers.

// What is shown goes through `safe_text`.
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod archive;
mod audit;
mod bridge;
mod cli;
mod diff;
mod error;
mod gzip;
mod import;
mod keys;
mod metadata;
mod operate;
mod progress;
mod project;
mod prune;
mod publish;
mod release;
mod serve;
mod ship;
mod upload;
mod whole;

use clap::Parser;
use notsotuf_stub::safe_text::{self, Lines, complain, complain_in, is_unsafe, print};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        // Help, or the version: nothing in it is from outside.
        Err(e) if !e.use_stderr() => e.exit(),
        Err(e) => {
            // It quotes arguments, which may come from anywhere.
            let mut arguments = std::env::args_os();
            let text = e.to_string();
            match arguments.any(|one| one.to_string_lossy().contains(is_unsafe)) {
                true => complain(text),
                false => {
                    let mut lines = Lines::new();
                    lines.paragraph(&text);
                    complain_in(&lines);
                }
            }
            return ExitCode::from(2);
        }
    };
    let as_json = cli.json;
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            if as_json {
                let error = serde_json::json!({ "error": e.to_string() });
                print(&safe_text::json(&error).into());
            }
            complain(format!("error: {e}"));
            e.exit_code()
        }
    }
}
