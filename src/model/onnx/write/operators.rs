//! One operation of ours as one or several operators of ONNX's set 17.

use super::{Writer, float_tensor, integer, integer_list, integer_tensor, number, tensor, text};
use crate::model::ModelError;
use crate::model::graph::{Binary, Node, Op, PadMode, Reduction, Resize, Source, Unary};
use crate::model::onnx::messages::{AttributeProto, data_type};
use crate::tensor::{Conv2d, Pool2d};
use candle_core::{Device, Tensor};
use std::f32::consts::{FRAC_1_SQRT_2, FRAC_2_PI};

/// The cubic term of GELU's approximation by tanh (Hendrycks and Gimpel 2016, <https://arxiv.org/abs/1606.08415>).
const GELU_CUBIC: f32 = 0.044715;

impl Writer<'_> {
    /// Adds the operators of one of our nodes, or notes that it cannot be written.
    pub(super) fn node(&mut self, node: &Node) -> Result<(), ModelError> {
        // Axes that are known are written anew, the way each operator wants them.
        let reads =
            if matches!(node.op, Op::Reduce { .. }) && self.known_axes(node).is_some() { 1 } else { usize::MAX };
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for input in node.inputs.iter().take(reads) {
            inputs.push(input.map(|id| self.read(id)).transpose()?.unwrap_or_default());
        }
        match &node.op {
            Op::Unary(unary) => self.unary(node, unary, inputs),
            Op::Reduce { how, keep_dims, noop_with_empty_axes, .. } => {
                self.reduce(node, *how, *keep_dims, *noop_with_empty_axes, inputs);
                Ok(())
            }
            Op::Split { axis, sizes, .. } => {
                if let Some(sizes) = sizes {
                    let sizes: Vec<i64> = sizes.iter().map(|&n| n as i64).collect();
                    inputs.truncate(1);
                    inputs.push(self.integers(node, "sizes", &sizes));
                }
                self.same(node, "Split", inputs, vec![integer("axis", *axis)]);
                Ok(())
            }
            Op::Pad(mode) => self.pad(node, *mode, inputs),
            Op::Where => {
                // ONNX wants a boolean here; ours may be numbers.
                let condition = self.fresh(&format!("{}/condition", node.name), "condition");
                let boolean = integer("to", data_type::BOOL.into());
                let choices = inputs.split_off(inputs.len().min(1));
                self.push("Cast", inputs, vec![condition.clone()], vec![boolean]);
                self.same(node, "Where", [vec![condition], choices].concat(), Vec::new());
                Ok(())
            }
            Op::ConstantOfShape { value, integer } => {
                let value = if *integer {
                    integer_tensor("", &[*value as i64], &[1])
                } else {
                    float_tensor("", &Tensor::from_slice(&[*value as f32], 1, &Device::Cpu)?)?
                };
                self.same(node, "ConstantOfShape", inputs, vec![tensor("value", value)]);
                Ok(())
            }
            Op::AvgPool(pool) if pool.dilation != [1, 1] => {
                self.unsupported.insert("AveragePool with dilation".into());
                Ok(())
            }
            op => {
                if let Some((operator, attributes)) = one_to_one(op) {
                    self.same(node, operator, inputs, attributes);
                } else {
                    self.unsupported.insert(format!("{op:?}"));
                }
                Ok(())
            }
        }
    }

    /// Adds the operator that writes the outputs of `node`.
    fn same(&mut self, node: &Node, operator: &str, inputs: Vec<String>, attributes: Vec<AttributeProto>) {
        let outputs = node.outputs.iter().map(|id| self.names.get(id).cloned().unwrap_or_default()).collect();
        self.push(operator, inputs, outputs, attributes);
    }

    fn unary(&mut self, node: &Node, unary: &Unary, mut inputs: Vec<String>) -> Result<(), ModelError> {
        let x = inputs.first().cloned().unwrap_or_default();
        let (operator, attributes) = match unary {
            Unary::Clip { min, max } => {
                inputs.push(self.constant(node, "min", &[*min], &[])?);
                inputs.push(self.constant(node, "max", &[*max], &[])?);
                ("Clip", Vec::new())
            }
            Unary::Silu => {
                inputs = vec![self.step(node, "Sigmoid", &[&x]), x];
                ("Mul", Vec::new())
            }
            Unary::Mish => {
                let softplus = self.step(node, "Softplus", &[&x]);
                inputs = vec![self.step(node, "Tanh", &[&softplus]), x];
                ("Mul", Vec::new())
            }
            Unary::Gelu { tanh } => {
                inputs = vec![self.gelu_gate(node, &x, *tanh)?, x];
                ("Mul", Vec::new())
            }
            other => match simple_unary(other) {
                Some(found) => found,
                None => {
                    self.unsupported.insert(format!("{other:?}"));
                    return Ok(());
                }
            },
        };
        self.same(node, operator, inputs, attributes);
        Ok(())
    }

    /// What GELU multiplies `x` with, in (0, 1): `(1 + erf(x / sqrt 2)) / 2`, or its approximation by tanh.
    fn gelu_gate(&mut self, node: &Node, x: &str, tanh: bool) -> Result<String, ModelError> {
        let one = self.constant(node, "one", &[1.0], &[])?;
        let half = self.constant(node, "half", &[0.5], &[])?;
        let curve = if tanh {
            let scale = self.constant(node, "scale", &[FRAC_2_PI.sqrt()], &[])?;
            let cubic = self.constant(node, "cubic", &[GELU_CUBIC], &[])?;
            let squared = self.step(node, "Mul", &[x, x]);
            let bent = self.step(node, "Mul", &[&squared, &cubic]);
            let factor = self.step(node, "Add", &[&bent, &one]);
            let argument = self.step(node, "Mul", &[&factor, x]);
            let scaled = self.step(node, "Mul", &[&argument, &scale]);
            self.step(node, "Tanh", &[&scaled])
        } else {
            let scale = self.constant(node, "scale", &[FRAC_1_SQRT_2], &[])?;
            let scaled = self.step(node, "Mul", &[x, &scale]);
            self.step(node, "Erf", &[&scaled])
        };
        let raised = self.step(node, "Add", &[&curve, &one]);
        Ok(self.step(node, "Mul", &[&raised, &half]))
    }

    /// The axes of a reduction, empty for all, or `None` where the graph computes them.
    fn known_axes(&self, node: &Node) -> Option<Vec<i64>> {
        let Op::Reduce { axes, .. } = &node.op else { return None };
        match node.inputs.get(1).copied().flatten().map(|id| &self.graph.values[id.0].source) {
            None => Some(axes.clone().unwrap_or_default()),
            Some(Source::Integers(values, _)) => Some(values.clone()),
            Some(_) => None,
        }
    }

    /// In set 17 only `ReduceSum` takes its axes as an input; for the others they must be known.
    fn reduce(&mut self, node: &Node, how: Reduction, keep_dims: bool, noop: bool, inputs: Vec<String>) {
        let operator = match how {
            Reduction::Mean => "ReduceMean",
            Reduction::Sum => "ReduceSum",
            Reduction::Max => "ReduceMax",
            Reduction::Min => "ReduceMin",
            Reduction::Prod => "ReduceProd",
            Reduction::L2 => "ReduceL2",
            Reduction::LogSumExp => "ReduceLogSumExp",
        };
        let x = inputs.first().cloned().unwrap_or_default();
        let keep = integer("keepdims", keep_dims.into());
        let Some(known) = self.known_axes(node) else {
            if how == Reduction::Sum {
                self.same(node, operator, inputs, vec![keep, integer("noop_with_empty_axes", noop.into())]);
            } else {
                self.unsupported.insert(format!("{operator} with computed axes"));
            }
            return;
        };
        if known.is_empty() {
            let (operator, attributes) = if noop { ("Identity", Vec::new()) } else { (operator, vec![keep]) };
            self.same(node, operator, vec![x], attributes);
        } else if how == Reduction::Sum {
            let axes = self.integers(node, "axes", &known);
            self.same(node, operator, vec![x, axes], vec![keep]);
        } else {
            let mut axes = integer_list("axes", &[]);
            axes.ints = known;
            self.same(node, operator, vec![x], vec![axes, keep]);
        }
    }

    fn pad(&mut self, node: &Node, mode: PadMode, mut inputs: Vec<String>) -> Result<(), ModelError> {
        if inputs.get(3).is_some_and(|axes| !axes.is_empty()) {
            self.unsupported.insert("Pad with axes".into());
            return Ok(());
        }
        let name = match mode {
            PadMode::Constant(value) => {
                if inputs.get(2).is_none_or(String::is_empty) && value != 0.0 {
                    inputs.truncate(2);
                    inputs.push(self.constant(node, "value", &[value], &[])?);
                }
                "constant"
            }
            PadMode::Reflect => "reflect",
            PadMode::Edge => "edge",
        };
        self.same(node, "Pad", inputs, vec![text("mode", name)]);
        Ok(())
    }
}

