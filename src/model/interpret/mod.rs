//! Runs a graph on candle tensors, so that candle's autograd sees every step.
//!
//! In: parameters and a preprocessed picture. Out: logits, differentiable in both. Shapes and indices are
//! computed on the host and never touch the device. A value is dropped as soon as no later step reads it.
//! Sizes that a file asks for are checked before memory is taken. Never changes a parameter.

mod array;
mod attention;
mod chains;
mod effort;
mod einsum;
mod elementwise;
mod fold;
mod gelus;
mod indexing;
mod layers;
mod normalise;
mod quantise;
mod reduce;
mod resize;
mod shape;
mod value;

pub(super) use effort::Effort;
pub(super) use fold::fold_constants;
pub(super) use value::MOST_INTEGERS;

use super::graph::{Node, Op, Source, Value, ValueId};
use super::{Graph, ModelError, Parameters};
use candle_core::{Device, Result, Tensor};
use std::borrow::Cow;
use std::collections::HashMap;
use value::{Integers, Live, Operands};

impl Graph {
    /// Logits `[n, classes]` of an input already preprocessed and in the graph's own layout.
    /// A graph exported for one fixed batch size is run in pieces of that size.
    ///
    /// # Errors
    /// [`ModelError::Node`] with the node that failed and why.
    pub fn run(
        &self,
        parameters: &Parameters,
        input: &Tensor,
        fixed_batch: Option<usize>,
    ) -> std::result::Result<Tensor, ModelError> {
        let Some(batch) = fixed_batch else {
            return self.run_once(parameters, input, None);
        };
        let n = input.dim(0)?;
        let mut pieces = Vec::with_capacity(n.div_ceil(batch.max(1)));
        for start in (0..n).step_by(batch.max(1)) {
            let here = batch.min(n - start);
            let piece = input.narrow(0, start, here)?;
            // The last piece is filled up with its own last picture.
            let rows: Vec<Tensor> = std::iter::once(Ok(piece))
                .chain((here..batch).map(|_| input.narrow(0, n - 1, 1)))
                .collect::<Result<_>>()?;
            let logits = self.run_once(parameters, &Tensor::cat(&rows, 0)?, None)?;
            pieces.push(logits.narrow(0, 0, here)?);
        }
        Ok(Tensor::cat(&pieces, 0)?)
    }

    /// How many numbers all steps together compute for `input`: what a gradient keeps in memory.
    ///
    /// # Errors
    /// As [`Graph::run`].
    pub fn numbers_computed(&self, parameters: &Parameters, input: &Tensor) -> std::result::Result<usize, ModelError> {
        let mut effort = Effort::unlimited();
        self.run_once(parameters, input, Some(&mut effort))?;
        Ok(effort.numbers)
    }

    /// A run of a graph that nobody has asked yet: like [`Graph::run`], and refused where all such runs together ask for
    /// more work or memory than any image classifier; `effort` counts them.
    ///
    /// # Errors
    /// As [`Graph::run`].
    pub(super) fn try_out(
        &self,
        parameters: &Parameters,
        input: &Tensor,
        effort: &mut Effort,
    ) -> std::result::Result<Tensor, ModelError> {
        effort.begin(input.elem_count(), self.numbers_stored(parameters));
        self.run_once(parameters, input, Some(effort))
    }

    /// Numbers that the file holds: parameters and constants.
    fn numbers_stored(&self, parameters: &Parameters) -> usize {
        let constant = |value: &Value| match &value.source {
            Source::Constant(t) => t.elem_count(),
            _ => 0,
        };
        parameters.values().map(Tensor::elem_count).chain(self.values.iter().map(constant)).sum()
    }

