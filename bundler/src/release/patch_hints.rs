//! Says what makes the next patch smaller, where something can be done.

use crate::patch::per_file::{Flat, Heaviest, Noticed, Why};
use crate::vet;
use notsotuf_stub::bundle::patch::Format;
use notsotuf_stub::format_bytes::bytes;
use notsotuf_stub::fs;
use std::path::Path;

/// Says what can be done about a patch of `size` bytes, for the bundle in
/// `folder`, whose archive has `archive` bytes.
pub(super) fn hints(
    noticed: &Noticed,
    folder: &Path,
    format: Format,
    size: u64,
    archive: u64,
) -> Vec<String> {
    let mut hints = Vec::new();
    if format == Format::One
        && let Some(heaviest) = &noticed.heaviest
    {
        hints.extend(compressed(heaviest, folder, size, archive));
    }
    for (path, flat) in &noticed.flat {
        hints.extend(unknown_compressor(path, flat));
    }
    for (path, size) in &noticed.hurried {
        hints.push(format!(
            "half of the time for patches was over (--patch-budget), so {} of {path} were compared \
             block by block only: with more time the patch may become smaller",
            bytes(*size)
        ));
    }
    for path in &noticed.reordered {
        hints.push(format!(
            "only the order of the files in {path} changed. Run PyInstaller with PYTHONHASHSEED=1 \
             in its environment, and bundles differ only where something changed"
        ));
    }
    hints
}

/// If most of a large patch is a file in which PyInstaller has compressed what
/// changed.
fn compressed(heaviest: &Heaviest, folder: &Path, size: u64, archive: u64) -> Option<String> {
    const SMALL: u64 = 64 << 10;
    let large = size >= SMALL && size >= archive / 10;
    let place = fs::join(folder, &heaviest.path);
    if !large || heaviest.literals < size / 2 || !vet::is_made_by_pyinstaller(&place) {
        return None;
    }
    Some(format!(
        "the patch is large ({}), because most of it is {}, in which PyInstaller compresses what \
         has changed. Patches in the format \"notsotuf-2\" look into it: once all clients have a \
         stub that knows that format, set patch_format in the project settings",
        bytes(size),
        heaviest.path
    ))
}

/// If there are members of which it is not known how they were compressed.
fn unknown_compressor(path: &str, flat: &[Flat]) -> Option<String> {
    let mut unknown = flat.iter().filter(|flat| flat.why == Why::Compressor);
    let first = &unknown.next()?.name;
    let more = match unknown.count() {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    Some(format!(
        "{path}: {first}{more} changed, and could only be compared compressed, which makes the \
         patch larger: it was compressed neither by zlib nor by zlib-ng as Python calls them. Run \
         PyInstaller with PYINSTALLER_ZLIB_COMPRESSION_LEVEL=0 in its environment (archives are \
         compressed anyway), or with a Python from python.org"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_compared_inside_is_told_with_what_to_do() {
        let noticed = Noticed {
            flat: vec![
                (
                    "app".into(),
                    [
                        ("zero", Why::TooLarge),
                        ("one", Why::Compressor),
                        ("two", Why::Compressor),
                    ]
                    .map(|(name, why)| Flat {
                        name: name.into(),
                        why,
                    })
                    .into(),
                ),
                (
                    "damaged".into(),
                    vec![Flat {
                        name: "one".into(),
                        why: Why::NotInflated,
                    }],
                ),
            ],
            reordered: vec!["lib.zip".into()],
            hurried: vec![("large".into(), 3 << 20)],
            ..Noticed::default()
        };
        let hints = hints(&noticed, Path::new(""), Format::Two, 1 << 20, 1 << 20);
        assert_eq!(hints.len(), 3);
        assert!(
            hints[0].contains("app: one and 1 more changed"),
            "{hints:?}"
        );
        assert!(hints[0].contains("PYINSTALLER_ZLIB_COMPRESSION_LEVEL=0"));
        assert!(hints[1].contains("large") && hints[1].contains("--patch-budget"));
        assert!(hints[2].contains("lib.zip") && hints[2].contains("PYTHONHASHSEED=1"));
    }

    #[test]
    fn a_patch_with_nothing_to_make_better_has_no_hints() {
        let hints = hints(
            &Noticed::default(),
            Path::new(""),
            Format::Two,
            1 << 20,
            1 << 20,
        );
        assert_eq!(hints, Vec::<String>::new());
    }
}
