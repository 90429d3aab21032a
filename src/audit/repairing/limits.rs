//! What a repair does not prove, in sentences.

use super::RepairOrder;
use crate::audit::Audit;
use crate::repair::Counted;

/// What the numbers of a repair with a recovered trigger are of, and what they are not.
pub const UNKNOWN: &str = "The attacker's own trigger is unknown. What is measured is the recovered one, or the painted \
                           block in its place where that works better, and what a second search finds; not that the \
                           attacker's is gone";

/// Held-back pictures below which rates are rough.
const FEW: usize = 100;
/// A trigger is the audit's where its size is off by at most this share.
const SAME_SIZE: f32 = 0.01;

/// All of them. `images` is how many the proof was made on, and `compared` how many methods were measured on them; `scan`
/// is the second audit, or why there is none.
pub(super) fn limits(
    order: &RepairOrder,
    counted: &[Counted],
    images: usize,
    compared: usize,
    scan: Result<&Audit, &str>,
) -> Vec<String> {
    let mut limits = Vec::new();
    limits.push(if order.infected.is_empty() {
        "The audit confirmed no trigger, so it could not be shown that one stopped working. The repair changes what \
         backdoors usually rest on, and the second audit is all the evidence there is"
            .to_owned()
    } else {
        UNKNOWN.to_owned()
    });
    for (target, Counted { trigger, .. }) in order.infected.iter().zip(counted) {
        if let Some(size) = target.size.filter(|size| (trigger.size() - size).abs() > SAME_SIZE * size) {
            limits.push(format!(
                "The trigger of label {} that was found again covers {:.2} % of the picture, the audit's {:.2} %: another \
                 machine or version computes a little differently",
                target.label,
                100.0 * trigger.size(),
                100.0 * size
            ));
        }
    }
    if images < FEW {
        limits.push(format!("Only {images} images were held back as proof; the rates are rough"));
    }
    if compared > 1 {
        limits.push(format!(
            "{compared} methods were measured on the same held-back images and the best was taken; the best of several \
             looks a little better than it is"
        ));
    }
    match scan {
        Ok(again) if again.stopped => {
            limits.push("The second audit was stopped before its end; the repaired model is not fully examined".into());
        }
        Ok(_) => {}
        Err(why) => limits.push(format!("The repaired model was not examined again: {why}")),
    }
    limits
}
