//! What reaches clients: signing and writing it, uploading it, and bringing it
//! back from where clients see it.

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
