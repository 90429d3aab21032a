//! One picture: decoded from a file under limits, its channels and size converted.
//!
//! In: a file, or bytes already in memory. Out: 8-bit gray or RGB of any size. Alpha is dropped, and the
//! EXIF orientation is ignored, as PIL's `Image.open(...).convert("RGB")` does, with which most models
//! were trained. Never allocates more than [`MAX_DECODED_BYTES`] for one picture, never panics on a broken file.

use image::imageops::{self, FilterType};
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageReader, Limits, Luma, Rgb};
use std::fs::File;
use std::io::BufReader;
use std::panic::catch_unwind;
use std::path::Path;

/// Longest side of a picture that is decoded, in pixels.
pub(super) const MAX_SIDE: u32 = 16_384;
/// Memory one decoder may ask for.
pub(super) const MAX_DECODED_BYTES: u64 = 512 << 20;

/// Rows of pixels, channels interleaved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    /// 1 (gray) or 3 (RGB).
    pub channels: usize,
    /// Height and width.
    pub size: [usize; 2],
    /// `[height, width, channels]`.
    pub bytes: Vec<u8>,
}

/// What a picture's header says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Form {
    /// 1 (gray) or 3 (colour).
    pub channels: usize,
    /// Height and width.
    pub size: [usize; 2],
}

