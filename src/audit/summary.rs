//! What was understood of a model and of images, as plain data for every face of the program.

use super::{ImagesSummary, ModelSummary};
use crate::images::ImageSet;
use crate::model::Model;
use crate::model::graph::{Node, Op};
use std::collections::BTreeMap;
use std::path::Path;

impl ModelSummary {
    /// What the reader understood of `model`; operators the most frequent first.
    pub fn of(model: &Model) -> Self {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for node in &model.graph.nodes {
            *counts.entry(operator(node)).or_default() += 1;
        }
        let mut operators: Vec<_> = counts.into_iter().collect();
        operators.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        Self {
            path: model.path.clone(),
            format: model.format,
            sha256: model.sha256.clone(),
            input: model.input.clone(),
            classes: model.classes,
            parameters: model.parameters.values().map(candle_core::Tensor::elem_count).sum(),
            operators,
            notes: model.notes.clone(),
        }
    }
}

impl ImagesSummary {
    /// What was understood of the `images` found at `path`, of which `held_out` are kept from every search.
    pub fn of(path: &Path, images: &ImageSet, held_out: usize) -> Self {
        Self {
            path: path.into(),
            count: images.len(),
            names: images.names.clone(),
            per_label: images.by_label().iter().map(Vec::len).collect(),
            skipped: images.skipped.clone(),
            held_out,
        }
    }
}

/// What a node does, in one word: "Conv", "Relu", "Add".
fn operator(node: &Node) -> String {
    // The variants are named as people know the operators, so their Debug form begins with the name.
    let text = match &node.op {
        Op::Unary(unary) => format!("{unary:?}"),
        Op::Binary(binary) => format!("{binary:?}"),
        Op::Reduce { how, .. } => format!("Reduce{how:?}"),
        other => format!("{other:?}"),
    };
    text.chars().take_while(char::is_ascii_alphanumeric).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::graph::{Reduction, Unary};

    fn named(op: Op) -> String {
        operator(&Node { name: String::new(), op, inputs: Vec::new(), outputs: Vec::new() })
    }

    #[test]
    fn operators_have_the_names_people_know() {
        assert_eq!(named(Op::GlobalAvgPool), "GlobalAvgPool");
        assert_eq!(named(Op::Unary(Unary::LeakyRelu(0.1))), "LeakyRelu");
        assert_eq!(named(Op::Unary(Unary::Clip { min: 0.0, max: 6.0 })), "Clip");
        let mean = Op::Reduce { how: Reduction::Mean, axes: None, keep_dims: true, noop_with_empty_axes: false };
        assert_eq!(named(mean), "ReduceMean");
    }

    #[test]
    fn images_are_counted_label_by_label() {
        let images = ImageSet {
            pixels: vec![0; 3],
            channels: 1,
            height: 1,
            width: 1,
            labels: vec![2, 0, 2],
            names: vec!["a".into(), "b".into(), "c".into()],
            skipped: vec!["x.png: cut off".into()],
        };
        let summary = ImagesSummary::of(Path::new("images"), &images, 1);
        assert_eq!((summary.count, summary.per_label), (3, vec![1, 0, 2]));
    }
}
