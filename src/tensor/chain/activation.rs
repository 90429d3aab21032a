//! Activations whose slope follows from their value, so that they can be done where a result is written, and undone
//! from it.

use super::super::squash::exp;
use super::kernel::on_all_instructions;

/// What is done to every number of a result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Activation {
    /// Nothing.
    None,
    /// max(x, 0); the slope at exactly 0 is 0.
    Relu,
    /// x where positive, elsewhere this (positive) part of it.
    LeakyRelu(f32),
    /// x where positive, `alpha * (e^x - 1)` elsewhere; `alpha` is positive.
    Elu(f32),
    /// Held between two bounds; the slope outside and on them is 0.
    Clip(f32, f32),
}

/// The activation of each number, in place. Written so that a NaN stays one.
#[inline(always)]
pub(super) fn apply(values: &mut [f32], how: Activation) {
    match how {
        Activation::None => {}
        Activation::Relu => values.iter_mut().for_each(|v| *v = if *v <= 0.0 { 0.0 } else { *v }),
        Activation::LeakyRelu(a) => values.iter_mut().for_each(|v| *v = if *v <= 0.0 { a * *v } else { *v }),
        Activation::Elu(a) => values.iter_mut().for_each(|v| {
            let below = a * (exp(v.min(0.0)) - 1.0);
            *v = if *v <= 0.0 { below } else { *v };
        }),
        Activation::Clip(low, high) => values.iter_mut().for_each(|v| {
            let held = if *v < low { low } else { *v };
            *v = if held > high { high } else { held };
        }),
    }
}

on_all_instructions! {
    /// [`apply`], on whole vectors.
    pub(super) fn activate(values: &mut [f32], how: Activation) {
        apply(values, how);
    }
}

on_all_instructions! {
    /// Multiplies gradients by the slopes where the activation gave `y`.
    pub(super) fn slope(g: &mut [f32], y: &[f32], how: Activation) {
        let pairs = g.iter_mut().zip(y);
        match how {
            Activation::None => {}
            Activation::Relu => pairs.for_each(|(g, &y)| *g = if y > 0.0 { *g } else { 0.0 }),
            Activation::LeakyRelu(a) => pairs.for_each(|(g, &y)| *g = if y > 0.0 { *g } else { *g * a }),
            Activation::Elu(a) => pairs.for_each(|(g, &y)| *g = if y > 0.0 { *g } else { *g * (y + a) }),
            Activation::Clip(low, high) => {
                pairs.for_each(|(g, &y)| *g = if (y > low) & (y < high) { *g } else { 0.0 });
            }
        }
    }
}
