//! The notsotuf client. The binary `notsotuf-stub` is a thin shell around
//! [`launcher`]; the bundler uses the same code to check what it produces.
//!
//! Modules by floor, upper may use lower: [`launcher`], [`control`], [`trial`] –
//! [`updater`] – [`flow`], [`plan`], [`select`], [`custom`] (pure) – [`install`],
//! [`launch`] – [`bundle`] – [`repository`] – [`tuf`] (pure) – [`http`], [`fs`]
//! and the rest.

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
pub mod notes;
pub mod own;
pub mod plan;
pub mod report;
pub mod repository;
pub mod select;
pub mod settings;
pub mod trial;
pub mod tuf;
pub mod updater;
