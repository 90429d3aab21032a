//! The lab: on the left what is drawn and chosen, in the middle what comes of it.

mod challenge;
mod confusion;
mod features;
mod lesson;
mod lessons;
mod outcome;
mod settings;
mod tools;
mod training;
mod watched;
mod why;

pub use lesson::lesson;
pub use settings::settings;

use crate::app::command::{Command, Commands};
use crate::app::lab::{Facts, LabCommand, LabPath, View};
use crate::app::theme;
use crate::app::widgets::{Pictures, TypedPath, lit, trouble};
use egui::{Align, Button, Label, Layout, RichText, ScrollArea, Ui};

/// Draws the middle of the lab.
pub fn lab(ui: &mut Ui, facts: &Facts<'_>, pictures: &mut Pictures, commands: &mut Commands) {
    let lab = facts.lab;
    ui.horizontal(|ui| {
        for view in View::ALL {
            let chosen = lab.view == view;
            let style = if chosen { theme::strong() } else { egui::TextStyle::Button };
            let button = Button::selectable(chosen, RichText::new(view.name()).text_style(style));
            let tab = ui.add(button).accessible_name(view.accessible());
            let tab = lit(ui, tab, view.accessible());
            if tab.clicked() {
                commands.send(Command::Lab(LabCommand::View(view)));
            }
        }
        ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
            let free = !lab.is_training() && !lab.is_filing();
            for (word, path, enabled, hint) in [
                ("Open…", LabPath::Open, free, "Open an experiment that was saved: a folder with settings.json"),
                (
                    "Save…",
                    LabPath::Save,
                    free && lab.pair.is_some(),
                    "Save settings, trigger, both models and all pictures into a folder, to go on later or to give away",
                ),
            ] {
                let name = format!("{} experiment", word.trim_end_matches('…'));
                let button = ui.add_enabled(enabled, Button::new(word)).on_hover_text(hint);
                let button = button.on_disabled_hover_text(format!("{hint}. Possible once something is trained"));
                if button.accessible_name(name).clicked() {
                    commands.send(Command::Lab(LabCommand::Choose(path)));
                }
            }
        });
    });
    if let Some(sentence) = &lab.trouble {
        trouble(ui, "", sentence);
    }
    if let Some(path) = &lab.saved {
        let text = format!("The experiment is in {}", path.display());
        ui.add(Label::new(RichText::new(text).text_style(theme::strong())).wrap());
    }
    typed_path(ui, lab.typed.as_ref(), commands);
    ScrollArea::vertical().id_salt(("lab", lab.view.name())).auto_shrink(false).show(ui, |ui| match lab.view {
        View::Train => training::training(ui, lab, pictures, commands),
        View::Why => why::why(ui, lab, pictures, commands),
        View::Outcome => outcome::outcome(ui, facts, pictures, commands),
        View::Challenge => challenge::challenge(ui, facts, pictures, commands),
        View::Lessons => lessons::lessons(ui, commands),
    });
}

/// Where a path is typed, on systems without a file dialog.
fn typed_path(ui: &mut Ui, typed: Option<&(LabPath, String)>, commands: &mut Commands) {
    let Some((path, text)) = typed else { return };
    let (asks, button) = match path {
        LabPath::Images => ("Type the folder of your images", ("Use these", "Read the images of this folder")),
        LabPath::Trigger => ("Type the PNG file of a trigger", ("Use it", "Read the trigger in this file")),
        LabPath::Save => ("Type the folder for the experiment", ("Save here", "Write the experiment into this folder")),
        LabPath::Open => ("Type the folder of the experiment", ("Open this", "Open the experiment in this folder")),
    };
    let path = *path;
    let field = TypedPath {
        asks,
        label: "Path",
        button,
        typed: &move |text| Command::Lab(LabCommand::Type(path, text)),
        done: Command::Lab(LabCommand::Chosen(path, text.into())),
    };
    field.ui(ui, text, commands);
}

/// Name of a label among `names`.
fn name(names: &[String], label: usize) -> String {
    names.get(label).cloned().unwrap_or_else(|| label.to_string())
}
