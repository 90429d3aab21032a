//! The panel on the left: which files, what was understood of each, and the button that starts.

use crate::app::command::{Command, Commands, Field};
use crate::app::form::{Choice, Form};
use crate::app::state::Recent;
use crate::app::theme::{self, Colors};
use crate::app::understanding::Understanding;
use crate::app::widgets::{help, path_field, primary_button, trouble, weak};
use crate::app::words;
use crate::tensor::device;
use egui::{ComboBox, DragValue, RichText, TextEdit, Ui};
use std::path::PathBuf;

/// What the panel shows besides the form.
pub struct Files<'a> {
    /// What was understood of the files.
    pub understanding: &'a Understanding,
    /// Audits of earlier runs.
    pub recent: &'a [Recent],
    /// What the start button was missing, and where.
    pub missing: Option<&'a (Field, String)>,
    /// Whether an audit runs.
    pub running: bool,
    /// Whether it was asked to stop.
    pub stopping: bool,
}

impl Files<'_> {
    /// Draws the panel.
    pub fn ui(&self, ui: &mut Ui, form: &mut Form, commands: &mut Commands) {
        egui::Panel::bottom("start")
            .frame(egui::Frame::NONE.inner_margin(egui::Margin { left: 16, right: 16, top: 8, bottom: 14 }))
            .show_separator_line(false)
            .show(ui, |ui| self.start(ui, form, commands));
        egui::ScrollArea::vertical().auto_shrink(false).show(ui, |ui| {
            egui::Frame::NONE.inner_margin(egui::Margin { left: 16, right: 16, top: 14, bottom: 8 }).show(ui, |ui| {
                ui.add_enabled_ui(!self.running, |ui| {
                    self.model(ui, form, commands);
                    ui.add_space(10.0);
                    self.images(ui, form, commands);
                    ui.add_space(10.0);
                    self.reference(ui, form, commands);
                    ui.add_space(10.0);
                    self.label_names(ui, form, commands);
                    ui.add_space(10.0);
                    self.expert(ui, form);
                });
            });
        });
    }

    fn start(&self, ui: &mut Ui, form: &Form, commands: &mut Commands) {
        if let Some(doing) = &self.understanding.doing {
            ui.horizontal(|ui| {
                ui.add(egui::Spinner::new().size(14.0));
                weak(ui, format!("{doing}…"));
            });
        }
        let width = ui.available_width();
        if self.running {
            let text = if self.stopping { "Stopping…" } else { Command::Stop.text() };
            let button =
                egui::Button::new(RichText::new(text).text_style(theme::strong())).min_size(egui::vec2(width, 36.0));
            let response = ui
                .vertical_centered(|ui| ui.add_enabled(!self.stopping, button))
                .inner
                .accessible_name(if self.stopping { "Stopping the work" } else { "Stop the work" })
                .on_hover_text(Command::Stop.hint(ui.ctx()));
            if response.clicked() {
                commands.send(Command::Stop);
            }
        } else {
            let ready = form.path(Field::Model).is_some() && form.path(Field::Images).is_some();
            primary_button(ui, Command::Start, ready, width, commands);
        }
    }

    fn lacks(&self, ui: &mut Ui, field: Field) {
        if let Some((at, sentence)) = self.missing
            && *at == field
        {
            trouble(ui, "", sentence);
        }
    }

    fn model(&self, ui: &mut Ui, form: &mut Form, commands: &mut Commands) {
        let recent = unique(self.recent.iter().map(|r| &r.model));
        let dialogs = [("Open…", Command::OpenModel)];
        path_field(ui, "Suspect model", (Field::Model, &mut form.model), &dialogs, &recent, commands);
        self.lacks(ui, Field::Model);
        match &self.understanding.model {
            Some(Ok(model)) => {
                understood(
                    ui,
                    &format!("{}, {}", words::format(model.format), words::counted(model.classes, "label", "labels")),
                );
                weak(
                    ui,
                    format!("{} · {} trained numbers", words::input(&model.input), words::count(model.parameters)),
                );
            }
            Some(Err(sentence)) => trouble(ui, "", sentence),
            None => {}
        }
    }

    fn images(&self, ui: &mut Ui, form: &mut Form, commands: &mut Commands) {
        let recent = unique(self.recent.iter().map(|r| &r.images));
        let dialogs = [("Folder…", Command::OpenImageFolder), ("File…", Command::OpenImageFile)];
        path_field(ui, "Clean images", (Field::Images, &mut form.images), &dialogs, &recent, commands);
        self.lacks(ui, Field::Images);
        match &self.understanding.images {
            Some(Ok(images)) => {
                let count = words::counted(images.count, "image", "images");
                understood(ui, &format!("{count} in {}", words::counted(images.names.len(), "label", "labels")));
                if !images.skipped.is_empty() {
                    let skipped = words::counted(images.skipped.len(), "file", "files");
                    weak(ui, format!("{skipped} could not be read")).on_hover_text(first(&images.skipped, 12));
                }
            }
            Some(Err(sentence)) => trouble(ui, "", sentence),
            None => {}
        }
        if let (Some(Ok(model)), Some(Ok(images))) = (&self.understanding.model, &self.understanding.images)
            && let Some(why) = images.missing_labels(model.classes)
        {
            if form.settings.allow_missing_labels {
                weak(ui, why);
            } else {
                trouble(ui, "", &why);
            }
            theme::outline(ui);
            ui.checkbox(&mut form.settings.allow_missing_labels, "Go on without them").on_hover_text(
                "Labels without an image are searched as well, and the verdict says what it does not know",
            );
        }
        match &self.understanding.discovery {
            Some(Ok(_)) => self.preprocessing(ui, form),
            Some(Err(sentence)) => trouble(ui, "", sentence),
            None => {}
        }
    }

    fn preprocessing(&self, ui: &mut Ui, form: &mut Form) {
        let Some(Ok(found)) = &self.understanding.discovery else { return };
        let Some(best) = found.candidates.first() else { return };
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            let name = ui.label(RichText::new("Preprocessing").color(Colors::of(ui).weak));
            help(
                ui,
                "Preprocessing",
                "How pixels are turned into the numbers the model was trained with. The usual ways are tried, and \
                 the one with the most right answers is used; you can choose another",
            );
            let chosen = match &form.choice {
                Choice::Found => format!("{} (found)", words::preprocessing(&best.preprocessing)),
                Choice::Tried(p) => words::preprocessing(p),
                Choice::Typed => "typed below".into(),
            };
            ComboBox::from_id_salt("preprocessing")
                .selected_text(chosen)
                .width(ui.available_width())
                .truncate()
                .show_ui(ui, |ui| {
                    ui.set_min_width(230.0);
                    for (i, tried) in found.candidates.iter().enumerate() {
                        let choice = if i == 0 { Choice::Found } else { Choice::Tried(tried.preprocessing.clone()) };
                        let text = format!(
                            "{} · {} right",
                            words::preprocessing(&tried.preprocessing),
                            words::percent(tried.accuracy)
                        );
                        ui.selectable_value(&mut form.choice, choice, text)
                            .on_hover_text(words::formula(&tried.preprocessing));
                    }
                })
                .response
                .labelled_by(name.id);
        });
        let used = match &form.choice {
            Choice::Found => Some(best),
            Choice::Tried(p) => found.candidates.iter().find(|c| c.preprocessing == *p),
            Choice::Typed => None,
        };
        if let Some(used) = used {
            weak(
                ui,
                format!(
                    "accuracy {} on {}",
                    words::percent(used.accuracy),
                    words::counted(found.images, "image tried", "images tried")
                ),
            )
            .on_hover_text("Share of these clean images that the suspect model answers rightly");
        }
    }

    fn reference(&self, ui: &mut Ui, form: &mut Form, commands: &mut Commands) {
        ui.horizontal(|ui| {
            ui.spacing_mut().item_spacing.x = 6.0;
            ui.label(RichText::new("Reference model").text_style(theme::strong()));
            help(
                ui,
                "Reference model",
                "A model for the same labels that is known to be clean. The suspect is compared with it; without \
                 one, the program trains one on the clean images",
            );
        });
        let before = form.trained_here;
        ui.horizontal(|ui| {
            theme::outline(ui);
            ui.radio_value(&mut form.trained_here, true, "Trained here");
            ui.radio_value(&mut form.trained_here, false, "From a file");
        });
        if before != form.trained_here {
            commands.send(Command::Understand);
        }
        if !form.trained_here {
            let dialogs = [("Open…", Command::OpenReference)];
            path_field(ui, "Reference model file", (Field::Reference, &mut form.reference), &dialogs, &[], commands);
            match &self.understanding.reference {
                Some(Ok(model)) => understood(
                    ui,
                    &format!("{}, {}", words::format(model.format), words::counted(model.classes, "label", "labels")),
                ),
                Some(Err(sentence)) => trouble(ui, "", sentence),
                None => {}
            }
        }
        self.lacks(ui, Field::Reference);
    }

    fn label_names(&self, ui: &mut Ui, form: &mut Form, commands: &mut Commands) {
        let dialogs = [("Open…", Command::OpenLabelNames)];
        path_field(ui, "Label names (optional)", (Field::LabelNames, &mut form.label_names), &dialogs, &[], commands);
        self.lacks(ui, Field::LabelNames);
    }

    fn expert(&self, ui: &mut Ui, form: &mut Form) {
        egui::CollapsingHeader::new("Expert settings").show_unindented(ui, |ui| {
            theme::outline(ui);
            let s = &mut form.settings;
            ui.checkbox(&mut s.thorough, "Thorough").on_hover_text(
                "Searches a trigger for every label with the full number of steps, instead of only for labels that stand out",
            );
            ui.checkbox(&mut s.original_form, "PoisDetc as published").on_hover_text(
                "Keeps the colour-space slip of the published code, to compare with its numbers",
            );
            egui::Grid::new("settings").num_columns(2).show(ui, |ui| {
                let row = |ui: &mut Ui, name: &str, explanation: &str, value: DragValue<'_>| {
                    let label = ui.label(name);
                    ui.add(value).labelled_by(label.id).on_hover_text(explanation);
                    ui.end_row();
                };
                row(ui, "Seed", "Every random number comes from this; the same seed gives the same audit", DragValue::new(&mut s.seed.0));
                row(ui, "Shots a label", "PoisDetc's random starting points for each label; 10 as published", DragValue::new(&mut s.shots).range(1..=100));
                let mut percent = s.held_out * 100.0;
                let held = DragValue::new(&mut percent).range(5.0..=90.0).suffix(" %").max_decimals(0);
                row(ui, "Images held back", "Share of the clean images kept out of every search, to confirm triggers on", held);
                s.held_out = percent / 100.0;
                let mut megabytes = s.memory_budget >> 20;
                let memory = DragValue::new(&mut megabytes).range(64..=1 << 20).suffix(" MiB");
                row(ui, "Memory for a batch", "Larger is faster, as long as it fits", memory);
                s.memory_budget = megabytes << 20;
                computed_on(ui, &mut s.device);
            });
            let mut typed = form.choice == Choice::Typed;
            if ui.checkbox(&mut typed, "Type the preprocessing").on_hover_text("Instead of the one that was found").changed() {
                form.choice = if typed { Choice::Typed } else { Choice::Found };
            }
            if typed {
                self.typed(ui, form);
            }
        });
    }

    fn typed(&self, ui: &mut Ui, form: &mut Form) {
        weak(ui, "(pixel × scale − mean) / std, pixels from 0 to 1");
        let t = &mut form.typed;
        egui::Grid::new("typed").num_columns(2).show(ui, |ui| {
            for (name, text) in [("Scale", &mut t.scale), ("Mean", &mut t.mean), ("Std", &mut t.std)] {
                let label = ui.label(name);
                ui.add(TextEdit::singleline(text).desired_width(160.0)).labelled_by(label.id);
                ui.end_row();
            }
        });
        ui.checkbox(&mut t.blue_first, "Blue first (OpenCV)");
        let (size, channels) = self.understanding.shape().unwrap_or(([32, 32], 3));
        if let Err(sentence) = form.typed.read(size, channels) {
            trouble(ui, "", &sentence);
        }
    }
}

