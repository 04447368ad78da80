//! Shows the progress dialog of the Windows shell
//! (<https://learn.microsoft.com/windows/win32/api/shlobj_core/nn-shlobj_core-iprogressdialog>).
//! It has a thread of its own, so nothing here handles messages.
#![allow(unsafe_code)]

use super::super::{ProgressView, messages::MessageId};
use super::{Look, Programs, Style};
use std::ffi::c_void;
use std::io;
use std::ptr::{null, null_mut};
use windows_sys::Win32::System::Com::{
    CLSCTX_INPROC_SERVER, COINIT_APARTMENTTHREADED, CoCreateInstance, CoInitializeEx,
    CoUninitialize,
};
use windows_sys::core::{BOOL, GUID, HRESULT, PCWSTR};

const CLSID_PROGRESS_DIALOG: GUID = GUID::from_u128(0xf8383852_fcd3_11d1_a6b9_006097df5bd4);
const IID_PROGRESS_DIALOG: GUID = GUID::from_u128(0xebbc7c04_315e_11d2_b62f_006097df5bd4);
/// No minimize button: there is no task bar entry to bring it back.
const PROGDLG_NOMINIMIZE: u32 = 8;
const TOTAL: u32 = 1000;

/// The interface's functions, in its order; those that are not used are only
/// there for their room.
#[repr(C)]
struct Functions {
    query_interface: usize,
    add_ref: usize,
    release: unsafe extern "system" fn(*mut Object) -> u32,
    start: unsafe extern "system" fn(
        *mut Object,
        *mut c_void,
        *mut c_void,
        u32,
        *const c_void,
    ) -> HRESULT,
    stop: unsafe extern "system" fn(*mut Object) -> HRESULT,
    set_title: unsafe extern "system" fn(*mut Object, PCWSTR) -> HRESULT,
    set_animation: usize,
    has_user_cancelled: unsafe extern "system" fn(*mut Object) -> BOOL,
    set_progress: unsafe extern "system" fn(*mut Object, u32, u32) -> HRESULT,
    set_progress64: usize,
    set_line: unsafe extern "system" fn(*mut Object, u32, PCWSTR, BOOL, *const c_void) -> HRESULT,
    set_cancel_msg: usize,
    timer: usize,
}

#[repr(C)]
struct Object {
    functions: *const Functions,
}

/// Handles the dialog.
pub(crate) struct Window {
    object: *mut Object,
    hint: String,
}

impl Window {
    /// Returns whether there is a desktop, as far as can be told beforehand.
    pub(crate) fn may_open() -> bool {
        true
    }

    /// Opens the dialog; `None` if the system has none (Server Core).
    pub(crate) fn open(view: &ProgressView, style: Style, _: &Programs) -> Option<Self> {
        let mut object: *mut Object = null_mut();
        // SAFETY: the identifiers are of this interface, which is what comes
        // back; without it, what was initialised is given back.
        unsafe {
            if CoInitializeEx(null(), COINIT_APARTMENTTHREADED as u32) < 0 {
                return None;
            }
            let made = CoCreateInstance(
                &CLSID_PROGRESS_DIALOG,
                null_mut(),
                CLSCTX_INPROC_SERVER,
                &IID_PROGRESS_DIALOG,
                (&raw mut object).cast(),
            );
            if made < 0 || object.is_null() {
                log::debug!("no window for the progress: {made:#x}");
                CoUninitialize();
                return None;
            }
        }
        let mut window = Window {
            object,
            hint: style.texts.with(MessageId::CancelStarts, &[]),
        };
        let title = wide(&view.title);
        // SAFETY: the object is alive, the text is NUL-terminated.
        unsafe {
            let functions = &*(*object).functions;
            (functions.set_title)(object, title.as_ptr());
        }
        window.draw(view);
        // SAFETY: the object is alive; no parent, no modeless helper.
        unsafe {
            let functions = &*(*object).functions;
            (functions.start)(object, null_mut(), null_mut(), PROGDLG_NOMINIMIZE, null());
        }
        Some(window)
    }

    /// Brings the dialog up to date.
    pub(crate) fn show(&mut self, view: &ProgressView) -> io::Result<()> {
        self.draw(view);
        Ok(())
    }

    fn draw(&mut self, view: &ProgressView) {
        let notes = view.notes.as_deref().unwrap_or(&self.hint);
        let detail = match view.notes {
            Some(_) => format!("{}. {}", view.detail, self.hint),
            None => view.detail.clone(),
        };
        for (line, text) in [(1, view.title.as_str()), (2, &detail), (3, notes)] {
            let text = wide(text);
            // SAFETY: the object is alive, the text is NUL-terminated.
            unsafe {
                let functions = &*(*self.object).functions;
                (functions.set_line)(self.object, line, text.as_ptr(), 0, null());
            }
        }
        let part = (view.part * f64::from(TOTAL)) as u32;
        // SAFETY: the object is alive.
        unsafe {
            let functions = &*(*self.object).functions;
            (functions.set_progress)(self.object, part, TOTAL);
        }
    }

    /// Returns what became of the dialog: whether Cancel was pressed.
    pub(crate) fn look(&self) -> Look {
        // SAFETY: the object is alive.
        let cancelled = unsafe { ((*(*self.object).functions).has_user_cancelled)(self.object) };
        match cancelled {
            0 => Look::Open,
            _ => Look::Cancelled,
        }
    }
}

impl Drop for Window {
    fn drop(&mut self) {
        // SAFETY: this is the only reference, and it is used no more.
        unsafe {
            let functions = &*(*self.object).functions;
            (functions.stop)(self.object);
            (functions.release)(self.object);
            CoUninitialize();
        }
    }
}

fn wide(text: &str) -> Vec<u16> {
    text.encode_utf16().chain([0]).collect()
}
