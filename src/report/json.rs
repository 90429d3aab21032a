//! The public JSON of an audit, for scripts; `schema` grows when a reader would have to change.
//!
//! Fields keep their order, labels theirs; a number that is not finite is `null`. The pictures of triggers are in it as
//! PNG data URIs, so that a report can be made of it; the points where shots ended only in [`whole`].

use super::pixels;
use crate::audit::{Audit, Finding, ImagesSummary, LabelFindings, ModelSummary, Opinion, ReferenceSummary, Verdict};
use crate::detect::{AllToAll, Example, MarginEvidence, Picture, Shape, ShotEvidence, TriggerEvidence};
use crate::images::Discovery;
use crate::model::{Format, InputSpec, Preprocessing};
use serde::Serialize;
use std::path::Path;

/// Version of the layout written here.
pub const SCHEMA: u32 = 1;

/// `audit` as indented JSON, with a line feed at the end.
pub fn text(audit: &Audit) -> String {
    pretty(&Document::of(audit, false))
}

/// The same with the points where shots ended: all that the window shows.
pub fn whole(audit: &Audit) -> String {
    pretty(&Document::of(audit, true))
}

/// What was understood of a model, and of images where there are any, as indented JSON with a line feed
/// at the end.
pub fn inspection(model: &ModelSummary, images: Option<&ImagesSummary>, discovery: Option<&Discovery>) -> String {
    pretty(&Inspection {
        schema: SCHEMA,
        model: Model::of(model),
        images: images.map(Images::of),
        clean_accuracy: discovery.map(|d| d.accuracy),
        preprocessing_candidates: discovery.map(candidates).unwrap_or_default(),
    })
}

pub(super) fn pretty(document: &impl Serialize) -> String {
    // serde_json refuses only paths that are no text and keys that are no strings, and there are none
    // here; should that ever change, the reader sees why instead of an empty file.
    let mut text = serde_json::to_string_pretty(document)
        .unwrap_or_else(|why| serde_json::json!({ "schema": SCHEMA, "error": why.to_string() }).to_string());
    text.push('\n');
    text
}

#[derive(Serialize)]
struct Document<'a> {
    schema: u32,
    verdict: Verdict,
    summary: &'a str,
    clean_accuracy: f32,
    preprocessing: &'a Preprocessing,
    labels: Vec<Label<'a>>,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    second_opinions: &'a [Opinion],
    limits: &'a [String],
    stopped: bool,
    seconds: f64,
    finished_at: Option<u64>,
    seed: u64,
    settings: Settings<'a>,
    model: Model<'a>,
    images: Images<'a>,
    references: Vec<Reference<'a>>,
    preprocessing_candidates: Vec<Candidate<'a>>,
    /// Images the accuracies of the candidates were measured on.
    preprocessing_images: usize,
    program: Program<'a>,
}

#[derive(Serialize)]
struct Inspection<'a> {
    schema: u32,
    model: Model<'a>,
    images: Option<Images<'a>>,
    clean_accuracy: Option<f32>,
    preprocessing_candidates: Vec<Candidate<'a>>,
}

#[derive(Serialize)]
struct Label<'a> {
    label: usize,
    name: &'a str,
    verdict: Verdict,
    findings: &'a [Finding],
    margin: Option<MarginEvidence>,
    poisdetc: Option<Shots<'a>>,
    trigger: Option<Trigger<'a>>,
}

#[derive(Serialize)]
struct Shots<'a> {
    losses: &'a [f32],
    reference_losses: &'a [f32],
    steps: &'a [usize],
    prob: f32,
    flagged_by_original_rule: bool,
    clean_losses: &'a [f32],
    clean_prob: f32,
    p_value: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    points: Option<Vec<Option<String>>>,
}

#[derive(Serialize)]
struct Trigger<'a> {
    source: Option<usize>,
    shape: Shape,
    asr: f32,
    asr_images: usize,
    asr_search: f32,
    size: f32,
    l1: f32,
    reached: bool,
    second_search: bool,
    anomaly_index: Option<f32>,
    p_value: Option<f32>,
    usual_size: Option<f32>,
    reverse_size: Option<f32>,
    elsewhere: Option<f32>,
    all_to_all: Option<AllToAll>,
    reference_sizes: &'a [f32],
    reference_asr: &'a [f32],
    mask: Option<String>,
    pattern: Option<String>,
    examples: Vec<Pictured>,
}

