//! Implements `notsotuf doctor`, which finds problems of a project and says how
//! to fix them.

use super::app::App;
use super::context::Context;
use super::error::Error;
use super::status::DAY;
use super::stub_at_hand;
use crate::keys::{self, KeyError, Keyring, Passphrases};
use crate::metadata::{self, PIN, Published, Trust};
use crate::project::{self, Project, ROLES, address};
use crate::release::PendingTargets;
use crate::ship::MAX_STUB;
use crate::verify::{self, RepositorySource, There, VerifyError};
use clap::Args;
use notsotuf_stub::clock::now;
use notsotuf_stub::fs;
use notsotuf_stub::http::Http;
use notsotuf_stub::safe_text::Lines;
use notsotuf_stub::stub_version;
use serde_json::json;
use std::time::Duration;

/// A clock that is wrong by less does no harm.
const CLOCK_TOLERANCE: i64 = 600;

#[derive(Debug, Args)]
#[command(after_help = "\
Looks at settings, keys, expiry dates, the files of all releases, what is published at the
URL of the settings, and this computer's clock. Changes nothing.

  notsotuf doctor
  notsotuf doctor --key-dir /media/usb --json")]
pub(super) struct Doctor {
    #[command(flatten)]
    app: App,
}

/// What was looked at, and how to fix it if it is wrong.
struct Finding {
    what: String,
    fix: Option<String>,
}

#[derive(Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn good(&mut self, what: impl Into<String>) {
        let what = what.into();
        self.0.push(Finding { what, fix: None });
    }

    fn bad(&mut self, what: impl Into<String>, fix: impl Into<String>) {
        self.0.push(Finding {
            what: what.into(),
            fix: Some(fix.into()),
        });
    }
}

pub(super) fn run(args: &Doctor, context: &Context) -> Result<(), Error> {
    let project = &context.project()?;
    let mut found = Findings::default();
    found.good("the settings can be read");
    let published = Published::load(project)?;
    new_installs(project, &mut found);
    let keyring = context.keyring(project)?;
    secrets(&keyring, &context.passphrases, &mut found);
    roles(project, &published, &keyring, &mut found)?;
    pinned(project, &mut found)?;
    releases(project, &published, args, &mut found)?;
    place(project, &published, &mut found);
    program(&mut found);
    let mut text = Lines::new();
    for Finding { what, fix } in &found.0 {
        match fix {
            None => text.line(format!("ok       {what}")),
            Some(fix) => {
                text.line(format!("problem  {what}"));
                text.line(format!("         {fix}"));
            }
        }
    }
    let problems: Vec<_> = found.0.iter().filter(|f| f.fix.is_some()).collect();
    let list: Vec<_> = problems
        .iter()
        .map(|f| json!({ "problem": f.what, "mend": f.fix }))
        .collect();
    context
        .output
        .say(text, &json!({ "checks": found.0.len(), "problems": list }));
    match problems.len() {
        0 => Ok(()),
        number => Err(Error::Problems(number)),
    }
}

/// An address in the settings that is none, and why.
fn wrong_address(project: &Project) -> Option<String> {
    let client = &project.settings.client;
    let addresses = [("url", &client.url), ("targets_url", &client.targets_url)];
    addresses.into_iter().find_map(|(name, url)| {
        let reason = address::check(url.as_ref()?).err()?;
        Some(format!("`{name}` under [client]: {reason}"))
    })
}

/// Whether what the settings have for new installs would work there.
fn new_installs(project: &Project, found: &mut Findings) {
    if let Some(wrong) = wrong_address(project) {
        return found.bad(wrong, format!("correct it in {}", project::FILE));
    }
    match project::client_settings::of_release(&project.settings.client) {
        Ok(_) => found.good("the settings for installs are known"),
        Err(reason) => found.bad(
            format!("[client]: {reason}"),
            format!(
                "correct it in {}; docs/reference/settings.md lists them all",
                project::FILE
            ),
        ),
    }
}

/// Whether others can read what only the owner should.
fn secrets(keyring: &Keyring, passphrases: &Passphrases, found: &mut Findings) {
    let files = keyring.private_files();
    let mut open = 0;
    for path in files.iter().copied().chain(passphrases.file()) {
        if let Err(e) = keys::check_permissions(path) {
            open += 1;
            let fix = match &e {
                KeyError::TooOpen { fix, .. } => fix.words(path),
                _ => "look at its permissions".into(),
            };
            found.bad(e.to_string(), fix);
        }
    }
    if open == 0 && !files.is_empty() {
        found.good("private keys can be read by their owner only");
    }
    for path in keyring.unpaired() {
        found.good(format!(
            "{} is encrypted, and no public key of that name is beside it; it is tried for every \
             key",
            path.display()
        ));
    }
}

