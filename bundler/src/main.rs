//! `notsotuf`: archives, patches, metadata and signatures for release
//! engineers.

mod archive;
mod audit;
mod bridge;
mod cli;
mod diff;
mod error;
mod gzip;
mod import;
mod keys;
mod limits;
mod metadata;
mod numbers;
mod operate;
mod patching;
mod progress;
mod project;
mod prune;
mod publish;
mod release;
mod serve;
mod ship;
mod upload;
mod vet;
mod whole;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    let as_json = cli.json;
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            if as_json {
                println!("{}", serde_json::json!({ "error": e.to_string() }));
            }
            eprintln!("error: {e}");
            e.exit_code()
        }
    }
}
