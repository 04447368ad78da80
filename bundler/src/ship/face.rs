//! Makes the stub a console or a windowed program, as the application is.

use super::error::ShipError;
use notsotuf_stub::fs::FsError;
use std::io;
use std::path::Path;

/// Makes the stub a console or a windowed program, as the application is:
/// the field Subsystem of the PE optional header
/// (<https://learn.microsoft.com/windows/win32/debug/pe-format>). Sign the
/// stub (Authenticode) after this, not before.
pub(super) fn take_subsystem(app: &Path, stub: &Path) -> Result<(), ShipError> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| FsError::new("read", path, e));
    let application = read(app)?;
    let mut program = read(stub)?;
    let from = subsystem_offset(&application).ok_or_else(|| ShipError::NotPe(app.into()))?;
    let to = subsystem_offset(&program).ok_or_else(|| ShipError::NotPe(stub.into()))?;
    program[to..to + 2].copy_from_slice(&application[from..from + 2]);
    let written = |e: io::Error| FsError::new("write", stub, e);
    std::fs::write(stub, program).map_err(written)?;
    Ok(())
}

/// Returns where in a PE file the two bytes of the subsystem are.
pub(super) fn subsystem_offset(file: &[u8]) -> Option<usize> {
    let header = u32::from_le_bytes(file.get(0x3c..0x40)?.try_into().ok()?) as usize;
    let pe = file.get(..2)? == b"MZ" && file.get(header..header.checked_add(4)?)? == b"PE\0\0";
    // 4 bytes of signature, 20 of COFF header, 68 into the optional header.
    let offset = header + 24 + 68;
    (pe && file.len() >= offset + 2).then_some(offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ship::error::ShipError;

    #[test]
    fn the_subsystem_is_copied_from_program_to_program() {
        let folder = tempfile::tempdir().unwrap();
        let pe = |subsystem: u8| {
            let mut file = vec![0; 0x200];
            file[..2].copy_from_slice(b"MZ");
            file[0x3c] = 0x80;
            file[0x80..0x84].copy_from_slice(b"PE\0\0");
            file[0x80 + 24 + 68] = subsystem;
            file
        };
        let (app, stub) = (folder.path().join("app"), folder.path().join("stub"));
        std::fs::write(&app, pe(2)).unwrap();
        std::fs::write(&stub, pe(3)).unwrap();
        take_subsystem(&app, &stub).unwrap();
        assert_eq!(std::fs::read(&stub).unwrap(), pe(2));
        std::fs::write(&app, "#!/bin/sh\n").unwrap();
        assert!(matches!(
            take_subsystem(&app, &stub),
            Err(ShipError::NotPe(_))
        ));
    }
}
