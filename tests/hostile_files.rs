//! A corpus of bad files, made here, each given to the built program under bounds on memory (1 GiB of addresses) and
//! processor time (5 s): one sentence and status 1, whatever the file is.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod example;
mod made;
mod program;

use flate2::Compression;
use flate2::write::GzEncoder;
use poisdetc::model::onnx::messages::*;
use poisdetc::report::json;
use program::sample;
use prost::Message;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

/// KiB of addresses and seconds of processor time a file may cost.
const ADDRESSES: usize = 1 << 20;
const SECONDS: usize = 5;

/// What the program is asked to do with a file.
#[derive(Clone, Copy, PartialEq)]
enum Given {
    Model,
    Images,
    Labels,
    Preprocessing,
    Audit,
    List,
}

/// A bad file: what is bad about it, its name and its bytes.
struct Bad {
    given: Given,
    what: String,
    name: &'static str,
    bytes: Vec<u8>,
}

fn bad(given: Given, name: &'static str, what: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Bad {
    Bad { given, what: what.into(), name, bytes: bytes.into() }
}

/// The program under the bounds, in a folder of its own.
fn bounded(home: &Path, arguments: &[&Path]) -> (Option<i32>, String) {
    bounded_to(ADDRESSES, home, arguments)
}

fn bounded_to(addresses: usize, home: &Path, arguments: &[&Path]) -> (Option<i32>, String) {
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("ulimit -v {addresses} && ulimit -t {SECONDS} && exec \"$0\" \"$@\""));
    shell.arg(env!("CARGO_BIN_EXE_poisdetc")).args(arguments).stdin(Stdio::null()).current_dir(home);
    for absent in ["DISPLAY", "WAYLAND_DISPLAY", "WAYLAND_SOCKET", "RUST_BACKTRACE"] {
        shell.env_remove(absent);
    }
    shell.env("HOME", home).env("XDG_CACHE_HOME", home.join("cache")).env("XDG_DATA_HOME", home.join("data"));
    let output = shell.output().unwrap();
    (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// What is wrong with how the program answers a bad file; `None` where all is as it should be.
fn trouble(file: &Bad) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(file.name);
    fs::write(&path, &file.bytes).unwrap();
    let (model, images) = (sample("signs-suspect.onnx"), sample("signs.npz"));
    let [inspect, audit, report, batch] = ["inspect", "audit", "report", "batch"].map(Path::new);
    let [labels, preprocessing, out] = ["--labels", "--preprocessing", "--out"].map(Path::new);
    let (page, results) = (folder.path().join("out.html"), folder.path().join("results"));
    let arguments: Vec<&Path> = match file.given {
        Given::Model => vec![inspect, &path],
        Given::Images => vec![inspect, &model, &path],
        Given::Labels => vec![audit, &model, &images, labels, &path],
        Given::Preprocessing => vec![audit, &model, &images, preprocessing, &path],
        Given::Audit => vec![report, &path, out, &page],
        Given::List => vec![batch, &path, out, &results],
    };
    let (status, said) = bounded(folder.path(), &arguments);
    let sentences: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
    let rude = ["panicked", "backtrace", "Error {", "mistake of the program"].into_iter().find(|w| said.contains(w));
    let control = said.chars().find(|c| c.is_control() && *c != '\n' && *c != '\r');
    let why = match (status, sentences.as_slice(), rude, control) {
        (Some(1), [_], None, None) => return None,
        (None, ..) => "killed: it took too much time or memory".to_owned(),
        (Some(1), ..) => "not one clean sentence".to_owned(),
        (Some(status), ..) => format!("status {status}"),
    };
    Some(format!("{}: {why}: {}", file.what, said.chars().take(400).collect::<String>()))
}

