//! Containers for tests.

use flate2::Compression;
use flate2::write::{DeflateEncoder, ZlibEncoder};
use std::io::Write;

/// A program as PyInstaller's own writers make it: `tests/make.py`.
pub(crate) const ARCHIVE: &[u8] = include_bytes!("tests/archive");

pub(crate) fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut out = ZlibEncoder::new(Vec::new(), Compression::default());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

pub(crate) fn deflate(plain: &[u8]) -> Vec<u8> {
    let mut out = DeflateEncoder::new(Vec::new(), Compression::best());
    out.write_all(plain).unwrap();
    out.finish().unwrap()
}

/// An archive of PyInstaller behind `before`: names, whether they are
/// compressed, kinds, and bytes as stored.
pub(crate) fn carchive(before: &[u8], members: &[(&str, bool, u8, Vec<u8>)]) -> Vec<u8> {
    let (mut content, mut table) = (Vec::new(), Vec::new());
    let number = |value: usize| (value as u32).to_be_bytes();
    for (name, compressed, kind, stored) in members {
        let length = (18 + name.len() + 1).next_multiple_of(16);
        let mut entry = number(length).to_vec();
        entry.extend(number(content.len()));
        entry.extend(number(stored.len()));
        // What the plain size is, nobody asks.
        entry.extend([0; 4]);
        entry.extend([u8::from(*compressed), *kind]);
        entry.extend(name.as_bytes());
        entry.resize(length, 0);
        table.extend(entry);
        content.extend_from_slice(stored);
    }
    let sizes = [
        content.len() + table.len() + 88,
        content.len(),
        table.len(),
        311,
    ];
    let mut file = [before, &content, &table, b"MEI\x0c\x0b\x0a\x0b\x0e"].concat();
    file.extend(sizes.map(number).concat());
    file.extend([0; 64]);
    file
}

/// An archive of modules.
pub(crate) fn pyz(modules: &[(&str, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"PYZ\0\xa7\r\r\n\0\0\0\0\0\0\0\0\0".to_vec();
    let mut table = [&b"["[..], &(modules.len() as u32).to_le_bytes()].concat();
    for (name, stored) in modules {
        table.extend(b"\xa9\x02\xda");
        table.push(name.len() as u8);
        table.extend(name.as_bytes());
        table.extend(b"\xa9\x03");
        for number in [0, file.len(), stored.len()] {
            table.push(b'i');
            table.extend((number as u32).to_le_bytes());
        }
        file.extend_from_slice(stored);
    }
    let at = (file.len() as u32).to_be_bytes();
    file[8..12].copy_from_slice(&at);
    file.extend(table);
    file
}

/// Entries of a zip file.
pub(crate) struct Zip {
    file: Vec<u8>,
    pub(super) directory: Vec<u8>,
    pub(super) count: u16,
}

impl Zip {
    pub(crate) fn new(before: &[u8]) -> Self {
        Zip {
            file: before.to_vec(),
            directory: Vec::new(),
            count: 0,
        }
    }

    /// An entry with an extra field of so many bytes in the directory, and two
    /// more in front of the content.
    pub(crate) fn add(&mut self, name: &str, method: u16, stored: &[u8], extra: u16) {
        let offset = self.file.len() as u32;
        let size = stored.len() as u32;
        let mut common = Vec::new();
        common.extend([20, 0, 0, 0]);
        common.extend(method.to_le_bytes());
        common.extend([0; 8]);
        common.extend(size.to_le_bytes());
        common.extend([0; 4]);
        common.extend((name.len() as u16).to_le_bytes());
        self.file.extend(b"PK\x03\x04");
        self.file.extend(&common);
        self.file.extend((extra + 2).to_le_bytes());
        self.file.extend(name.as_bytes());
        self.file.extend(vec![0xee; usize::from(extra) + 2]);
        self.file.extend(stored);
        self.directory.extend(b"PK\x01\x02\x14\x03");
        self.directory.extend(&common);
        self.directory.extend(extra.to_le_bytes());
        // A comment of three bytes.
        self.directory.extend([3, 0]);
        self.directory.extend([0; 8]);
        self.directory.extend(offset.to_le_bytes());
        self.directory.extend(name.as_bytes());
        self.directory.extend(vec![0xee; usize::from(extra)]);
        self.directory.extend(b"PK!");
        self.count += 1;
    }

    pub(crate) fn finish(mut self, comment: &[u8]) -> Vec<u8> {
        let at = self.file.len() as u32;
        let size = self.directory.len() as u32;
        self.file.extend(self.directory);
        self.file.extend(b"PK\x05\x06\0\0\0\0");
        self.file.extend(self.count.to_le_bytes().repeat(2));
        self.file.extend(size.to_le_bytes());
        self.file.extend(at.to_le_bytes());
        self.file.extend((comment.len() as u16).to_le_bytes());
        self.file.extend(comment);
        self.file
    }
}
