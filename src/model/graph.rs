//! Our own small set of operations, and a graph of them. Readers translate into this; the
//! interpreter runs it; nothing else knows where a graph came from.
//!
//! Layout: image values are NCHW `f32` unless a `Transpose` in the graph says otherwise. Integer
//! values (shapes, indices) live beside the tensors and never need a device.

use crate::tensor::{Conv2d, Pool2d};
use candle_core::Tensor;
use std::collections::BTreeMap;

/// A place a value lives in while the graph runs: index into [`Graph::values`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(pub usize);

/// The trained numbers of a model by name, apart from the graph, so that repairs can change them
/// without touching it. Names are those of the file.
pub type Parameters = BTreeMap<String, Tensor>;

/// What a value is before anything has run.
#[derive(Debug, Clone)]
pub enum Source {
    /// The picture that is classified.
    Input,
    /// Looked up by name in [`Parameters`].
    Parameter(String),
    /// Known integers (shapes, axes, indices): `(values, shape)`.
    Integers(Vec<i64>, Vec<usize>),
    /// Fixed numbers that are no trained parameters.
    Constant(Tensor),
    /// Computed by a node.
    Computed,
}

/// One value of a graph.
#[derive(Debug, Clone)]
pub struct Value {
    /// Name in the file.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
}

/// One step: `outputs = op(inputs)`. An absent optional input is `None`.
#[derive(Debug, Clone)]
pub struct Node {
    /// Name in the file, or made from its position.
    pub name: String,
    /// What it does.
    pub op: Op,
    /// Values it reads.
    pub inputs: Vec<Option<ValueId>>,
    /// Values it writes.
    pub outputs: Vec<ValueId>,
}

/// Operations of one value, element by element.
#[derive(Debug, Clone, PartialEq)]
#[allow(missing_docs, reason = "named after the functions they are")]
pub enum Unary {
    Relu,
    LeakyRelu(f32),
    Elu(f32),
    Selu {
        alpha: f32,
        gamma: f32,
    },
    Celu(f32),
    Sigmoid,
    HardSigmoid {
        alpha: f32,
        beta: f32,
    },
    HardSwish,
    /// x * sigmoid(x)
    Silu,
    Mish,
    Softplus,
    Softsign,
    Tanh,
    Erf,
    /// Exact (`tanh == false`) or by the tanh approximation.
    Gelu {
        tanh: bool,
    },
    Exp,
    Log,
    Sqrt,
    Reciprocal,
    Neg,
    Abs,
    Floor,
    Ceil,
    Round,
    Sign,
    Sin,
    Cos,
    /// Values held between two bounds.
    Clip {
        min: f32,
        max: f32,
    },
}

/// Operations of two values, element by element, with broadcasting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the functions they are")]
pub enum Binary {
    Add,
    Sub,
    Mul,
    Div,
    Pow,
    Min,
    Max,
    Equal,
    Less,
    Greater,
    /// What a division leaves: with the sign of the divisor, or (`truncated`) with that of the dividend.
    Mod {
        truncated: bool,
    },
}

/// How a reduction combines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "named after the functions they are")]
pub enum Reduction {
    Mean,
    Sum,
    Max,
    Min,
    Prod,
    L2,
    /// log of the sum of exponentials
    LogSumExp,
}

/// What padding is filled with.
#[derive(Debug, Clone, Copy, PartialEq)]
#[allow(missing_docs, reason = "named after the modes they are")]
pub enum PadMode {
    Constant(f32),
    Reflect,
    Edge,
}

