//! Imports a repository of PyUpdater 4: its signed list of releases is checked,
//! and its archives are unpacked, to be added to a new project.
//!
//! There is no specification. What is read here is what PyUpdater's
//! `core/key_handler`, `core/package_handler` and `client` write and read.

use super::error::ImportError;
use crate::project::PyUpdaterName;
use base64ct::{Base64, Base64Unpadded, Encoding};
use flate2::read::MultiGzDecoder;
use notsotuf_stub::bundle::patch::hash_file;
use notsotuf_stub::fs::{self, FsError};
use notsotuf_stub::hex::encode_hex;
use pep440_rs::Version;
use ring::signature::{ED25519, UnparsedPublicKey};
use serde::Deserialize;
use serde_json::Value;
use serde_json::ser::{Formatter, Serializer};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Its settings, keys and lists, in the folder of the repository.
const CONFIG: &str = ".pyupdater/config.pyu";
/// The largest file of those that is read.
const MAX_LIST: u64 = 64 << 20;

/// Lists what there is to import.
#[derive(Debug)]
pub(crate) struct PyUpdaterRepository {
    /// PyUpdater's `APP_NAME`.
    pub app: String,
    /// Where clients look for updates.
    pub urls: Vec<String>,
    /// What is listed, signed, and here; oldest version first.
    pub releases: Vec<PyUpdaterRelease>,
    /// Archives that are listed and not here.
    pub missing: Vec<String>,
    /// Archives whose name says another version than the list.
    pub disagreements: Vec<Disagreement>,
    /// Other names that are listed: libraries that the application fetches.
    pub assets: Vec<String>,
}

/// Names one release for one platform.
#[derive(Debug)]
pub(crate) struct PyUpdaterRelease {
    /// The name here.
    pub app: String,
    /// As PyUpdater calls it.
    pub old: PyUpdaterName,
    /// The version, by PEP 440.
    pub version: Version,
    /// The archive.
    pub archive: PathBuf,
}

/// Names an archive whose name says another version than the list.
#[derive(Debug)]
pub(crate) struct Disagreement {
    /// The archive.
    pub archive: String,
    /// What the list says.
    pub listed: Version,
    /// What its name says, which is taken.
    pub taken: Version,
}

#[derive(Deserialize)]
struct Config {
    app_config: AppConfig,
    keypack: Option<Keypack>,
}

#[derive(Deserialize)]
#[serde(rename_all = "UPPERCASE")]
struct AppConfig {
    app_name: String,
    #[serde(default)]
    update_urls: Vec<String>,
}

#[derive(Deserialize)]
struct Keypack {
    client: ClientKeys,
}

#[derive(Deserialize)]
struct ClientKeys {
    offline_public: String,
}

/// `keys.gz`.
#[derive(Deserialize)]
struct Keys {
    app_public: String,
    signature: String,
}

/// What the lists say of one archive.
#[derive(Deserialize)]
struct Listed {
    filename: String,
    file_hash: String,
    file_size: u64,
}

