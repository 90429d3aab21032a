//! How a sliding window covers one axis of a picture, as TensorFlow counts.

use crate::model::keras::Fault;
use crate::model::keras::settings::{LayerView, Padding};

/// One axis under a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cover {
    /// Positions of the window; `None` where the size of the axis is open.
    pub positions: Option<usize>,
    /// Cells added before the axis.
    pub before: usize,
    /// Cells added after it.
    pub after: usize,
}

/// Covers an axis of `size` cells with a window of `taps` cells, `dilation` apart, in steps of `stride`.
///
/// "Same" makes `ceil(size / stride)` positions; the odd cell of the padding goes after the axis
/// (<https://www.tensorflow.org/api_docs/python/tf/nn#notes_on_padding_2>).
pub(super) fn cover(
    view: &LayerView,
    padding: Padding,
    size: Option<usize>,
    taps: usize,
    stride: usize,
    dilation: usize,
) -> Result<Cover, Fault> {
    let span = (taps - 1) * dilation + 1;
    match (padding, size) {
        (Padding::Valid, None) => Ok(Cover { positions: None, before: 0, after: 0 }),
        (Padding::Valid, Some(size)) if size >= span => {
            Ok(Cover { positions: Some((size - span) / stride + 1), before: 0, after: 0 })
        }
        (Padding::Valid, Some(size)) => {
            Err(view.broken(format_args!("its window of {span} cells does not fit a picture of {size}")))
        }
        (Padding::Same, None) if stride == 1 => Ok(Cover { positions: None, before: (span - 1) / 2, after: span / 2 }),
        (Padding::Same, None) => Err(Fault::NotAClassifier(format!(
            "layer \"{}\" needs to know the size of the picture, which the file leaves open",
            view.name
        ))),
        (Padding::Same, Some(size)) => {
            let positions = size.div_ceil(stride);
            let total = (positions.saturating_sub(1) * stride + span).saturating_sub(size);
            Ok(Cover { positions: Some(positions), before: total / 2, after: total - total / 2 })
        }
    }
}

/// Both axes of a picture: the output's `[height, width]` and the padding `[top, left, bottom, right]`.
pub(super) fn cover_both(
    view: &LayerView,
    padding: Padding,
    size: [Option<usize>; 2],
    taps: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> Result<([Option<usize>; 2], [usize; 4]), Fault> {
    let rows = cover(view, padding, size[0], taps[0], stride[0], dilation[0])?;
    let columns = cover(view, padding, size[1], taps[1], stride[1], dilation[1])?;
    Ok(([rows.positions, columns.positions], [rows.before, columns.before, rows.after, columns.after]))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn covered(
        padding: Padding,
        size: Option<usize>,
        taps: usize,
        stride: usize,
        dilation: usize,
    ) -> Result<Cover, Fault> {
        let view = LayerView {
            class: "Conv2D",
            name: "c",
            settings: &serde_json::Map::new(),
            weights: Vec::new(),
            keras3: false,
        };
        cover(&view, padding, size, taps, stride, dilation)
    }

    /// Sizes, windows and steps with what TensorFlow gives for each.
    #[test]
    fn same_padding_is_that_of_tensorflow() {
        for (size, taps, stride, dilation, positions, before, after) in [
            (32, 3, 1, 1, 32, 1, 1),
            (32, 3, 2, 1, 16, 0, 1),
            (33, 3, 2, 1, 17, 1, 1),
            (32, 2, 1, 1, 32, 0, 1),
            (32, 5, 2, 1, 16, 1, 2),
            (32, 1, 2, 1, 16, 0, 0),
            (7, 3, 3, 1, 3, 1, 1),
            (8, 3, 3, 1, 3, 0, 1),
            (10, 3, 1, 2, 10, 2, 2),
            (224, 7, 2, 1, 112, 2, 3),
            (2, 5, 4, 1, 1, 1, 2),
        ] {
            let expected = Cover { positions: Some(positions), before, after };
            assert_eq!(
                covered(Padding::Same, Some(size), taps, stride, dilation).unwrap(),
                expected,
                "{size} {taps} {stride}"
            );
        }
    }

    #[test]
    fn valid_adds_nothing_and_refuses_what_does_not_fit() {
        assert_eq!(covered(Padding::Valid, Some(8), 3, 2, 1).unwrap().positions, Some(3));
        assert_eq!(covered(Padding::Valid, Some(5), 3, 1, 2).unwrap().positions, Some(1));
        assert!(covered(Padding::Valid, Some(4), 3, 1, 2).is_err());
        assert_eq!(covered(Padding::Valid, None, 3, 2, 1).unwrap().positions, None);
    }

    #[test]
    fn an_open_size_only_matters_for_steps() {
        assert_eq!(covered(Padding::Same, None, 4, 1, 1).unwrap(), Cover { positions: None, before: 1, after: 2 });
        assert!(covered(Padding::Same, None, 3, 2, 1).is_err());
    }
}
