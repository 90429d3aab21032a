//! Operators of quantised models in QDQ form: whole steps of a scale, and back.

use super::{Call, Translate};
use crate::model::graph::{Op, ValueId};
use crate::model::onnx::messages::data_type;
use crate::model::onnx::stored;

pub(super) const TABLE: &[(&str, Translate)] = &[("DequantizeLinear", dequantize), ("QuantizeLinear", quantize)];

fn axis(call: &Call) -> Result<i64, String> {
    if call.integer("block_size", 0) != 0 {
        return Err("scales for blocks of numbers are not supported".into());
    }
    Ok(call.integer("axis", 1))
}

/// Scale and zero point: settings, not trained parameters.
fn settings(call: &mut Call) -> Result<[Option<ValueId>; 2], String> {
    let scale = call.setting(1)?.ok_or("input 2 is missing")?;
    Ok([Some(scale), call.setting(2)?])
}

/// The range is that of the kind of number that comes out: the zero point's.
fn quantize(call: &mut Call) -> Result<(), String> {
    let axis = axis(call)?;
    let kind = match call.stored_kind(2) {
        Some(kind) => kind,
        None if call.given(2) => return Err("its zero point is computed while the graph runs".into()),
        None => match call.integer("output_dtype", 0) as i32 {
            0 => data_type::UINT8,
            kind => kind,
        },
    };
    let (low, high) = match kind {
        data_type::UINT8 => (0.0, f32::from(u8::MAX)),
        data_type::INT8 => (f32::from(i8::MIN), f32::from(i8::MAX)),
        data_type::UINT16 => (0.0, f32::from(u16::MAX)),
        data_type::INT16 => (f32::from(i16::MIN), f32::from(i16::MAX)),
        other => return Err(format!("making {} of numbers is not supported", stored::name(other))),
    };
    let x = Some(call.input(0)?);
    let [scale, zero] = settings(call)?;
    call.finish(Op::Quantize { axis, low, high }, vec![x, scale, zero])
}

fn dequantize(call: &mut Call) -> Result<(), String> {
    let axis = axis(call)?;
    let x = Some(call.whole_numbers(0)?);
    let [scale, zero] = settings(call)?;
    call.finish(Op::Dequantize { axis }, vec![x, scale, zero])
}
