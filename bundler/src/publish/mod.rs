//! Brings to clients what is prepared: signs and writes it, uploads it, and brings
//! back what clients see.

mod error;
pub mod fetch;
mod move_file;
mod publication;
mod scope;
pub mod serve;
mod size_check;
pub mod upload;

pub use error::PublishError;
pub use publication::{Report, publish};
pub use scope::PublishScope;
