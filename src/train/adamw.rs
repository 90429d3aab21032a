//! AdamW (Loshchilov and Hutter, arXiv 1711.05101), number for number as candle-nn computes it, but with a state that can be
//! written down, so that a training that was cut off goes on.

use crate::tensor::Numbers;
use candle_core::backprop::GradStore;
use candle_core::{Result, Tensor, Var};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// PyTorch's defaults.
const BETAS: (f64, f64) = (0.9, 0.999);
const EPSILON: f64 = 1e-8;
const WEIGHT_DECAY: f64 = 0.01;

/// The optimiser of some named variables.
pub(super) struct AdamW {
    variables: BTreeMap<String, Moving>,
    steps: i32,
}

struct Moving {
    variable: Var,
    first: Tensor,
    second: Tensor,
}

/// Where all variables and their moments are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct State {
    steps: i32,
    /// Value, first and second moment of each.
    variables: BTreeMap<String, [Numbers; 3]>,
}

impl AdamW {
    pub(super) fn new(variables: impl IntoIterator<Item = (String, Var)>) -> Result<Self> {
        let at_rest = |(name, variable): (String, Var)| {
            let (first, second) = (variable.zeros_like()?, variable.zeros_like()?);
            Ok((name, Moving { variable, first, second }))
        };
        Ok(Self { variables: variables.into_iter().map(at_rest).collect::<Result<_>>()?, steps: 0 })
    }

    /// Moves all variables one step of this size against their gradients.
    pub(super) fn step(&mut self, gradients: &GradStore, rate: f64) -> Result<()> {
        self.steps += 1;
        let (b1, b2) = BETAS;
        let (of_first, of_second) = (1.0 / (1.0 - b1.powi(self.steps)), 1.0 / (1.0 - b2.powi(self.steps)));
        for moving in self.variables.values_mut() {
            let Some(gradient) = gradients.get(&moving.variable) else { continue };
            moving.first = ((&moving.first * b1)? + (gradient * (1.0 - b1))?)?;
            moving.second = ((&moving.second * b2)? + (gradient.sqr()? * (1.0 - b2))?)?;
            let (first, second) = ((&moving.first * of_first)?, (&moving.second * of_second)?);
            let direction = (first / (second.sqrt()? + EPSILON)?)?;
            let decayed = (moving.variable.as_tensor() * (1.0 - rate * WEIGHT_DECAY))?;
            moving.variable.set(&(decayed - (direction * rate)?)?)?;
        }
        Ok(())
    }

    /// A copy of where everything is.
    pub(super) fn state(&self) -> Result<State> {
        let copied = |t: &Tensor| -> Result<Numbers> { Ok(Numbers(t.detach().copy()?)) };
        let copy = |(name, m): (&String, &Moving)| {
            Ok((name.clone(), [copied(m.variable.as_tensor())?, copied(&m.first)?, copied(&m.second)?]))
        };
        Ok(State { steps: self.steps, variables: self.variables.iter().map(copy).collect::<Result<_>>()? })
    }

    /// Whether `state` is of the same variables.
    pub(super) fn fits(&self, state: &State) -> bool {
        let alike = |(name, m): (&String, &Moving)| {
            state.variables.get(name).is_some_and(|all| all.iter().all(|Numbers(t)| t.dims() == m.variable.dims()))
        };
        state.variables.len() == self.variables.len() && self.variables.iter().all(alike)
    }

    /// Puts everything where it was in a `state` that fits.
    pub(super) fn go_on_from(&mut self, state: &State) -> Result<()> {
        for (name, moving) in &mut self.variables {
            let Some([value, first, second]) = state.variables.get(name) else { continue };
            let device = moving.variable.device().clone();
            moving.variable.set(&value.0.to_device(&device)?)?;
            moving.first = first.0.to_device(&device)?;
            moving.second = second.0.to_device(&device)?;
        }
        self.steps = state.steps;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::Device;
    use candle_nn::Optimizer;

    /// A loss with another gradient at every place.
    fn loss(x: &Var) -> Tensor {
        let wanted = Tensor::new(&[3_f32, -1e-4, 0.5, -20.0], &Device::Cpu).unwrap();
        (x.as_tensor() - wanted).unwrap().sqr().unwrap().sqr().unwrap().sum_all().unwrap()
    }

    fn start() -> Var {
        Var::new(&[1_f32, 0.0, -0.25, 7.0], &Device::Cpu).unwrap()
    }

    fn bits(x: &Var) -> Vec<u32> {
        x.to_vec1::<f32>().unwrap().into_iter().map(f32::to_bits).collect()
    }

    #[test]
    fn its_numbers_are_those_of_candle_nn_also_after_a_pause() {
        let theirs = start();
        let mut candle = candle_nn::AdamW::new(vec![theirs.clone()], candle_nn::ParamsAdamW::default()).unwrap();
        let named = |x: &Var| [("x".to_owned(), x.clone())];
        let (mut ours, mut state) = (start(), None);
        let mut adamw = AdamW::new(named(&ours)).unwrap();
        for step in 0..30 {
            let rate = 0.3 / (1.0 + f64::from(step));
            candle.set_learning_rate(rate);
            candle.backward_step(&loss(&theirs)).unwrap();
            if let Some(state) = state.take() {
                // As if the program had been started anew.
                ours = start();
                adamw = AdamW::new(named(&ours)).unwrap();
                assert!(adamw.fits(&state));
                adamw.go_on_from(&state).unwrap();
            }
            adamw.step(&loss(&ours).backward().unwrap(), rate).unwrap();
            assert_eq!(bits(&ours), bits(&theirs), "step {step}");
            if step % 7 == 3 {
                let written = serde_json::to_string(&adamw.state().unwrap()).unwrap();
                state = Some(serde_json::from_str(&written).unwrap());
            }
        }
    }

    #[test]
    fn the_state_of_other_variables_does_not_fit() {
        let adamw = AdamW::new([("x".to_owned(), start())]).unwrap();
        let other = |name: &str, n: usize| {
            let variable = Var::zeros(n, candle_core::DType::F32, &Device::Cpu).unwrap();
            AdamW::new([(name.to_owned(), variable)]).unwrap().state().unwrap()
        };
        assert!(adamw.fits(&other("x", 4)));
        assert!(!adamw.fits(&other("y", 4)) && !adamw.fits(&other("x", 5)));
    }
}
