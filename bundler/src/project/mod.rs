//! A project: its settings file, and where its keys and its repository are.

pub mod address;
pub mod lock;
pub mod new_project;

use crate::keys::{External, KeyError, Keyring};
use notsotuf_stub::catalog::{Channel, TargetKind, is_name};
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::settings::Mode;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The name of the settings file.
pub const FILE: &str = "notsotuf-project.toml";

/// The four top-level roles, in the order in which they are listed.
pub const ROLES: [&str; 4] = ["root", "targets", "snapshot", "timestamp"];

/// What is wrong with a project.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The file system.
    #[error(transparent)]
    Fs(#[from] FsError),
    /// No settings file.
    #[error(
        "there is no {0:?}; `notsotuf init --app NAME` starts a project, --project names its folder"
    )]
    Missing(PathBuf),
    /// No settings file here or above.
    #[error(
        "there is no {FILE} in {0:?} or a folder above it; `notsotuf init --app NAME` starts a \
         project, --project names its folder"
    )]
    Nowhere(PathBuf),
    /// A settings file above, of somebody else: it could name programs to run.
    #[error(
        "{0:?} belongs to another user, and is not used from a folder below it; --project names \
         its folder if that is what you mean"
    )]
    Foreign(PathBuf),
    /// A settings file of the wrong form.
    #[error("{path:?}: {reason}")]
    Form {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// `init` where there is a project.
    #[error("{0:?} exists already: this folder is a project; --project names another folder")]
    Exists(PathBuf),
    /// `init` where there are settings and no root.
    #[error(
        "{settings:?} exists already, but there is no {root:?}: if an `init` was interrupted here, \
         remove {settings:?} and call it again; if this is a project, its repository is missing: \
         fetch it from where it is published"
    )]
    Unfinished {
        /// The settings.
        settings: PathBuf,
        /// The root.
        root: PathBuf,
    },
    /// Which application?
    #[error("this project has several applications ({}); name one with --app", .0.join(", "))]
    WhichApp(Vec<String>),
    /// An application that is not in the settings.
    #[error("there is no application {name:?} in the settings; they name {}", .known.join(", "))]
    NoApp {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
}

/// For how many days new metadata of each role is valid.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)]
pub struct ExpiresDays {
    pub root: u32,
    pub targets: u32,
    pub snapshot: u32,
    pub timestamp: u32,
}

impl ExpiresDays {
    /// The days of one of [`ROLES`].
    pub fn get(&self, role: &str) -> u32 {
        match role {
            "root" => self.root,
            "targets" => self.targets,
            "snapshot" => self.snapshot,
            "timestamp" => self.timestamp,
            _ => unreachable!("{role} is not a top-level role"),
        }
    }
}

/// How patches are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum PatchFormat {
    /// Per file: small, quick, for the stub.
    #[default]
    #[serde(rename = "notsotuf-1")]
    PerFile,
    /// tufup's: over the whole uncompressed archive, for clients that still
    /// are tufup's.
    #[serde(rename = "bsdiff4")]
    Bsdiff4,
    /// No patches at all, for clients that still are original notsotuf's:
    /// those take whatever patches are listed, and cannot do without one of
    /// them.
    #[serde(rename = "none")]
    None,
}

impl PatchFormat {
    /// As the settings name it.
    pub fn name(self) -> &'static str {
        match self {
            PatchFormat::PerFile => "notsotuf-1",
            PatchFormat::Bsdiff4 => "bsdiff4",
            PatchFormat::None => "none",
        }
    }
}

/// What an application is called in the PyUpdater repository that it comes
/// from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InPyUpdater {
    /// PyUpdater's `APP_NAME`.
    pub name: String,
    /// PyUpdater's word for the platform: `win`, `mac`, `nix64`, …
    pub platform: String,
}

/// What `ship` writes into the stub's settings.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    /// Where the repository is published; `metadata/` and `targets/` are in it.
    pub url: Option<String>,
    /// What users know the application as; else its name.
    #[serde(default)]
    pub title: Option<String>,
    /// The channel of new installs.
    #[serde(default)]
    pub channel: Channel,
    /// When the stub looks for updates.
    #[serde(default)]
    pub mode: Mode,
    /// Other settings of the stub.
    #[serde(default)]
    pub settings: toml::Table,
}

/// The settings file.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Names of the applications (with the platform, by custom).
    pub apps: Vec<String>,
    /// Folder of the keys, relative to the project.
    #[serde(default = "default_keystore")]
    pub keystore: PathBuf,
    /// Folder of the repository, relative to the project.
    #[serde(default = "default_repository")]
    pub repository: PathBuf,
    /// Where `upload` copies the repository to.
    #[serde(default)]
    pub upload: Option<String>,
    /// Suffix of new archives.
    #[serde(default = "default_suffix")]
    pub archive_suffix: String,
    /// Format of new patches.
    #[serde(default)]
    pub patch_format: PatchFormat,
    /// How long metadata is valid.
    pub expires_days: ExpiresDays,
    /// Private keys that are used through a program.
    #[serde(default)]
    pub signers: Vec<External>,
    /// What new installs get.
    #[serde(default)]
    pub client: Client,
    /// For `bridge`: applications as PyUpdater knows them, by their names here.
    #[serde(default)]
    pub pyupdater: BTreeMap<String, InPyUpdater>,
}

