//! Writes a set of images as the NumPy archive that the readers open.

use super::ImageSet;
use std::io::{self, Cursor};

/// The set as a NumPy archive: `x` bytes `[n, h, w, c]`, `y` labels; compressed, without the time it was written at, so
/// that the same set gives the same bytes.
///
/// # Errors
/// Where the archive cannot be written to memory.
pub fn npz_bytes(images: &ImageSet) -> io::Result<Vec<u8>> {
    use npyz::WriterBuilder;
    let options = zip::write::FileOptions::default()
        .compression_method(zip::CompressionMethod::Deflated)
        .compression_level(Some(9))
        .last_modified_time(zip::DateTime::default());
    let (n, c, area) = (images.len(), images.channels, images.height * images.width);
    let mut bytes = Cursor::new(Vec::new());
    let mut archive = npyz::npz::NpzWriter::new(&mut bytes);
    let shape = [n, images.height, images.width, c].map(|d| d as u64);
    let mut x = archive.array("x", options)?.default_dtype().shape(&shape).begin_nd()?;
    for i in 0..n {
        let planes = images.image(i);
        x.extend((0..area * c).map(|k| planes[k % c * area + k / c]))?;
    }
    x.finish()?;
    let mut y = archive.array("y", options)?.default_dtype().shape(&[n as u64]).begin_nd()?;
    y.extend(images.labels.iter().map(|&label| label as i64))?;
    y.finish()?;
    drop(archive);
    Ok(bytes.into_inner())
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
