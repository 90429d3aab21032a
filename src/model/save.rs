//! Saves a repaired model in the format it came in, or as ONNX.
//!
//! In: an opened model, a change and a destination. Out: a file that was read back and answers like the repair. The
//! model's own file is changed in place where that is possible, so that everything else in it stays as it was. A file
//! appears whole or not at all, and never over the suspect by accident.

mod destination;
mod error;
mod files;

pub use error::SaveError;

use super::graph::{Node, Op, Source, Value, ValueId};
use super::open::{hexadecimal, read_file};
use super::patched::Patched;
use super::{Change, Classifier, Format, Model, Parameters, Preprocessing, keras, onnx, open};
use crate::tensor::Seed;
use candle_core::{Device, Tensor};
use destination::Destination;
use files::Written;
use sha2::{Digest, Sha256};
use std::io::Read;
use std::path::{Path, PathBuf};

/// How far a logit of the saved model may be from the repair's: a share of the largest logit, at least of 1.
/// Where the file holds 16-bit numbers, the repair is rounded to them first.
pub const TOLERANCE: f32 = 1e-4;

/// Random pictures every saved model is asked about.
const PICTURES: usize = 8;

/// What saving may replace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overwrite {
    /// No file.
    Never,
    /// Any file but the model that was examined.
    Others,
    /// Even the model that was examined: a person was asked a second time.
    SuspectConfirmed,
}

/// A saved model.
#[derive(Debug, Clone)]
pub struct Saved {
    /// Where it is.
    pub path: PathBuf,
    /// Files of numbers that belong to it.
    pub data: Vec<PathBuf>,
    /// What it is.
    pub format: Format,
    /// Of the model's file, in lower-case hexadecimal.
    pub sha256: String,
    /// How far, at most, a logit was from the repair's when the file was read back.
    pub difference: f32,
    /// On how many pictures.
    pub pictures: usize,
    /// What a person should know.
    pub notes: Vec<String>,
}

/// Looks whether `model` could be saved at `destination`, before hours are spent on what cannot be kept.
///
/// # Errors
/// [`SaveError`], as [`save`] would say it; nothing is left there either way.
pub fn check_destination(model: &Model, destination: &Path, overwrite: Overwrite) -> Result<(), SaveError> {
    format_of(destination, model)?;
    files::try_folder(&Destination::look(destination, &model.path, overwrite)?)
}

/// Whether a model that came as a file of the kind `own` can be saved at `destination` with clamps: a Keras file has no
/// place for them.
pub fn holds_clamps(destination: &Path, own: Format) -> bool {
    let extension = destination.extension().map(|e| e.to_string_lossy().to_lowercase());
    match extension.as_deref() {
        Some("onnx") => true,
        Some("h5" | "hdf5" | "keras") => false,
        _ => own == Format::Onnx,
    }
}

/// Saves `model` with `change` at `destination`: in place of its own format, or as ONNX where the name ends in
/// `.onnx`. It is read back and asked about random pictures, and about `pictures` (`[n, c, h, w]` in `[0, 1]`, at the
/// size `preprocessing` names) where there are some, before it gets its name.
///
/// # Errors
/// [`SaveError`], a sentence that says what to do; then nothing was saved and nothing was replaced.
pub fn save(
    model: &Model,
    change: &Change,
    preprocessing: &Preprocessing,
    destination: &Path,
    overwrite: Overwrite,
    pictures: Option<&Tensor>,
) -> Result<Saved, SaveError> {
    let format = format_of(destination, model)?;
    let destination = Destination::look(destination, &model.path, overwrite)?;
    let classifier = Classifier::new(model, preprocessing.clone(), &Device::Cpu)?;
    let changed = change.apply(&classifier)?;
    let file = read_file(&model.path).map_err(SaveError::Model)?;
    if hexadecimal(&Sha256::digest(&file)) != model.sha256 {
        return Err(SaveError::SuspectChanged(model.path.clone()));
    }
    let mut notes = Vec::new();
    let inexpressible = |why| SaveError::Inexpressible { why, onnx_can: format == Format::Keras };
    let patched = match (model.format, format) {
        (Format::Onnx, _) => {
            let folder = model.path.parent().unwrap_or(Path::new(""));
            let given = std::cell::RefCell::new(Vec::new());
            let name_of = |wish: &str| {
                let name = destination.free_name(wish, &given.borrow());
                given.borrow_mut().push(name.clone());
                name
            };
            let clamps = change.shaped_clamps(&classifier)?;
            onnx::patch(&file.into(), folder, change, &clamps, &name_of).map_err(inexpressible)?
        }
        (Format::Keras, Format::Keras) => keras::patch(&file, change).map_err(inexpressible)?,
        (Format::Keras, Format::Onnx) => written_anew(model, change, &changed, &mut notes)?,
    };
    let written = Written::new(&patched, &destination)?;
    let stored = patched.stored.apply(&classifier)?;
    if !same_numbers(&change.parameters, &patched.stored.parameters)? {
        notes.push("the new numbers were rounded to those the file can hold".into());
    }
    let (difference, count) = check(written.path(), &stored, preprocessing, pictures)?;
    let data = written.keep(&destination)?;
    let sha256 = hexadecimal(&Sha256::digest(&patched.bytes));
    Ok(Saved { path: destination.path, data, format, sha256, difference, pictures: count, notes })
}

