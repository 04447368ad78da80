//! Finds private keys by what is in a file, whatever it is called.

use super::error::VetError;
use super::finding::Finding;
use super::key_forms::{Key, MAX_KEY, pem, whole};
use super::look::{Found, Look, ProgramKind};
use crate::keys::PublicKey;
use crate::metadata::{self, Published};
use crate::project::{Project, ROLES};
use notsotuf_stub::fs;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What the project's own keys look like.
struct Own {
    bodies: BTreeSet<String>,
    public: Vec<PublicKey>,
}

impl Own {
    fn open(
        project: &Project,
        published: &Published,
        key_dirs: &[PathBuf],
    ) -> Result<Self, VetError> {
        let mut own = Own {
            bodies: BTreeSet::new(),
            public: Vec::new(),
        };
        for folder in [&[project.keystore()], key_dirs].concat() {
            for path in fs::list(&folder).unwrap_or_default() {
                let small = path
                    .metadata()
                    .is_ok_and(|m| m.is_file() && m.len() <= MAX_KEY);
                if !small {
                    continue;
                }
                let bytes = fs::read_optional(&path, MAX_KEY)?.unwrap_or_default();
                let name = path.to_string_lossy();
                let keys = pem(&bytes).into_iter().chain(whole(&name, &bytes));
                own.bodies.extend(keys.map(|key| key.body));
            }
        }
        for role in ROLES {
            let keys = metadata::role_keys(role, &published.root);
            own.public
                .extend(keys.into_iter().filter_map(|(_, key)| key));
        }
        Ok(own)
    }

    fn has(&self, key: &Key) -> bool {
        let listed = |public: &PublicKey| {
            let mut all = self.public.iter();
            all.any(|own| own.material() == public.material())
        };
        self.bodies.contains(&key.body) || key.public.as_ref().is_some_and(listed)
    }
}

/// Finds private keys in the bundle. Those of the project, and pairs as a
/// keystore has them, are for nobody; others are the application's own affair,
/// and are asked about only where somebody put them as files.
pub(super) fn private(
    look: &Look,
    project: &Project,
    published: &Published,
    key_dirs: &[PathBuf],
) -> Result<Vec<Finding>, VetError> {
    let with_keys: Vec<&Found> = look.files.iter().filter(|f| !f.keys.is_empty()).collect();
    if with_keys.is_empty() {
        return Ok(Vec::new());
    }
    let own = Own::open(project, published, key_dirs)?;
    let finding = |file: &&Found| {
        let (name, form) = (&file.name, file.keys[0].form);
        let signs = file.keys.iter().any(|key| own.has(key));
        let stem = name.strip_suffix(".pem").unwrap_or(name);
        let pair = look.file(&format!("{stem}.pub")).is_some();
        if signs || pair {
            let what = if signs {
                "of this project"
            } else {
                "for signing, with its public half beside it"
            };
            return Some(Finding::never(format!(
                "{name} is {form} {what}: everybody who gets the bundle could sign with it"
            )));
        }
        // Cryptographic libraries hold keys for their self-tests.
        let compiled = matches!(
            file.kind,
            ProgramKind::Elf | ProgramKind::MachO | ProgramKind::Pe
        );
        (!compiled).then(|| {
            Finding::unless_forced(format!(
                "{name} holds {form}: everybody who gets the bundle gets that, too"
            ))
        })
    };
    Ok(with_keys.iter().filter_map(finding).collect())
}
