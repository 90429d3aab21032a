//! Steps down a slope over named numbers, of two kinds, see [`Steps`]: the published ones for methods that come with their
//! constants, and steps by the numbers' own length, of which a running mean is kept.

use super::RepairError;
use candle_core::Tensor;
use std::collections::BTreeMap;

/// Momentum and weight decay of every fine-tuning repair (BackdoorBench).
const MOMENTUM: f64 = 0.9;
const WEIGHT_DECAY: f64 = 5e-4;
/// Gradients are never longer than this: with normalisations frozen, single batches have steep ones.
const LONGEST: f64 = 1.0;
/// Root mean square that a parameter is taken to have at least: a bias of zeros must be able to move.
const SHORTEST: f64 = 1e-3;
/// Weight of the newest state in the running mean that is kept.
const NEWEST: f64 = 0.03;

/// Numbers that are being learned, or how the loss depends on them, by name.
pub(super) type Numbers = BTreeMap<String, Tensor>;

/// What a step goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Steps {
    /// SGD with momentum and weight decay as the papers have it, with the length of the whole gradient bounded.
    Published,
    /// Every parameter moves by a share of its own length along its gradient (LARS, You et al., 2017): exporters fold
    /// normalisations into weights, which makes some layers twenty times as long as others and their gradients as much
    /// shorter. What is kept is a running mean of the states (Polyak and Juditsky, 1992): a few hundred images make single
    /// states jump by a point or two of accuracy, their mean does not.
    Relative,
}

/// How far a descent has come.
pub(super) struct Descent {
    /// The numbers the next slope is wanted at.
    pub now: Numbers,
    speed: Numbers,
    /// The running mean of all states; published steps keep the last state instead.
    mean: Option<Numbers>,
}

impl Descent {
    /// Begins at `start`.
    pub fn new(start: Numbers, steps: Steps) -> Self {
        let mean = (steps == Steps::Relative).then(|| start.clone());
        Self { now: start, speed: Numbers::new(), mean }
    }

    /// One step down the `slope` at where it is.
    pub fn step(&mut self, slope: Numbers, rate: f64) -> Result<(), RepairError> {
        let Some(mean) = &mut self.mean else {
            let pulls = published(&self.now, slope)?;
            return descend(&mut self.now, &mut self.speed, &pulls, rate);
        };
        let pulls = relative(&self.now, slope)?;
        descend(&mut self.now, &mut self.speed, &pulls, rate)?;
        for (name, kept) in mean {
            *kept = ((&*kept * (1.0 - NEWEST))? + (&self.now[name] * NEWEST)?)?.detach();
        }
        Ok(())
    }

    /// What to keep of it.
    pub fn kept(&self) -> &Numbers {
        self.mean.as_ref().unwrap_or(&self.now)
    }

