//! Normalisations, and attention.

use super::arithmetic::simple;
use super::{Call, Translate};
use crate::model::graph::{Op, ValueId};

pub(super) const TABLE: &[(&str, Translate)] = &[
    ("Attention", attention),
    ("BatchNormalization", batch_normalization),
    ("GroupNormalization", |c| {
        let groups = usize::try_from(c.integer("num_groups", 0)).map_err(|_| "its number of groups makes no sense")?;
        simple(c, Op::GroupNorm { groups, epsilon: c.float("epsilon", 1e-5) }, 3)
    }),
    ("InstanceNormalization", |c| simple(c, Op::InstanceNorm { epsilon: c.float("epsilon", 1e-5) }, 3)),
    ("LRN", local_response_normalization),
    ("LayerNormalization", layer_normalization),
    ("RMSNormalization", |c| {
        let op = Op::RmsNorm { axis: c.integer("axis", -1), epsilon: c.float("epsilon", 1e-5) };
        simple(c, op, 2)
    }),
];

/// Old versions have more outputs, which only training reads.
fn batch_normalization(call: &mut Call) -> Result<(), String> {
    let trains = call.opset >= 14 && call.integer("training_mode", 0) != 0;
    if trains || (call.opset < 7 && call.integer("is_test", 0) == 0 && call.node.output.len() > 1) {
        return Err("it was exported in training mode; export the model after `model.eval()`".into());
    }
    simple(call, Op::BatchNorm { epsilon: call.float("epsilon", 1e-5) }, 5)
}

fn layer_normalization(call: &mut Call) -> Result<(), String> {
    let inputs: Vec<Option<ValueId>> = vec![Some(call.input(0)?), Some(call.input(1)?), call.optional(2)?];
    let op = Op::LayerNorm { axis: call.integer("axis", -1), epsilon: call.float("epsilon", 1e-5) };
    call.finish(op, inputs)
}

fn local_response_normalization(call: &mut Call) -> Result<(), String> {
    let size = usize::try_from(call.integer("size", 0)).ok().filter(|&s| s > 0);
    let op = Op::LocalResponseNorm {
        size: size.ok_or("its window has no size")?,
        alpha: call.float("alpha", 1e-4),
        beta: call.float("beta", 0.75),
        bias: call.float("bias", 1.0),
    };
    simple(call, op, 1)
}

/// Heads that lie side by side in one axis, each on its own: `[n, length, heads * size]` to `[n, heads, length, size]`.
fn heads(call: &mut Call, x: ValueId, count: i64) -> Result<ValueId, String> {
    let shape = call.list(vec![0, 0, count, -1])?;
    let apart = call.emit(Op::Reshape { allow_zero: false }, vec![Some(x), Some(shape)]);
    Ok(call.emit(Op::Transpose { permutation: vec![0, 2, 1, 3] }, vec![Some(apart)]))
}

fn attention(call: &mut Call) -> Result<(), String> {
    if call.float("softcap", 0.0) != 0.0 || call.given(4) || call.given(5) || call.node.output.len() > 1 {
        return Err("with a cap or with keys of an earlier call it is not supported".into());
    }
    let scale = call.attribute("scale").and_then(|a| a.f);
    let op = Op::Attention { scale, causal: call.integer("is_causal", 0) != 0 };
    let mut inputs = vec![call.input(0)?, call.input(1)?, call.input(2)?];
    let mask = call.optional(3)?;
    let of_query = call.integer("q_num_heads", 0);
    if of_query > 0 {
        for (i, input) in inputs.iter_mut().enumerate() {
            let count = if i == 0 { of_query } else { call.integer("kv_num_heads", of_query) };
            *input = heads(call, *input, count)?;
        }
    }
    let inputs: Vec<Option<ValueId>> = inputs.into_iter().map(Some).chain([mask]).collect();
    if of_query <= 0 {
        return call.finish(op, inputs);
    }
    let apart = call.emit(op, inputs);
    let turned = call.emit(Op::Transpose { permutation: vec![0, 2, 1, 3] }, vec![Some(apart)]);
    let shape = call.list(vec![0, 0, -1])?;
    call.finish(Op::Reshape { allow_zero: false }, vec![Some(turned), Some(shape)])
}
