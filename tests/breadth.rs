//! Models as people export them answer as onnxruntime does, and their gradients are PyTorch's.
//!
//! The models and answers of `fixtures/breadth` were made by `fixtures/make_breadth.py` and `fixtures/make_breadth_keras.py`.
//! The same at full width, too large to keep, are tested where `POISDETC_BREADTH` names a folder that the first was run
//! with. `docs/formats.md` has a table of what is tested here; with `POISDETC_WRITE_DOCS=1` it is written anew.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use candle_core::{Device, Tensor, Var};
use poisdetc::model::{Model, keras, onnx, open};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Largest difference of a logit that is accepted, as a share of the largest one.
const LOGITS: f32 = 1e-4;

/// Largest error of a gradient that is accepted, as a share of its length or of its largest number.
const GRADIENT: f64 = 1e-3;

/// The same at full width, where one of millions of ReLUs may stand at another side of 0: PyTorch's DenseNet-121 is 0.8 %
/// from itself with its normalisations folded, its MobileNetV2 1.6 % from itself in 64 bits.
const GRADIENT_FULL_SIZE: f64 = 1e-2;

/// How many times PyTorch's own error in 32 bits is accepted, where it is the larger one.
const NOISY: f32 = 4.0;

/// What the script kept of one file.
#[derive(Deserialize)]
struct Entry {
    /// Name of the architecture.
    model: String,
    /// Which program wrote the file.
    exporter: String,
    opset: u32,
    /// What is special about the file.
    #[serde(default)]
    form: Option<String>,
    shape: Vec<usize>,
    answers: Vec<Vec<f32>>,
    /// The answers are shares, whose softmax is stepped over.
    #[serde(default)]
    shares: bool,
    input: Summary,
    parameters: BTreeMap<String, Summary>,
    /// How far PyTorch is from itself in 64 bits, where that was measured: random weights make some networks unsteady.
    #[serde(default)]
    noise: Noise,
    /// Where numbers of 8 or 16 bits make a difference: how much of it is accepted.
    #[serde(default)]
    tolerance: Option<f64>,
}

/// The error of 32 bits, as shares.
#[derive(Deserialize, Default)]
struct Noise {
    logits: f32,
    gradient: f64,
}

/// What was kept of a gradient.
#[derive(Deserialize)]
struct Summary {
    length: f64,
    /// With drawn numbers.
    product: f64,
    /// Some of its numbers, the largest among them, by place.
    numbers: Vec<(usize, f64)>,
}

/// Numbers in [0, 1) that `make_breadth.py` draws, too: the top bits of SplitMix64 of seed and position.
fn drawn(seed: u64, count: usize) -> Vec<f32> {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
    let number = |i: u64| {
        let mut z = seed.wrapping_mul(GAMMA).wrapping_add(i).wrapping_mul(GAMMA);
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^= z >> 31;
        ((z >> 40) as f64 / f64::from(1 << 24)) as f32
    };
    (1..=count as u64).map(number).collect()
}

impl Summary {
    /// How far a gradient is from this one, as a share of its size.
    fn error(&self, gradient: &Tensor) -> f64 {
        let flat = gradient.flatten_all().unwrap().to_vec1::<f32>().unwrap();
        let length = flat.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        let product: f64 =
            flat.iter().zip(drawn(3, flat.len())).map(|(&g, d)| f64::from(g) * (2.0 * f64::from(d) - 1.0)).sum();
        let largest = self.numbers.iter().fold(1e-6_f64, |m, n| m.max(n.1.abs()));
        let numbers = self.numbers.iter().map(|&(place, value)| (f64::from(flat[place]) - value).abs() / largest);
        let whole = self.length.max(1e-6);
        let errors = [(length - self.length).abs() / whole, (product - self.product).abs() / whole];
        errors.into_iter().chain(numbers).fold(0.0, |worst, e| if e.is_nan() { f64::INFINITY } else { worst.max(e) })
    }
}

/// What was measured of one file, each as a share: of the logits, of the input's gradient, of the parameters'.
struct Measured {
    logits: f32,
    input: f64,
    parameters: (f64, String),
}

fn softmax(logits: &Tensor) -> Tensor {
    let e = logits.broadcast_sub(&logits.max_keepdim(1).unwrap()).unwrap().exp().unwrap();
    e.broadcast_div(&e.sum_keepdim(1).unwrap()).unwrap()
}

