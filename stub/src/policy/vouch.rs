//! Decides whether an update that an earlier run staged may be installed: the
//! signed metadata that is trusted now must list what it is, and it must be
//! newer than what is installed. What merely lies in the staging area is
//! nothing that anybody signed. Pure.

use crate::bundle::TreeHash;
use crate::catalog::Catalog;
use crate::policy::staged_origin::{Origin, Why};
use pep440_rs::Version;

/// Describes the staged update.
#[derive(Debug, Clone, Copy)]
pub struct StagedBundle<'a> {
    /// What it says it is.
    pub version: &'a Version,
    /// The tree hash of its manifest.
    pub tree: TreeHash,
    /// The hash of its record.
    pub record: &'a str,
    /// What was noted of it.
    pub origin: Option<&'a Origin>,
}

/// Describes the installed version.
#[derive(Debug, Clone, Copy)]
pub struct InstalledBundle<'a> {
    /// Its version.
    pub version: &'a Version,
    /// The hash of its record.
    pub record: &'a str,
}

/// Says why the staged update may be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouched {
    /// Metadata lists it.
    Listed,
    /// The bundle was there before, and this program began to go back to it.
    WayBack,
}

/// Says why the staged update may not be installed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unvouched {
    /// There is no metadata to ask.
    #[error("there is no trusted metadata that lists version {0}")]
    NoMetadata(Version),
    /// Metadata does not list the version.
    #[error("version {0} is not listed by the trusted metadata")]
    NotListed(Version),
    /// Another content is signed for that version.
    #[error("it is not what the trusted metadata lists as version {0}")]
    OtherContent(Version),
    /// Its makers withdrew the version.
    #[error("version {0} was withdrawn by its makers")]
    Withdrawn(Version),
    /// Installing it would be a downgrade.
    #[error("version {staged} is not newer than version {installed}, which is installed")]
    NotNewer {
        /// What is staged.
        staged: Version,
        /// What is installed.
        installed: Version,
    },
}

/// Checks what is staged against the `catalog` of trusted metadata; `None`:
/// there is none. The same version may be installed again, as a repair does it;
/// an older one only where the installed one was withdrawn, or on the way back
/// that this program itself began.
///
/// # Errors
/// [`Unvouched`].
pub fn vouch(
    staged: StagedBundle,
    installed: Option<InstalledBundle>,
    catalog: Option<&Catalog>,
) -> Result<Vouched, Unvouched> {
    if is_way_back(staged, installed) {
        return Ok(Vouched::WayBack);
    }
    let version = staged.version;
    let catalog = catalog.ok_or_else(|| Unvouched::NoMetadata(version.clone()))?;
    check_content(staged, catalog)?;
    if catalog.withdrawn.contains(version) {
        return Err(Unvouched::Withdrawn(version.clone()));
    }
    match installed.map(|installed| installed.version) {
        Some(installed) if version < installed && !catalog.withdrawn.contains(installed) => {
            Err(Unvouched::NotNewer {
                staged: version.clone(),
                installed: installed.clone(),
            })
        }
        _ => Ok(Vouched::Listed),
    }
}

fn is_way_back(staged: StagedBundle, installed: Option<InstalledBundle>) -> bool {
    let (Some(origin), Some(installed)) = (staged.origin, installed) else {
        return false;
    };
    let why = Why::BackFrom(installed.record.into());
    origin.record == staged.record && origin.why == why
}

