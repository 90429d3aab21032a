//! Readers under files that were changed at random: no panic, no flood of memory, and one sentence each.
//!
//! A few seconds of it in every run of the tests; `POISDETC_FUZZ_SECONDS` makes it so many seconds for each reader. Files
//! that end in a panic are kept in `target/mutations`, to become tests of their own. The changes are drawn from a seed
//! (`POISDETC_FUZZ_SEED`), so a run can be done again.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use poisdetc::images::{self, Wanted};
use poisdetc::model;
use poisdetc::progress::Monitor;
use poisdetc::tensor::{Random, Seed};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Larger files are no seeds: small ones are changed where it matters.
const LARGEST_SEED: u64 = 80_000;

fn number(name: &str, absent: u64) -> u64 {
    std::env::var(name).ok().and_then(|v| v.parse().ok()).unwrap_or(absent)
}

/// All small files of a folder of the project with one of these endings.
fn files(folder: &str, endings: &[&str]) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut paths: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    let fits = |p: &&PathBuf| {
        endings.iter().any(|e| p.extension().is_some_and(|x| x == *e)) && p.metadata().unwrap().len() <= LARGEST_SEED
    };
    paths.iter().filter(fits).map(|p| std::fs::read(p).unwrap()).collect()
}

/// Numbers that readers trip over.
const ODD: [u64; 12] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 40, i64::MAX as u64, u64::MAX];

/// A seed with a few changes.
fn mutated(seeds: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    let mut bytes = seeds[random.below(seeds.len())].clone();
    for _ in 0..1 + random.below(4) {
        if bytes.is_empty() {
            break;
        }
        // Half of the changes near the start, where the structure is.
        let reach = if random.chance(0.5) { bytes.len().min(512) } else { bytes.len() };
        let at = random.below(reach);
        match random.below(8) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at] = random.below(256) as u8,
            2 => bytes.truncate(at),
            3 => {
                let odd = ODD[random.below(ODD.len())];
                let width = [1, 2, 4, 8][random.below(4)].min(bytes.len() - at);
                let number = if random.chance(0.5) { odd.to_le_bytes() } else { odd.rotate_left(8).to_be_bytes() };
                bytes[at..at + width].copy_from_slice(&number[..width]);
            }
            4 => {
                let length = (1 + random.below(64)).min(bytes.len() - at);
                let piece = bytes[at..at + length].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, piece);
            }
            5 => {
                let length = (1 + random.below(64)).min(bytes.len() - at);
                bytes.drain(at..at + length);
            }
            6 => {
                let other = &seeds[random.below(seeds.len())];
                let from = random.below(other.len().max(1)).min(other.len());
                let length = random.below(256).min(other.len() - from).min(bytes.len() - at);
                bytes[at..at + length].copy_from_slice(&other[from..from + length]);
            }
            _ => {
                // A longer number, as protobuf writes them.
                let mut number = ODD[random.below(ODD.len())];
                let mut digits = Vec::new();
                while number >= 0x80 {
                    digits.push(number as u8 | 0x80);
                    number >>= 7;
                }
                digits.push(number as u8);
                bytes.splice(at..at + 1, digits);
            }
        }
    }
    bytes
}

/// Feeds a reader with changed files for a while. `read` says whether it took one, or why not.
fn feed(reader: &str, name: &str, seeds: &[Vec<u8>], read: impl Fn(&Path) -> Result<(), String>) {
    assert!(!seeds.is_empty(), "no seeds for {reader}");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/mutations");
    let mut random = Seed(number("POISDETC_FUZZ_SEED", 1)).of(reader).random();
    let end = Instant::now() + Duration::from_secs(number("POISDETC_FUZZ_SECONDS", 2));
    let (mut count, mut taken, mut slowest, mut panics) = (0_u64, 0_u64, Duration::ZERO, Vec::new());
    while Instant::now() < end {
        let bytes = mutated(seeds, &mut random);
        std::fs::write(&path, &bytes).unwrap();
        let started = Instant::now();
        let answer = catch_unwind(AssertUnwindSafe(|| read(&path)));
        count += 1;
        let keep = |why: &str| {
            std::fs::create_dir_all(&kept).unwrap();
            let file = kept.join(format!("{reader}-{count}-{name}"));
            std::fs::write(&file, &bytes).unwrap();
            format!("{}: {why}", file.display())
        };
        match answer {
            Ok(Ok(())) => taken += 1,
            Ok(Err(why)) => {
                let sentence = why.split("\n\n").next().unwrap_or_default();
                if sentence.is_empty() || sentence.contains('\n') {
                    panics.push(keep(&format!("no single sentence: {why}")));
                }
            }
            Err(_) => panics.push(keep("panicked")),
        }
        if started.elapsed() > slowest {
            slowest = started.elapsed();
            if slowest > Duration::from_secs(5) {
                println!("{}", keep(&format!("took {slowest:?}")));
            }
        }
        if panics.len() > 5 {
            break;
        }
    }
    println!("{reader}: {count} files from {} seeds, {taken} taken, slowest {slowest:?}", seeds.len());
    assert!(panics.is_empty(), "{}", panics.join("\n"));
}