fn default_keystore() -> PathBuf {
    "keystore".into()
}
fn default_repository() -> PathBuf {
    "repository".into()
}
fn default_suffix() -> String {
    ".tar.gz".into()
}

/// An open project.
#[derive(Debug, Clone)]
pub struct Project {
    root: PathBuf,
    /// Its settings.
    pub settings: Settings,
}

impl Project {
    /// Opens the project in the folder `root`.
    ///
    /// # Errors
    /// [`ProjectError`], naming the settings file.
    pub fn open(root: &Path) -> Result<Self, ProjectError> {
        let path = root.join(FILE);
        let bytes = fs::read_optional(&path, 1 << 20)?
            .ok_or_else(|| ProjectError::Missing(path.clone()))?;
        let form = |reason: String| ProjectError::Form {
            path: path.clone(),
            reason,
        };
        let text = String::from_utf8(bytes).map_err(|_| form("it is not UTF-8".into()))?;
        let settings = parse(&text).map_err(form)?;
        Ok(Self::with(root, settings))
    }

    fn with(root: &Path, mut settings: Settings) -> Self {
        for signer in &mut settings.signers {
            signer.key = root.join(&signer.key);
            signer.folder = root.into();
        }
        Project {
            root: root.into(),
            settings,
        }
    }

    /// The project's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The folder with the settings.
    pub fn folder(&self) -> &Path {
        &self.root
    }
    /// The project's own folder of keys.
    pub fn keystore(&self) -> PathBuf {
        self.root.join(&self.settings.keystore)
    }
    /// All keys at hand: the keystore, `more` folders, external signers.
    ///
    /// # Errors
    /// If one of them is malformed.
    pub fn keyring(&self, more: &[PathBuf]) -> Result<Keyring, KeyError> {
        let mut folders = vec![self.keystore()];
        folders.extend_from_slice(more);
        Keyring::open(folders, self.settings.signers.clone())
    }
    /// The published files.
    pub fn repository(&self) -> PathBuf {
        self.root.join(&self.settings.repository)
    }
    /// The published metadata.
    pub fn metadata(&self) -> PathBuf {
        self.repository().join("metadata")
    }
    /// The published targets.
    pub fn targets(&self) -> PathBuf {
        self.repository().join("targets")
    }
    /// What is prepared and not published. Beside the repository, so that
    /// copying that one copies nothing unfinished.
    pub fn pending(&self) -> PathBuf {
        self.root.join(".notsotuf-pending")
    }

    /// The application that `wanted` names, or the only one.
    ///
    /// # Errors
    /// [`ProjectError::NoApp`] or [`ProjectError::WhichApp`].
    pub fn app(&self, wanted: Option<&str>) -> Result<&str, ProjectError> {
        let apps = &self.settings.apps;
        match (wanted, apps.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => Err(ProjectError::WhichApp(apps.clone())),
            (Some(name), _) => apps
                .iter()
                .find(|app| *app == name)
                .map(String::as_str)
                .ok_or_else(|| ProjectError::NoApp {
                    name: name.into(),
                    known: apps.clone(),
                }),
        }
    }

    /// The name of a target.
    pub fn target(&self, app: &str, version: &pep440_rs::Version, kind: TargetKind) -> String {
        let suffix = match kind {
            TargetKind::Archive => &self.settings.archive_suffix,
            TargetKind::Patch => ".patch",
        };
        format!("{app}-{version}{suffix}")
    }
}

fn parse(text: &str) -> Result<Settings, String> {
    let settings: Settings = toml::from_str(text).map_err(|e| e.to_string())?;
    if settings.apps.is_empty() {
        return Err("apps is empty".into());
    }
    for app in &settings.apps {
        check_app(app)?;
    }
    if let Some(app) = settings
        .pyupdater
        .keys()
        .find(|app| !settings.apps.contains(app))
    {
        return Err(format!("[pyupdater.{app}]: {app} is not in apps"));
    }
    if ![".tar.gz", ".gz"].contains(&settings.archive_suffix.as_str()) {
        return Err("archive_suffix is neither .tar.gz nor .gz".into());
    }
    for role in ROLES {
        if !(1..=36_500).contains(&settings.expires_days.get(role)) {
            return Err(format!("expires_days.{role} must be 1 to 36500"));
        }
    }
    Ok(settings)
}

/// # Errors
/// What is wrong with the name of an application.
pub fn check_app(name: &str) -> Result<(), String> {
    if is_name(name) {
        return Ok(());
    }
    Err(format!(
        "{name:?} is no name for an application: letters, digits, `_` and `-` are"
    ))
}

