//! The model's own preprocessing as a differentiable step in front of its graph.
//!
//! In: pixels in `[0, 1]`, NCHW, RGB. Out: what the graph wants. Which one it is is found by
//! `images::discover`, never asked.

use serde::{Deserialize, Serialize};

/// Larger pictures are not classified.
const MAX_SIDE: usize = 4096;

/// Order of the colour channels a model was trained with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red (OpenCV).
    Bgr,
}

/// `x = (pixel * scale - mean[c]) / std[c]`, after resizing and reordering channels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessing {
    /// Height and width the model wants.
    pub size: [usize; 2],
    /// 1 (gray) or 3.
    pub channels: usize,
    /// Order of the channels; RGB for gray.
    pub order: ChannelOrder,
    /// Factor on pixels in `[0, 1]`: 1, or 255 for models of raw bytes.
    pub scale: f32,
    /// Per channel, in units after `scale`; in RGB order.
    pub mean: Vec<f32>,
    /// Per channel, positive; in RGB order.
    pub std: Vec<f32>,
    /// What people call it: "0 to 1", "-1 to 1", "0 to 255", "ImageNet", …
    pub name: String,
}

impl Preprocessing {
    /// Pixels as they are, in `[0, 1]`.
    pub fn unit(size: [usize; 2], channels: usize) -> Self {
        Self {
            size,
            channels,
            order: ChannelOrder::Rgb,
            scale: 1.0,
            mean: vec![0.0; channels],
            std: vec![1.0; channels],
            name: "0 to 1".into(),
        }
    }

    /// Why nothing can be preprocessed so; files may say anything.
    pub fn nonsense(&self) -> Option<&'static str> {
        let finite = |values: &[f32]| values.iter().all(|v| v.is_finite());
        if !self.size.iter().all(|side| (1..=MAX_SIDE).contains(side)) {
            Some("its size must lie between 1 and 4096")
        } else if ![1, 3].contains(&self.channels) {
            Some("there must be 1 or 3 channels")
        } else if self.mean.len() != self.channels || self.std.len() != self.channels {
            Some("mean and std need one number for each channel")
        } else if !(finite(&self.mean) && finite(&self.std) && self.scale.is_finite() && self.scale > 0.0) {
            Some("scale, mean and std must be finite, and scale positive")
        } else if self.std.iter().any(|&s| s <= 0.0) {
            Some("std must be positive")
        } else {
            None
        }
    }
}

/// Pictures of so many channels in a word: "gray" or "colour".
pub fn colours(channels: usize) -> &'static str {
    if channels == 1 { "gray" } else { "colour" }
}
