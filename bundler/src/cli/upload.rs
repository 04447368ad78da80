//! Uploading.

use super::Output;
use crate::audit::{self, Target};
use crate::error::Error;
use crate::progress::Progress;
use crate::project::Project;
use crate::ship::ShipError;
use crate::upload::{self, Options, UploadError};
use clap::Args;
use notsotuf_stub::launcher::now;
use notsotuf_stub::report::bytes;
use serde_json::json;

#[derive(Debug, Args)]
#[command(after_help = "\
Only what changed is sent: targets first, timestamp.json last, so that a client that
looks at any time sees a whole repository. Interrupted, it can just be run again.

  notsotuf upload s3://bucket/updates
  notsotuf upload gs://bucket/updates --dry-run
  notsotuf upload az://container/updates
  notsotuf upload /srv/www/updates
  notsotuf upload rsync:user@host:/srv/www/updates

Credentials come from the environment, as the tools of each cloud take them:
AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION, AWS_ENDPOINT (for compatible
stores), or the profile AWS_PROFILE of ~/.aws, or the identity of the machine or container;
GOOGLE_APPLICATION_CREDENTIALS, or what `gcloud auth application-default login` left;
AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY.")]
pub struct Upload {
    /// Where to; else `upload` of the project settings
    to: Option<String>,
    /// Only say what would be done
    #[arg(long)]
    pub dry_run: bool,
    /// Remove what is not in the repository any more
    #[arg(long)]
    delete: bool,
    /// Afterwards, check all that is published, as `verify --url` does
    #[arg(long)]
    verify: bool,
}

pub fn upload(
    project: &Project,
    args: &Upload,
    progress: Progress,
    output: &Output,
) -> Result<(), Error> {
    let to = args.to.as_ref().or(project.settings.upload.as_ref());
    let to = to.ok_or(UploadError::NoDestination)?;
    let options = Options {
        dry_run: args.dry_run,
        delete: args.delete,
    };
    let report = upload::upload(&project.repository(), to, options, progress)?;
    let mut text = String::new();
    for path in &report.uploaded {
        text.push_str(&format!("{path}\n"));
    }
    for path in &report.removed {
        text.push_str(&format!("removed {path}\n"));
    }
    let done = if args.dry_run {
        "to upload"
    } else {
        "uploaded"
    };
    text.push_str(&format!(
        "{} files {done}, {}; {} unchanged",
        report.uploaded.len(),
        bytes(report.bytes),
        report.unchanged
    ));
    if !report.extra.is_empty() {
        text.push_str(&format!(
            "; {} there are not in the repository any more (--delete removes them)",
            report.extra.len()
        ));
    }
    let mut json = json!({
        "to": to,
        "uploaded": report.uploaded,
        "bytes": report.bytes,
        "unchanged": report.unchanged,
        "removed": report.removed,
        "extra": report.extra,
    });
    let mut problems = Vec::new();
    if args.verify && !args.dry_run {
        let url = project.settings.client.url.as_ref();
        let target = Target::remote(url.ok_or(ShipError::NoUrl)?);
        let root = project.metadata().join("1.root.json");
        problems = audit::verify(&target, &root, false, now(), progress)?.problems;
        text.push_str("\nchecked what is published\n");
        for problem in &problems {
            text.push_str(&format!("problem: {problem}\n"));
        }
        json["problems"] = problems.clone().into();
    }
    output.say(&text, &json);
    match problems.len() {
        0 => Ok(()),
        number => Err(Error::Problems(number)),
    }
}
