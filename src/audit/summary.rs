//! What was understood of a model and of images, as plain data for every face of the program.

use super::{ImagesSummary, ModelSummary};
use crate::images::ImageSet;
use crate::model::Model;
use crate::model::graph::{Node, Op};
use std::collections::BTreeMap;
use std::path::Path;

/// Labels named in a sentence at most.
const LABELS_NAMED: usize = 5;

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
            sha256: None,
        }
    }

    /// Why these images leave something of a model of so many labels in the dark; `None` where every label
    /// has an image.
    pub fn missing_labels(&self, classes: usize) -> Option<String> {
        let missing: Vec<usize> = (0..classes).filter(|&i| self.per_label.get(i).is_none_or(|&n| n == 0)).collect();
        let all = missing.len();
        let named = missing.iter().map(|&i| match self.names.get(i).filter(|name| **name != i.to_string()) {
            Some(name) => format!("{i} \"{name}\""),
            None => i.to_string(),
        });
        let named = listed(&named.collect::<Vec<_>>(), LABELS_NAMED);
        let (which, have, them) = if all == 1 { ("label", "has", "it") } else { ("labels", "have", "them") };
        (all > 0).then(|| {
            format!(
                "{all} of the model's {classes} labels {have} no clean image ({which} {named}), so nothing is known of \
                 how the model treats {them}"
            )
        })
    }
}

/// The first `most` of some names, and how many more there are.
pub(super) fn listed(names: &[String], most: usize) -> String {
    match names.get(most..) {
        Some([]) | None => names.join(", "),
        Some(rest) => format!("{} and {} more", names[..most].join(", "), rest.len()),
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
    fn labels_without_images_are_named() {
        let summary = |per_label: &[usize]| ImagesSummary {
            path: "images".into(),
            count: 3,
            names: (0..per_label.len()).map(|i| format!("sign {i}")).collect(),
            per_label: per_label.to_vec(),
            skipped: Vec::new(),
            held_out: 0,
            sha256: None,
        };
        assert_eq!(summary(&[1, 1, 1]).missing_labels(3), None);
        let one = summary(&[1, 0, 2]).missing_labels(3).unwrap_or_default();
        assert!(one.starts_with("1 of the model's 3 labels has no clean image (label 1 \"sign 1\")"), "{one}");
        let many = summary(&[3]).missing_labels(20).unwrap_or_default();
        assert!(many.starts_with("19 of the") && many.contains("(labels 1, 2, 3, 4, 5 and 14 more)"), "{many}");
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
            files: Vec::new(),
        };
        let summary = ImagesSummary::of(Path::new("images"), &images, 1);
        assert_eq!((summary.count, summary.per_label), (3, vec![1, 0, 2]));
    }
}