/// The device, where this build knows more than one.
fn computed_on(ui: &mut Ui, device: &mut String) {
    let label = ui.label("Computed on");
    if let [only] = device::OFFERED {
        let hint = "This build knows no graphics card; one with the feature \"cuda\" or \"metal\" does";
        ui.label(words::device(only)).labelled_by(label.id).on_hover_text(hint);
    } else {
        let chosen = words::device(device);
        let list = ComboBox::from_id_salt("device").selected_text(chosen).show_ui(ui, |ui| {
            for name in device::OFFERED {
                ui.selectable_value(device, (*name).to_owned(), words::device(name));
            }
        });
        let hint = "A card that cannot be used is replaced by the processor, and the result says so";
        list.response.labelled_by(label.id).on_hover_text(hint);
    }
    ui.end_row();
}

/// A line with a tick: this was understood.
fn understood(ui: &mut Ui, text: &str) {
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 6.0;
        let color = Colors::of(ui).accent;
        let (rect, _) = ui.allocate_exact_size(egui::vec2(12.0, 12.0), egui::Sense::hover());
        let points = [egui::vec2(-4.5, 0.0), egui::vec2(-1.5, 3.5), egui::vec2(4.5, -4.0)].map(|v| rect.center() + v);
        ui.painter().line(points.into(), egui::Stroke::new(1.8, color));
        ui.add(egui::Label::new(text).wrap());
    });
}

fn unique<'a>(paths: impl Iterator<Item = &'a PathBuf>) -> Vec<PathBuf> {
    let mut seen: Vec<PathBuf> = Vec::new();
    for path in paths {
        if !seen.contains(path) {
            seen.push(path.clone());
        }
    }
    seen
}

/// The first `n` lines, and how many more there are.
pub fn first(lines: &[String], n: usize) -> String {
    let mut text = lines.iter().take(n).cloned().collect::<Vec<_>>().join("\n");
    if lines.len() > n {
        text.push_str(&format!("\nand {} more", lines.len() - n));
    }
    text
}