/// Reads the repository in `folder` and checks both of its signatures. The
/// published files are in `published`, or where PyUpdater puts them.
///
/// # Errors
/// [`ImportError`]. Archives that are missing are no error, damaged ones are.
pub(crate) fn read(
    folder: &Path,
    published: Option<&Path>,
) -> Result<PyUpdaterRepository, ImportError> {
    let data = folder.join("pyu-data");
    let deploy = published.map_or_else(|| data.join("deploy"), Path::to_path_buf);
    let path = folder.join(CONFIG);
    let config = file(&path)?.ok_or_else(|| ImportError::NoPyUpdater(path.clone()))?;
    let config: Config = parse(&path, &config)?;
    let app = config.app_config.app_name;
    let keypack = match config.keypack {
        Some(keypack) => keypack,
        None => {
            let path = folder.join("keypack.pyu");
            let bytes = file(&path)?.ok_or_else(|| ImportError::NoKeypack(path.clone()))?;
            parse(&path, &bytes)?
        }
    };
    let signing_key = signing_key(&deploy.join("keys.gz"), &keypack.client.offline_public)?;
    let lists = lists(&deploy)?;
    let mut old = PyUpdaterRepository {
        app,
        urls: config.app_config.update_urls,
        releases: Vec::new(),
        missing: Vec::new(),
        disagreements: Vec::new(),
        assets: Vec::new(),
    };
    let mut listed: BTreeMap<String, (String, String, Listed)> = BTreeMap::new();
    for path in &lists {
        let list = signed_list(path, &signing_key)?;
        let updates: BTreeMap<String, BTreeMap<String, BTreeMap<String, Listed>>> =
            serde_json::from_value(list["updates"].clone()).map_err(|e| form(path, e))?;
        for (name, versions) in updates {
            if name != old.app {
                old.assets.push(name);
                continue;
            }
            for (version, platforms) in versions {
                for (platform, entry) in platforms {
                    let place = (version.clone(), platform, entry);
                    listed.insert(place.2.filename.clone(), place);
                }
            }
        }
    }
    old.assets.sort();
    old.assets.dedup();
    let places = [deploy, data.join("files")];
    for (filename, (version, platform, entry)) in listed {
        old.add(&places, filename, &version, platform, &entry)?;
    }
    old.releases
        .sort_by(|a, b| (&a.app, &a.version).cmp(&(&b.app, &b.version)));
    Ok(old)
}

/// The files that list versions.
fn lists(deploy: &Path) -> Result<Vec<PathBuf>, ImportError> {
    let lists: Vec<PathBuf> = fs::list(deploy)?
        .into_iter()
        .filter(|path| {
            let name = path.file_name().and_then(|name| name.to_str());
            name.is_some_and(|name| name.starts_with("versions") && name.ends_with(".gz"))
        })
        .collect();
    if lists.is_empty() {
        return Err(ImportError::NotPublished(deploy.join("versions.gz")));
    }
    Ok(lists)
}

impl PyUpdaterRepository {
    fn add(
        &mut self,
        places: &[PathBuf],
        filename: String,
        version: &str,
        platform: String,
        entry: &Listed,
    ) -> Result<(), ImportError> {
        // It becomes part of a path.
        if filename.contains(['/', '\\']) {
            return Err(ImportError::Archive {
                path: filename.into(),
                reason: "its name is not the name of a file".into(),
            });
        }
        let Some(archive) = places
            .iter()
            .map(|place| place.join(&filename))
            .find(|p| p.exists())
        else {
            self.missing.push(filename);
            return Ok(());
        };
        let (size, hash) = hash_file(&archive)?;
        if size != entry.file_size || !encode_hex(&hash).eq_ignore_ascii_case(&entry.file_hash) {
            return Err(ImportError::Archive {
                path: archive,
                reason: "it is not the one that was signed".into(),
            });
        }
        let listed = five_parts(version);
        let named = named_version(&filename, &platform);
        let version = match (named, listed) {
            (Some(named), Some(listed)) if named != listed => {
                self.disagreements.push(Disagreement {
                    archive: filename,
                    listed,
                    taken: named.clone(),
                });
                named
            }
            (Some(version), _) | (None, Some(version)) => version,
            (None, None) => {
                return Err(ImportError::Archive {
                    path: archive,
                    reason: format!("{version:?} is not a version"),
                });
            }
        };
        self.releases.push(PyUpdaterRelease {
            app: name_here(&self.app, &platform),
            old: PyUpdaterName {
                name: self.app.clone(),
                platform,
            },
            version,
            archive,
        });
        Ok(())
    }

    /// Returns the applications that there will be, and what they are in
    /// PyUpdater.
    pub(crate) fn apps(&self) -> BTreeMap<String, PyUpdaterName> {
        let apps = self.releases.iter();
        apps.map(|release| (release.app.clone(), release.old.clone()))
            .collect()
    }
}

/// `<name>-<platform>`, with the usual words for platforms.
fn name_here(name: &str, platform: &str) -> String {
    let platform = match platform {
        "win" => "windows",
        "mac" => "macos",
        "mac-arm" => "macos-arm64",
        "nix" => "linux-x86",
        "nix64" => "linux-x86_64",
        "arm" => "linux-arm",
        "arm64" => "linux-arm64",
        other => other,
    };
    let name = format!("{name}-{platform}");
    let letter = |c: char| {
        if c.is_alphanumeric() || c == '_' {
            c
        } else {
            '-'
        }
    };
    name.chars().map(letter).collect()
}

