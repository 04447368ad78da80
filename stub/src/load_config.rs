//! Makes Windows take the libraries that this program is linked with from its own folder
//! only, also where one of the same name is beside the program.
//!
//! Windows reads this before anything of the program runs (`DependentLoadFlags`,
//! <https://learn.microsoft.com/windows/win32/api/winnt/ns-winnt-image_load_config_directory64>).
//! Microsoft's linker makes such a structure when told to (`build.rs`). GNU's does not know
//! it: `scripts/build-windows` looks for this one and enters it into the program's
//! header (`scripts/packaging/enter_load_config.py`), as does what makes wheels.

/// `LOAD_LIBRARY_SEARCH_SYSTEM32`.
const DEPENDENT_LOAD_FLAGS: u16 = 0x800;

/// The structure as of Windows 10, of which the rest is zero.
#[repr(C, align(8))]
struct LoadConfig {
    size: u32,
    /// A time that nobody reads; here what the script finds it by.
    mark: [u8; 4],
    before: [u8; 70],
    dependent_load_flags: u16,
    after: [u8; 176],
}

static LOAD_CONFIG: LoadConfig = LoadConfig {
    size: size_of::<LoadConfig>() as u32,
    mark: *b"nttf",
    before: [0; 70],
    dependent_load_flags: DEPENDENT_LOAD_FLAGS,
    after: [0; 176],
};

/// Keeps the structure in the program: a linker leaves out what nothing names.
pub(crate) fn keep() {
    std::hint::black_box(&LOAD_CONFIG);
}