/// A held-back picture before and after.
#[derive(Serialize)]
struct Pictured {
    truth: usize,
    answer_before: (usize, f32),
    answer_after: (usize, f32),
    before: Option<String>,
    after: Option<String>,
}

#[derive(Serialize)]
struct Settings<'a> {
    thorough: bool,
    shots: usize,
    original_form: bool,
    device: &'a str,
    held_out: f32,
    memory_budget: usize,
    preprocessing_given: bool,
    allow_missing_labels: bool,
    label_names: Option<String>,
}

#[derive(Serialize)]
struct Model<'a> {
    path: String,
    sha256: &'a str,
    format: Format,
    input: &'a InputSpec,
    classes: usize,
    parameters: usize,
    operators: Vec<Operator<'a>>,
    notes: &'a [String],
}

#[derive(Serialize)]
struct Operator<'a> {
    name: &'a str,
    count: usize,
}

#[derive(Serialize)]
struct Images<'a> {
    path: String,
    count: usize,
    held_out: usize,
    per_label: &'a [usize],
    names: &'a [String],
    skipped: &'a [String],
    /// Of pixels and labels as they were searched and held back.
    #[serde(skip_serializing_if = "Option::is_none")]
    sha256: Option<&'a str>,
}

#[derive(Serialize)]
struct Reference<'a> {
    description: &'a str,
    path: Option<String>,
    accuracy: f32,
}

#[derive(Serialize)]
struct Candidate<'a> {
    #[serde(flatten)]
    preprocessing: &'a Preprocessing,
    accuracy: f32,
    loss: f32,
}

#[derive(Serialize)]
struct Program<'a> {
    name: &'static str,
    version: &'a str,
}

impl<'a> Document<'a> {
    fn of(audit: &'a Audit, points: bool) -> Self {
        let settings = &audit.order.settings;
        Self {
            schema: SCHEMA,
            verdict: audit.verdict,
            summary: &audit.summary,
            clean_accuracy: audit.clean_accuracy,
            preprocessing: &audit.preprocessing,
            labels: audit.labels.iter().map(|label| Label::of(label, points)).collect(),
            second_opinions: &audit.opinions,
            limits: &audit.limits,
            stopped: audit.stopped,
            seconds: audit.seconds,
            finished_at: audit.finished_at,
            seed: settings.seed.0,
            settings: Settings {
                thorough: settings.thorough,
                shots: settings.shots,
                original_form: settings.original_form,
                device: &settings.device,
                held_out: settings.held_out,
                memory_budget: settings.memory_budget,
                preprocessing_given: audit.order.preprocessing.is_some(),
                allow_missing_labels: settings.allow_missing_labels,
                label_names: audit.order.label_names.as_deref().map(path_text),
            },
            model: Model::of(&audit.model),
            images: Images::of(&audit.images),
            references: audit.references.iter().map(Reference::of).collect(),
            preprocessing_candidates: candidates(&audit.discovery),
            preprocessing_images: audit.discovery.images,
            program: Program { name: "poisdetc", version: &audit.program },
        }
    }
}

impl<'a> Label<'a> {
    fn of(label: &'a LabelFindings, points: bool) -> Self {
        Self {
            label: label.label,
            name: &label.name,
            verdict: label.verdict,
            findings: &label.findings,
            margin: label.margin,
            poisdetc: label.shots.as_ref().map(|shots| Shots::of(shots, points)),
            trigger: label.trigger.as_ref().map(Trigger::of),
        }
    }
}

impl<'a> Shots<'a> {
    fn of(shots: &'a ShotEvidence, points: bool) -> Self {
        Self {
            losses: &shots.losses,
            reference_losses: &shots.reference_losses,
            steps: &shots.steps,
            prob: shots.prob,
            flagged_by_original_rule: shots.flagged_by_original_rule,
            clean_losses: &shots.clean_losses,
            clean_prob: shots.clean_prob,
            p_value: shots.p_value,
            points: points.then(|| shots.points.iter().map(picture).collect()),
        }
    }
}

impl<'a> Trigger<'a> {
    fn of(trigger: &'a TriggerEvidence) -> Self {
        Self {
            source: trigger.source,
            shape: trigger.shape,
            asr: trigger.asr,
            asr_images: trigger.asr_images,
            asr_search: trigger.asr_search,
            size: trigger.size,
            l1: trigger.l1,
            reached: trigger.reached,
            second_search: trigger.second_search,
            anomaly_index: trigger.anomaly_index,
            p_value: trigger.p_value,
            usual_size: trigger.usual_size,
            reverse_size: trigger.reverse_size,
            elsewhere: trigger.elsewhere,
            all_to_all: trigger.all_to_all,
            reference_sizes: &trigger.reference_sizes,
            reference_asr: &trigger.reference_asr,
            mask: picture(&trigger.mask),
            pattern: picture(&trigger.pattern),
            examples: trigger.examples.iter().map(Pictured::of).collect(),
        }
    }
}