fn measure(entry: &Entry, model: &Model) -> Result<Measured, String> {
    let text = |e: &dyn std::fmt::Display| e.to_string();
    let count = entry.shape.iter().product();
    let x = Tensor::from_vec(drawn(1, count), entry.shape.as_slice(), &Device::Cpu).unwrap();
    let x = Var::from_tensor(&x).unwrap();
    let mut parameters = model.parameters.clone();
    let mut variables = BTreeMap::new();
    for name in entry.parameters.keys() {
        let value = parameters.get(name).ok_or_else(|| format!("has no parameter \"{name}\""))?;
        let variable = Var::from_tensor(value).unwrap();
        parameters.insert(name.clone(), variable.as_tensor().clone());
        variables.insert(name, variable);
    }
    let logits = model.graph.run(&parameters, &x, model.input.fixed_batch).map_err(|e| text(&e))?;
    let answers = if entry.shares { softmax(&logits) } else { logits.clone() };
    let (answers, expected) = (answers.flatten_all().unwrap().to_vec1::<f32>().unwrap(), entry.answers.concat());
    if answers.len() != expected.len() {
        return Err(format!("gives {} numbers instead of {}", answers.len(), expected.len()));
    }
    let scale = expected.iter().fold(1e-3_f32, |m, v| m.max(v.abs()));
    let error = answers.iter().zip(&expected).map(|(a, e)| (a - e).abs() / scale).fold(0.0, f32::max);

    let weights = drawn(2, expected.len()).into_iter().map(|d| 2.0 * d - 1.0).collect::<Vec<f32>>();
    let weights = Tensor::from_vec(weights, logits.shape(), &Device::Cpu).unwrap();
    let gradients = logits.mul(&weights).unwrap().sum_all().unwrap().backward().map_err(|e| text(&e))?;
    let input = gradients.get(&x).ok_or("has no gradient by its input")?;
    let mut worst = (0.0, String::new());
    for (name, variable) in variables {
        let gradient = gradients.get(&variable).ok_or_else(|| format!("has no gradient by \"{name}\""))?;
        let error = entry.parameters[name].error(gradient);
        if error >= worst.0 {
            worst = (error, name.clone());
        }
    }
    Ok(Measured { logits: error, input: entry.input.error(input), parameters: worst })
}

/// Opens and measures every file of a folder; the sentences say which are not right.
fn wrong(folder: &Path, entries: &BTreeMap<String, Entry>, gradient: f64) -> Vec<String> {
    let mut wrong = Vec::new();
    let (mut worst_logits, mut worst_input, mut worst_parameters) = (0.0_f32, 0.0_f64, 0.0_f64);
    let mut parameters = 0;
    for (name, entry) in entries {
        let file = ["onnx", "keras", "h5"].map(|e| folder.join(format!("{name}.{e}")));
        let Some(file) = file.iter().find(|f| f.exists()) else {
            wrong.push(format!("{name} is not there"));
            continue;
        };
        let measured = open(file).map_err(|e| e.to_string()).and_then(|model| measure(entry, &model));
        match measured {
            Err(why) => wrong.push(format!("{name}: {why}")),
            Ok(m) => {
                println!(
                    "{name}: logits {:.1e}, input {:.1e}, {} parameters {:.1e} ({})",
                    m.logits,
                    m.input,
                    entry.parameters.len(),
                    m.parameters.0,
                    m.parameters.1
                );
                let (logits, accepted) = match entry.tolerance {
                    Some(more) => (more as f32, 4.0 * more),
                    None => {
                        (LOGITS.max(NOISY * entry.noise.logits), gradient.max(f64::from(NOISY) * entry.noise.gradient))
                    }
                };
                if m.logits > logits || m.input > accepted || m.parameters.0 > accepted {
                    wrong.push(format!(
                        "{name}: logits are off by {:.1e}, the gradient by {:.1e}, that of \"{}\" by {:.1e}",
                        m.logits, m.input, m.parameters.1, m.parameters.0
                    ));
                }
                if entry.tolerance.is_none() {
                    worst_logits = worst_logits.max(m.logits);
                    worst_input = worst_input.max(m.input);
                    worst_parameters = worst_parameters.max(m.parameters.0);
                }
                parameters += entry.parameters.len();
            }
        }
    }
    println!(
        "{} of {} files agree; {parameters} gradients of parameters; worst (16 and 8 bits aside): logits {worst_logits:.1e}, \
         input gradient {worst_input:.1e}, parameter gradient {worst_parameters:.1e}",
        entries.len() - wrong.len(),
        entries.len()
    );
    wrong
}

