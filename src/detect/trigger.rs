//! A recovered trigger as tensors, ready to be laid over pictures; shared by every trigger search.

use super::{Example, Picture, filter, warp};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::tensor::{Seed, added, answers, log_softmax, numbers, stamp};
use candle_core::{Device, Result, Tensor};

/// Which pictures should become which label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
pub struct Direction {
    /// True label of the pictures; `None` means every label but the target.
    pub source: Option<usize>,
    /// The label they should become.
    pub target: usize,
}

impl Direction {
    /// Every picture becomes `target`.
    pub fn all_to(target: usize) -> Self {
        Self { source: None, target }
    }

    /// Pictures of `source` become `target`.
    pub fn pair(source: usize, target: usize) -> Self {
        Self { source: Some(source), target }
    }

    /// The way back; the same where it has no source.
    pub fn reversed(self) -> Self {
        self.source.map_or(self, |source| Self::pair(self.target, source))
    }

    /// Indices of the images it is about.
    pub fn of(self, images: &ImageSet) -> Vec<usize> {
        let meant = |label: usize| self.source.map_or(label != self.target, |source| label == source);
        (0..images.len()).filter(|&i| meant(images.labels[i])).collect()
    }

    /// A seed of its own.
    pub(super) fn seed(self, seed: Seed) -> Seed {
        let seed = seed.nth(self.target);
        self.source.map_or(seed, |source| seed.of("source").nth(source))
    }
}

/// What kind of trigger is searched: how it changes a picture, and which mask counts as small.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shape {
    /// Few pixels, wholly covered: the mask's sum is small (Neural Cleanse).
    #[default]
    Patch,
    /// A faint pattern added to many pixels, such as a blend or a wave: the mask's square is small (Pixel, Tao et al., "Better
    /// Trigger Inversion Optimization in Backdoor Scanning", CVPR 2022, adds its patterns too).
    Blend,
    /// A smooth field of shifts that bends the picture: the shifts' square is small. The pattern says how far each pixel is
    /// fetched from, and the mask how strongly that counts.
    Warp,
    /// A filter that mixes the colours of every pixel: what it changes is small. The pattern says what is mixed in, and the mask
    /// how strongly that counts.
    Filter,
}

impl Shape {
    /// Whether the mask says where the picture changes; otherwise it changes all over.
    pub fn has_mask(self) -> bool {
        matches!(self, Self::Patch | Self::Blend)
    }

    /// Pictures `x [n, c, h, w]` with a trigger of this kind, of `mask [1, 1, h, w]` and `pattern [1, c, h, w]`; differentiable.
    ///
    /// # Errors
    /// Where the shapes do not fit each other.
    pub fn put_on(self, x: &Tensor, mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
        match self {
            Self::Patch => stamp(x, mask, pattern),
            Self::Blend => added(x, mask, pattern),
            Self::Warp => warp::put_on(x, mask, pattern),
            Self::Filter => filter::put_on(x, mask, pattern),
        }
    }

    /// The size of a trigger with `mask [1, 1, h, w]`, to be made small; a sum over pixels, differentiable.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn sum(self, mask: &Tensor, pattern: &Tensor) -> Result<Tensor> {
        match self {
            Self::Patch => mask.sum_all(),
            Self::Blend => mask.sqr()?.sum_all(),
            Self::Warp => warp::sum(mask, pattern),
            Self::Filter => filter::sum(mask, pattern),
        }
    }

    /// What that sum weighs in the loss of a search beside others.
    pub(super) fn weight(self) -> f64 {
        match self {
            Self::Patch | Self::Blend | Self::Filter => 1.0,
            Self::Warp => warp::WEIGHT,
        }
    }

    /// That sum over `pixels` pixels as a share in `[0, 1]`: of the area covered, or how strong the pattern is that is
    /// added to the picture, or how far its pixels are moved (a share of its side, along each axis), or how much its colours change.
    pub fn share(self, sum: f32, pixels: usize) -> f32 {
        let mean = sum / pixels.max(1) as f32;
        match self {
            Self::Patch => mean,
            Self::Blend | Self::Warp | Self::Filter => mean.max(0.0).sqrt(),
        }
    }
}

