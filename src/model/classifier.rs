//! A model with its preprocessing: pixels in `[0, 1]` go in, logits come out.

use super::graph::ValueId;
use super::{ChannelOrder, Graph, InputLayout, InputSpec, Model, ModelError, Parameters, Preprocessing};
use crate::tensor::resize;
use candle_core::{DType, Device, Tensor};
use std::sync::Arc;

/// A classifier that can be asked and differentiated. Cheap to clone: graph and numbers are shared.
#[derive(Debug, Clone)]
pub struct Classifier {
    graph: Arc<Graph>,
    parameters: Parameters,
    input: InputSpec,
    classes: usize,
    preprocessing: Preprocessing,
    /// Height and width of the pictures it is asked about.
    pictures: [usize; 2],
    device: Device,
}

impl Classifier {
    /// A model behind a preprocessing step; its parameters are copied to `device`.
    ///
    /// # Errors
    /// Where the device cannot hold the parameters, or the preprocessing does not fit the input.
    pub fn new(model: &Model, preprocessing: Preprocessing, device: &Device) -> Result<Self, ModelError> {
        check(&preprocessing, &model.input)?;
        let parameters = model.parameters.iter().map(|(name, t)| Ok((name.clone(), t.to_device(device)?)));
        Ok(Self {
            graph: Arc::clone(&model.graph),
            parameters: parameters.collect::<candle_core::Result<_>>()?,
            input: model.input.clone(),
            classes: model.classes,
            pictures: preprocessing.size,
            preprocessing,
            device: device.clone(),
        })
    }

    /// The same classifier asked about pictures of another size, which it brings to its own inside the
    /// computation, with gradients: a reference beside a suspect of another size.
    pub fn asked_with(&self, pictures: [usize; 2]) -> Self {
        Self { pictures, ..self.clone() }
    }

    /// Logits `[n, classes]` of pixels `[n, c, h, w]` in `[0, 1]` (RGB or gray, at the size the
    /// preprocessing names, unless [`Classifier::asked_with`] says another). Differentiable in the pixels, and in every parameter that is a variable.
    ///
    /// # Errors
    /// [`ModelError::Node`] with the node that failed.
    pub fn logits(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        let x = self.preprocess(pixels)?;
        self.graph.run(&self.parameters, &x, self.input.fixed_batch)
    }

    /// Bytes that one picture takes while logits and their gradient are computed: every value and its
    /// gradient are kept, and the working memory of one operation comes on top.
    ///
    /// # Errors
    /// [`ModelError::Node`] with the node that failed.
    pub fn bytes_a_picture(&self) -> Result<usize, ModelError> {
        let [h, w] = self.pictures;
        let n = self.input.fixed_batch.unwrap_or(1).max(1);
        let pixels = Tensor::zeros((n, self.preprocessing.channels, h, w), DType::F32, &self.device)?;
        let x = self.preprocess(&pixels)?;
        let numbers = x.elem_count() + self.graph.numbers_computed(&self.parameters, &x)?;
        Ok(3 * size_of::<f32>() * numbers / n)
    }

    /// Pixels in `[0, 1]` as the graph wants them.
    fn preprocess(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        let how = &self.preprocessing;
        let [h, w] = self.pictures;
        match pixels.dims() {
            &[_, c, rows, columns] if [c, rows, columns] == [how.channels, h, w] => {}
            other => {
                return Err(ModelError::Compute(candle_core::Error::Msg(format!(
                    "pictures of shape {other:?} were given to a model of [n, {}, {h}, {w}]",
                    how.channels
                ))));
            }
        }
        let c = how.channels;
        let per_channel = |values: Vec<f32>| Tensor::from_vec(values, (1, c, 1, 1), pixels.device());
        let factors: Vec<f32> = how.std.iter().map(|s| how.scale / s).collect();
        let shifts: Vec<f32> = how.mean.iter().zip(&how.std).map(|(m, s)| -m / s).collect();
        let even = |values: &[f32]| values.iter().all(|v| *v == values[0]);
        let mut x = resize(pixels, how.size)?;
        if even(&factors) && even(&shifts) {
            if (factors[0], shifts[0]) != (1.0, 0.0) {
                x = x.affine(f64::from(factors[0]), f64::from(shifts[0]))?;
            }
        } else {
            x = x.broadcast_mul(&per_channel(factors)?)?.broadcast_add(&per_channel(shifts)?)?;
        }
        if how.order == ChannelOrder::Bgr && c == 3 {
            let channels: Vec<Tensor> = (0..3).rev().map(|i| x.narrow(1, i, 1)).collect::<candle_core::Result<_>>()?;
            x = Tensor::cat(&channels, 1)?;
        }
        Ok(match self.input.layout {
            InputLayout::Nchw => x,
            InputLayout::Nhwc => x.permute((0, 2, 3, 1))?,
        })
    }

