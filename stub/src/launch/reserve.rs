//! Keeps some memory for the case that there is no more.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// What starting the application may take when there is nothing else left. It
/// is not touched, so it costs addresses only.
const RESERVE: Layout = match Layout::from_size_align(2 << 20, 16) {
    Ok(layout) => layout,
    Err(_) => panic!("a sound layout"),
};

static KEPT: AtomicPtr<u8> = AtomicPtr::new(ptr::null_mut());

/// Sets the reserve aside.
pub(super) fn keep_reserve() {
    // SAFETY: the size is not zero.
    let reserve = unsafe { System.alloc(RESERVE) };
    free(KEPT.swap(reserve, Ordering::SeqCst));
}

/// Gives the reserve back to the system.
pub(super) fn free_reserve() {
    free(KEPT.swap(ptr::null_mut(), Ordering::SeqCst));
}

fn free(reserve: *mut u8) {
    if !reserve.is_null() {
        // SAFETY: it was allocated with this layout, and is taken out of its
        // place only once.
        unsafe { System.dealloc(reserve, RESERVE) };
    }
}
