//! Any bytes as a container file: its members lie in it, apart from each other.
#![no_main]

use libfuzzer_sys::fuzz_target;

// The bundler is a program, not a library.
#[path = "../../../bundler/src/patch/bytes.rs"]
#[allow(dead_code)]
mod bytes;
mod patch {
    pub(crate) use crate::bytes;
}
#[path = "../../../bundler/src/patch/members/mod.rs"]
#[allow(dead_code)]
mod members;

fuzz_target!(|bytes: &[u8]| {
    let mut end = 0;
    for member in members::find(&bytes.to_vec().into()) {
        assert!(end <= member.stored.start && member.stored.start < member.stored.end);
        assert!(bytes.get(member.stored.clone()).is_some());
        end = member.stored.end;
    }
});
