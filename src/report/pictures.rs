//! The recovered triggers as PNG files, at their exact size and enlarged so that they can be seen.
//!
//! A label gives `label-014-stop-mask.png`, `-pattern.png`, `-trigger.png` (transparent where nothing is
//! covered), `-heat-map.png` and for each example `-example-1-before.png` and `-after.png`; the `-large` files show the
//! same by larger squares, before and after side by side. Names of labels come from strangers, so only
//! letters and digits of them reach a file name.

use super::pixels;
use super::write::{ReportError, write_whole};
use crate::audit::Audit;
use crate::detect::Picture;
use image::{DynamicImage, GenericImage, Rgb, RgbImage, RgbaImage};
use std::path::{Path, PathBuf};

/// Enlarged pictures are at least this many pixels along their longer side…
const LARGE: u32 = 256;
/// …unless that would repeat each pixel more often than this.
const LARGEST_FACTOR: u32 = 16;
/// Examples of a label that are written.
const EXAMPLES: usize = 3;
/// Columns between before and after.
const GAP: u32 = 8;
/// Letters of a label's name that a file name keeps.
const NAME_LENGTH: usize = 40;

/// Writes the trigger of every label that has one to `folder`, which is made where it is missing.
/// Returns the files in the order they were written.
///
/// # Errors
/// [`ReportError`] where the folder or a file cannot be written, or a picture's numbers do not fit it.
pub fn write(audit: &Audit, folder: &Path) -> Result<Vec<PathBuf>, ReportError> {
    std::fs::create_dir_all(folder).map_err(|source| ReportError::Io { path: folder.into(), source })?;
    let mut files = Vec::new();
    for label in &audit.labels {
        let Some(trigger) = &label.trigger else { continue };
        let stem = stem(label.label, &label.name);
        let mut put = |what: &str, picture: &DynamicImage| {
            let path = folder.join(format!("{stem}-{what}.png"));
            write_png(picture, &path)?;
            files.push(path);
            Ok::<_, ReportError>(())
        };
        let named = |what: &str| folder.join(format!("{stem}-{what}.png"));
        let parts = [
            ("mask", picture(&trigger.mask, &named("mask"))?),
            ("pattern", picture(&trigger.pattern, &named("pattern"))?),
            ("trigger", cut_out(&trigger.mask, &trigger.pattern, &named("trigger"))?),
        ];
        for (what, exact) in &parts {
            put(what, exact)?;
            put(&format!("{what}-large"), &enlarged(exact))?;
        }
        if let Some(heat) = pixels::heat(&trigger.examples) {
            put("heat-map", &heat)?;
            put("heat-map-large", &enlarged(&heat))?;
        }
        for (i, example) in trigger.examples.iter().take(EXAMPLES).enumerate() {
            let what = format!("example-{}", i + 1);
            let before = picture(&example.before, &named(&what))?;
            let after = picture(&example.after, &named(&what))?;
            put(&format!("{what}-before"), &before)?;
            put(&format!("{what}-after"), &after)?;
            put(&format!("{what}-large"), &side_by_side(&enlarged(&before), &enlarged(&after)))?;
        }
    }
    Ok(files)
}

/// "label-014-stop": sorts by number, and holds nothing a file system or a shell could trip over.
fn stem(label: usize, name: &str) -> String {
    let mut safe = String::new();
    for c in name.chars() {
        if c.is_alphanumeric() {
            safe.extend(c.to_lowercase());
        } else if !safe.is_empty() && !safe.ends_with('-') {
            safe.push('-');
        }
        if safe.len() >= NAME_LENGTH {
            break;
        }
    }
    let safe = safe.trim_end_matches('-');
    if safe.is_empty() || safe == label.to_string() {
        format!("label-{label:03}")
    } else {
        format!("label-{label:03}-{safe}")
    }
}

/// `path` is named where the numbers do not fill the picture.
fn picture(picture: &Picture, path: &Path) -> Result<DynamicImage, ReportError> {
    let &Picture { channels, height, width, .. } = picture;
    pixels::image(picture).ok_or_else(|| ReportError::Shape { path: path.into(), width, height, channels })
}

