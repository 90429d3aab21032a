//! Convolutions, maxima and sums in a row as one differentiable operation, on the processor.
//!
//! In and out: an `f32` tensor `[n, c, h, w]` and the parameters of the steps; out comes `[n, c', h', w']`,
//! differentiable in all of them. Between the steps the channels stay last and filled up to whole vectors, bias and
//! activation are done where a result is written, buffers are used again, and no gradient is computed that nobody
//! wants. Step by step through candle every gradient costs three more passes over memory, on one thread.
//! Results never depend on the number of threads.

mod activation;
mod buffers;
mod dense;
mod depthwise;
mod direct;
mod gradients;
mod kernel;
mod pointwise;
#[cfg(test)]
mod tests;
mod weights;
mod winograd;

pub use activation::Activation;
pub use dense::{dense, serves as dense_serves};

use std::sync::{Arc, Mutex};

use candle_core::{Result, Storage, Tensor, bail};

use super::conv::{Conv2d, ConvShape, Instructions};
use super::pool::{Pool2d, Sliding};
use super::storage;
use buffers::Buffer;
use gradients::{Joined, Operation};
use kernel::filled;

/// One step. Values count from the input (0); step `i` computes value `i + 1`. Parameters are numbered as they are
/// handed to [`run`].
#[derive(Debug, Clone)]
pub enum Step {
    /// A convolution, its bias and an activation.
    #[allow(missing_docs, reason = "named after what they are")]
    Conv { from: usize, geometry: Conv2d, weight: usize, bias: Option<usize>, activation: Activation },
    /// Maxima over windows.
    #[allow(missing_docs, reason = "named after what they are")]
    MaxPool { from: usize, geometry: Pool2d },
    /// An activation of the sum of two values.
    #[allow(missing_docs, reason = "named after what they are")]
    Add { left: usize, right: usize, activation: Activation },
    /// An activation on its own.
    #[allow(missing_docs, reason = "named after what they are")]
    Activate { from: usize, activation: Activation },
}

/// What a step does, with its sizes.
enum Work {
    Conv { from: usize, shape: ConvShape, weight: usize, bias: Option<usize>, activation: Activation },
    MaxPool { from: usize, window: Sliding },
    Add { left: usize, right: usize, activation: Activation },
    Activate { from: usize, activation: Activation },
}

/// Steps whose sizes fit each other.
struct Plan {
    work: Vec<Work>,
    /// `[n, c, h, w]` of each value.
    shapes: Vec<[usize; 4]>,
}

impl Plan {
    fn new(steps: &[Step], x: &Tensor, parameters: &[Tensor]) -> Result<Self> {
        let &[n, c, h, w] = x.dims() else { bail!("a chain takes an image batch [n, c, h, w], not {:?}", x.dims()) };
        let mut plan = Self { work: Vec::with_capacity(steps.len()), shapes: vec![[n, c, h, w]] };
        for step in steps {
            let shape = |value: usize| match plan.shapes.get(value) {
                Some(shape) => Ok(*shape),
                None => bail!("value {value} is read before it is computed"),
            };
            let parameter = |index: usize| match parameters.get(index) {
                Some(t) => Ok(t.dims()),
                None => bail!("parameter {index} is missing"),
            };
            let (work, result) = match *step {
                Step::Conv { from, ref geometry, weight, bias, activation } => {
                    let bias_dims = bias.map(parameter).transpose()?;
                    let s = ConvShape::new(&shape(from)?, parameter(weight)?, bias_dims, geometry)?;
                    let result = [n, s.o, s.oh, s.ow];
                    (Work::Conv { from, shape: s, weight, bias, activation }, result)
                }
                Step::MaxPool { from, ref geometry } => {
                    let window = Sliding::over(shape(from)?, geometry)?;
                    let [n, c, ..] = shape(from)?;
                    let result = [n, c, window.rows.out, window.columns.out];
                    (Work::MaxPool { from, window }, result)
                }
                Step::Add { left, right, activation } => {
                    let result = shape(left)?;
                    if result != shape(right)? {
                        bail!("{result:?} and {:?} are added", shape(right)?)
                    }
                    (Work::Add { left, right, activation }, result)
                }
                Step::Activate { from, activation } => (Work::Activate { from, activation }, shape(from)?),
            };
            plan.work.push(work);
            plan.shapes.push(result);
        }
        if plan.shapes.iter().flatten().any(|&size| size == 0) {
            bail!("a chain takes no empty values")
        }
        Ok(plan)
    }

