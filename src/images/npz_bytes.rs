//! Writes a set of images as the NumPy archive that the readers open.

use super::ImageSet;
use std::io::{self, Cursor, Write};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

/// The set as a NumPy archive: `x` bytes `[n, h, w, c]`, `y` labels; compressed, without the time it was written at, so
/// that the same set gives the same bytes.
///
/// # Errors
/// Where the archive cannot be written to memory.
pub fn npz_bytes(images: &ImageSet) -> io::Result<Vec<u8>> {
    let (n, c, area) = (images.len(), images.channels, images.height * images.width);
    let pixels = (0..n).flat_map(|i| {
        let planes = images.image(i);
        (0..area * c).map(move |k| planes[k % c * area + k / c])
    });
    let labels = images.labels.iter().flat_map(|&label| (label as i64).to_le_bytes());
    let mut archive = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(DateTime::default());
    archive.start_file("x.npy", options)?;
    archive.write_all(&npy("|u1", &[n, images.height, images.width, c], pixels))?;
    archive.start_file("y.npy", options)?;
    archive.write_all(&npy("<i8", &[n], labels))?;
    Ok(archive.finish()?.into_inner())
}

/// One NumPy array (format 1.0): its `kind` as NumPy writes it, its shape, and the bytes of its values.
fn npy(kind: &str, shape: &[usize], values: impl Iterator<Item = u8>) -> Vec<u8> {
    let shape: String = shape.iter().map(|d| format!("{d}, ")).collect();
    let header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': ({shape}), }}");
    // Magic, version, length and header together are a multiple of 64 bytes, and a line ends there.
    let length = (header.len() + 11).next_multiple_of(64) - 10;
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((length as u16).to_le_bytes());
    bytes.extend(format!("{header:<width$}\n", width = length - 1).bytes());
    bytes.extend(values);
    bytes
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::images::{Wanted, open};
    use crate::progress::Monitor;

    #[test]
    fn what_is_written_is_read_back_and_gives_the_same_bytes() {
        let set = ImageSet {
            pixels: (0..3 * 3 * 20).map(|i| (i * 3 % 256) as u8).collect(),
            channels: 3,
            height: 4,
            width: 5,
            labels: vec![1, 0, 2],
            names: (0..3).map(|i| i.to_string()).collect(),
            skipped: Vec::new(),
            files: Vec::new(),
        };
        let bytes = npz_bytes(&set).unwrap();
        assert_eq!(bytes, npz_bytes(&set).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("set.npz");
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(open(&path, &Wanted::default(), &Monitor::silent()).unwrap(), set);
    }
}
