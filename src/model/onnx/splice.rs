//! Replaces single places in a protobuf file and copies everything else.
//!
//! In: the bytes of a file and the places to change, each with the messages around it. Out: the new bytes. Where a
//! change makes a message longer or shorter, the lengths written in front of it and of all messages around it are
//! written anew; every other byte stays as it is.

use super::fields::{Field, put_varint};
use std::collections::BTreeMap;
use std::ops::Range;

/// One message (or text, or block of numbers) that has its length in front.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Frame {
    length: Range<usize>,
    value: Range<usize>,
}

/// A place in a file, and the messages it lies in, outermost first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    frames: Vec<Frame>,
    /// The bytes meant.
    pub at: Range<usize>,
}

impl Place {
    /// A whole file.
    pub fn whole(file: &[u8]) -> Self {
        Self { frames: Vec::new(), at: 0..file.len() }
    }

    /// The value of a field of the message at this place.
    pub fn value(&self, field: &Field) -> Self {
        let mut frames = self.frames.clone();
        if !field.length.is_empty() {
            frames.push(Frame { length: field.length.clone(), value: field.value.clone() });
        }
        Self { frames, at: field.value.clone() }
    }

    /// Between two fields of the message at this place, where `position` is.
    pub fn between(&self, position: usize) -> Self {
        Self { frames: self.frames.clone(), at: position..position }
    }
}

/// Changes of one file.
#[derive(Debug, Default)]
pub(super) struct Edits {
    pieces: Vec<(Range<usize>, Vec<u8>)>,
    /// By the start of its value: a message, those around it, and by how much its inside grows.
    frames: BTreeMap<usize, (Frame, Vec<usize>, isize)>,
}

impl Edits {
    /// Puts `bytes` where `place` is.
    pub fn replace(&mut self, place: &Place, bytes: Vec<u8>) {
        let growth = bytes.len() as isize - place.at.len() as isize;
        self.pieces.push((place.at.clone(), bytes));
        if growth == 0 {
            return;
        }
        for (depth, frame) in place.frames.iter().enumerate() {
            let around = || place.frames[..depth].iter().map(|f| f.value.start).collect();
            self.frames.entry(frame.value.start).or_insert_with(|| (frame.clone(), around(), 0)).2 += growth;
        }
    }

    /// The file with all changes. Places must not overlap.
    pub fn apply(mut self, file: &[u8]) -> Vec<u8> {
        // Innermost first: a length that takes more bytes makes the messages around it longer.
        while let Some((_, (frame, around, growth))) = self.frames.pop_last() {
            let mut length = Vec::new();
            put_varint((frame.value.len() as isize + growth) as u64, &mut length);
            let wider = length.len() as isize - frame.length.len() as isize;
            self.pieces.push((frame.length, length));
            for start in around {
                if let Some((_, _, growth)) = self.frames.get_mut(&start) {
                    *growth += wider;
                }
            }
        }
        self.pieces.sort_by_key(|(at, _)| (at.start, at.end));
        let mut out = Vec::with_capacity(file.len() + self.pieces.iter().map(|(_, bytes)| bytes.len()).sum::<usize>());
        let mut copied = 0;
        for (at, bytes) in self.pieces {
            out.extend_from_slice(&file[copied..at.start]);
            out.extend(bytes);
            copied = at.end;
        }
        out.extend_from_slice(&file[copied..]);
        out
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::fields::fields;
    use super::*;

    /// A text (field 1) in a message (field 2) between two numbers, with an unknown field 99.
    fn nested(text: &[u8]) -> Vec<u8> {
        let mut inner = vec![0x0a];
        put_varint(text.len() as u64, &mut inner);
        inner.extend(text);
        inner.extend([0x98, 0x06, 0x05]);
        let mut file = vec![0x08, 7, 0x12];
        put_varint(inner.len() as u64, &mut file);
        file.extend(inner);
        file.extend([0x18, 9]);
        file
    }

    fn text_place(file: &[u8]) -> Place {
        let whole = Place::whole(file);
        let message = whole.value(&fields(file, whole.at.clone()).unwrap()[1]);
        let text = &fields(file, message.at.clone()).unwrap()[0];
        message.value(text)
    }

    #[test]
    fn nothing_changed_is_the_same_file() {
        let file = nested(b"abc");
        assert_eq!(Edits::default().apply(&file), file);
    }

    #[test]
    fn longer_and_shorter_texts_change_all_lengths_around_them() {
        for (old, new) in [(3, 3), (3, 0), (0, 3), (3, 200), (200, 3), (120, 126), (100, 20_000)] {
            let file = nested(&vec![b'a'; old]);
            let mut edits = Edits::default();
            edits.replace(&text_place(&file), vec![b'b'; new]);
            assert_eq!(edits.apply(&file), nested(&vec![b'b'; new]), "{old} to {new}");
        }
    }

    #[test]
    fn something_new_goes_between_fields() {
        let file = nested(b"abc");
        let whole = Place::whole(&file);
        let message = whole.value(&fields(&file, whole.at.clone()).unwrap()[1]);
        let behind = fields(&file, message.at.clone()).unwrap()[0].value.end;
        let mut edits = Edits::default();
        edits.replace(&text_place(&file), b"abcd".to_vec());
        edits.replace(&message.between(behind), vec![0x20, 1]);
        let expected = [0x08, 7, 0x12, 11, 0x0a, 4, b'a', b'b', b'c', b'd', 0x20, 1, 0x98, 0x06, 0x05, 0x18, 9];
        assert_eq!(edits.apply(&file), expected);
    }
}
