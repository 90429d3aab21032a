//! A model with its preprocessing: pixels in `[0, 1]` go in, logits come out.

use super::{Graph, InputSpec, Model, ModelError, Parameters, Preprocessing};
use candle_core::{Device, Tensor};
use std::sync::Arc;

/// A classifier that can be asked and differentiated. Cheap to clone: graph and numbers are shared.
#[derive(Debug, Clone)]
pub struct Classifier {
    graph: Arc<Graph>,
    parameters: Parameters,
    input: InputSpec,
    classes: usize,
    preprocessing: Preprocessing,
}

impl Classifier {
    /// A model behind a preprocessing step; its parameters are copied to `device`.
    ///
    /// # Errors
    /// Where the device cannot hold the parameters, or the preprocessing does not fit the input.
    pub fn new(model: &Model, preprocessing: Preprocessing, device: &Device) -> Result<Self, ModelError> {
        let _ = device;
        Ok(Self {
            graph: Arc::clone(&model.graph),
            parameters: model.parameters.clone(),
            input: model.input.clone(),
            classes: model.classes,
            preprocessing,
        })
    }

    /// Logits `[n, classes]` of pixels `[n, c, h, w]` in `[0, 1]` (RGB or gray, at the size the
    /// preprocessing names). Differentiable in the pixels, and in every parameter that is a variable.
    ///
    /// # Errors
    /// [`ModelError::Node`] with the node that failed.
    pub fn logits(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        let x = self.preprocess(pixels)?;
        self.graph.run(&self.parameters, &x, self.input.fixed_batch)
    }

    /// Pixels in `[0, 1]` as the graph wants them.
    fn preprocess(&self, pixels: &Tensor) -> Result<Tensor, ModelError> {
        let _ = pixels;
        Err(ModelError::NotAClassifier("preprocessing is being written".into()))
    }

    /// The same classifier with other numbers (a repair, or variables to train).
    pub fn with_parameters(&self, parameters: Parameters) -> Self {
        Self { parameters, ..self.clone() }
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
        self.parameters.values().next().map_or(Device::Cpu, |p| p.device().clone())
    }
}
