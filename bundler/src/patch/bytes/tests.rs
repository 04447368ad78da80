use super::*;
use proptest::prelude::*;
use std::io::Write;

/// Says how bytes are put together: whether from memory, a file, or a spool of
/// so many bytes in memory.
#[derive(Debug, Clone)]
enum From {
    Memory,
    File,
    Spool(usize),
}

fn any_from() -> impl Strategy<Value = From> {
    prop_oneof![
        Just(From::Memory),
        Just(From::File),
        (0..200usize).prop_map(From::Spool),
    ]
}

fn any_pieces() -> impl Strategy<Value = Vec<(From, Vec<u8>)>> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..150);
    proptest::collection::vec((any_from(), bytes), 0..8)
}

fn put_together(folder: &Path, scratch: &Scratch, pieces: &[(From, Vec<u8>)]) -> Bytes {
    let mut all = Bytes::default();
    for (n, (from, bytes)) in pieces.iter().enumerate() {
        let one = match from {
            From::Memory => bytes.clone().into(),
            From::File => {
                let path = folder.join(n.to_string());
                std::fs::write(&path, bytes).unwrap();
                Bytes::open(&path, 20).unwrap()
            }
            From::Spool(in_memory) => {
                let mut spool = Spool::new(scratch, *in_memory);
                let (one, other) = bytes.split_at(bytes.len() / 2);
                spool.push(one).unwrap();
                // In a file or not, it goes on.
                spool.append(&all.slice(0..all.len() / 3)).unwrap();
                spool.write_all(other).unwrap();
                assert_eq!(spool.len(), bytes.len() + all.len() / 3);
                let spooled = spool.finish().unwrap();
                let third = one.len()..one.len() + all.len() / 3;
                let expected = all.get(0..all.len() / 3).unwrap();
                assert_eq!(spooled.get(third.clone()).unwrap(), expected);
                let mut without = spooled.slice(0..third.start);
                without.append(&spooled.slice(third.end..spooled.len()));
                without
            }
        };
        assert_eq!(one.len(), bytes.len());
        all.append(&one);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn bytes_are_the_same_wherever_they_are(
        pieces in any_pieces(), start in 0..1000usize, end in 0..1000usize, size in 0..300usize,
    ) {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new_in(folder.path()).unwrap();
        let found = put_together(folder.path(), &scratch, &pieces);
        let expected: Vec<u8> = pieces.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        prop_assert_eq!(found.len(), expected.len());
        prop_assert_eq!(&found.all().unwrap()[..], &expected[..]);
        let end = end.min(expected.len());
        let range = start.min(end)..end;
        prop_assert_eq!(&found.get(range.clone()).unwrap()[..], &expected[range.clone()]);
        let part = found.slice(range.clone());
        prop_assert_eq!(&part.all().unwrap()[..], &expected[range.clone()]);
        let mut window = Window::new(&found, size);
        for at in [range.start, 0, end / 2, range.start] {
            let near = at..end.min(at + 10).max(at);
            prop_assert_eq!(window.get(near.clone()).unwrap(), &expected[near]);
        }
        let mut reader = found.reader();
        reader.seek(SeekFrom::Start(range.start as u64)).unwrap();
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        prop_assert_eq!(&read[..], &expected[range.start..]);
        let wanted = &expected[range];
        let last = memchr::memmem::rfind(&expected, wanted).filter(|_| !wanted.is_empty());
        if !wanted.is_empty() {
            prop_assert_eq!(found.rfind(wanted).unwrap(), last);
        }
    }
}

#[test]
fn what_is_looked_for_may_lie_across_pieces() {
    let cookie = b"cookie";
    for at in [0, 1, CHUNK - 6, CHUNK - 3, CHUNK, 2 * CHUNK - 1] {
        let mut bytes = vec![b'c'; 3 * CHUNK];
        bytes[at..at + 6].copy_from_slice(cookie);
        let bytes = Bytes::from(bytes);
        assert_eq!(bytes.rfind(cookie).unwrap(), Some(at), "{at}");
        assert_eq!(bytes.rfind(b"other").unwrap(), None);
    }
    assert_eq!(Bytes::default().rfind(cookie).unwrap(), None);
}

#[test]
fn a_file_that_became_shorter_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("file");
    std::fs::write(&path, [1; 100]).unwrap();
    let bytes = Bytes::open(&path, 10).unwrap();
    std::fs::write(&path, [1; 50]).unwrap();
    assert!(bytes.get(0..50).is_ok());
    assert!(bytes.get(0..51).is_err());
}
