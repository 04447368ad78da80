//! Writes the settings file of a new project, for `init`.

use super::Project;
use super::error::ProjectError;
use super::github::{self, GitHubPlace};
use super::places;
use super::settings::{FILE, PatchFormat, PyUpdaterName, ROLES, parse, toml_string};
use crate::keys::External;
use notsotuf_stub::fs;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Holds what `init` is told.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    /// Names of applications.
    pub apps: Vec<String>,
    /// URL of the repository.
    pub url: Option<String>,
    /// What users know the application as.
    pub title: Option<String>,
    /// Keys that sign through a program.
    pub signers: Vec<External>,
    /// Days per role, in the order of [`ROLES`].
    pub expires_days: [u32; 4],
    /// Suffix of archives.
    pub archive_suffix: String,
    /// Format of patches.
    pub patch_format: PatchFormat,
    /// Applications as PyUpdater knows them.
    pub pyupdater: BTreeMap<String, PyUpdaterName>,
    /// Folder of the keys.
    pub keystore: PathBuf,
    /// Folder of the repository.
    pub repository: PathBuf,
}

/// Plans a new project in `root`: returns its settings, as they will be read,
/// and the text of their file.
///
/// # Errors
/// [`ProjectError::Exists`] if there is one, [`ProjectError::Unfinished`] if
/// it has no root.
pub(crate) fn planned(root: &Path, template: &Template) -> Result<(Project, String), ProjectError> {
    let path = root.join(FILE);
    let text = template.to_text();
    let form = |reason| ProjectError::Form {
        path: path.clone(),
        reason,
    };
    let settings = parse(&text).map_err(form)?;
    let project = Project::with(root, settings);
    places::check(&project).map_err(form)?;
    if path.exists() {
        // What is there says where its root should be.
        let first = Project::open(root).map(|there| there.metadata().join("1.root.json"));
        return Err(match first {
            Ok(root) if !root.exists() => ProjectError::Unfinished {
                settings: path,
                root,
            },
            _ => ProjectError::Exists(path),
        });
    }
    let first = project.metadata().join("1.root.json");
    if first.exists() {
        return Err(ProjectError::Exists(first));
    }
    Ok((project, text))
}

/// Writes a commented settings file into `root`.
///
/// # Errors
/// [`ProjectError::Exists`] if there is one.
pub(crate) fn create(root: &Path, template: &Template) -> Result<Project, ProjectError> {
    let path = root.join(FILE);
    if path.exists() {
        return Err(ProjectError::Exists(path));
    }
    let text = template.to_text();
    let form = |reason| ProjectError::Form {
        path: path.clone(),
        reason,
    };
    let settings = parse(&text).map_err(form)?;
    places::check(&Project::with(root, settings)).map_err(form)?;
    fs::create_dir_all(root)?;
    fs::write_atomically(&path, text.as_bytes())?;
    Project::open(root)
}

impl Template {
    /// The place at GitHub that `url` names, if it does.
    fn github(&self) -> Option<GitHubPlace> {
        GitHubPlace::parse(self.url.as_deref()?.strip_prefix(github::SCHEME)?)
    }

