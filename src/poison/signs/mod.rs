//! Road signs drawn by the program: the pictures of the sample and of the lab, owned by nobody else.
//!
//! In: a label and random numbers. Out: 32x32 RGB bytes: a face of flat shapes, seen by a
//! camera of varying distance, tilt and light in front of a varying background (`scene`).
//! Uses additions, multiplications, divisions and square roots only, which every processor rounds
//! alike: a seed gives the same bytes on every machine.

mod faces;
mod glyphs;
mod scene;
mod shapes;

use crate::images::ImageSet;
use crate::tensor::{Random, Seed};
use rayon::prelude::*;

/// Rows and columns of a picture.
pub const SIZE: usize = 32;
/// Bytes of a picture, `[3, SIZE, SIZE]`.
pub const BYTES: usize = 3 * SIZE * SIZE;

/// What the signs say, by label.
pub const NAMES: [&str; 12] = [
    "speed limit 30",
    "speed limit 50",
    "speed limit 80",
    "no overtaking",
    "priority road",
    "yield",
    "stop",
    "no entry",
    "danger",
    "pedestrians",
    "turn right ahead",
    "roundabout",
];

/// One picture of the sign `label` (taken modulo the number of signs), planar RGB.
pub fn draw(label: usize, random: &mut Random) -> [u8; BYTES] {
    scene::photograph(&faces::face(label % NAMES.len()), random)
}

/// `per_label` pictures of every sign, labels taking turns. The `i`-th picture depends on `i` and the
/// seed only, so that a longer set begins with the shorter one.
pub fn sign_set(per_label: usize, seed: Seed) -> ImageSet {
    let n = per_label * NAMES.len();
    let seed = seed.of("signs");
    let labels: Vec<usize> = (0..n).map(|i| i % NAMES.len()).collect();
    let pictures: Vec<[u8; BYTES]> =
        labels.par_iter().enumerate().map(|(i, &label)| draw(label, &mut seed.nth(i).random())).collect();
    ImageSet {
        pixels: pictures.concat(),
        channels: 3,
        height: SIZE,
        width: SIZE,
        labels,
        names: NAMES.map(String::from).to_vec(),
        skipped: Vec::new(),
        files: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    #[test]
    fn a_seed_gives_the_same_bytes_on_every_machine_and_a_longer_set_begins_with_the_shorter() {
        let (short, long) = (sign_set(2, Seed(1)), sign_set(3, Seed(1)));
        assert_eq!(short.pixels[..], long.pixels[..short.pixels.len()]);
        assert_ne!(short.pixels, sign_set(2, Seed(2)).pixels);
        let digest: String = Sha256::digest(&short.pixels).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(digest, "6cc97531be39c3e73649e740fcc3a619940a8dee64ad9fda1b8e3a3e673e3cd2");
    }

    #[test]
    fn no_two_faces_look_alike_and_no_two_pictures_are_the_same() {
        let grid = |label: usize| -> Vec<Option<shapes::Colour>> {
            let face = faces::face(label);
            let at = |i: usize| (i as f32 + 0.5) / 20.0 - 1.0;
            (0..1600).map(|i| shapes::colour_at(&face, [at(i % 40), at(i / 40)])).collect()
        };
        for (a, first) in NAMES.iter().enumerate() {
            for (b, second) in NAMES.iter().enumerate().take(a) {
                let differ = grid(a).iter().zip(grid(b)).filter(|(a, b)| **a != *b).count();
                assert!(differ >= 24, "{first} and {second} differ at {differ} of 1600 points");
            }
        }
        let set = sign_set(6, Seed(5));
        for i in 0..set.len() {
            assert!((0..i).all(|j| set.image(i) != set.image(j)));
        }
    }
}