fn open_model(path: &Path) -> Result<(), String> {
    model::open(path).map(|_| ()).map_err(|e| e.to_string())
}

fn open_images(path: &Path) -> Result<(), String> {
    images::open(path, &Wanted::default(), &Monitor::silent()).map(|_| ()).map_err(|e| e.to_string())
}

#[test]
fn changed_onnx_files() {
    feed("onnx", "model.onnx", &files("tests/fixtures/breadth", &["onnx"]), open_model);
}

#[test]
fn changed_keras_files() {
    let seeds = [files("tests/fixtures/breadth", &["h5"]), files("tests/data/keras", &["h5"])].concat();
    feed("hdf5", "model.h5", &seeds, open_model);
    feed("keras", "model.keras", &files("tests/fixtures/breadth", &["keras"]), open_model);
}

#[test]
fn changed_files_of_other_programs() {
    feed("foreign", "model.pt", &files("tests/fixtures/foreign", &["pt", "pth", "pt2", "safetensors"]), open_model);
}

/// Three gray pictures of 4 x 5 with labels, as NumPy, IDX and CIFAR store them.
mod pictures {
    use std::io::Write;

    pub fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
        let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
        while (10 + header.len() + 1) % 64 != 0 {
            header.push(' ');
        }
        header.push('\n');
        let length = (header.len() as u16).to_le_bytes();
        [b"\x93NUMPY\x01\x00", length.as_slice(), header.as_bytes(), data].concat()
    }

    pub fn npz(parts: &[(&str, Vec<u8>)]) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
        for (name, bytes) in parts {
            let plain = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
            zip.start_file(*name, plain).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    pub fn idx(kind: u8, dims: &[u32], data: &[u8]) -> Vec<u8> {
        let sizes = dims.iter().flat_map(|d| d.to_be_bytes());
        [0, 0, kind, dims.len() as u8].into_iter().chain(sizes).chain(data.iter().copied()).collect()
    }

    pub fn bytes(count: usize) -> Vec<u8> {
        (0..count).map(|i| (i * 37 % 256) as u8).collect()
    }
}

#[test]
fn changed_image_files() {
    use pictures::{bytes, idx, npy, npz};
    let labels = npy("<i8", "(3,)", &[0_i64, 1, 2].iter().flat_map(|l| l.to_le_bytes()).collect::<Vec<u8>>());
    let seeds = vec![
        npz(&[("x.npy", npy("|u1", "(3, 4, 5, 3)", &bytes(180))), ("y.npy", labels.clone())]),
        npz(&[("x.npy", npy("<f4", "(3, 4, 5)", &bytes(240))), ("y.npy", labels)]),
    ];
    feed("npz", "images.npz", &seeds, open_images);
    // The labels lie beside the pictures; they stay as they are.
    let folder = tempfile::tempdir().unwrap();
    let beside = folder.path().to_owned();
    let beside = beside.join("t10k-labels-idx1-ubyte");
    std::fs::write(&beside, idx(8, &[3], &[0, 1, 2])).unwrap();
    let open_idx = |path: &Path| {
        std::fs::copy(&beside, path.with_file_name("t10k-labels-idx1-ubyte")).unwrap();
        open_images(path)
    };
    feed("idx", "t10k-images-idx3-ubyte", &[idx(8, &[3, 4, 5], &bytes(60))], open_idx);
    let cifar = |label: usize| (0..4).flat_map(|i| [vec![(i % 3) as u8; label], bytes(3072)].concat()).collect();
    feed("cifar", "test_batch.bin", &[cifar(1), cifar(2)], open_images);
}
