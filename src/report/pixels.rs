//! Pictures of an audit as pixels: to bytes, to PNG and back.
//!
//! In: a [`Picture`] with values in `[0, 1]`, or a PNG that an earlier audit wrote. Out: an image, or a picture again,
//! whose values are then rounded to 1/255.

use crate::detect::{Example, Picture};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use image::{DynamicImage, GrayImage, ImageFormat, ImageReader, Limits, Rgb, RgbImage};
use std::io::Cursor;

/// Larger pictures are in no audit.
const MAX_SIDE: u32 = 4096;
/// What stands in front of a PNG in a text.
const PREFIX: &str = "data:image/png;base64,";
/// Behind what a mask does not cover.
const GRAY: f32 = 128.0;

/// One channel as gray, three as RGB; `None` where the numbers do not fill the picture.
pub fn image(picture: &Picture) -> Option<DynamicImage> {
    let &Picture { channels, height, width, ref values } = picture;
    let (w, h) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let area = width.checked_mul(height).filter(|&area| area > 0)?;
    if area.checked_mul(channels) != Some(values.len()) {
        return None;
    }
    let at = |channel: usize, x: u32, y: u32| byte(values[channel * area + y as usize * width + x as usize]);
    match channels {
        1 => Some(GrayImage::from_fn(w, h, |x, y| image::Luma([at(0, x, y)])).into()),
        3 => Some(RgbImage::from_fn(w, h, |x, y| Rgb([at(0, x, y), at(1, x, y), at(2, x, y)])).into()),
        _ => None,
    }
}

/// The pattern where the mask lets it through, gray elsewhere.
pub fn on_gray(mask: &Picture, pattern: &Picture) -> Option<DynamicImage> {
    let (mask, pattern) = (image(mask)?.into_luma8(), image(pattern)?.into_rgb8());
    if mask.dimensions() != pattern.dimensions() {
        return None;
    }
    let (width, height) = pattern.dimensions();
    let pixel = |x, y| {
        let cover = f32::from(mask.get_pixel(x, y).0[0]) / 255.0;
        Rgb(pattern.get_pixel(x, y).0.map(|c| (cover * f32::from(c) + (1.0 - cover) * GRAY).round() as u8))
    };
    Some(RgbImage::from_fn(width, height, pixel).into())
}

/// How much a trigger changes each pixel, on average over these pictures: black where nothing, then red, yellow, and white where most.
/// `None` where the pictures do not fit each other, or nothing changes.
pub fn heat(examples: &[Example]) -> Option<DynamicImage> {
    let &Picture { channels, height, width, .. } = &examples.first()?.before;
    let (w, h) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let area = width.checked_mul(height).filter(|&area| area > 0)?;
    let mut change = vec![0.0_f32; area];
    for Example { before, after, .. } in examples {
        let fits =
            |p: &Picture| (p.channels, p.height, p.width, p.values.len()) == (channels, height, width, channels * area);
        if !fits(before) || !fits(after) {
            return None;
        }
        let changes = before.values.iter().zip(&after.values).map(|(a, b)| (a - b).abs());
        changes.enumerate().for_each(|(i, by)| change[i % area] += by);
    }
    let most = change.iter().copied().fold(0.0, f32::max);
    if !(most.is_finite() && most > 0.0) {
        return None;
    }
    let hot = |x: u32, y: u32| {
        let share = change[y as usize * width + x as usize] / most;
        Rgb([0.0, 1.0, 2.0].map(|colder| byte(3.0 * share - colder)))
    };
    Some(RgbImage::from_fn(w, h, hot).into())
}

/// `[0, 1]` to a byte, rounded; what is no number is black.
pub fn byte(value: f32) -> u8 {
    (value.clamp(0.0, 1.0) * 255.0).round() as u8
}