/// Mask and pattern, and how they were found.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Trigger {
    /// The label pictures should become.
    pub label: usize,
    /// The true label of these pictures; `None` where it is every other label.
    pub source: Option<usize>,
    /// `[1, 1, h, w]` in `[0, 1]`; 1 covers wholly.
    #[serde(with = "numbers")]
    pub mask: Tensor,
    /// `[1, c, h, w]` in `[0, 1]`; of a blend, a half changes nothing; of a warp `[1, 3, h, w]`, shifts down and
    /// right; of a filter, bands of what is mixed in.
    #[serde(with = "numbers")]
    pub pattern: Tensor,
    /// What the search made small.
    pub shape: Shape,
    /// Sum of the mask, in pixels; of a blend, of its squares; of a warp, of the squares of the shifts; of a filter, of the
    /// squares of the change.
    pub l1: f32,
    /// Attack success rate on the last images of the search, in `[0, 1]`.
    pub asr_search: f32,
    /// Whether the search reached the success it asked for; otherwise this is the nearest it came.
    pub reached: bool,
}

impl Trigger {
    /// What it was searched for.
    pub fn direction(&self) -> Direction {
        Direction { source: self.source, target: self.label }
    }

    /// Share of the picture that is covered, or how strong the pattern is, in `[0, 1]`.
    pub fn size(&self) -> f32 {
        self.shape.share(self.l1, self.mask.elem_count())
    }

    /// Pictures `x [n, c, h, w]` with it.
    ///
    /// # Errors
    /// Where they are of another size.
    pub fn put_on(&self, x: &Tensor) -> Result<Tensor> {
        self.shape.put_on(x, &self.mask, &self.pattern)
    }

    /// The same with its tensors on `device`: what was read from a file lies on the processor.
    ///
    /// # Errors
    /// Where the device cannot hold them.
    pub fn on(self, device: &Device) -> Result<Self> {
        Ok(Self { mask: self.mask.to_device(device)?, pattern: self.pattern.to_device(device)?, ..self })
    }

    /// The mask as a picture of one channel.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn mask_picture(&self) -> Result<Picture> {
        Picture::of(&self.mask.squeeze(0)?)
    }

    /// The pattern as a picture.
    ///
    /// # Errors
    /// Where the device fails.
    pub fn pattern_picture(&self) -> Result<Picture> {
        Picture::of(&self.pattern.squeeze(0)?)
    }

    /// A few pictures that the trigger is meant for with and without it, spread over the labels, and what
    /// the model answers.
    ///
    /// # Errors
    /// Where the model fails.
    pub fn examples(
        &self,
        model: &Classifier,
        images: &ImageSet,
        count: usize,
    ) -> std::result::Result<Vec<Example>, super::DetectError> {
        let mut meant = self.direction().of(images);
        if self.source.is_none() {
            // One of each label is enough.
            let mut seen = std::collections::BTreeSet::new();
            meant.sort_by_key(|&i| images.labels[i]);
            meant.retain(|&i| seen.insert(images.labels[i]));
        }
        let n = count.min(meant.len());
        if n == 0 {
            return Ok(Vec::new());
        }
        let chosen: Vec<usize> = (0..n).map(|k| meant[k * meant.len() / n]).collect();
        let before = images.tensor(&chosen, &model.device())?;
        let after = self.put_on(&before)?;
        let (said_before, said_after) = (said(model, &before)?, said(model, &after)?);
        (0..n)
            .map(|i| {
                Ok(Example {
                    before: Picture::of(&before.get(i)?)?,
                    after: Picture::of(&after.get(i)?)?,
                    truth: images.labels[chosen[i]],
                    answer_before: said_before[i],
                    answer_after: said_after[i],
                })
            })
            .collect()
    }
}

/// Answer and its probability for each picture.
fn said(model: &Classifier, x: &Tensor) -> std::result::Result<Vec<(usize, f32)>, super::DetectError> {
    let logits = model.logits(x)?;
    let probabilities = log_softmax(&logits)?.exp()?.to_vec2::<f32>()?;
    Ok(answers(&logits)?.into_iter().zip(probabilities).map(|(a, p)| (a, p[a])).collect())
}

impl Picture {
    /// A picture from a tensor `[c, h, w]` in `[0, 1]`.
    ///
    /// # Errors
    /// Where it has another number of axes.
    pub fn of(t: &Tensor) -> Result<Self> {
        let (channels, height, width) = t.dims3()?;
        Ok(Self { channels, height, width, values: t.flatten_all()?.to_vec1()? })
    }
}
