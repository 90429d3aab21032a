//! Convolutions. Keras keeps kernels as `[height, width, in, out]`; ours are `[out, in, height, width]`.

use super::{activation, exactly, known, single, window};
use crate::model::graph::{Op, ValueId};
use crate::model::keras::Fault;
use crate::model::keras::archive::Weight;
use crate::model::keras::builder::{Builder, Feature};
use crate::model::keras::settings::{DataFormat, LayerView, Padding};
use crate::tensor::Conv2d;

/// What all convolutions share.
struct Setting {
    taps: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    bias: bool,
    format: DataFormat,
}

impl Setting {
    fn of(view: &LayerView) -> Result<Self, Fault> {
        Ok(Self {
            taps: view.pair("kernel_size", 1)?,
            stride: view.pair_or("strides", 1, [1, 1])?,
            dilation: view.pair_or("dilation_rate", 1, [1, 1])?,
            bias: view.flag("use_bias", true)?,
            format: view.data_format()?,
        })
    }
}

/// One convolution of a picture `[channels, height, width]` with what comes out of it.
fn convolve(
    builder: &mut Builder,
    view: &LayerView,
    setting: &Setting,
    groups: usize,
    (x, [channels, height, width]): (ValueId, [Option<usize>; 3]),
    (kernel, bias): (ValueId, Option<ValueId>),
    filters: usize,
) -> Result<(ValueId, [Option<usize>; 3]), Fault> {
    let Setting { taps, stride, dilation, .. } = *setting;
    let ([rows, columns], pads) = window::cover_both(view, view.padding()?, [height, width], taps, stride, dilation)?;
    let padded = |size: Option<usize>, before: usize, after: usize| size.map(|n| n.saturating_add(before + after));
    builder.bounded(view, &[channels, padded(height, pads[0], pads[2]), padded(width, pads[1], pads[3])])?;
    let geometry = Conv2d { stride, pads, dilation, groups };
    let inputs: Vec<ValueId> = [x, kernel].into_iter().chain(bias).collect();
    let y = builder.node(view, Op::Conv(geometry), &inputs)?;
    Ok((y, [Some(filters), rows, columns]))
}

fn bias(
    builder: &mut Builder,
    view: &LayerView,
    weight: Option<&Weight>,
    filters: usize,
) -> Result<Option<ValueId>, Fault> {
    weight.map(|weight| builder.parameter(view, weight, &[filters], &[0], None)).transpose()
}

/// A kernel, and a bias where the layer has one.
fn kernel_and_bias<'a>(
    view: &LayerView<'a>,
    kernel: &str,
    with_bias: bool,
) -> Result<(&'a Weight, Option<&'a Weight>), Fault> {
    if with_bias {
        let [kernel, bias] = exactly(view, [kernel, "bias"])?;
        Ok((kernel, Some(bias)))
    } else {
        let [kernel] = exactly(view, [kernel])?;
        Ok((kernel, None))
    }
}

/// `Conv2D`
pub(super) fn conv2d(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let setting = Setting::of(view)?;
    let filters = view.count("filters", 1)?;
    let groups = if view.get("groups").is_some() { view.count("groups", 1)? } else { 1 };
    let picture = builder.channels_first(view, single(view, inputs)?, setting.format)?;
    let channels = known(view, picture.1[0], "its number of channels")?;
    if channels % groups != 0 || filters % groups != 0 {
        return Err(
            view.broken(format_args!("{channels} channels and {filters} filters do not split into {groups} groups"))
        );
    }
    let (kernel, shift) = kernel_and_bias(view, "kernel", setting.bias)?;
    let shape = [setting.taps[0], setting.taps[1], channels / groups, filters];
    let kernel = builder.parameter(view, kernel, &shape, &[3, 2, 0, 1], None)?;
    let shift = bias(builder, view, shift, filters)?;
    let (y, shape) = convolve(builder, view, &setting, groups, picture, (kernel, shift), filters)?;
    let y = builder.picture(view, y, shape, setting.format)?;
    activation::applied(builder, view, y)
}

/// A kernel `[height, width, channels, multiplier]` as one of `channels` groups.
fn depthwise_kernel(
    builder: &mut Builder,
    view: &LayerView,
    weight: &Weight,
    taps: [usize; 2],
    channels: usize,
    multiplier: usize,
) -> Result<ValueId, Fault> {
    let shape = [taps[0], taps[1], channels, multiplier];
    let target = vec![channels * multiplier, 1, taps[0], taps[1]];
    builder.parameter(view, weight, &shape, &[2, 3, 0, 1], Some(target))
}

