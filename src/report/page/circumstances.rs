//! What was examined and how: files, images, preprocessing, references, settings and seeds.

use super::blocks::{Block, Cell, Table};
use crate::audit::{Audit, ImagesSummary, ModelSummary};
use crate::model::Preprocessing;
use crate::report::words;

/// Operators, notes and unreadable files that are named at most.
const NAMED: usize = 12;
/// Candidates of the preprocessing that are listed at most.
const CANDIDATES: usize = 8;

/// All of it.
pub fn blocks(audit: &Audit) -> Vec<Block> {
    let mut blocks = vec![Block::Heading("What was examined".into()), model(&audit.model)];
    if !audit.model.notes.is_empty() {
        blocks.push(Block::List(audit.model.notes.iter().take(NAMED).cloned().collect()));
    }
    blocks.push(Block::Subheading("Clean images".into()));
    blocks.push(images(&audit.images));
    if !audit.images.skipped.is_empty() {
        blocks.push(Block::Small("Images that could not be read:".into()));
        blocks.push(Block::List(first(&audit.images.skipped)));
    }
    blocks.extend(preprocessing(audit));
    blocks.push(Block::Subheading("Reference models".into()));
    blocks.push(references(audit));
    blocks.push(Block::Subheading("Settings and seeds".into()));
    blocks.push(settings(audit));
    blocks
}

fn facts<const N: usize>(facts: [(&str, String); N]) -> Block {
    Block::Facts(facts.into_iter().map(|(name, value)| (name.to_owned(), value)).collect())
}

/// The first of many, and how many more there are.
fn first(all: &[String]) -> Vec<String> {
    let mut some: Vec<String> = all.iter().take(NAMED).cloned().collect();
    if all.len() > NAMED {
        some.push(format!("and {}", words::counted(all.len() - NAMED, "more", "more")));
    }
    some
}

fn model(model: &ModelSummary) -> Block {
    let operators: Vec<String> = model.operators.iter().map(|(name, count)| format!("{count} {name}")).collect();
    facts([
        ("File", model.path.display().to_string()),
        ("SHA-256", model.sha256.clone()),
        ("Format", words::format(model.format).into()),
        ("Input", words::input(&model.input)),
        ("Labels", words::count(model.classes)),
        ("Trained numbers", words::count(model.parameters)),
        ("Operations", first(&operators).join(", ")),
    ])
}

fn images(images: &ImagesSummary) -> Block {
    let fewest = images.per_label.iter().min().copied().unwrap_or(0);
    let most = images.per_label.iter().max().copied().unwrap_or(0);
    facts([
        ("Source", images.path.display().to_string()),
        ("SHA-256 of pixels and labels", images.sha256.clone().unwrap_or_else(|| "Not recorded".into())),
        ("Images", words::count(images.count)),
        ("Held back from every search", words::count(images.held_out)),
        ("Images a label", format!("{} to {}", words::count(fewest), words::count(most))),
        ("Not readable", words::count(images.skipped.len())),
    ])
}

fn preprocessing(audit: &Audit) -> Vec<Block> {
    let used = &audit.preprocessing;
    let how = if audit.order.preprocessing.is_some() {
        "Given by the person who ordered the audit, not searched for".to_owned()
    } else {
        format!(
            "Found by trying the usual ones and keeping the one with the best accuracy on {}",
            words::counted(audit.discovery.images, "clean image", "clean images")
        )
    };
    let mut blocks = vec![
        Block::Subheading("Preprocessing".into()),
        facts([
            ("Used", words::preprocessing(used)),
            ("Formula", formula(used)),
            ("How it was found", how),
            ("Clean accuracy with it", words::percent(audit.clean_accuracy)),
        ]),
    ];
    if audit.discovery.candidates.len() > 1 {
        let rows = audit.discovery.candidates.iter().take(CANDIDATES).map(|candidate| {
            let cells = [
                words::preprocessing(&candidate.preprocessing),
                words::percent(candidate.accuracy),
                words::number(candidate.loss),
            ];
            cells.map(Cell::from).to_vec()
        });
        blocks.push(Block::Table(Table {
            caption: "The best of what was tried".into(),
            head: vec![("Tried", false), ("Right answers", true), ("Mean loss", true)],
            rows: rows.collect(),
        }));
    }
    blocks
}

fn formula(p: &Preprocessing) -> String {
    let list = |values: &[f32]| values.iter().map(|&v| words::number(v)).collect::<Vec<_>>().join(", ");
    format!("(pixel × {} − mean) / std with pixels from 0 to 1, mean {}, std {}", p.scale, list(&p.mean), list(&p.std))
}

fn references(audit: &Audit) -> Block {
    if audit.references.is_empty() {
        return Block::Text("There was none: the audit was stopped before.".into());
    }
    let said = audit.references.iter().map(|reference| {
        let file = reference.path.as_ref().map_or_else(String::new, |path| format!(", file {}", path.display()));
        format!(
            "{}; {} of images it was not trained on answered rightly{file}.",
            reference.description,
            words::percent(reference.accuracy)
        )
    });
    Block::List(said.collect())
}

fn settings(audit: &Audit) -> Block {
    let settings = &audit.order.settings;
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    facts([
        ("Seed of every random number", settings.seed.to_string()),
        ("Thorough", yes(settings.thorough)),
        ("Shots a label", words::count(settings.shots)),
        ("Original form of PoisDetc", yes(settings.original_form)),
        ("Share of images held back", words::percent(settings.held_out)),
        ("Labels without images allowed", yes(settings.allow_missing_labels)),
        ("Memory for one batch", format!("{} MiB", words::count(settings.memory_budget >> 20))),
        ("Computed on", settings.device.clone()),
        ("Time it took", words::duration(audit.seconds)),
        ("Program", format!("PoisDetc {}", audit.program)),
    ])
}
