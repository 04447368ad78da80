//! Answers `--updater version`.

use crate::install::Layout;
use crate::safe_text::Lines;
use crate::stub_version;
use crate::updater_cli::command_output::{CommandOutput, describe, installed, release};
use serde_json::json;

pub(super) fn version(layout: &Layout) -> CommandOutput {
    let installed = installed(&layout.app());
    let own = stub_version::version().to_string();
    let mut text = Lines::from(format!("notsotuf {own}"));
    text.line(describe(installed.as_ref()));
    CommandOutput {
        text,
        json: json!({ "updater": own, "installed": installed.as_ref().map(release) }),
    }
}
