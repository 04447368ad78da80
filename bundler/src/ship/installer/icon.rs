//! Reads icons: that of a program for Windows, and the size of a picture.

use editpe::{Image, ResourceEntry, ResourceEntryName, ResourceTable};

const RT_ICON: u32 = 3;
const RT_GROUP_ICON: u32 = 14;

/// Returns the first icon of a program as an `.ico` file, if there is one.
pub(super) fn of_program(program: &[u8]) -> Option<Vec<u8>> {
    let image = Image::parse(program).ok()?;
    let resources = image.resource_directory()?.root();
    let group = first_data(resources.get(ResourceEntryName::ID(RT_GROUP_ICON))?)?;
    let ResourceEntry::Table(icons) = resources.get(ResourceEntryName::ID(RT_ICON))? else {
        return None;
    };
    to_ico(group, |number| picture(icons, number))
}

fn picture(icons: &ResourceTable, number: u16) -> Option<&[u8]> {
    first_data(icons.get(ResourceEntryName::ID(number.into()))?)
}

/// What is below an entry in the first language.
fn first_data(entry: &ResourceEntry) -> Option<&[u8]> {
    match entry {
        ResourceEntry::Data(data) => Some(data.data()),
        ResourceEntry::Table(table) => {
            let first = *table.entries().first()?;
            first_data(table.get(first.clone())?)
        }
    }
}

/// Makes a file of a group: its entries name pictures by numbers, those of a file by
/// places (<https://learn.microsoft.com/previous-versions/ms997538(v=msdn.10)>).
fn to_ico<'a>(group: &[u8], picture: impl Fn(u16) -> Option<&'a [u8]>) -> Option<Vec<u8>> {
    const HEADER: usize = 6;
    const IN_GROUP: usize = 14;
    const IN_FILE: usize = 16;
    let count = u16::from_le_bytes(group.get(4..HEADER)?.try_into().ok()?);
    let entries = group.get(HEADER..HEADER + usize::from(count) * IN_GROUP)?;
    let mut file = group[..HEADER].to_vec();
    let mut pictures = Vec::new();
    for entry in entries.chunks(IN_GROUP) {
        let number = u16::from_le_bytes([entry[12], entry[13]]);
        let bytes = picture(number)?;
        let place = HEADER + usize::from(count) * IN_FILE + pictures.len();
        file.extend(&entry[..8]);
        file.extend(u32::try_from(bytes.len()).ok()?.to_le_bytes());
        file.extend(u32::try_from(place).ok()?.to_le_bytes());
        pictures.extend(bytes);
    }
    (count > 0).then(|| [file, pictures].concat())
}

/// Returns width and height of a PNG picture.
pub(super) fn size_of_png(bytes: &[u8]) -> Option<(u32, u32)> {
    if !bytes.starts_with(b"\x89PNG\r\n\x1a\n") || bytes.get(12..16)? != b"IHDR" {
        return None;
    }
    let number = |at: usize| Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    Some((number(16)?, number(20)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_a_group_follow_each_other_in_a_file() {
        let mut group = vec![0, 0, 1, 0, 2, 0];
        for (width, number) in [(16, 7_u16), (32, 9)] {
            group.extend([width, width, 0, 0, 1, 0, 32, 0, 0, 0, 0, 0]);
            group.extend(number.to_le_bytes());
        }
        let pictures = |number| match number {
            7 => Some(&b"small"[..]),
            9 => Some(&b"larger one"[..]),
            _ => None,
        };
        let file = to_ico(&group, pictures).unwrap();
        for (at, text) in [(6, "small"), (22, "larger one")] {
            let number = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
            let (length, place) = (number(at + 8) as usize, number(at + 12) as usize);
            assert_eq!(&file[place..place + length], text.as_bytes());
        }
        assert_eq!(to_ico(&group, |_| None), None);
        assert_eq!(to_ico(&group[..20], pictures), None);
        assert_eq!(to_ico(&[0, 0, 1, 0, 0, 0], pictures), None);
    }

    #[test]
    fn a_png_says_its_size() {
        let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0dIHDR\0\0\0\x40\0\0\0\x30".to_vec();
        assert_eq!(size_of_png(&png), Some((64, 48)));
        png.truncate(20);
        assert_eq!(size_of_png(&png), None);
        assert_eq!(size_of_png(b"<svg/>"), None);
    }
}
