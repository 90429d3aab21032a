//! What the report says, from top to bottom, before it is laid out.

use super::blocks::{Block, Cell, Table};
use super::repair::Repair;
use super::{circumstances, evidence, wording};
use crate::audit::{Audit, LabelFindings, Verdict};
use crate::detect::ShotEvidence;
use crate::report::figure;
use crate::report::words;

/// Width and height of the drawing of all losses, in points.
const LOSSES: (f32, f32) = (495.0, 190.0);
/// Labels without anything that stands out are listed up to this many; the JSON has all.
const LABELS: usize = 120;
/// A shot whose loss is at most this has reached its label (PoisDetc).
const REACHED: f32 = 0.2;

/// The whole report.
pub fn blocks(audit: &Audit, repair: Option<&Repair>) -> Vec<Block> {
    let mut blocks = opening(audit);
    blocks.extend(evidence::of_triggers(audit));
    blocks.extend(labels(audit));
    blocks.extend(evidence::searches(audit));
    if let Some(repair) = repair {
        blocks.extend(repair.blocks());
    }
    blocks.extend(circumstances::blocks(audit));
    blocks.extend(method(audit, repair));
    blocks.extend(closing(audit));
    blocks
}

/// The title of the document.
pub fn title(audit: &Audit) -> String {
    format!("Audit of {} for backdoors", file_name(audit))
}

