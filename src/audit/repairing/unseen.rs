//! A repair where there are no images: what the weights alone can tell is taken out, and nothing can be measured.
//!
//! In: an [`UnseenOrder`]. Out: an [`UnseenReport`] that says what was not proved.

use super::RepairingError;
use crate::audit::error::AuditError;
use crate::images::ImageSet;
use crate::model::{self, Classifier, Overwrite, Preprocessing, Saved, save};
use crate::progress::Monitor;
use crate::repair::{self, Aim, Parts, Problem, RepairError};
use crate::tensor::Seed;
use candle_core::Device;
use std::path::PathBuf;

/// Height and width to check the repaired file with where the model takes pictures of any size.
const ANY_SIZE: [usize; 2] = [64, 64];

/// What somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnseenOrder {
    /// The suspect model.
    pub model: PathBuf,
    /// One method by its name; the recommended one where absent.
    pub method: Option<String>,
    /// Where the repaired model goes.
    pub destination: PathBuf,
    /// What may be replaced there.
    pub overwrite: Overwrite,
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct UnseenReport {
    /// What was asked for.
    pub order: UnseenOrder,
    /// SHA-256 of the suspect's file.
    pub sha256: String,
    /// The method that was used.
    pub method: &'static str,
    /// Parameters whose numbers changed, and how many numbers those are.
    pub changed: (usize, usize),
    /// The repaired file.
    pub saved: Saved,
    /// What was not proved, in sentences.
    pub limits: Vec<String>,
}

/// Repairs on the calling thread.
///
/// # Errors
/// [`RepairingError`], a sentence; then nothing was written.
pub fn repair_unseen(order: &UnseenOrder, monitor: &Monitor) -> Result<UnseenReport, RepairingError> {
    let method = method(order.method.as_deref())?;
    let model = model::open(&order.model).map_err(AuditError::from)?;
    model::check_destination(&model, &order.destination, order.overwrite)?;
    let (channels, size) = (model.input.channels, model.input.size.unwrap_or(ANY_SIZE));
    let preprocessing = Preprocessing::unit(size, channels);
    let suspect = Classifier::new(&model, preprocessing.clone(), &Device::Cpu).map_err(AuditError::from)?;
    let none = ImageSet::empty(channels, size);
    let parts = Parts { repair: none.clone(), validation: none.clone(), proof: none };
    let problem = Problem::new(&suspect, &parts, &[], Aim::default(), Seed::default(), monitor)?;
    let change = method.run(&problem, &|_| {}, monitor)?.change;
    let mut changed = (0, 0);
    for (name, value) in &change.parameters {
        let differs = suspect.parameters()[name].ne(value).and_then(|d| d.to_dtype(candle_core::DType::F32)?.sum_all());
        let count = differs.and_then(|sum| sum.to_scalar::<f32>()).map_err(RepairError::from)?;
        changed = (changed.0 + usize::from(count > 0.0), changed.1 + count as usize);
    }
    if changed.0 == 0 {
        return Err(RepairingError::Order(format!(
            "{} finds no channel in {} that stands out from its layer, so there is nothing it would change; give clean \
             images, so that other methods can be tried",
            method.name(),
            order.model.display()
        )));
    }
    let saved = save(&model, &change, &preprocessing, &order.destination, order.overwrite, None)?;
    let limits = vec![
        "There were no images, so nothing was measured: neither what the repair costs in accuracy nor whether a \
         backdoor is gone"
            .to_owned(),
        "Audit the repaired model with clean images before it is used".to_owned(),
    ];
    Ok(UnseenReport { order: order.clone(), sha256: model.sha256, method: method.name(), changed, saved, limits })
}

/// The method to use: it must need neither images nor a trigger.
fn method(name: Option<&str>) -> Result<&'static dyn repair::Repair, RepairingError> {
    let possible = repair::recommended(false, false);
    let found = match name {
        None => possible.first().copied(),
        Some(name) => possible.iter().copied().find(|method| method.name() == name),
    };
    found.ok_or_else(|| {
        let names: Vec<&str> = possible.iter().map(|method| method.name()).collect();
        RepairingError::Order(format!(
            "{} needs clean images; name their folder or file after the model, or use --method {}",
            name.unwrap_or("a repair"),
            names.join(" or ")
        ))
    })
}