/// The version in the name of an archive, `<name>-<platform>-<version><suffix>`.
fn named_version(filename: &str, platform: &str) -> Option<Version> {
    let stem = SUFFIXES
        .iter()
        .find_map(|suffix| filename.strip_suffix(suffix))?;
    let (_, version) = stem.rsplit_once(&format!("-{platform}-"))?;
    Version::from_str(version).ok()
}

/// PyUpdater's own form, `major.minor.patch.kind.number`, where kind is 0 for
/// alpha, 1 for beta, 2 for stable (with a number: a post-release), 3 for dev.
fn five_parts(text: &str) -> Option<Version> {
    let parts: Vec<u64> = text
        .split('.')
        .map(|part| part.parse().ok())
        .collect::<Option<_>>()?;
    let [major, minor, patch, kind, number] = parts[..] else {
        return None;
    };
    let last = match (kind, number) {
        (0, n) => format!("a{n}"),
        (1, n) => format!("b{n}"),
        (2, 0) => String::new(),
        (2, n) => format!(".post{n}"),
        (3, n) => format!(".dev{n}"),
        _ => return None,
    };
    Version::from_str(&format!("{major}.{minor}.{patch}{last}")).ok()
}

const SUFFIXES: [&str; 4] = [".tar.gz", ".tar.bz2", ".tgz", ".zip"];

/// Unpacks an archive into the empty folder `into` and returns the bundle in
/// it: the one folder, or the one file of `--onefile`, or, where there is a
/// `.app`, all of it.
///
/// # Errors
/// [`ImportError::Archive`].
pub(crate) fn unpack(archive: &Path, into: &Path) -> Result<PathBuf, ImportError> {
    let damaged = |reason: String| ImportError::Archive {
        path: archive.into(),
        reason,
    };
    let name = archive.to_string_lossy().to_lowercase();
    let content = fs::open(archive)?;
    let unpacked = if name.ends_with(".zip") {
        let zip = zip::ZipArchive::new(content);
        zip.and_then(|mut zip| zip.extract(into))
            .map_err(|e| e.to_string())
    } else if name.ends_with(".bz2") {
        let tar = bzip2::read::MultiBzDecoder::new(content);
        tar::Archive::new(tar)
            .unpack(into)
            .map_err(|e| e.to_string())
    } else {
        let tar = MultiGzDecoder::new(content);
        tar::Archive::new(tar)
            .unpack(into)
            .map_err(|e| e.to_string())
    };
    unpacked.map_err(damaged)?;
    let mut top = fs::list(into)?;
    match top.pop() {
        None => Err(damaged("there is nothing in it".into())),
        Some(only) if top.is_empty() && only.extension().is_none_or(|e| e != "app") => Ok(only),
        Some(_) => Ok(into.into()),
    }
}

/// The key that signs lists of versions, itself signed by the offline key.
fn signing_key(path: &Path, offline: &str) -> Result<Vec<u8>, ImportError> {
    let bytes = gz(path)?.ok_or_else(|| ImportError::NotPublished(path.into()))?;
    let keys: Keys = parse(path, &bytes)?;
    // What is signed is the key's text.
    verify(
        path,
        &base64(path, offline)?,
        keys.app_public.as_bytes(),
        &keys.signature,
    )?;
    base64(path, &keys.app_public)
}

fn signed_list(path: &Path, key: &[u8]) -> Result<Value, ImportError> {
    let bytes = gz(path)?.unwrap_or_default();
    let mut list: Value = parse(path, &bytes)?;
    let signature = list
        .as_object_mut()
        .and_then(|list| list.remove("signature"));
    let Some(Value::String(signature)) = signature else {
        return Err(form(path, "it has no signature"));
    };
    verify(path, key, &python_json(list.clone()), &signature)?;
    Ok(list)
}

fn verify(path: &Path, key: &[u8], message: &[u8], signature: &str) -> Result<(), ImportError> {
    UnparsedPublicKey::new(&ED25519, key)
        .verify(message, &base64(path, signature)?)
        .map_err(|_| ImportError::Signature(path.into()))
}