/// The pattern, as opaque as the mask.
fn cut_out(mask: &Picture, pattern: &Picture, path: &Path) -> Result<DynamicImage, ReportError> {
    let opacity = picture(mask, path)?.into_luma8();
    let colours = picture(pattern, path)?.into_rgb8();
    if opacity.dimensions() != colours.dimensions() {
        let Picture { channels, height, width, .. } = *pattern;
        return Err(ReportError::Shape { path: path.into(), width, height, channels });
    }
    let (width, height) = colours.dimensions();
    let pixel = |x, y| {
        let Rgb([r, g, b]) = *colours.get_pixel(x, y);
        image::Rgba([r, g, b, opacity.get_pixel(x, y).0[0]])
    };
    Ok(RgbaImage::from_fn(width, height, pixel).into())
}

/// Every pixel as a square of equal ones.
pub(super) fn enlarged(picture: &DynamicImage) -> DynamicImage {
    let longer = picture.width().max(picture.height()).max(1);
    let factor = LARGE.div_ceil(longer).clamp(1, LARGEST_FACTOR);
    picture.resize_exact(picture.width() * factor, picture.height() * factor, image::imageops::FilterType::Nearest)
}

fn side_by_side(left: &DynamicImage, right: &DynamicImage) -> DynamicImage {
    let white = Rgb([255, 255, 255]);
    let mut both = RgbImage::from_pixel(left.width() + GAP + right.width(), left.height().max(right.height()), white);
    for (picture, x) in [(left, 0), (right, left.width() + GAP)] {
        // It was made large enough above, which is all that can go wrong.
        let _ = both.copy_from(&picture.to_rgb8(), x, 0);
    }
    both.into()
}

fn write_png(picture: &DynamicImage, path: &Path) -> Result<(), ReportError> {
    let bytes = pixels::png(picture).map_err(|source| ReportError::Encode { path: path.into(), source })?;
    write_whole(path, &bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn every_picture_of_a_trigger_is_written_exact_and_large() {
        let folder = tempfile::tempdir().unwrap();
        let target = folder.path().join("new").join("pictures");
        let files = write(&example::audit(), &target).unwrap();
        let names: Vec<_> = files.iter().map(|f| f.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names.len(), 11, "{names:?}");
        assert_eq!(std::fs::read_dir(&target).unwrap().count(), 11, "nothing half-written stays");

        let mask = image::open(target.join("label-001-stop-mask.png")).unwrap().into_luma8();
        assert_eq!(mask.dimensions(), (5, 4));
        assert_eq!((mask.get_pixel(4, 3).0, mask.get_pixel(3, 3).0), ([255], [0]));
        let large = image::open(target.join("label-001-stop-mask-large.png")).unwrap().into_luma8();
        assert_eq!(large.dimensions(), (80, 64));
        assert_eq!((large.get_pixel(64, 48).0, large.get_pixel(63, 48).0), ([255], [0]));
        let trigger = image::open(target.join("label-001-stop-trigger.png")).unwrap().into_rgba8();
        assert_eq!(trigger.get_pixel(4, 3).0, [255, 255, 255, 255]);
        assert_eq!(trigger.get_pixel(0, 0).0[3], 0);
        let pair = image::open(target.join("label-001-stop-example-1-large.png")).unwrap().into_rgb8();
        assert_eq!(pair.dimensions(), (80 + 8 + 80, 64));
        assert_eq!((pair.get_pixel(0, 0).0, pair.get_pixel(167, 0).0), ([64; 3], [191; 3]));
    }

    #[test]
    fn names_of_labels_cannot_leave_the_folder() {
        assert_eq!(stem(14, "stop"), "label-014-stop");
        assert_eq!(stem(3, "../../etc/passwd"), "label-003-etc-passwd");
        assert_eq!(stem(3, "C:\\x\0\n\u{202e}y"), "label-003-c-x-y");
        assert_eq!(stem(7, "7"), "label-007");
        assert_eq!(stem(7, "///"), "label-007");
        assert!(stem(1, &"Ü".repeat(5000)).len() < 80);
    }

    #[test]
    fn a_picture_whose_numbers_do_not_fit_is_an_error_and_what_is_no_number_is_black() {
        let path = Path::new("x.png");
        let short = Picture { channels: 3, height: 4, width: 5, values: vec![0.0; 59] };
        let sentence = picture(&short, path).unwrap_err().to_string();
        assert_eq!(sentence, "cannot write x.png: the picture is not 5 x 4 with 3 channels");
        let huge = Picture { channels: 3, height: usize::MAX, width: 2, values: vec![] };
        assert!(picture(&huge, path).is_err());
        assert!(picture(&Picture { channels: 1, height: 0, width: 0, values: vec![] }, path).is_err());
        assert_eq!([f32::NAN, -1.0, 0.5, 2.0].map(pixels::byte), [0, 0, 128, 255]);
    }
}
