//! Reads what is needed of the headers of programs for Windows
//! (<https://learn.microsoft.com/windows/win32/debug/pe-format>).

/// Returns whether Windows takes a file of this name for a program.
pub(crate) fn ends_with_exe(name: &str) -> bool {
    name.to_ascii_lowercase().ends_with(".exe")
}

/// Returns whether a program has a signature (Authenticode): the fifth entry of the data
/// directories is not empty.
pub(crate) fn is_signed(program: &[u8]) -> bool {
    let entry = || {
        let optional = subsystem_offset(program)? - SUBSYSTEM;
        let wide = u16::from_le_bytes(program.get(optional..optional + 2)?.try_into().ok()?);
        // PE32+ has larger addresses before them.
        let directories = optional + if wide == 0x20b { 112 } else { 96 };
        let size = directories + 4 * 8 + 4;
        program.get(size..size + 4)
    };
    entry().is_some_and(|size| size != [0; 4])
}

/// How far into the optional header the subsystem is.
pub(crate) const SUBSYSTEM: usize = 68;

/// Returns where in a PE file the two bytes of the subsystem are; `None` if it is
/// no PE file, as far as its beginning shows.
pub(crate) fn subsystem_offset(file: &[u8]) -> Option<usize> {
    let header = u32::from_le_bytes(file.get(0x3c..0x40)?.try_into().ok()?) as usize;
    let pe = file.get(..2)? == b"MZ" && file.get(header..header.checked_add(4)?)? == b"PE\0\0";
    // 4 bytes of signature, 20 of COFF header.
    let offset = header + 24 + SUBSYSTEM;
    (pe && file.len() >= offset + 2).then_some(offset)
}
