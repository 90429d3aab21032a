//! Finds the stretches of a graph that run as one operation on the processor ([`crate::tensor::chain`], [`crate::tensor::gelu`]).
//!
//! In: the graph and how its values are used. Out: for each node that begins a stretch, which nodes it covers and the
//! steps they are. A stretch reads one picture, and only its last value is read by what comes after it. Where its
//! sizes turn out not to fit, the nodes are run one by one, so that an error names its node.

use super::gelus::{Gelu, gelu_at};
use super::normalise::{folded, scale_and_shift};
use super::value::{Live, Operands};
use crate::model::graph::{Binary, Node, Op, Source, Unary, ValueId};
use crate::model::{Graph, Parameters};
use crate::tensor::chain::{self, Activation, Step};
use crate::tensor::gelu;
use candle_core::{Result, Tensor, bail};
use std::collections::HashMap;

/// Stretches with fewer convolutions are not worth turning the picture for.
const LEAST_CONVOLUTIONS: usize = 2;

/// A stretch of nodes.
pub(super) struct Stretch {
    /// Positions of all its nodes.
    pub nodes: Vec<usize>,
    /// The picture it reads, and what it computes.
    pub input: ValueId,
    pub output: ValueId,
    pub kind: Kind,
}

/// What a stretch is run as.
pub(super) enum Kind {
    /// Convolutions and what stands between them.
    Chain,
    /// The Gaussian error linear unit, with this factor inside the error function.
    Gelu { scale: f32 },
}

/// Whether the numbers of this value are known before the graph runs.
fn fixed(graph: &Graph, id: Option<ValueId>) -> bool {
    id.is_none_or(|id| matches!(graph.values[id.0].source, Source::Parameter(_) | Source::Constant(_)))
}

fn activation(function: &Unary) -> Option<Activation> {
    match *function {
        Unary::Relu => Some(Activation::Relu),
        Unary::LeakyRelu(slope) if slope >= 0.0 => Some(Activation::LeakyRelu(slope)),
        Unary::Elu(alpha) if alpha > 0.0 => Some(Activation::Elu(alpha)),
        Unary::Clip { min, max } if min < max => Some(Activation::Clip(min, max)),
        _ => None,
    }
}

/// How many of the node's first inputs are pictures, where a chain has its operation.
fn pictures(graph: &Graph, node: &Node) -> Option<usize> {
    let rest_fixed = |from: usize| node.inputs[from..].iter().all(|&id| fixed(graph, id));
    match &node.op {
        Op::Conv(_) | Op::BatchNorm { .. } if rest_fixed(1) => Some(1),
        Op::MaxPool(_) => Some(1),
        Op::Unary(function) => activation(function).map(|_| 1),
        Op::Binary(Binary::Add) => Some(2),
        _ => None,
    }
}

/// Every stretch of the graph, by its first node. `fused` are normalisations that belong to a convolution before them.
pub(super) fn stretches(
    graph: &Graph,
    parameters: &Parameters,
    (last_use, uses): (&[usize], &[usize]),
    fused: &[Option<usize>],
) -> HashMap<usize, Stretch> {
    let mut all = HashMap::new();
    let mut begin = 0;
    while begin < graph.nodes.len() {
        let found = stretch(graph, begin, last_use, fused)
            .or_else(|| gelu_at(graph, begin, parameters, uses).map(Stretch::from));
        begin = found.as_ref().and_then(|s| s.nodes.iter().max()).map_or(begin, |&last| last) + 1;
        if let Some(found) = found {
            all.insert(found.nodes[0], found);
        }
    }
    all
}

/// The longest stretch that begins with the convolution at `begin`.
fn stretch(graph: &Graph, begin: usize, last_use: &[usize], fused: &[Option<usize>]) -> Option<Stretch> {
    let first = &graph.nodes[begin];
    let (Op::Conv(_), &[Some(input), ..]) = (&first.op, first.inputs.as_slice()) else { return None };
    let mut inside = vec![input];
    let mut nodes = Vec::new();
    let mut convolutions = 0;
    let mut best = None;
    for (position, node) in graph.nodes.iter().enumerate().skip(begin) {
        if nodes.contains(&position) {
            continue;
        }
        let Some(count) = pictures(graph, node) else { break };
        let reads_inside = node.inputs.iter().take(count).all(|id| id.is_some_and(|id| inside.contains(&id)));
        let written = fused[position].map_or(node, |norm| &graph.nodes[norm]);
        let &[output] = written.outputs.as_slice() else { break };
        if !reads_inside || node.inputs.len() < count {
            break;
        }
        nodes.push(position);
        nodes.extend(fused[position]);
        inside.push(output);
        convolutions += usize::from(matches!(node.op, Op::Conv(_)));
        let end = nodes.iter().copied().max().unwrap_or(position);
        let read_later = |id: &&ValueId| last_use[id.0] > end;
        let covered = (begin..=end).all(|p| nodes.contains(&p));
        if covered && convolutions >= LEAST_CONVOLUTIONS && inside[1..].iter().filter(read_later).eq([&output]) {
            best = Some((nodes.len(), output));
        }
    }
    let (len, output) = best?;
    nodes.truncate(len);
    Some(Stretch { nodes, input, output, kind: Kind::Chain })
}

