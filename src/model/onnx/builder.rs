//! Puts the graph together while the nodes of a file are translated.

use super::messages::TensorProto;
use super::stored::{self, Numbers, Stored};
use crate::model::graph::{Node, Op, Source, Value, ValueId};
use crate::model::numbers::check_finite;
use crate::model::{ModelError, Parameters};
use candle_core::{Device, Tensor};
use std::collections::HashMap;
use std::path::Path;

/// A window whose padding depends on the size of the picture: as much as keeps it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Same {
    /// Position of the node among those that were pushed.
    pub node: usize,
    pub kernel: [usize; 2],
    /// An odd cell goes to the end.
    pub upper: bool,
}

/// Numbers of the file by name: initializers, and constants that nodes hold.
pub(super) enum Known<'a> {
    Initializer(&'a TensorProto),
    /// With the kind of number it was.
    Constant(Stored, i32),
}

/// Values and nodes so far.
pub(super) struct Builder<'a> {
    known: HashMap<String, Known<'a>>,
    folder: &'a Path,
    values: Vec<Value>,
    nodes: Vec<Node>,
    named: HashMap<String, ValueId>,
    pub parameters: Parameters,
    pub same: Vec<Same>,
    /// A parameter that holds no numbers; told once the graph is known to be one we can run.
    pub bad_numbers: Option<ModelError>,
}

impl<'a> Builder<'a> {
    pub fn new(known: HashMap<String, Known<'a>>, folder: &'a Path, input: &str) -> Self {
        let values = vec![Value { name: input.to_owned(), source: Source::Input }];
        Self {
            known,
            folder,
            values,
            nodes: Vec::new(),
            named: HashMap::from([(input.to_owned(), ValueId(0))]),
            parameters: Parameters::new(),
            same: Vec::new(),
            bad_numbers: None,
        }
    }

    /// Number of nodes so far.
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    pub fn into_parts(self) -> (Vec<Value>, Vec<Node>, Parameters) {
        (self.values, self.nodes, self.parameters)
    }

    fn add(&mut self, name: &str, source: Source) -> ValueId {
        self.values.push(Value { name: name.to_owned(), source });
        ValueId(self.values.len() - 1)
    }

    /// A computed value without a name in the file; its own must not be taken for one of the file's.
    pub fn fresh(&mut self, node: &str) -> ValueId {
        self.add(&format!("{node}/step {}", self.nodes.len()), Source::Computed)
    }

    /// A computed value of the file.
    pub fn output(&mut self, name: &str) -> ValueId {
        let id = self.add(name, Source::Computed);
        if !name.is_empty() {
            self.named.insert(name.to_owned(), id);
        }
        id
    }

    pub fn push(&mut self, name: &str, op: Op, inputs: Vec<Option<ValueId>>, outputs: Vec<ValueId>) {
        self.nodes.push(Node { name: name.to_owned(), op, inputs, outputs });
    }

    /// The value called `name`: the picture, a computed value, or numbers of the file.
    pub fn value(&mut self, name: &str) -> Result<ValueId, String> {
        if let Some(&id) = self.named.get(name) {
            return Ok(id);
        }
        let initializer = matches!(self.known.get(name), Some(Known::Initializer(_)));
        let Some(Stored { numbers, shape }) = self.stored(name)? else {
            return Err(format!("it reads \"{name}\", which no supported output gives"));
        };
        let source = match numbers {
            Numbers::Integers(values) => Source::Integers(values, shape),
            Numbers::Floats(values) => {
                if let Err(bad) = check_finite(name, &values) {
                    self.bad_numbers.get_or_insert(bad);
                }
                // A single number that a node holds is a setting; everything else may have been trained.
                let trained = initializer || values.len() > 1;
                let tensor = Tensor::from_vec(values, shape, &Device::Cpu).map_err(|e| e.to_string())?;
                if trained {
                    self.parameters.insert(name.to_owned(), tensor);
                    Source::Parameter(name.to_owned())
                } else {
                    Source::Constant(tensor)
                }
            }
        };
        let id = self.add(name, source);
        self.named.insert(name.to_owned(), id);
        Ok(id)
    }

    /// Known numbers as a value of their own, no trained parameter.
    pub fn constant(&mut self, stored: Stored) -> Result<ValueId, String> {
        let source = match stored.numbers {
            Numbers::Integers(values) => Source::Integers(values, stored.shape),
            Numbers::Floats(values) => {
                Source::Constant(Tensor::from_vec(values, stored.shape, &Device::Cpu).map_err(|e| e.to_string())?)
            }
        };
        Ok(self.add("", source))
    }

    /// The numbers called `name`, where the file holds them.
    pub fn stored(&self, name: &str) -> Result<Option<Stored>, String> {
        match self.known.get(name) {
            None => Ok(None),
            Some(Known::Constant(stored, _)) => Ok(Some(stored.clone())),
            Some(Known::Initializer(tensor)) => self.decode(name, tensor).map(Some),
        }
    }

    /// Declared shape of the numbers called `name`, where the file holds them.
    pub fn stored_shape(&self, name: &str) -> Option<Vec<i64>> {
        Some(match self.known.get(name)? {
            Known::Constant(stored, _) => stored.shape.iter().map(|&d| d as i64).collect(),
            Known::Initializer(tensor) => tensor.dims.clone(),
        })
    }

    /// Kind of the numbers called `name`, where the file holds them.
    pub fn stored_kind(&self, name: &str) -> Option<i32> {
        Some(match self.known.get(name)? {
            Known::Constant(_, kind) => *kind,
            Known::Initializer(tensor) => tensor.data_type.unwrap_or(0),
        })
    }

    /// The whole numbers called `name` as plain ones, where the file holds them.
    pub fn whole_numbers(&self, name: &str) -> Result<Option<Stored>, String> {
        let stored = match self.known.get(name) {
            None => return Ok(None),
            Some(Known::Constant(stored, _)) => stored.clone(),
            Some(Known::Initializer(tensor)) => {
                stored::decode_many(tensor, self.folder).map_err(|why| format!("\"{name}\" {why}"))?
            }
        };
        Ok(Some(match stored.numbers {
            Numbers::Integers(values) => {
                Stored { numbers: Numbers::Floats(values.into_iter().map(|v| v as f32).collect()), shape: stored.shape }
            }
            Numbers::Floats(_) => stored,
        }))
    }

    /// Decodes a tensor of the file.
    pub fn decode(&self, name: &str, tensor: &TensorProto) -> Result<Stored, String> {
        stored::decode(tensor, self.folder).map_err(|why| format!("\"{name}\" {why}"))
    }
}
