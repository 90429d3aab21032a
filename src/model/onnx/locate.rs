//! Where the parts of an ONNX file stand in its bytes.
//!
//! In: the bytes. Out: the places of nodes, initializers and all other tensors, in the order in which the messages
//! are decoded, so that the n-th place belongs to the n-th message.

use super::fields::{Field, fields, wire};
use super::messages::TensorProto;
use super::splice::Place;
use bytes::Bytes;
use prost::Message;
use std::ops::Range;

/// Graphs inside graphs are followed no deeper.
const DEEPEST: usize = 32;

/// Places of the file's own graph.
#[derive(Debug, Default)]
pub(super) struct Located {
    /// Of each node: the message, and the message of the graph around it.
    pub nodes: Vec<(Place, Place)>,
    /// Messages of the initializers.
    pub initializers: Vec<Place>,
    /// Every tensor, also those of attributes and of graphs inside.
    pub tensors: Vec<(Place, TensorProto)>,
}

/// Finds the parts of a file; `None` where its bytes contradict themselves.
pub(super) fn locate(file: &Bytes) -> Option<Located> {
    let mut located = Located::default();
    let whole = Place::whole(file);
    for field in messages(file, whole.at.clone(), &[7])? {
        let graph = whole.value(&field);
        for field in messages(file, graph.at.clone(), &[1, 5])? {
            let place = graph.value(&field);
            if field.number == 1 {
                located.nodes.push((place, graph.clone()));
            } else {
                located.initializers.push(place);
            }
        }
        tensors(file, Part::Graph, &graph, 0, &mut located.tensors)?;
    }
    Some(located)
}

/// The fields of a message with one of the numbers, where they are messages or texts.
pub(super) fn messages(file: &[u8], message: Range<usize>, numbers: &[u64]) -> Option<Vec<Field>> {
    let mut found = fields(file, message)?;
    found.retain(|f| f.wire == wire::LENGTH && numbers.contains(&f.number));
    Some(found)
}

/// Messages in which tensors lie.
#[derive(Clone, Copy)]
enum Part {
    Graph,
    Node,
    Attribute,
    Sparse,
    Tensor,
}

fn tensors(file: &Bytes, part: Part, place: &Place, depth: usize, found: &mut Vec<(Place, TensorProto)>) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    let inside: &[(u64, Part)] = match part {
        Part::Graph => &[(1, Part::Node), (5, Part::Tensor), (15, Part::Sparse)],
        Part::Node => &[(5, Part::Attribute)],
        Part::Attribute => &[
            (5, Part::Tensor),
            (6, Part::Graph),
            (10, Part::Tensor),
            (11, Part::Graph),
            (22, Part::Sparse),
            (23, Part::Sparse),
        ],
        Part::Sparse => &[(1, Part::Tensor), (2, Part::Tensor)],
        Part::Tensor => {
            found.push((place.clone(), TensorProto::decode(file.slice(place.at.clone())).ok()?));
            return Some(());
        }
    };
    let numbers: Vec<u64> = inside.iter().map(|&(number, _)| number).collect();
    for field in messages(file, place.at.clone(), &numbers)? {
        if let Some(&(_, part)) = inside.iter().find(|&&(number, _)| number == field.number) {
            tensors(file, part, &place.value(&field), depth + 1, found)?;
        }
    }
    Some(())
}