/// Operations that one ONNX operator does with the same inputs.
fn one_to_one(op: &Op) -> Option<(&'static str, Vec<AttributeProto>)> {
    Some(match op {
        Op::Conv(geometry) => ("Conv", convolution(geometry)),
        Op::ConvTranspose { geometry, output_padding } => {
            let mut attributes = convolution(geometry);
            attributes.push(integer_list("output_padding", output_padding));
            ("ConvTranspose", attributes)
        }
        Op::Gemm { alpha, beta, transpose_a, transpose_b } => (
            "Gemm",
            vec![
                number("alpha", *alpha),
                number("beta", *beta),
                integer("transA", (*transpose_a).into()),
                integer("transB", (*transpose_b).into()),
            ],
        ),
        Op::MatMul => ("MatMul", Vec::new()),
        Op::BatchNorm { epsilon } => ("BatchNormalization", vec![number("epsilon", *epsilon)]),
        Op::LayerNorm { axis, epsilon } => {
            ("LayerNormalization", vec![integer("axis", *axis), number("epsilon", *epsilon)])
        }
        Op::InstanceNorm { epsilon } => ("InstanceNormalization", vec![number("epsilon", *epsilon)]),
        Op::LocalResponseNorm { size, alpha, beta, bias } => (
            "LRN",
            vec![integer("size", *size as i64), number("alpha", *alpha), number("beta", *beta), number("bias", *bias)],
        ),
        Op::MaxPool(pool) => {
            let mut attributes = window(pool);
            attributes.push(integer_list("dilations", &pool.dilation));
            ("MaxPool", attributes)
        }
        Op::AvgPool(pool) => {
            let mut attributes = window(pool);
            attributes.push(integer("count_include_pad", pool.count_include_pad.into()));
            ("AveragePool", attributes)
        }
        Op::GlobalAvgPool => ("GlobalAveragePool", Vec::new()),
        Op::GlobalMaxPool => ("GlobalMaxPool", Vec::new()),
        Op::PRelu => ("PRelu", Vec::new()),
        Op::Binary(Binary::Mod { truncated }) => ("Mod", vec![integer("fmod", (*truncated).into())]),
        Op::Binary(binary) => (binary_operator(*binary), Vec::new()),
        Op::Softmax { axis } => ("Softmax", vec![integer("axis", *axis)]),
        Op::LogSoftmax { axis } => ("LogSoftmax", vec![integer("axis", *axis)]),
        Op::ArgMax { axis, keep_dims } => {
            ("ArgMax", vec![integer("axis", *axis), integer("keepdims", (*keep_dims).into())])
        }
        Op::Reshape { allow_zero } => ("Reshape", vec![integer("allowzero", (*allow_zero).into())]),
        Op::Flatten { axis } => ("Flatten", vec![integer("axis", *axis)]),
        Op::Transpose { permutation } if permutation.is_empty() => ("Transpose", Vec::new()),
        Op::Transpose { permutation } => ("Transpose", vec![integer_list("perm", permutation)]),
        Op::Concat { axis } => ("Concat", vec![integer("axis", *axis)]),
        Op::Slice => ("Slice", Vec::new()),
        Op::Squeeze => ("Squeeze", Vec::new()),
        Op::Unsqueeze => ("Unsqueeze", Vec::new()),
        Op::Expand => ("Expand", Vec::new()),
        Op::Tile => ("Tile", Vec::new()),
        Op::Gather { axis } => ("Gather", vec![integer("axis", *axis)]),
        Op::Cast { to_integer } => {
            let to = if *to_integer { data_type::INT64 } else { data_type::FLOAT };
            ("Cast", vec![integer("to", to.into())])
        }
        Op::Shape { start, end } => {
            let mut attributes = vec![integer("start", *start)];
            attributes.extend(end.map(|end| integer("end", end)));
            ("Shape", attributes)
        }
        Op::Range => ("Range", Vec::new()),
        Op::Resize(resize) => ("Resize", resizing(resize)),
        Op::DepthToSpace { block, column_row_depth } => {
            let mode = if *column_row_depth { "CRD" } else { "DCR" };
            ("DepthToSpace", vec![integer("blocksize", *block as i64), text("mode", mode)])
        }
        Op::SpaceToDepth { block } => ("SpaceToDepth", vec![integer("blocksize", *block as i64)]),
        Op::GatherElements { axis } => ("GatherElements", vec![integer("axis", *axis)]),
        Op::GatherNd { batch_dims } => ("GatherND", vec![integer("batch_dims", *batch_dims as i64)]),
        Op::ScatterElements { axis } => ("ScatterElements", vec![integer("axis", *axis)]),
        Op::ScatterNd => ("ScatterND", Vec::new()),
        Op::Trilu { upper } => ("Trilu", vec![integer("upper", (*upper).into())]),
        Op::CumSum { exclusive, reverse } => {
            ("CumSum", vec![integer("exclusive", (*exclusive).into()), integer("reverse", (*reverse).into())])
        }
        Op::Einsum { equation } => ("Einsum", vec![text("equation", equation)]),
        Op::Identity => ("Identity", Vec::new()),
        _ => return None,
    })
}