    fn to_text(&self) -> String {
        let quoted = |text: &str| toml_string(text);
        let list = |items: &[String]| {
            let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        };
        let place = self.github();
        let url = match (&place, &self.url) {
            (Some(place), _) => {
                let at = place.addresses();
                let (url, targets_url) = (quoted(&at.url), quoted(&at.targets_url));
                format!(
                    "url = {url}\n# Where the targets are, which are files of a release.\n\
                     targets_url = {targets_url}"
                )
            }
            (None, Some(url)) => format!("url = {}", quoted(url)),
            (None, None) => "# url = \"https://example.com/updates\"".into(),
        };
        let upload = match &place {
            Some(place) => format!("upload = {}", quoted(&place.to_string())),
            None => "# upload = \"s3://bucket/prefix\"".into(),
        };
        let title = match &self.title {
            Some(title) => format!("title = {}", quoted(title)),
            None => "# title = \"My App\"".into(),
        };
        let signers: String = self
            .signers
            .iter()
            .map(|signer| {
                format!(
                    "\n[[signers]]\nkey = {}\ncommand = {}\n",
                    quoted(&signer.key.to_string_lossy()),
                    list(&signer.command)
                )
            })
            .collect();
        let mut text = format!(
            "\
# Settings of a notsotuf project. Paths are relative to this file.

# Names of the applications in this repository. A release of one of them is the
# target <name>-<version>.tar.gz; put the platform into the name if there are
# several, as in \"myapp-windows-x86_64\".
apps = {apps}

# Keys. Private ones (all but NAME.pub) stay out of version control, encrypted
# or not, which .gitignore sees to, but not in a folder outside of this one;
# keep a copy of them in a safe place.
keystore = {keystore}

# What is published: metadata and targets, as static files.
repository = {repository}

# Where `notsotuf upload` copies that: s3://bucket/prefix, gs://bucket/prefix,
# az://container/prefix, github:owner/repository, a folder, or rsync:host:path.
{upload}

# Suffix of new archives: \".tar.gz\", or \".gz\" as in original notsotuf.
archive_suffix = {suffix}

# Format of patches: \"notsotuf-2\", per file, and small also where PyInstaller
# compresses; \"notsotuf-1\", per file, as long as there are stubs that do not know
# that; \"both\", to change from one to the other; \"bsdiff4\", which clients of
# tufup can apply, too (it takes much time and memory to make); or \"none\", as long
# as there are clients of the original notsotuf.
patch_format = \"{format}\"

# From how many earlier releases patches are made. With 4, those who missed up to
# three releases take one patch in place of a chain, where that is smaller; each
# takes time to make and room where you publish.
# patch_from = 4

# How long making the patches of a release may take. Once half of it is over, large
# files are compared less finely; after it, the release is published without.
# patch_budget = \"15m\"

# How programs for Windows are signed (Authenticode): `add` does it with those of a
# bundle, `ship` and `add-stub` with the stub. Keep passwords out of here: the
# command gets the environment of `notsotuf`.
# sign_command = [\"signtool\", \"sign\", \"/a\", \"/fd\", \"sha256\", \"{{file}}\"]

# Days for which newly signed metadata is valid. `notsotuf publish` and
# `notsotuf renew` renew timestamp and snapshot; clients stop updating when
# metadata is expired.
[expires_days]
",
            format = self.patch_format.name(),
            suffix = quoted(&self.archive_suffix),
            apps = list(&self.apps),
            keystore = quoted(&self.keystore.to_string_lossy()),
            repository = quoted(&self.repository.to_string_lossy()),
        );
        for (index, role) in ROLES.iter().enumerate() {
            text.push_str(&format!("{role} = {}\n", self.expires_days[index]));
        }
        text.push_str(&format!(
            "
# A private key in an HSM, a KMS or a YubiKey: its public key, and a program
# that gets the payload on standard input and writes the signature to standard
# output. Repeat for several.
# [[signers]]
# key = \"keystore/hsm.pub\"
# command = [\"./sign-with-hsm\"]
{signers}
# What `notsotuf ship` writes into the settings of new installs. It also travels
# with each release that is added, to the installs that are there already.
[client]
# Where the repository folder is published.
{url}
# The name by which users know the application; else its name here.
{title}
# Least final kind of release that is offered: \"final\", \"rc\", \"b\" or \"a\".
channel = \"final\"
# When updates are looked for: \"before-launch\", before the application starts;
# \"background\", behind it; or \"off\".
mode = \"before-launch\"
# Any other setting of the stub, for example:
# settings = {{ probation = 0.0, preserve = [\"config/*.ini\"] }}
"
        ));
        for (app, old) in &self.pyupdater {
            let (app, name, platform) = (quoted(app), quoted(&old.name), quoted(&old.platform));
            text.push_str(&format!(
                "\n# What PyUpdater calls this application; for `notsotuf \
                 bridge`.\n[pyupdater.{app}]\nname = {name}\nplatform = {platform}\n"
            ));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_at_github_sets_all_that_belongs_to_it() {
        let text = Template {
            url: Some("github:me/app".into()),
            ..template()
        };
        let settings = parse(&text.to_text()).unwrap();
        let at = GitHubPlace::parse("me/app").unwrap().addresses();
        assert_eq!(settings.upload.as_deref(), Some("github:me/app"));
        assert_eq!(settings.client.addresses(), Some(at));
        let settings = parse(&template().to_text()).unwrap();
        assert_eq!((settings.upload, settings.client.targets_url), (None, None));
    }
    use crate::project::error::ProjectError;
    use crate::project::settings::PatchFormat;
    use crate::project::settings::PyUpdaterName;

    pub(super) fn template() -> Template {
        Template {
            apps: vec!["my-app".into()],
            url: Some("https://example.com/\"x\"".into()),
            title: Some("My \"App\"".into()),
            signers: vec![External {
                key: "keystore/hsm.pub".into(),
                command: vec!["./sign".into(), "a \"b\"".into()],
                folder: PathBuf::new(),
            }],
            expires_days: [365, 90, 30, 14],
            archive_suffix: ".tar.gz".into(),
            patch_format: PatchFormat::Bsdiff4,
            pyupdater: BTreeMap::from([(
                "my-app".into(),
                PyUpdaterName {
                    name: "My \"App\"".into(),
                    platform: "win".into(),
                },
            )]),
            keystore: "keystore".into(),
            repository: "repository".into(),
        }
    }

    #[test]
    fn what_init_writes_can_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let project = create(folder.path(), &template()).unwrap();
        assert_eq!(project.app(None).unwrap(), "my-app");
        assert!(project.app(Some("x")).is_err());
        assert_eq!(
            project.settings.client.url.as_deref(),
            Some("https://example.com/\"x\"")
        );
        assert_eq!(project.settings.client.title.as_deref(), Some("My \"App\""));
        let signer = &project.settings.signers[0];
        assert_eq!(signer.key, folder.path().join("keystore/hsm.pub"));
        assert_eq!(signer.command, ["./sign", "a \"b\""]);
        assert_eq!(project.settings.expires_days.snapshot, 30);
        assert_eq!(project.settings.patch_format, PatchFormat::Bsdiff4);
        assert_eq!(project.settings.pyupdater, template().pyupdater);
        assert!(matches!(
            create(folder.path(), &template()),
            Err(ProjectError::Exists(_))
        ));
    }

    #[test]
    fn refuses_names_and_days_that_cannot_work() {
        let folder = tempfile::tempdir().unwrap();
        let mut bad = template();
        bad.expires_days[0] = 0;
        assert!(create(folder.path(), &bad).is_err());
        let mut bad = template();
        bad.apps.push("a b".into());
        assert!(create(folder.path(), &bad).is_err());
        assert!(!folder.path().join(FILE).exists());
    }
}