    /// Counts what it costs, where that is asked; then it goes node by node.
    fn run_once(
        &self,
        parameters: &Parameters,
        input: &Tensor,
        effort: Option<&mut Effort>,
    ) -> std::result::Result<Tensor, ModelError> {
        let device = input.device();
        let (last_use, uses) = self.uses();
        let fused = self.batch_norms_after_convolutions(&uses);
        let together = effort.is_none() && device.is_cpu();
        let stretches =
            if together { chains::stretches(self, parameters, (&last_use, &uses), &fused) } else { HashMap::new() };
        let mut unlimited = Effort::unlimited();
        let effort = effort.unwrap_or(&mut unlimited);
        let mut done = vec![false; self.nodes.len()];
        let mut live: Vec<Option<Live>> = vec![None; self.values.len()];
        for (position, node) in self.nodes.iter().enumerate() {
            if done[position] {
                continue;
            }
            let failed = |why: candle_core::Error| node_error(node, &why);
            for &id in node.inputs.iter().flatten() {
                if live[id.0].is_none() {
                    live[id.0] = self.fetch(id, parameters, input, device).map_err(failed)?;
                }
            }
            if let Some(stretch) = stretches.get(&position)
                && let Some(Live::Tensor(x)) = &live[stretch.input.0]
                && let Ok(output) = stretch.run(self, parameters, x, &uses, &fused)
            {
                stretch.nodes.iter().for_each(|&node| done[node] = true);
                let end = stretch.nodes.iter().max().copied().unwrap_or(position);
                if last_use[stretch.input.0] <= end {
                    live[stretch.input.0] = None;
                }
                live[stretch.output.0] = Some(Live::Tensor(output));
                continue;
            }
            let (outputs, writer) = match fused[position] {
                Some(norm) => {
                    let norm_node = &self.nodes[norm];
                    for &id in norm_node.inputs[1..].iter().flatten() {
                        live[id.0] = self.fetch(id, parameters, input, device).map_err(failed)?;
                    }
                    done[norm] = true;
                    effort.before(&node.op, &operands(node, &live, device)).map_err(failed)?;
                    let read = |node: &Node| operands(node, &live, device);
                    let outputs = normalise::conv_with_batch_norm(node, &read(node), norm_node, &read(norm_node));
                    (outputs.map_err(failed)?, norm_node)
                }
                None => {
                    let read = operands(node, &live, device);
                    effort.before(&node.op, &read).map_err(failed)?;
                    (step(&node.op, &read).map_err(failed)?, node)
                }
            };
            if outputs.len() < writer.outputs.len() {
                return Err(node_error(writer, "it has more outputs than are supported"));
            }
            for (&id, output) in writer.outputs.iter().zip(outputs) {
                effort.after(&output).map_err(failed)?;
                live[id.0] = Some(output);
            }
            let mut drop_after = |node: &Node, position: usize| {
                for id in node.inputs.iter().flatten().filter(|id| last_use[id.0] == position) {
                    if let Some(value) = live[id.0].take()
                        && matches!(self.values[id.0].source, Source::Computed)
                    {
                        effort.dropped(&value);
                    }
                }
            };
            drop_after(node, position);
            if let Some(norm) = fused[position] {
                drop_after(writer, norm);
            }
        }
        if live[self.logits.0].is_none() {
            live[self.logits.0] = self.fetch(self.logits, parameters, input, device)?;
        }
        match live[self.logits.0].take() {
            Some(Live::Tensor(logits)) => Ok(logits),
            _ => Err(ModelError::NotAClassifier("its output is not a list of numbers for each picture".into())),
        }
    }

    /// Of each value: the last node that reads it, and how many do. The logits are read at the end.
    fn uses(&self) -> (Vec<usize>, Vec<usize>) {
        let mut last = vec![0; self.values.len()];
        let mut count = vec![0; self.values.len()];
        for (position, node) in self.nodes.iter().enumerate() {
            for id in node.inputs.iter().flatten() {
                last[id.0] = position;
                count[id.0] += 1;
            }
        }
        last[self.logits.0] = usize::MAX;
        count[self.logits.0] += 1;
        (last, count)
    }

