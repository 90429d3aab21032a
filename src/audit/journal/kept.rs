//! Pieces that hold tensors, as they are written.

use super::Journal;
use crate::audit::error::AuditError;
use crate::detect::Trigger;
use crate::detect::poisdetc::Shots;
use crate::model::Parameters;
use crate::tensor::Numbers;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Numbers of the points of one label's shots that are kept at most: they are only shown, and large pictures would fill
/// the disk.
const MOST_POINTS: usize = 1 << 20;

#[derive(Serialize, Deserialize)]
struct KeptModel {
    parameters: BTreeMap<String, Numbers>,
    accuracy: f32,
}

impl Journal {
    /// A recovered trigger, as [`Journal::once`].
    pub(in crate::audit) fn trigger(
        &self,
        key: &str,
        device: &Device,
        work: impl FnOnce() -> Result<Trigger, AuditError>,
    ) -> Result<Trigger, AuditError> {
        Ok(self.once(key, work)?.on(device)?)
    }

    /// Shots at some labels, as [`Journal::once`]. Points of large pictures are not kept; they are empty then.
    pub(in crate::audit) fn shots(
        &self,
        key: &str,
        device: &Device,
        work: impl FnOnce() -> Result<Vec<Shots>, AuditError>,
    ) -> Result<Vec<Shots>, AuditError> {
        let mut fresh = None;
        let kept: Vec<Shots> = self.once(key, || fresh.insert(work()?).iter().map(to_keep).collect())?;
        let read = |shots: Shots| Ok(Shots { points: shots.points.to_device(device)?, ..shots });
        fresh.map_or_else(|| kept.into_iter().map(read).collect(), Ok)
    }

    /// A trained model's numbers and its accuracy, as [`Journal::once`].
    pub(in crate::audit) fn trained(
        &self,
        key: &str,
        device: &Device,
        work: impl FnOnce() -> Result<(Parameters, f32), AuditError>,
    ) -> Result<(Parameters, f32), AuditError> {
        let kept = self.once(key, || {
            let (parameters, accuracy) = work()?;
            let parameters = parameters.into_iter().map(|(name, tensor)| (name, Numbers(tensor)));
            Ok(KeptModel { parameters: parameters.collect(), accuracy })
        })?;
        let parameters = kept.parameters.into_iter().map(|(name, numbers)| Ok((name, numbers.0.to_device(device)?)));
        Ok((parameters.collect::<Result<_, AuditError>>()?, kept.accuracy))
    }
}

/// The shots without their points where those are too large.
fn to_keep(shots: &Shots) -> Result<Shots, AuditError> {
    if shots.points.elem_count() <= MOST_POINTS {
        return Ok(shots.clone());
    }
    let none = Tensor::zeros((0, 1, 1, 1), candle_core::DType::F32, &Device::Cpu)?;
    Ok(Shots { points: none, ..shots.clone() })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::detect::Shape;

    #[test]
    fn a_trigger_survives_to_the_bit() {
        let folder = tempfile::tempdir().unwrap();
        let journal = Journal::at(folder.path().into());
        let values = [0.1_f32, f32::MIN_POSITIVE, 1.0 / 3.0, 0.999_999_94];
        let trigger = Trigger {
            label: 3,
            source: Some(1),
            mask: Tensor::new(&values, &Device::Cpu).unwrap().reshape((1, 1, 2, 2)).unwrap(),
            pattern: Tensor::new(&values, &Device::Cpu).unwrap().reshape((1, 1, 2, 2)).unwrap(),
            shape: Shape::Blend,
            l1: 0.1,
            asr_search: 0.7,
            reached: true,
        };
        let first = journal.trigger("t", &Device::Cpu, || Ok(trigger.clone())).unwrap();
        let again = journal.trigger("t", &Device::Cpu, || panic!("done twice")).unwrap();
        let bits = |t: &Tensor| -> Vec<u32> {
            t.flatten_all().unwrap().to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
        };
        assert_eq!(bits(&first.mask), bits(&again.mask));
        assert_eq!((again.label, again.source, again.shape, again.l1), (3, Some(1), Shape::Blend, 0.1));
        assert_eq!(again.mask.dims(), [1, 1, 2, 2]);
        let file = folder.path().join("t.json");
        let meddled = std::fs::read_to_string(&file).unwrap().replacen("[1,1,2,2]", "[1,1,2,3]", 1);
        std::fs::write(&file, meddled).unwrap();
        let mut done_again = false;
        let work = || {
            done_again = true;
            Ok(trigger.clone())
        };
        assert!(journal.trigger("t", &Device::Cpu, work).is_ok() && done_again, "what is damaged is done again");
    }
}
