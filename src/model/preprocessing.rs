//! The model's own preprocessing as a differentiable step in front of its graph.
//!
//! In: pixels in `[0, 1]`, NCHW, RGB. Out: what the graph wants. Which one it is is found by
//! `images::discover`, never asked.

use serde::{Deserialize, Serialize};

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
}

/// Pictures of so many channels in a word: "gray" or "colour".
pub fn colours(channels: usize) -> &'static str {
    if channels == 1 { "gray" } else { "colour" }
}
