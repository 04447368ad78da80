//! What the user sees of an update: nothing while it is quick; when it takes
//! longer, a line with a bar on a terminal, or else a small window.

mod event;
mod format_bytes;
mod messages;
mod model;
mod screen;
mod surface;
mod terminal;
mod window;

pub use event::Event;
pub use format_bytes::bytes;
pub use screen::ProgressDisplay;

pub use messages::Messages;
pub use model::{ProgressModel, ProgressView};

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn bytes_have_units() {
        assert_eq!(bytes(999), "999 B");
        assert_eq!(bytes(5_691), "5.7 kB");
        assert_eq!(bytes(2_147_578), "2.1 MB");
    }
}
