//! Implements `notsotuf renew`.

use super::context::Context;
use super::error::Error;
use super::publish::tell_published;
use super::review;
use crate::metadata::{self, Change, Published, RootChangeError, change_root};
use crate::publish::{self, PublishScope};
use clap::Args;
use notsotuf_stub::clock::now;

#[derive(Debug, Args)]
#[command(after_help = "\
Without arguments, renews timestamp and snapshot (and targets, once half of
its time is over) with the keys at hand.

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
    if args.root {
        let published = Published::load(project)?;
        match metadata::root_draft(project, &published)? {
            None => {
                let change = Change::Renew;
                change_root(
                    project,
                    &published,
                    &change,
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
    let report = publish::publish(
        project,
        &keyring,
        &context.passphrases,
        now(),
        PublishScope::Renewal,
    )?;
    tell_published(project, &report, context.output);
    Ok(())
}
