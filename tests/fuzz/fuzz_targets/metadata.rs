//! Any bytes as metadata of any role: refused or parsed, never a panic; what
//! is parsed has a canonical form that reads back as itself.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notsotuf_stub::tuf::canonical_json;
use notsotuf_stub::tuf::metadata::{Metadata, Root, Snapshot, Targets, Timestamp};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = canonical_json::parse(bytes) {
        let canonical = canonical_json::canonical(&value).expect("no floats are let in");
        // Canonical JSON leaves control characters as they are, JSON does not.
        if let Ok(again) = canonical_json::parse(&canonical) {
            assert_eq!(again, value);
        }
    }
    if let Ok(root) = Metadata::<Root>::parse("root", bytes) {
        for keys in root.signed.roles.values() {
            root.count_valid(&root.signed.keys, keys);
        }
        let _expired = root.check_expiry("root", 1_800_000_000).is_err();
    }
    let _ok = Metadata::<Timestamp>::parse("timestamp", bytes).is_ok();
    let _ok = Metadata::<Snapshot>::parse("snapshot", bytes).is_ok();
    if let Ok(targets) = Metadata::<Targets>::parse("targets", bytes) {
        for (path, file) in &targets.signed.targets {
            let _name = file.stored_name(path, true);
            let _known = file.hasher(path).is_ok();
        }
        if let Some(delegations) = &targets.signed.delegations {
            let (roles, _) = delegations.roles_for("some/path.tar.gz");
            for role in roles {
                assert!(delegations.role_keys(&role).is_some());
            }
        }
    }
});
