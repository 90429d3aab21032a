//! The recovered triggers as pictures, and what was searched for them.

use super::blocks::{Block, Cell, Shown, Table};
use crate::audit::{Audit, LabelFindings, Verdict};
use crate::detect::{Example, Shape, TriggerEvidence};
use crate::report::{pixels, words};

/// Labels whose trigger is shown at most; an all-to-all attack has one at every label.
const SHOWN: usize = 8;
/// Pictures with the trigger that are shown for each.
const EXAMPLES: usize = 3;

/// Pictures of the triggers of all labels that were called something, the worst first.
pub fn of_triggers(audit: &Audit) -> Vec<Block> {
    let mut accused: Vec<(&LabelFindings, &TriggerEvidence)> = audit
        .labels
        .iter()
        .filter(|label| label.verdict > Verdict::NoEvidence)
        .filter_map(|label| Some((label, label.trigger.as_ref()?)))
        .collect();
    if accused.is_empty() {
        return Vec::new();
    }
    // The sort is stable: labels of one verdict stay in their order.
    accused.sort_by_key(|(label, _)| std::cmp::Reverse(label.verdict));
    let mut blocks = vec![Block::Together(340.0), Block::Heading("Recovered triggers".into())];
    let more = accused.len().saturating_sub(SHOWN);
    for (label, trigger) in accused.into_iter().take(SHOWN) {
        blocks.extend(of_trigger(audit, label, trigger));
    }
    if more > 0 {
        let labels = words::counted(more, "more label has", "more labels have");
        blocks.push(Block::Small(format!("{labels} a recovered trigger, whose numbers are in the tables below.")));
    }
    blocks
}

fn of_trigger(audit: &Audit, label: &LabelFindings, trigger: &TriggerEvidence) -> Vec<Block> {
    let name = |label: usize| name(audit, label);
    let of = trigger.source.map_or_else(|| "of other labels".into(), |source| format!("of label {}", name(source)));
    let said = format!(
        "Put on {} {of} that were held back from the search, it turns {} of them into this label.",
        words::counted(trigger.asr_images, "picture", "pictures"),
        words::percent(trigger.asr)
    );
    let title = format!("Label {}: {}", name(label.label), words::verdict(label.verdict).to_lowercase());
    let mut blocks = vec![Block::Together(290.0), Block::Subheading(title), Block::Text(said)];
    let pictures = [
        pixels::image(&trigger.mask),
        pixels::image(&trigger.pattern),
        pixels::on_gray(&trigger.mask, &trigger.pattern),
        pixels::heat(&trigger.examples),
    ];
    let mut gallery: Vec<Shown> = pictures
        .into_iter()
        .zip(words::parts(trigger.shape))
        .filter_map(|(picture, part)| {
            let (what, how) = part?;
            let alt = format!("{what} of label {}", name(label.label));
            Some(Shown { picture: picture?, alt, below: vec![what.into(), how.into()] })
        })
        .collect();
    if gallery.is_empty() {
        blocks.push(Block::Small("The saved audit holds no pictures of it.".into()));
    }
    blocks.push(Block::Gallery(std::mem::take(&mut gallery)));
    let examples: Vec<Shown> =
        trigger.examples.iter().take(EXAMPLES).flat_map(|example| before_and_after(example, &name)).collect();
    if !examples.is_empty() {
        blocks.push(Block::Small("Held-back pictures, clean and with the trigger, and what the model answers:".into()));
        blocks.push(Block::Gallery(examples));
    }
    blocks
}

fn before_and_after(example: &Example, name: &dyn Fn(usize) -> String) -> Vec<Shown> {
    let truth = name(example.truth);
    [
        (&example.before, example.answer_before, "Clean picture"),
        (&example.after, example.answer_after, "With the trigger"),
    ]
    .into_iter()
    .filter_map(|(picture, (answer, sure), what)| {
        let said = name(answer);
        Some(Shown {
            picture: pixels::image(picture)?,
            alt: format!("{what} of {truth}: the model says {said}"),
            below: vec![format!("“{said}”"), format!("{} sure", words::percent(sure)), what.into()],
        })
    })
    .collect()
}

/// "14 stop" of any label.
fn name(audit: &Audit, label: usize) -> String {
    let name = audit.images.names.get(label).map_or("", String::as_str);
    words::label(label, name)
}

/// What was searched for each label at which a trigger was searched: patches, faint patterns, pairs.
pub fn searches(audit: &Audit) -> Vec<Block> {
    let rows: Vec<Vec<Cell>> =
        audit.labels.iter().filter_map(|label| Some(search(audit, label, label.trigger.as_ref()?))).collect();
    let heading = Block::Heading("Searches for triggers".into());
    if rows.is_empty() {
        return vec![heading, Block::Text("No trigger was searched for.".into())];
    }
    let table = Table {
        caption: "The trigger that came out at each label that was searched".into(),
        head: vec![
            ("Label", false),
            ("Kind", false),
            ("Works on", true),
            ("In the search", true),
            ("Size", true),
            ("Usual size", true),
            ("On honest models", true),
            ("Works there", true),
        ],
        rows,
    };
    let mut blocks = vec![heading, Block::Table(table)];
    blocks.push(Block::Small(
        "Kind: a patch covers few pixels; a faint pattern is added to the whole picture; a warp bends it; “from” names the only label whose \
         pictures it turns. Usual size: median of the labels, or of ordinary pairs of labels, of this model. On honest \
         models: the size that models known clean need for the same. Works there: how often this very trigger turns \
         pictures there. Shown is, for each label, the strongest of all triggers that were found."
            .into(),
    ));
    let ways: Vec<String> = audit
        .labels
        .iter()
        .filter_map(|label| {
            let trigger = label.trigger.as_ref()?;
            let (source, back) = (trigger.source?, trigger.reverse_size?);
            let elsewhere = trigger.elsewhere.map_or_else(|| "an unknown share".into(), words::percent);
            Some(format!(
                "From {} to {}: the way back needs {}; on pictures of every other label it works on {elsewhere}.",
                name(audit, source),
                name(audit, label.label),
                words::percent(back)
            ))
        })
        .collect();
    if !ways.is_empty() {
        blocks.push(Block::List(ways));
    }
    blocks
}

fn search(audit: &Audit, label: &LabelFindings, trigger: &TriggerEvidence) -> Vec<Cell> {
    let dash = || "–".to_owned();
    let kind = match trigger.shape {
        Shape::Patch => "patch",
        Shape::Blend => "faint pattern",
        Shape::Warp => "warp",
        Shape::Filter => "colour filter",
    };
    let kind = trigger.source.map_or_else(|| kind.into(), |source| format!("{kind} from {}", name(audit, source)));
    let list = |values: &[f32], said: fn(f32) -> String| {
        let said: Vec<String> = values.iter().map(|&v| said(v)).collect();
        if said.is_empty() { dash() } else { said.join(", ") }
    };
    let size = words::percent(trigger.size);
    vec![
        name(audit, label.label).into(),
        kind.into(),
        words::percent(trigger.asr).into(),
        words::percent(trigger.asr_search).into(),
        if trigger.reached { size } else { format!("{size}, not reached") }.into(),
        trigger.usual_size.map_or_else(dash, words::percent).into(),
        list(&trigger.reference_sizes, |v| if v < 1.0 { words::percent(v) } else { "not reached".into() }).into(),
        list(&trigger.reference_asr, words::percent).into(),
    ]
}
