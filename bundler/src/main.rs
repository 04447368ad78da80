//! `notsotuf`: archives, patches, metadata and signatures for release
//! engineers.

// Standard output and error may be gone, and these panic then.
#![deny(clippy::print_stdout, clippy::print_stderr)]

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
mod say;
mod serve;
mod ship;
mod upload;
mod whole;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let as_json = cli.json;
    say::start_logging(cli.verbose, cli.quiet);
    let code = match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            if as_json {
                say::out(&serde_json::json!({ "error": e.to_string() }).to_string());
            }
            say::err(&format!("error: {e}"));
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
