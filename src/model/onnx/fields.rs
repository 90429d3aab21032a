//! The fields of a protobuf message as places in the bytes of a file.
//!
//! In: the bytes and the range of one message. Out: where each of its fields starts, and where its value lies. Nothing
//! is decoded or copied, so that a change can be made in place and everything else stays as it is, fields that no
//! version of the format knows included.

use std::ops::Range;

/// Kinds of field, by the last three bits of their key.
pub(super) mod wire {
    /// A whole number, seven bits a byte.
    pub(in crate::model::onnx) const VARINT: u8 = 0;
    /// Eight bytes.
    pub(in crate::model::onnx) const EIGHT: u8 = 1;
    /// A length and as many bytes.
    pub(in crate::model::onnx) const LENGTH: u8 = 2;
    /// Four bytes.
    pub(in crate::model::onnx) const FOUR: u8 = 5;
}

/// One field of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    /// Its number in the format's description.
    pub number: u64,
    /// One of [`wire`].
    pub wire: u8,
    /// Where its length stands; empty where it has none.
    pub length: Range<usize>,
    /// Where its value stands; the field ends with it.
    pub value: Range<usize>,
}

/// The fields of the message that takes up `message` in `file`, in the order of the file; `None` where the bytes are
/// no message.
pub(super) fn fields(file: &[u8], message: Range<usize>) -> Option<Vec<Field>> {
    let mut found = Vec::new();
    let mut position = message.start;
    while position < message.end {
        let key = varint(file, &mut position, message.end)?;
        let wire = (key & 7) as u8;
        let mut length = position..position;
        let size = match wire {
            wire::VARINT => {
                let mut end = position;
                varint(file, &mut end, message.end)?;
                end - position
            }
            wire::EIGHT => 8,
            wire::FOUR => 4,
            wire::LENGTH => {
                let size = varint(file, &mut position, message.end)?;
                length.end = position;
                usize::try_from(size).ok()?
            }
            _ => return None,
        };
        let end = position.checked_add(size).filter(|&end| end <= message.end)?;
        found.push(Field { number: key >> 3, wire, length, value: position..end });
        position = end;
    }
    Some(found)
}

/// The number at `position`, which is moved behind it.
pub(super) fn varint(file: &[u8], position: &mut usize, end: usize) -> Option<u64> {
    let mut rest = file.get(*position..end)?;
    let value = super::wire::varint(&mut rest)?;
    *position = end - rest.len();
    Some(value)
}

/// The shortest bytes of a number.
pub(super) fn put_varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_kind_of_field_is_found_with_its_place() {
        let bytes = [0x08, 0x96, 0x01, 0x12, 2, 7, 8, 0x1d, 1, 2, 3, 4, 0x21, 1, 2, 3, 4, 5, 6, 7, 8];
        let found = fields(&bytes, 0..bytes.len()).unwrap();
        let values: Vec<_> = found.iter().map(|f| (f.number, f.wire, f.value.clone())).collect();
        assert_eq!(values, [(1, 0, 1..3), (2, 2, 5..7), (3, 5, 8..12), (4, 1, 13..21)]);
        assert_eq!(found[1].length, 4..5);
    }

    #[test]
    fn what_is_no_message_is_refused() {
        for bad in [&[0x12, 9, 1][..], &[0x0b, 0], &[0x08], &[0x08, 0x80], &[0x1d, 1, 2, 3]] {
            assert_eq!(fields(bad, 0..bad.len()), None, "{bad:?}");
        }
        // A field may not reach beyond its own message, though the file goes on.
        assert_eq!(fields(&[0x12, 3, 1, 2, 3], 0..4), None);
    }

    #[test]
    fn numbers_are_written_as_they_are_read() {
        for value in [0, 1, 127, 128, 300, u64::from(u32::MAX), u64::MAX] {
            let mut bytes = Vec::new();
            put_varint(value, &mut bytes);
            assert_eq!(varint(&bytes, &mut 0, bytes.len()), Some(value));
        }
    }
}