/// Whether each role is signed, lasts, and can be signed again from here.
fn roles(
    project: &Project,
    published: &Published,
    keyring: &Keyring,
    found: &mut Findings,
) -> Result<(), Error> {
    for role in ROLES {
        let threshold = published.root.threshold(role) as usize;
        let keys = metadata::role_keys(role, &published.root);
        let at_hand = keys
            .iter()
            .filter_map(|(_, key)| keyring.find(key.as_ref()?))
            .filter(|info| info.can_sign())
            .count();
        let online = ["snapshot", "timestamp"].contains(&role);
        match at_hand >= threshold {
            true => found.good(format!("{role}: keys to sign it are at hand")),
            // Those that are kept offline should be missing.
            false if !online => found.good(format!(
                "{role}: {at_hand} of {threshold} keys are at hand, as usual with offline keys"
            )),
            false => found.bad(
                format!("{role}: {at_hand} of the {threshold} keys that sign it are at hand"),
                format!(
                    "`publish` and `renew` need them ({}), and they are not in {}: name their \
                     folder with --key-dir, or the program that signs under `[[signers]]`",
                    metadata::key_names(role, &published.root, keyring).join(", "),
                    keyring.places()
                ),
            ),
        }
        let Some(document) = published.document(role) else {
            found.bad(
                format!("{role}: not published yet"),
                "`notsotuf publish` signs it",
            );
            continue;
        };
        let is_due = role == "targets" && metadata::renewal_is_due(project, document, now());
        let keys = || metadata::key_names(role, &published.root, keyring).join(", ");
        let due = is_due.then(keys);
        lasts(role, document, &published.root, due.as_deref(), found);
    }
    Ok(())
}

/// Whether a role lasts; `due` are the keys that are to renew it by now.
fn lasts(
    role: &str,
    document: &metadata::Document,
    root: &metadata::Document,
    due: Option<&str>,
    found: &mut Findings,
) {
    let left = |document: &metadata::Document| document.expires() - now();
    let fix = match role {
        // Nothing can be renewed below a root that has expired.
        _ if left(root) < 0 || role == "root" => {
            "`notsotuf renew --root` with the root keys at hand (--key-dir), then `upload`"
        }
        "timestamp" | "snapshot" => "`notsotuf renew` and `upload` now, and on a schedule",
        _ => "`notsotuf renew` with the keys of that role at hand (--key-dir), then `upload`",
    };
    match (left(document).div_euclid(DAY), due) {
        (..0, _) => found.bad(format!("{role}: EXPIRED; clients do not update"), fix),
        (days @ 0..5, _) => found.bad(format!("{role}: expires in {days} days"), fix),
        (days, Some(keys)) => found.good(format!(
            "{role}: valid for {days} more days, and to be renewed by {keys}: {fix}"
        )),
        (days, None) => found.good(format!("{role}: valid for {days} more days")),
    }
}

/// Whether what is trusted is outside of what is published.
fn pinned(project: &Project, found: &mut Findings) -> Result<(), Error> {
    match Trust::open(project)?.root {
        Some(_) => found.good(format!("the published root follows from the pinned root ({PIN})")),
        None => found.bad(
            format!("there is no {PIN}: whoever can write to the repository folder decides what is trusted"),
            "the next `notsotuf publish` or `renew` pins the root; then put the file under version control",
        ),
    }
    Ok(())
}

/// Whether the files of releases are here, as the next patch and `ship` need.
fn releases(
    project: &Project,
    published: &Published,
    args: &Doctor,
    found: &mut Findings,
) -> Result<(), Error> {
    let pending = PendingTargets::open(project, published)?;
    let consistent = published.consistent_snapshot();
    for app in project.apps(args.app.app.as_deref())? {
        newest_archive(app, &pending, consistent, found)?;
    }
    for app in project.unknown_apps(pending.entries.keys()) {
        found.bad(
            format!(
                "there are releases of {app}, which is not in `apps` of {}",
                project::FILE
            ),
            format!(
                "add \"{app}\" there; if it is a slip, then `notsotuf remove-latest --app {app}`, \
                 `publish` and `upload`, and remove it again"
            ),
        );
    }
    if let Some(stale) = metadata::stale_root_draft(project, published)? {
        found.bad(
            stale.to_string(),
            "what it was to change, such as a stolen key, is as before until that is done",
        );
    }
    if pending.entries == published.target_entries() {
        found.good("everything that was added is published here");
    } else {
        found.bad(
            "something was added or removed, but not published",
            "`notsotuf publish` (or delete .notsotuf-pending to drop it)",
        );
    }
    Ok(())
}

