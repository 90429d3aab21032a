//! `poisdetc inspect`: what is understood of a model and of images, before anything is looked for.

use super::arguments::InspectArguments;
use super::exit::Exit;
use super::results;
use super::terminal::{self, Align, columns, harmless};
use super::watch::watch_steps;
use crate::audit::{ImagesSummary, ModelSummary};
use crate::images::{self, Discovery, ImageError, Wanted};
use crate::model::{self, Model};
use crate::progress::Monitor;
use crate::report::{json, words};
use anyhow::Result;
use candle_core::Device;
use std::path::{Path, PathBuf};

/// Unreadable pictures and preprocessings that are named one by one.
const NAMED: usize = 5;
/// What is found out, as far as it got.
#[derive(Default)]
struct Inspection {
    model: Option<ModelSummary>,
    images: Option<ImagesSummary>,
    discovery: Option<Discovery>,
    failed: Option<anyhow::Error>,
}

/// Does what was typed. What was understood before something failed is printed all the same.
///
/// # Errors
/// One sentence.
pub fn run(arguments: &InspectArguments) -> Result<Exit> {
    results::check(arguments.json.as_deref())?;
    let (model, images) = (arguments.model.clone(), arguments.images.clone());
    let label_names = arguments.labels.clone();
    let found = watch_steps(false, move |monitor| {
        let mut found = Inspection::default();
        found.failed = found.look(&model, images.as_deref(), label_names, monitor).err();
        found
    })?;
    if let Some(model) = &found.model {
        let (images, discovery) = (found.images.as_ref(), found.discovery.as_ref());
        let as_json = || json::inspection(model, images, discovery);
        results::deliver(arguments.json.as_deref(), as_json, || text(model, images, discovery))?;
    }
    match found.failed {
        Some(why) if matches!(why.downcast_ref(), Some(ImageError::Stopped(_))) => Ok(Exit::Stopped),
        Some(why) => Err(why),
        None => Ok(Exit::Finished),
    }
}

impl Inspection {
    fn look(
        &mut self,
        path: &Path,
        images: Option<&Path>,
        label_names: Option<PathBuf>,
        monitor: &Monitor,
    ) -> Result<()> {
        let model = model::open(path)?;
        self.model = Some(ModelSummary::of(&model));
        let Some(images) = images else { return Ok(()) };
        let set = images::open(images, &wanted(&model, label_names), monitor)?;
        self.images = Some(ImagesSummary::of(images, &set, 0));
        self.discovery = Some(images::discover(&model, &set, &Device::Cpu, monitor)?);
        Ok(())
    }
}

fn wanted(model: &Model, label_names: Option<PathBuf>) -> Wanted {
    Wanted { channels: Some(model.input.channels), size: model.input.size, label_names }
}

fn text(model: &ModelSummary, images: Option<&ImagesSummary>, discovery: Option<&Discovery>) -> String {
    let mut text = model_text(model);
    if let Some(images) = images {
        text.push('\n');
        text.push_str(&images_text(images));
        if let Some(why) = images.missing_labels(model.classes) {
            text.push_str(&format!("\nNote: {why}. An audit wants --allow-missing-labels.\n"));
        }
    }
    if let Some(discovery) = discovery {
        text.push('\n');
        text.push_str(&discovery_text(discovery));
    }
    text
}

fn model_text(model: &ModelSummary) -> String {
    let operators: Vec<_> = model.operators.iter().map(|(name, n)| format!("{name} x {n}")).collect();
    let mut rows = vec![
        ("Model", model.path.display().to_string()),
        ("Format", words::format(model.format).into()),
        ("SHA-256", model.sha256.clone()),
        ("Input", words::input(&model.input)),
        ("Labels", model.classes.to_string()),
        ("Parameters", words::count(model.parameters)),
        ("Operators", operators.join(", ")),
    ];
    rows.extend(model.notes.iter().map(|note| ("Note", note.clone())));
    terminal::facts(rows)
}

fn images_text(images: &ImagesSummary) -> String {
    let labels = images.names.len();
    let mut rows = vec![
        ("Images", images.path.display().to_string()),
        (
            "Usable",
            format!(
                "{} of {}",
                words::counted(images.count, "image", "images"),
                words::counted(labels, "label", "labels")
            ),
        ),
    ];
    if !images.skipped.is_empty() {
        rows.push(("Not readable", skipped(&images.skipped)));
    }
    let mut table = vec![["Label", "Name", "Images"].map(String::from).to_vec()];
    table.extend(
        images
            .names
            .iter()
            .zip(&images.per_label)
            .enumerate()
            .map(|(label, (name, &count))| vec![label.to_string(), terminal::cut(name, 40), words::count(count)]),
    );
    format!("{}\n{}", terminal::facts(rows), columns(&[Align::Right, Align::Left, Align::Right], &table))
}

fn discovery_text(discovery: &Discovery) -> String {
    let mut text = format!(
        "Clean accuracy {} on {}\n\n",
        words::percent(discovery.accuracy),
        words::counted(discovery.images, "image", "images")
    );
    let mut table = vec![["Preprocessing", "Accuracy", "Loss"].map(String::from).to_vec()];
    table.extend(discovery.candidates.iter().take(NAMED).map(|candidate| {
        vec![
            words::preprocessing(&candidate.preprocessing),
            words::percent(candidate.accuracy),
            format!("{:.3}", candidate.loss),
        ]
    }));
    text.push_str(&columns(&[Align::Left, Align::Right, Align::Right], &table));
    let more = discovery.candidates.len().saturating_sub(NAMED);
    if more > 0 {
        text.push_str(&format!("{more} more did worse\n"));
    }
    text
}

/// "2 pictures: a.png: cut off; b.png: empty".
pub fn skipped(skipped: &[String]) -> String {
    let named: Vec<_> = skipped.iter().take(NAMED).map(|why| harmless(why)).collect();
    let more = skipped.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("; and {}", words::count(more)) } else { String::new() };
    format!("{}: {}{more}", words::counted(skipped.len(), "picture", "pictures"), named.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;

    #[test]
    fn everything_understood_is_said() {
        let mut audit = example::audit();
        audit.images.skipped = (0..7).map(|i| format!("{i}.png: cut off")).collect();
        audit.model.notes.push("softmax at the end stepped over".into());
        let text = text(&audit.model, Some(&audit.images), Some(&audit.discovery));
        for part in [
            "5 x 4, 3 channels, NCHW",
            "1,234",
            "Conv x 2",
            "softmax at the end",
            "100 images of 3 labels",
            "7 pictures: 0.png: cut off;",
            "; and 2",
            "    1  stop       40",
            "Clean accuracy 97.0 % on 100 images",
            "0 to 1, RGB, 5 x 4",
        ] {
            assert!(text.contains(part), "no \"{part}\" in\n{text}");
        }
    }
}
