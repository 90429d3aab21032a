//! A first look at the bytes of an ONNX file, before anything is decoded.
//!
//! Protobuf has no magic number: a file is taken for ONNX when its first field is one of a model's. Fields are
//! counted, since a few bytes in a file can become hundreds in memory. Never allocates.

/// The most fields with a length (messages, texts, blocks of numbers) a file may have; real models have thousands.
const MOST_FIELDS: usize = 1_000_000;

/// What was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::model) enum Look {
    /// A whole model, as far as the frame goes.
    Whole,
    /// A model's first fields, but `missing` bytes are not there.
    CutOff { missing: u64 },
    /// A model's first fields, then something else.
    Broken,
    /// More parts than any model has.
    TooManyFields,
    /// Something else.
    NotOnnx,
}

/// Messages whose inside is counted, too.
#[derive(Clone, Copy)]
enum Message {
    Model,
    Graph,
    Node,
    Attribute,
    Other,
}

enum Stop {
    CutOff(u64),
    Broken,
    TooManyFields,
}

/// Looks at the bytes of a file.
pub(in crate::model) fn look(bytes: &[u8]) -> Look {
    let mut rest = bytes;
    let model_field = varint(&mut rest).is_some_and(|key| {
        let (field, wire) = (key >> 3, key & 7);
        matches!((field, wire), (1 | 5, 0) | (2 | 3 | 4 | 6 | 7 | 8 | 14 | 20 | 25 | 26, 2))
    });
    if !model_field {
        return Look::NotOnnx;
    }
    let mut fields = 0;
    match walk(bytes, Message::Model, &mut fields) {
        Ok(true) => Look::Whole,
        Ok(false) => Look::NotOnnx,
        Err(Stop::CutOff(missing)) => Look::CutOff { missing },
        Err(Stop::Broken) => Look::Broken,
        Err(Stop::TooManyFields) => Look::TooManyFields,
    }
}

/// The number at the start of `bytes`, which then begin behind it.
pub(super) fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

/// Walks over one message; true where a graph was among its fields.
fn walk(bytes: &[u8], message: Message, fields: &mut usize) -> Result<bool, Stop> {
    let mut rest = bytes;
    let mut graph = false;
    while !rest.is_empty() {
        let short = if rest.len() < 10 { Stop::CutOff(1) } else { Stop::Broken };
        let Some(key) = varint(&mut rest) else { return Err(short) };
        let length = match key & 7 {
            0 => match varint(&mut rest) {
                Some(_) => 0,
                None => return Err(short),
            },
            1 => 8,
            5 => 4,
            2 => {
                *fields += 1;
                if *fields > MOST_FIELDS {
                    return Err(Stop::TooManyFields);
                }
                varint(&mut rest).ok_or(short)?
            }
            _ => return Err(Stop::Broken),
        };
        let available = rest.len() as u64;
        if length > available {
            return Err(Stop::CutOff(length - available));
        }
        let (inside, after) = rest.split_at(length as usize);
        rest = after;
        if key & 7 == 2 {
            let part = match (message, key >> 3) {
                (Message::Model, 7) => {
                    graph = true;
                    Message::Graph
                }
                (Message::Graph, 1) => Message::Node,
                (Message::Graph, 5 | 11 | 12) => Message::Other,
                (Message::Node, 5) => Message::Attribute,
                (Message::Attribute, 5) => Message::Other,
                _ => continue,
            };
            match part {
                // Tensors and declarations: their own fields are counted, not looked into.
                Message::Other => count(inside, fields)?,
                part => {
                    walk(inside, part, fields)?;
                }
            }
        }
    }
    Ok(graph)
}

fn count(bytes: &[u8], fields: &mut usize) -> Result<(), Stop> {
    walk(bytes, Message::Other, fields).map(|_| ())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_is_told_from_other_files_and_from_half_a_model() {
        // ir_version 7, then a graph of two bytes: an empty node.
        let model = [0x08, 7, 0x3a, 2, 0x0a, 0];
        assert_eq!(look(&model), Look::Whole);
        assert_eq!(look(&model[..4]), Look::CutOff { missing: 2 });
        assert_eq!(look(&[0x08, 7, 0x3a, 2, 0x0b, 0]), Look::Broken);
        assert_eq!(look(b"hello, world"), Look::NotOnnx);
        assert_eq!(look(&[0x89, b'P', b'N', b'G']), Look::NotOnnx);
        assert_eq!(look(&[]), Look::NotOnnx);
        assert_eq!(look(&[0x08, 7]), Look::NotOnnx);
    }

    #[test]
    fn a_flood_of_empty_parts_is_refused_before_it_is_decoded() {
        let nodes = 2_000_000_usize;
        let mut flood = vec![0x3a];
        let mut length = nodes * 2;
        while length >= 0x80 {
            flood.push((length & 0x7f) as u8 | 0x80);
            length >>= 7;
        }
        flood.push(length as u8);
        flood.extend([0x0a, 0].repeat(nodes));
        assert_eq!(look(&flood), Look::TooManyFields);
    }
}