fn entries(folder: &Path) -> BTreeMap<String, Entry> {
    serde_json::from_str(&std::fs::read_to_string(folder.join("answers.json")).unwrap()).unwrap()
}

fn kept() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/breadth")
}

#[test]
fn every_kept_export_answers_as_onnxruntime_and_has_the_gradients_of_pytorch() {
    let entries = entries(&kept());
    assert!(entries.len() > 50, "{} files", entries.len());
    let wrong = wrong(&kept(), &entries, GRADIENT);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

#[test]
fn every_full_size_export_answers_as_onnxruntime_and_has_the_gradients_of_pytorch() {
    let Some(folder) = std::env::var_os("POISDETC_BREADTH").map(PathBuf::from) else {
        println!("skipped: POISDETC_BREADTH names no folder made by fixtures/make_breadth.py");
        return;
    };
    let entries = entries(&folder);
    let wrong = wrong(&folder, &entries, GRADIENT_FULL_SIZE);
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), entries.len(), wrong.join("\n"));
}

/// How a program that writes files is called in the table, and the opsets it wrote.
fn written(program: &str, opsets: &BTreeSet<u32>) -> String {
    let program = match program {
        "torchscript" => "PyTorch, `dynamo=False`",
        "dynamo" => "PyTorch, `dynamo=True`",
        other => other,
    };
    match (opsets.first(), opsets.last()) {
        (Some(0), _) | (None, _) | (_, None) => program.to_owned(),
        (Some(first), Some(last)) if first == last => format!("{program}, opset {first}"),
        (Some(first), Some(last)) => format!("{program}, opsets {first} to {last}"),
    }
}

/// One line of the table.
#[derive(Default)]
struct Row<'a> {
    /// The programs that wrote the files, and their opsets.
    how: BTreeMap<&'a str, BTreeSet<u32>>,
    files: usize,
    parameters: usize,
}

/// The part of `docs/formats.md` that lists what is read and what is tested.
fn documented(entries: &BTreeMap<String, Entry>) -> String {
    let list = |names: Vec<&str>| names.iter().map(|n| format!("`{n}`")).collect::<Vec<_>>().join(", ");
    let mut lines = vec![
        "## ONNX operators".to_owned(),
        String::new(),
        format!("{}.", list(onnx::supported_operators())),
        String::new(),
        "## Keras layers".to_owned(),
        String::new(),
        format!("{}.", list(keras::supported_layers())),
        String::new(),
        "## Exports that are tested".to_owned(),
        String::new(),
        "| model | how it was written | files | parameter gradients compared |".to_owned(),
        "| --- | --- | --- | --- |".to_owned(),
    ];
    let mut models: BTreeMap<(&str, &str), Row> = BTreeMap::new();
    for (name, entry) in entries {
        // The forms of the small network get a line each, its opsets one together.
        let form = entry.form.as_deref().filter(|f| !f.contains("opset")).unwrap_or_default();
        let row = models.entry((&entry.model, form)).or_default();
        let program = match entry.exporter.as_str() {
            "Keras" if name.ends_with("-keras") => "Keras 3, `.keras`",
            "Keras" => "Keras 3, `.h5`",
            other => other,
        };
        row.how.entry(program).or_default().insert(entry.opset);
        row.files += 1;
        row.parameters += entry.parameters.len();
    }
    for ((model, form), Row { how, files, parameters }) in models {
        let form = if form.is_empty() { String::new() } else { format!(", {}", form.replace('-', " ")) };
        let how: Vec<String> = how.iter().map(|(program, opsets)| written(program, opsets)).collect();
        lines.push(format!("| {model}{form} | {} | {files} | {parameters} |", how.join("; ")));
    }
    lines.join("\n") + "\n"
}

#[test]
fn the_table_of_formats_says_what_is_tested() {
    const MARK: &str = "<!-- Written by tests/breadth.rs; POISDETC_WRITE_DOCS=1 writes it anew. -->\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/formats.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (by_hand, table) = text.split_once(MARK).expect("docs/formats.md has lost its mark");
    let now = documented(&entries(&kept()));
    if std::env::var_os("POISDETC_WRITE_DOCS").is_some() {
        std::fs::write(&path, format!("{by_hand}{MARK}{now}")).unwrap();
        return;
    }
    assert!(table == now, "docs/formats.md is out of date: run this test with POISDETC_WRITE_DOCS=1");
}