fn check_content(staged: StagedBundle, catalog: &Catalog) -> Result<(), Unvouched> {
    let version = staged.version;
    let not_listed = || Unvouched::NotListed(version.clone());
    let archive = catalog.archives.get(version).ok_or_else(not_listed)?;
    if catalog.signs_tree(version, staged.tree) {
        return Ok(());
    }
    let from_archive = archive.tree.is_none()
        && staged.origin.is_some_and(|origin| {
            origin.record == staged.record
                && matches!(&origin.why, Why::Target { path, algorithm, hash }
                    if *path == archive.path && archive.file.hashes.get(algorithm) == Some(hash))
        });
    if from_archive {
        Ok(())
    } else {
        Err(Unvouched::OtherContent(version.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tuf::TargetFile;
    use serde_json::{Value, json};
    use std::collections::BTreeMap;
    use std::str::FromStr;

    fn version(text: &str) -> Version {
        Version::from_str(text).unwrap()
    }
    fn tree(of: u8) -> TreeHash {
        TreeHash::parse(&format!("{of:02x}").repeat(32)).unwrap()
    }

    /// 1.0 to 1.3: with a signed tree; with that of the patch only; with none;
    /// and one that withdraws 1.1 and 1.3.
    fn catalog() -> Catalog {
        let tree = |of: u8| format!("{of:02x}").repeat(32);
        let list: [(&str, Value); 5] = [
            ("app-1.0.tar.gz", json!({ "tree": tree(10) })),
            ("app-1.1.tar.gz", json!({ "tree": tree(11) })),
            ("app-1.2.tar.gz", json!({})),
            ("app-1.2.patch", json!({ "tree": tree(12) })),
            ("app-1.3.tar.gz", json!({ "withdrawn": ["1.1", "1.3"] })),
        ];
        let entry = |custom: Value| TargetFile {
            length: 1,
            hashes: [("sha256".to_owned(), "ab".to_owned())]
                .into_iter()
                .collect(),
            custom: serde_json::from_value(json!({ "tufup": custom })).unwrap(),
        };
        let list: BTreeMap<String, TargetFile> = list
            .map(|(path, custom)| (path.to_owned(), entry(custom)))
            .into();
        Catalog::new("app", &list)
    }

    fn check(
        staged: (&str, u8),
        origin: Option<&Origin>,
        installed: Option<&str>,
        withdrawals: bool,
    ) -> Result<Vouched, Unvouched> {
        let mut catalog = catalog();
        if !withdrawals {
            catalog.withdrawn.clear();
        }
        let installed = installed.map(version);
        let installed = installed.as_ref().map(|version| InstalledBundle {
            version,
            record: "installed",
        });
        let staged_version = version(staged.0);
        let staged = StagedBundle {
            version: &staged_version,
            tree: tree(staged.1),
            record: "staged",
            origin,
        };
        vouch(staged, installed, Some(&catalog))
    }

    #[test]
    fn the_content_must_be_signed() {
        for (staged, good) in [
            (("1.1", 11), true),
            (("1.2", 12), true),
            (("1.1", 12), false),
            (("1.2", 11), false),
            (("1.3", 13), false),
        ] {
            let found = check(staged, None, Some("1.0"), false);
            if good {
                assert_eq!(found, Ok(Vouched::Listed), "{staged:?}")
            } else {
                assert_eq!(found, Err(Unvouched::OtherContent(version(staged.0))))
            }
        }
        for unlisted in ["0.5", "9.9"] {
            let found = check((unlisted, 11), None, Some("1.0"), true);
            assert_eq!(found, Err(Unvouched::NotListed(version(unlisted))));
        }
    }

    #[test]
    fn without_a_signed_tree_the_target_must_be_known() {
        let origin = |record: &str, path: &str, hash: &str| Origin {
            record: record.into(),
            why: Why::Target {
                path: path.into(),
                algorithm: "sha256".into(),
                hash: hash.into(),
            },
        };
        let good = origin("staged", "app-1.3.tar.gz", "ab");
        assert_eq!(
            check(("1.3", 99), Some(&good), Some("1.0"), false),
            Ok(Vouched::Listed)
        );
        for bad in [
            origin("other", "app-1.3.tar.gz", "ab"),
            origin("staged", "app-1.2.tar.gz", "ab"),
            origin("staged", "app-1.3.tar.gz", "cd"),
        ] {
            let found = check(("1.3", 99), Some(&bad), Some("1.0"), false);
            assert!(matches!(found, Err(Unvouched::OtherContent(_))), "{bad:?}");
        }
        // Where a tree is signed, only that counts.
        let other = origin("staged", "app-1.1.tar.gz", "ab");
        let found = check(("1.1", 99), Some(&other), Some("1.0"), false);
        assert!(matches!(found, Err(Unvouched::OtherContent(_))));
    }

    #[test]
    fn what_is_staged_must_be_newer_than_what_is_installed() {
        assert_eq!(check(("1.1", 11), None, None, false), Ok(Vouched::Listed));
        assert_eq!(
            check(("1.1", 11), None, Some("1.0"), false),
            Ok(Vouched::Listed)
        );
        // A repair.
        assert_eq!(
            check(("1.1", 11), None, Some("1.1"), false),
            Ok(Vouched::Listed)
        );
        let found = check(("1.0", 10), None, Some("1.1"), false);
        assert!(matches!(found, Err(Unvouched::NotNewer { .. })));
        // The installed one was withdrawn.
        assert_eq!(
            check(("1.0", 10), None, Some("1.1"), true),
            Ok(Vouched::Listed)
        );
        // So was the staged one.
        let found = check(("1.1", 11), None, Some("1.0"), true);
        assert_eq!(found, Err(Unvouched::Withdrawn(version("1.1"))));
    }

    #[test]
    fn the_way_back_is_between_two_bundles() {
        let back = |record: &str, from: &str| Origin {
            record: record.into(),
            why: Why::BackFrom(from.into()),
        };
        let known = back("staged", "installed");
        assert_eq!(
            check(("0.5", 5), Some(&known), Some("1.1"), false),
            Ok(Vouched::WayBack)
        );
        for other in [back("staged", "another"), back("another", "installed")] {
            assert!(check(("0.5", 5), Some(&other), Some("1.1"), false).is_err());
        }
        assert!(check(("0.5", 5), Some(&known), None, false).is_err());
    }

    #[test]
    fn without_metadata_nothing_is_known() {
        let staged_version = version("1.1");
        let staged = StagedBundle {
            version: &staged_version,
            tree: tree(11),
            record: "staged",
            origin: None,
        };
        let found = vouch(staged, None, None);
        assert_eq!(found, Err(Unvouched::NoMetadata(version("1.1"))));
    }
}
