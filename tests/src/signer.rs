//! Signs programs for Windows with a certificate of the test's own, by osslsigncode.

use crate::{run, text};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A certificate of our own, and what signs and checks with it.
pub struct Signer(PathBuf);

impl Signer {
    /// Makes a key, and a certificate for it, in the folder.
    pub fn new(folder: &Path) -> Self {
        let signer = Signer(folder.to_owned());
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
        ]);
        openssl.args([
            "-subj",
            "/CN=Test",
            "-addext",
            "extendedKeyUsage=codeSigning",
        ]);
        openssl.arg("-keyout").arg(signer.key());
        let made = run(openssl.arg("-out").arg(signer.certificate()));
        assert!(made.status.success(), "{made:?}");
        signer
    }

    fn key(&self) -> PathBuf {
        self.0.join("test.key")
    }

    fn certificate(&self) -> PathBuf {
        self.0.join("test.pem")
    }

    /// Signs a program in its place.
    pub fn sign(&self, program: &Path) {
        let signed = program.with_extension("signed");
        let mut sign = Command::new("osslsigncode");
        sign.args(["sign", "-certs"]).arg(self.certificate());
        sign.arg("-key").arg(self.key());
        let done = run(sign.arg("-in").arg(program).arg("-out").arg(&signed));
        assert!(done.status.success(), "{done:?}");
        fs::rename(signed, program).unwrap();
    }

    /// Adds a command that does the same to a project's settings.
    pub fn settings(&self, before: &str) -> String {
        format!("sign_command = {}\n{before}", self.command())
    }

    fn command(&self) -> serde_json::Value {
        let script = "osslsigncode sign -certs \"$1\" -key \"$2\" -in \"$3\" -out \"$3.signed\" \
                      && mv \"$3.signed\" \"$3\"";
        let (certificate, key) = (self.certificate(), self.key());
        serde_json::json!([
            "sh",
            "-c",
            script,
            "sign",
            text(&certificate),
            text(&key),
            "{file}"
        ])
    }

    /// Returns whether a program has a signature of this certificate.
    pub fn verifies(&self, program: &Path) -> bool {
        let mut verify = Command::new("osslsigncode");
        verify.arg("verify").arg("-CAfile").arg(self.certificate());
        run(verify.arg("-in").arg(program)).status.success()
    }
}