/// A PNG file's bytes.
///
/// # Errors
/// What the encoder says.
pub fn png(picture: &DynamicImage) -> Result<Vec<u8>, image::ImageError> {
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

/// A PNG as a text that browsers show; `None` where it cannot be encoded.
pub fn data_uri(picture: &DynamicImage) -> Option<String> {
    png(picture).ok().map(|bytes| format!("{PREFIX}{}", STANDARD.encode(bytes)))
}

/// The picture that [`data_uri`] wrote; `None` where the text is anything else, or far too large.
pub fn from_data_uri(text: &str) -> Option<Picture> {
    let bytes = STANDARD.decode(text.strip_prefix(PREFIX)?).ok()?;
    let mut reader = ImageReader::with_format(Cursor::new(bytes), ImageFormat::Png);
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    reader.limits(limits);
    let read = reader.decode().ok()?;
    let (width, height) = (read.width() as usize, read.height() as usize);
    let share = |byte: u8| f32::from(byte) / 255.0;
    if read.color().has_color() {
        let rgb = read.into_rgb8();
        let channel = |c: usize| rgb.pixels().map(move |p| share(p.0[c]));
        let values = (0..3).flat_map(channel).collect();
        Some(Picture { channels: 3, height, width, values })
    } else {
        let values = read.into_luma8().pixels().map(|p| share(p.0[0])).collect();
        Some(Picture { channels: 1, height, width, values })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_picture_survives_the_way_there_and_back_as_far_as_bytes_go() {
        for channels in [1, 3] {
            let values: Vec<f32> = (0..channels * 6).map(|i| i as f32 / 17.0).collect();
            let picture = Picture { channels, height: 2, width: 3, values };
            let text = data_uri(&image(&picture).unwrap()).unwrap();
            let back = from_data_uri(&text).unwrap();
            assert_eq!((back.channels, back.height, back.width), (channels, 2, 3));
            assert!(back.values.iter().zip(&picture.values).all(|(a, b)| (a - b).abs() <= 0.5 / 255.0));
            assert_eq!(data_uri(&image(&back).unwrap()).unwrap(), text);
        }
    }

    #[test]
    fn what_is_no_picture_is_none() {
        for text in ["", "data:image/png;base64,", "data:image/png;base64,AAAA", "data:image/svg+xml,<svg/>", "x"] {
            assert!(from_data_uri(text).is_none(), "{text}");
        }
        let huge = image::GrayImage::new(MAX_SIDE + 1, 1).into();
        assert!(from_data_uri(&data_uri(&huge).unwrap()).is_none());
    }

    #[test]
    fn the_hottest_pixel_is_white_and_one_that_stays_is_black() {
        let gray = |values: [f32; 3]| Picture { channels: 1, height: 1, width: 3, values: values.to_vec() };
        let example = |after| Example {
            before: gray([0.2; 3]),
            after: gray(after),
            truth: 0,
            answer_before: (0, 1.0),
            answer_after: (1, 1.0),
        };
        let heat_of = |examples: &[Example]| heat(examples).map(|map| map.into_rgb8().into_raw());
        let map = heat_of(&[example([0.2, 0.3, 0.8]), example([0.2, 0.5, 0.8])]).unwrap();
        assert_eq!(map, [[0, 0, 0], [255, 0, 0], [255, 255, 255]].concat());
        assert_eq!(heat_of(&[example([0.2; 3])]), None, "nothing changes");
        assert_eq!(heat_of(&[]), None);
        let other = Example { after: Picture { width: 2, ..gray([0.0; 3]) }, ..example([0.0; 3]) };
        assert_eq!(heat_of(&[example([0.0; 3]), other]), None);
    }

    #[test]
    fn a_mask_lets_gray_through_where_it_does_not_cover() {
        let mask = Picture { channels: 1, height: 1, width: 2, values: vec![1.0, 0.0] };
        let pattern = Picture { channels: 3, height: 1, width: 2, values: vec![1.0, 1.0, 0.0, 0.0, 0.0, 0.0] };
        let seen = on_gray(&mask, &pattern).unwrap().into_rgb8();
        assert_eq!((seen.get_pixel(0, 0).0, seen.get_pixel(1, 0).0), ([255, 0, 0], [128, 128, 128]));
        let other = Picture { width: 1, values: vec![0.0; 3], ..pattern };
        assert!(on_gray(&mask, &other).is_none());
    }
}
