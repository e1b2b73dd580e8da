//! The guest's memory: every access is checked, and no count or pointer of the guest's is trusted.

use std::ops::Range;

use crate::errno::Errno;

/// More pieces than this are refused by every WasmEdge.
pub const MOST_PIECES: u32 = 1024;

/// The bytes of one memory, borrowed for one call.
#[derive(Debug)]
pub struct Memory<'a> {
    pub bytes: &'a mut [u8],
    /// Whether a misaligned structure is refused, as by WasmEdge since 0.16.
    pub aligned: bool,
}

/// A run of bytes in the guest's memory that has been checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    pub at: u32,
    pub length: u32,
}

impl Memory<'_> {
    /// Of nothing, any place will do: WasmEdge looks at the length alone (0.14.1).
    fn range(&self, at: u32, length: u64) -> Result<Range<usize>, Errno> {
        if length == 0 {
            return Ok(0..0);
        }
        let end = u64::from(at) + length;
        if end > self.bytes.len() as u64 {
            return Err(Errno::FAULT);
        }
        Ok(at as usize..end as usize)
    }

    fn structure(&self, at: u32, length: u64, alignment: u32) -> Result<Range<usize>, Errno> {
        if self.aligned && !at.is_multiple_of(alignment) {
            return Err(Errno::ADDRNOTAVAIL);
        }
        self.range(at, length)
    }

    pub fn get(&self, piece: Piece) -> Result<&[u8], Errno> {
        let range = self.range(piece.at, piece.length.into())?;
        Ok(&self.bytes[range])
    }

    pub fn get_mut(&mut self, piece: Piece) -> Result<&mut [u8], Errno> {
        let range = self.range(piece.at, piece.length.into())?;
        Ok(&mut self.bytes[range])
    }

    /// An array of `count` structures, which may be 4 billion.
    pub fn array(&self, at: u32, count: u32, size: u32, alignment: u32) -> Result<(), Errno> {
        let length = u64::from(count) * u64::from(size);
        self.structure(at, length, alignment).map(drop)
    }

    pub fn read<const N: usize>(&self, at: u32, alignment: u32) -> Result<[u8; N], Errno> {
        let range = self.structure(at, N as u64, alignment)?;
        let mut value = [0; N];
        value.copy_from_slice(&self.bytes[range]);
        Ok(value)
    }

    pub fn write(&mut self, at: u32, alignment: u32, value: &[u8]) -> Result<(), Errno> {
        let range = self.structure(at, value.len() as u64, alignment)?;
        self.bytes[range].copy_from_slice(value);
        Ok(())
    }

    pub fn u32(&self, at: u32) -> Result<u32, Errno> {
        self.read(at, 4).map(u32::from_le_bytes)
    }

    pub fn set_u32(&mut self, at: u32, value: u32) -> Result<(), Errno> {
        self.write(at, 4, &value.to_le_bytes())
    }

    pub fn set_u16(&mut self, at: u32, value: u16) -> Result<(), Errno> {
        self.write(at, 2, &value.to_le_bytes())
    }

    /// Whether a value could be written, so that nothing happens before that is known.
    pub fn writable(&self, at: u32, size: u32) -> Result<(), Errno> {
        self.array(at, 1, size, size)
    }

    /// A pointer and a length, as pieces and addresses are handed over.
    pub fn piece(&self, at: u32) -> Result<Piece, Errno> {
        let [a, b, c, d, e, f, g, h] = self.read(at, 4)?;
        let piece = Piece {
            at: u32::from_le_bytes([a, b, c, d]),
            length: u32::from_le_bytes([e, f, g, h]),
        };
        self.get(piece)?;
        Ok(piece)
    }

    /// The pieces of a gathering or scattering call, all of them checked.
    pub fn pieces(&self, at: u32, count: u32) -> Result<Vec<Piece>, Errno> {
        if count > MOST_PIECES {
            return Err(Errno::INVAL);
        }
        self.array(at, count, 8, 4)?;
        (0..count).map(|index| self.piece(at + 8 * index)).collect()
    }

    /// What the pieces hold, up to `most` bytes.
    pub fn gather(&self, pieces: &[Piece], most: usize) -> Result<Vec<u8>, Errno> {
        let mut all = Vec::new();
        for piece in pieces {
            let bytes = self.get(*piece)?;
            let fits = bytes.len().min(most - all.len());
            all.extend(&bytes[..fits]);
        }
        Ok(all)
    }

    /// Spreads `bytes` over the pieces.
    pub fn scatter(&mut self, pieces: &[Piece], mut bytes: &[u8]) -> Result<(), Errno> {
        for piece in pieces {
            let room = self.get_mut(*piece)?;
            let (now, later) = bytes.split_at(room.len().min(bytes.len()));
            room[..now.len()].copy_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    pub fn text(&self, at: u32, length: u32) -> Result<String, Errno> {
        let bytes = self.get(Piece { at, length })?;
        let end = bytes.iter().position(|byte| *byte == 0);
        let text = &bytes[..end.unwrap_or(bytes.len())];
        String::from_utf8(text.to_vec()).map_err(|_| Errno::INVAL)
    }
}

/// How many bytes all pieces have room for, up to `most`.
pub fn room(pieces: &[Piece], most: usize) -> usize {
    let all: u64 = pieces.iter().map(|piece| u64::from(piece.length)).sum();
    all.min(most as u64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(bytes: &mut [u8]) -> Memory<'_> {
        Memory {
            bytes,
            aligned: true,
        }
    }

    #[test]
    fn the_end_of_memory_is_the_end() {
        let mut bytes = [0; 16];
        let mut memory = memory(&mut bytes);
        assert_eq!(memory.set_u32(12, 7), Ok(()));
        assert_eq!(memory.set_u32(16, 7), Err(Errno::FAULT));
        assert_eq!(memory.set_u32(u32::MAX - 3, 7), Err(Errno::FAULT));
        assert_eq!(memory.u32(13), Err(Errno::ADDRNOTAVAIL));
        memory.aligned = false;
        assert_eq!(memory.u32(13), Err(Errno::FAULT));
        assert_eq!(memory.u32(11), Ok(7 << 8));
        assert_eq!(memory.array(0, u32::MAX, 48, 8), Err(Errno::FAULT));
        assert_eq!(memory.array(u32::MAX, 0, 48, 8), Ok(()));
        let nothing = Piece {
            at: u32::MAX,
            length: 0,
        };
        assert_eq!(memory.get(nothing), Ok(&[][..]));
    }

    #[test]
    fn pieces_are_gathered_and_scattered() {
        let mut bytes = [0; 32];
        let mut memory = memory(&mut bytes);
        for (at, value) in [(0, 16), (4, 3), (8, 20), (12, 4)] {
            memory.set_u32(at, value).unwrap();
        }
        let pieces = memory.pieces(0, 2).unwrap();
        assert_eq!(room(&pieces, 100), 7);
        memory.scatter(&pieces, b"abcde").unwrap();
        assert_eq!(memory.gather(&pieces, 100).unwrap(), b"abcde\0\0");
        assert_eq!(memory.gather(&pieces, 4).unwrap(), b"abcd");
        assert_eq!(memory.pieces(0, 1025), Err(Errno::INVAL));
        memory.set_u32(12, u32::MAX).unwrap();
        assert_eq!(memory.pieces(0, 2), Err(Errno::FAULT));
    }
}
