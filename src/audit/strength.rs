//! How a recovered trigger works when it is laid on fainter or harder than it was found.
//!
//! In: a finished audit with its files, and a label. Out: one [`AtStrength`] a strength, on the same held-back pictures that
//! the audit counted on. Measures, and decides nothing.

use super::error::AuditError;
use super::hunting::TRIED_ON;
use super::{Audit, Order, opening};
use crate::detect::neural_cleanse::attack_success;
use crate::detect::{Example, Picture, Trigger};
use crate::progress::Monitor;
use crate::tensor::device;
use candle_core::{Device, Tensor};

/// Strengths that are measured: shares of the mask as it was found. Beyond 1 it covers more, but never more than wholly.
pub const STRENGTHS: [f32; 9] = [0.0, 0.125, 0.25, 0.375, 0.5, 0.75, 1.0, 1.5, 2.0];
/// Pictures asked at a time; small enough for every model that was audited.
const BATCH: usize = 16;
/// Pictures shown with and without the trigger.
const EXAMPLES: usize = 6;

/// The trigger at one strength.
#[derive(Debug, Clone, PartialEq)]
pub struct AtStrength {
    /// Factor on the mask.
    pub strength: f32,
    /// Share of held-back pictures it turns, in `[0, 1]`.
    pub asr: f32,
    /// How many that is of.
    pub images: usize,
    /// A few of them before and after.
    pub examples: Vec<Example>,
}

/// Measures the trigger of one label at every strength of [`STRENGTHS`].
///
/// # Errors
/// [`AuditError`] where the label has no trigger, or the files are gone or not those that were audited.
pub fn strengths(audit: &Audit, label: usize, monitor: &Monitor) -> Result<Vec<AtStrength>, AuditError> {
    let found = audit.labels.iter().find(|l| l.label == label).and_then(|l| l.trigger.as_ref());
    let found = found.ok_or_else(|| AuditError::Setting(format!("label {label} has no recovered trigger")))?;
    let order = Order { preprocessing: Some(audit.preprocessing.clone()), ..audit.order.clone() };
    let device = device::open(&order.settings.device)?.device;
    let opened = opening::open(&order, &monitor.part(0.0, 0.2))?;
    if opened.model.sha256 != audit.model.sha256 {
        let path = order.model.display();
        return Err(AuditError::Setting(format!("{path} has changed since it was audited; audit it again")));
    }
    let subject = opening::subject(&order, &opened, &audit.preprocessing, device)?;
    if audit.images.sha256.as_ref().is_some_and(|theirs| *theirs != subject.split.sha256()) {
        let path = order.images.display();
        return Err(AuditError::Setting(format!("{path} holds other images than those of the audit; audit again")));
    }
    let mask = tensor(&found.mask, &subject.device)?;
    let trigger = Trigger {
        label,
        source: found.source,
        pattern: tensor(&found.pattern, &subject.device)?,
        shape: found.shape,
        l1: found.l1,
        asr_search: found.asr_search,
        reached: found.reached,
        mask,
    };
    let held_out = subject.split.held_out.sample(TRIED_ON, order.settings.seed);
    STRENGTHS
        .into_iter()
        .enumerate()
        .map(|(i, strength)| {
            monitor.step("Trying the trigger at other strengths", 0.2 + 0.8 * i as f32 / STRENGTHS.len() as f32);
            let mask = (&trigger.mask * f64::from(strength))?.clamp(0.0, 1.0)?;
            let trigger = Trigger { mask, ..trigger.clone() };
            let (asr, images) = attack_success(&subject.suspect, &held_out, &trigger, BATCH, monitor)?;
            let examples = trigger.examples(&subject.suspect, &held_out, EXAMPLES)?;
            Ok(AtStrength { strength, asr, images, examples })
        })
        .collect()
}

/// `[1, c, h, w]` of a picture.
fn tensor(picture: &Picture, device: &Device) -> Result<Tensor, AuditError> {
    let &Picture { channels, height, width, ref values } = picture;
    if values.is_empty() || channels.checked_mul(height).and_then(|n| n.checked_mul(width)) != Some(values.len()) {
        return Err(AuditError::Setting("the saved audit holds no pictures of this trigger; audit again".into()));
    }
    Ok(Tensor::from_slice(values, (1, channels, height, width), device)?)
}
