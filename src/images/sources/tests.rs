//! Every kind of source, good and bad, with pictures drawn here; then the real data sets where they are.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::*;
use candle_core::{Device, Tensor, WithDType};
use flate2::Compression;
use flate2::write::GzEncoder;
use image::{GrayImage, Luma, Rgb, RgbImage};
use std::fs;
use std::io::Write;
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

fn read(path: &Path) -> Result<ImageSet, ImageError> {
    open(path, &Wanted::default(), &Monitor::silent())
}

fn refused(path: &Path) -> String {
    read(path).expect_err("this must be refused").to_string()
}

#[track_caller]
fn says(sentence: &str, parts: &[&str]) {
    for part in parts {
        assert!(sentence.contains(part), "\"{part}\" is missing in: {sentence}");
    }
}

/// A picture of one colour, its red channel `red`.
fn paint(path: &Path, red: u8, width: u32, height: u32) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    RgbImage::from_pixel(width, height, Rgb([red, 20, 30])).save(path).unwrap();
}

fn numbered_folders() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for label in [0, 1, 2, 10] {
        for i in 0..3 {
            paint(&dir.path().join(format!("{label}/{i}.png")), label * 10 + i, 8, 6);
        }
    }
    dir
}

#[test]
fn a_folder_with_numbered_sub_folders() {
    let dir = numbered_folders();
    let set = read(dir.path()).unwrap();
    assert_eq!((set.len(), set.channels, set.height, set.width), (12, 3, 6, 8));
    assert_eq!(set.names.len(), 11);
    assert_eq!(set.labels, [0, 0, 0, 1, 1, 1, 2, 2, 2, 10, 10, 10]);
    assert_eq!(set.image(11)[0], 102);
    assert!(set.image(11)[48..96].iter().all(|&v| v == 20), "planes in RGB order");
    assert!(set.skipped.is_empty());
}

#[test]
fn a_folder_with_named_sub_folders_every_format_nested_and_hidden_files() {
    let dir = tempfile::tempdir().unwrap();
    for (i, file) in
        ["stop/a.png", "stop/b.bmp", "Give way/c.ppm", "Give way/d.webp", "zebra/deep/e.jpg"].iter().enumerate()
    {
        paint(&dir.path().join(file), 10 * i as u8, 8, 8);
    }
    fs::write(dir.path().join("stop/.hidden.png"), b"nothing").unwrap();
    fs::write(dir.path().join("stop/Thumbs.db"), b"nothing").unwrap();
    fs::write(dir.path().join("stop/notes.txt"), b"not a picture and not meant as one").unwrap();
    fs::create_dir_all(dir.path().join(".git/objects")).unwrap();
    let set = read(dir.path()).unwrap();
    assert_eq!(set.names, ["Give way", "stop", "zebra"]);
    assert_eq!(set.labels, [0, 0, 1, 1, 2]);
    assert!(set.skipped.is_empty(), "{:?}", set.skipped);
}

#[test]
fn pictures_are_brought_to_the_wanted_size_and_channels() {
    let dir = numbered_folders();
    GrayImage::from_pixel(3, 9, Luma([77])).save(dir.path().join("0/gray.png")).unwrap();
    let open =
        |channels, size| open(dir.path(), &Wanted { channels, size, label_names: None }, &Monitor::silent()).unwrap();
    let set = open(Some(1), Some([5, 4]));
    assert_eq!((set.channels, set.height, set.width, set.pixels.len()), (1, 5, 4, 13 * 20));
    let set = open(None, None);
    assert_eq!((set.channels, set.height, set.width), (3, 6, 8), "as most are");
    assert!(set.image(3).iter().all(|&v| v == 77), "gray is repeated: {:?}", set.image(3));
}

#[test]
fn large_pictures_are_shrunk_where_no_size_is_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    paint(&dir.path().join("a/0.png"), 1, 1024, 700);
    paint(&dir.path().join("b/0.png"), 1, 1024, 700);
    let set = read(dir.path()).unwrap();
    assert_eq!((set.height, set.width), (350, 512));
}

