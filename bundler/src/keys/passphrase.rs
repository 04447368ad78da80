//! Gets passphrases: never from the command line, where other programs could
//! read them.

use super::error::{KeyError, variable};
use super::pem::ReadError;
use super::permissions;
use crate::child::PASSPHRASE;
use crate::interrupt::{self, terminal};
use crate::output::complain;
use notsotuf_stub::fs;
use notsotuf_stub::safe_text::one_line;
use std::cell::{OnceCell, RefCell};
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

/// How often a passphrase can be typed for one key.
const TRIES: usize = 3;

/// The most that is read of a file whose first line is a passphrase.
const MAX_FILE: u64 = 64 << 10;

/// Asks, in this order: `NOTSOTUF_PASSPHRASE_<NAME>`, `NOTSOTUF_PASSPHRASE`,
/// the file (its first line), the terminal.
#[derive(Default)]
pub(crate) struct Passphrases {
    file: Option<PathBuf>,
    /// What it has; a pipe can be read only once.
    in_file: OnceCell<String>,
    /// Those that were typed and opened a key.
    typed: RefCell<Vec<String>>,
    #[cfg(test)]
    fixed: Option<String>,
}

impl Passphrases {
    /// Creates a source of passphrases, with a file to read them from, or
    /// without.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Passphrases {
            file,
            ..Self::default()
        }
    }

    /// Creates a source with the same passphrase for every key.
    #[cfg(test)]
    pub(crate) fn fixed(text: &str) -> Self {
        Passphrases {
            fixed: Some(text.into()),
            ..Self::default()
        }
    }

    /// Returns the file that was named, for `doctor`.
    pub(crate) fn file(&self) -> Option<&Path> {
        self.file.as_deref()
    }

    /// Opens a key with its passphrase. One that is typed at a terminal can be
    /// typed again; those that opened other keys are tried before.
    ///
    /// # Errors
    /// [`KeyError::NoPassphrase`] if no source has one,
    /// [`KeyError::Passphrase`] if it is wrong.
    pub(crate) fn open<T>(
        &self,
        name: &str,
        path: &Path,
        open: impl Fn(&str) -> Result<T, ReadError>,
    ) -> Result<T, KeyError> {
        let failed = |e: ReadError, from: &str| match e {
            ReadError::Passphrase => KeyError::Passphrase {
                path: path.into(),
                from: from.into(),
                variable: variable(name),
            },
            ReadError::Form(reason) => KeyError::Form {
                path: path.into(),
                reason,
            },
        };
        if let Some((passphrase, from)) = self.without_asking(name)? {
            return open(&passphrase).map_err(|e| failed(e, &from));
        }
        let ask = || ask(name, &format!("Passphrase of the key {name}: "));
        self.type_until(ask, open, failed)
    }

    fn type_until<T>(
        &self,
        ask: impl Fn() -> Result<String, KeyError>,
        open: impl Fn(&str) -> Result<T, ReadError>,
        failed: impl Fn(ReadError, &str) -> KeyError,
    ) -> Result<T, KeyError> {
        for known in self.typed.borrow().iter() {
            match open(known) {
                Err(ReadError::Passphrase) => {}
                result => return result.map_err(|e| failed(e, "typed")),
            }
        }
        for left in (0..TRIES).rev() {
            let passphrase = ask()?;
            match open(&passphrase) {
                Ok(opened) => {
                    self.typed.borrow_mut().push(passphrase);
                    return Ok(opened);
                }
                Err(ReadError::Passphrase) if left > 0 => {
                    complain("This passphrase is wrong; try again.");
                }
                Err(e) => return Err(failed(e, "typed")),
            }
        }
        Err(failed(ReadError::Passphrase, "typed"))
    }

    /// Chooses a passphrase for a new key; at a terminal it is asked for twice.
    ///
    /// # Errors
    /// [`KeyError::NoPassphrase`] if no source has one, or it is empty.
    pub(crate) fn choose(&self, name: &str) -> Result<String, KeyError> {
        if let Some((passphrase, _)) = self.without_asking(name)? {
            return Ok(passphrase);
        }
        loop {
            let first = ask(name, &format!("New passphrase for the key {name}: "))?;
            if first.is_empty() {
                complain("An empty passphrase protects nothing; --plain makes keys without one.");
            } else if first == ask(name, "Once more: ")? {
                return Ok(first);
            } else {
                complain("The two passphrases differ; try again.");
            }
        }
    }

    /// The passphrase and what it is from.
    fn without_asking(&self, name: &str) -> Result<Option<(String, String)>, KeyError> {
        #[cfg(test)]
        if let Some(fixed) = &self.fixed {
            return Ok(Some((fixed.clone(), "fixed".into())));
        }
        for variable in [variable(name), PASSPHRASE.to_owned()] {
            if let Ok(passphrase) = std::env::var(&variable)
                && !passphrase.is_empty()
            {
                return Ok(Some((passphrase, format!("from {variable}"))));
            }
        }
        let Some(path) = &self.file else {
            return Ok(None);
        };
        let from = format!("from {}", path.display());
        if let Some(known) = self.in_file.get() {
            return Ok(Some((known.clone(), from)));
        }
        permissions::check(path)?;
        let wrong = |reason| KeyError::PassphraseFile {
            path: path.clone(),
            reason,
        };
        let bytes = fs::read_optional(path, MAX_FILE)?;
        let bytes = bytes.ok_or_else(|| wrong("is not there"))?;
        let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8"))?;
        let line = text.lines().next().filter(|line| !line.is_empty());
        let line =
            line.ok_or_else(|| wrong("has an empty first line, which should be the passphrase"))?;
        let passphrase = self.in_file.get_or_init(|| line.to_owned());
        Ok(Some((passphrase.clone(), from)))
    }
}

fn ask(name: &str, prompt: &str) -> Result<String, KeyError> {
    let none = || KeyError::NoPassphrase { name: name.into() };
    if !std::io::stdin().is_terminal() {
        return Err(none());
    }
    terminal::note();
    let typed = rpassword::prompt_password(one_line(prompt));
    if matches!(&typed, Err(e) if e.kind() == std::io::ErrorKind::Interrupted) {
        // Ctrl-C comes here as a character, or as a signal that is on its way.
        interrupt::by_key();
    }
    terminal::forget();
    typed.map_err(|_| none())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    fn type_them(passphrases: &Passphrases, typed: &[&str], right: &str) -> (bool, usize) {
        let count = Cell::new(0);
        let ask = || {
            let text = typed[count.get()];
            count.set(count.get() + 1);
            Ok(text.to_owned())
        };
        let open = |text: &str| {
            if text == right {
                Ok(())
            } else {
                Err(ReadError::Passphrase)
            }
        };
        let failed = |_: ReadError, _: &str| KeyError::Random;
        let opened = passphrases.type_until(ask, open, failed);
        (opened.is_ok(), count.get())
    }

    #[test]
    fn a_passphrase_can_be_typed_again_and_is_tried_on_the_next_key() {
        let passphrases = Passphrases::default();
        assert_eq!(
            type_them(&passphrases, &["x", "y", "right"], "right"),
            (true, 3)
        );
        assert_eq!(
            type_them(&passphrases, &[], "right"),
            (true, 0),
            "it is known"
        );
        assert_eq!(type_them(&passphrases, &["other"], "other"), (true, 1));
        assert_eq!(type_them(&passphrases, &[], "right"), (true, 0));
        assert_eq!(
            type_them(&passphrases, &["a", "b", "c", "d"], "d"),
            (false, 3)
        );
    }
}
