//! Implements the notsotuf client. The binary `notsotuf-stub` is a thin shell
//! around [`startup`]; the bundler uses the same code to check what it
//! produces.
//!
//! Modules by floor, upper may use lower: [`startup`], [`probation_run`],
//! [`nested_stub`] – [`updater_cli`] – [`update`] – [`configuration`], [`logging`],
//! [`progress`] –
//! [`launch`], [`install`] – [`policy`] (pure) – [`repository`] – [`settings`] –
//! [`catalog`] (pure) – [`bundle`], [`http`], [`tuf`] (pure) – [`fs`] and the
//! rest.

// Standard output and error may be gone, and these panic then; and what is
// shown goes through `safe_text`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod bundle;
pub mod catalog;
pub mod clock;
pub mod configuration;
pub mod failure;
pub mod format_bytes;
pub mod fs;
pub mod hex;
pub mod http;
pub mod install;
pub mod launch;
mod log_folder;
pub mod logging;
pub mod nested_stub;
pub mod policy;
pub mod probation_run;
pub mod progress;
pub mod repository;
pub mod safe_text;
pub mod say;
pub mod settings;
pub mod startup;
pub mod stub_version;
pub mod this_program;
pub mod tuf;
pub mod update;
pub mod updater_cli;
