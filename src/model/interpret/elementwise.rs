//! Operations of one or two values, element by element, each with the gradient PyTorch gives.

use super::value::{Operands, checked_size};
use crate::model::graph::{Binary, Unary};
use crate::tensor::with_gradient;
use crate::tensor::{add_columns, are_columns, elu, erf, gelu, relu, scale_columns};
use candle_core::{DType, Result, Tensor};

/// `function` of every element.
pub(super) fn unary(function: &Unary, x: &Tensor) -> Result<Tensor> {
    match *function {
        Unary::Relu => relu(x),
        Unary::LeakyRelu(slope) => x.detach().gt(0.0)?.where_cond(x, &(x * f64::from(slope))?),
        Unary::Elu(alpha) => elu(x, alpha),
        Unary::Selu { alpha, gamma } => elu(x, alpha)? * f64::from(gamma),
        Unary::Celu(alpha) => elu(&(x / f64::from(alpha))?, 1.0)? * f64::from(alpha),
        Unary::Sigmoid => sigmoid(x),
        Unary::HardSigmoid { alpha, beta } => clip(&x.affine(f64::from(alpha), f64::from(beta))?, 0.0, 1.0),
        Unary::HardSwish => x * clip(&x.affine(1.0 / 6.0, 0.5)?, 0.0, 1.0)?,
        Unary::Silu => x * sigmoid(x)?,
        Unary::Mish => x * softplus(x)?.tanh()?,
        Unary::Softplus => softplus(x),
        Unary::Softsign => x / (abs(x)? + 1.0)?,
        Unary::Tanh => x.tanh(),
        Unary::Erf => erf(x),
        Unary::Gelu { tanh: true } => x.gelu(),
        Unary::Gelu { tanh: false } => gelu(x, std::f32::consts::FRAC_1_SQRT_2),
        Unary::Exp => x.exp(),
        Unary::Log => x.log(),
        Unary::Sqrt => x.sqrt(),
        Unary::Reciprocal => x.recip(),
        Unary::Neg => x.neg(),
        Unary::Abs => abs(x),
        Unary::Floor => x.detach().floor(),
        Unary::Ceil => x.detach().ceil(),
        Unary::Round => round(&x.detach()),
        Unary::Sign => x.detach().sign(),
        Unary::Sin => x.sin(),
        Unary::Cos => x.cos(),
        Unary::Clip { min, max } => clip(x, min, max),
    }
}

/// 1 / (1 + exp(-x)).
fn sigmoid(x: &Tensor) -> Result<Tensor> {
    let y = (x.detach().neg()?.exp()? + 1.0)?.recip()?;
    let kept = y.clone();
    with_gradient(x, y, move |gradient| gradient.mul(&kept.mul(&kept.affine(-1.0, 1.0)?)?))
}

/// log(1 + exp(x)), without overflow.
fn softplus(x: &Tensor) -> Result<Tensor> {
    let x0 = x.detach();
    let value = (x0.relu()? + (x0.abs()?.neg()?.exp()? + 1.0)?.log()?)?;
    with_gradient(x, value, move |gradient| gradient.mul(&sigmoid(&x0)?))
}

/// |x|; the gradient at exactly 0 is 0 (candle: 1).
fn abs(x: &Tensor) -> Result<Tensor> {
    let x0 = x.detach();
    with_gradient(x, x0.abs()?, move |gradient| gradient.mul(&x0.sign()?))
}

/// Values held between two bounds; outside of them and on them no gradient passes, so that
/// clipping at 0 is flat there as ReLU is.
pub(super) fn clip(x: &Tensor, min: f32, max: f32) -> Result<Tensor> {
    let x0 = x.detach();
    let (low, high) = (min.max(f32::MIN), max.min(f32::MAX));
    let value = x0.clamp(low, high)?;
    with_gradient(x, value, move |gradient| {
        let inside = x0.gt(low)?.mul(&x0.lt(high)?)?;
        gradient.mul(&inside.to_dtype(DType::F32)?)
    })
}

