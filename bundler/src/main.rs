//! `notsotuf`: archives, patches, metadata and signatures for release
//! engineers.

// Standard output and error may be gone, and these panic then; and what is
// shown goes through `safe_text`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod archive;
mod audit;
mod bridge;
mod cli;
mod diff;
mod error;
mod fetch;
mod gzip;
mod import;
mod keys;
mod limits;
mod lock;
mod metadata;
mod numbers;
mod operate;
mod patching;
mod progress;
mod project;
mod prune;
mod publish;
mod rebase;
mod release;
mod say;
mod serve;
mod ship;
mod upload;
mod vet;
mod whole;

use clap::Parser;
use notsotuf_stub::safe_text::{self, Lines, complain, complain_in, is_unsafe};
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
    say::start_logging(cli.verbose, cli.quiet);
    let code = match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            if as_json {
                let error = serde_json::json!({ "error": e.to_string() });
                say::out(&safe_text::json(&error).into());
            }
            complain(format!("error: {e}"));
            e.exit_code()
        }
    };
    match say::failure() {
        Some(e) if code == ExitCode::SUCCESS => {
            say::err(&format!("error: cannot write to standard output: {e}"));
            ExitCode::FAILURE
        }
        _ => code,
    }
}
