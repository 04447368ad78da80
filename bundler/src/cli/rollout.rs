//! Implements `notsotuf rollout`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use crate::metadata::Published;
use crate::release::rollout;
use clap::Args;
use notsotuf_stub::safe_text::Lines;
use pep440_rs::Version;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "\
Each install has a random number of its own, which it sends nowhere, and gets the release if
that number is below the percentage. Installs that have the release keep it. A release that
was added with --required is for all, whatever the percentage.

  notsotuf add 2.0 dist/myapp --rollout 5%
  notsotuf publish
  notsotuf rollout 2.0 50%
  notsotuf publish
  notsotuf rollout 2.0 100%")]
pub(super) struct Rollout {
    /// Version of the release
    version: Version,
    /// Share of the installs that get the release: 0% to 100%
    #[arg(value_parser = parse_percent)]
    percent: u64,
    #[command(flatten)]
    app: App,
}

/// Reads `10` or `10%`.
pub(super) fn parse_percent(text: &str) -> Result<u64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let percent = number.parse().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| "expected a whole number from 0% to 100%".into())
}

pub(super) fn run(args: &Rollout, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let app = project.app(args.app.app.as_deref())?;
    let published = Published::load(project)?;
    let (version, percent) = (&args.version, args.percent);
    let stranded = rollout::rollout(project, &published, app, version, percent)?;
    let mut text = Lines::from(format!(
        "{app} {version} is for {percent} % of the installs; run `notsotuf publish` to apply"
    ));
    let warnings: Vec<String> = stranded
        .iter()
        .map(|gone| {
            format!(
                "{gone} was withdrawn, and no release that is as final is for all installs: others \
                 that have it stay with it"
            )
        })
        .collect();
    for warning in &warnings {
        text.line(format!("warning: {warning}"));
    }
    let json = json!({
        "app": app, "version": version.to_string(), "percent": percent, "warnings": warnings,
    });
    context.output.say(text, &json);
    Ok(())
}
