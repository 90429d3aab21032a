//! Adam (Kingma and Ba, arXiv 1412.6980) on one tensor whose rows are independent problems, so that
//! rows which are decided can leave while the others go on.

use super::storage;
use candle_core::{Device, Result, Tensor};

/// The state of the optimiser for one tensor.
#[derive(Debug, Clone, serde::Serialize, serde::Deserialize)]
pub struct Adam {
    rate: f64,
    betas: (f64, f64),
    steps: i32,
    #[serde(with = "super::numbers::pair")]
    moments: Option<(Tensor, Tensor)>,
}

/// Keeps the division finite where a gradient has always been zero.
const EPSILON: f64 = 1e-8;

impl Adam {
    /// With the step size `rate` and the decay of both moments (TensorFlow's and PyTorch's default
    /// is `(0.9, 0.999)`).
    pub fn new(rate: f64, betas: (f64, f64)) -> Self {
        Self { rate, betas, steps: 0, moments: None }
    }

    /// The parameter after one step against `gradient`, both of one shape; detached.
    ///
    /// # Errors
    /// Where the shapes differ.
    pub fn step(&mut self, parameter: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        let (b1, b2) = self.betas;
        let gradient = gradient.detach();
        self.steps += 1;
        if parameter.device().is_cpu() {
            return self.step_here(&parameter.detach().contiguous()?, &gradient.contiguous()?);
        }
        let (first, second) = match self.moments.take() {
            None => (gradient.affine(1.0 - b1, 0.0)?, gradient.sqr()?.affine(1.0 - b2, 0.0)?),
            Some((m, v)) => (
                (m.affine(b1, 0.0)? + gradient.affine(1.0 - b1, 0.0)?)?,
                (v.affine(b2, 0.0)? + gradient.sqr()?.affine(1.0 - b2, 0.0)?)?,
            ),
        };
        let rate = self.rate * (1.0 - b2.powi(self.steps)).sqrt() / (1.0 - b1.powi(self.steps));
        let step = (first.affine(rate, 0.0)? / second.sqrt()?.affine(1.0, EPSILON)?)?;
        self.moments = Some((first, second));
        parameter.detach() - step
    }

    /// The same in one pass over the numbers, on the processor.
    fn step_here(&mut self, parameter: &Tensor, gradient: &Tensor) -> Result<Tensor> {
        if parameter.dims() != gradient.dims() {
            candle_core::bail!("a gradient of shape {:?} for {:?}", gradient.dims(), parameter.dims());
        }
        let (b1, b2) = (self.betas.0 as f32, self.betas.1 as f32);
        let rate = self.rate * (1.0 - self.betas.1.powi(self.steps)).sqrt() / (1.0 - self.betas.0.powi(self.steps));
        let (rate, epsilon) = (rate as f32, EPSILON as f32);
        let (m, v) = match self.moments.take() {
            Some(moments) => moments,
            None => (gradient.zeros_like()?, gradient.zeros_like()?),
        };
        let new = storage::read2(parameter, gradient, |p, g| {
            storage::read2(&m, &v, |m, v| {
                let n = p.len();
                let (mut moved, mut first, mut second) = (vec![0.0; n], vec![0.0; n], vec![0.0; n]);
                let outs = moved.iter_mut().zip(&mut first).zip(&mut second);
                let ins = p.iter().zip(g).zip(m).zip(v);
                for (((moved, first), second), (((p, g), m), v)) in outs.zip(ins) {
                    *first = b1 * m + (1.0 - b1) * g;
                    *second = b2 * v + (1.0 - b2) * g * g;
                    *moved = p - rate * *first / (second.sqrt() + epsilon);
                }
                [moved, first, second]
            })
        })??;
        let [moved, first, second] = new.map(|values| Tensor::from_vec(values, parameter.shape(), parameter.device()));
        self.moments = Some((first?, second?));
        moved
    }

    /// Whether this can be the state for such a parameter: one that was read from a file may be of another.
    pub fn fits(&self, parameter: &Tensor) -> bool {
        let like = |t: &Tensor| t.dims() == parameter.dims();
        self.moments.as_ref().is_none_or(|(m, v)| like(m) && like(v))
    }

    /// The same state on `device`.
    ///
    /// # Errors
    /// Where the device cannot hold it.
    pub fn on(self, device: &Device) -> Result<Self> {
        let moved: Option<Result<_>> = self.moments.map(|(m, v)| Ok((m.to_device(device)?, v.to_device(device)?)));
        Ok(Self { moments: moved.transpose()?, ..self })
    }

    /// Keeps only these rows of its state, in this order (`u32` indices).
    ///
    /// # Errors
    /// Where an index is out of range.
    pub fn keep_rows(&mut self, rows: &Tensor) -> Result<()> {
        if let Some((m, v)) = self.moments.take() {
            self.moments = Some((m.index_select(rows, 0)?, v.index_select(rows, 0)?));
        }
        Ok(())
    }

    /// Forgets the moments, as after a jump of the parameter.
    pub fn reset(&mut self) {
        self.steps = 0;
        self.moments = None;
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn its_first_steps_are_those_of_the_paper() {
        // By hand: with a constant gradient g the bias-corrected step is rate * g/|g|.
        let mut adam = Adam::new(0.1, (0.9, 0.999));
        let g = Tensor::new(&[[2.0_f32], [-0.5]], &Device::Cpu).unwrap();
        let mut p = Tensor::new(&[[1.0_f32], [1.0]], &Device::Cpu).unwrap();
        for _ in 0..3 {
            p = adam.step(&p, &g).unwrap();
        }
        let p = p.to_vec2::<f32>().unwrap();
        assert!((p[0][0] - 0.7).abs() < 1e-4 && (p[1][0] - 1.3).abs() < 1e-4, "{p:?}");
    }

    #[test]
    fn rows_that_leave_do_not_disturb_those_that_stay() {
        let d = Device::Cpu;
        let g = Tensor::new(&[[2.0_f32], [-0.5], [0.1]], &d).unwrap();
        let rows = Tensor::new(&[0_u32, 2], &d).unwrap();
        let (mut whole, mut part) = (Adam::new(0.1, (0.9, 0.999)), Adam::new(0.1, (0.9, 0.999)));
        let zero = Tensor::zeros((3, 1), candle_core::DType::F32, &d).unwrap();
        let mut a = whole.step(&zero, &g).unwrap();
        let mut b = part.step(&zero, &g).unwrap().index_select(&rows, 0).unwrap();
        part.keep_rows(&rows).unwrap();
        a = whole.step(&a, &(&g * 3.0).unwrap()).unwrap();
        b = part.step(&b, &(&g * 3.0).unwrap().index_select(&rows, 0).unwrap()).unwrap();
        assert_eq!(a.index_select(&rows, 0).unwrap().to_vec2::<f32>().unwrap(), b.to_vec2::<f32>().unwrap());
    }
}
