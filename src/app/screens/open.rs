//! The first step: an invitation while nothing is chosen, then what was understood in detail.

use super::recent_audits;
use crate::app::command::{Command, Commands, Field};
use crate::app::kept::Kept;
use crate::app::state::Recent;
use crate::app::theme::{self, Colors};
use crate::app::understanding::Understanding;
use crate::app::widgets::{explained, heading, numbers, primary_button, trouble, weak};
use crate::app::words;
use crate::audit::{ImagesSummary, ModelSummary};
use crate::images::Discovery;
use egui::{RichText, Ui};

/// What the screen shows.
pub struct Open<'a> {
    /// What was understood of the files.
    pub understanding: &'a Understanding,
    /// Audits of earlier runs.
    pub recent: &'a [Recent],
    /// The audits the program keeps.
    pub kept: &'a Kept,
    /// Whether an audit is open that another can be held beside.
    pub comparable: bool,
    /// Whether the sample is being unpacked.
    pub unpacking: bool,
    /// Why the sample could not be unpacked.
    pub sample_trouble: Option<&'a str>,
}

impl Open<'_> {
    /// Draws the screen.
    pub fn ui(&self, ui: &mut Ui, commands: &mut Commands) {
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            let u = self.understanding;
            if u.model.is_none() && u.images.is_none() && u.doing.is_none() {
                self.invitation(ui, commands);
                return;
            }
            heading(ui, "What was understood of the files");
            if let Some(Ok(model)) = &u.model {
                model_card(ui, model);
            }
            if let Some(Ok(images)) = &u.images {
                images_card(ui, images);
            }
            if let Some(Ok(discovery)) = &u.discovery {
                discovery_card(ui, discovery);
            }
            for (what, error) in [
                ("The suspect model cannot be used", u.model.as_ref().and_then(|m| m.as_ref().err())),
                ("The clean images cannot be used", u.images.as_ref().and_then(|i| i.as_ref().err())),
                ("Model and images do not fit", u.discovery.as_ref().and_then(|d| d.as_ref().err())),
            ] {
                if let Some(sentence) = error {
                    trouble(ui, what, sentence);
                }
            }
            if u.doing.is_some() {
                ui.add(egui::Spinner::new().size(18.0));
            }
            ui.add_space(10.0);
            recent_audits(ui, self.kept, self.comparable, commands);
        });
    }

    fn invitation(&self, ui: &mut Ui, commands: &mut Commands) {
        let width = ui.available_width().min(620.0);
        ui.add_space((ui.available_height() * 0.14).min(110.0));
        ui.vertical_centered(|ui| {
            ui.set_max_width(width);
            ui.label(RichText::new("Was this image classifier poisoned?").text_style(theme::title()));
            ui.add_space(4.0);
            weak(
                ui,
                "A poisoned model answers well until a hidden mark, the trigger, appears in a picture. PoisDetc looks \
                 for such a mark at every label, shows it to you, and says how sure it is.",
            );
            ui.add_space(20.0);
            if self.unpacking {
                ui.add(egui::Spinner::new().size(22.0));
            } else {
                primary_button(ui, Command::TrySample, true, 220.0, commands);
            }
            weak(ui, "A small poisoned model of road signs; takes less than a minute");
            if let Some(sentence) = self.sample_trouble {
                trouble(ui, "The sample could not be opened", sentence);
            }
            ui.add_space(24.0);
            drop_here(ui);
            ui.add_space(20.0);
            recent_audits(ui, self.kept, self.comparable, commands);
            if !self.recent.is_empty() {
                ui.add_space(12.0);
                ui.label(RichText::new("Recent files").text_style(theme::strong()));
                for recent in self.recent.iter().take(5) {
                    let text = format!("{} with {}", words::file_name(&recent.model), words::file_name(&recent.images));
                    let hover = format!("{}\n{}", recent.model.display(), recent.images.display());
                    if ui.link(text).on_hover_text(hover).clicked() {
                        commands.send(Command::Use(Field::Model, recent.model.clone()));
                        commands.send(Command::Use(Field::Images, recent.images.clone()));
                    }
                }
            }
        });
    }
}

