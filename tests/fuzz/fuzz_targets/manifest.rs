//! Any bytes as a manifest: refused, or canonical.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notsotuf_stub::bundle::{Manifest, Rules};

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    for rules in [Rules::portable(), Rules::host()] {
        if let Ok(tree) = Manifest::parse(text, rules) {
            let again = Manifest::parse(&tree.to_text(), rules);
            assert_eq!(again.as_ref(), Ok(&tree));
            for path in tree.entries.keys() {
                assert!(!path.starts_with('/') && !path.split('/').any(|s| s == ".."));
            }
        }
    }
});