    /// Numbers of one cell of a value. Only convolutions read few channels as they are.
    fn step(&self, value: usize) -> usize {
        let c = self.shapes[value][1];
        let convolved = |work: &Work| match work {
            Work::Conv { from, shape, .. } => *from != 0 || !depthwise::serves(shape),
            Work::MaxPool { from, .. } | Work::Activate { from, .. } => *from != 0,
            Work::Add { left, right, .. } => *left != 0 && *right != 0,
        };
        if value == 0 && c < kernel::WIDE && self.work.iter().all(convolved) { c } else { filled(c) }
    }

    /// All values, the input among them.
    fn forward(&self, instructions: Instructions, x: &[f32], parameters: &[&[f32]], keep: bool) -> Vec<Buffer> {
        let [n, c, h, w] = self.shapes[0];
        let mut values = vec![pointwise::channels_last(x, [n, c, h * w], self.step(0))];
        let last_read = |value: usize| self.work.iter().rposition(|work| work.reads(value)).unwrap_or(usize::MAX);
        for (i, work) in self.work.iter().enumerate() {
            let value = match work {
                Work::Conv { from, shape, weight, bias, activation } => {
                    let (x, w) = (&values[*from], parameters[*weight]);
                    let b = bias.map(|b| parameters[b]);
                    if depthwise::serves(shape) {
                        depthwise::forward(shape, instructions, x, w, b, *activation)
                    } else if winograd::serves(shape) {
                        winograd::forward(shape, instructions, x, w, b, *activation)
                    } else {
                        direct::forward(shape, instructions, x, self.step(*from), w, b, *activation)
                    }
                }
                Work::MaxPool { from, window } => {
                    pointwise::maxima(instructions, &values[*from], window.axes(), self.step(*from))
                }
                Work::Add { left, right, activation } => {
                    pointwise::sum(instructions, &values[*left], &values[*right], *activation)
                }
                Work::Activate { from, activation } => pointwise::activated(instructions, &values[*from], *activation),
            };
            values.push(value);
            if !keep {
                for (value, buffer) in values.iter_mut().enumerate().take(i + 1) {
                    if last_read(value) == i {
                        *buffer = Buffer::default();
                    }
                }
            }
        }
        values
    }
}

impl Work {
    fn reads(&self, value: usize) -> bool {
        match self {
            Self::Conv { from, .. } | Self::MaxPool { from, .. } | Self::Activate { from, .. } => *from == value,
            Self::Add { left, right, .. } => *left == value || *right == value,
        }
    }
}

/// The last value of `steps`. `parameters` may be tracked or not, each on its own.
///
/// # Errors
/// Where the sizes do not fit, or a tensor is not `f32` on the processor.
pub fn run(steps: &[Step], x: &Tensor, parameters: &[Tensor]) -> Result<Tensor> {
    let plan = Plan::new(steps, x, parameters)?;
    let parameters: Vec<Tensor> = parameters.iter().map(Tensor::contiguous).collect::<Result<_>>()?;
    let tracked: Vec<bool> = parameters.iter().map(Tensor::track_op).collect();
    let found = Arc::new(Mutex::new(vec![None; parameters.len()]));
    // Each tracked parameter is tied to one number that the operation takes beside the picture.
    let mut token: Option<Tensor> = None;
    for (index, parameter) in parameters.iter().enumerate().filter(|(i, _)| tracked[*i]) {
        let joined = Joined { index, found: Arc::clone(&found) };
        token = Some(match token {
            None => parameter.apply_op1(joined)?,
            Some(token) => token.apply_op2(parameter, joined)?,
        });
    }
    let keep = x.track_op() || token.is_some();
    let parameters = parameters.iter().map(Tensor::detach).collect();
    let operation = Operation { plan, parameters, tracked, found, keep, values: Mutex::new(None) };
    let x = x.contiguous()?;
    match token {
        None => x.apply_op1(operation),
        Some(token) => x.apply_op2(&token, operation),
    }
}

/// Hands the numbers of all tensors to `f`.
fn read_all<R>(tensors: &[Tensor], f: impl FnOnce(&[&[f32]]) -> R) -> Result<R> {
    let held: Vec<_> = tensors.iter().map(Tensor::storage_and_layout).collect();
    let slices = held.iter().map(|(stored, layout)| match &**stored {
        Storage::Cpu(stored) => storage::slice(stored, layout),
        _ => bail!("this operation takes a tensor on the processor"),
    });
    Ok(f(&slices.collect::<Result<Vec<_>>>()?))
}
