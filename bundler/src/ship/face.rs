//! Gives the stub for Windows the face of the application: console or windowed, icon, version
//! information and manifest.

use super::error::ShipError;
use crate::pack::pe::{is_signed, subsystem_offset};
use editpe::{Image, ResourceTable};
use notsotuf_stub::fs::FsError;
use std::path::Path;

/// Gives the stub the subsystem of the application's program, and its resources: icon, version
/// information, manifest (<https://learn.microsoft.com/windows/win32/debug/pe-format>). One
/// that has them already stays as it is, with its signature. Returns whether it was
/// changed.
///
/// # Errors
/// If one of the two is no program for Windows, or if a change would break the signature of
/// the stub.
pub(crate) fn take_face(app: &Path, stub: &Path) -> Result<bool, ShipError> {
    let read = |path: &Path| std::fs::read(path).map_err(|e| FsError::new("read", path, e));
    let (application, program) = (read(app)?, read(stub)?);
    let from = subsystem_offset(&application).ok_or_else(|| ShipError::NotPe(app.into()))?;
    let to = subsystem_offset(&program).ok_or_else(|| ShipError::NotPe(stub.into()))?;
    let mut changed = program.clone();
    changed[to..to + 2].copy_from_slice(&application[from..from + 2]);
    if let Some(resources) = resources(&application) {
        changed = with_resources(&changed, &resources).map_err(|reason| ShipError::Resources {
            path: stub.into(),
            reason,
        })?;
    }
    if changed == program {
        return Ok(false);
    }
    if is_signed(&program) {
        return Err(ShipError::Signed(stub.into()));
    }
    std::fs::write(stub, changed).map_err(|e| FsError::new("write", stub, e))?;
    Ok(true)
}

/// Returns the resources of a program, if it has some that can be read.
fn resources(program: &[u8]) -> Option<ResourceTable> {
    let image = Image::parse(program)
        .inspect_err(|e| log::debug!("no resources: {e}"))
        .ok()?;
    let table = image.resource_directory()?.root().clone();
    (!table.entries().is_empty()).then_some(table)
}

fn with_resources(program: &[u8], wanted: &ResourceTable) -> Result<Vec<u8>, String> {
    let mut image = Image::parse(program).map_err(|e| e.to_string())?;
    let mut resources = image.resource_directory().cloned().unwrap_or_default();
    if resources.root() == wanted {
        return Ok(program.to_vec());
    }
    *resources.root_mut() = wanted.clone();
    image
        .set_resource_directory(resources)
        .map_err(|e| e.to_string())?;
    Ok(image.data().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pack::pe::SUBSYSTEM;

    /// The least program: 64 bits, no sections.
    fn pe(subsystem: u8) -> Vec<u8> {
        let mut file = vec![0; 0x200];
        file[..2].copy_from_slice(b"MZ");
        file[0x3c] = 0x80;
        file[0x80..0x84].copy_from_slice(b"PE\0\0");
        file[0x80 + 24..0x80 + 26].copy_from_slice(&0x20b_u16.to_le_bytes());
        file[0x80 + 24 + SUBSYSTEM] = subsystem;
        file
    }

    #[test]
    fn the_subsystem_is_copied_from_program_to_program() {
        let folder = tempfile::tempdir().unwrap();
        let (app, stub) = (folder.path().join("app"), folder.path().join("stub"));
        std::fs::write(&app, pe(2)).unwrap();
        std::fs::write(&stub, pe(3)).unwrap();
        assert!(take_face(&app, &stub).unwrap());
        assert_eq!(std::fs::read(&stub).unwrap(), pe(2));
        assert!(!take_face(&app, &stub).unwrap());
        std::fs::write(&app, "#!/bin/sh\n").unwrap();
        assert!(matches!(take_face(&app, &stub), Err(ShipError::NotPe(_))));
    }

    #[test]
    fn a_signature_is_kept_and_never_broken() {
        let folder = tempfile::tempdir().unwrap();
        let (app, stub) = (folder.path().join("app"), folder.path().join("stub"));
        let mut signed = pe(2);
        signed[0x80 + 24 + 112 + 36] = 8;
        std::fs::write(&stub, &signed).unwrap();
        std::fs::write(&app, pe(3)).unwrap();
        assert!(matches!(take_face(&app, &stub), Err(ShipError::Signed(_))));
        std::fs::write(&app, pe(2)).unwrap();
        assert!(!take_face(&app, &stub).unwrap());
        assert_eq!(std::fs::read(&stub).unwrap(), signed);
    }
}
