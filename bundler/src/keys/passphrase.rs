//! Where passphrases come from: never from the command line, where other
//! programs could read them.

use super::KeyError;
use crate::say;
use notsotuf_stub::fs;
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Asks, in this order: `NOTSOTUF_PASSPHRASE_<NAME>`, `NOTSOTUF_PASSPHRASE`,
/// the file (its first line), the terminal.
#[derive(Debug, Default)]
pub struct Passphrases {
    file: Option<PathBuf>,
    known: RefCell<BTreeMap<String, String>>,
    #[cfg(test)]
    fixed: Option<String>,
}

impl Passphrases {
    /// With a file to read the passphrase from, or without.
    pub fn new(file: Option<PathBuf>) -> Self {
        Passphrases {
            file,
            ..Self::default()
        }
    }

    /// The same for every key.
    #[cfg(test)]
    pub fn fixed(text: &str) -> Self {
        Passphrases {
            fixed: Some(text.into()),
            ..Self::default()
        }
    }

    /// The passphrase of an existing key.
    ///
    /// # Errors
    /// [`KeyError::NoPassphrase`] if no source has one.
    pub fn get(&self, name: &str) -> Result<String, KeyError> {
        if let Some(known) = self.known.borrow().get(name) {
            return Ok(known.clone());
        }
        let passphrase = match self.without_asking(name)? {
            Some(passphrase) => passphrase,
            None => ask(name, &format!("Passphrase of the key {name}: "))?,
        };
        self.known
            .borrow_mut()
            .insert(name.into(), passphrase.clone());
        Ok(passphrase)
    }

    /// A passphrase for a new key; at a terminal it is asked for twice.
    ///
    /// # Errors
    /// [`KeyError::NoPassphrase`] if no source has one, or it is empty.
    pub fn choose(&self, name: &str) -> Result<String, KeyError> {
        if let Some(passphrase) = self.without_asking(name)? {
            return Ok(passphrase);
        }
        loop {
            let first = ask(name, &format!("New passphrase for the key {name}: "))?;
            if first.is_empty() {
                say::err("An empty passphrase protects nothing; --plain makes keys without one.");
            } else if first == ask(name, "Once more: ")? {
                return Ok(first);
            } else {
                say::err("They differ; again.");
            }
        }
    }

    fn without_asking(&self, name: &str) -> Result<Option<String>, KeyError> {
        #[cfg(test)]
        if let Some(fixed) = &self.fixed {
            return Ok(Some(fixed.clone()));
        }
        let own = format!(
            "NOTSOTUF_PASSPHRASE_{}",
            name.to_uppercase().replace('-', "_")
        );
        for variable in [own.as_str(), "NOTSOTUF_PASSPHRASE"] {
            if let Ok(passphrase) = std::env::var(variable)
                && !passphrase.is_empty()
            {
                return Ok(Some(passphrase));
            }
        }
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let none = || KeyError::NoPassphrase { name: name.into() };
        let bytes = fs::read_optional(path, 64 << 10)?.ok_or_else(none)?;
        let text = String::from_utf8_lossy(&bytes);
        let line = text.lines().next().filter(|line| !line.is_empty());
        Ok(Some(line.ok_or_else(none)?.to_owned()))
    }
}

fn ask(name: &str, prompt: &str) -> Result<String, KeyError> {
    let none = || KeyError::NoPassphrase { name: name.into() };
    if !std::io::stdin().is_terminal() {
        return Err(none());
    }
    rpassword::prompt_password(prompt).map_err(|_| none())
}
