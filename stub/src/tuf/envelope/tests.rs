use super::reader::{MAX_DEPTH, MAX_TEXT, MAX_VALUES};
use super::*;
use crate::tuf::canonical_json;

/// The reader that makes a tree, and this one, must be of one mind.
#[test]
fn agrees_with_the_reader_of_values() {
    let deep = |n: usize| "[".repeat(n) + &"]".repeat(n);
    let (most, more) = (deep(MAX_DEPTH), deep(MAX_DEPTH + 1));
    for text in [
        r#" {"b":[1,-2,true,null,false],"a":"q\"\\\n\u00e9","B":{}} "#,
        r#"{"a\\":1,"a":2,"a\"":3,"a#":4,"a]":5,"aa":6,"":7}"#,
        r#"{"b":{"z":1,"y":{"d":0,"c":[]}},"a":[{"k":1,"j":2},{}]}"#,
        r#"{"\u0062":1,"a":"\ud83d\ude00\/\b\f\n\r\t","é":2,"z":3,"日":4}"#,
        "[0,-1,18446744073709551615,-9223372036854775808]",
        "\"\"",
        " [ ] ",
        "{ }",
        &most,
        // Not acceptable.
        r#"{"a":1,"a":2}"#,
        r#"{"x":{"a":1,"\u0061":1}}"#,
        r#"{"a\\":1,"b":0,"a\u005c":2}"#,
        "18446744073709551616",
        "-9223372036854775809",
        "-0",
        "-",
        "01",
        "-01",
        "+1",
        "1.5",
        "1e3",
        "1E3",
        "1.",
        "{} {}",
        "",
        "{\"a\":",
        "{\"a\"}",
        "{\"a\":1,}",
        "{,}",
        "[1,]",
        "[1 2]",
        "[1",
        "{a:1}",
        "tru",
        "nulll",
        "\"\\x\"",
        "\"\\u12g4\"",
        "\"\\u+123\"",
        "\"\\ud800\"",
        "\"\\ud800\\u0041\"",
        "\"\\udc00\"",
        "\"\n\"",
        "\"",
        "\"\\",
        "\u{feff}1",
        &more,
    ] {
        let value = canonical_json::parse(text.as_bytes());
        let wanted = value
            .and_then(|value| canonical_json::canonical(&value))
            .ok();
        let found = canonical(text.as_bytes()).ok();
        assert_eq!(found, wanted, "{text}");
    }
    assert!(canonical(b"\"\xff\"").is_err());
    assert!(canonical(b"\xff").is_err());
}

/// A little of what fuzzing does (`tests/fuzz`), in every run.
#[test]
fn agrees_on_whatever_is_made_of_pieces() {
    const PIECES: [&str; 28] = [
        "{", "}", "[", "]", ",", ":", "\"", "\"a\":", "\"b\":", "\"a\"", "\\", "\\u", "\\\"",
        "\\\\", "0", "1", "-", ".", "e", "00", "d8", "true", "null", " ", "\n", "é", "{\"a\":1",
        "}]",
    ];
    let mut seed = 3u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    let mut fine = 0;
    for _ in 0..200_000 {
        let length = 1 + random(12);
        let text: String = (0..length).map(|_| PIECES[random(PIECES.len())]).collect();
        let value = canonical_json::parse(text.as_bytes());
        let wanted = value
            .and_then(|value| canonical_json::canonical(&value))
            .ok();
        assert_eq!(canonical(text.as_bytes()).ok(), wanted, "{text}");
        fine += usize::from(wanted.is_some());
    }
    assert!(fine > 1000, "{fine}");
}

#[test]
fn an_envelope_is_taken_apart_in_any_order() {
    for text in [
        r#"{"signatures": [ 1 ],"x":0,"signed": {"b":1, "a":2} }"#,
        r#"{"signed": {"b":1, "a":2},"signatures": [ 1 ]}"#,
        r#"{"zz":{"signed":3},"\u0073igned": {"b":1, "a":2},"aa":[],"signatures": [ 1 ]}"#,
    ] {
        let envelope = Envelope::read(text.as_bytes()).unwrap();
        assert_eq!(envelope.payload, br#"{"a":2,"b":1}"#, "{text}");
        assert_eq!(envelope.signed, br#"{"b":1, "a":2}"#, "{text}");
        assert_eq!(envelope.signatures, b"[ 1 ]", "{text}");
    }
    for bad in [
        r#"{"signed":{}}"#,
        r#"{"signatures":[]}"#,
        r#"[{"signed":{},"signatures":[]}]"#,
        r#"{"a":{"signed":{},"signatures":[]}}"#,
        r#"{"signed":{},"signatures":[],"signed":{}}"#,
    ] {
        assert!(Envelope::read(bad.as_bytes()).is_err(), "{bad}");
    }
}

#[test]
fn there_are_bounds_on_values_and_texts() {
    let list = |n: usize| format!("[{}0]", "0,".repeat(n - 1));
    assert_eq!(count(list(MAX_VALUES - 1).as_bytes()).unwrap(), MAX_VALUES);
    assert!(count(list(MAX_VALUES).as_bytes()).is_err());
    let text = |n: usize| format!("\"{}\"", "a".repeat(n));
    assert!(canonical(text(MAX_TEXT).as_bytes()).is_ok());
    assert!(canonical(text(MAX_TEXT + 1).as_bytes()).is_err());
}
