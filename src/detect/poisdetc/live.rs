//! The shots of a stage that are still under way: their points, and Adam's state for them.

use super::BETAS;
use crate::tensor::{Adam, numbers};
use candle_core::{Device, Result, Tensor};
use serde::{Deserialize, Serialize};

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Live {
    /// Points in tanh space, `[rows, c, h, w]`.
    #[serde(with = "numbers")]
    pub(super) v: Tensor,
    /// Position of each row among all shots of the stage.
    pub(super) rows: Vec<usize>,
    /// Steps that were taken.
    pub(super) steps: usize,
    adam: Adam,
}

impl Live {
    pub(super) fn new(v: &Tensor, rate: f64) -> Result<Self> {
        Ok(Self { v: v.clone(), rows: (0..v.dim(0)?).collect(), steps: 0, adam: Adam::new(rate, BETAS) })
    }

    /// What is `of` each shot that is under way.
    pub(super) fn of<T: Copy + candle_core::WithDType>(&self, each: &[T]) -> Result<Tensor> {
        let own: Vec<T> = self.rows.iter().map(|&row| each[row]).collect();
        Tensor::new(own, self.v.device())
    }

    pub(super) fn step(&mut self, gradient: &Tensor) -> Result<()> {
        self.v = self.adam.step(&self.v, gradient)?;
        self.steps += 1;
        Ok(())
    }

    /// Keeps the shots at these positions.
    pub(super) fn keep(&mut self, stay: &[usize]) -> Result<()> {
        if stay.len() < self.rows.len() && !stay.is_empty() {
            let index: Vec<u32> = stay.iter().map(|&k| k as u32).collect();
            let index = Tensor::new(index, self.v.device())?;
            self.v = self.v.index_select(&index, 0)?;
            self.adam.keep_rows(&index)?;
        }
        self.rows = stay.iter().map(|&k| self.rows[k]).collect();
        Ok(())
    }

    /// Whether none is left, or so many steps were taken.
    pub(super) fn is_over(&self, steps: usize) -> bool {
        self.rows.is_empty() || self.steps >= steps
    }

    /// Whether this can be what is left of `shots` points `[c, h, w]`: one that was read from a file may be of others.
    pub(super) fn fits(&self, shots: usize, point: &[usize]) -> bool {
        // Once none is left their points stay as they are.
        let whole = self.v.dims().split_first().is_some_and(|(&n, rest)| n == self.rows.len() && rest == point)
            && self.adam.fits(&self.v)
            && self.rows.iter().all(|&row| row < shots);
        self.rows.is_empty() || whole
    }

    pub(super) fn on(self, device: &Device) -> Result<Self> {
        Ok(Self { v: self.v.to_device(device)?, adam: self.adam.on(device)?, ..self })
    }
}