/// Functions of one value that set 17 has.
fn simple_unary(unary: &Unary) -> Option<(&'static str, Vec<AttributeProto>)> {
    let plain = |operator| Some((operator, Vec::new()));
    match unary {
        Unary::Relu => plain("Relu"),
        Unary::LeakyRelu(alpha) => Some(("LeakyRelu", vec![number("alpha", *alpha)])),
        Unary::Elu(alpha) => Some(("Elu", vec![number("alpha", *alpha)])),
        Unary::Selu { alpha, gamma } => Some(("Selu", vec![number("alpha", *alpha), number("gamma", *gamma)])),
        Unary::Celu(alpha) => Some(("Celu", vec![number("alpha", *alpha)])),
        Unary::Sigmoid => plain("Sigmoid"),
        Unary::HardSigmoid { alpha, beta } => {
            Some(("HardSigmoid", vec![number("alpha", *alpha), number("beta", *beta)]))
        }
        Unary::HardSwish => plain("HardSwish"),
        Unary::Softplus => plain("Softplus"),
        Unary::Softsign => plain("Softsign"),
        Unary::Tanh => plain("Tanh"),
        Unary::Erf => plain("Erf"),
        Unary::Exp => plain("Exp"),
        Unary::Log => plain("Log"),
        Unary::Sqrt => plain("Sqrt"),
        Unary::Reciprocal => plain("Reciprocal"),
        Unary::Neg => plain("Neg"),
        Unary::Abs => plain("Abs"),
        Unary::Floor => plain("Floor"),
        Unary::Ceil => plain("Ceil"),
        Unary::Round => plain("Round"),
        Unary::Sign => plain("Sign"),
        Unary::Sin => plain("Sin"),
        Unary::Cos => plain("Cos"),
        Unary::Silu | Unary::Mish | Unary::Gelu { .. } | Unary::Clip { .. } => None,
    }
}