/// A reader with limits, its format recognised by content. The error is words for a list of skipped pictures.
fn reader(path: &Path) -> Result<ImageReader<BufReader<File>>, String> {
    let about = path.metadata().map_err(|e| e.to_string())?;
    if !about.is_file() {
        return Err("is no file".into());
    }
    if about.len() == 0 {
        return Err("is empty".into());
    }
    let mut reader = ImageReader::open(path)
        .and_then(|mut r| {
            r.clear_format();
            r.with_guessed_format()
        })
        .map_err(|e| e.to_string())?;
    if reader.format().is_none() {
        return Err("is no picture (PNG, JPEG, BMP, PPM or WebP)".into());
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    Ok(reader)
}

/// Runs a decoder; a panic inside it counts as a broken picture.
fn guarded<T>(
    path: &Path,
    work: impl FnOnce(&Path) -> Result<T, String> + std::panic::UnwindSafe,
) -> Result<T, String> {
    catch_unwind(|| work(path)).unwrap_or_else(|_| Err("is damaged".into()))
}

/// Size and channels by the header alone.
///
/// # Errors
/// Words that say what is wrong with the picture.
pub(super) fn form(path: &Path) -> Result<Form, String> {
    guarded(path, |path| {
        let decoder = reader(path)?.into_decoder().map_err(|e| e.to_string())?;
        let (width, height) = decoder.dimensions();
        let channels = if decoder.color_type().has_color() { 3 } else { 1 };
        Ok(Form { channels, size: [height as usize, width as usize] })
    })
}

/// Decodes a PNG, JPEG, BMP, PNM or WebP file.
///
/// # Errors
/// Words that say what is wrong with the picture.
pub(super) fn decode(path: &Path) -> Result<Picture, String> {
    guarded(path, |path| {
        let decoded = reader(path)?.decode().map_err(|e| e.to_string())?;
        let size = [decoded.height() as usize, decoded.width() as usize];
        if size.contains(&0) {
            return Err("has no pixels".into());
        }
        Ok(if decoded.color().has_color() {
            Picture { channels: 3, size, bytes: decoded.into_rgb8().into_raw() }
        } else {
            Picture { channels: 1, size, bytes: DynamicImage::into_luma8(decoded).into_raw() }
        })
    })
}

impl Picture {
    /// From planar bytes `[channels, height, width]`.
    pub fn from_planar(planar: &[u8], channels: usize, size: [usize; 2]) -> Self {
        let area = size[0] * size[1];
        let mut bytes = vec![0; planar.len()];
        for (c, plane) in planar.chunks_exact(area.max(1)).enumerate() {
            for (pixel, &value) in plane.iter().enumerate() {
                bytes[pixel * channels + c] = value;
            }
        }
        Self { channels, size, bytes }
    }

    /// Writes planar bytes `[channels, height, width]`.
    pub fn write_planar(&self, planar: &mut [u8]) {
        let area = self.size[0] * self.size[1];
        for (pixel, values) in self.bytes.chunks_exact(self.channels).enumerate() {
            for (c, &value) in values.iter().enumerate() {
                planar[c * area + pixel] = value;
            }
        }
    }

    /// Gray repeated to RGB; RGB to luma by ITU-R BT.601, rounded as PIL rounds it.
    pub fn with_channels(self, channels: usize) -> Self {
        let bytes = match (self.channels, channels) {
            (1, 3) => self.bytes.iter().flat_map(|&v| [v; 3]).collect(),
            (3, 1) => self.bytes.chunks_exact(3).map(luma).collect(),
            _ => return self,
        };
        Self { channels, bytes, ..self }
    }

    /// Resized with a triangle filter that widens when shrinking (PIL's antialiased "bilinear").
    pub fn resized(self, size: [usize; 2]) -> Self {
        if size == self.size {
            return self;
        }
        let (width, height) = (self.size[1] as u32, self.size[0] as u32);
        let (to_width, to_height) = (size[1] as u32, size[0] as u32);
        let bytes = if self.channels == 1 {
            ImageBuffer::<Luma<u8>, _>::from_raw(width, height, self.bytes)
                .map(|view| imageops::resize(&view, to_width, to_height, FilterType::Triangle).into_raw())
        } else {
            ImageBuffer::<Rgb<u8>, _>::from_raw(width, height, self.bytes)
                .map(|view| imageops::resize(&view, to_width, to_height, FilterType::Triangle).into_raw())
        };
        // `from_raw` refuses only a buffer shorter than its size, which no constructor here makes.
        Self { bytes: bytes.unwrap_or_default(), size, ..self }
    }
}

fn luma(rgb: &[u8]) -> u8 {
    let weighted = u32::from(rgb[0]) * 19_595 + u32::from(rgb[1]) * 38_470 + u32::from(rgb[2]) * 7_471;
    ((weighted + 0x8000) >> 16) as u8
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use image::RgbImage;
    use std::io::Write;

    #[test]
    fn luma_is_that_of_pil() {
        // PIL: Image.new("RGB", (1, 1), rgb).convert("L").getpixel((0, 0))
        for (rgb, l) in
            [([255, 0, 0], 76), ([0, 255, 0], 150), ([0, 0, 255], 29), ([255, 255, 255], 255), ([12, 200, 77], 130)]
        {
            assert_eq!(luma(&rgb), l, "{rgb:?}");
        }
    }

    #[test]
    fn planes_and_rows_are_the_same_picture() {
        let planar: Vec<u8> = (0..24).collect();
        let picture = Picture::from_planar(&planar, 3, [2, 4]);
        assert_eq!(picture.bytes[..6], [0, 8, 16, 1, 9, 17]);
        let mut back = vec![0; 24];
        picture.write_planar(&mut back);
        assert_eq!(back, planar);
    }

    #[test]
    fn shrinking_averages_instead_of_dropping_pixels() {
        let checkers: Vec<u8> = (0..64).map(|i| if (i / 8 + i % 8) % 2 == 0 { 255 } else { 0 }).collect();
        let small = Picture { channels: 1, size: [8, 8], bytes: checkers }.resized([2, 2]);
        assert!(small.bytes.iter().all(|&v| (118..=138).contains(&v)), "{:?}", small.bytes);
    }

    #[test]
    fn resizing_agrees_with_pil() {
        // PIL: Image.frombytes("L", (4, 4), bytes(range(0, 256, 16))).resize((2, 2), Image.BILINEAR)
        let ramp: Vec<u8> = (0..16).map(|i| i * 16).collect();
        let small = Picture { channels: 1, size: [4, 4], bytes: ramp }.resized([2, 2]);
        for (ours, pil) in small.bytes.iter().zip([57_u8, 83, 157, 183]) {
            assert!(ours.abs_diff(pil) <= 1, "{:?}", small.bytes);
        }
    }

    #[test]
    fn every_kind_of_file_is_decoded_whatever_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let image = RgbImage::from_fn(5, 3, |x, y| Rgb([x as u8 * 40, y as u8 * 80, 7]));
        for (extension, tolerance) in [("png", 0), ("bmp", 0), ("ppm", 0), ("webp", 0), ("jpg", 60)] {
            let path = dir.path().join(format!("picture.{extension}"));
            image.save(&path).unwrap();
            let unnamed = dir.path().join(format!("{extension}-without-extension"));
            std::fs::rename(&path, &unnamed).unwrap();
            assert_eq!(form(&unnamed).unwrap(), Form { channels: 3, size: [3, 5] }, "{extension}");
            let decoded = decode(&unnamed).unwrap();
            assert_eq!((decoded.channels, decoded.size), (3, [3, 5]));
            let worst = decoded.bytes.iter().zip(image.as_raw()).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
            assert!(worst <= tolerance, "{extension}: {worst}");
        }
    }

    #[test]
    fn gray_and_alpha_and_deep_pictures_are_understood() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.png");
        image::GrayImage::from_pixel(2, 2, Luma([9])).save(&path).unwrap();
        assert_eq!(decode(&path).unwrap(), Picture { channels: 1, size: [2, 2], bytes: vec![9; 4] });
        image::RgbaImage::from_pixel(1, 1, image::Rgba([1, 2, 3, 0])).save(&path).unwrap();
        assert_eq!(decode(&path).unwrap().bytes, [1, 2, 3]);
        ImageBuffer::<Luma<u16>, _>::from_pixel(1, 1, Luma([0x8080_u16])).save(&path).unwrap();
        assert_eq!(decode(&path).unwrap(), Picture { channels: 1, size: [1, 1], bytes: vec![0x80] });
    }

    #[test]
    fn broken_files_are_told_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: &[u8]| {
            let path = dir.path().join(name);
            File::create(&path).unwrap().write_all(bytes).unwrap();
            path
        };
        assert_eq!(decode(&write("empty.png", b"")).unwrap_err(), "is empty");
        assert!(decode(&write("text.png", b"hello, I am no picture")).unwrap_err().contains("no picture"));
        assert!(decode(dir.path()).unwrap_err().contains("no file"));
        let whole = dir.path().join("whole.png");
        RgbImage::from_fn(64, 64, |x, y| Rgb([x as u8, y as u8, (x * y) as u8])).save(&whole).unwrap();
        let bytes = std::fs::read(&whole).unwrap();
        for cut in [8, 20, 40, bytes.len() / 2] {
            assert!(decode(&write("cut.png", &bytes[..cut])).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn a_picture_that_claims_to_be_enormous_is_refused_before_memory_is_asked_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bomb.ppm");
        for header in ["P6 99999 9 255\n", "P6 9 99999 255\n", "P6 16000 16000 255\n", "P6 4000000000 4000000000 255\n"]
        {
            std::fs::write(&path, header).unwrap();
            assert!(decode(&path).is_err(), "{header}");
        }
    }
}
