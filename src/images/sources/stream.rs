//! Reading bytes from files that may lie about their length.
//!
//! Memory grows with what really arrives, never with what a header claims; decompression ends at the
//! declared length; a stop request is seen between pieces.

use crate::images::ImageError;
use crate::progress::Monitor;
use flate2::read::MultiGzDecoder;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Bytes that are looked at to recognise a file.
const START: u64 = 4096;
/// Bytes read between two looks at the stop flag.
const PIECE: u64 = 1 << 20;

/// The first bytes of a file, as they are on disk.
pub(super) fn first_bytes(path: &Path) -> Result<Vec<u8>, ImageError> {
    let mut start = Vec::new();
    let file = File::open(path).map_err(|e| ImageError::io(path, e))?;
    file.take(START).read_to_end(&mut start).map_err(|e| ImageError::io(path, e))?;
    Ok(start)
}

/// A file's content, unpacked where it is gzip.
pub(super) fn unpacked(path: &Path) -> Result<Box<dyn Read>, ImageError> {
    let start = first_bytes(path)?;
    let file = BufReader::new(File::open(path).map_err(|e| ImageError::io(path, e))?);
    Ok(if start.starts_with(&[0x1f, 0x8b]) { Box::new(MultiGzDecoder::new(file)) } else { Box::new(file) })
}

/// Exactly `expected` bytes of `reader`; `path` is named in errors.
///
/// # Errors
/// [`ImageError::Damaged`] where the content is shorter or broken.
pub(super) fn read_declared(
    reader: &mut dyn Read,
    expected: u64,
    path: &Path,
    monitor: &Monitor,
) -> Result<Vec<u8>, ImageError> {
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < expected {
        monitor.check()?;
        let piece = PIECE.min(expected - bytes.len() as u64);
        let got = reader.take(piece).read_to_end(&mut bytes).map_err(|e| ImageError::damaged(path, e.to_string()))?;
        if got == 0 {
            let why = format!("it ends after {} of {expected} bytes", bytes.len());
            return Err(ImageError::damaged(path, why));
        }
        monitor.step("Reading images", bytes.len() as f32 / expected as f32);
    }
    Ok(bytes)
}