    /// For each convolution whose output only a normalisation with known numbers reads: that node.
    /// Both are then one convolution with other weights, at no cost of its own.
    fn batch_norms_after_convolutions(&self, uses: &[usize]) -> Vec<Option<usize>> {
        let mut writer = vec![None; self.values.len()];
        let mut fused = vec![None; self.nodes.len()];
        for (position, node) in self.nodes.iter().enumerate() {
            if let Op::BatchNorm { .. } = node.op
                && let Some(Some(x)) = node.inputs.first()
                && uses[x.0] == 1
                && let Some(conv) = writer[x.0]
                && node.inputs[1..].iter().flatten().all(|id| !matches!(self.values[id.0].source, Source::Computed))
            {
                fused[conv] = Some(position);
            }
            if let (Op::Conv(_), &[output]) = (&node.op, node.outputs.as_slice()) {
                writer[output.0] = Some(position);
            }
        }
        fused
    }

    /// A value that no node computes.
    fn fetch(&self, id: ValueId, parameters: &Parameters, input: &Tensor, device: &Device) -> Result<Option<Live>> {
        let value = &self.values[id.0];
        Ok(Some(match &value.source {
            Source::Input => Live::Tensor(input.clone()),
            Source::Parameter(name) => match parameters.get(name) {
                Some(t) => Live::Tensor(t.clone()),
                None => candle_core::bail!("parameter \"{name}\" is missing"),
            },
            Source::Integers(values, shape) => {
                Live::Integers(Integers { values: values.clone(), shape: shape.clone() })
            }
            Source::Constant(t) => Live::Tensor(t.to_device(device)?),
            Source::Computed => candle_core::bail!("value \"{}\" is read before it is computed", value.name),
        }))
    }
}

fn operands<'a>(node: &Node, live: &'a [Option<Live>], device: &'a Device) -> Operands<'a> {
    Operands { values: node.inputs.iter().map(|id| id.and_then(|id| live[id.0].as_ref())).collect(), device }
}

