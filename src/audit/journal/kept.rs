//! Pieces that hold tensors, as they are written: every number to the bit, in base64.

use super::Journal;
use crate::audit::error::AuditError;
use crate::detect::poisdetc::Shots;
use crate::detect::{Shape, Trigger};
use crate::model::Parameters;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Numbers of the points of one label's shots that are kept at most: they are only shown, and large pictures would fill
/// the disk.
const MOST_POINTS: usize = 1 << 20;

/// A tensor of `f32`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(into = "Written", try_from = "Written")]
struct Numbers {
    shape: Vec<usize>,
    values: Vec<f32>,
}

#[derive(Serialize, Deserialize)]
struct Written {
    shape: Vec<usize>,
    bytes: String,
}

impl From<Numbers> for Written {
    fn from(numbers: Numbers) -> Self {
        let bytes: Vec<u8> = numbers.values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Self { shape: numbers.shape, bytes: STANDARD.encode(bytes) }
    }
}

impl TryFrom<Written> for Numbers {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let bytes = STANDARD.decode(&written.bytes).map_err(|_| "not base64")?;
        let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        let count = written.shape.iter().try_fold(1_usize, |n, &side| n.checked_mul(side));
        if count != Some(values.len()) {
            return Err("the numbers do not fill their shape");
        }
        Ok(Self { shape: written.shape, values })
    }
}

impl Numbers {
    fn of(tensor: &Tensor) -> candle_core::Result<Self> {
        let values = tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1::<f32>()?;
        Ok(Self { shape: tensor.dims().to_vec(), values })
    }

    fn tensor(&self, device: &Device) -> Result<Tensor, AuditError> {
        Ok(Tensor::from_vec(self.values.clone(), self.shape.as_slice(), device)?)
    }
}

#[derive(Serialize, Deserialize)]
struct KeptTrigger {
    label: usize,
    source: Option<usize>,
    mask: Numbers,
    pattern: Numbers,
    shape: Shape,
    l1: f32,
    asr_search: f32,
    reached: bool,
}

#[derive(Serialize, Deserialize)]
struct KeptShots {
    label: usize,
    losses: Vec<f32>,
    reference_losses: Vec<f32>,
    steps: Vec<usize>,
    points: Option<Numbers>,
}

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
        let mut fresh = None;
        let kept = self.once(key, || {
            let t = fresh.insert(work()?);
            Ok(KeptTrigger {
                label: t.label,
                source: t.source,
                mask: Numbers::of(&t.mask)?,
                pattern: Numbers::of(&t.pattern)?,
                shape: t.shape,
                l1: t.l1,
                asr_search: t.asr_search,
                reached: t.reached,
            })
        })?;
        match fresh {
            Some(trigger) => Ok(trigger),
            None => Ok(Trigger {
                label: kept.label,
                source: kept.source,
                mask: kept.mask.tensor(device)?,
                pattern: kept.pattern.tensor(device)?,
                shape: kept.shape,
                l1: kept.l1,
                asr_search: kept.asr_search,
                reached: kept.reached,
            }),
        }
    }

    /// Shots at some labels, as [`Journal::once`]. Points of large pictures are not kept; they are empty then.
    pub(in crate::audit) fn shots(
        &self,
        key: &str,
        device: &Device,
        work: impl FnOnce() -> Result<Vec<Shots>, AuditError>,
    ) -> Result<Vec<Shots>, AuditError> {
        let mut fresh = None;
        let kept: Vec<KeptShots> =
            self.once(key, || fresh.insert(work()?).iter().map(KeptShots::of).collect::<Result<_, _>>())?;
        match fresh {
            Some(shots) => Ok(shots),
            None => kept.into_iter().map(|kept| kept.shots(device)).collect(),
        }
    }

    /// A trained model's numbers and its accuracy, as [`Journal::once`].
    pub(in crate::audit) fn trained(
        &self,
        key: &str,
        device: &Device,
        work: impl FnOnce() -> Result<(Parameters, f32), AuditError>,
    ) -> Result<(Parameters, f32), AuditError> {
        let mut fresh = None;
        let kept = self.once(key, || {
            let (parameters, accuracy) = fresh.insert(work()?);
            let parameters = parameters.iter().map(|(name, t)| Ok((name.clone(), Numbers::of(t)?)));
            Ok(KeptModel { parameters: parameters.collect::<candle_core::Result<_>>()?, accuracy: *accuracy })
        })?;
        if let Some(fresh) = fresh {
            return Ok(fresh);
        }
        let parameters = kept.parameters.iter().map(|(name, numbers)| Ok((name.clone(), numbers.tensor(device)?)));
        Ok((parameters.collect::<Result<_, AuditError>>()?, kept.accuracy))
    }
}

impl KeptShots {
    fn of(shots: &Shots) -> Result<Self, AuditError> {
        let points = (shots.points.elem_count() <= MOST_POINTS).then(|| Numbers::of(&shots.points)).transpose()?;
        Ok(Self {
            label: shots.label,
            losses: shots.losses.clone(),
            reference_losses: shots.reference_losses.clone(),
            steps: shots.steps.clone(),
            points,
        })
    }

    fn shots(self, device: &Device) -> Result<Shots, AuditError> {
        let points = match &self.points {
            Some(numbers) => numbers.tensor(device)?,
            None => Tensor::zeros((0, 1, 1, 1), candle_core::DType::F32, device)?,
        };
        Ok(Shots {
            label: self.label,
            losses: self.losses,
            reference_losses: self.reference_losses,
            steps: self.steps,
            points,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

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
