//! One table: the name of an ONNX operator, and the function that translates it into our own operations.
//!
//! A new operator is one function and one line. Nothing is computed here, and no node is run.

mod arithmetic;
mod indexing;
mod layers;
mod normalisations;
mod quantised;
mod shapes;

use super::builder::Builder;
use super::messages::{AttributeProto, NodeProto};
use super::stored::Stored;
use crate::model::graph::{Op, ValueId};

/// Translates one node, or says in a clause why it cannot.
pub(super) type Translate = fn(&mut Call) -> Result<(), String>;

/// The translation of an operator of ONNX's own set.
pub(super) fn translation(operator: &str) -> Option<Translate> {
    TABLES.into_iter().flatten().find(|(name, _)| *name == operator).map(|&(_, translate)| translate)
}

const TABLES: [&[(&str, Translate)]; 6] =
    [arithmetic::TABLE, indexing::TABLE, layers::TABLE, normalisations::TABLE, quantised::TABLE, shapes::TABLE];

/// Names of all operators of ONNX's own set that are read, in the order of the alphabet.
pub fn supported_operators() -> Vec<&'static str> {
    let mut names: Vec<&str> = TABLES.into_iter().flatten().map(|&(name, _)| name).chain(["Constant"]).collect();
    names.sort_unstable();
    names
}

/// One node being translated.
pub(super) struct Call<'a, 'b> {
    pub node: &'a NodeProto,
    /// Shown in errors and kept in the graph.
    pub name: &'a str,
    /// Version of the operator set.
    pub opset: i64,
    pub builder: &'a mut Builder<'b>,
}

impl Call<'_, '_> {
    pub fn attribute(&self, name: &str) -> Option<&AttributeProto> {
        self.node.attribute.iter().find(|a| a.name.as_deref() == Some(name))
    }

    pub fn integer(&self, name: &str, default: i64) -> i64 {
        self.attribute(name).map_or(default, |a| a.i.unwrap_or(0))
    }

    pub fn float(&self, name: &str, default: f32) -> f32 {
        self.attribute(name).map_or(default, |a| a.f.unwrap_or(0.0))
    }

    pub fn integers(&self, name: &str) -> Option<Vec<i64>> {
        self.attribute(name).map(|a| a.ints.clone())
    }

    pub fn text(&self, name: &str, default: &str) -> String {
        let text = self.attribute(name).and_then(|a| a.s.as_ref());
        text.map_or_else(|| default.to_owned(), |s| String::from_utf8_lossy(s).into_owned())
    }

    /// Name of input `i`, where it is given.
    fn input_name(&self, i: usize) -> Option<&str> {
        self.node.input.get(i).map(String::as_str).filter(|n| !n.is_empty())
    }

    pub fn given(&self, i: usize) -> bool {
        self.input_name(i).is_some()
    }

    /// Input `i`, which must be given.
    pub fn input(&mut self, i: usize) -> Result<ValueId, String> {
        self.optional(i)?.ok_or_else(|| format!("input {} is missing", i + 1))
    }

    /// Input `i`, where it is given.
    pub fn optional(&mut self, i: usize) -> Result<Option<ValueId>, String> {
        let name = self.input_name(i).map(str::to_owned);
        name.map(|name| self.builder.value(&name)).transpose()
    }

    /// All inputs, absent ones included.
    pub fn all_inputs(&mut self) -> Result<Vec<Option<ValueId>>, String> {
        (0..self.node.input.len()).map(|i| self.optional(i)).collect()
    }

    /// The numbers of input `i`, where it is given and stored in the file.
    pub fn stored(&mut self, i: usize) -> Result<Option<Stored>, String> {
        let name = self.input_name(i).map(str::to_owned);
        name.map_or(Ok(None), |name| self.builder.stored(&name))
    }

    /// Shape of input `i`, where it is stored in the file.
    pub fn stored_shape(&self, i: usize) -> Option<Vec<i64>> {
        self.input_name(i).and_then(|name| self.builder.stored_shape(name))
    }

    /// Kind of number that input `i` holds, where it is stored in the file.
    pub fn stored_kind(&self, i: usize) -> Option<i32> {
        self.input_name(i).and_then(|name| self.builder.stored_kind(name))
    }

    /// Input `i`, which must be given; where the file stores whole numbers, however many, they become plain numbers
    /// that are no trained parameters.
    pub fn whole_numbers(&mut self, i: usize) -> Result<ValueId, String> {
        let name = self.input_name(i).map(str::to_owned);
        match name.map(|name| self.builder.whole_numbers(&name)).transpose()?.flatten() {
            Some(stored) => self.builder.constant(stored),
            None => self.input(i),
        }
    }

    /// Input `i` as numbers that are settings, no trained parameters.
    pub fn setting(&mut self, i: usize) -> Result<Option<ValueId>, String> {
        match self.stored(i)? {
            Some(stored) if stored.len() == 0 => Ok(None),
            Some(stored) => self.builder.constant(stored).map(Some),
            None => self.optional(i),
        }
    }

    /// Known integers as a value of their own.
    pub fn list(&mut self, values: Vec<i64>) -> Result<ValueId, String> {
        self.builder.constant(Stored::integers(values))
    }

    /// A single known number as a value of its own.
    pub fn scalar(&mut self, value: f32) -> Result<ValueId, String> {
        self.builder.constant(Stored::floats(vec![value]).scalar())
    }

    /// A step of several: its result has no name in the file.
    pub fn emit(&mut self, op: Op, inputs: Vec<Option<ValueId>>) -> ValueId {
        let output = self.builder.fresh(self.name);
        self.builder.push(self.name, op, inputs, vec![output]);
        output
    }

    /// The step whose result is the node's first output.
    pub fn finish(&mut self, op: Op, inputs: Vec<Option<ValueId>>) -> Result<(), String> {
        self.finish_outputs(op, inputs, 1)
    }

    /// The step whose results are the node's first `count` outputs.
    pub fn finish_outputs(&mut self, op: Op, inputs: Vec<Option<ValueId>>, count: usize) -> Result<(), String> {
        let names: Vec<String> = self.node.output.iter().take(count).cloned().collect();
        if names.first().is_none_or(String::is_empty) {
            return Err("its output has no name".into());
        }
        let outputs = names.iter().map(|name| self.builder.output(name)).collect();
        self.builder.push(self.name, op, inputs, outputs);
        Ok(())
    }

    /// Position in the graph of the node that is pushed next.
    pub fn next_position(&self) -> usize {
        self.builder.len()
    }
}