/// The format a file of this name is to have.
fn format_of(destination: &Path, model: &Model) -> Result<Format, SaveError> {
    let extension = destination.extension().map(|e| e.to_string_lossy().to_lowercase());
    let inexpressible = |why: &str, onnx_can| Err(SaveError::Inexpressible { why: why.into(), onnx_can });
    match (extension.as_deref(), model.format) {
        (Some("onnx"), _) => Ok(Format::Onnx),
        (Some("h5" | "hdf5" | "keras"), Format::Onnx) => {
            inexpressible("an ONNX model cannot become a Keras file", true)
        }
        (Some("keras"), Format::Keras) if !zipped(&model.path) => {
            inexpressible("this model came as .h5, which is no .keras archive; keep the ending .h5", false)
        }
        (Some("h5" | "hdf5"), Format::Keras) if zipped(&model.path) => {
            inexpressible("this model came as a .keras archive, which is no .h5 file; keep the ending .keras", false)
        }
        _ => Ok(model.format),
    }
}

/// Whether a file is a zip archive.
fn zipped(path: &Path) -> bool {
    let mut start = [0; 2];
    std::fs::File::open(path).and_then(|mut f| f.read_exact(&mut start)).is_ok() && start == *b"PK"
}

/// The repair as an ONNX file of our own making. It ends as the original does, in a softmax where that had one.
fn written_anew(
    model: &Model,
    change: &Change,
    changed: &Classifier,
    notes: &mut Vec<String>,
) -> Result<Patched, SaveError> {
    let mut graph = changed.graph().clone();
    let had = |name: &str| model.notes.iter().any(|note| *note == format!("{name} at the end stepped over"));
    if had("softmax") || had("log-softmax") {
        let op = if had("softmax") { Op::Softmax { axis: -1 } } else { Op::LogSoftmax { axis: -1 } };
        graph.values.push(Value { name: "probabilities".into(), source: Source::Computed });
        let shares = ValueId(graph.values.len() - 1);
        let inputs = vec![Some(graph.logits)];
        graph.nodes.push(Node { name: "probabilities".into(), op, inputs, outputs: vec![shares] });
        graph.logits = shares;
    } else if had("sigmoid") {
        notes.push("the sigmoid at the end of the original is left out: the file gives logits".into());
    }
    let bytes = onnx::write(&graph, changed.parameters(), &model.input, model.classes)?;
    Ok(Patched { bytes, stored: change.clone(), data: Vec::new() })
}

/// Whether the parameters that both have are the same numbers.
fn same_numbers(a: &Parameters, b: &Parameters) -> Result<bool, SaveError> {
    for (name, a) in a {
        let Some(b) = b.get(name) else { continue };
        if a.dims() != b.dims() || numbers(a)? != numbers(b)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn numbers(tensor: &Tensor) -> Result<Vec<f32>, SaveError> {
    let read = || tensor.to_device(&Device::Cpu)?.flatten_all()?.to_vec1();
    Ok(read().map_err(super::ModelError::from)?)
}

/// Reads a model back and asks it what `expected` answers; the largest difference, and on how many pictures.
fn check(
    path: &Path,
    expected: &Classifier,
    preprocessing: &Preprocessing,
    pictures: Option<&Tensor>,
) -> Result<(f32, usize), SaveError> {
    let differs = |why: String| SaveError::Differs { why };
    let back = open(path).map_err(|e| differs(format!("read back: {e}")))?;
    let back = Classifier::new(&back, preprocessing.clone(), &Device::Cpu).map_err(|e| differs(e.to_string()))?;
    if !same_numbers(expected.parameters(), back.parameters())? {
        return Err(differs("a parameter is another".into()));
    }
    let [h, w] = preprocessing.size;
    let drawn = Seed(0).of("read back").random().uniform_tensor(
        0.0,
        1.0,
        (PICTURES, preprocessing.channels, h, w),
        &Device::Cpu,
    );
    let drawn = drawn.map_err(super::ModelError::from)?;
    let (mut worst, mut count) = (0.0_f32, 0);
    for pictures in std::iter::once(&drawn).chain(pictures) {
        let (ours, theirs) = (numbers(&expected.logits(pictures)?)?, numbers(&back.logits(pictures)?)?);
        let scale = ours.iter().fold(1.0_f32, |m, v| m.max(v.abs()));
        let difference = ours.iter().zip(&theirs).fold(0.0_f32, |m, (a, b)| m.max((a - b).abs()));
        let sane = ours.len() == theirs.len() && theirs.iter().all(|v| v.is_finite());
        if !sane || difference > TOLERANCE * scale {
            return Err(differs(format!("a logit differs by {difference}")));
        }
        worst = worst.max(difference);
        count += pictures.dims().first().copied().unwrap_or(0);
    }
    Ok((worst, count))
}
