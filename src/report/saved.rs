//! Reads the JSON of an audit back as the whole document: for a report, for the window, to be compared.
//!
//! In: a file that [`super::json`] wrote; it may be anybody's, so it is checked for sense. Out: an [`Audit`], with pictures
//! rounded to 1/255 and numbers that were not finite as NaN; or one sentence that says why not.

use super::earlier::{EarlierError, read_bytes};
use super::pixels;
use crate::audit::{
    Audit, Finding, ImagesSummary, LabelFindings, ModelSummary, Opinion, Order, ReferenceSummary, Verdict,
};
use crate::detect::{AllToAll, Example, MarginEvidence, Picture, Shape, ShotEvidence, TriggerEvidence};
use crate::images::{Candidate, Discovery};
use crate::model::{Format, InputSpec, Preprocessing};
use crate::tensor::Seed;
use serde::{Deserialize, Deserializer};
use std::path::{Path, PathBuf};

/// More labels, shots a label or examples than this no audit has.
const MOST: usize = 100_000;

/// Reads an audit.
///
/// # Errors
/// [`EarlierError`], a sentence.
pub fn read(path: &Path) -> Result<Audit, EarlierError> {
    parse(&read_bytes(path)?, path)
}

/// Reads an audit from the bytes of the file at `path`.
///
/// # Errors
/// [`EarlierError`], a sentence.
pub fn parse(bytes: &[u8], path: &Path) -> Result<Audit, EarlierError> {
    let wrong = |why: String| EarlierError::NotAnAudit { path: path.into(), why };
    let saved: Saved = serde_json::from_slice(bytes).map_err(|why| wrong(why.to_string()))?;
    match saved.nonsense() {
        Some(why) => Err(wrong(why)),
        None => Ok(saved.into()),
    }
}

