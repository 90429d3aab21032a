//! Keras 3 `.keras` archives: a zip of the layers as JSON and the weights as HDF5.
//!
//! In: the bytes of an archive. Out: its parts; and an archive with other weights. What is unpacked is bounded. Nothing
//! else of an archive is looked at, and nothing in it is executed.

use super::Fault;
use std::io::{Cursor, Read, Write};
use zip::read::ZipFile;
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipArchive, ZipWriter};

const CONFIG: &str = "config.json";
const METADATA: &str = "metadata.json";
const WEIGHTS: &str = "model.weights.h5";

/// No description of layers is larger.
const LARGEST_TEXT: u64 = 64 << 20;
/// Weights may take this many times the size of the archive, and this much on top.
const INFLATION: u64 = 64;
const ALLOWANCE: u64 = 16 << 20;

/// What an archive holds.
#[derive(Debug)]
pub(super) struct Parts {
    /// The layers, as JSON.
    pub config: String,
    /// Version of Keras that wrote it.
    pub version: Option<String>,
    /// An HDF5 file.
    pub weights: Vec<u8>,
}

/// Whether a zip archive is one of Keras, by the names in its directory.
pub(in crate::model) fn is_archive(bytes: &[u8]) -> bool {
    if !bytes.starts_with(b"PK\x03\x04") {
        return false;
    }
    match ZipArchive::new(Cursor::new(bytes)) {
        Ok(archive) => [CONFIG, WEIGHTS].iter().all(|name| archive.index_for_name(name).is_some()),
        // Cut off: told by the names that stand in front of its parts.
        Err(_) => [CONFIG, METADATA].iter().any(|name| bytes.get(30..30 + name.len()) == Some(name.as_bytes())),
    }
}

/// Takes an archive apart.
pub(super) fn unpack(bytes: &[u8]) -> Result<Parts, Fault> {
    let mut archive = ZipArchive::new(Cursor::new(bytes)).map_err(damaged)?;
    let config = text(&mut archive, CONFIG)?;
    let metadata = text(&mut archive, METADATA).unwrap_or_default();
    let metadata: serde_json::Value = serde_json::from_str(&metadata).unwrap_or_default();
    let version = metadata.get("keras_version").and_then(serde_json::Value::as_str).map(str::to_owned);
    let most = (bytes.len() as u64).saturating_mul(INFLATION).saturating_add(ALLOWANCE);
    let weights = part(archive.by_name(WEIGHTS).map_err(damaged)?, most)?;
    Ok(Parts { config, version, weights })
}

fn damaged(error: zip::result::ZipError) -> Fault {
    Fault::Damaged(format!("its archive cannot be read ({error})"))
}

fn text(archive: &mut ZipArchive<Cursor<&[u8]>>, name: &str) -> Result<String, Fault> {
    let bytes = part(archive.by_name(name).map_err(damaged)?, LARGEST_TEXT)?;
    String::from_utf8(bytes).map_err(|_| Fault::Damaged(format!("its \"{name}\" is no text")))
}

fn part<R: Read>(file: ZipFile<'_, R>, most: u64) -> Result<Vec<u8>, Fault> {
    let name = String::from_utf8_lossy(file.name_raw()).into_owned();
    let mut bytes = Vec::new();
    let read = file.take(most + 1).read_to_end(&mut bytes);
    read.map_err(|error| Fault::Damaged(format!("its \"{name}\" cannot be unpacked ({error})")))?;
    if bytes.len() as u64 > most {
        return Err(Fault::Damaged(format!("its \"{name}\" unpacks to more than any model")));
    }
    Ok(bytes)
}

/// The archive with other weights; all else is copied as it is.
///
/// # Errors
/// A clause that says what cannot be read.
pub(super) fn repack(bytes: &[u8], weights: &[u8]) -> Result<Vec<u8>, String> {
    let pack = || -> zip::result::ZipResult<Vec<u8>> {
        let mut archive = ZipArchive::new(Cursor::new(bytes))?;
        let mut packed = ZipWriter::new(Cursor::new(Vec::with_capacity(bytes.len())));
        for i in 0..archive.len() {
            let file = archive.by_index_raw(i)?;
            if file.name_raw() != WEIGHTS.as_bytes() {
                packed.raw_copy_file(file)?;
                continue;
            }
            // Stored plainly, as Keras does it.
            let plain = SimpleFileOptions::default().compression_method(CompressionMethod::Stored);
            let plain = plain
                .last_modified_time(file.last_modified().unwrap_or_default())
                .large_file(weights.len() as u64 > u64::from(u32::MAX));
            packed.start_file(WEIGHTS, plain)?;
            packed.write_all(weights)?;
        }
        Ok(packed.finish()?.into_inner())
    };
    pack().map_err(|error| format!("its archive cannot be written anew ({error})"))
}
