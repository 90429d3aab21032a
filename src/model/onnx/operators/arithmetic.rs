//! Operators that work element by element.

use super::{Call, Translate};
use crate::model::graph::{Binary, Op, Unary, ValueId};
use crate::model::onnx::messages::data_type;

pub(super) const TABLE: &[(&str, Translate)] = &[
    ("Abs", |c| unary(c, Unary::Abs)),
    ("Add", |c| binary(c, Binary::Add)),
    ("And", |c| binary(c, Binary::Mul)),
    ("Cast", cast),
    ("CastLike", pass_through),
    ("Ceil", |c| unary(c, Unary::Ceil)),
    ("Celu", |c| unary(c, Unary::Celu(c.float("alpha", 1.0)))),
    ("Clip", clip),
    ("Cos", |c| unary(c, Unary::Cos)),
    ("Div", |c| binary(c, Binary::Div)),
    ("Cosh", |c| halved_exponentials(c, Binary::Add)),
    ("Dropout", dropout),
    ("Elu", |c| unary(c, Unary::Elu(c.float("alpha", 1.0)))),
    ("Equal", |c| binary(c, Binary::Equal)),
    ("Erf", |c| unary(c, Unary::Erf)),
    ("Exp", |c| unary(c, Unary::Exp)),
    ("Floor", |c| unary(c, Unary::Floor)),
    ("Gelu", |c| unary(c, Unary::Gelu { tanh: c.text("approximate", "none") == "tanh" })),
    ("Greater", |c| binary(c, Binary::Greater)),
    ("GreaterOrEqual", |c| negated(c, Binary::Less)),
    ("HardSigmoid", |c| unary(c, Unary::HardSigmoid { alpha: c.float("alpha", 0.2), beta: c.float("beta", 0.5) })),
    ("HardSwish", |c| unary(c, Unary::HardSwish)),
    ("Identity", pass_through),
    ("LeakyRelu", |c| unary(c, Unary::LeakyRelu(c.float("alpha", 0.01)))),
    ("Less", |c| binary(c, Binary::Less)),
    ("LessOrEqual", |c| negated(c, Binary::Greater)),
    ("Log", |c| unary(c, Unary::Log)),
    ("Max", |c| fold(c, Binary::Max)),
    ("Mean", mean),
    ("Min", |c| fold(c, Binary::Min)),
    ("Mod", |c| binary(c, Binary::Mod { truncated: c.integer("fmod", 0) != 0 })),
    ("Mish", |c| unary(c, Unary::Mish)),
    ("Mul", |c| binary(c, Binary::Mul)),
    ("Neg", |c| unary(c, Unary::Neg)),
    ("Not", not),
    ("Or", |c| binary(c, Binary::Max)),
    ("PRelu", |c| simple(c, Op::PRelu, 2)),
    ("Pow", |c| {
        let (base, exponent) = (c.input(0)?, c.setting(1)?);
        c.finish(Op::Binary(Binary::Pow), vec![Some(base), exponent])
    }),
    ("Reciprocal", |c| unary(c, Unary::Reciprocal)),
    ("Relu", |c| unary(c, Unary::Relu)),
    ("Round", |c| unary(c, Unary::Round)),
    ("Selu", |c| {
        let (alpha, gamma) = (c.float("alpha", 1.673_263_2), c.float("gamma", 1.050_701));
        unary(c, Unary::Selu { alpha, gamma })
    }),
    ("Sigmoid", |c| unary(c, Unary::Sigmoid)),
    ("Sign", |c| unary(c, Unary::Sign)),
    ("Sin", |c| unary(c, Unary::Sin)),
    ("Sinh", |c| halved_exponentials(c, Binary::Sub)),
    ("Softplus", |c| unary(c, Unary::Softplus)),
    ("Softsign", |c| unary(c, Unary::Softsign)),
    ("Sqrt", |c| unary(c, Unary::Sqrt)),
    ("Sub", |c| binary(c, Binary::Sub)),
    ("Sum", |c| fold(c, Binary::Add)),
    ("Swish", swish),
    ("Tan", |c| {
        let x = c.input(0)?;
        let (sine, cosine) =
            (c.emit(Op::Unary(Unary::Sin), vec![Some(x)]), c.emit(Op::Unary(Unary::Cos), vec![Some(x)]));
        c.finish(Op::Binary(Binary::Div), vec![Some(sine), Some(cosine)])
    }),
    ("Tanh", |c| unary(c, Unary::Tanh)),
    ("ThresholdedRelu", thresholded),
    ("Where", |c| simple(c, Op::Where, 3)),
    ("Xor", |c| negated(c, Binary::Equal)),
];

/// An operator that takes its inputs as ours does.
pub(super) fn simple(call: &mut Call, op: Op, inputs: usize) -> Result<(), String> {
    let inputs = (0..inputs).map(|i| call.input(i).map(Some)).collect::<Result<_, _>>()?;
    call.finish(op, inputs)
}

fn unary(call: &mut Call, function: Unary) -> Result<(), String> {
    simple(call, Op::Unary(function), 1)
}

fn binary(call: &mut Call, function: Binary) -> Result<(), String> {
    if call.opset < 7 && call.integer("broadcast", 0) != 0 && call.attribute("axis").is_some() {
        return Err("its old form of broadcasting along an axis is not supported".into());
    }
    simple(call, Op::Binary(function), 2)
}

