//! Says where an update is shown, and what its user wants.

use crate::progress::terminal::Terminal;
use crate::progress::window::Window;

/// Says where something should be shown.
pub(super) enum Wish {
    Terminal(Terminal),
    Window,
}

/// Says where an update is shown.
pub(super) enum Surface {
    Terminal(Terminal),
    /// A window, once it is worth one.
    Later,
    Window(Window),
}