#[test]
fn unreadable_and_empty_pictures_are_named_and_the_rest_is_used() {
    let dir = numbered_folders();
    fs::write(dir.path().join("1/empty.png"), b"").unwrap();
    fs::write(dir.path().join("1/text.jpg"), b"this is no picture at all").unwrap();
    let whole = fs::read(dir.path().join("2/0.png")).unwrap();
    fs::write(dir.path().join("2/cut.png"), &whole[..whole.len() / 2]).unwrap();
    let set = read(dir.path()).unwrap();
    assert_eq!((set.len(), set.skipped.len()), (12, 3));
    says(&set.skipped.join("\n"), &["empty.png: is empty", "text.jpg: is no picture", "cut.png: "]);
}

#[test]
fn nothing_readable_is_an_error_with_the_first_reason() {
    let dir = tempfile::tempdir().unwrap();
    for name in ["a/1.png", "b/2.png"] {
        fs::create_dir_all(dir.path().join(name).parent().unwrap()).unwrap();
        fs::write(dir.path().join(name), b"").unwrap();
    }
    says(&refused(dir.path()), &["none of its 2 pictures", "1.png: is empty"]);
}

#[test]
fn a_label_without_images_keeps_its_place() {
    let dir = tempfile::tempdir().unwrap();
    paint(&dir.path().join("a/0.png"), 1, 4, 4);
    paint(&dir.path().join("c/0.png"), 1, 4, 4);
    fs::create_dir(dir.path().join("b")).unwrap();
    let set = read(dir.path()).unwrap();
    assert_eq!((set.names.len(), set.labels), (3, vec![0, 2]));
}

#[test]
fn pictures_without_labels_are_told_so() {
    let dir = tempfile::tempdir().unwrap();
    says(&refused(dir.path()), &["it is empty", "one sub-folder a label"]);
    paint(&dir.path().join("a.png"), 1, 4, 4);
    paint(&dir.path().join("b.png"), 1, 4, 4);
    says(&refused(dir.path()), &["2 pictures have no labels", "one sub-folder a label"]);
    says(&refused(&dir.path().join("a.png")), &["a single picture"]);
    says(&refused(&dir.path().join("missing")), &["cannot read", "missing"]);
}

#[test]
fn archives_unpack_into_a_folder_around_and_parts_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    for label in ["0", "1"] {
        paint(&dir.path().join(format!("test/{label}/a.png")), 1, 4, 4);
    }
    assert_eq!(read(dir.path()).unwrap().labels, [0, 1]);
    paint(&dir.path().join("train/0/a.png"), 1, 4, 4);
    says(&refused(dir.path()), &["several sets (test, train)", "open one of them"]);
}

#[cfg(unix)]
#[test]
fn links_out_of_the_folder_are_not_followed() {
    let outside = tempfile::tempdir().unwrap();
    paint(&outside.path().join("secret/secret.png"), 1, 4, 4);
    let dir = numbered_folders();
    let link = |from: &Path, to: &str| std::os::unix::fs::symlink(from, dir.path().join(to)).unwrap();
    link(&outside.path().join("secret/secret.png"), "0/link.png");
    link(&outside.path().join("secret"), "7");
    link(&dir.path().join("1/0.png"), "2/inside.png");
    link(dir.path(), "2/loop");
    fs::write(dir.path().join("list.csv"), "path,label\n0/link.png,0\n0/0.png,1\n").unwrap();
    let set = read(&dir.path().join("list.csv")).unwrap();
    assert_eq!(set.len(), 1);
    says(&set.skipped.join("\n"), &["0/link.png: leads out of the folder"]);
    fs::remove_file(dir.path().join("list.csv")).unwrap();
    let set = read(dir.path()).unwrap();
    assert_eq!(set.by_label()[2].len(), 4, "a link inside the folder is followed");
    says(&set.skipped.join("\n"), &["0/link.png: leads out", "7: leads out"]);
}

