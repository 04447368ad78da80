//! The notsotuf client. The binary `notsotuf-stub` is a thin shell around
//! [`launcher`]; the bundler uses the same code to check what it produces.
//!
//! Modules by floor, upper may use lower: [`launcher`], [`control`], [`trial`],
//! [`behind`], [`nested`] –
//! [`updater`] – [`flow`], [`plan`], [`select`], [`custom`] (pure) – [`install`],
//! [`launch`] – [`bundle`] – [`repository`] – [`tuf`] (pure) – [`http`], [`fs`]
//! and the rest.

// Standard output and error may be gone, and these panic then; and what is
// shown goes through `safe_text`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

pub mod attributes;
pub mod behind;
pub mod blocked;
pub mod bundle;
pub mod control;
pub mod custom;
pub mod elevated;
pub mod error;
pub mod flow;
pub mod fs;
pub mod http;
pub mod install;
pub mod launch;
pub mod launcher;
pub mod log;
mod log_folder;
pub mod nested;
pub mod notes;
pub mod origin;
pub mod own;
pub mod plain_file;
pub mod plan;
pub mod report;
pub mod repository;
pub mod safe_text;
pub mod say;
pub mod select;
pub mod settings;
pub mod trial;
pub mod tuf;
pub mod updater;
pub mod vouch;
