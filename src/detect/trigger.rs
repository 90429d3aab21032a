//! A recovered trigger as tensors, ready to be laid over pictures; shared by every trigger search.

use super::{Example, Picture};
use crate::images::ImageSet;
use crate::model::Classifier;
use crate::tensor::{answers, log_softmax, stamp};
use candle_core::{Result, Tensor};

/// Mask and pattern, and how they were found.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// The label every picture should become.
    pub label: usize,
    /// `[1, 1, h, w]` in `[0, 1]`; 1 covers wholly.
    pub mask: Tensor,
    /// `[1, c, h, w]` in `[0, 1]`.
    pub pattern: Tensor,
    /// Sum of the mask, in pixels.
    pub l1: f32,
    /// Attack success rate on the last images of the search, in `[0, 1]`.
    pub asr_search: f32,
    /// Whether the search reached the success it asked for; otherwise this is the nearest it came.
    pub reached: bool,
}

impl Trigger {
    /// Sum of the mask over the area of the picture, in `[0, 1]`.
    pub fn size(&self) -> f32 {
        self.l1 / self.mask.elem_count().max(1) as f32
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

    /// A few pictures of other labels with and without the trigger, spread over the labels, and what
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
        let lists = images.by_label();
        let others = lists.iter().enumerate().filter(|(label, list)| *label != self.label && !list.is_empty());
        let firsts: Vec<usize> = others.map(|(_, list)| list[0]).collect();
        let n = count.min(firsts.len());
        if n == 0 {
            return Ok(Vec::new());
        }
        let chosen: Vec<usize> = (0..n).map(|k| firsts[k * firsts.len() / n]).collect();
        let before = images.tensor(&chosen, &model.device())?;
        let after = stamp(&before, &self.mask, &self.pattern)?;
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