#[test]
fn reading_stops_when_asked() {
    let dir = numbered_folders();
    let monitor = Monitor::silent();
    monitor.stop();
    assert!(matches!(open(dir.path(), &Wanted::default(), &monitor), Err(ImageError::Stopped(_))));
}

#[test]
fn progress_is_reported() {
    let dir = numbered_folders();
    let seen = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = std::sync::Arc::clone(&seen);
    let monitor = Monitor::new(move |s| log.lock().unwrap().push(s));
    open(dir.path(), &Wanted::default(), &monitor).unwrap();
    assert!(seen.lock().unwrap().iter().any(|s| s.fraction == Some(1.0)));
}

#[test]
fn a_csv_lists_pictures_by_header_separator_and_position() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3 {
        paint(&dir.path().join(format!("pictures/{i}.png")), i, 4, 4);
    }
    let csv = dir.path().join("list.csv");
    for content in [
        "path,label\npictures/0.png,2\npictures/1.png,0\npictures/2.png,2\n",
        "Width;ClassId;Filename\n4;2;pictures/0.png\n4;0;./pictures/1.png\n4;2;pictures\\2.png\n",
        "pictures/0.png\t2\npictures/1.png\t0\npictures/2.png\t2",
        "\u{feff}label,file\r\n2,pictures/0.png\r\n0,pictures/1.png\r\n\r\n2,\"pictures/2.png\"\r\n",
    ] {
        fs::write(&csv, content).unwrap();
        for path in [dir.path(), &csv] {
            let set = read(path).unwrap();
            assert_eq!((set.labels.as_slice(), set.names.len()), (&[2, 0, 2][..], 3), "{content}");
        }
    }
    fs::write(&csv, "file,label\npictures/0.png,stop\npictures/1.png,give way\n").unwrap();
    let set = read(&csv).unwrap();
    assert_eq!((set.labels, set.names), (vec![1, 0], vec!["give way".into(), "stop".into()]));
}

#[test]
fn a_csv_with_bad_rows_uses_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let inside = dir.path().join("in");
    paint(&dir.path().join("outside.png"), 1, 4, 4);
    paint(&inside.join("a.png"), 1, 4, 4);
    let csv = inside.join("list.csv");
    fs::write(&csv, "path,label\na.png,0\n../outside.png,1\n/etc/passwd,1\nmissing.png,0\nshort\n").unwrap();
    let set = read(&inside).unwrap();
    assert_eq!((set.len(), set.skipped.len()), (1, 3));
    says(&set.skipped.join("\n"), &["../outside.png: leads out", "/etc/passwd: leads out", "missing.png: "]);
    fs::write(&csv, "a,b\n1,2\n").unwrap();
    says(&refused(&csv), &["no columns of picture files and labels"]);
    fs::write(&csv, "path,label\nx.png,0\n").unwrap();
    says(&refused(&csv), &["none of its 1 pictures", "x.png"]);
}

/// An array, to be written by candle.
fn array<T: WithDType>(name: &str, shape: &[usize], values: &[T]) -> (String, Tensor) {
    (name.to_owned(), Tensor::from_slice(values, shape, &Device::Cpu).unwrap())
}

