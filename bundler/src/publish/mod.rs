//! Brings to clients what is prepared: signs and writes it, uploads it, and brings
//! back what clients see.

mod error;
pub(crate) mod fetch;
mod move_file;
mod publication;
mod scope;
pub(crate) mod serve;
mod size_check;
pub(crate) mod upload;

pub(crate) use error::PublishError;
pub(crate) use publication::{Report, publish};
pub(crate) use scope::PublishScope;