/// Whether the archive is here that the next patch starts from.
fn newest_archive(
    app: &str,
    pending: &PendingTargets,
    consistent: bool,
    found: &mut Findings,
) -> Result<(), Error> {
    let releases = pending.releases(app);
    let Some((version, path)) = releases.last() else {
        found.bad(
            format!("{app} has no release"),
            "`notsotuf add VERSION BUNDLE`, then `notsotuf publish`",
        );
        return Ok(());
    };
    match pending.find(path, consistent)? {
        Some(_) => found.good(format!("the archive of {app} {version} is here and intact")),
        None => found.bad(
            format!("the archive of {app} {version} is missing or damaged"),
            "copy it back from where you publish; the next `add` needs it for its patch",
        ),
    }
    Ok(())
}

/// Whether what is at the URL is what is here.
fn place(project: &Project, published: &Published, found: &mut Findings) {
    let client = &project.settings.client;
    let Some(url) = &client.url else {
        found.bad(
            "the settings do not say where the repository is published",
            "set `url` under [client] in notsotuf-project.toml",
        );
        return;
    };
    if wrong_address(project).is_some() {
        // That was told.
        return;
    }
    let silence = Duration::from_secs(10);
    let at = client.addresses_at(url);
    let url = format!("{}/timestamp.json", at.metadata_url());
    let target = RepositorySource::patient(at, silence);
    let fetch = "somebody else published: run `notsotuf fetch` before you continue";
    match verify::compare(&target, published) {
        Err(VerifyError::Http(e)) if e.is_forbidden() => found.bad(
            format!("{e}: the server refuses everybody without credentials, and so all clients"),
            "make the bucket or folder publicly readable (reading is enough), or set another `url` under [client]",
        ),
        Err(e) => found.bad(
            e.to_string(),
            "is the address right, and the server running? Clients see the same",
        ),
        Ok(There::Nothing) => found.bad(
            format!("there is nothing at {url}"),
            "`notsotuf upload`, or another `url` under [client]",
        ),
        Ok(There::NoMetadata) => found.bad(
            format!("{url} is not metadata"),
            "the address leads to something else: a login page, or another server",
        ),
        Ok(There::Same) => found.good("the repository that is published there is the one here"),
        Ok(There::Older(_)) => found.bad(
            format!("what is published at {url} is older than what is here"),
            "`notsotuf upload`",
        ),
        Ok(There::Newer(_)) => found.bad(
            format!("what is published at {url} is newer than what is here"),
            fetch,
        ),
        Ok(There::Other(file)) => found.bad(
            format!("{file} at {url} has the same version as the one here, but different content"),
            "run `notsotuf upload`, which says what is wrong, or `notsotuf fetch`",
        ),
    }
    clock(&Http::new(silence), &url, found);
}

/// Whether this computer's clock is that of the server.
fn clock(http: &Http, url: &str, found: &mut Findings) {
    match http.server_time(url) {
        Some(time) if (time - now()).abs() > CLOCK_TOLERANCE => found.bad(
            format!(
                "this computer's clock differs from the server's by {} s",
                (time - now()).abs()
            ),
            "correct the clock: expiry dates are compared with it",
        ),
        Some(_) => found.good("this computer's clock agrees with the server's"),
        None => {}
    }
}

fn program(found: &mut Findings) {
    let path = stub_at_hand::beside_this_program();
    let bytes = fs::read_optional(&path, MAX_STUB).unwrap_or_default();
    match bytes.and_then(|bytes| stub_version::version_of(&bytes)) {
        Some(version) => found.good(format!("the stub beside this program is version {version}")),
        None => found.bad(
            format!("there is no stub at {path:?}"),
            "`ship` and `add-stub` need one: build it, or tell them its path",
        ),
    }
}