fn file_name(audit: &Audit) -> String {
    let path = &audit.model.path;
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

fn opening(audit: &Audit) -> Vec<Block> {
    let sentences = |all: &[&str]| Block::List(all.iter().map(|s| (*s).to_owned()).collect());
    let mut summary = audit.summary.trim_end_matches('.').to_owned();
    summary.push('.');
    let mut facts =
        vec![("Suspect model".to_owned(), file_name(audit)), ("SHA-256".into(), audit.model.sha256.clone())];
    let when = audit.finished_at.map_or_else(|| "Not recorded".into(), words::time);
    facts.push(("Audit ended".into(), when));
    facts.push(("Examined by".into(), format!("PoisDetc {}", audit.program)));
    vec![
        Block::Title(title(audit)),
        Block::Facts(facts),
        Block::Banner(audit.verdict, words::verdict(audit.verdict).into(), summary),
        Block::Heading("What this verdict means".into()),
        sentences(wording::means(audit.verdict, audit.searched())),
        Block::Heading("What it does not mean".into()),
        sentences(wording::does_not_mean(audit.verdict)),
        Block::Heading("Why".into()),
        Block::List(reasons(audit)),
    ]
}

fn reasons(audit: &Audit) -> Vec<String> {
    let accused = audit.labels.iter().filter(|label| label.verdict > Verdict::NoEvidence);
    let mut reasons: Vec<String> = accused
        .flat_map(|label| {
            let name = words::label(label.label, &label.name);
            label
                .findings
                .iter()
                .map(move |finding| format!("Label {name}: {}.", finding.because.trim_end_matches('.')))
        })
        .collect();
    if reasons.is_empty() {
        let examined = audit.labels.iter().filter(|l| l.shots.is_some() || l.trigger.is_some()).count();
        let examined = words::counted(examined, "label", "labels");
        reasons.push(format!("None of {examined} went beyond what honest models show, and no trigger was confirmed."));
    }
    reasons.push(format!(
        "The suspect answers {} of the clean images rightly, so it does the task it was made for.",
        words::percent(audit.clean_accuracy)
    ));
    if audit.stopped {
        reasons.push("The audit was stopped before its end: what is missing below was not examined.".into());
    }
    reasons
}

/// The drawing of all losses and the table of all labels.
fn labels(audit: &Audit) -> Vec<Block> {
    let mut blocks = vec![Block::Together(LOSSES.1 + 120.0), Block::Heading("All labels".into())];
    if let Some(figure) = figure::losses(&audit.labels, LOSSES.0, LOSSES.1) {
        blocks.push(Block::Figure(figure));
    }
    let stands_out = |l: &LabelFindings| l.verdict > Verdict::NoEvidence || l.trigger.is_some();
    let mut room = LABELS;
    let shown: Vec<&LabelFindings> = audit
        .labels
        .iter()
        .filter(|label| {
            let left = room;
            room = if stands_out(label) { left } else { left.saturating_sub(1) };
            stands_out(label) || left > 0
        })
        .collect();
    let hidden = audit.labels.len() - shown.len();
    blocks.push(Block::Table(Table {
        caption: "The numbers behind the verdict, for each label".into(),
        head: vec![
            ("Label", false),
            ("Verdict", false),
            ("Shots reached", true),
            ("Lowest loss", true),
            ("Works on", true),
            ("Size", true),
            ("Anomaly", true),
            ("p-value", true),
        ],
        rows: shown.into_iter().map(row).collect(),
    }));
    if hidden > 0 {
        let labels = words::counted(hidden, "more label", "more labels");
        blocks
            .push(Block::Small(format!("{labels} without anything that stands out; the JSON of the audit has them.")));
    }
    blocks.push(Block::Small(
        "Shots reached: of the shots at the label those with a final loss of at most 0.2. Works on: share of held-back pictures of other labels that the recovered \
         trigger turns. Size: share of the picture it covers, how strong a faint pattern over all of it is, or how far a warp moves its pixels. Anomaly: how \
         far the trigger is below the median size of all labels, in deviations; above 3.5 is unusual. p-value: how often some \
         label of an honest model has a trigger that lies as far below; at most 0.02 is unusual. –: not known."
            .into(),
    ));
    blocks
}

fn row(label: &LabelFindings) -> Vec<Cell> {
    let dash = || "–".to_owned();
    let shots = |say: &dyn Fn(&ShotEvidence) -> Option<String>| label.shots.as_ref().and_then(say).unwrap_or_else(dash);
    let trigger = label.trigger.as_ref();
    let reached = |s: &ShotEvidence| {
        Some(format!("{} of {}", s.losses.iter().filter(|&&loss| loss <= REACHED).count(), s.losses.len()))
    };
    let lowest = |s: &ShotEvidence| s.losses.iter().copied().min_by(f32::total_cmp).map(words::number);
    vec![
        words::label(label.label, &label.name).into(),
        Cell { text: words::verdict(label.verdict).into(), verdict: Some(label.verdict) },
        shots(&reached).into(),
        shots(&lowest).into(),
        trigger.map_or_else(dash, words::works_on).into(),
        trigger.map_or_else(dash, words::size).into(),
        trigger.and_then(|t| t.anomaly_index).map_or_else(dash, words::index).into(),
        trigger.and_then(|t| t.p_value).map_or_else(dash, words::number).into(),
    ]
}

fn method(audit: &Audit, repair: Option<&Repair>) -> Vec<Block> {
    let mut papers: Vec<String> = wording::PAPERS.iter().map(|p| (*p).to_owned()).collect();
    papers.extend(repair.and_then(|r| wording::paper_of_repair(&r.method)).map(str::to_owned));
    let mut method: Vec<String> = wording::METHOD.iter().map(|p| (*p).to_owned()).collect();
    if audit.order.settings.original_form {
        method.push("The shots were made in PoisDetc's original form, its slip in the colour space included.".into());
    }
    vec![
        Block::Heading("How it was examined".into()),
        Block::List(method),
        Block::Heading("References".into()),
        Block::List(papers),
    ]
}

fn closing(audit: &Audit) -> Vec<Block> {
    let limits = audit.limits.iter().map(|limit| format!("{}.", limit.trim_end_matches('.'))).collect();
    vec![
        Block::Heading("Limits: what was not examined".into()),
        Block::List(limits),
        Block::Together(210.0),
        Block::Heading("Signature".into()),
        Block::Text(wording::SIGNED.into()),
        Block::Signature(wording::LINES.to_vec()),
    ]
}
