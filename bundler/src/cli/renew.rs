//! Implements `notsotuf renew`.

use super::context::Context;
use super::error::Error;
use super::publish::tell_published;
use super::review;
use crate::metadata::{
    self, Change, Document, MetadataError, Published, RootChangeError, change_root,
};
use crate::output::complain;
use crate::project::Project;
use crate::publish::{self, PublishScope};
use clap::Args;
use notsotuf_stub::clock::now;

#[derive(Debug, Args)]
#[command(after_help = "\
Without arguments, renews timestamp and snapshot (and targets, once half of
its time is over) with the keys at hand. Targets stays as it is, and a warning
says so, while its keys are elsewhere. A root that `keys` drafted waits for
`publish`.

  17 4 * * *  notsotuf -C /srv/project renew --passphrase-file /etc/notsotuf")]
pub(super) struct Renew {
    /// Renew the root too
    #[arg(long)]
    root: bool,
}

/// Runs `notsotuf renew`.
pub(super) fn run(args: &Renew, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let keyring = context.keyring(project)?;
    let published = Published::load(project)?;
    let waiting = if args.root {
        None
    } else {
        waiting_root(project, &published)?
    };
    if args.root {
        match metadata::root_draft(project, &published)? {
            None => {
                change_root(
                    project,
                    &published,
                    &[Change::Renew],
                    &keyring,
                    &context.passphrases,
                    now(),
                )?;
            }
            // From an earlier call that did not come to its end.
            Some(draft) if review::is_renewal(&published.root, &draft) => {}
            // Which would be signed unseen.
            Some(draft) => {
                return Err(RootChangeError::Drafted {
                    version: draft.version(),
                    folder: project.pending(),
                }
                .into());
            }
        }
    }
    let what = if args.root {
        PublishScope::RootRenewal
    } else {
        PublishScope::Renewal
    };
    let published = publish::publish(project, &keyring, &context.passphrases, now(), what);
    if let (Err(_), Some(waiting)) = (&published, &waiting) {
        // The draft may replace just the key that is missing.
        complain(format!("warning: {waiting}"));
    }
    let mut report = published?;
    report.warnings.extend(waiting);
    tell_published(project, &report, context.output);
    Ok(())
}

/// What there is to say of the draft of a root, which a renewal leaves alone.
fn waiting_root(project: &Project, published: &Published) -> Result<Option<String>, MetadataError> {
    let told = |draft: Document| {
        format!(
            "root {} is drafted and stays a draft: `notsotuf publish` publishes it, once \
             `notsotuf status` shows that it has its signatures",
            draft.version()
        )
    };
    Ok(match metadata::told_root_draft(project, published)? {
        Ok(draft) => draft.map(told),
        Err(stale) => Some(stale.to_string()),
    })
}