/// What `init` is told.
#[derive(Debug, Clone)]
pub struct Template {
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
    pub pyupdater: BTreeMap<String, InPyUpdater>,
    /// Folder of the keys.
    pub keystore: PathBuf,
    /// Folder of the repository.
    pub repository: PathBuf,
}

/// Whether there is a project in the folder that is named, or else in the
/// current one or the nearest above it; returns its folder.
///
/// # Errors
/// [`ProjectError::Nowhere`], or [`ProjectError::Foreign`] for one above that
/// is neither this user's nor of the owner of the current folder.
pub fn find(named: Option<&Path>) -> Result<PathBuf, ProjectError> {
    if let Some(folder) = named {
        return Ok(folder.into());
    }
    let here = PathBuf::from(".");
    if here.join(FILE).exists() {
        return Ok(here);
    }
    let current = std::env::current_dir().map_err(|e| FsError::new("find", &here, e))?;
    for folder in current.ancestors().skip(1) {
        let settings = folder.join(FILE);
        if settings.is_file() {
            return match is_trusted(&settings, &current) {
                true => Ok(folder.into()),
                false => Err(ProjectError::Foreign(settings)),
            };
        }
    }
    Err(ProjectError::Nowhere(current))
}

#[cfg(unix)]
fn is_trusted(settings: &Path, current: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = |path: &Path| std::fs::metadata(path).map(|found| found.uid()).ok();
    let of = owner(settings);
    of == Some(rustix::process::geteuid().as_raw()) || of == Some(0) || of == owner(current)
}
#[cfg(not(unix))]
fn is_trusted(_: &Path, _: &Path) -> bool {
    true
}

/// The settings of a new project in `root`, as they will be read, and the
/// text of their file.
///
/// # Errors
/// [`ProjectError::Exists`] if there is one, [`ProjectError::Unfinished`] if
/// it has no root.
pub fn planned(root: &Path, template: &Template) -> Result<(Project, String), ProjectError> {
    let path = root.join(FILE);
    let text = template.to_text();
    let form = |reason| ProjectError::Form {
        path: path.clone(),
        reason,
    };
    let settings = parse(&text).map_err(form)?;
    let project = Project::with(root, settings);
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
pub fn create(root: &Path, template: &Template) -> Result<Project, ProjectError> {
    let path = root.join(FILE);
    if path.exists() {
        return Err(ProjectError::Exists(path));
    }
    let text = template.to_text();
    parse(&text).map_err(|reason| ProjectError::Form {
        path: path.clone(),
        reason,
    })?;
    fs::create_dir_all(root)?;
    fs::write_atomically(&path, text.as_bytes())?;
    Project::open(root)
}

impl Template {
    fn to_text(&self) -> String {
        let quoted = |text: &str| toml_string(text);
        let list = |items: &[String]| {
            let items: Vec<_> = items.iter().map(|item| quoted(item)).collect();
            format!("[{}]", items.join(", "))
        };
        let url = match &self.url {
            Some(url) => format!("url = {}", quoted(url)),
            None => "# url = \"https://example.com/updates\"".into(),
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
# or not, which .gitignore sees to; keep a copy of them in a safe place.
keystore = {keystore}

# What is published: metadata and targets, as static files.
repository = {repository}

# Where `notsotuf upload` copies that: s3://bucket/prefix, gs://bucket/prefix,
# az://container/prefix, a folder, or rsync:host:path.
# upload = \"s3://bucket/prefix\"

# Suffix of new archives: \".tar.gz\", or \".gz\" as in original notsotuf.
archive_suffix = {suffix}

# Format of patches: \"notsotuf-1\", per file; \"bsdiff4\", which clients that
# still are tufup's can apply (slow and large to make); or \"none\", as long as
# there are clients of original notsotuf.
patch_format = \"{format}\"

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
# What `notsotuf ship` writes into the settings of new installs.
[client]
# Where the repository folder is published.
{url}
# What users know the application as; else its name here.
{title}
# Least final kind of release that is offered: \"final\", \"rc\", \"b\" or \"a\".
channel = \"final\"
# \"before-launch\": look for updates before the application starts; \"off\".
mode = \"before-launch\"
# Any other setting of the stub, for example:
# settings = {{ probation = 0.0, preserve = [\"config/*.ini\"] }}
"
        ));
        for (app, old) in &self.pyupdater {
            let (app, name, platform) = (quoted(app), quoted(&old.name), quoted(&old.platform));
            text.push_str(&format!(
                "\n# What `notsotuf bridge` goes by.\n[pyupdater.{app}]\nname = {name}\nplatform = {platform}\n"
            ));
        }
        text
    }
}

/// A basic string of TOML 1.0, whose escapes are those of JSON.
pub fn toml_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub fn template() -> Template {
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
                InPyUpdater {
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