/// To the nearest whole number, halves to the even one.
pub(super) fn round(x: &Tensor) -> Result<Tensor> {
    let values: Vec<f32> = x.flatten_all()?.to_vec1::<f32>()?.into_iter().map(f32::round_ties_even).collect();
    Tensor::from_vec(values, x.shape(), x.device())
}

/// x where positive, `slope` times x elsewhere; the slope is spread over the picture.
pub(super) fn prelu(x: &Tensor, slope: &Tensor) -> Result<Tensor> {
    x.detach().gt(0.0)?.where_cond(x, &x.broadcast_mul(slope)?)
}

/// `function` of two values spread to a common shape.
pub(super) fn binary(function: Binary, operands: &Operands) -> Result<Tensor> {
    let (a, b) = (operands.tensor(0)?, operands.tensor(1)?);
    let shape = a.shape().broadcast_shape_binary_op(b.shape(), "elementwise")?;
    checked_size(shape.dims())?;
    let fits = |x: &Tensor| x.dims() == shape.dims();
    // Fixed numbers get no gradient; candle would compute it all the same.
    let (left_only, right_only) = (a.track_op() && !b.track_op(), b.track_op() && !a.track_op());
    match function {
        Binary::Add if are_columns(&a, &b) => add_columns(&a, &b),
        Binary::Add if are_columns(&b, &a) => add_columns(&b, &a),
        Binary::Mul if are_columns(&a, &b) => scale_columns(&a, &b),
        Binary::Mul if are_columns(&b, &a) => scale_columns(&b, &a),
        Binary::Add if left_only && fits(&a) => with_gradient(&a, a.detach().broadcast_add(&b)?, |g| Ok(g.clone())),
        Binary::Add if right_only && fits(&b) => with_gradient(&b, a.broadcast_add(&b.detach())?, |g| Ok(g.clone())),
        Binary::Add => a.broadcast_add(&b),
        Binary::Sub if left_only && fits(&a) => with_gradient(&a, a.detach().broadcast_sub(&b)?, |g| Ok(g.clone())),
        Binary::Sub => a.broadcast_sub(&b),
        Binary::Mul if left_only && fits(&a) => {
            with_gradient(&a, a.detach().broadcast_mul(&b)?, move |g| g.broadcast_mul(&b))
        }
        Binary::Mul if right_only && fits(&b) => {
            with_gradient(&b, a.broadcast_mul(&b.detach())?, move |g| g.broadcast_mul(&a))
        }
        Binary::Mul => a.broadcast_mul(&b),
        Binary::Div if left_only && fits(&a) => {
            with_gradient(&a, a.detach().broadcast_div(&b)?, move |g| g.broadcast_div(&b))
        }
        Binary::Div => a.broadcast_div(&b),
        Binary::Pow => match operands.number(1)? {
            Some(exponent) => power(&a, exponent),
            None => a.broadcast_pow(&b),
        },
        Binary::Min => a.broadcast_minimum(&b),
        Binary::Max => a.broadcast_maximum(&b),
        Binary::Mod { truncated } => {
            // Along x the slope is 1; where it jumps PyTorch passes 1, too. The divisor's is left out.
            let (a0, b) = (a.detach(), b.detach());
            let quotient = a0.broadcast_div(&b)?;
            let whole = if truncated { quotient.abs()?.floor()?.mul(&quotient.sign()?)? } else { quotient.floor()? };
            let value = a0.broadcast_sub(&whole.broadcast_mul(&b)?)?;
            if fits(&a) { with_gradient(&a, value, |g| Ok(g.clone())) } else { Ok(value) }
        }
        Binary::Equal => a.detach().broadcast_eq(&b.detach())?.to_dtype(DType::F32),
        Binary::Less => a.detach().broadcast_lt(&b.detach())?.to_dtype(DType::F32),
        Binary::Greater => a.detach().broadcast_gt(&b.detach())?.to_dtype(DType::F32),
    }
}

fn power(x: &Tensor, exponent: f64) -> Result<Tensor> {
    if exponent == 1.0 {
        Ok(x.clone())
    } else if exponent == 2.0 {
        x.sqr()
    } else if exponent == 0.5 {
        x.sqrt()
    } else {
        x.powf(exponent)
    }
}
