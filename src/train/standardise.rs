//! Starts a network from the images it will learn: every layer's outputs get mean 0 and variance 1.
//!
//! Mishkin and Matas, "All you need is a good init", arXiv 1511.06422 (per channel, as Salimans and
//! Kingma do in arXiv 1602.07868). Pixels in `[0, 1]` of dim or foggy pictures hardly vary, and a
//! network without batch normalisation spends its first passes finding that out.

use crate::model::graph::Op;
use crate::model::{Graph, ModelError, Parameters};
use candle_core::{D, Tensor};

/// Keeps the division finite for a channel that answers the same to every image.
const SMALLEST_DEVIATION: f64 = 1e-3;

/// `parameters` with the weights and biases of every `Conv` and `Gemm` of `graph` scaled and shifted so
/// that on `x [n, c, h, w]`, already preprocessed, each of its channels has mean 0 and variance 1.
///
/// # Errors
/// Where the graph cannot be run.
pub fn standardised(graph: &Graph, parameters: &Parameters, x: &Tensor) -> Result<Parameters, ModelError> {
    let mut parameters = parameters.clone();
    for node in graph.nodes.iter().filter(|n| matches!(n.op, Op::Conv(_) | Op::Gemm { .. })) {
        let [Some(weight), Some(bias)] = [1, 2].map(|i| graph.parameter_read(node, i).map(str::to_owned)) else {
            continue;
        };
        let y = Graph { logits: node.outputs[0], ..graph.clone() }.run(&parameters, x, None)?.detach();
        let channels = y.dim(1)?;
        let y = y.transpose(0, 1)?.reshape((channels, ()))?;
        let mean = y.mean_keepdim(D::Minus1)?;
        let deviation = y.broadcast_sub(&mean)?.sqr()?.mean(D::Minus1)?.sqrt()?.maximum(SMALLEST_DEVIATION)?;
        let (w, b) = (&parameters[&weight], &parameters[&bias]);
        let mut per_output = vec![1; w.rank()];
        per_output[0] = channels;
        let scaled = w.broadcast_div(&deviation.reshape(per_output)?)?;
        let shifted = ((b - mean.squeeze(1)?)? / deviation)?;
        parameters.insert(weight, scaled);
        parameters.insert(bias, shifted);
    }
    Ok(parameters)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::train::Architecture;
    use candle_core::Device;

    #[test]
    fn every_logit_has_mean_zero_and_variance_one_on_dim_pictures() {
        let (graph, parameters) = Architecture::Tiny.build(3, [16, 16], 4, Seed(1)).unwrap();
        let x = Seed(2).random().uniform_tensor(0.1, 0.15, (60, 3, 16, 16), &Device::Cpu).unwrap();
        let parameters = standardised(&graph, &parameters, &x).unwrap();
        let y = graph.run(&parameters, &x, None).unwrap();
        let mean = y.mean(0).unwrap().to_vec1::<f32>().unwrap();
        let square = y.sqr().unwrap().mean(0).unwrap().to_vec1::<f32>().unwrap();
        assert!(mean.iter().all(|m| m.abs() < 1e-3), "{mean:?}");
        assert!(square.iter().all(|s| (s - 1.0).abs() < 1e-2), "{square:?}");
    }
}
