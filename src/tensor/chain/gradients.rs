//! A chain as an operation of candle's, and its way back.
//!
//! An operation of candle's takes three tensors at most, a chain has many parameters. So each tracked parameter is
//! [`Joined`] to one number that the chain takes as its second argument; on the way back the chain, which comes first,
//! lays the parameters' gradients down, and each joint hands its own on.

use std::sync::{Arc, Mutex, PoisonError};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use super::super::conv::Instructions;
use super::super::storage;
use super::buffers::Buffer;
use super::kernel::filled;
use super::{Plan, Work, depthwise, direct, pointwise, read_all, weights, winograd};

/// Gradients of parameters, until their joints take them.
type Found = Arc<Mutex<Vec<Option<Vec<f32>>>>>;

/// Ties a parameter to the number that a chain takes.
pub(super) struct Joined {
    pub index: usize,
    pub found: Found,
}

impl Joined {
    fn gradient(&self, parameter: &Tensor) -> Result<Option<Tensor>> {
        let gradient = self.found.lock().unwrap_or_else(PoisonError::into_inner)[self.index].take();
        gradient.map(|g| Tensor::from_vec(g, parameter.shape(), parameter.device())).transpose()
    }
}

fn number() -> (CpuStorage, Shape) {
    (CpuStorage::F32(vec![0.0]), Shape::from(1))
}

impl CustomOp1 for Joined {
    fn name(&self) -> &'static str {
        "joined parameter"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(number())
    }

    fn bwd(&self, parameter: &Tensor, _: &Tensor, _: &Tensor) -> Result<Option<Tensor>> {
        self.gradient(parameter)
    }
}

impl CustomOp2 for Joined {
    fn name(&self) -> &'static str {
        "joined parameters"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        Ok(number())
    }

    fn bwd(
        &self,
        _: &Tensor,
        parameter: &Tensor,
        _: &Tensor,
        gradient: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((Some(gradient.clone()), self.gradient(parameter)?))
    }
}

/// A chain in candle's graph.
pub(super) struct Operation {
    pub plan: Plan,
    pub parameters: Vec<Tensor>,
    pub tracked: Vec<bool>,
    pub found: Found,
    /// Whether there will be a way back.
    pub keep: bool,
    /// All values, from the forward pass on.
    pub values: Mutex<Option<Vec<Buffer>>>,
}

impl Operation {
    fn forward(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let x = storage::slice(x, layout)?;
        let values =
            read_all(&self.parameters, |parameters| self.plan.forward(Instructions::best(), x, parameters, self.keep))?;
        let last = values.len() - 1;
        let [n, c, h, w] = self.plan.shapes[last];
        let step = self.plan.step(last);
        let out = pointwise::channels_first(&values[last], [n, c, h * w], step);
        if self.keep {
            *self.values.lock().unwrap_or_else(PoisonError::into_inner) = Some(values);
        }
        Ok((CpuStorage::F32(out), Shape::from((n, c, h, w))))
    }

    fn backward(&self, x: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        let values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(values) = &*values else { bail!("the way back of a chain was not expected") };
        let grad = grad.contiguous()?;
        let mut found = vec![None; self.parameters.len()];
        let gradient = read_all(&self.parameters, |parameters| {
            let back = |grad: &[f32]| {
                let best = Instructions::best();
                self.plan.backward(best, values, grad, parameters, &self.tracked, x.track_op(), &mut found)
            };
            storage::read(&grad, back)
        })??;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = found;
        gradient.map(|g| Tensor::from_vec(g, x.shape(), x.device())).transpose()
    }
}

impl CustomOp1 for Operation {
    fn name(&self) -> &'static str {
        "chain"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(x, layout)
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, grad: &Tensor) -> Result<Option<Tensor>> {
        self.backward(x, grad)
    }
}

impl CustomOp2 for Operation {
    fn name(&self) -> &'static str {
        "chain with parameters"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.forward(x, layout)
    }

    fn bwd(&self, x: &Tensor, token: &Tensor, _: &Tensor, grad: &Tensor) -> Result<(Option<Tensor>, Option<Tensor>)> {
        Ok((self.backward(x, grad)?, Some(token.zeros_like()?)))
    }
}

