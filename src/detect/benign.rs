//! Which features carry the right answers: the benign mask of BTI-DBF (Xu et al., ICLR 2024), which BAN uses too.
//!
//! In: a model cut in front of its last dense layer, clean images. Out: a number for each feature, 1 where it is needed. With what the mask
//! keeps the network answers as it should, with the rest as it should not. Never decides.

use super::DetectError;
use super::gradient::gradient_of;
use crate::images::ImageSet;
use crate::model::Cut;
use crate::progress::Monitor;
use crate::tensor::{Adam, Random, cross_entropy, squash};
use candle_core::{Tensor, Var};

/// Adam's rate and decays, as published.
const RATE: f64 = 0.01;
const BETAS: (f64, f64) = (0.9, 0.999);
/// Rounds of all images: published 20 of many more images.
const ROUNDS: usize = 60;
const BATCH: usize = 128;

/// Features `[n, d]` of all `images`, without gradient.
pub(super) fn features(cut: &Cut, images: &ImageSet, batch: usize, monitor: &Monitor) -> Result<Tensor, DetectError> {
    let all: Vec<usize> = (0..images.len()).collect();
    let rows = all.chunks(batch.max(1)).map(|chosen| {
        monitor.check()?;
        Ok(cut.eye.logits(&images.tensor(chosen, &cut.eye.device())?)?.detach().flatten_from(1)?)
    });
    Ok(Tensor::cat(&rows.collect::<Result<Vec<_>, DetectError>>()?, 0)?)
}

/// The mask `[1, d]` in `[0, 1]` over the `features` of `images`.
pub(super) fn benign(
    cut: &Cut,
    features: &Tensor,
    images: &ImageSet,
    random: &mut Random,
    monitor: &Monitor,
) -> Result<Tensor, DetectError> {
    let (n, d) = features.dims2()?;
    let mut mask = Tensor::from_vec((0..d).map(|_| random.normal()).collect::<Vec<f32>>(), (1, d), features.device())?;
    let mut adam = Adam::new(RATE, BETAS);
    let mut order: Vec<usize> = (0..n).collect();
    for _ in 0..ROUNDS {
        random.shuffle(&mut order);
        for chosen in order.chunks(BATCH) {
            monitor.check()?;
            let rows = rows_of(features, chosen)?;
            let truth = images.truth(chosen, features.device())?;
            let var = Var::from_tensor(&mask)?;
            let kept = squash(&var)?;
            let with = cut.answer(&rows.broadcast_mul(&kept)?)?;
            let without = cut.answer(&rows.broadcast_mul(&rest(&kept)?)?)?;
            let loss = (cross_entropy(&with, &truth)?.mean_all()? - cross_entropy(&without, &truth)?.mean_all()?)?;
            mask = adam.step(&mask, &gradient_of(&loss, &var)?)?;
        }
    }
    Ok(squash(&mask)?)
}

/// The features `[chosen.len(), d]` of these images.
pub(super) fn rows_of(features: &Tensor, chosen: &[usize]) -> candle_core::Result<Tensor> {
    let places: Vec<u32> = chosen.iter().map(|&i| i as u32).collect();
    features.index_select(&Tensor::from_vec(places, chosen.len(), features.device())?, 0)
}

/// What `mask` does not keep.
pub(super) fn rest(mask: &Tensor) -> candle_core::Result<Tensor> {
    mask.affine(-1.0, 1.0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::model::cut;
    use crate::poison::signs::sign_set;
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::Device;

    #[test]
    fn with_the_mask_the_answers_are_righter_than_with_the_rest() {
        let images = sign_set(6, Seed(1));
        let size = [images.height, images.width];
        let model = tiny(size, images.names.len(), Seed(1));
        let (cut, monitor) = (cut(&model).unwrap(), Monitor::silent());
        let rows = features(&cut, &images, 32, &monitor).unwrap();
        assert_eq!(rows.dims(), [images.len(), 32]);
        let mask = benign(&cut, &rows, &images, &mut Seed(2).random(), &monitor).unwrap();
        let all: Vec<usize> = (0..images.len()).collect();
        let truth = images.truth(&all, &Device::Cpu).unwrap();
        let loss = |mask: &Tensor| {
            let logits = cut.answer(&rows.broadcast_mul(mask).unwrap()).unwrap();
            cross_entropy(&logits, &truth).unwrap().mean_all().unwrap().to_scalar::<f32>().unwrap()
        };
        let (with, without) = (loss(&mask), loss(&rest(&mask).unwrap()));
        assert!(with < without, "{with} and {without}");
    }
}
