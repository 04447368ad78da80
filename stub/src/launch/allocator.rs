//! The system's allocator, which asks for help before it gives up.
#![allow(unsafe_code)]

use super::rescue;
use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

/// The allocator of the stub.
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

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

/// Gives it back to the system.
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

/// What `allocate` gives, if need be after the reserve is given back.
fn or_rescue(allocate: impl Fn() -> *mut u8) -> *mut u8 {
    let mut place = allocate();
    if place.is_null() {
        rescue::out_of_memory();
        place = allocate();
    }
    if place.is_null() {
        rescue::out_of_reserve();
    }
    place
}

// SAFETY: all is left to the system's allocator, with the same arguments.
unsafe impl GlobalAlloc for Allocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        or_rescue(|| unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise.
        or_rescue(|| unsafe { System.alloc_zeroed(layout) })
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise; where it fails, the old place stays.
        or_rescue(|| unsafe { System.realloc(place, layout, size) })
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise.
        unsafe { System.dealloc(place, layout) }
    }
}