    /// Whether it is still among numbers.
    pub fn is_finite(&self) -> Result<bool, RepairError> {
        for tensor in self.now.values() {
            if !tensor.sqr()?.sum_all()?.to_scalar::<f32>()?.is_finite() {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The gradient with its whole length bounded, and the pull of weight decay.
fn published(now: &Numbers, slope: Numbers) -> Result<Numbers, RepairError> {
    let mut length = 0.0;
    for gradient in slope.values() {
        length += norm(gradient)?.powi(2);
    }
    let shorter = (LONGEST / length.sqrt().max(f64::MIN_POSITIVE)).min(1.0);
    slope
        .into_iter()
        .map(|(name, gradient)| {
            let pull = ((gradient * shorter)? + (&now[&name] * WEIGHT_DECAY)?)?;
            Ok((name, pull))
        })
        .collect()
}

/// Each gradient as long as the parameter it belongs to.
fn relative(now: &Numbers, slope: Numbers) -> Result<Numbers, RepairError> {
    let mut pulls = Numbers::new();
    for (name, gradient) in slope {
        let length = norm(&gradient)?;
        let value = &now[&name];
        let own = norm(value)?.max(SHORTEST * (value.elem_count() as f64).sqrt());
        if length > f64::from(f32::MIN_POSITIVE) {
            pulls.insert(name, (gradient * (own / length))?);
        }
    }
    Ok(pulls)
}

/// One step with momentum against the `pulls`, as PyTorch does it.
fn descend(now: &mut Numbers, speed: &mut Numbers, pulls: &Numbers, rate: f64) -> Result<(), RepairError> {
    for (name, pull) in pulls {
        let Some(value) = now.get_mut(name) else { continue };
        let pull = match speed.get(name) {
            Some(before) => ((before * MOMENTUM)? + pull)?,
            None => pull.clone(),
        };
        *value = (&*value - (&pull * rate)?)?.detach();
        speed.insert(name.clone(), pull.detach());
    }
    Ok(())
}

/// Euclidean length of all numbers of a tensor.
fn norm(tensor: &Tensor) -> Result<f64, RepairError> {
    Ok(f64::from(tensor.sqr()?.sum_all()?.to_scalar::<f32>()?).sqrt())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::Device;

    fn numbers(values: &[f32]) -> Numbers {
        Numbers::from([("w".to_owned(), Tensor::new(values, &Device::Cpu).unwrap())])
    }

    /// A descent from `value` after one step of a tenth down `slope`.
    fn stepped(steps: Steps, value: &[f32], slope: &[f32]) -> Descent {
        let mut descent = Descent::new(numbers(value), steps);
        descent.step(numbers(slope), 0.1).unwrap();
        descent
    }

    fn values(numbers: &Numbers) -> Vec<f32> {
        numbers["w"].to_vec1().unwrap()
    }

    #[test]
    fn a_relative_step_is_a_share_of_the_parameters_length_however_steep_the_slope() {
        let relative = |value: &[f32], slope: &[f32]| values(&stepped(Steps::Relative, value, slope).now);
        for steep in [1e-6, 1.0, 1e6] {
            let now = relative(&[3.0, 4.0], &[0.6 * steep, -0.8 * steep]);
            // The length is 5, a tenth of it 0.5.
            assert!((now[0] - 2.7).abs() < 1e-5 && (now[1] - 4.4).abs() < 1e-5, "{now:?}");
        }
        assert_eq!(relative(&[3.0, 4.0], &[0.0, 0.0]), [3.0, 4.0]);
        let moved = relative(&[0.0; 4], &[0.0, 1.0, 0.0, 0.0]);
        assert!((moved[1] + 0.1 * 2.0 * SHORTEST as f32).abs() < 1e-9, "zeros must be able to move: {moved:?}");
    }

    #[test]
    fn a_published_step_bounds_the_whole_gradient_and_decays() {
        let now = values(&stepped(Steps::Published, &[1.0, 0.0], &[30.0, 40.0]).now);
        let wanted = [1.0 - 0.1 * (0.6 + WEIGHT_DECAY as f32), -0.08];
        assert!(now.iter().zip(wanted).all(|(a, b)| (a - b).abs() < 1e-6), "{now:?}");
    }

    #[test]
    fn relative_steps_keep_a_running_mean_and_published_ones_the_last_state() {
        let relative = stepped(Steps::Relative, &[3.0, 4.0], &[3.0, 4.0]);
        assert!((values(relative.kept())[0] - 3.0 * (1.0 - 0.1 * NEWEST as f32)).abs() < 1e-6);
        let published = stepped(Steps::Published, &[3.0, 4.0], &[3.0, 4.0]);
        assert_eq!(values(published.kept()), values(&published.now));
    }

    #[test]
    fn numbers_that_ran_away_are_noticed() {
        assert!(stepped(Steps::Published, &[1.0], &[1.0]).is_finite().unwrap());
        assert!(!stepped(Steps::Published, &[f32::MAX], &[1.0]).is_finite().unwrap());
    }
}
