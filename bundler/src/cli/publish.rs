//! Implements `notsotuf publish`.

use super::context::Context;
use super::error::Error;
use crate::output::Output;
use crate::project::Project;
use crate::publish::{self, PublishScope};
use notsotuf_stub::clock::now;
use notsotuf_stub::safe_text::Lines;
use serde_json::json;

/// Returns the command that brings to clients what is signed.
pub(super) fn next_upload(project: &Project) -> &'static str {
    match project.settings.upload {
        Some(_) => "`notsotuf upload`",
        None => "`notsotuf upload DESTINATION` (or set `upload` in the settings)",
    }
}

pub(super) fn tell_published(project: &Project, report: &publish::Report, output: &Output) {
    let mut text = Lines::new();
    for path in &report.added {
        text.line(format!("+ {path}"));
    }
    for path in &report.removed {
        text.line(format!("- {path}"));
    }
    let versions = &report.update.versions;
    let list: Vec<_> = versions
        .iter()
        .map(|(role, v)| format!("{role} {v}"))
        .collect();
    text.line(format!(
        "wrote {} to {}",
        list.join(", "),
        project.repository().display(),
    ));
    text.line(format!("signed; next: {}", next_upload(project)));
    for warning in &report.warnings {
        text.line(format!("warning: {warning}"));
    }
    let json = json!({
        "added": report.added, "removed": report.removed, "versions": versions,
        "warnings": report.warnings,
    });
    output.say(text, &json);
}

pub(super) fn run(context: &Context) -> Result<(), Error> {
    let project = context.project()?;
    let keyring = context.keyring(&project)?;
    let passphrases = &context.passphrases;
    let report = publish::publish(
        &project,
        &keyring,
        passphrases,
        now(),
        PublishScope::Pending,
    )?;
    tell_published(&project, &report, context.output);
    Ok(())
}