fn pass_through(call: &mut Call) -> Result<(), String> {
    simple(call, Op::Identity, 1)
}

fn dropout(call: &mut Call) -> Result<(), String> {
    if call.stored(2)?.and_then(|s| s.number()).is_some_and(|training| training != 0.0) {
        return Err("it was exported in training mode; export the model after `model.eval()`".into());
    }
    pass_through(call)
}

/// `(exp(x) ± exp(-x)) / 2`
fn halved_exponentials(call: &mut Call, how: Binary) -> Result<(), String> {
    let x = call.input(0)?;
    let minus = call.emit(Op::Unary(Unary::Neg), vec![Some(x)]);
    let exponentials = [x, minus].map(|x| Some(call.emit(Op::Unary(Unary::Exp), vec![Some(x)])));
    let both = call.emit(Op::Binary(how), exponentials.to_vec());
    let half = call.scalar(0.5)?;
    call.finish(Op::Binary(Binary::Mul), vec![Some(both), Some(half)])
}

/// `x * sigmoid(alpha * x)`
fn swish(call: &mut Call) -> Result<(), String> {
    let (x, alpha) = (call.input(0)?, call.float("alpha", 1.0));
    if alpha == 1.0 {
        return unary(call, Unary::Silu);
    }
    let alpha = call.scalar(alpha)?;
    let steep = call.emit(Op::Binary(Binary::Mul), vec![Some(x), Some(alpha)]);
    let share = call.emit(Op::Unary(Unary::Sigmoid), vec![Some(steep)]);
    call.finish(Op::Binary(Binary::Mul), vec![Some(x), Some(share)])
}

/// x where it is above a threshold, 0 elsewhere.
fn thresholded(call: &mut Call) -> Result<(), String> {
    let x = call.input(0)?;
    let threshold = call.scalar(call.float("alpha", 1.0))?;
    let above = call.emit(Op::Binary(Binary::Greater), vec![Some(x), Some(threshold)]);
    call.finish(Op::Binary(Binary::Mul), vec![Some(x), Some(above)])
}

/// `function` over any number of inputs.
fn chain(call: &mut Call, function: Binary) -> Result<ValueId, String> {
    let mut sum = call.input(0)?;
    for i in 1..call.node.input.len() {
        let next = call.input(i)?;
        sum = call.emit(Op::Binary(function), vec![Some(sum), Some(next)]);
    }
    Ok(sum)
}

fn fold(call: &mut Call, function: Binary) -> Result<(), String> {
    let all = chain(call, function)?;
    call.finish(Op::Identity, vec![Some(all)])
}

fn mean(call: &mut Call) -> Result<(), String> {
    let sum = chain(call, Binary::Add)?;
    let share = call.scalar(1.0 / call.node.input.len() as f32)?;
    call.finish(Op::Binary(Binary::Mul), vec![Some(sum), Some(share)])
}

fn not(call: &mut Call) -> Result<(), String> {
    let x = call.input(0)?;
    let zero = call.list(vec![0])?;
    call.finish(Op::Binary(Binary::Equal), vec![Some(x), Some(zero)])
}

fn negated(call: &mut Call, function: Binary) -> Result<(), String> {
    let (a, b) = (call.input(0)?, call.input(1)?);
    let holds = call.emit(Op::Binary(function), vec![Some(a), Some(b)]);
    let zero = call.list(vec![0])?;
    call.finish(Op::Binary(Binary::Equal), vec![Some(holds), Some(zero)])
}

/// Bounds are attributes before version 11 of the operator set, inputs since.
fn clip(call: &mut Call) -> Result<(), String> {
    let x = call.input(0)?;
    let (mut min, mut max) = (call.float("min", f32::NEG_INFINITY), call.float("max", f32::INFINITY));
    let mut computed = [None, None];
    for (i, bound) in [&mut min, &mut max].into_iter().enumerate() {
        if !call.given(i + 1) {
            continue;
        }
        match call.stored(i + 1)? {
            Some(stored) => *bound = stored.number().ok_or("its bounds are not single numbers")? as f32,
            None => computed[i] = call.optional(i + 1)?,
        }
    }
    if min.is_nan() || max.is_nan() || min > max {
        return Err(format!("its bounds {min} and {max} make no sense"));
    }
    let mut x = x;
    for (bound, function) in computed.into_iter().zip([Binary::Max, Binary::Min]) {
        if bound.is_some() {
            x = call.emit(Op::Binary(function), vec![Some(x), bound]);
        }
    }
    call.finish(Op::Unary(Unary::Clip { min, max }), vec![Some(x)])
}

fn cast(call: &mut Call) -> Result<(), String> {
    let to = call.integer("to", 1) as i32;
    let real = [data_type::FLOAT, data_type::DOUBLE, data_type::FLOAT16, data_type::BFLOAT16];
    if to == data_type::STRING {
        return Err("it makes texts of numbers".into());
    }
    if to == data_type::BOOL {
        // Everything but 0 is true, 0.5 too.
        let x = call.input(0)?;
        let zero = call.list(vec![0])?;
        let is_zero = call.emit(Op::Binary(Binary::Equal), vec![Some(x), Some(zero)]);
        let zero = call.list(vec![0])?;
        return call.finish(Op::Binary(Binary::Equal), vec![Some(is_zero), Some(zero)]);
    }
    simple(call, Op::Cast { to_integer: !real.contains(&to) }, 1)
}
