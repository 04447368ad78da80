//! Makes archives, patches, metadata and signatures for release engineers:
//! `notsotuf`.

// Standard output and error may be gone, and these panic then; and what is
// shown goes through `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod child;
mod cli;
mod interrupt;
mod keys;
mod metadata;
mod migrate;
mod output;
mod pack;
mod patch;
mod progress;
mod project;
mod publish;
mod rehearsal;
mod release;
mod say;
mod ship;
mod temporary;
mod userinfo;
mod verify;
mod vet;

use clap::error::ErrorKind;
use clap::{CommandFactory, FromArgMatches};
use notsotuf_stub::safe_text::is_unsafe;
use output::Output;
use std::process::ExitCode;

fn main() -> ExitCode {
    interrupt::watch();
    let command = cli::Cli::command().color(output::colour());
    let parsed = command
        .try_get_matches()
        .and_then(|matches| cli::Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(e) => return not_a_command(&e),
    };
    say::start_logging(cli.verbose, cli.quiet);
    let output = Output::new(cli.json);
    let result = cli::run(cli, &output);
    interrupt::stop_if_interrupted();
    let said = output.finish(result.as_ref().err().map(cli::error::Error::told));
    if let Err(e) = said {
        output::complain(format!("error: cannot write to standard output: {e}"));
        return ExitCode::FAILURE;
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => e.exit_code(),
    }
}

/// Help, the version, or wrong use: 0 or 2.
fn not_a_command(e: &clap::Error) -> ExitCode {
    let json = std::env::args_os()
        .take_while(|argument| argument != "--")
        .any(|argument| argument == "--json");
    if json {
        let text = e.render().to_string();
        let text = userinfo::hidden(text.trim());
        match e.kind() {
            ErrorKind::DisplayHelp => output::say_json("help", &text),
            ErrorKind::DisplayVersion => output::say_json("version", &text),
            _ => output::say_json("error", text.trim_start_matches("error: ")),
        }
    }
    // What is wrong quotes arguments, which may come from anywhere.
    let unsafe_words = std::env::args_os().any(|one| one.to_string_lossy().contains(is_unsafe));
    let text = e.to_string();
    let shown = userinfo::hidden(&text);
    if e.use_stderr() && (unsafe_words || shown != text) {
        output::complain(shown);
    } else if !json || e.use_stderr() {
        // Nobody may listen any more.
        drop(e.print());
    }
    ExitCode::from(e.exit_code() as u8)
}
