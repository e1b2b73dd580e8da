//! An allocator that counts, so that a server can tell what it allocated.

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);
static ALLOCATED: AtomicU64 = AtomicU64::new(0);
static FREED: AtomicU64 = AtomicU64::new(0);

/// How often memory was asked for; a change of a block's size counts.
pub fn allocations() -> u64 {
    ALLOCATIONS.load(Relaxed)
}

pub fn allocated_bytes() -> u64 {
    ALLOCATED.load(Relaxed)
}

/// Bytes that are allocated now.
pub fn live_bytes() -> u64 {
    ALLOCATED.load(Relaxed) - FREED.load(Relaxed)
}

fn allocated(bytes: usize) {
    ALLOCATIONS.fetch_add(1, Relaxed);
    ALLOCATED.fetch_add(bytes as u64, Relaxed);
}

// SAFETY: all calls go to the system's allocator as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        allocated(layout.size());
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        FREED.fetch_add(layout.size() as u64, Relaxed);
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.dealloc(block, layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        FREED.fetch_add(layout.size() as u64, Relaxed);
        allocated(size);
        // SAFETY: the caller's promises are the ones that are asked for.
        unsafe { System.realloc(block, layout, size) }
    }
}
