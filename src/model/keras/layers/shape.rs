//! Layers that only rearrange, cut or enlarge.

use super::{known, single};
use crate::model::graph::{Op, PadMode, Resize};
use crate::model::keras::Fault;
use crate::model::keras::builder::{Builder, Feature, shown};
use crate::model::keras::settings::{DataFormat, LayerView};

/// `Flatten`: always in the order height, width, channels.
pub(super) fn flatten(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let mut id = builder.as_keras(view, x)?;
    if view.data_format()? == DataFormat::ChannelsFirst && x.shape.len() == 3 {
        id = builder.node(view, Op::Transpose { permutation: vec![0, 2, 3, 1] }, &[id])?;
    }
    let size = x.shape.iter().try_fold(1_usize, |product, n| Some(product.saturating_mul((*n)?)));
    let id = builder.node(view, Op::Flatten { axis: 1 }, &[id])?;
    Ok(Feature { id, shape: vec![size], moved: false })
}

/// `Reshape`: the batch stays.
pub(super) fn reshape(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let target = view.integers("target_shape")?;
    let mut numbers = 1_usize;
    for &size in &x.shape {
        numbers = numbers.saturating_mul(known(view, size, "the size of what it reads")?);
    }
    let fixed = target.iter().filter(|&&n| n > 0).fold(1_usize, |product, &n| product.saturating_mul(n as usize));
    let open = target.iter().filter(|&&n| n == -1).count();
    let fits = if open == 1 { numbers.is_multiple_of(fixed) } else { open == 0 && numbers == fixed };
    if !fits || target.iter().any(|&n| n == 0 || n < -1) {
        return Err(view.broken(format_args!("values of the shape {} cannot become {target:?}", shown(&x.shape))));
    }
    let shape: Vec<usize> = target.iter().map(|&n| if n == -1 { numbers / fixed } else { n as usize }).collect();
    let id = builder.as_keras(view, x)?;
    // A 0 keeps the batch as it is.
    let sizes = builder.integers(std::iter::once(0).chain(shape.iter().map(|&n| n as i64)).collect());
    let id = builder.node(view, Op::Reshape { allow_zero: false }, &[id, sizes])?;
    Ok(Feature { id, shape: shape.into_iter().map(Some).collect(), moved: false })
}

/// `Permute`: axes count from 1, the batch is 0.
pub(super) fn permute(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let x = single(view, inputs)?;
    let dims = view.integers("dims")?;
    let mut sorted = dims.clone();
    sorted.sort_unstable();
    if sorted != (1..=x.shape.len() as i64).collect::<Vec<_>>() {
        return Err(view.broken(format_args!("{dims:?} does not order the axes of {}", shown(&x.shape))));
    }
    let axes: Vec<usize> = dims.iter().map(|&n| n as usize).collect();
    let id = builder.as_keras(view, x)?;
    let permutation = std::iter::once(0).chain(axes.iter().copied()).collect();
    let id = builder.node(view, Op::Transpose { permutation }, &[id])?;
    Ok(Feature { id, shape: axes.iter().map(|&n| x.shape[n - 1]).collect(), moved: false })
}

/// `ZeroPadding2D`
pub(super) fn zero_padding(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let format = view.data_format()?;
    let [top, left, bottom, right] = view.edges("padding")?;
    let (x, [channels, height, width]) = builder.channels_first(view, single(view, inputs)?, format)?;
    let pads = [0, 0, top, left, 0, 0, bottom, right].iter().map(|&n| n as i64).collect();
    let pads = builder.integers(pads);
    let y = builder.node(view, Op::Pad(PadMode::Constant(0.0)), &[x, pads])?;
    let shape =
        [channels, height.map(|n| n.saturating_add(top + bottom)), width.map(|n| n.saturating_add(left + right))];
    builder.picture(view, y, shape, format)
}

/// `Cropping2D`
pub(super) fn cropping(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let format = view.data_format()?;
    let [top, left, bottom, right] = view.edges("cropping")?;
    let (x, [channels, height, width]) = builder.channels_first(view, single(view, inputs)?, format)?;
    let cut = |size: Option<usize>, before: usize, after: usize| match size {
        None => Ok(None),
        Some(size) => match size.checked_sub(before + after) {
            Some(left) if left > 0 => Ok(Some(left)),
            _ => Err(view.broken(format_args!("it cuts {before} and {after} cells off {size}"))),
        },
    };
    let shape = [channels, cut(height, top, bottom)?, cut(width, left, right)?];
    // Counted from the end; as far as it goes where nothing is cut off there.
    let end = |after: usize| if after == 0 { i64::MAX } else { -(after as i64) };
    let starts = builder.integers(vec![top as i64, left as i64]);
    let ends = builder.integers(vec![end(bottom), end(right)]);
    let axes = builder.integers(vec![2, 3]);
    let y = builder.node(view, Op::Slice, &[x, starts, ends, axes])?;
    builder.picture(view, y, shape, format)
}

/// `UpSampling2D`: every cell repeated, or values in between.
pub(super) fn up_sampling(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let format = view.data_format()?;
    let [rows, columns] = view.pair("size", 1)?;
    let resize = match view.word("interpolation") {
        None | Some("nearest") => Resize { linear: false, coordinates: "asymmetric".into(), rounding: "floor".into() },
        Some("bilinear") => Resize { linear: true, coordinates: "half_pixel".into(), rounding: "floor".into() },
        Some(other) => return Err(view.unsupported(format_args!("interpolation \"{other}\""))),
    };
    let (x, [channels, height, width]) = builder.channels_first(view, single(view, inputs)?, format)?;
    let scales = builder.constant(&[1.0, 1.0, rows as f32, columns as f32], &[4])?;
    let shape = [channels, height.map(|n| n.saturating_mul(rows)), width.map(|n| n.saturating_mul(columns))];
    let y = builder.node_with_gaps(view, Op::Resize(resize), vec![Some(x), None, Some(scales)])?;
    builder.picture(view, y, shape, format)
}
