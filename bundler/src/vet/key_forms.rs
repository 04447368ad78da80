//! Recognizes private keys by their form, whatever their files are called.

use crate::keys as project_keys;
use crate::keys::PublicKey;
use memchr::memmem;
use serde_json::Value;

/// Limits the size of files that can be keys.
pub(super) const MAX_KEY: u64 = 64 << 10;

/// Says how many characters a key has at least; an ed25519 key has 64.
pub(super) const LEAST_BODY: usize = 40;

/// Holds a private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Key {
    /// Of what form it is.
    pub form: &'static str,
    /// What makes it this one, as it is written.
    pub body: String,
    /// Its public half, if it can be told without a passphrase.
    pub public: Option<PublicKey>,
}

/// Finds the keys in PEM (RFC 7468, and those of OpenSSH and OpenPGP) in some
/// bytes: whole blocks only, since many libraries have the words.
pub(super) fn pem(bytes: &[u8]) -> Vec<Key> {
    const BEGIN: &[u8] = b"-----BEGIN ";
    let mut keys = Vec::new();
    for at in memmem::find_iter(bytes, BEGIN) {
        let rest = &bytes[at + BEGIN.len()..];
        let Some(label) = rest.get(..40.min(rest.len())).and_then(label) else {
            continue;
        };
        let body = &rest[label.len() + 5..];
        let end = format!("-----END {label}-----");
        let Some(length) = memmem::find(body, end.as_bytes()) else {
            continue;
        };
        if let Some(text) = base64(&body[..length]) {
            let plain = label == "PRIVATE KEY";
            let public = plain.then(|| project_keys::plain_public(&block(&text)));
            let public = public.flatten();
            keys.push(Key {
                form: "a private key",
                body: text,
                public,
            });
        }
    }
    keys
}

/// Writes PKCS#8 in PEM.
pub(super) fn block(body: &str) -> String {
    let lines: Vec<&str> = (0..body.len())
        .step_by(64)
        .map(|at| &body[at..body.len().min(at + 64)])
        .collect();
    let body = lines.join("\n");
    format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n")
}

/// Returns the label of a private key at the start of these bytes.
pub(super) fn label(bytes: &[u8]) -> Option<&str> {
    let end = memmem::find(bytes, b"-----")?;
    let label = std::str::from_utf8(&bytes[..end]).ok()?;
    label.contains("PRIVATE KEY").then_some(label)
}

/// Returns the characters between the lines of a PEM block, without its
/// headers; in a JSON or a source file line breaks may be escaped.
pub(super) fn base64(body: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    let text = text.replace("\\r", "").replace("\\n", "\n");
    let lines = text.lines().map(str::trim);
    let body: String = lines.filter(|line| !line.contains(':')).collect();
    let body = body.replace([' ', '"', '\''], "");
    let proper = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    (body.len() >= LEAST_BODY && body.chars().all(proper)).then_some(body)
}

/// Reads a small file that is a key as a whole: of securesystemslib, or in DER.
pub(super) fn whole(name: &str, bytes: &[u8]) -> Option<Key> {
    if bytes.len() as u64 > MAX_KEY {
        return None;
    }
    if der(name, bytes) {
        let body = notsotuf_stub::hex::encode_hex(bytes);
        return Some(Key {
            form: "a private key",
            body,
            public: None,
        });
    }
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let plain = || {
        let value: Value = serde_json::from_str(text).ok()?;
        let private = value["keyval"]["private"].as_str()?;
        (!private.is_empty()).then_some(())
    };
    let encrypted = || {
        let fields: Vec<&str> = text.split("@@@@").collect();
        let hex = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_hexdigit());
        (fields.len() == 5 && fields.iter().all(|field| hex(field))).then_some(())
    };
    (text.starts_with('{').then(plain).flatten())
        .or_else(encrypted)
        .map(|()| Key {
            form: "a private key of tufup",
            body: text.into(),
            public: project_keys::plain_public(text),
        })
}