/// The small set of operations every format is translated into. Where a shape or index may be
/// computed while the graph runs (PyTorch's shape arithmetic), it is an input, as in ONNX.
#[derive(Debug, Clone)]
#[allow(missing_docs, reason = "fields are named after ONNX's attributes")]
pub enum Op {
    /// `x, w [, b]`
    Conv(Conv2d),
    /// `x, w [, b]`: transposed convolution.
    ConvTranspose { geometry: Conv2d, output_padding: [usize; 2] },
    /// `a, b [, c]`: `alpha * a' b' + beta * c`
    Gemm { alpha: f32, beta: f32, transpose_a: bool, transpose_b: bool },
    /// `a, b`, batched and broadcast.
    MatMul,
    /// `x, scale, shift, mean, variance` along axis 1, with the statistics of the file.
    BatchNorm { epsilon: f32 },
    /// `x, scale [, shift]` over the axes from `axis` on.
    LayerNorm { axis: i64, epsilon: f32 },
    /// `x, scale` over the axes from `axis` on, by the root of the mean square.
    RmsNorm { axis: i64, epsilon: f32 },
    /// `x, scale, shift`
    InstanceNorm { epsilon: f32 },
    /// `x, scale, shift`, a number for each channel or for each group.
    GroupNorm { groups: usize, epsilon: f32 },
    /// `x`
    LocalResponseNorm { size: usize, alpha: f32, beta: f32, bias: f32 },
    /// `x`
    MaxPool(Pool2d),
    /// `x`
    AvgPool(Pool2d),
    /// `x [n, c, h, w]` to `[n, c, 1, 1]`
    GlobalAvgPool,
    /// `x [n, c, h, w]` to `[n, c, 1, 1]`
    GlobalMaxPool,
    /// `x`
    Unary(Unary),
    /// `x, slope`
    PRelu,
    /// `a, b`
    Binary(Binary),
    /// `x`
    Softmax { axis: i64 },
    /// `x`
    LogSoftmax { axis: i64 },
    /// `x [, axes]`
    Reduce { how: Reduction, axes: Option<Vec<i64>>, keep_dims: bool, noop_with_empty_axes: bool },
    /// `x`
    ArgMax { axis: i64, keep_dims: bool },
    /// `x, shape` (0 keeps a dimension unless `allow_zero`, -1 is what is left)
    Reshape { allow_zero: bool },
    /// `x` to two dimensions
    Flatten { axis: i64 },
    /// `x`; empty: reversed
    Transpose { permutation: Vec<usize> },
    /// `x, y, …`
    Concat { axis: i64 },
    /// `x [, sizes]`
    Split { axis: i64, sizes: Option<Vec<usize>>, parts: usize },
    /// `x, starts, ends [, axes [, steps]]`
    Slice,
    /// `x, pads [, value [, axes]]`
    Pad(PadMode),
    /// `x [, axes]`
    Squeeze,
    /// `x, axes`
    Unsqueeze,
    /// `x, shape`
    Expand,
    /// `x, repeats`
    Tile,
    /// `x, indices`
    Gather { axis: i64 },
    /// `condition, x, y`
    Where,
    /// `x`, to integers or to `f32`
    Cast { to_integer: bool },
    /// `x` to its shape, from dimension `start` to `end`
    Shape { start: i64, end: Option<i64> },
    /// `shape` to a constant of it
    ConstantOfShape { value: f64, integer: bool },
    /// `start, limit, step`, integers
    Range,
    /// `x [, _ , scales [, sizes]]`
    Resize(Resize),
    /// `x`
    DepthToSpace { block: usize, column_row_depth: bool },
    /// `x`
    SpaceToDepth { block: usize },
    /// `x, indices`
    GatherElements { axis: i64 },
    /// `x, indices`
    GatherNd { batch_dims: usize },
    /// `x, indices, updates`
    ScatterElements { axis: i64 },
    /// `x, indices, updates`
    ScatterNd,
    /// `x [, k]`: what is on and above (or below) the k-th diagonal.
    Trilu { upper: bool },
    /// `x, axis`: sums of what stands before each number, with it unless `exclusive`, from the end if `reverse`.
    CumSum { exclusive: bool, reverse: bool },
    /// `x [, y]`
    Einsum { equation: String },
    /// `query, key, value [, mask]`, each `[n, heads, length, size]`; the mask is added to the scores. The scores
    /// are multiplied by `scale`, where it is absent by one over the root of the size.
    Attention { scale: Option<f32>, causal: bool },
    /// `x, scale [, zero]` to whole steps of the scale, between `low` and `high`; gradients pass straight through.
    Quantize { axis: i64, low: f32, high: f32 },
    /// `x, scale [, zero]`: whole steps of the scale to numbers.
    Dequantize { axis: i64 },
    /// `x`
    Identity,
}

/// How a picture is enlarged or shrunk inside a graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Resize {
    /// Bilinear instead of nearest.
    pub linear: bool,
    /// ONNX's names: `half_pixel`, `asymmetric`, `align_corners`, `pytorch_half_pixel`.
    pub coordinates: String,
    /// ONNX's names: `floor`, `round_prefer_floor`, …; nearest only.
    pub rounding: String,
}

/// An immutable graph: values and the nodes between them, in an order in which they can run.
#[derive(Debug, Clone)]
pub struct Graph {
    /// Every value, by [`ValueId`].
    pub values: Vec<Value>,
    /// The steps in running order.
    pub nodes: Vec<Node>,
    /// Where the picture goes in.
    pub input: ValueId,
    /// Where the logits come out: `[n, classes]`, before any softmax at the end of the file's graph.
    pub logits: ValueId,
}

impl Graph {
    /// Name of the parameter that `id` is; `None` where it is something else.
    pub fn parameter(&self, id: ValueId) -> Option<&str> {
        match &self.values[id.0].source {
            Source::Parameter(name) => Some(name),
            _ => None,
        }
    }

    /// Name of the parameter that `node` reads as its `i`-th input.
    pub fn parameter_read(&self, node: &Node, i: usize) -> Option<&str> {
        self.parameter((*node.inputs.get(i)?)?)
    }
}