fn npz(arrays: &[(String, Tensor)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.npz");
    Tensor::write_npz(arrays, &path).unwrap();
    (dir, path)
}

#[test]
fn an_npz_of_bytes_or_fractions_in_any_layout() {
    let bytes: Vec<u8> = (0..2 * 4 * 5 * 3).map(|i| i * 2).collect();
    let (_keep, path) = npz(&[array("x", &[2, 4, 5, 3], &bytes), array("y", &[2], &[3_i64, 0])]);
    let last = read(&path).unwrap();
    assert_eq!((last.labels.as_slice(), last.names.len(), last.height, last.width), (&[3, 0][..], 4, 4, 5));
    let first: Vec<u8> = last.pixels.clone();
    let (_keep, path) = npz(&[array("X_test", &[2, 3, 4, 5], &first), array("y_test", &[2, 1], &[3_u8, 0])]);
    assert_eq!(read(&path).unwrap(), last);
    for (scale, shift) in [(255.0, 0.0), (127.5, -1.0), (1.0, 0.0)] {
        let numbers: Vec<f32> = first.iter().map(|&b| f32::from(b) / scale + shift).collect();
        let (_keep, path) = npz(&[
            array("images", &[2, 3, 4, 5], &numbers),
            array("labels", &[2, 4], &[0.0_f64, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 0.0]),
        ]);
        // -1 to 1 is only told from 0 to 1 by a value below zero, which these have.
        assert_eq!(read(&path).unwrap(), last, "scale {scale}");
    }
}

#[test]
fn an_npz_of_gray_images_without_usual_names() {
    let (_keep, path) = npz(&[array("arr_0", &[3, 4, 4], &[7_u8; 48]), array("arr_1", &[3], &[0_i32, 1, 2])]);
    let set =
        open(&path, &Wanted { channels: Some(3), size: Some([8, 8]), label_names: None }, &Monitor::silent()).unwrap();
    assert_eq!((set.len(), set.channels, set.height), (3, 3, 8));
    assert!(set.pixels.iter().all(|&v| v == 7));
    assert_eq!(read(path.parent().unwrap()).unwrap().len(), 3, "its folder is opened too");
}

#[test]
fn an_npz_that_cannot_be_used_says_why() {
    let gray = || array("x", &[2, 4, 4], &[0_u8; 32]);
    let (_keep, path) = npz(&[gray()]);
    says(&refused(&path), &["no pair of arrays", "x [2, 4, 4]"]);
    let (_keep, path) = npz(&[gray(), array("y", &[3], &[0_u8, 1, 2])]);
    says(&refused(&path), &["2 images", "3 labels"]);
    for (labels, why) in
        [([-1.0_f32, 0.0], "-1 is no label"), ([0.5, 0.0], "0.5 is no label"), ([1e9, 0.0], "is no label")]
    {
        let (_keep, path) = npz(&[gray(), array("y", &[2], &labels)]);
        says(&refused(&path), &[why]);
    }
    for (value, why) in [(-3.0_f32, "from -3"), (900.0, "to 900"), (f32::NAN, "no numbers")] {
        let (_keep, path) = npz(&[array("x", &[2, 4, 4], &[value; 32]), array("y", &[2], &[0_u8, 1])]);
        says(&refused(&path), &["\"x\" cannot be used", why]);
    }
}

/// An `.npz` with arrays as given, header and all.
fn raw_npz(arrays: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("set.npz");
    let mut zip = ZipWriter::new(fs::File::create(&path).unwrap());
    for (name, bytes) in arrays {
        zip.start_file(format!("{name}.npy"), SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap();
    (dir, path)
}

fn npy(header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn hostile_arrays_are_refused_before_they_are_read() {
    let labels = ("y", npy("{'descr': '|u1', 'fortran_order': False, 'shape': (2,), }", &[0, 1]));
    let with = |header: &str, data: &[u8]| {
        let (keep, path) = raw_npz(&[("x", npy(header, data)), labels.clone()]);
        let sentence = refused(&path);
        drop(keep);
        sentence
    };
    says(&with("{'descr': '|O', 'fortran_order': False, 'shape': (2, 4, 4), }", b"\x80\x03"), &["\"x\"", "pickled"]);
    says(&with("{'descr': '<U9', 'fortran_order': False, 'shape': (2, 4, 4), }", b""), &["\"x\"", "not hold numbers"]);
    says(&with("{'descr': '|u1', 'fortran_order': True, 'shape': (2, 4, 4), }", &[0; 32]), &["column by column"]);
    says(
        &with("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 99999999, 99999999, 3), }", b""),
        &["claims the shape"],
    );
    says(&with("{'descr': '|u1', 'fortran_order': False, 'shape': (2, 4, 4), }", &[0; 31]), &["damaged", "31 of 32"]);
    says(&with(&"(".repeat(9_000), b""), &["damaged", "header"]);
    let (_keep, path) = raw_npz(&[("x", b"\x93NUMPY\x02\x00\xff\xff\xff\xff{".to_vec()), labels]);
    says(&refused(&path), &["damaged", "header is too long"]);
    let (_keep, path) = raw_npz(&[]);
    let empty = refused(&path);
    assert!(!empty.is_empty());
    fs::write(&path, b"PK\x03\x04 and then nothing that makes sense").unwrap();
    says(&refused(&path), &["no whole .npz archive"]);
    fs::write(&path, npy("{}", b"")).unwrap();
    says(&refused(&path), &["single array", ".npz"]);
}

fn idx(shape: &[u32], data: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0, 0, 8, shape.len() as u8];
    bytes.extend(shape.iter().flat_map(|d| d.to_be_bytes()));
    bytes.extend(data);
    bytes
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn mnist_files_plain_and_packed_the_file_or_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("t10k-images-idx3-ubyte.gz", &gzip(&idx(&[2, 4, 4], &[9; 32])));
    write("t10k-labels-idx1-ubyte.gz", &gzip(&idx(&[2], &[7, 0])));
    write("train-images-idx3-ubyte", &idx(&[2, 4, 4], &[5; 32]));
    write("train-labels-idx1-ubyte", &idx(&[2], &[1, 2]));
    let test = read(&dir.path().join("t10k-images-idx3-ubyte.gz")).unwrap();
    assert_eq!((test.labels.as_slice(), test.names.len(), test.channels, test.pixels[0]), (&[7, 0][..], 8, 1, 9));
    assert_eq!(read(dir.path()).unwrap(), test, "the test part of a folder");
    assert_eq!(read(&dir.path().join("t10k-labels-idx1-ubyte.gz")).unwrap(), test, "the labels were given");
    let train = read(&dir.path().join("train-images-idx3-ubyte")).unwrap();
    assert_eq!((train.labels, train.pixels[0]), (vec![1, 2], 5));
}

#[test]
fn broken_mnist_files_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let images = dir.path().join("t10k-images-idx3-ubyte");
    fs::write(&images, idx(&[2, 4, 4], &[9; 32])).unwrap();
    says(&refused(&images), &["no file with 2 labels"]);
    let labels = dir.path().join("t10k-labels-idx1-ubyte");
    fs::write(&labels, idx(&[2], &[0])).unwrap();
    says(&refused(&images), &["labels", "damaged", "1 of 2"]);
    fs::write(&labels, idx(&[2], &[0, 1])).unwrap();
    fs::write(&images, idx(&[2, 4, 4], &[9; 20])).unwrap();
    says(&refused(&images), &["damaged", "20 of 32"]);
    fs::write(&images, idx(&[2, 4, 4], &[9; 40])).unwrap();
    says(&refused(&images), &["damaged", "more than the 32 bytes"]);
    fs::write(&images, idx(&[2, 4_000_000_000, 4_000_000_000], &[9; 40])).unwrap();
    says(&refused(&images), &["damaged", "claims"]);
    fs::write(&images, gzip(&idx(&[2, 4, 4], &vec![0; 50 << 20]))).unwrap();
    says(&refused(&images), &["more than the 32 bytes"]);
    let varied: Vec<u8> = (0..2 * 40 * 40_u32).map(|i| (i * i % 251) as u8).collect();
    let packed = gzip(&idx(&[2, 40, 40], &varied));
    fs::write(&images, &packed[..packed.len() / 2]).unwrap();
    says(&refused(&images), &["damaged"]);
}

fn cifar(labels: &[&[u8]], value: u8) -> Vec<u8> {
    labels.iter().flat_map(|l| l.iter().copied().chain(std::iter::repeat_n(value, 3072))).collect()
}

#[test]
fn cifar_files_and_folders_with_their_names() {
    let dir = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| fs::write(dir.path().join(name), bytes).unwrap();
    write("data_batch_1.bin", &cifar(&[&[3], &[9]], 1));
    write("data_batch_2.bin", &cifar(&[&[4]], 2));
    let set = read(dir.path()).unwrap();
    assert_eq!((set.labels.as_slice(), set.channels, set.height, set.width), (&[3, 9, 4][..], 3, 32, 32));
    write("test_batch.bin", &cifar(&[&[0], &[1]], 3));
    write("batches.meta.txt", b"airplane\nautomobile\nbird\n\n");
    let set = read(dir.path()).unwrap();
    assert_eq!((set.labels, set.pixels[0]), (vec![0, 1], 3));
    assert_eq!(set.names, ["airplane", "automobile", "bird"]);
    let fine = tempfile::tempdir().unwrap();
    fs::write(fine.path().join("test.bin"), cifar(&[&[19, 99], &[0, 5]], 4)).unwrap();
    let set = read(&fine.path().join("test.bin")).unwrap();
    assert_eq!((set.labels, set.names.len()), (vec![99, 5], 100));
}

#[test]
fn broken_cifar_files_say_what_is_wrong() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("test_batch.bin");
    fs::write(&path, cifar(&[&[3], &[200]], 1)).unwrap();
    says(&refused(&path), &["damaged", "picture 2"]);
    let whole = cifar(&[&[3], &[4]], 1);
    fs::write(&path, &whole[..whole.len() - 1]).unwrap();
    says(&refused(&path), &["content is of no known kind"]);
    fs::write(&path, b"").unwrap();
    says(&refused(&path), &["it is empty"]);
}

#[test]
fn names_of_labels_come_from_the_file_a_person_gives() {
    let dir = numbered_folders();
    let list = dir.path().join("my names.txt");
    let wanted = Wanted { label_names: Some(list.clone()), ..Wanted::default() };
    let lines: Vec<String> = (0..11).map(|i| format!("sign {i}")).collect();
    fs::write(&list, lines.join("\n")).unwrap();
    let set = open(dir.path(), &wanted, &Monitor::silent()).unwrap();
    assert_eq!(set.names[10], "sign 10");
    fs::write(&list, lines[..5].join("\n")).unwrap();
    let sentence = open(dir.path(), &wanted, &Monitor::silent()).unwrap_err().to_string();
    says(&sentence, &["names 5 labels", "have 11"]);
}

/// The real data sets, where they are.
fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("POISDETC_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), PathBuf::from);
    let path = root.join("data").join(path);
    if !path.exists() {
        eprintln!("skipped: {} is not there", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn the_real_data_sets_are_read() {
    for (path, n, labels, channels, side) in [
        ("gtsrb/gtsrb_test_roi32.npz", 12_630, 43, 3, 32),
        ("gtsrb/png", 2_150, 43, 3, 32),
        ("gtsrb", 2_150, 43, 3, 32),
        ("cifar10", 1_000, 10, 3, 32),
        ("cifar10/train_2000.bin", 2_000, 10, 3, 32),
        ("mnist", 10_000, 10, 1, 28),
        ("mnist/t10k-images-idx3-ubyte.gz", 10_000, 10, 1, 28),
        ("cifar10-poisoned", 500, 2, 3, 32),
        ("cifar10-poisoned/labels.csv", 500, 2, 3, 32),
    ] {
        let Some(path) = shared(path) else { continue };
        let set = read(&path).unwrap();
        assert_eq!(
            (set.len(), set.names.len(), set.channels, set.height, set.width),
            (n, labels, channels, side, side),
            "{}",
            path.display()
        );
        assert!(set.skipped.is_empty());
    }
    if let Some(path) = shared("cifar10/test_1000.bin") {
        assert_eq!(read(&path).unwrap().names[0], "airplane");
    }
    if let Some(path) = shared("gtsrb/png-labels.csv") {
        says(&refused(&path), &["none of its 2150 pictures"]);
    }
    if let Some(path) = shared("cifar10-poisoned/WRN-16-1-isolation1pct-examples.npy") {
        says(&refused(&path), &["single array"]);
    }
}