/// A number; `null` stands for one that is not finite.
#[derive(Deserialize)]
#[serde(transparent)]
struct Number(#[serde(deserialize_with = "number")] f32);

fn number<'de, D: Deserializer<'de>>(from: D) -> Result<f32, D::Error> {
    Ok(Option::<f32>::deserialize(from)?.unwrap_or(f32::NAN))
}

fn numbers<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<f32>, D::Error> {
    Ok(Vec::<Number>::deserialize(from)?.into_iter().map(|n| n.0).collect())
}

fn answer<'de, D: Deserializer<'de>>(from: D) -> Result<(usize, f32), D::Error> {
    let (label, sure) = <(usize, Number)>::deserialize(from)?;
    Ok((label, sure.0))
}

#[derive(Deserialize)]
struct Saved {
    schema: u32,
    verdict: Verdict,
    summary: String,
    #[serde(deserialize_with = "number")]
    clean_accuracy: f32,
    preprocessing: Preprocessing,
    labels: Vec<Label>,
    #[serde(default)]
    second_opinions: Vec<Opinion>,
    limits: Vec<String>,
    stopped: bool,
    seconds: Option<f64>,
    #[serde(default)]
    finished_at: Option<u64>,
    seed: Seed,
    settings: Settings,
    model: Model,
    images: Images,
    references: Vec<Reference>,
    preprocessing_candidates: Vec<Tried>,
    #[serde(default)]
    preprocessing_images: usize,
    program: Program,
}

#[derive(Deserialize)]
struct Label {
    label: usize,
    name: String,
    verdict: Verdict,
    findings: Vec<Finding>,
    #[serde(default)]
    margin: Option<MarginEvidence>,
    poisdetc: Option<Shots>,
    trigger: Option<Trigger>,
}

#[derive(Deserialize)]
struct Shots {
    #[serde(deserialize_with = "numbers")]
    losses: Vec<f32>,
    #[serde(deserialize_with = "numbers")]
    reference_losses: Vec<f32>,
    steps: Vec<usize>,
    #[serde(deserialize_with = "number")]
    prob: f32,
    flagged_by_original_rule: bool,
    #[serde(deserialize_with = "numbers")]
    clean_losses: Vec<f32>,
    #[serde(deserialize_with = "number")]
    clean_prob: f32,
    p_value: Option<f32>,
    #[serde(default)]
    points: Vec<Option<String>>,
}

#[derive(Deserialize)]
struct Trigger {
    #[serde(default)]
    source: Option<usize>,
    #[serde(default)]
    shape: Shape,
    #[serde(deserialize_with = "number")]
    asr: f32,
    asr_images: usize,
    #[serde(deserialize_with = "number")]
    asr_search: f32,
    #[serde(deserialize_with = "number")]
    size: f32,
    #[serde(deserialize_with = "number")]
    l1: f32,
    reached: bool,
    #[serde(default)]
    second_search: bool,
    anomaly_index: Option<f32>,
    #[serde(default)]
    p_value: Option<f32>,
    usual_size: Option<f32>,
    #[serde(default)]
    reverse_size: Option<f32>,
    #[serde(default)]
    elsewhere: Option<f32>,
    #[serde(default)]
    all_to_all: Option<AllToAll>,
    #[serde(deserialize_with = "numbers")]
    reference_sizes: Vec<f32>,
    #[serde(deserialize_with = "numbers")]
    reference_asr: Vec<f32>,
    #[serde(default)]
    mask: Option<String>,
    #[serde(default)]
    pattern: Option<String>,
    #[serde(default)]
    examples: Vec<Pictured>,
}

#[derive(Deserialize)]
struct Pictured {
    truth: usize,
    #[serde(deserialize_with = "answer")]
    answer_before: (usize, f32),
    #[serde(deserialize_with = "answer")]
    answer_after: (usize, f32),
    before: Option<String>,
    after: Option<String>,
}

#[derive(Deserialize)]
struct Settings {
    thorough: bool,
    shots: usize,
    original_form: bool,
    device: String,
    held_out: f32,
    memory_budget: usize,
    preprocessing_given: bool,
    #[serde(default)]
    allow_missing_labels: bool,
    #[serde(default)]
    label_names: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Model {
    path: PathBuf,
    sha256: String,
    format: Format,
    input: InputSpec,
    classes: usize,
    parameters: usize,
    operators: Vec<Operator>,
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Operator {
    name: String,
    count: usize,
}

#[derive(Deserialize)]
struct Images {
    path: PathBuf,
    count: usize,
    held_out: usize,
    per_label: Vec<usize>,
    names: Vec<String>,
    skipped: Vec<String>,
    #[serde(default)]
    sha256: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    description: String,
    path: Option<PathBuf>,
    #[serde(deserialize_with = "number")]
    accuracy: f32,
}

#[derive(Deserialize)]
struct Tried {
    #[serde(flatten)]
    preprocessing: Preprocessing,
    #[serde(deserialize_with = "number")]
    accuracy: f32,
    #[serde(deserialize_with = "number")]
    loss: f32,
}

#[derive(Deserialize)]
struct Program {
    version: String,
}

impl Saved {
    /// What no audit says: the file may be anybody's.
    fn nonsense(&self) -> Option<String> {
        if self.schema != super::json::SCHEMA {
            return Some(format!("its layout is version {}, this program knows {}", self.schema, super::json::SCHEMA));
        }
        if let Some(why) = self.preprocessing.nonsense() {
            return Some(format!("its preprocessing makes no sense: {why}"));
        }
        if !(self.settings.held_out > 0.0 && self.settings.held_out < 1.0) {
            return Some("the share of images held back does not lie between 0 and 1".into());
        }
        if !(1..=1000).contains(&self.settings.shots) {
            return Some(format!("{} shots a label are not from 1 to 1000", self.settings.shots));
        }
        if self.labels.len() > MOST || self.labels.windows(2).any(|pair| pair[0].label >= pair[1].label) {
            return Some("its labels are not in order".into());
        }
        let many = |label: &Label| {
            label.label > MOST
                || label.poisdetc.as_ref().is_some_and(|s| s.losses.len() > MOST)
                || label.trigger.as_ref().is_some_and(|t| t.examples.len() > MOST)
        };
        self.labels.iter().any(many).then(|| "it has more labels or shots than an audit can have".into())
    }
}

impl From<Saved> for Audit {
    fn from(saved: Saved) -> Self {
        let Saved { settings, model, images, .. } = saved;
        let order = Order {
            model: model.path.clone(),
            images: images.path.clone(),
            reference: saved.references.iter().find_map(|r| r.path.clone()),
            label_names: settings.label_names,
            preprocessing: settings.preprocessing_given.then(|| saved.preprocessing.clone()),
            settings: crate::audit::Settings {
                seed: saved.seed,
                thorough: settings.thorough,
                shots: settings.shots,
                original_form: settings.original_form,
                device: settings.device,
                held_out: settings.held_out,
                memory_budget: settings.memory_budget,
                allow_missing_labels: settings.allow_missing_labels,
            },
        };
        let candidates: Vec<Candidate> = saved
            .preprocessing_candidates
            .into_iter()
            .map(|t| Candidate { preprocessing: t.preprocessing, accuracy: t.accuracy, loss: t.loss })
            .collect();
        let reference =
            |r: Reference| ReferenceSummary { description: r.description, path: r.path, accuracy: r.accuracy };
        Self {
            schema: saved.schema,
            program: saved.program.version,
            order,
            model: ModelSummary {
                path: model.path,
                format: model.format,
                sha256: model.sha256,
                input: model.input,
                classes: model.classes,
                parameters: model.parameters,
                operators: model.operators.into_iter().map(|o| (o.name, o.count)).collect(),
                notes: model.notes,
            },
            images: ImagesSummary {
                path: images.path,
                count: images.count,
                names: images.names,
                per_label: images.per_label,
                skipped: images.skipped,
                held_out: images.held_out,
                sha256: images.sha256,
            },
            discovery: Discovery { candidates, accuracy: saved.clean_accuracy, images: saved.preprocessing_images },
            preprocessing: saved.preprocessing,
            clean_accuracy: saved.clean_accuracy,
            references: saved.references.into_iter().map(reference).collect(),
            verdict: saved.verdict,
            summary: saved.summary,
            labels: saved.labels.into_iter().map(LabelFindings::from).collect(),
            opinions: saved.second_opinions,
            limits: saved.limits,
            stopped: saved.stopped,
            seconds: saved.seconds.unwrap_or(f64::NAN),
            finished_at: saved.finished_at,
        }
    }
}

impl From<Label> for LabelFindings {
    fn from(saved: Label) -> Self {
        let label = saved.label;
        Self {
            label,
            name: saved.name,
            verdict: saved.verdict,
            findings: saved.findings,
            margin: saved.margin.map(|margin| MarginEvidence { label, ..margin }),
            shots: saved.poisdetc.map(|shots| shots.of(label)),
            trigger: saved.trigger.map(|trigger| trigger.of(label)),
        }
    }
}

impl Shots {
    fn of(self, label: usize) -> ShotEvidence {
        ShotEvidence {
            label,
            losses: self.losses,
            reference_losses: self.reference_losses,
            steps: self.steps,
            prob: self.prob,
            flagged_by_original_rule: self.flagged_by_original_rule,
            clean_losses: self.clean_losses,
            clean_prob: self.clean_prob,
            p_value: self.p_value,
            points: self.points.iter().map(|point| picture(point.as_deref())).collect(),
        }
    }
}

impl Trigger {
    fn of(self, label: usize) -> TriggerEvidence {
        let example = |saved: Pictured| Example {
            before: picture(saved.before.as_deref()),
            after: picture(saved.after.as_deref()),
            truth: saved.truth,
            answer_before: saved.answer_before,
            answer_after: saved.answer_after,
        };
        TriggerEvidence {
            label,
            source: self.source,
            shape: self.shape,
            mask: picture(self.mask.as_deref()),
            pattern: picture(self.pattern.as_deref()),
            asr_search: self.asr_search,
            asr: self.asr,
            asr_images: self.asr_images,
            l1: self.l1,
            size: self.size,
            reached: self.reached,
            second_search: self.second_search,
            anomaly_index: self.anomaly_index,
            p_value: self.p_value,
            usual_size: self.usual_size,
            reverse_size: self.reverse_size,
            elsewhere: self.elsewhere,
            all_to_all: self.all_to_all,
            reference_sizes: self.reference_sizes,
            reference_asr: self.reference_asr,
            examples: self.examples.into_iter().map(example).collect(),
        }
    }
}

/// A picture from its text; an empty one where there is none, or it cannot be read.
fn picture(text: Option<&str>) -> Picture {
    let nothing = Picture { channels: 1, height: 0, width: 0, values: Vec::new() };
    text.and_then(pixels::from_data_uri).unwrap_or(nothing)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::{example, json, page};

    fn parsed(text: &str) -> Result<Audit, EarlierError> {
        parse(text.as_bytes(), Path::new("audit.json"))
    }

    #[test]
    fn what_was_written_whole_is_read_back_whole_as_far_as_bytes_go() {
        let audit = example::audit();
        let text = json::whole(&audit);
        let back = parsed(&text).unwrap();
        assert_eq!(json::whole(&back), text);
        let mut rounded = back.clone();
        let (ours, theirs) = (rounded.labels[1].trigger.as_mut().unwrap(), audit.labels[1].trigger.as_ref().unwrap());
        assert_eq!(ours.mask, theirs.mask, "zeros and ones survive exactly");
        ours.examples.clone_from(&theirs.examples);
        for (ours, theirs) in rounded.labels.iter_mut().zip(&audit.labels) {
            if let (Some(ours), Some(theirs)) = (&mut ours.shots, &theirs.shots) {
                assert_eq!(ours.points.len(), theirs.points.len());
                ours.points.clone_from(&theirs.points);
            }
        }
        assert_eq!(rounded, audit, "all but the rounding of pictures");
    }

    #[test]
    fn a_report_of_the_saved_audit_is_that_of_the_audit() {
        let audit = example::audit();
        let back = parsed(&json::text(&audit)).unwrap();
        for kind in [page::Kind::Html, page::Kind::Pdf] {
            assert_eq!(page::bytes(&back, None, kind).unwrap(), page::bytes(&audit, None, kind).unwrap());
        }
    }

    #[test]
    fn numbers_that_are_none_and_pictures_that_are_missing_survive() {
        let mut audit = example::audit();
        audit.clean_accuracy = f32::NAN;
        audit.labels[1].shots.as_mut().unwrap().losses[0] = f32::INFINITY;
        let mut json: serde_json::Value = serde_json::from_str(&json::text(&audit)).unwrap();
        let trigger = json.pointer_mut("/labels/1/trigger").unwrap().as_object_mut().unwrap();
        for gone in ["mask", "pattern", "examples"] {
            trigger.remove(gone).unwrap();
        }
        let back = parsed(&json.to_string()).unwrap();
        assert!(back.clean_accuracy.is_nan() && back.labels[1].shots.as_ref().unwrap().losses[0].is_nan());
        let html = page::html::text(&back, None);
        assert!(html.contains("The saved audit holds no pictures of it."), "an audit of an earlier version");
        assert!(page::bytes(&back, None, page::Kind::Pdf).is_ok());
    }

    #[test]
    fn nonsense_is_refused_in_words() {
        let good: serde_json::Value = serde_json::from_str(&json::text(&example::audit())).unwrap();
        for (field, value, said) in [
            ("/schema", serde_json::json!(7), "version 7"),
            ("/preprocessing/size/0", serde_json::json!(1_u64 << 40), "size"),
            ("/settings/shots", serde_json::json!(0), "shots"),
            ("/settings/held_out", serde_json::json!(1.5), "held back"),
            ("/labels/1/label", serde_json::json!(0), "not in order"),
            ("/labels/2/label", serde_json::json!(1_u64 << 40), "more labels"),
        ] {
            let mut bad = good.clone();
            *bad.pointer_mut(field).unwrap() = value;
            let sentence = parsed(&bad.to_string()).unwrap_err().to_string();
            assert!(sentence.contains(said), "{sentence}");
        }
    }
}