fn drop_here(ui: &mut Ui) {
    let colors = Colors::of(ui);
    let size = egui::vec2(ui.available_width(), 92.0);
    let (rect, _) = ui.allocate_exact_size(size, egui::Sense::hover());
    let corners = [rect.left_top(), rect.right_top(), rect.right_bottom(), rect.left_bottom(), rect.left_top()];
    ui.painter().extend(egui::Shape::dashed_line(
        &corners,
        egui::Stroke::new(1.2, colors.weak.gamma_multiply(0.6)),
        6.0,
        5.0,
    ));
    let mut inside = ui.new_child(
        egui::UiBuilder::new().max_rect(rect.shrink(14.0)).layout(egui::Layout::top_down(egui::Align::Center)),
    );
    inside.add_space(6.0);
    inside.label(RichText::new("Or drop your own files anywhere in this window").text_style(theme::strong()));
    inside.label(
        RichText::new("Model: .onnx, Keras .h5 or .keras · Clean images: folder, .npz, MNIST, CIFAR, CSV")
            .color(colors.weak),
    );
}

fn model_card(ui: &mut Ui, model: &ModelSummary) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(
            RichText::new(format!("Suspect model: {}", words::file_name(&model.path))).text_style(theme::strong()),
        );
        numbers(ui, "model", |ui| {
            explained(ui, "Format", words::format(model.format), "Recognised by the content of the file");
            explained(ui, "Labels", &words::count(model.classes), "Answers the model can give");
            explained(ui, "Input", &words::input(&model.input), "Pictures are brought to this size and colour");
            explained(ui, "Trained numbers", &words::count(model.parameters), "Weights and biases, all together");
            let operators: Vec<String> = model.operators.iter().map(|(name, n)| format!("{n} {name}")).collect();
            explained(
                ui,
                "Operations",
                &words::counted(model.operators.iter().map(|o| o.1).sum(), "operation", "operations"),
                &operators.join(", "),
            );
            explained(
                ui,
                "SHA-256",
                model.sha256.get(..16).unwrap_or(&model.sha256),
                &format!("Fingerprint of the file: {}", model.sha256),
            );
        });
        for note in &model.notes {
            weak(ui, note);
        }
    });
}

fn images_card(ui: &mut Ui, images: &ImagesSummary) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(
            RichText::new(format!("Clean images: {}", words::file_name(&images.path))).text_style(theme::strong()),
        );
        numbers(ui, "images", |ui| {
            explained(ui, "Images", &words::count(images.count), "Pictures that could be read");
            let fewest = images.per_label.iter().min().copied().unwrap_or(0);
            let most = images.per_label.iter().max().copied().unwrap_or(0);
            explained(
                ui,
                "Labels",
                &words::count(images.names.len()),
                &crate::app::screens::files::first(&images.names, 30),
            );
            explained(
                ui,
                "Images a label",
                &format!("{} to {}", words::count(fewest), words::count(most)),
                "Fewest and most",
            );
            if !images.skipped.is_empty() {
                let skipped = words::count(images.skipped.len());
                explained(ui, "Could not be read", &skipped, &crate::app::screens::files::first(&images.skipped, 20));
            }
        });
    });
}

fn discovery_card(ui: &mut Ui, discovery: &Discovery) {
    theme::card(ui).show(ui, |ui| {
        ui.set_min_width(ui.available_width());
        ui.label(RichText::new("Preprocessing that was tried").text_style(theme::strong()));
        weak(ui, "The first is used unless you choose another on the left");
        egui::Grid::new("tried").num_columns(3).spacing([24.0, 4.0]).striped(true).show(ui, |ui| {
            for tried in discovery.candidates.iter().take(8) {
                ui.label(words::preprocessing(&tried.preprocessing))
                    .on_hover_text(words::formula(&tried.preprocessing));
                ui.label(format!("{} right", words::percent(tried.accuracy)))
                    .on_hover_text("Share of these clean images that the suspect model answers rightly");
                ui.label(RichText::new(format!("loss {}", words::number(tried.loss))).color(Colors::of(ui).weak))
                    .on_hover_text("Mean cross-entropy of the true label; decides between equals");
                ui.end_row();
            }
        });
    });
}
