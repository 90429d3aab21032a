//! Finds the preprocessing a model was trained with by trying the usual ones and keeping the one
//! with the best clean accuracy.
//!
//! In: a model, images with labels. Out: the candidates tried, best first. Coarse to fine: every usual
//! normalisation on a few images, the best in both orders of channels on more, the best of those on many.
//! Never returns a choice that guesses: below a sane accuracy the answer is a sentence.

use super::candidates::{other_order, usual};
use super::measure::{Answers, answers};
use super::plausible::{complaint, consistency, least_accuracy, reordered};
use super::{ImageError, ImageSet};
use crate::model::{Classifier, InputSpec, Model, Preprocessing};
use crate::progress::Monitor;
use crate::tensor::Seed;
use candle_core::Device;
use serde::{Deserialize, Serialize};

/// Images of the three stages, for pictures up to [`FULL_AREA`].
const STAGES: [usize; 3] = [128, 256, 2_000];
/// Candidates that go on to the second and third stage.
const KEPT: [usize; 2] = [5, 4];
/// Pixels of a picture above which fewer images are used.
const FULL_AREA: usize = 128 * 128;
/// Pixels the final accuracy is measured on at most, and images it is measured on at least.
const FINAL_PIXELS: usize = 5_000 * 32 * 32;
const FINAL_IMAGES: usize = 2_000;
/// Standard errors of a sample by which a candidate may fall short of the best and still go on, and the least
/// such gap in accuracy.
const GAP_ERRORS: f32 = 4.0;
const LEAST_GAP: f32 = 0.03;
/// Sizes tried where a model takes any, beside the images' own.
const SIZES: [usize; 9] = [28, 32, 64, 96, 128, 160, 192, 224, 299];
/// Normalisations tried at each further size.
const KEPT_AT_SIZES: usize = 3;
/// Larger sizes are no longer tried once this many in a row fall short of the best by [`FALL`].
const SIZES_IN_A_ROW: usize = 2;
const FALL: f32 = 0.15;
/// Accuracy by which a simpler candidate may fall short of the best, at most and in standard errors.
const NOISE: f32 = 0.005;
const NOISE_ERRORS: f32 = 1.0;
/// Factor by which its loss may exceed the best's.
const NOISE_LOSS: f32 = 1.5;
/// A loss below this only tells how large a model's numbers are: every answer is right and sure.
const SURE: f32 = 0.01;
/// Images on which the order of labels is examined when nothing else fits.
const ORDER_IMAGES: usize = 1_000;
const STAGE: &str = "Finding the preprocessing";

/// One preprocessing that was tried.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// The preprocessing.
    pub preprocessing: Preprocessing,
    /// Share of images answered rightly, in `[0, 1]`, on the largest sample it was tried on.
    pub accuracy: f32,
    /// Mean cross-entropy of the true label there, the tie-breaker.
    pub loss: f32,
}

/// What trying them showed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Discovery {
    /// Best first; never empty.
    pub candidates: Vec<Candidate>,
    /// Accuracy of the first on all images given (an even selection of at least 2,000 where there are very many).
    pub accuracy: f32,
    /// How many images that is.
    pub images: usize,
}

/// Tries the usual preprocessings. Images of another size or number of channels than the model's are converted.
///
/// # Errors
/// Labels of images and model that do not fit each other; accuracy below what any trained classifier
/// shows ([`ImageError::Mismatch`], in words).
pub fn discover(model: &Model, images: &ImageSet, device: &Device, monitor: &Monitor) -> Result<Discovery, ImageError> {
    let ask = |p: &Preprocessing, images: &ImageSet, monitor: &Monitor| {
        answers(&Classifier::new(model, p.clone(), device)?, images, STAGE, monitor)
    };
    Search { input: &model.input, classes: model.classes, ask: &ask, monitor }.run(images)
}

type Ask<'a> = dyn Fn(&Preprocessing, &ImageSet, &Monitor) -> Result<Answers, ImageError> + 'a;

/// One search; `ask` is the model.
struct Search<'a> {
    input: &'a InputSpec,
    classes: usize,
    ask: &'a Ask<'a>,
    monitor: &'a Monitor,
}

/// A candidate with what it showed on one sample.
#[derive(Debug, Clone)]
struct Tried {
    preprocessing: Preprocessing,
    /// Place in the list of usual preprocessings, RGB before BGR: the smaller, the simpler.
    simplicity: usize,
    accuracy: f32,
    /// The same as a mean over the labels.
    balanced: f32,
    loss: f32,
    /// Share that would be right with the labels in another order.
    consistency: f32,
    /// Images of the sample.
    images: usize,
}

