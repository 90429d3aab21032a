//! A poisoned model and its clean twin with all that belongs to them: what everything after the training starts from.

use super::build::LabError;
use super::moment::{Moment, Watched, measured};
use super::order::{LabOrder, Pictures};
use crate::images;
use crate::model::{Classifier, Model, Preprocessing, onnx};
use crate::poison::stamped;
use crate::progress::Monitor;
use candle_core::Device;
use std::sync::Arc;

/// Both models, and the experiment they come from.
#[derive(Debug, Clone)]
pub struct Pair {
    /// What was asked for.
    pub order: LabOrder,
    /// What they learned from and were measured on.
    pub pictures: Arc<Pictures>,
    /// Ready to be asked: poisoned, twin.
    pub classifiers: [Classifier; 2],
    /// To be written to files: poisoned, twin.
    pub models: [Model; 2],
}

impl Pair {
    /// Both models of an experiment: poisoned, twin.
    ///
    /// # Errors
    /// [`LabError`] where a model does not fit the pictures.
    pub fn new(order: LabOrder, pictures: Arc<Pictures>, models: (Model, Model)) -> Result<Self, LabError> {
        let test = &pictures.test;
        let of = |model: &Model| {
            let how = Preprocessing::unit([test.height, test.width], test.channels);
            Classifier::new(model, how, &Device::Cpu)
        };
        let classifiers = [of(&models.0)?, of(&models.1)?];
        Ok(Self { order, pictures, classifiers, models: models.into() })
    }

    /// Both as ONNX files: poisoned, twin. The same pair gives the same bytes.
    ///
    /// # Errors
    /// Where one cannot be written as ONNX.
    pub fn onnx(&self) -> Result<(Vec<u8>, Vec<u8>), LabError> {
        let bytes = |model: &Model| onnx::write(&model.graph, &model.parameters, &model.input, model.classes);
        Ok((bytes(&self.models[0])?, bytes(&self.models[1])?))
    }

    /// The pictures whose answers are followed.
    pub fn watched(&self) -> Watched {
        Watched::of(&self.order, &self.pictures.test)
    }

    /// What is true of both models, as after the last step of their training; the losses of the steps are not known.
    ///
    /// # Errors
    /// [`LabError`] where a model fails, or on a request to stop.
    pub fn moment(&self, monitor: &Monitor) -> Result<Moment, LabError> {
        let (test, planted) = (&self.pictures.test, &self.order.planted);
        let marked = stamped(test, planted.mark.attack(), planted.scheme);
        let ([poisoned, twin], said) = measured(&self.classifiers, [test, &marked], &self.watched(), monitor)?;
        Ok(Moment { step: 1, steps: 1, passes: self.order.recipe.epochs as f32, poisoned, twin, said })
    }

    /// Clean accuracy and success rate of the mark that was planted, both in `[0, 1]`, of any classifier for these
    /// pictures: of this pair, or of a repaired one.
    ///
    /// # Errors
    /// [`LabError`] where the classifier fails, or on a request to stop.
    pub fn measure(&self, classifier: &Classifier, monitor: &Monitor) -> Result<(f32, f32), LabError> {
        let (test, planted) = (&self.pictures.test, &self.order.planted);
        let accuracy = images::accuracy(classifier, test, monitor)?.0;
        let marked = stamped(test, planted.mark.attack(), planted.scheme);
        let success = if marked.is_empty() { 0.0 } else { images::accuracy(classifier, &marked, monitor)?.0 };
        Ok((accuracy, success))
    }
}
