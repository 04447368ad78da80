//! Any bytes as JSON: the reader that makes values and the one that does not
//! are of one mind, on what is acceptable and on the canonical form.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notsotuf_stub::tuf::envelope::{Envelope, canonical};
use notsotuf_stub::tuf::canonical_json;

fuzz_target!(|bytes: &[u8]| {
    let value = canonical_json::parse(bytes).ok();
    let expected = value.as_ref().and_then(|value| canonical_json::canonical(value).ok());
    assert_eq!(canonical(bytes).ok(), expected);
    if let Ok(envelope) = Envelope::read(bytes) {
        let value = value.expect("it is acceptable");
        let signed = canonical_json::canonical(&value["signed"]).expect("no floats are let in");
        assert_eq!(envelope.payload, signed);
        let parts = [("signed", envelope.signed), ("signatures", envelope.signatures)];
        for (name, raw) in parts {
            assert_eq!(canonical_json::parse(raw).expect("acceptable in itself"), value[name]);
        }
    }
});