fn binary_operator(binary: Binary) -> &'static str {
    match binary {
        Binary::Add => "Add",
        Binary::Sub => "Sub",
        Binary::Mul => "Mul",
        Binary::Div => "Div",
        Binary::Pow => "Pow",
        Binary::Min => "Min",
        Binary::Max => "Max",
        Binary::Equal => "Equal",
        Binary::Less => "Less",
        Binary::Greater => "Greater",
        Binary::Mod { .. } => "Mod",
    }
}

fn convolution(geometry: &Conv2d) -> Vec<AttributeProto> {
    vec![
        integer_list("strides", &geometry.stride),
        integer_list("pads", &geometry.pads),
        integer_list("dilations", &geometry.dilation),
        integer("group", geometry.groups as i64),
    ]
}

fn window(pool: &Pool2d) -> Vec<AttributeProto> {
    vec![
        integer_list("kernel_shape", &pool.kernel),
        integer_list("strides", &pool.stride),
        integer_list("pads", &pool.pads),
        integer("ceil_mode", pool.ceil_mode.into()),
    ]
}

fn resizing(resize: &Resize) -> Vec<AttributeProto> {
    let mut attributes = vec![
        text("mode", if resize.linear { "linear" } else { "nearest" }),
        text("coordinate_transformation_mode", &resize.coordinates),
    ];
    if !resize.linear {
        attributes.push(text("nearest_mode", &resize.rounding));
    }
    attributes
}