impl Pictured {
    fn of(example: &Example) -> Self {
        Self {
            truth: example.truth,
            answer_before: example.answer_before,
            answer_after: example.answer_after,
            before: picture(&example.before),
            after: picture(&example.after),
        }
    }
}

/// A picture as a text; `None` where its numbers do not fill it.
fn picture(picture: &Picture) -> Option<String> {
    pixels::data_uri(&pixels::image(picture)?)
}

impl<'a> Model<'a> {
    fn of(model: &'a ModelSummary) -> Self {
        Self {
            path: path_text(&model.path),
            sha256: &model.sha256,
            format: model.format,
            input: &model.input,
            classes: model.classes,
            parameters: model.parameters,
            operators: model.operators.iter().map(|(name, count)| Operator { name, count: *count }).collect(),
            notes: &model.notes,
        }
    }
}

impl<'a> Images<'a> {
    fn of(images: &'a ImagesSummary) -> Self {
        Self {
            path: path_text(&images.path),
            count: images.count,
            held_out: images.held_out,
            per_label: &images.per_label,
            names: &images.names,
            skipped: &images.skipped,
            sha256: images.sha256.as_deref(),
        }
    }
}

impl<'a> Reference<'a> {
    fn of(reference: &'a ReferenceSummary) -> Self {
        Self {
            description: &reference.description,
            path: reference.path.as_deref().map(path_text),
            accuracy: reference.accuracy,
        }
    }
}

fn candidates(discovery: &Discovery) -> Vec<Candidate<'_>> {
    discovery
        .candidates
        .iter()
        .map(|c| Candidate { preprocessing: &c.preprocessing, accuracy: c.accuracy, loss: c.loss })
        .collect()
}

/// JSON knows only text: what a path holds beyond that becomes the replacement character.
fn path_text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;
    use serde_json::Value;

    #[test]
    fn the_promised_fields_are_there_in_the_promised_order() {
        let text = text(&example::audit());
        let json: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["schema"], 1);
        assert_eq!(json["verdict"], "infected");
        assert_eq!(json["labels"][1]["label"], 1);
        assert_eq!(json["labels"][1]["name"], "stop");
        assert_eq!(json["labels"][1]["verdict"], "infected");
        assert_eq!(json["labels"][1]["poisdetc"]["losses"].as_array().unwrap().len(), 2);
        assert_eq!(json["labels"][1]["poisdetc"]["prob"], 1.0);
        assert_eq!(json["labels"][1]["trigger"]["asr"], 0.98);
        assert_eq!(json["labels"][0]["trigger"], Value::Null);
        assert_eq!(json["seed"], 1);
        let mut last = 0;
        for field in ["schema", "verdict", "clean_accuracy", "preprocessing", "labels", "seconds", "seed", "model"] {
            let at = text.find(&format!("\n  \"{field}\": ")).unwrap_or_else(|| panic!("no field {field}"));
            assert!(at > last, "{field} is out of order");
            last = at;
        }
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be_and_never_nan() {
        let mut audit = example::audit();
        audit.clean_accuracy = f32::NAN;
        audit.seconds = f64::INFINITY;
        let text = text(&audit);
        assert!(text.contains("\"clean_accuracy\": null") && text.contains("\"seconds\": null"));
        assert!(text.contains("\"asr\": 0.98,"), "0.98 as f32 is not 0.9800000190734863");
    }

    #[test]
    fn the_same_audit_gives_the_same_bytes() {
        assert_eq!(text(&example::audit()), text(&example::audit()));
    }

    #[cfg(unix)]
    #[test]
    fn a_path_that_is_no_text_does_not_lose_the_document() {
        use std::os::unix::ffi::OsStrExt;
        let mut audit = example::audit();
        audit.model.path = std::ffi::OsStr::from_bytes(b"model-\xff.onnx").into();
        let json: Value = serde_json::from_str(&text(&audit)).unwrap();
        assert_eq!(json["model"]["path"], "model-\u{fffd}.onnx");
    }
}