/// One operation on values that are there.
fn step(op: &Op, x: &Operands) -> Result<Vec<Live>> {
    if let Some(integers) = array::step(op, x)? {
        return Ok(vec![Live::Integers(integers)]);
    }
    let tensor = match op {
        Op::GatherElements { .. }
        | Op::GatherNd { .. }
        | Op::ScatterElements { .. }
        | Op::ScatterNd
        | Op::Trilu { .. } => return Ok(vec![indexing::step(op, x)?]),
        Op::Split { axis, sizes, parts } => return shape::split(x, *axis, sizes.as_deref(), *parts),
        Op::Identity => return Ok(vec![x.get(0)?.clone()]),
        Op::Conv(geometry) => layers::conv(&x.tensor(0)?, &x.tensor(1)?, x.optional_tensor(2)?.as_ref(), geometry)?,
        Op::ConvTranspose { geometry, output_padding } => {
            let bias = x.optional_tensor(2)?;
            layers::conv_transpose(&x.tensor(0)?, &x.tensor(1)?, bias.as_ref(), geometry, *output_padding)?
        }
        Op::Gemm { alpha, beta, transpose_a, transpose_b } => {
            layers::gemm(x, *alpha, *beta, *transpose_a, *transpose_b)?
        }
        Op::MatMul => layers::matmul(&x.tensor(0)?, &x.tensor(1)?)?,
        Op::BatchNorm { epsilon } => normalise::batch_norm(x, *epsilon)?,
        Op::LayerNorm { axis, epsilon } => normalise::layer_norm(x, *axis, *epsilon)?,
        Op::RmsNorm { axis, epsilon } => normalise::rms_norm(x, *axis, *epsilon)?,
        Op::GroupNorm { groups, epsilon } => normalise::group_norm(x, *groups, *epsilon)?,
        Op::InstanceNorm { epsilon } => normalise::instance_norm(x, *epsilon)?,
        Op::LocalResponseNorm { size, alpha, beta, bias } => {
            normalise::local_response_norm(&x.tensor(0)?, *size, *alpha, *beta, *bias)?
        }
        Op::MaxPool(geometry) => layers::max_pool(&x.tensor(0)?, geometry)?,
        Op::AvgPool(geometry) => layers::avg_pool(&x.tensor(0)?, geometry)?,
        Op::GlobalAvgPool => layers::global_avg_pool(&x.tensor(0)?)?,
        Op::GlobalMaxPool => layers::global_max_pool(&x.tensor(0)?)?,
        Op::Unary(function) => elementwise::unary(function, &x.tensor(0)?)?,
        Op::PRelu => elementwise::prelu(&x.tensor(0)?, &x.tensor(1)?)?,
        Op::Binary(function) => elementwise::binary(*function, x)?,
        Op::Softmax { axis } => layers::softmax(&x.tensor(0)?, *axis)?,
        Op::LogSoftmax { axis } => layers::log_softmax(&x.tensor(0)?, *axis)?,
        Op::Reduce { how, axes, keep_dims, noop_with_empty_axes } => {
            reduce::reduce(x, *how, axes.as_deref(), *keep_dims, *noop_with_empty_axes)?
        }
        Op::Reshape { allow_zero } => shape::reshape(&x.tensor(0)?, &x.integers(1)?, *allow_zero)?,
        Op::Flatten { axis } => shape::flatten(&x.tensor(0)?, *axis)?,
        Op::Transpose { permutation } => shape::transpose(&x.tensor(0)?, permutation)?,
        Op::Concat { axis } => shape::concat(x, *axis)?,
        Op::Slice => shape::slice(x)?,
        Op::Pad(mode) => shape::pad(x, *mode)?,
        Op::Squeeze => shape::squeeze(&x.tensor(0)?, x.optional_integers(1)?.as_ref())?,
        Op::Unsqueeze => shape::unsqueeze(&x.tensor(0)?, &x.integers(1)?)?,
        Op::Expand => shape::expand(&x.tensor(0)?, &x.integers(1)?)?,
        Op::Tile => shape::tile(&x.tensor(0)?, &x.integers(1)?)?,
        Op::Gather { axis } => shape::gather(&x.tensor(0)?, &x.integers(1)?, *axis)?,
        Op::Where => shape::choose(x)?,
        Op::Cast { to_integer: false } => x.tensor(0)?,
        Op::ConstantOfShape { value, .. } => {
            let shape = value::dimensions(&x.integers(0)?.values)?;
            Tensor::full(*value as f32, shape, x.device)?
        }
        Op::Resize(how) => resize::resize(x, how)?,
        Op::DepthToSpace { block, column_row_depth } => {
            shape::depth_to_space(&x.tensor(0)?, *block, *column_row_depth)?
        }
        Op::SpaceToDepth { block } => shape::space_to_depth(&x.tensor(0)?, *block)?,
        Op::CumSum { exclusive, reverse } => reduce::cumulative_sum(x, *exclusive, *reverse)?,
        Op::Einsum { equation } => einsum::einsum(x, equation)?,
        Op::Attention { scale, causal } => attention::attention(x, *scale, *causal)?,
        Op::Quantize { axis, low, high } => quantise::quantize(x, *axis, *low, *high)?,
        Op::Dequantize { axis } => quantise::dequantize(x, *axis)?,
        Op::ArgMax { .. } | Op::Cast { to_integer: true } | Op::Shape { .. } | Op::Range => {
            candle_core::bail!("it takes integers")
        }
    };
    value::checked_size(tensor.dims())?;
    Ok(vec![Live::Tensor(tensor)])
}

/// What failed at `node`, in one line.
fn node_error(node: &Node, why: impl std::fmt::Display) -> ModelError {
    let why = why.to_string();
    let why = why.lines().next().unwrap_or_default().to_owned();
    ModelError::Node { node: node.name.clone(), op: name_of(&node.op).into_owned(), why }
}

/// Name of an operation, as ONNX has it.
fn name_of(op: &Op) -> Cow<'static, str> {
    let text = match op {
        Op::Unary(function) => format!("{function:?}"),
        Op::Binary(function) => format!("{function:?}"),
        Op::Reduce { how, .. } => format!("Reduce{how:?}"),
        other => format!("{other:?}"),
    };
    text.chars().take_while(|c| c.is_alphanumeric()).collect::<String>().into()
}