/// Adds a gradient to what other readers of the same value have given.
fn give(slot: &mut Option<Buffer>, gradient: Buffer) {
    match slot {
        None => *slot = Some(gradient),
        Some(sum) => pointwise::add(sum, &gradient),
    }
}

impl Plan {
    /// The gradient of the input, where it is wanted; those of the tracked parameters go to `found`.
    #[expect(clippy::too_many_arguments, reason = "both ends of the way back")]
    pub(super) fn backward(
        &self,
        instructions: Instructions,
        values: &[Buffer],
        grad: &[f32],
        parameters: &[&[f32]],
        tracked: &[bool],
        input_wanted: bool,
        found: &mut [Option<Vec<f32>>],
    ) -> Option<Vec<f32>> {
        let last = self.work.len();
        let [n, c, h, w] = self.shapes[last];
        let mut gradients: Vec<Option<Buffer>> = (0..=last).map(|_| None).collect();
        gradients[last] = Some(pointwise::channels_last(grad, [n, c, h * w], filled(c)));
        // Which values lead back to something that is wanted.
        let mut wanted = vec![input_wanted];
        for work in &self.work {
            wanted.push(match work {
                Work::Conv { from, weight, bias, .. } => {
                    wanted[*from] || tracked[*weight] || bias.is_some_and(|b| tracked[b])
                }
                Work::MaxPool { from, .. } | Work::Activate { from, .. } => wanted[*from],
                Work::Add { left, right, .. } => wanted[*left] || wanted[*right],
            });
        }
        for (i, work) in self.work.iter().enumerate().rev() {
            let Some(mut g) = gradients[i + 1].take() else { continue };
            if !wanted[i + 1] {
                continue;
            }
            let y = &values[i + 1];
            match work {
                Work::Conv { from, shape, weight, bias, activation } => {
                    pointwise::slopes(instructions, &mut g, y, *activation);
                    if tracked[*weight] {
                        let x = &values[*from];
                        let gradient = if depthwise::serves(shape) {
                            depthwise::weight_gradient(shape, instructions, &g, x)
                        } else {
                            weights::gradient(shape, instructions, &g, x, self.step(*from))
                        };
                        add_parameter(&mut found[*weight], gradient);
                    }
                    if let Some(bias) = bias.filter(|b| tracked[*b]) {
                        let sums = pointwise::channel_sums(&g, shape.n, filled(shape.o), shape.o);
                        add_parameter(&mut found[bias], sums);
                    }
                    if wanted[*from] {
                        let w = parameters[*weight];
                        let gradient = if depthwise::serves(shape) {
                            depthwise::input_gradient(shape, instructions, &g, w)
                        } else if winograd::serves(shape) {
                            winograd::input_gradient(shape, instructions, &g, w)
                        } else {
                            direct::input_gradient(shape, instructions, &g, w)
                        };
                        give(&mut gradients[*from], gradient);
                    }
                }
                Work::MaxPool { from, window } => {
                    let all = [&values[*from][..], y, &g];
                    let gradient = pointwise::maxima_gradient(instructions, all, window.axes(), self.step(*from));
                    give(&mut gradients[*from], gradient);
                }
                Work::Add { left, right, activation } => {
                    pointwise::slopes(instructions, &mut g, y, *activation);
                    if wanted[*left] && wanted[*right] {
                        give(&mut gradients[*left], pointwise::copy(&g));
                        give(&mut gradients[*right], g);
                    } else {
                        give(&mut gradients[if wanted[*left] { *left } else { *right }], g);
                    }
                }
                Work::Activate { from, activation } => {
                    pointwise::slopes(instructions, &mut g, y, *activation);
                    give(&mut gradients[*from], g);
                }
            }
        }
        let [n, c, h, w] = self.shapes[0];
        input_wanted.then(|| match &gradients[0] {
            Some(g) => pointwise::channels_first(g, [n, c, h * w], filled(c)),
            None => vec![0.0; n * c * h * w],
        })
    }
}

/// A parameter may be read by several steps.
fn add_parameter(slot: &mut Option<Vec<f32>>, gradient: Vec<f32>) {
    match slot {
        None => *slot = Some(gradient),
        Some(sum) => pointwise::add(sum, &gradient),
    }
}