fn base64(path: &Path, text: &str) -> Result<Vec<u8>, ImportError> {
    Base64Unpadded::decode_vec(text)
        .or_else(|_| Base64::decode_vec(text))
        .map_err(|_| form(path, "a key or signature in it is not base64"))
}

fn file(path: &Path) -> Result<Option<Vec<u8>>, ImportError> {
    Ok(fs::read_optional(path, MAX_LIST)?)
}

fn gz(path: &Path) -> Result<Option<Vec<u8>>, ImportError> {
    let Some(bytes) = file(path)? else {
        return Ok(None);
    };
    let mut out = Vec::new();
    MultiGzDecoder::new(&bytes[..])
        .take(MAX_LIST)
        .read_to_end(&mut out)
        .map_err(|e| FsError::new("unpack", path, e))?;
    Ok(Some(out))
}

fn parse<T: serde::de::DeserializeOwned>(path: &Path, bytes: &[u8]) -> Result<T, ImportError> {
    serde_json::from_slice(bytes).map_err(|e| form(path, e))
}

fn form(path: &Path, reason: impl ToString) -> ImportError {
    ImportError::Form {
        path: path.into(),
        reason: reason.to_string(),
    }
}

/// Writes what is signed, as Python's `json.dumps(value, sort_keys=True)` does.
fn python_json(mut value: Value) -> Vec<u8> {
    value.sort_all_objects();
    let mut out = Vec::new();
    let mut serializer = Serializer::with_formatter(&mut out, Python);
    serde::Serialize::serialize(&value, &mut serializer).expect("a value, into memory");
    out
}

struct Python;

fn separator<W: ?Sized + Write>(out: &mut W, first: bool) -> io::Result<()> {
    if first { Ok(()) } else { out.write_all(b", ") }
}

impl Formatter for Python {
    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        separator(out, first)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, first: bool) -> io::Result<()> {
        separator(out, first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        out.write_all(b": ")
    }

    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        out: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        for c in fragment.chars() {
            match c {
                ' '..='~' => out.write_all(&[c as u8])?,
                _ => {
                    for unit in c.encode_utf16(&mut [0; 2]) {
                        write!(out, "\\u{unit:04x}")?;
                    }
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_those_of_pep_440() {
        for (five, expected) in [
            ("1.2.3.2.0", Some("1.2.3")),
            ("1.2.0.2.0", Some("1.2")),
            ("1.2.0.2.1", Some("1.2.post1")),
            ("1.2.3.0.4", Some("1.2.3a4")),
            ("1.2.3.1.0", Some("1.2.3b0")),
            ("1.2.3.3.7", Some("1.2.3.dev7")),
            ("1.2.3.4.0", None),
            ("1.2.3", None),
            ("1.2.3.2.x", None),
        ] {
            let expected = expected.map(|text| Version::from_str(text).unwrap());
            assert_eq!(five_parts(five), expected, "{five}");
        }
        let named = |name: &str, platform| named_version(name, platform).map(|v| v.to_string());
        assert_eq!(named("My App-win-1.1.zip", "win").as_deref(), Some("1.1"));
        assert_eq!(
            named("a-nix64-2.0b1.tar.gz", "nix64").as_deref(),
            Some("2.0b1")
        );
        assert_eq!(
            named("a-mac-arm-2.tar.bz2", "mac-arm").as_deref(),
            Some("2")
        );
        assert_eq!(named("a-nix64-x.tar.gz", "nix64"), None);
        assert_eq!(named("a-nix64-1.0.rar", "nix64"), None);
        assert_eq!(name_here("My App", "nix64"), "My-App-linux-x86_64");
    }

    #[test]
    fn json_is_written_as_python_writes_it() {
        let value: Value =
            serde_json::from_str("{\"b\":[1,2],\"a\":{\"é😀\":\"\\u007f\\n\\\"/\",\"Z\":null}}")
                .unwrap();
        let expected = r#"{"a": {"Z": null, "\u00e9\ud83d\ude00": "\u007f\n\"/"}, "b": [1, 2]}"#;
        assert_eq!(String::from_utf8(python_json(value)).unwrap(), expected);
    }
}
