//! A trained model as an auditor gets it: a file, clean images, names of labels, and not a word about any backdoor.

use super::build::LabError;
use super::pair::Pair;
use crate::images::npz_bytes;
use crate::model::{self, Classifier, Preprocessing, hexadecimal};
use crate::progress::Monitor;
use candle_core::Device;
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};

/// Files for an audit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handed {
    /// The model.
    pub model: PathBuf,
    /// Clean images it did not learn from.
    pub images: PathBuf,
    /// One label name a line.
    pub names: PathBuf,
    /// SHA-256 of the model's file: an audit of these files is known by it.
    pub sha256: String,
}

impl Pair {
    /// Writes what an auditor of the poisoned model needs into `folder`, which must be there.
    ///
    /// # Errors
    /// [`LabError`], a sentence, where something cannot be written.
    pub fn hand_over(&self, folder: &Path) -> Result<Handed, LabError> {
        let write = |name: &str, bytes: &[u8]| -> Result<PathBuf, LabError> {
            let path = folder.join(name);
            std::fs::write(&path, bytes).map_err(|source| LabError::Io { path: path.clone(), source })?;
            Ok(path)
        };
        let (model, _) = self.onnx()?;
        let test = &self.pictures.test;
        let images = npz_bytes(test).map_err(|source| LabError::Io { path: folder.to_owned(), source })?;
        let lines: String = test.names.iter().map(|name| format!("{}\n", name.replace('\n', " "))).collect();
        Ok(Handed {
            sha256: hexadecimal(&Sha256::digest(&model)),
            model: write("lab-model.onnx", &model)?,
            images: write("lab-images.npz", &images)?,
            names: write("lab-labels.txt", lines.as_bytes())?,
        })
    }

    /// Clean accuracy and success rate of the planted mark, both in `[0, 1]`, of a model file for these pictures, such as
    /// a repaired one.
    ///
    /// # Errors
    /// [`LabError`], a sentence, where the file cannot be used, or on a request to stop.
    pub fn measure_file(&self, path: &Path, monitor: &Monitor) -> Result<(f32, f32), LabError> {
        let model = model::open(path)?;
        let test = &self.pictures.test;
        let how = Preprocessing::unit([test.height, test.width], test.channels);
        self.measure(&Classifier::new(&model, how, &Device::Cpu)?, monitor)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{LabImages, LabOrder, Session};
    use super::*;
    use crate::images::{Wanted, open};
    use std::sync::Arc;

    #[test]
    fn what_is_handed_over_is_the_same_model_and_says_nothing_of_the_backdoor() {
        let order = LabOrder { images: LabImages::Signs { training: 2 }, ..LabOrder::default() };
        let pictures = Arc::new(order.images.gather(order.recipe.seed, &Monitor::silent()).unwrap());
        let mut session = Session::new(order, pictures).unwrap();
        session.run(Some(1), &Monitor::silent(), &|_| {}).unwrap();
        let pair = session.pair().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let handed = pair.hand_over(folder.path()).unwrap();
        let monitor = Monitor::silent();
        let of_file = pair.measure_file(&handed.model, &monitor).unwrap();
        assert_eq!(of_file, pair.measure(&pair.classifiers[0], &monitor).unwrap());
        assert_eq!(model::open(&handed.model).unwrap().sha256, handed.sha256);
        let images = open(&handed.images, &Wanted::default(), &monitor).unwrap();
        assert_eq!(images.pixels, pair.pictures.test.pixels);
        let files = std::fs::read_dir(folder.path()).unwrap().count();
        assert_eq!(files, 3, "model, images, names and nothing else");
    }
}