impl Search<'_> {
    fn run(&self, images: &ImageSet) -> Result<Discovery, ImageError> {
        self.check(images)?;
        let (channels, own) = (self.input.channels, [images.height, images.width]);
        let images = &images.converted(channels, self.input.size.unwrap_or(own), self.monitor)?;

        let mut coarse = self.coarse(images)?;
        rank(&mut coarse);
        let kept: Vec<Tried> = promising(&coarse, KEPT[0]).iter().flat_map(|t| both_orders(t, channels)).collect();
        let mut middle = self.again(&kept, images, STAGES[1], 0.4, 0.6)?;
        rank(&mut middle);
        let left = promising(&middle, KEPT[1]);
        // The last one standing is measured on more images below anyway.
        let mut fine = if left.len() == 1 { left.to_vec() } else { self.again(left, images, STAGES[2], 0.6, 0.8)? };
        rank(&mut fine);
        simplest_within_noise(&mut fine);

        let all = self.at_size(&final_images(images, fine[0].preprocessing.size), fine[0].preprocessing.size)?;
        let mut best = fine[0].clone();
        if best.images < all.len() {
            let answers = (self.ask)(&best.preprocessing, &all, &self.monitor.part(0.8, 1.0))?;
            best = tried(best.preprocessing, best.simplicity, &answers, &all);
        }
        let Tried { accuracy, balanced, .. } = best;
        let count = coarse.len() + middle.len();
        if balanced < least_accuracy(self.classes, all.len()) {
            return Err(self.refuse(balanced, &all, count, &coarse, images)?);
        }
        Ok(Discovery { candidates: listed(fine, middle, coarse), accuracy, images: all.len() })
    }

    /// Labels of images and model must fit each other.
    fn check(&self, images: &ImageSet) -> Result<(), ImageError> {
        let wrong = |sentence: String| Err(ImageError::Mismatch(sentence));
        if images.is_empty() {
            return wrong("there are no images to try the model on".into());
        }
        let (labels, classes) = (images.names.len(), self.classes);
        if labels > classes {
            return wrong(format!(
                "the images have {labels} labels, but the model knows only {classes}: the images belong to another model, or a folder or line too many was taken for a label"
            ));
        }
        Ok(())
    }

    /// Every usual normalisation on few images; at every usual size where the model takes any.
    fn coarse(&self, images: &ImageSet) -> Result<Vec<Tried>, ImageError> {
        let own = [images.height, images.width];
        let mut sizes = vec![own];
        if self.input.size.is_none() {
            sizes.extend(SIZES.map(|s| [s, s]).into_iter().filter(|&s| s != own));
        }
        let (mut found, mut failure): (Vec<Tried>, Option<ImageError>) = (Vec::new(), None);
        let mut short_in_a_row = 0;
        let shares = sizes.len() as f32;
        for (i, &size) in sizes.iter().enumerate() {
            let sample = self.at_size(&sample(images, STAGES[0], size), size)?;
            let mut list: Vec<(usize, Preprocessing)> =
                usual(size, self.input.channels, images).into_iter().enumerate().collect();
            if !found.is_empty() {
                rank(&mut found);
                let best: Vec<usize> = found.iter().map(|t| t.simplicity).take(KEPT_AT_SIZES).collect();
                list.retain(|(index, _)| best.contains(&(2 * index)));
            }
            let n = list.len() as f32;
            let mut here = Vec::new();
            for (k, (index, preprocessing)) in list.into_iter().enumerate() {
                let (from, to) = (i as f32 + k as f32 / n, i as f32 + (k as f32 + 1.0) / n);
                let monitor = self.monitor.part(0.4 * from / shares, 0.4 * to / shares);
                match (self.ask)(&preprocessing, &sample, &monitor) {
                    Ok(answers) => here.push(tried(preprocessing, 2 * index, &answers, &sample)),
                    // A size the graph cannot take fails for every normalisation alike.
                    Err(error @ (ImageError::Model(_) | ImageError::Compute(_))) => {
                        failure = Some(error);
                        break;
                    }
                    Err(error) => return Err(error),
                }
            }
            let best = |list: &[Tried]| list.iter().map(|t| t.accuracy).fold(0.0, f32::max);
            let falls_short = !here.is_empty() && best(&here) + FALL < best(&found);
            short_in_a_row = if falls_short && size[0] > own[0] { short_in_a_row + 1 } else { 0 };
            found.extend(here);
            if short_in_a_row >= SIZES_IN_A_ROW {
                break;
            }
        }
        match failure {
            Some(error) if found.is_empty() => Err(error),
            _ => Ok(found),
        }
    }

    /// The same candidates on a larger sample.
    fn again(
        &self,
        candidates: &[Tried],
        images: &ImageSet,
        n: usize,
        from: f32,
        to: f32,
    ) -> Result<Vec<Tried>, ImageError> {
        let step = (to - from) / candidates.len().max(1) as f32;
        let mut at: Option<ImageSet> = None;
        let mut found = Vec::with_capacity(candidates.len());
        for (i, t) in candidates.iter().enumerate() {
            let size = t.preprocessing.size;
            let sample = match at.take() {
                Some(set) if [set.height, set.width] == size => set,
                _ => self.at_size(&sample(images, n, size), size)?,
            };
            let monitor = self.monitor.part(from + step * i as f32, from + step * (i + 1) as f32);
            let answers = (self.ask)(&t.preprocessing, &sample, &monitor)?;
            found.push(tried(t.preprocessing.clone(), t.simplicity, &answers, &sample));
            at = Some(sample);
        }
        Ok(found)
    }

    fn at_size(&self, images: &ImageSet, size: [usize; 2]) -> Result<ImageSet, ImageError> {
        Ok(images.converted(images.channels, size, self.monitor)?)
    }

    /// The sentence for an accuracy that makes no sense.
    fn refuse(
        &self,
        accuracy: f32,
        all: &ImageSet,
        tried: usize,
        coarse: &[Tried],
        images: &ImageSet,
    ) -> Result<ImageError, ImageError> {
        let most = coarse.iter().max_by(|a, b| a.consistency.total_cmp(&b.consistency));
        let mut moved = None;
        if let Some(most) = most {
            let size = most.preprocessing.size;
            let sample = self.at_size(&sample(images, ORDER_IMAGES, size), size)?;
            moved = reordered(&(self.ask)(&most.preprocessing, &sample, self.monitor)?, &sample);
        }
        let sentence = complaint(accuracy, all.len(), self.classes, tried, moved.as_deref(), &images.names);
        Ok(ImageError::Mismatch(sentence))
    }
}

