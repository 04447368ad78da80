//! Makes and applies a patch by the crates `bidiff` and `bipatch`, with xz
//! around it, since these crates do not compress. scripts/bench
//! measures this program beside ours.

use bidiff::{DiffParams, enc};
use lzma_rust2::{XzOptions, XzReader, XzWriter};
use std::error::Error;
use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter};

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["diff", old, new, patch] => diff(old, new, patch),
        ["apply", old, patch, new] => apply(old, patch, new),
        _ => Err("usage: compare-bipatch diff OLD NEW PATCH | apply OLD PATCH NEW".into()),
    }
}

fn diff(old: &str, new: &str, patch: &str) -> Result<(), Box<dyn Error>> {
    let (old, new) = (fs::read(old)?, fs::read(new)?);
    let file = BufWriter::new(File::create(patch)?);
    let mut writer = enc::Writer::new(XzWriter::new(file, XzOptions::with_preset(9))?)?;
    // One partition and one chunk: the smallest patch.
    let mut translator = bidiff::Translator::new(&old, &new, |control| writer.write(control));
    bidiff::diff(&old, &new, &DiffParams::default(), |found| {
        translator.translate(found)
    })?;
    translator.close()?;
    let file = writer.into_inner().finish()?;
    file.into_inner()?.sync_all()?;
    Ok(())
}

fn apply(old: &str, patch: &str, new: &str) -> Result<(), Box<dyn Error>> {
    let patch = XzReader::new(BufReader::new(File::open(patch)?), false);
    let mut reader = bipatch::Reader::new(patch, BufReader::new(File::open(old)?))?;
    let mut file = BufWriter::new(File::create(new)?);
    io::copy(&mut reader, &mut file)?;
    file.into_inner()?.sync_all()?;
    Ok(())
}
