//! Any answers in any order from storage and repository: the workflow ends,
//! asks for no more than its bounds allow, and does not panic. The signatures
//! are real ones where the corpus has them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use notsotuf_stub::tuf::{Limits, Refresh, Step};

fuzz_target!(|bytes: &[u8]| {
    // Answers are separated by a byte that is never in UTF-8.
    let mut answers = bytes.split(|&b| b == 0xff);
    let root = answers.next().unwrap_or_default();
    let Ok(mut client) = Refresh::new(root, 1_800_000_000, Limits::default()) else {
        return;
    };
    for search in [false, true] {
        if search && client.search("some/path").is_err() {
            return;
        }
        let mut steps = 0;
        loop {
            steps += 1;
            assert!(steps < 2000, "it does not end");
            match client.next_step() {
                Step::Done => break,
                Step::Load { .. } | Step::Fetch { .. } => {
                    let answer = answers.next().filter(|a| !a.is_empty());
                    if client.answer(answer.map(<[u8]>::to_vec)).is_err() {
                        return;
                    }
                }
                Step::Store { .. } | Step::Remove { .. } => {}
            }
        }
    }
});
