//! What a graph takes and gives, found by asking it: size and layout of the picture, batch, number of labels.
//!
//! In: a graph and the shape its file declares. A few drawn pictures are sent through it. Nothing is timed,
//! nothing is random: the pictures come from a fixed seed.

use super::graph::{Graph, Node, Op, Source, Value, ValueId};
use super::interpret::Effort;
use super::{InputLayout, InputSpec, ModelError, Parameters};
use crate::tensor::Seed;
use candle_core::{Device, Tensor};

/// Sizes that are tried where the file leaves the size open.
const USUAL_SIZES: [usize; 9] = [32, 224, 28, 64, 48, 96, 128, 256, 299];

/// The largest side of a picture and the largest batch that are believed.
const LARGEST: i64 = 4096;

/// A window whose padding depends on the size of the picture, by the value it writes.
#[derive(Debug, Clone, Copy)]
pub(super) struct SamePadding {
    pub output: ValueId,
    pub kernel: [usize; 2],
    /// An odd cell goes to the end.
    pub upper: bool,
}

/// What was found.
#[derive(Debug)]
pub(super) struct Probed {
    pub graph: Graph,
    pub input: InputSpec,
    pub classes: usize,
    pub notes: Vec<String>,
}

/// `declared` is the shape of the input, `None` for a dimension that is open; no shape at all is an open one.
pub(super) fn probe(
    mut graph: Graph,
    parameters: &Parameters,
    declared: Option<&[Option<i64>]>,
    same: &[SamePadding],
) -> Result<Probed, ModelError> {
    let open = [None; 4];
    let mut declared = declared.unwrap_or(&open).to_vec();
    let mut notes = Vec::new();
    check_declared(&declared)?;
    if let &[batch, h, w] = declared.as_slice() {
        add_channel_axis(&mut graph);
        notes.push("gray pictures without a channel axis".to_owned());
        declared = vec![batch, Some(1), h, w];
    }
    let batch = declared[0].map_or(1, |b| b as usize);
    let mut first_error = None;
    let mut effort = Effort::of_a_stranger();
    for (layout, channels, size) in candidates(&declared)? {
        let shape = shape(layout, channels, size, batch);
        match answer(&graph, parameters, same, shape, &mut effort) {
            Ok((graph, classes)) => {
                let mut found = InputSpec { layout, channels, size: Some(size), fixed_batch: Some(batch) };
                let (graph, fixed_batch) = free_batch(graph, parameters, &found)?;
                if fixed_batch.is_none() && declared[0].is_some() {
                    notes.push(format!("declared for {batch} pictures at a time, but takes any number"));
                }
                found.fixed_batch = fixed_batch;
                let declares_size = sides(&declared, layout).iter().all(Option::is_some);
                if !declares_size && same.is_empty() && takes_any_size(&graph, parameters, &found, classes, &mut effort)
                {
                    found.size = None;
                }
                return Ok(Probed { graph, input: found, classes, notes });
            }
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.unwrap_or_else(|| ModelError::NotAClassifier("it takes no pictures".into())))
}

fn check_declared(declared: &[Option<i64>]) -> Result<(), ModelError> {
    let text: Vec<String> = declared.iter().map(|d| d.map_or_else(|| "any".into(), |d| d.to_string())).collect();
    let text = text.join(" x ");
    if !(3..=4).contains(&declared.len()) {
        return Err(ModelError::NotAClassifier(format!(
            "its input has {} dimensions ({text}); a picture has batch, channels, height and width",
            declared.len()
        )));
    }
    if declared.iter().flatten().any(|d| !(1..=LARGEST).contains(d)) {
        return Err(ModelError::NotAClassifier(format!("its input is declared as {text}, which makes no sense")));
    }
    Ok(())
}

/// `[n, h, w]` as `[n, 1, h, w]`: the new input is squeezed into the old one.
fn add_channel_axis(graph: &mut Graph) {
    let old = graph.input;
    let name = graph.values[old.0].name.clone();
    graph.values[old.0].source = Source::Computed;
    graph.values.push(Value { name: format!("{name} with channel"), source: Source::Input });
    graph.input = ValueId(graph.values.len() - 1);
    graph.values.push(Value { name: String::new(), source: Source::Integers(vec![1], vec![1]) });
    let axis = ValueId(graph.values.len() - 1);
    let inputs = vec![Some(graph.input), Some(axis)];
    graph.nodes.insert(0, Node { name: "channel axis".into(), op: Op::Squeeze, inputs, outputs: vec![old] });
}

fn sides(declared: &[Option<i64>], layout: InputLayout) -> [Option<i64>; 2] {
    match layout {
        InputLayout::Nchw => [declared[2], declared[3]],
        InputLayout::Nhwc => [declared[1], declared[2]],
    }
}

fn shape(layout: InputLayout, channels: usize, [h, w]: [usize; 2], batch: usize) -> [usize; 4] {
    match layout {
        InputLayout::Nchw => [batch, channels, h, w],
        InputLayout::Nhwc => [batch, h, w, channels],
    }
}

/// Layouts, channels and sizes that fit what is declared, likeliest first.
fn candidates(declared: &[Option<i64>]) -> Result<Vec<(InputLayout, usize, [usize; 2])>, ModelError> {
    let mut all = Vec::new();
    for (layout, channel) in [(InputLayout::Nchw, declared[1]), (InputLayout::Nhwc, declared[3])] {
        let channels: Vec<usize> = match channel {
            Some(1) => vec![1],
            Some(3) => vec![3],
            Some(_) => continue,
            None => vec![3, 1],
        };
        let sizes: Vec<[usize; 2]> = match sides(declared, layout).map(|s| s.map(|s| s as usize)) {
            [Some(h), Some(w)] => vec![[h, w]],
            [Some(s), None] | [None, Some(s)] => vec![[s, s]],
            [None, None] => USUAL_SIZES.map(|s| [s, s]).to_vec(),
        };
        for &size in &sizes {
            all.extend(channels.iter().map(|&c| (layout, c, size)));
        }
    }
    // A channel dimension that is declared says more than one that is open.
    all.sort_by_key(|&(layout, ..)| {
        let channel = if layout == InputLayout::Nchw { declared[1] } else { declared[3] };
        channel.is_none()
    });
    if all.is_empty() {
        let channels = declared.get(1).copied().flatten().unwrap_or(0);
        return Err(ModelError::NotAClassifier(format!(
            "its input has {channels} channels; pictures have 1 (gray) or 3 (colour)"
        )));
    }
    Ok(all)
}

/// Sends a black picture through; paddings that depend on its size are settled on the way.
fn answer(
    graph: &Graph,
    parameters: &Parameters,
    same: &[SamePadding],
    shape: [usize; 4],
    effort: &mut Effort,
) -> Result<(Graph, usize), ModelError> {
    let mut graph = graph.clone();
    let batch = shape[0];
    let black = Tensor::zeros(&shape, candle_core::DType::F32, &Device::Cpu)?;
    settle_paddings(&mut graph, parameters, same, &black, effort)?;
    let logits = graph.try_out(parameters, &black, effort)?;
    let classes = match logits.dims() {
        &[n, classes] if n == batch => classes,
        &[n, classes, 1, 1] | &[n, 1, 1, classes] | &[n, classes, 1] | &[n, 1, classes] if n == batch => {
            flatten_logits(&mut graph);
            classes
        }
        other => {
            return Err(ModelError::NotAClassifier(format!(
                "its output has shape {other:?} for {batch} picture(s), not one number a label for each"
            )));
        }
    };
    if classes < 2 {
        return Err(ModelError::NotAClassifier(
            "it gives a single number for each picture; at least two labels are needed".into(),
        ));
    }
    Ok((graph, classes))
}

fn flatten_logits(graph: &mut Graph) {
    let inputs = vec![Some(graph.logits)];
    graph.values.push(Value { name: "logits".into(), source: Source::Computed });
    graph.logits = ValueId(graph.values.len() - 1);
    let outputs = vec![graph.logits];
    graph.nodes.push(Node { name: "flatten logits".into(), op: Op::Flatten { axis: 1 }, inputs, outputs });
}

/// Pads that keep `ceil(size / stride)` cells, found by running the graph up to each such window.
fn settle_paddings(
    graph: &mut Graph,
    parameters: &Parameters,
    same: &[SamePadding],
    picture: &Tensor,
    effort: &mut Effort,
) -> Result<(), ModelError> {
    for padding in same {
        let Some(position) = graph.nodes.iter().position(|n| n.outputs.contains(&padding.output)) else { continue };
        let Some(&Some(x)) = graph.nodes[position].inputs.first() else { continue };
        let before = Graph { logits: x, nodes: graph.nodes[..position].to_vec(), ..graph.clone() };
        let &[.., h, w] = before.try_out(parameters, picture, effort)?.dims() else { continue };
        let (pads, stride, dilation) = match &mut graph.nodes[position].op {
            Op::Conv(g) => (&mut g.pads, g.stride, g.dilation),
            Op::MaxPool(g) | Op::AvgPool(g) => (&mut g.pads, g.stride, g.dilation),
            _ => continue,
        };
        for (i, size) in [h, w].into_iter().enumerate() {
            let windows = size.div_ceil(stride[i]);
            let reach = (padding.kernel[i] - 1) * dilation[i] + 1;
            let total = (windows.saturating_sub(1) * stride[i] + reach).saturating_sub(size);
            let small = total / 2;
            (pads[i], pads[i + 2]) = if padding.upper { (small, total - small) } else { (total - small, small) };
        }
    }
    Ok(())
}

fn drawn(shape: &[usize], nth: usize) -> Result<Tensor, ModelError> {
    let mut random = Seed(0).of("probe").nth(nth).random();
    Ok(random.uniform_tensor(0.0, 1.0, shape, &Device::Cpu)?)
}

/// Whether the graph answers several pictures at once as it answers each alone. Where only a written-out batch
/// size in a `Reshape` is in the way, it is replaced by "as many as there are".
fn free_batch(graph: Graph, parameters: &Parameters, found: &InputSpec) -> Result<(Graph, Option<usize>), ModelError> {
    let batch = found.fixed_batch.unwrap_or(1);
    let size = found.size.unwrap_or([1, 1]);
    let one = shape(found.layout, found.channels, size, 1);
    let pictures = [drawn(&one, 0)?, drawn(&one, 1)?];
    let alone = pictures
        .iter()
        .map(|p| graph.run(parameters, p, Some(batch)).and_then(|l| numbers(&l)))
        .collect::<Result<Vec<_>, _>>()?;
    if alone.iter().flatten().any(|v| !v.is_finite()) {
        return Err(ModelError::NotAClassifier("its answers are not finite numbers".into()));
    }
    let rows = if batch == 2 { 3 } else { 2 };
    let together = Tensor::cat(&[&pictures[0], &pictures[1], &pictures[0]], 0)?.narrow(0, 0, rows)?;
    let expected: Vec<f32> = (0..rows).flat_map(|i| alone[i % 2].clone()).collect();
    let scale = expected.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
    let agrees = |graph: &Graph| {
        let answers = graph.run(parameters, &together, None).and_then(|l| numbers(&l));
        answers.is_ok_and(|a| {
            a.len() == expected.len() && a.iter().zip(&expected).all(|(a, e)| (a - e).abs() <= 1e-3 * scale)
        })
    };
    if agrees(&graph) {
        return Ok((graph, None));
    }
    let relaxed = without_written_batch(&graph, batch as i64);
    if agrees(&relaxed) { Ok((relaxed, None)) } else { Ok((graph, Some(batch))) }
}

fn numbers(logits: &Tensor) -> Result<Vec<f32>, ModelError> {
    Ok(logits.flatten_all()?.to_vec1::<f32>()?)
}

fn without_written_batch(graph: &Graph, batch: i64) -> Graph {
    let mut relaxed = graph.clone();
    for node in 0..relaxed.nodes.len() {
        let (Op::Reshape { allow_zero: false }, Some(&Some(shape))) =
            (&relaxed.nodes[node].op, relaxed.nodes[node].inputs.get(1))
        else {
            continue;
        };
        if let Source::Integers(values, dims) = &relaxed.values[shape.0].source
            && values.len() > 1
            && values[0] == batch
        {
            let mut values = values.clone();
            values[0] = 0;
            let source = Source::Integers(values, dims.clone());
            relaxed.values.push(Value { name: String::new(), source });
            relaxed.nodes[node].inputs[1] = Some(ValueId(relaxed.values.len() - 1));
        }
    }
    relaxed
}

/// Whether a second size works as well as the first.
fn takes_any_size(
    graph: &Graph,
    parameters: &Parameters,
    found: &InputSpec,
    classes: usize,
    effort: &mut Effort,
) -> bool {
    let [h, w] = found.size.unwrap_or([32, 32]);
    let other = shape(found.layout, found.channels, [h + 16, w + 16], found.fixed_batch.unwrap_or(1));
    let picture = Tensor::zeros(&other, candle_core::DType::F32, &Device::Cpu).ok();
    let logits = picture.and_then(|p| graph.try_out(parameters, &p, effort).ok());
    logits.is_some_and(|l| l.dims() == [other[0], classes])
}
