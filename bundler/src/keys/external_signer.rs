//! Signs with private keys that this program never sees: in a KMS, an HSM, a
//! YubiKey.
//!
//! The protocol: the command that the settings name is run in the project's
//! folder. It gets the payload on standard input, and in its environment
//! `NOTSOTUF_KEY_NAME`, `NOTSOTUF_KEY_ID` and `NOTSOTUF_SCHEME` (and no
//! passphrases: those are of other keys). It writes the
//! signature, as bytes, to standard output and exits with 0; what it says on
//! standard error the user sees. An ecdsa signature may be DER (as OpenSSL
//! writes it) or the two numbers one after the other (as PKCS#11 does).

use super::error::KeyError;
use super::public_key::PublicKey;
use crate::child;
use serde::Deserialize;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

/// Names an external signer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct External {
    /// File of the public key, `NAME.pub`, relative to the project.
    pub key: PathBuf,
    /// The program and its arguments.
    pub command: Vec<String>,
    /// Where it runs; the project's folder.
    #[serde(skip)]
    pub folder: PathBuf,
}

impl External {
    /// Has an external signer sign `payload`, and checks the signature.
    ///
    /// # Errors
    /// [`KeyError::External`].
    pub(crate) fn sign(&self, public: &PublicKey, payload: &[u8]) -> Result<Vec<u8>, KeyError> {
        let name = self.key.file_stem().unwrap_or_default().to_string_lossy();
        let failed = |reason: String| KeyError::External {
            name: name.clone().into_owned(),
            program: self.command.first().cloned().unwrap_or_default(),
            reason,
        };
        let (program, arguments) = self
            .command
            .split_first()
            .ok_or_else(|| failed("its command is empty".into()))?;
        let mut child = child::command(program)
            .args(arguments)
            .current_dir(&self.folder)
            .env("NOTSOTUF_KEY_NAME", name.as_ref())
            .env("NOTSOTUF_KEY_ID", public.id())
            .env("NOTSOTUF_SCHEME", public.scheme())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| failed(e.to_string()))?;
        let mut stdin = child.stdin.take().expect("piped");
        // A program may sign without reading all, if that verifies.
        let sent = stdin.write_all(payload);
        drop(stdin);
        let output = child::wait(child).map_err(|e| failed(e.to_string()))?;
        if !output.status.success() {
            return Err(failed(output.status.to_string()));
        }
        if public.verifies(payload, &output.stdout) {
            return Ok(output.stdout);
        }
        if let Some(der) = der_of_two_numbers(&output.stdout)
            && public.verifies(payload, &der)
        {
            return Ok(der);
        }
        // Else what it said is the better clue.
        if output.stdout.is_empty() {
            sent.map_err(|e| failed(format!("it did not read the payload: {e}")))?;
        }
        Err(failed(format!(
            "the {} bytes it returned are no valid {} signature by this key",
            output.stdout.len(),
            public.scheme()
        )))
    }
}

/// ECDSA-Sig-Value (RFC 3279 section 2.2.3) of `r` and `s`, each half of
/// `both`.
fn der_of_two_numbers(both: &[u8]) -> Option<Vec<u8>> {
    if !matches!(both.len(), 64 | 96) {
        return None;
    }
    let number = |bytes: &[u8]| {
        let start = bytes
            .iter()
            .position(|&b| b != 0)
            .unwrap_or(bytes.len() - 1);
        let mut digits = bytes[start..].to_vec();
        if digits[0] & 0x80 != 0 {
            digits.insert(0, 0);
        }
        let mut out = vec![2, digits.len() as u8];
        out.extend(digits);
        out
    };
    let (r, s) = both.split_at(both.len() / 2);
    let numbers = [number(r), number(s)].concat();
    let mut out = vec![0x30, u8::try_from(numbers.len()).ok()?];
    out.extend(numbers);
    Some(out)
}
