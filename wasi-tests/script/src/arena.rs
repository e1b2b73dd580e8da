//! The memory that calls of the script read and write: filled anew for each call, and compared
//! afterwards with what it was, so that nothing the host writes stays unseen.

use std::ops::Range;
use std::slice;

/// What untouched memory holds.
pub const FILL: u8 = 0xa5;
const SIZE: usize = 64 << 10;
/// Between two pieces, so that writing past one shows.
const GAP: usize = 16;

pub struct Arena {
    base: *mut u8,
    used: usize,
    before: Vec<u8>,
}

impl Arena {
    pub fn new() -> Arena {
        let base = Box::leak(vec![FILL; SIZE].into_boxed_slice()).as_mut_ptr();
        Arena {
            base,
            used: 0,
            before: Vec::new(),
        }
    }

    fn bytes(&self) -> &[u8] {
        // SAFETY: the memory is never freed, and only `put` and the host write to it, the one
        // with `&mut self` and the other within a call, when nothing is borrowed.
        unsafe { slice::from_raw_parts(self.base, SIZE) }
    }

    pub fn reset(&mut self) {
        let end = SIZE.min(self.used + GAP);
        self.used = 0;
        self.write(0, &vec![FILL; end]);
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        assert!(at + bytes.len() <= SIZE, "the arena is too small");
        // SAFETY: it lies in the arena, and the other is not in it.
        unsafe { slice::from_raw_parts_mut(self.base.add(at), bytes.len()) }.copy_from_slice(bytes);
    }

    /// Room for so many bytes, aligned for anything, or for nothing.
    pub fn room(&mut self, len: usize, skewed: bool) -> usize {
        let at = (self.used + GAP).next_multiple_of(8) + usize::from(skewed);
        assert!(at + len + GAP <= SIZE, "the arena is too small");
        self.used = at + len;
        at
    }

    pub fn put(&mut self, bytes: &[u8], skewed: bool) -> usize {
        let at = self.room(bytes.len(), skewed);
        self.write(at, bytes);
        at
    }

    /// The guest's address of a place.
    pub fn address(&self, at: usize) -> u32 {
        self.base as usize as u32 + at as u32
    }

    /// To be called when all is in place.
    pub fn keep(&mut self) {
        self.before = self.bytes()[..SIZE.min(self.used + GAP)].to_vec();
    }

    pub fn get(&self, place: Range<usize>) -> &[u8] {
        &self.bytes()[place]
    }

    pub fn is_changed(&self, place: Range<usize>) -> bool {
        self.get(place.clone()) != &self.before[place]
    }

    /// The first change that lies in none of these places.
    pub fn stray(&self, places: &[Range<usize>]) -> Option<usize> {
        let mut pairs = self.bytes().iter().zip(&self.before).enumerate();
        pairs
            .find(|(at, (now, then))| now != then && !places.iter().any(|p| p.contains(at)))
            .map(|(at, _)| at)
    }
}