impl From<Gelu> for Stretch {
    fn from(Gelu { nodes, input, output, scale }: Gelu) -> Self {
        Self { nodes: nodes.collect(), input, output, kind: Kind::Gelu { scale } }
    }
}

impl Stretch {
    /// Runs it on `x`, the picture it reads.
    pub fn run(
        &self,
        graph: &Graph,
        parameters: &Parameters,
        x: &Tensor,
        uses: &[usize],
        fused: &[Option<usize>],
    ) -> Result<Tensor> {
        if let Kind::Gelu { scale } = self.kind {
            return gelu(x, scale);
        }
        let number = |id: Option<ValueId>| match id.map(|id| &graph.values[id.0].source) {
            Some(Source::Parameter(name)) => match parameters.get(name) {
                Some(t) => Ok(Some(Live::Tensor(t.clone()))),
                None => bail!("parameter \"{name}\" is missing"),
            },
            Some(Source::Constant(t)) => Ok(Some(Live::Tensor(t.clone()))),
            _ => Ok(None),
        };
        let mut steps: Vec<Step> = Vec::new();
        let mut numbers: Vec<Tensor> = Vec::new();
        let mut places = HashMap::from([(self.input, 0)]);
        let mut skipped = Vec::new();
        for &position in &self.nodes {
            if skipped.contains(&position) {
                continue;
            }
            let node = &graph.nodes[position];
            let from = |i: usize| match node.inputs[i].and_then(|id| places.get(&id)) {
                Some(&place) => Ok(place),
                None => bail!("a value of the chain is missing"),
            };
            let mut output = node.outputs[0];
            match &node.op {
                Op::Conv(geometry) => {
                    let read = node.inputs.iter().map(|&id| number(id)).collect::<Result<Vec<_>>>()?;
                    let read = Operands { values: read.iter().map(Option::as_ref).collect(), device: x.device() };
                    let (mut weight, mut bias) = (read.tensor(1)?, read.optional_tensor(2)?);
                    if let Some(norm) = fused[position] {
                        skipped.push(norm);
                        let norm = &graph.nodes[norm];
                        output = norm.outputs[0];
                        let (scale, shift) = self.norm(norm, &number, x)?;
                        let (w, b) = folded(&weight, bias.as_ref(), &scale, &shift)?;
                        (weight, bias) = (w, Some(b));
                    }
                    numbers.push(weight);
                    let weight = numbers.len() - 1;
                    let bias = bias.map(|b| {
                        numbers.push(b);
                        numbers.len() - 1
                    });
                    let activation = Activation::None;
                    steps.push(Step::Conv { from: from(0)?, geometry: geometry.clone(), weight, bias, activation });
                }
                Op::BatchNorm { .. } => {
                    // Each channel times a number: a convolution by one tap, of each channel on its own.
                    let (scale, shift) = self.norm(node, &number, x)?;
                    let channels = scale.elem_count();
                    numbers.extend([scale.reshape((channels, 1, 1, 1))?, shift]);
                    let (weight, bias) = (numbers.len() - 2, Some(numbers.len() - 1));
                    let geometry = crate::tensor::Conv2d { groups: channels, ..Default::default() };
                    steps.push(Step::Conv { from: from(0)?, geometry, weight, bias, activation: Activation::None });
                }
                Op::MaxPool(geometry) => steps.push(Step::MaxPool { from: from(0)?, geometry: geometry.clone() }),
                Op::Binary(Binary::Add) => {
                    steps.push(Step::Add { left: from(0)?, right: from(1)?, activation: Activation::None });
                }
                Op::Unary(function) => {
                    let Some(how) = activation(function) else { bail!("no activation of a chain") };
                    let place = from(0)?;
                    let last = steps.len();
                    let alone = node.inputs[0].is_some_and(|id| uses[id.0] == 1);
                    match steps.last_mut() {
                        Some(Step::Conv { activation, .. } | Step::Add { activation, .. })
                            if alone && place == last && *activation == Activation::None =>
                        {
                            *activation = how;
                            places.insert(output, place);
                            // The value before it is read by nobody else; its place is taken.
                            places.retain(|&id, p| *p != place || id == output);
                            continue;
                        }
                        _ => steps.push(Step::Activate { from: place, activation: how }),
                    }
                }
                _ => bail!("no operation of a chain"),
            }
            places.insert(output, steps.len());
        }
        chain::run(&steps, x, &numbers)
    }

    /// Scale and shift of a normalisation.
    fn norm(
        &self,
        node: &Node,
        number: &impl Fn(Option<ValueId>) -> Result<Option<Live>>,
        x: &Tensor,
    ) -> Result<(Tensor, Tensor)> {
        let Op::BatchNorm { epsilon } = node.op else { bail!("a normalisation is meant") };
        let read = node.inputs.iter().map(|&id| number(id)).collect::<Result<Vec<_>>>()?;
        scale_and_shift(&Operands { values: read.iter().map(Option::as_ref).collect(), device: x.device() }, epsilon)
    }
}
