//! Keys in folders, and who may use them.

use super::*;
use notsotuf_stub::hex::decode_hex;
use std::path::Path;

/// Makes a key whose folder is the keystore.
fn make(name: &str, passphrase: Option<&str>, folder: &Path) -> Result<PublicKey, KeyError> {
    let folders = KeyFolders {
        key: folder,
        keystore: folder,
    };
    create(name, passphrase, folders)
}

#[test]
fn keys_are_made_opened_and_never_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let secret = Passphrases::fixed("correct horse");
    let plain = make("plain", None, &keys).unwrap();
    let locked = make("locked", Some("correct horse"), &keys).unwrap();
    assert_ne!(plain, locked);
    assert!(matches!(
        make("plain", None, &keys),
        Err(KeyError::Exists { .. })
    ));
    assert!(matches!(
        make("../x", None, &keys),
        Err(KeyError::Name { .. })
    ));
    let ring = Keyring::open(vec![keys.clone()], Vec::new()).unwrap();
    for (name, public) in [("plain", &plain), ("locked", &locked)] {
        let info = ring.named(name).unwrap();
        assert_eq!(&info.public, public);
        let signer = ring.signer(&info.public, &secret).unwrap().unwrap();
        assert_eq!(&signer.public, public);
        let signature = decode_hex(&signer.sign(b"payload").unwrap()).unwrap();
        assert!(public.verifies(b"payload", &signature));
        assert!(!public.verifies(b"another", &signature));
    }
    let again = Keyring::open(vec![keys.clone()], Vec::new()).unwrap();
    let wrong = again.signer(&locked, &Passphrases::fixed("wrong"));
    assert!(matches!(wrong, Err(KeyError::Passphrase { .. })));
    assert!(matches!(ring.named("none"), Err(KeyError::Missing { .. })));
    let names: Vec<_> = ring.keys().iter().map(|key| key.name.as_str()).collect();
    assert_eq!(names, ["locked", "plain"]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = std::fs::metadata(keys.join("plain.pem")).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn a_private_key_of_another_public_one_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    make("one", None, folder.path()).unwrap();
    make("two", None, folder.path()).unwrap();
    std::fs::copy(folder.path().join("two.pem"), folder.path().join("one.pem")).unwrap();
    let ring = Keyring::open(vec![folder.path().into()], Vec::new()).unwrap();
    let one = &ring.named("one").unwrap().public;
    let result = ring.signer(one, &Passphrases::default());
    assert!(matches!(result, Err(KeyError::Pair { .. })));
}

/// By `openssl pkcs8 -topk8 -scrypt -scrypt_N 16384`: the cost that this
/// program took before, too. The passphrase is swordfish.
const OLD: &str = "\
-----BEGIN ENCRYPTED PRIVATE KEY-----
MIGTME8GCSqGSIb3DQEFDTBCMCEGCSsGAQQB2kcECzAUBAjA7toXfPf5tQICQAAC
AQgCAQEwHQYJYIZIAWUDBAEqBBAyV2K0A6Ot5qfX2GzVlQDcBEA8GfNrDoydslUs
WzyJEoqvNMJm3s7y/uhD4pk/it/AwF3qdiMBDjv/GFWXkqTyiXbHEQk4sbpdQ3vs
6clc+FyS
-----END ENCRYPTED PRIVATE KEY-----
";

#[test]
fn keys_of_a_lower_cost_are_read_and_new_ones_have_todays() {
    let seed = files::seed(OLD, Some("swordfish")).map_err(|_| ()).unwrap();
    assert_eq!(seed[..4], [0x0f, 0x8a, 0xea, 0x98]);
    assert!(matches!(
        files::seed(OLD, Some("sword")),
        Err(pem::ReadError::Passphrase)
    ));
    let text = pem::write_private(&seed, Some("swordfish")).unwrap();
    // As a store of secrets may hand it on.
    let spaced = format!("\n{}\n\n", text.trim_end());
    assert!(pem::read_private(&spaced, Some("swordfish")).is_ok());
    let (_, document) = pkcs8::SecretDocument::from_pem(&text).unwrap();
    let info = pkcs8::EncryptedPrivateKeyInfoRef::try_from(document.as_bytes()).unwrap();
    let pkcs8::pkcs5::EncryptionScheme::Pbes2(how) = info.encryption_algorithm else {
        panic!("{info:?}");
    };
    let scrypt = how.kdf.scrypt().unwrap();
    assert_eq!(
        (
            scrypt.cost_parameter,
            scrypt.block_size,
            scrypt.parallelization
        ),
        (1 << 17, 8, 1)
    );
    assert_eq!(
        files::seed(&text, Some("swordfish")).map_err(|_| ()),
        Ok(seed)
    );
}

#[test]
fn halves_are_paired_over_all_folders_and_by_content() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let one = make("one", None, &at("a")).unwrap();
    let two = make("two", None, &at("a")).unwrap();
    // Under each other's name, in another folder.
    std::fs::create_dir(at("b")).unwrap();
    std::fs::rename(at("a/one.pem"), at("b/two.pem")).unwrap();
    std::fs::rename(at("a/two.pem"), at("b/one")).unwrap();
    let ring = Keyring::open(vec![at("a"), at("b"), at("none")], Vec::new()).unwrap();
    assert_eq!(ring.keys().len(), 2);
    for public in [&one, &two] {
        let signer = ring
            .signer(public, &Passphrases::default())
            .unwrap()
            .unwrap();
        assert_eq!(&signer.public, public);
    }
    // Without public files, too.
    let ring = Keyring::open(vec![at("b")], Vec::new()).unwrap();
    assert!(
        ring.signer(&one, &Passphrases::default())
            .unwrap()
            .is_some()
    );
    let ring = Keyring::open(vec![at("a")], Vec::new()).unwrap();
    assert!(
        ring.signer(&one, &Passphrases::default())
            .unwrap()
            .is_none()
    );
}