    /// The same classifier with other numbers (a repair, or variables to train).
    pub fn with_parameters(&self, parameters: Parameters) -> Self {
        Self { parameters, ..self.clone() }
    }

    /// The same classifier with another graph of the same input: one with clamps, or one that gives what is inside.
    pub(crate) fn with_graph(&self, graph: Arc<Graph>) -> Self {
        Self { graph, ..self.clone() }
    }

    /// Shape of a computed value for one picture (for a whole batch where the graph insists on one).
    pub(crate) fn shape_of(&self, value: ValueId) -> Result<Vec<usize>, ModelError> {
        let [h, w] = self.preprocessing.size;
        let n = self.input.fixed_batch.unwrap_or(1).max(1);
        let pixels = Tensor::zeros((n, self.preprocessing.channels, h, w), DType::F32, &self.device)?;
        let steps = self.graph.nodes.iter().position(|node| node.outputs.contains(&value)).map_or(0, |i| i + 1);
        let until = Graph { logits: value, nodes: self.graph.nodes[..steps].to_vec(), ..(*self.graph).clone() };
        Ok(until.run(&self.parameters, &self.preprocess(&pixels)?, None)?.dims().to_vec())
    }

    /// Pictures that the graph insists on at a time, if it does.
    pub(crate) fn fixed_batch(&self) -> Option<usize> {
        self.input.fixed_batch
    }

    /// The trained numbers.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The computation.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// Number of labels.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The step in front of the graph.
    pub fn preprocessing(&self) -> &Preprocessing {
        &self.preprocessing
    }

    /// Where the parameters live.
    pub fn device(&self) -> Device {
        self.device.clone()
    }
}

/// Refuses a preprocessing that cannot be meant for this input.
fn check(how: &Preprocessing, input: &InputSpec) -> Result<(), ModelError> {
    let refuse = |why: String| Err(ModelError::Preprocessing(why));
    if how.channels != input.channels {
        return refuse(format!("it gives {} channels, the model takes {}", how.channels, input.channels));
    }
    if let Some([h, w]) = input.size
        && how.size != [h, w]
    {
        return refuse(format!("it gives {}x{} pixels, the model takes {h}x{w}", how.size[0], how.size[1]));
    }
    let numbers = how.mean.iter().chain(&how.std).chain([&how.scale]);
    let sane =
        how.mean.len() == how.channels && how.std.len() == how.channels && numbers.into_iter().all(|v| v.is_finite());
    if !sane || how.std.iter().any(|&s| s <= 0.0) || how.size.contains(&0) {
        return refuse("its mean, standard deviation or size makes no sense".into());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::tensor::Seed;
    use crate::train::tiny;
    use candle_core::Var;

    fn small_network() -> Classifier {
        let size = [12, 12];
        tiny(size, 4, Seed(1))
    }

    #[test]
    fn pictures_of_another_size_are_resized_with_gradients() {
        let network = small_network();
        let pictures = Seed(2).random().uniform_tensor(0.0, 1.0, (2, 3, 20, 16), &Device::Cpu).unwrap();
        assert!(network.logits(&pictures).is_err());
        let asked = network.asked_with([20, 16]);
        let pixels = Var::from_tensor(&pictures).unwrap();
        let logits = asked.logits(&pixels).unwrap();
        let small = network.logits(&resize(&pictures, [12, 12]).unwrap()).unwrap();
        assert_eq!(logits.to_vec2::<f32>().unwrap(), small.to_vec2::<f32>().unwrap());
        let gradients = logits.sum_all().unwrap().backward().unwrap();
        assert_eq!(gradients.get(&pixels).unwrap().dims(), pixels.dims());
    }
}