/// All files are tried, so that one run tells of all that is wrong.
fn all_are_refused(corpus: &[Bad]) {
    let next = AtomicUsize::new(0);
    let troubles: Vec<String> = std::thread::scope(|scope| {
        let work = || {
            let mut troubles = Vec::new();
            while let Some(file) = corpus.get(next.fetch_add(1, Ordering::Relaxed)) {
                troubles.extend(trouble(file));
            }
            troubles
        };
        let workers = [scope.spawn(work), scope.spawn(work)];
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    println!("{} bad files", corpus.len());
    assert!(troubles.is_empty(), "{} of {}:\n{}", troubles.len(), corpus.len(), troubles.join("\n"));
}

/// The file cut off at `count` places, from its first bytes to its last.
fn cut(given: Given, name: &'static str, bytes: &[u8], count: usize) -> Vec<Bad> {
    (0..count)
        .map(|i| {
            // Half of the places in the first tenth, where the structure is.
            let share = i as f64 / count as f64;
            let at = bytes.len() as f64 * if share < 0.5 { 0.2 * share } else { 2.0 * share - 1.0 };
            let at = (at as usize).min(bytes.len() - 1);
            bad(given, name, format!("{name} cut off after {at} of {} bytes", bytes.len()), &bytes[..at])
        })
        .collect()
}

fn fixture(path: &str) -> Vec<u8> {
    fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(path)).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

/// An archive of compressed parts.
fn archive(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in parts {
        let how = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        zip.start_file(*name, how).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn npy(kind: &str, shape: &str, data: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape}, }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", (header.len() as u16).to_le_bytes().as_slice(), header.as_bytes(), data].concat()
}

fn idx(dims: &[u32], data: &[u8]) -> Vec<u8> {
    let sizes = dims.iter().flat_map(|d| d.to_be_bytes());
    [0, 0, 8, dims.len() as u8].into_iter().chain(sizes).chain(data.iter().copied()).collect()
}

/// `count` zeros, and they are not kept.
fn zeros(count: usize) -> Vec<u8> {
    vec![0; count]
}

/// A file that is good under the same bounds, or they would be what refuses the bad ones.
#[test]
fn good_files_are_taken_under_the_bounds() {
    let home = tempfile::tempdir().unwrap();
    let (model, images) = (sample("signs-suspect.onnx"), sample("signs.npz"));
    let (status, said) = bounded(home.path(), &[Path::new("inspect"), &model, &images]);
    assert_eq!(status, Some(0), "{said}");
    for (name, bytes) in [("model.onnx", made::good().encode_to_vec()), ("model.h5", fixture("data/keras/nested.h5"))] {
        let path: PathBuf = home.path().join(name);
        fs::write(&path, bytes).unwrap();
        let (status, said) = bounded(home.path(), &[Path::new("inspect"), &path]);
        assert_eq!(status, Some(0), "{name}: {said}");
    }
}

#[test]
fn models_that_were_cut_off() {
    let keras = fixture("data/keras/nested.h5");
    let zipped = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/breadth")).unwrap();
    let mut zipped: Vec<PathBuf> =
        zipped.map(|e| e.unwrap().path()).filter(|p| p.extension().is_some_and(|e| e == "keras")).collect();
    zipped.sort();
    let mut corpus = cut(Given::Model, "model.onnx", &fs::read(sample("signs-suspect.onnx")).unwrap(), 40);
    corpus.extend(cut(Given::Model, "model.onnx", &made::good().encode_to_vec(), 30));
    corpus.extend(cut(Given::Model, "model.h5", &keras, 30));
    corpus.extend(cut(Given::Model, "model.keras", &fs::read(&zipped[0]).unwrap(), 20));
    all_are_refused(&corpus);
}

#[test]
fn images_that_were_cut_off() {
    let pixels: Vec<u8> = (0..20 * 32 * 32 * 3).map(|i| (i * 37 % 251) as u8).collect();
    let mut corpus = cut(Given::Images, "signs.npz", &fs::read(sample("signs.npz")).unwrap(), 25);
    corpus.extend(cut(Given::Images, "t10k-images-idx3-ubyte", &idx(&[20, 32, 32], &pixels[..20 * 1024]), 10));
    corpus.extend(cut(Given::Images, "t10k-images-idx3-ubyte.gz", &gzip(&idx(&[20, 32, 32], &pixels[..20480])), 10));
    let record = 1 + 32 * 32 * 3;
    corpus.extend(
        [1, 100, record - 1, record + 1, 2 * record - 7]
            .map(|n| bad(Given::Images, "test_batch.bin", format!("CIFAR cut off after {n} bytes"), &pixels[..n])),
    );
    all_are_refused(&corpus);
}

#[test]
fn documents_that_were_cut_off_or_are_something_else() {
    let audit = json::text(&example::audit());
    let audit = audit.trim_end().as_bytes();
    let mut corpus = cut(Given::Audit, "audit.json", audit, 20);
    let deep = [vec![b'['; 200_000], vec![b']'; 200_000]].concat();
    for (what, bytes) in [
        ("nothing", Vec::new()),
        ("a number", b"7".to_vec()),
        ("a list", b"[]".to_vec()),
        ("an object of nothing", b"{}".to_vec()),
        ("brackets in brackets", deep),
        ("no text", vec![0xff; 1000]),
        ("zeros", zeros(100_000)),
        ("a string without end", [vec![b'"'], vec![b'a'; 1_000_000]].concat()),
    ] {
        for (given, name) in [
            (Given::Audit, "audit.json"),
            (Given::Preprocessing, "preprocessing.json"),
            (Given::List, "models.json"),
            (Given::Labels, "labels.txt"),
        ] {
            // Seven, a list and an object may be names of labels; there are too few of them.
            corpus.push(bad(given, name, format!("{name}: {what}"), bytes.clone()));
        }
    }
    let mut other: serde_json::Value = serde_json::from_slice(audit).unwrap();
    for (what, place, value) in [
        ("of a later form", "/schema", serde_json::json!(99)),
        ("with a verdict nobody knows", "/verdict", serde_json::json!("fine")),
        ("with a label of another number", "/labels/3/label", serde_json::json!(4_000_000)),
        ("with a picture instead of a number", "/labels/3/trigger/asr", serde_json::json!("AAAA")),
        ("without labels", "/labels", serde_json::json!(null)),
    ] {
        let there = other.pointer_mut(place).unwrap_or_else(|| panic!("there is no {place}"));
        let good = std::mem::replace(there, value);
        corpus.push(bad(Given::Audit, "audit.json", format!("an audit {what}"), other.to_string()));
        *other.pointer_mut(place).unwrap() = good;
    }
    for (what, list) in [
        ("a column is missing", "model\nx.onnx\n".to_owned()),
        ("nothing but the names of columns", "model,images\n".to_owned()),
        ("a line of other length", "model,images\nx.onnx\n".to_owned()),
        ("a quote without end", format!("model,images\n\"{}", "x".repeat(100_000))),
    ] {
        corpus.push(bad(Given::List, "models.csv", format!("models.csv: {what}"), list));
    }
    all_are_refused(&corpus);
}

/// The good model with one thing changed.
fn model(what: &str, change: impl FnOnce(&mut GraphProto)) -> Bad {
    bad(Given::Model, "model.onnx", format!("a model {what}"), made::changed(change))
}

/// A parameter kept in another file.
fn outside(location: &str, more: &[(&str, &str)]) -> TensorProto {
    let entry =
        |(key, value): (&str, &str)| StringStringEntryProto { key: Some(key.into()), value: Some(value.into()) };
    TensorProto {
        name: Some("w".into()),
        dims: vec![4, 3, 3, 3],
        data_type: Some(data_type::FLOAT),
        data_location: Some(1),
        external_data: std::iter::once(("location", location)).chain(more.iter().copied()).map(entry).collect(),
        ..Default::default()
    }
}

#[test]
fn models_that_ask_for_too_much() {
    let mut corpus = Vec::new();
    for dims in [[1 << 20, 1 << 20, 3, 3], [1 << 40, 1, 1, 1], [i64::MAX, 2, 2, 2], [-4, 3, 3, 3], [4, 3, 3, i64::MIN]]
    {
        corpus.push(model(&format!("whose parameter is {dims:?}"), |g| g.initializer[0].dims = dims.to_vec()));
        corpus.push(model(&format!("whose empty parameter is {dims:?}"), |g| {
            g.initializer[0].dims = dims.to_vec();
            g.initializer[0].raw_data = None;
        }));
    }
    for size in [1 << 16, 1 << 24, 1 << 40, i64::MAX] {
        corpus.push(model(&format!("for pictures of {size} pixels a side"), |g| {
            g.input[0] = made::value("x", data_type::FLOAT, &[-1, 3, size, size]);
        }));
        corpus.push(model(&format!("for pictures of {size} channels"), |g| {
            g.input[0] = made::value("x", data_type::FLOAT, &[-1, size, 8, 8]);
        }));
    }
    for location in [
        "../../../../../../etc/passwd",
        "/etc/passwd",
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
        "..\\..\\weights",
        "C:\\weights",
        "\\\\server\\share\\weights",
        "a/../../weights",
        "",
        ".",
        "weights\0.bin",
        "there-is-no-such-file",
    ] {
        corpus.push(model(&format!("with parameters in {location:?}"), |g| g.initializer[0] = outside(location, &[])));
    }
    for more in
        [[("offset", "18446744073709551615")], [("length", "9999999999999")], [("offset", "-1")], [("length", "x")]]
    {
        corpus.push(model(&format!("with parameters in itself, {more:?}"), |g| {
            g.initializer[0] = outside("model.onnx", &more);
        }));
    }
    corpus.push(model("with a name of 30 million letters", |g| g.node[1].op_type = Some("x".repeat(30_000_000))));
    corpus.push(model("with 300,000 steps nobody knows", |g| {
        g.node.extend((0..300_000).map(|i| made::node("Nonsense", &i.to_string(), &["y"], &format!("o{i}"))));
    }));
    corpus.push(model("that names the same result twice", |g| {
        let again = g.node[1].clone();
        g.node.push(again);
    }));
    corpus.push(model("with names that would clear a terminal", |g| {
        g.node[1].op_type = Some("\u{1b}[2J\u{1b}]0;owned\u{7}<script>alert(1)</script>".into());
    }));
    corpus.push(model("with names that turn the direction of writing", |g| {
        g.node[1].op_type = Some("\u{202e}xnno.\u{85}\u{9b}31m".into());
    }));
    // Messages within messages: an attribute holds a graph holds a node holds an attribute.
    let mut nested = Vec::new();
    for level in 0..15_000 {
        let mut outer = vec![[0x32, 0x2a, 0x0a][level % 3]];
        prost::encoding::encode_varint(nested.len() as u64, &mut outer);
        outer.extend_from_slice(&nested);
        nested = outer;
    }
    let mut deep = vec![0x3a];
    prost::encoding::encode_varint(nested.len() as u64, &mut deep);
    deep.extend_from_slice(&nested);
    corpus.push(bad(Given::Model, "model.onnx", "messages within messages", deep));
    for (what, bytes) in [
        ("a length beyond all numbers", vec![0x3a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]),
        ("a number without end", vec![0x08; 1]),
        ("a number of too many digits", [vec![0x08], vec![0xff; 40]].concat()),
        ("a field that does not exist", vec![0x07; 64]),
        ("groups without end", vec![0x0b; 100_000]),
        ("nothing", Vec::new()),
        ("one byte", vec![0]),
        ("zeros", zeros(1_000_000)),
    ] {
        corpus.push(bad(Given::Model, "model.onnx", format!("model.onnx: {what}"), bytes.clone()));
        corpus.push(bad(Given::Model, "model.h5", format!("model.h5: {what}"), bytes));
    }
    all_are_refused(&corpus);
}

#[test]
fn bombs() {
    let labels = npy("<i8", "(3,)", &zeros(24));
    let large = zeros(1 << 30);
    let mut corpus = Vec::new();
    // A thousandth of what they hold.
    let million = npy("|u1", "(1000000, 32, 32, 3)", &[]);
    corpus.push(bad(
        Given::Images,
        "images.npz",
        "an archive whose pictures unpack to a gigabyte of nothing",
        archive(&[("x.npy", &[million.as_slice(), &large].concat()), ("y.npy", &labels)]),
    ));
    corpus.push(bad(
        Given::Model,
        "model.keras",
        "a .keras file whose description unpacks to a gigabyte",
        archive(&[("metadata.json", b"{}"), ("config.json", &large), ("model.weights.h5", b"x")]),
    ));
    corpus.push(bad(
        Given::Model,
        "model.keras",
        "a .keras file whose weights unpack to a gigabyte",
        archive(&[("metadata.json", b"{}"), ("config.json", b"{}"), ("model.weights.h5", &large)]),
    ));
    let claim = idx(&[4_000_000_000, 32, 32], &[]);
    corpus.push(bad(
        Given::Images,
        "t10k-images-idx3-ubyte.gz",
        "a gzip file of a gigabyte that claims to hold four terabytes",
        gzip(&[claim.as_slice(), &large].concat()),
    ));
    drop(large);
    let part = gzip(&zeros(1 << 24));
    corpus.push(bad(
        Given::Images,
        "t10k-images-idx3-ubyte.gz",
        "sixteen gigabytes in a thousand pieces of gzip",
        [gzip(&claim), part.repeat(1000)].concat(),
    ));
    for shape in [
        "(100000, 1000, 1000, 3)",
        "(18446744073709551615, 2, 2, 3)",
        "(4294967296, 4294967296, 1, 1)",
        "(-3, 4, 5, 3)",
        "()",
        "(3,)",
    ] {
        corpus.push(bad(
            Given::Images,
            "images.npz",
            format!("pictures of the shape {shape}"),
            archive(&[("x.npy", &npy("|u1", shape, &[7; 180])), ("y.npy", &labels)]),
        ));
    }
    for kind in ["|O", "|S1000000", "<U99999999", "<c16", "<M8[ns]", "|V2147483647", "[('a', '<f4')]", ""] {
        corpus.push(bad(
            Given::Images,
            "images.npz",
            format!("pixels of the kind {kind}"),
            archive(&[("x.npy", &npy(kind, "(3, 4, 5, 3)", &[7; 180])), ("y.npy", &labels)]),
        ));
    }
    let many: Vec<String> = (0..20_000).map(|i| format!("{i}.npy")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|name| (name.as_str(), [].as_slice())).collect();
    corpus.push(bad(Given::Images, "images.npz", "twenty thousand empty arrays", archive(&many)));
    let paths = [("../../x.npy", [0_u8].as_slice()), ("/etc/y.npy", &[0])];
    corpus.push(bad(Given::Images, "images.npz", "arrays that want to lie elsewhere", archive(&paths)));
    for dims in [vec![u32::MAX; 3], vec![1; 255], vec![0, 28, 28], vec![3, u32::MAX, 0]] {
        let what = format!("IDX of {} sizes, the first {}", dims.len(), dims[0]);
        corpus.push(bad(Given::Images, "t10k-images-idx3-ubyte", what, idx(&dims, &[0; 100])));
    }
    all_are_refused(&corpus);
}

/// Everything that a fuzzer found (fuzz/run.sh), once it is mended.
#[test]
fn what_fuzzing_found() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/fuzzed");
    let found = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let corpus: Vec<Bad> = found
        .map(|path| {
            let (given, name) = match path.extension().unwrap().to_str().unwrap() {
                "onnx" => (Given::Model, "model.onnx"),
                "npz" => (Given::Images, "images.npz"),
                "json" => (Given::Audit, "audit.json"),
                other => panic!("nobody reads .{other}"),
            };
            bad(given, name, path.file_name().unwrap().to_string_lossy(), fs::read(&path).unwrap())
        })
        .collect();
    assert!(corpus.len() >= 4);
    all_are_refused(&corpus);
}

/// Sizes inside a Keras file, wherever they stand; those that nothing reads change nothing.
#[test]
fn keras_files_with_endless_sizes() {
    let keras = fixture("data/keras/nested.h5");
    let size = [3_u64.to_le_bytes(), 3_u64.to_le_bytes()].concat();
    let places = (0..keras.len() - 16).filter(|&i| keras[i..i + 16] == size).take(8);
    let mut refused = 0;
    for (at, size) in places.flat_map(|at| [1_u64 << 20, 1 << 40, u64::MAX].map(|size| (at, size))) {
        let mut bytes = keras.clone();
        bytes[at..at + 8].copy_from_slice(&size.to_le_bytes());
        let trouble = trouble(&bad(Given::Model, "model.h5", format!("a size of {size} at byte {at}"), bytes));
        refused += usize::from(trouble.is_none());
        assert!(trouble.as_ref().is_none_or(|why| why.contains("status 0")), "{trouble:?}");
    }
    assert!(refused >= 6, "{refused}");
}

/// What the system says of the length of these is nothing to go by.
#[cfg(target_os = "linux")]
#[test]
fn files_without_end_are_refused_before_memory_is_full() {
    let home = tempfile::tempdir().unwrap();
    let audit = home.path().join("audit.json");
    fs::write(&audit, json::text(&example::audit())).unwrap();
    let audit = audit.to_str().unwrap();
    let [model, images] = ["signs-suspect.onnx", "signs.npz"].map(|name| sample(name).to_str().unwrap().to_owned());
    let asked: [&[&str]; 9] = [
        &["report", "/dev/zero", "--out", "page.html"],
        &["report", audit, "--repair", "/dev/zero", "--out", "page.html"],
        &["repair", &model, &images, "--audit", "/dev/zero", "--out", "repaired.onnx"],
        &["batch", "/dev/zero", "--out", "results"],
        &["zoo", "/dev/zero", "--out", "results"],
        &["audit", &model, &images, "--preprocessing", "/dev/zero"],
        &["audit", &model, &images, "--labels", "/dev/zero"],
        &["audit", &model, &images, "--reference", "/dev/zero"],
        &["inspect", &model, "/dev/zero"],
    ];
    for arguments in asked {
        let arguments: Vec<&Path> = arguments.iter().map(Path::new).collect();
        // Audits may have 512 MiB, and their buffer grows by doubling.
        let (status, said) = bounded_to(2 * ADDRESSES, home.path(), &arguments);
        let sentences: Vec<&str> = said.lines().filter(|line| line.starts_with("error: ")).collect();
        assert_eq!((status, sentences.len()), (Some(1), 1), "{arguments:?}: {said}");
        assert!(!said.contains("out of memory"), "{arguments:?}: {said}");
    }
}

/// The sizes in the header of a PNG file, with its check sum made right.
fn resized_png(w: u32, h: u32) -> Vec<u8> {
    let mut png = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(8, 8, image::Rgb([9, 9, 9])).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let mut png = png.into_inner();
    png[16..20].copy_from_slice(&w.to_be_bytes());
    png[20..24].copy_from_slice(&h.to_be_bytes());
    let mut check = flate2::Crc::new();
    check.update(&png[12..29]);
    png[29..33].copy_from_slice(&check.sum().to_be_bytes());
    png
}

/// Folders of labels whose pictures are all bad.
#[test]
fn folders_of_bad_pictures() {
    let mut jpeg = std::io::Cursor::new(Vec::new());
    image::RgbImage::from_pixel(8, 8, image::Rgb([9, 9, 9])).write_to(&mut jpeg, image::ImageFormat::Jpeg).unwrap();
    let mut jpeg = jpeg.into_inner();
    let at = jpeg.windows(2).position(|two| two == [0xff, 0xc0]).unwrap();
    jpeg[at + 5..at + 9].copy_from_slice(&[0xff, 0xdc, 0xff, 0xdc]);
    let truncated = resized_png(8, 8)[..40].to_vec();
    let bitmap = {
        let mut bmp = std::io::Cursor::new(Vec::new());
        image::RgbImage::new(8, 8).write_to(&mut bmp, image::ImageFormat::Bmp).unwrap();
        let mut bmp = bmp.into_inner();
        bmp[18..22].copy_from_slice(&60_000_i32.to_le_bytes());
        bmp[22..26].copy_from_slice(&60_000_i32.to_le_bytes());
        bmp
    };
    let bad_pictures: [(&str, Vec<u8>); 7] = [
        ("a PNG of 60,000 pixels a side", resized_png(60_000, 60_000)),
        ("a PNG of 4 billion pixels a side", resized_png(u32::MAX, u32::MAX)),
        ("a PNG of no size", resized_png(0, 0)),
        ("a JPEG of 65,500 pixels a side", jpeg),
        ("a bitmap of 60,000 pixels a side", bitmap),
        ("a PNG cut off", truncated),
        ("a text map of 4 billion pixels", b"P3\n65535 65535\n255\n1 1 1\n".to_vec()),
    ];
    for (what, bytes) in bad_pictures {
        let folder = tempfile::tempdir().unwrap();
        let images = folder.path().join("images");
        for label in 0..12 {
            let of_label = images.join(label.to_string());
            fs::create_dir_all(&of_label).unwrap();
            fs::write(of_label.join("picture.png"), &bytes).unwrap();
        }
        let model = sample("signs-suspect.onnx");
        let (status, said) = bounded(folder.path(), &[Path::new("inspect"), &model, &images]);
        assert_eq!(status, Some(1), "{what}: {said}");
        assert_eq!(said.lines().filter(|l| l.starts_with("error: ")).count(), 1, "{what}: {said}");
        assert!(!said.contains("panicked"), "{what}: {said}");
    }
}

/// Names of labels and files are other people's text: in the report they are text and nothing else.
#[test]
fn names_with_markup_and_control_characters_are_harmless_in_the_report() {
    let folder = tempfile::tempdir().unwrap();
    let mut audit = example::audit();
    let name = "<script>alert(1)</script>\" onload=\"x\u{1b}[31m\u{202e}&amp;";
    audit.images.names = audit.images.names.iter().map(|_| name.to_owned()).collect();
    audit.labels.iter_mut().for_each(|label| label.name = name.to_owned());
    audit.order.model = format!("{}.onnx", name.replace('/', "_")).into();
    let path = folder.path().join("audit.json");
    fs::write(&path, json::text(&audit)).unwrap();
    for ending in ["html", "pdf"] {
        let out = folder.path().join("report").with_extension(ending);
        let (status, said) = bounded(folder.path(), &[Path::new("report"), &path, Path::new("--out"), &out]);
        assert_eq!(status, Some(0), "{said}");
        assert!(!said.contains('\u{1b}'), "{said}");
    }
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script>alert"));
    assert!(!page.contains('\u{1b}') && !page.contains("\" onload=\"x"));
}
