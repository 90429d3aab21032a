//! Pictures brought to another size inside the computation, with gradients.

use candle_core::{Device, Result, Tensor};

/// `[n, c, h, w]` to `[n, c, size[0], size[1]]` with a triangle filter: bilinear when it enlarges,
/// averaging over the shrunk area when it reduces, so that nothing is skipped.
///
/// # Errors
/// Where the tensor has another number of axes.
pub fn resize(x: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let (n, c, h, w) = x.dims4()?;
    if [h, w] == size {
        return Ok(x.clone());
    }
    let down = weights(h, size[0], x.device())?; // [h', h]
    let across = weights(w, size[1], x.device())?.t()?; // [w, w']
    let rows = x.contiguous()?.reshape((n * c * h, w))?.matmul(&across.contiguous()?)?;
    let planes = rows.reshape((n * c, h, size[1]))?;
    down.unsqueeze(0)?
        .broadcast_as((n * c, size[0], h))?
        .contiguous()?
        .matmul(&planes)?
        .reshape((n, c, size[0], size[1]))
}

/// `[to, from]`: how much each old cell gives to each new one; rows sum to 1.
fn weights(from: usize, to: usize, device: &Device) -> Result<Tensor> {
    let scale = from as f32 / to as f32;
    let reach = scale.max(1.0);
    let mut table = vec![0.0_f32; from * to];
    for (i, row) in table.chunks_mut(from.max(1)).enumerate() {
        let centre = (i as f32 + 0.5) * scale - 0.5;
        for (k, cell) in row.iter_mut().enumerate() {
            *cell = (1.0 - (k as f32 - centre).abs() / reach).max(0.0);
        }
        let sum: f32 = row.iter().sum();
        row.iter_mut().for_each(|cell| *cell /= sum.max(f32::EPSILON));
    }
    Tensor::from_vec(table, (to, from), device)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use candle_core::Var;

    #[test]
    fn a_ramp_stays_a_ramp_and_a_constant_a_constant() {
        let ramp: Vec<f32> = (0..8).map(|i| i as f32).collect();
        let x = Tensor::from_vec(ramp.repeat(6), (1, 1, 6, 8), &Device::Cpu).unwrap();
        let small = resize(&x, [3, 4]).unwrap().get(0).unwrap().get(0).unwrap().to_vec2::<f32>().unwrap();
        for row in &small {
            assert!((row[1] - 2.5).abs() < 1e-5 && (row[2] - 4.5).abs() < 1e-5, "{row:?}");
        }
        let ones = Tensor::ones((2, 3, 5, 7), candle_core::DType::F32, &Device::Cpu).unwrap();
        let large = resize(&ones, [11, 13]).unwrap().flatten_all().unwrap().to_vec1::<f32>().unwrap();
        assert!(large.iter().all(|v| (v - 1.0).abs() < 1e-5));
    }

    #[test]
    fn the_gradient_of_the_sum_is_what_each_cell_gave() {
        let x = Var::ones((1, 1, 4, 4), candle_core::DType::F32, &Device::Cpu).unwrap();
        let g = resize(&x, [2, 2]).unwrap().sum_all().unwrap().backward().unwrap();
        let g = g.get(&x).unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
        assert!((g - 4.0).abs() < 1e-5, "four outputs of weight one each: {g}");
    }
}
