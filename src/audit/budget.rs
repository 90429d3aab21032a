//! How much is computed at once: no more than memory allows, and no piece so long that losing it would hurt.
//!
//! In: what the models that work together take for one picture, the memory budget, the number of workers. Out: pictures
//! or labels a batch.

use super::workers::cores;

/// Pictures that each worker may compute at once where one takes `bytes`, at least one.
pub(super) fn pictures_at_once(bytes: usize, budget: usize) -> usize {
    (budget / cores() / bytes.max(1)).max(1)
}

/// Labels whose points are driven together: small networks need many points to be kept busy.
const LABELS_TOGETHER: usize = 4;
/// A network that takes so much for a picture is busy with the points of one label, and takes many seconds for those of four,
/// which would be lost where an audit is cut off.
const LARGE: usize = 8 << 20;

/// Labels whose points are driven in one piece of work, where one picture takes `bytes`. What comes of a label does not
/// depend on it.
pub(super) fn labels_at_once(bytes: usize) -> usize {
    if bytes < LARGE { LABELS_TOGETHER } else { 1 }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::detect::poisdetc::{RATE, Shooting, Volley, random_points};
    use crate::model::Classifier;
    use crate::progress::{Monitor, Stepwise};
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::Device;

    fn network(size: [usize; 2], seed: Seed) -> Classifier {
        tiny(size, 4, seed)
    }

    #[test]
    fn larger_pictures_leave_room_for_fewer_and_there_is_always_room_for_one() {
        let (small, large) = (network([16, 16], Seed(1)), network([32, 32], Seed(1)));
        let budget = 64 << 20;
        let bytes = [&large, &small].map(|m| m.bytes_a_picture().unwrap());
        let [few, many] = bytes.map(|bytes| pictures_at_once(bytes, budget));
        assert!(many >= 3 * few && few > 1, "{few} {many}");
        assert!(pictures_at_once(bytes[0] + bytes[1], budget) < few);
        assert_eq!(pictures_at_once(bytes[0], 1), 1);
        // 12 maps of 32x32 pixels after the first convolution, in single precision, at the very least.
        assert!(large.bytes_a_picture().unwrap() > 12 * 32 * 32 * 4);
    }

    #[test]
    fn a_smaller_budget_takes_less_memory_and_finds_the_same() {
        let (suspect, reference) = (network([16, 16], Seed(1)), network([16, 16], Seed(2)));
        let points = random_points(3, 3, [16, 16], &mut Seed(3).random(), &Device::Cpu).unwrap();
        let shots = |at_once| {
            let how = Shooting { shots: 3, steps: 6, rate: RATE, original_form: false, early: false, at_once };
            let mut volley = Volley::new(&suspect, &reference, &[1, 2], &points, &how);
            volley.advance(usize::MAX, &Monitor::silent()).unwrap();
            volley.shots().unwrap()
        };
        let (together, apart) = (shots(100), shots(2));
        for (a, b) in together.iter().zip(&apart) {
            assert_eq!((a.label, &a.steps), (b.label, &b.steps));
            let near = |x: &[f32], y: &[f32]| x.iter().zip(y).all(|(x, y)| (x - y).abs() < 1e-4);
            assert!(near(&a.losses, &b.losses) && near(&a.reference_losses, &b.reference_losses), "{a:?}\n{b:?}");
        }
    }
}