impl Tried {
    /// Of the accuracy, by the binomial distribution.
    fn standard_error(&self) -> f32 {
        (self.accuracy * (1.0 - self.accuracy) / self.images.max(1) as f32).sqrt()
    }
}

fn tried(preprocessing: Preprocessing, simplicity: usize, answers: &Answers, sample: &ImageSet) -> Tried {
    Tried {
        preprocessing,
        simplicity,
        accuracy: answers.accuracy(sample),
        balanced: answers.balanced_accuracy(sample),
        loss: answers.loss,
        consistency: consistency(answers, sample),
        images: sample.len(),
    }
}

/// A label-balanced sample, smaller for large pictures.
fn sample(images: &ImageSet, n: usize, size: [usize; 2]) -> ImageSet {
    let share = (FULL_AREA as f32 / (size[0] * size[1]).max(1) as f32).min(1.0);
    // At least as many as a tenth, so that large pictures still tell candidates apart.
    let n = ((n as f32 * share.max(0.1)) as usize).max(32);
    images.sample(n, Seed::default().of("preprocessing"))
}

/// All images, or an even selection that leaves the shares of the labels as they are.
fn final_images(images: &ImageSet, size: [usize; 2]) -> ImageSet {
    let fit = (FINAL_PIXELS / (size[0] * size[1]).max(1)).max(FINAL_IMAGES);
    let n = images.len();
    if n <= fit {
        return images.clone();
    }
    images.subset(&(0..fit).map(|i| i * n / fit).collect::<Vec<_>>())
}

/// The first of a ranked list: at most `most`, none clearly worse than the best.
fn promising(ranked: &[Tried], most: usize) -> &[Tried] {
    let Some(best) = ranked.first() else { return ranked };
    let least = best.accuracy - (GAP_ERRORS * best.standard_error()).max(LEAST_GAP);
    let close = ranked.iter().take(most).take_while(|t| t.accuracy >= least).count();
    &ranked[..close]
}

fn both_orders(t: &Tried, channels: usize) -> Vec<Tried> {
    let mut both = vec![t.clone()];
    if channels == 3 {
        both.push(Tried { preprocessing: other_order(&t.preprocessing), simplicity: t.simplicity + 1, ..t.clone() });
    }
    both
}

/// Best accuracy first; of equals the one with the smaller loss, then the simpler one.
fn rank(list: &mut [Tried]) {
    list.sort_by(|a, b| {
        b.accuracy
            .total_cmp(&a.accuracy)
            .then_with(|| a.loss.total_cmp(&b.loss))
            .then_with(|| a.simplicity.cmp(&b.simplicity))
    });
}

/// Puts the simplest of those that cannot be told from the best in front. `list` is ranked.
fn simplest_within_noise(list: &mut [Tried]) {
    let Some(best) = list.first() else { return };
    let accuracy = best.accuracy - NOISE.min(NOISE_ERRORS * best.standard_error());
    let loss = (best.loss * NOISE_LOSS).max(SURE);
    let alike = |t: &Tried| t.accuracy >= accuracy && t.loss <= loss;
    let simplest = (0..list.len()).filter(|&i| alike(&list[i])).min_by_key(|&i| list[i].simplicity);
    if let Some(i) = simplest {
        list[..=i].rotate_right(1);
    }
}

/// Every candidate once, with what it showed on its largest sample; the finer stages first.
fn listed(fine: Vec<Tried>, middle: Vec<Tried>, coarse: Vec<Tried>) -> Vec<Candidate> {
    let mut list: Vec<Candidate> = Vec::new();
    for t in fine.into_iter().chain(middle).chain(coarse) {
        if !list.iter().any(|c| c.preprocessing == t.preprocessing) {
            list.push(Candidate { preprocessing: t.preprocessing, accuracy: t.accuracy, loss: t.loss });
        }
    }
    list
}

#[cfg(test)]
mod tests;