fn multiplier(view: &LayerView) -> Result<usize, Fault> {
    if view.get("depth_multiplier").is_some() { view.count("depth_multiplier", 1) } else { Ok(1) }
}

/// `DepthwiseConv2D`
pub(super) fn depthwise(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let setting = Setting::of(view)?;
    let multiplier = multiplier(view)?;
    let picture = builder.channels_first(view, single(view, inputs)?, setting.format)?;
    let channels = known(view, picture.1[0], "its number of channels")?;
    let (kernel, shift) = kernel_and_bias(view, "depthwise_kernel", setting.bias)?;
    let kernel = depthwise_kernel(builder, view, kernel, setting.taps, channels, multiplier)?;
    let shift = bias(builder, view, shift, channels * multiplier)?;
    let (y, shape) = convolve(builder, view, &setting, channels, picture, (kernel, shift), channels * multiplier)?;
    let y = builder.picture(view, y, shape, setting.format)?;
    activation::applied(builder, view, y)
}

/// `SeparableConv2D`: every channel by itself, then a 1x1 convolution over them.
pub(super) fn separable(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let setting = Setting::of(view)?;
    let filters = view.count("filters", 1)?;
    let multiplier = multiplier(view)?;
    let picture = builder.channels_first(view, single(view, inputs)?, setting.format)?;
    let channels = known(view, picture.1[0], "its number of channels")?;
    let (depth, point, shift) = if setting.bias {
        let [depth, point, shift] = exactly(view, ["depthwise_kernel", "pointwise_kernel", "bias"])?;
        (depth, point, Some(shift))
    } else {
        let [depth, point] = exactly(view, ["depthwise_kernel", "pointwise_kernel"])?;
        (depth, point, None)
    };
    let depth = depthwise_kernel(builder, view, depth, setting.taps, channels, multiplier)?;
    let point = builder.parameter(view, point, &[1, 1, channels * multiplier, filters], &[3, 2, 0, 1], None)?;
    let shift = bias(builder, view, shift, filters)?;
    let (y, [_, rows, columns]) =
        convolve(builder, view, &setting, channels, picture, (depth, None), channels * multiplier)?;
    let inputs: Vec<ValueId> = [y, point].into_iter().chain(shift).collect();
    let y = builder.node(view, Op::Conv(Conv2d::default()), &inputs)?;
    let y = builder.picture(view, y, [Some(filters), rows, columns], setting.format)?;
    activation::applied(builder, view, y)
}

/// `Conv2DTranspose`: what a convolution with these settings would have made the input of. Keras keeps its kernels as
/// `[height, width, out, in]`.
pub(super) fn transposed(builder: &mut Builder, view: &LayerView, inputs: &[Feature]) -> Result<Feature, Fault> {
    let Setting { taps, stride, dilation, bias: with_bias, format } = Setting::of(view)?;
    let filters = view.count("filters", 1)?;
    if view.get("output_padding").is_some() {
        return Err(view.unsupported("output padding"));
    }
    let (x, [channels, height, width]) = builder.channels_first(view, single(view, inputs)?, format)?;
    let channels = known(view, channels, "its number of channels")?;
    let (kernel, shift) = kernel_and_bias(view, "kernel", with_bias)?;
    let kernel = builder.parameter(view, kernel, &[taps[0], taps[1], filters, channels], &[3, 2, 0, 1], None)?;
    let shift = bias(builder, view, shift, filters)?;
    let same = view.padding()? == Padding::Same;
    let (mut pads, mut output_padding) = ([0; 4], [0; 2]);
    let mut sizes = [height, width];
    for (axis, size) in sizes.iter_mut().enumerate() {
        let span = (taps[axis] - 1).saturating_mul(dilation[axis]).saturating_add(1);
        // "Same" makes `size * stride` cells, "valid" all that a window reaches, at least as many.
        let total = if same { span.saturating_sub(stride[axis]) } else { 0 };
        (pads[axis], pads[axis + 2]) = (total / 2, total - total / 2);
        output_padding[axis] = stride[axis].saturating_sub(span);
        let all = |n: usize| n.saturating_mul(stride[axis]).saturating_add(span.saturating_sub(stride[axis]));
        *size = size.map(|n| all(n).saturating_sub(total));
    }
    builder.bounded(view, &[Some(filters), sizes[0], sizes[1]])?;
    let geometry = Conv2d { stride, pads, dilation, groups: 1 };
    let inputs: Vec<ValueId> = [x, kernel].into_iter().chain(shift).collect();
    let y = builder.node(view, Op::ConvTranspose { geometry, output_padding }, &inputs)?;
    let y = builder.picture(view, y, [Some(filters), sizes[0], sizes[1]], format)?;
    activation::applied(builder, view, y)
}