/// Returns whether these bytes are a private key in DER: PKCS#8, plain (version
/// 0 and an algorithm) or encrypted (an algorithm of PKCS#5), PKCS#1 (version 0
/// and a number), SEC 1 (version 1 and octets); or PKCS#12, by its name.
pub(super) fn der(name: &str, bytes: &[u8]) -> bool {
    let content = match bytes {
        [0x30, 0x82, a, b, content @ ..] => (usize::from(*a) << 8 | usize::from(*b), content),
        [0x30, 0x81, a, content @ ..] => (usize::from(*a), content),
        [0x30, a, content @ ..] if *a < 0x80 => (usize::from(*a), content),
        _ => return false,
    };
    let (length, content) = content;
    let name = name.to_ascii_lowercase();
    let store = name.ends_with(".p12") || name.ends_with(".pfx");
    const PKCS5: &[u8] = b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x05";
    let encrypted = content.first() == Some(&0x30)
        && memmem::find(&content[..content.len().min(8 + PKCS5.len())], PKCS5).is_some();
    let key = content.starts_with(&[2, 1, 0, 0x30])
        || content.starts_with(&[2, 1, 0, 2])
        || content.starts_with(&[2, 1, 1, 4])
        || encrypted
        || (store && content.starts_with(&[2, 1, 3]));
    key && length == content.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBxyDbSjyJsqzHpPRbNUYbGDbVuxOEXHAnzn3l7dqYBm\n-----END PRIVATE KEY-----\n";

    #[test]
    fn keys_are_told_from_words() {
        assert_eq!(pem(KEY.as_bytes()).len(), 1);
        assert!(pem(KEY.as_bytes())[0].public.is_some(), "it is ed25519");
        let rsa = KEY.replace("PRIVATE", "RSA PRIVATE");
        let headers = rsa.replacen(
            '\n',
            "\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n",
            1,
        );
        for text in [
            KEY.replace('\n', "\r\n"),
            KEY.replace("PRIVATE", "ENCRYPTED PRIVATE"),
            KEY.replace("PRIVATE KEY", "PGP PRIVATE KEY BLOCK"),
            KEY.replace("PRIVATE", "OPENSSH PRIVATE"),
            headers,
            format!("{{\"private_key\": \"{}\"}}", KEY.replace('\n', "\\n")),
            format!("\0\x01binary{KEY}"),
        ] {
            assert_eq!(pem(text.as_bytes()).len(), 1, "{text}");
        }
        for text in [
            "-----BEGIN PRIVATE KEY-----\0-----END PRIVATE KEY-----".to_owned(),
            "-----BEGIN PRIVATE KEY-----\nMII...\n-----END PRIVATE KEY-----".into(),
            "'-----BEGIN OPENSSH PRIVATE KEY-----', '-----END OPENSSH PRIVATE KEY-----'".into(),
            KEY.replace("PRIVATE KEY", "CERTIFICATE"),
            KEY.replace("PRIVATE KEY", "PUBLIC KEY"),
            KEY.replace("-----END", ""),
            "-----BEGIN ".into(),
        ] {
            assert_eq!(pem(text.as_bytes()), [], "{text}");
        }
    }

    #[test]
    fn whole_files_are_keys_of_tufup_or_in_der() {
        let plain = r#"{"keytype": "ed25519", "scheme": "ed25519", "keyval": {"public": "00", "private": "11"}}"#;
        assert!(whole("targets", plain.as_bytes()).is_some());
        assert!(whole("targets", plain.replace(r#""11""#, r#""""#).as_bytes()).is_none());
        assert!(whole("data.json", b"{\"keyval\": 1}").is_none());
        assert!(whole("targets", b"aa@@@@100000@@@@bb@@@@cc@@@@dd").is_some());
        assert!(whole("text", b"a@@@@b@@@@c@@@@d@@@@x y").is_none());
        let pkcs8 = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
        let pkcs8 = [&pkcs8[..], &[7; 32]].concat();
        assert!(whole("key", &pkcs8).is_some());
        assert!(whole("key", &pkcs8[..40]).is_none(), "cut");
        let store = b"\x30\x04\x02\x01\x03\x00";
        assert!(whole("a.pfx", store).is_some() && whole("a.bin", store).is_none());
        let certificate = b"\x30\x04\x30\x02\x02\x00";
        assert!(whole("a.der", certificate).is_none());
        assert!(whole("0", b"0 is the first letter of a text").is_none());
    }
}
