//! Implements `notsotuf remove-latest`.

use super::app::App;
use super::context::Context;
use super::error::Error;
use crate::metadata::Published;
use crate::release::remove;
use serde_json::json;

pub(super) fn run(args: &App, context: &Context) -> Result<(), Error> {
    let project = context.project()?;
    let app = project.app(args.app.as_deref())?;
    let published = Published::load(&project)?;
    let (version, was_published) = remove::remove_latest(&project, &published, app)?;
    let after = if was_published {
        "run `notsotuf publish` to apply. Clients that have it keep it (`notsotuf yank` takes a \
         release from them, too)"
    } else {
        "it was not published, so no client has it"
    };
    let text = format!("removed {app} {version}; {after}");
    let json = json!({
        "app": app, "removed": version.to_string(), "was_published": was_published,
    });
    context.output.say(text, &json);
    Ok(())
}
