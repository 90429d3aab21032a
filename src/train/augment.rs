//! Pictures as a camera might have taken them another time: shifted, turned, nearer, brighter.
//! Never mirrored: signs and digits change their meaning.

use crate::images::ImageSet;
use crate::tensor::{Random, Seed};
use candle_core::{Device, Result, Tensor};
use rayon::prelude::*;

/// Largest shift as a share of the picture's side: 3 of 32 pixels.
const SHIFT: f32 = 0.095;
/// Tangent of half the largest turn: about 10 degrees.
const HALF_TURN: f32 = 0.09;
/// Largest change of size, to both sides.
const ZOOM: f32 = 0.12;
/// Largest change of brightness (added) and of contrast (a factor), to both sides.
const BRIGHTNESS: f32 = 0.12;
const CONTRAST: f32 = 0.25;
/// Largest amplitude of the uniform noise added to each value.
const NOISE: f32 = 0.03;

/// The images at `indices`, each changed by chance: `[indices.len(), channels, height, width]` in
/// `[0, 1]`. The `i`-th change depends on `i` and the seed only, never on the number of threads.
///
/// # Errors
/// Where the device cannot hold them.
pub fn augmented(images: &ImageSet, indices: &[usize], seed: Seed, device: &Device) -> Result<Tensor> {
    let (channels, height, width) = (images.channels, images.height, images.width);
    let mut values = vec![0.0; indices.len() * channels * height * width];
    values.par_chunks_mut(channels * height * width).zip(indices).enumerate().for_each(|(i, (out, &index))| {
        photograph_again(images.image(index), out, [height, width], &mut seed.nth(i).random());
    });
    Tensor::from_vec(values, (indices.len(), channels, height, width), device)
}

/// One picture, turned, zoomed and shifted by bilinear sampling (edges repeat), then relit.
fn photograph_again(image: &[u8], out: &mut [f32], [height, width]: [usize; 2], random: &mut Random) {
    let t = random.uniform(-HALF_TURN, HALF_TURN);
    let zoom = random.uniform(1.0 - ZOOM, 1.0 + ZOOM);
    let (cos, sin) = ((1.0 - t * t) / (1.0 + t * t) * zoom, 2.0 * t / (1.0 + t * t) * zoom);
    let (h, w) = (height as f32, width as f32);
    let shift = [random.uniform(-SHIFT, SHIFT) * h, random.uniform(-SHIFT, SHIFT) * w];
    let contrast = random.uniform(1.0 - CONTRAST, 1.0 + CONTRAST);
    let brightness = random.uniform(-BRIGHTNESS, BRIGHTNESS);
    let noise = random.uniform(0.0, NOISE);
    let mean = image.iter().map(|&b| u64::from(b)).sum::<u64>() as f32 / (image.len() as f32 * 255.0);
    let offset = mean + brightness - contrast * mean;
    for row in 0..height {
        for column in 0..width {
            let (y, x) = (row as f32 - (h - 1.0) / 2.0, column as f32 - (w - 1.0) / 2.0);
            let at_y = cos * y + sin * x + (h - 1.0) / 2.0 + shift[0];
            let at_x = cos * x - sin * y + (w - 1.0) / 2.0 + shift[1];
            let (above, below, ty) = neighbours(at_y, height);
            let (left, right, tx) = neighbours(at_x, width);
            for (plane, out) in image.chunks_exact(height * width).zip(out.chunks_exact_mut(height * width)) {
                let at = |y: usize, x: usize| f32::from(plane[y * width + x]);
                let upper = at(above, left) + (at(above, right) - at(above, left)) * tx;
                let lower = at(below, left) + (at(below, right) - at(below, left)) * tx;
                let value = (upper + (lower - upper) * ty) / 255.0;
                out[row * width + column] = contrast * value + offset;
            }
        }
    }
    out.iter_mut().for_each(|v| *v = (*v + random.uniform(-noise, noise)).clamp(0.0, 1.0));
}

/// The two cells around a place and how far it is towards the second, within `0..size`.
fn neighbours(at: f32, size: usize) -> (usize, usize, f32) {
    let at = at.clamp(0.0, (size - 1) as f32);
    let first = at as usize;
    (first, (first + 1).min(size - 1), at - first as f32)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn blob() -> ImageSet {
        let pixels = (0..16 * 12).map(|i| if (2..11).contains(&(i / 12)) && i % 12 < 6 { 250 } else { 10 }).collect();
        ImageSet {
            pixels,
            channels: 1,
            height: 16,
            width: 12,
            labels: vec![0],
            names: vec!["blob".into()],
            skipped: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn changes_come_from_the_seed_stay_in_range_and_keep_the_picture_recognisable() {
        let images = blob();
        let draw = |seed: Seed| {
            let x = augmented(&images, &[0; 40], seed, &Device::Cpu).unwrap();
            assert_eq!(x.dims(), [40, 1, 16, 12]);
            x.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        let changed = draw(Seed(1));
        assert_eq!(changed, draw(Seed(1)));
        assert_ne!(changed, draw(Seed(2)));
        assert!(changed.iter().all(|v| (0.0..=1.0).contains(v)));
        for picture in changed.chunks(16 * 12) {
            // On the bright part and far from it, whatever was shifted and turned: never mirrored.
            assert!(picture[6 * 12 + 2] > picture[14 * 12 + 10] + 0.3);
            assert!(picture[6 * 12 + 2] > picture[6 * 12 + 10] + 0.3);
        }
    }
}
