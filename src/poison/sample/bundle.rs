//! The sample's files inside the program.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Name of the image archive: `x` `[n, 32, 32, 3]` and `y`.
pub const IMAGES: &str = "signs.npz";
/// Name of the text file with one label name a line.
pub const NAMES: &str = "labels.txt";
/// Name of the model with the backdoor.
pub const SUSPECT: &str = "signs-suspect.onnx";
/// Name of the model without one.
pub const HONEST: &str = "signs-honest.onnx";

/// Every file of the sample by name.
pub const FILES: [(&str, &[u8]); 4] = [
    (IMAGES, include_bytes!("../../../assets/sample/signs.npz")),
    (NAMES, include_bytes!("../../../assets/sample/labels.txt")),
    (SUSPECT, include_bytes!("../../../assets/sample/signs-suspect.onnx")),
    (HONEST, include_bytes!("../../../assets/sample/signs-honest.onnx")),
];

/// Lays the sample down in the user's cache folder, where it is missing or different, and says where.
///
/// # Errors
/// Where neither the cache folder nor the system's temporary folder can be written to.
pub fn unpack() -> io::Result<PathBuf> {
    let folder = Path::new("poisdetc").join(concat!("sample-", env!("CARGO_PKG_VERSION")));
    if let Some(cache) = cache_folder() {
        let folder = cache.join(&folder);
        if unpack_into(&folder).is_ok() {
            return Ok(folder);
        }
    }
    let folder = std::env::temp_dir().join(folder);
    unpack_into(&folder)?;
    Ok(folder)
}

/// Lays the sample down in `folder`, which is made where it is missing. A file that is there and right
/// is left alone; any other is replaced in one step, so that nobody ever reads half of one.
///
/// # Errors
/// Where the folder cannot be written to.
pub fn unpack_into(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for (name, bytes) in FILES {
        let path = folder.join(name);
        if fs::read(&path).is_ok_and(|there| there == bytes) {
            continue;
        }
        let mut file = tempfile::NamedTempFile::new_in(folder)?;
        file.write_all(bytes)?;
        file.persist(&path).map_err(|e| e.error)?;
    }
    Ok(())
}

/// Where this system keeps what a program can make again.
fn cache_folder() -> Option<PathBuf> {
    let folder = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    if cfg!(windows) {
        folder("LOCALAPPDATA")
    } else if cfg!(target_os = "macos") {
        folder("HOME").map(|home| home.join("Library/Caches"))
    } else {
        folder("XDG_CACHE_HOME").or_else(|| folder("HOME").map(|home| home.join(".cache")))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_files_are_laid_down_whole_and_repaired_where_they_were_changed() {
        let folder = tempfile::tempdir().unwrap();
        let sample = folder.path().join("deep/sample");
        unpack_into(&sample).unwrap();
        fs::write(sample.join(IMAGES), b"half").unwrap();
        fs::remove_file(sample.join(NAMES)).unwrap();
        unpack_into(&sample).unwrap();
        for (name, bytes) in FILES {
            assert_eq!(fs::read(sample.join(name)).unwrap(), bytes, "{name}");
        }
        assert_eq!(fs::read_dir(&sample).unwrap().count(), FILES.len());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), b"").unwrap();
        assert!(unpack_into(&folder.path().join("file/sample")).is_err());
    }

    #[test]
    fn the_sample_stays_small() {
        let total: usize = FILES.iter().map(|(_, bytes)| bytes.len()).sum();
        assert!(total < 900_000, "{total} bytes");
    }
}
