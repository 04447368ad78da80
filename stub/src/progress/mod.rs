//! Shows an update to the user: nothing while it is quick; when it takes
//! longer, a line with a bar on a terminal, or else a small window.

mod event;
mod icon;
mod messages;
mod model;
mod notice;
mod screen;
mod surface;
mod terminal;
mod window;

pub use event::Event;
pub use icon::icon;
pub use notice::Notice;
pub use screen::{ProgressDisplay, Surfaces};

pub use messages::Messages;
pub use model::{ProgressModel, ProgressView};
