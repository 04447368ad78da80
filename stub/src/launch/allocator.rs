//! Wraps the system's allocator, and asks for help before it gives up.
#![allow(unsafe_code)]

use super::rescue;
use std::alloc::{GlobalAlloc, Layout, System};

/// Allocates memory for the stub.
#[derive(Debug, Clone, Copy)]
pub struct Allocator;

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
