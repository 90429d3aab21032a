//! Lays the window out: steps on top, files on the left, progress at the bottom, the screen in the middle.

use super::App;
use super::command::{Command, Commands, Field, Step};
use super::kept::Source;
use super::lab::LabCommand;
use super::log;
use super::saving::Output;
use super::screens::compare::Compare;
use super::screens::detect::Shown;
use super::screens::files::Files;
use super::screens::inspect::Inspect;
use super::screens::lab;
use super::screens::log_view;
use super::screens::open::Open;
use super::screens::repair::RepairScreen;
use super::theme::{self, Colors};
use super::widgets::{lit, progress_bar, shine, weak};
use super::words;
use crate::report::page::Kind;
use egui::{
    Align, Align2, Button, CentralPanel, Frame, Layout, Margin, Panel, RichText, Sense, Stroke, ThemePreference, Ui,
    vec2,
};
use std::path::Path;

/// What runs, as the line at the bottom shows it.
pub(super) struct Work<'a> {
    pub(super) name: &'static str,
    stage: &'a str,
    pub(super) fraction: f32,
    seconds_left: Option<f32>,
    stopping: bool,
}

impl App {
    pub(super) fn draw(&mut self, ui: &mut Ui) {
        if let Some(mut palette) = self.palette.take() {
            let allowed = |command: &Command| self.allows(command);
            let mut chosen = Commands::default();
            if palette.ui(ui.ctx(), &self.known, &allowed, &mut chosen) {
                self.palette = Some(palette);
            }
            chosen.take().into_iter().for_each(|command| self.commands.send(command));
        } else {
            let mut pressed = Commands::default();
            // A field that is being typed in takes back its own letters.
            let typing = ui.ctx().egui_wants_keyboard_input();
            let escaped = self.close_in_front(ui.ctx());
            let theirs = |command: &Command| match command {
                Command::Undo | Command::Redo => typing,
                Command::Stop => escaped,
                _ => false,
            };
            pressed.listen(ui.ctx(), |command| !theirs(command) && self.allows(command));
            pressed.take().into_iter().for_each(|command| self.commands.send(command));
        }
        self.take_drops(ui);
        let colors = Colors::of(ui);
        let bar = |x, y| Frame::NONE.fill(colors.panel).inner_margin(Margin::symmetric(x, y));
        Panel::top("steps").frame(bar(16, 8)).show(ui, |ui| self.top(ui));
        if let Some(at) = self.lab.lesson {
            let mut commands = std::mem::take(&mut self.commands);
            Panel::top("lesson").frame(bar(0, 0)).show(ui, |ui| lab::lesson(ui, at, &self.facts(), &mut commands));
            self.commands = commands;
        } else {
            shine(ui.ctx(), "");
        }
        Panel::bottom("progress").frame(bar(16, 8)).show(ui, |ui| self.bottom(ui));
        // The lab has other things to choose than an audit.
        if self.step == Step::Lab {
            Panel::left("lab settings")
                .frame(bar(0, 0))
                .default_size(344.0)
                .size_range(336.0..=460.0)
                .show(ui, |ui| lab::settings(ui, &mut self.lab, &mut self.commands));
        } else {
            Panel::left("files")
                .frame(bar(0, 0))
                .default_size(312.0)
                .size_range(280.0..=460.0)
                .show(ui, |ui| self.files(ui));
        }
        if self.log.0 {
            log_view(ui.ctx(), &mut self.commands);
        }
        if let Some(glossary) = &mut self.glossary {
            glossary.ui(ui.ctx(), &mut self.commands);
        }
        self.pictures.show_enlarged(ui.ctx());
        CentralPanel::default()
            .frame(Frame::NONE.fill(colors.ground).inner_margin(Margin { left: 18, right: 18, top: 14, bottom: 10 }))
            .show(ui, |ui| self.screen(ui));
    }

    /// Escape closes what lies over the screen, the front first. Whether there was something: otherwise it is heard as "Stop".
    fn close_in_front(&mut self, ctx: &egui::Context) -> bool {
        ctx.input(|input| input.key_pressed(egui::Key::Escape))
            // A menu closes itself.
            && (egui::Popup::is_any_open(ctx)
                || self.pictures.close_enlarged()
                || self.glossary.take().is_some()
                || std::mem::take(&mut self.log.0))
    }

    /// Whether a command means anything now.
    fn allows(&self, command: &Command) -> bool {
        let running = self.is_running();
        match command {
            Command::Stop => running || self.lab.doing().is_some(),
            Command::Lab(LabCommand::Train) => !self.lab.is_training() && self.lab.form.lacks().is_none(),
            Command::Lab(LabCommand::Pause) => self.lab.is_training(),
            Command::Lab(LabCommand::Audit) => !running && self.lab.pair.is_some(),
            Command::Lab(_) => true,
            Command::Quit | Command::ShowLog(_) | Command::Palette | Command::Theme(_) => true,
            Command::ShowGlossary(_) | Command::LookUp(_) => true,
            Command::Save(_) | Command::CopyTable => self.document.is_some(),
            Command::Show(Step::Repair) => self.offers_repair(),
            Command::Show(Step::Compare) => self.document.is_some() && self.compared.is_some(),
            Command::Show(_) => true,
            Command::StartRepair => !running && self.offers_repair() && self.document.is_some(),
            Command::Export | Command::ScanAgain => !running && self.repair.report.is_some(),
            Command::CompareRepaired => {
                self.document.is_some() && self.repair.report.as_ref().is_some_and(|r| r.scanned_again.is_some())
            }
            Command::Undo => !running && self.history.offers(&self.forms()).0,
            Command::Redo => !running && self.history.offers(&self.forms()).1,
            _ => !running,
        }
    }

    fn top(&mut self, ui: &mut Ui) {
        ui.horizontal(|ui| {
            ui.label(RichText::new("PoisDetc").text_style(egui::TextStyle::Heading));
            ui.add_space(6.0);
            self.menu(ui);
            ui.add_space(16.0);
            let repair = self.offers_repair();
            let compare = self.compared.is_some() && self.document.is_some();
            let offered = |step: &Step| match step {
                // It is no step of an audit and stands apart.
                Step::Lab => false,
                Step::Repair => repair,
                Step::Compare => compare,
                _ => true,
            };
            for (i, step) in Step::ALL.into_iter().filter(offered).enumerate() {
                if i > 0 {
                    let (rect, _) = ui.allocate_exact_size(vec2(18.0, 2.0), Sense::hover());
                    ui.painter().hline(rect.x_range(), rect.center().y, Stroke::new(1.0, Colors::of(ui).weak));
                }
                self.step_button(ui, i + 1, step);
            }
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                self.theme_menu(ui);
                self.log_button(ui);
                self.lab_button(ui);
            });
        });
    }

    fn menu(&mut self, ui: &mut Ui) {
        ui.menu_button("File", |ui| {
            ui.set_min_width(220.0);
            for command in Command::MENU {
                let keys = command.shortcut().map(|keys| ui.ctx().format_shortcut(&keys)).unwrap_or_default();
                let enabled = self.allows(&command);
                if matches!(
                    command,
                    Command::TrySample
                        | Command::Save(Output::Report(Kind::Pdf))
                        | Command::Undo
                        | Command::Palette
                        | Command::Quit
                ) {
                    ui.separator();
                }
                let line = ui
                    .add_enabled(enabled, Button::new(command.text()).shortcut_text(keys))
                    .on_hover_text(command.tooltip());
                if line.accessible_name(format!("Menu: {}", command.text())).clicked() {
                    self.commands.send(command);
                    ui.close();
                }
            }
        });
    }

    fn step_button(&mut self, ui: &mut Ui, number: usize, step: Step) {
        let command = Command::Show(step);
        let colors = Colors::of(ui);
        let chosen = self.step == step;
        let text = RichText::new(format!("{number}  {}", command.text())).text_style(if chosen {
            theme::strong()
        } else {
            egui::TextStyle::Button
        });
        let text = text.color(if chosen { colors.text } else { colors.weak });
        let response = ui
            .add(Button::selectable(chosen, text))
            .accessible_name(format!("Step {number}: {}", command.text()))
            .on_hover_text(command.tooltip());
        let response = lit(ui, response, &format!("Step {number}: {}", command.text()));
        if response.clicked() {
            self.commands.send(command);
        }
    }

    fn lab_button(&mut self, ui: &mut Ui) {
        let command = Command::Show(Step::Lab);
        let chosen = self.step == Step::Lab;
        let style = if chosen { theme::strong() } else { egui::TextStyle::Button };
        let button = Button::selectable(chosen, RichText::new(command.text()).text_style(style)).frame(true);
        let button = ui.add(button).on_hover_text(command.hint(ui.ctx()));
        if lit(ui, button, "Lab").clicked() {
            self.commands.send(command);
        }
    }

    fn theme_menu(&mut self, ui: &mut Ui) {
        let chosen: ThemePreference = self.state.theme.into();
        ui.menu_button("Theme", |ui| {
            for theme in [ThemePreference::System, ThemePreference::Light, ThemePreference::Dark] {
                let command = Command::Theme(theme);
                if ui.radio(chosen == theme, command.text()).clicked() {
                    self.commands.send(command);
                    ui.close();
                }
            }
        })
        .response
        .on_hover_text("Light or dark colours");
    }

    fn bottom(&mut self, ui: &mut Ui) {
        let mut stopped = false;
        ui.horizontal(|ui| {
            ui.set_min_height(28.0);
            let Some(work) = self.work() else {
                weak(ui, self.status());
                return;
            };
            let stopping = work.stopping;
            let left = work.seconds_left.filter(|s| s.is_finite() && !stopping);
            let left = left.map(|s| format!("{} left", words::duration(f64::from(s))));
            let text = if stopping { "Stopping…" } else { work.name };
            ui.label(RichText::new(text).text_style(theme::strong()));
            progress_bar(ui, work.fraction, 180.0);
            ui.with_layout(Layout::right_to_left(Align::Center), |ui| {
                let stop = ui
                    .add_enabled(!stopping, Button::new(Command::Stop.text()))
                    .on_hover_text(Command::Stop.hint(ui.ctx()));
                stopped = stop.clicked();
                if let Some(left) = left {
                    ui.label(left).on_hover_text("An estimate from the work done so far");
                }
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let color = Colors::of(ui).weak;
                    ui.add(egui::Label::new(RichText::new(work.stage).color(color)).truncate());
                });
            });
        });
        if stopped {
            self.commands.send(Command::Stop);
        }
    }

    /// The log, one click away, with the number of warnings and errors that were not looked at.
    fn log_button(&mut self, ui: &mut Ui) {
        let unseen = log::troubles().saturating_sub(self.log.1);
        let command = Command::ShowLog(!self.log.0);
        let text = if unseen > 0 { format!("Log ({unseen})") } else { "Log".into() };
        if ui.button(text).accessible_name("Show the log").on_hover_text(command.hint(ui.ctx())).clicked() {
            self.commands.send(command);
        }
    }

    /// The audit, the repair, or the work of the lab that runs.
    pub(super) fn work(&self) -> Option<Work<'_>> {
        let repair = self.repair.is_running().then(|| Work {
            name: "Repairing",
            stage: &self.repair.stage,
            fraction: self.repair.fraction,
            seconds_left: self.repair.seconds_left,
            stopping: self.repair.is_stopping(),
        });
        let audit = self.running.as_ref().map(|running| Work {
            name: words::phase(running.phase),
            stage: &running.stage,
            fraction: running.fraction,
            seconds_left: running.seconds_left,
            stopping: running.is_stopping(),
        });
        let lab = || {
            let (name, stage, fraction, seconds_left, stopping) = self.lab.doing()?;
            Some(Work { name, stage, fraction, seconds_left, stopping })
        };
        audit.or(repair).or_else(lab)
    }

    fn status(&self) -> String {
        match &self.document {
            Some(audit) => format!(
                "{} {} in {}, seed {}",
                if audit.stopped { "Stopped; examined" } else { "Examined" },
                words::counted(audit.labels.len(), "label", "labels"),
                words::duration(audit.seconds),
                audit.order.settings.seed
            ),
            None if self.sample.is_some() => "Unpacking the sample…".into(),
            None => "Ready".into(),
        }
    }

    fn files(&mut self, ui: &mut Ui) {
        let files = Files {
            understanding: &self.understanding,
            recent: &self.state.recent,
            missing: self.complaint.as_ref(),
            running: self.is_running(),
            stopping: self.work().is_some_and(|work| work.stopping),
        };
        files.ui(ui, &mut self.form, &mut self.commands);
    }

    fn screen(&mut self, ui: &mut Ui) {
        match self.step {
            Step::Open => {
                let open = Open {
                    understanding: &self.understanding,
                    recent: &self.state.recent,
                    kept: &self.kept,
                    comparable: self.document.is_some(),
                    unpacking: self.sample.is_some(),
                    sample_trouble: self.sample_trouble.as_deref(),
                };
                open.ui(ui, &mut self.commands);
            }
            Step::Detect => {
                let shown = Shown {
                    known: &self.known,
                    audit: self.document.as_deref(),
                    running: self.running.is_some(),
                    failure: self.failure.as_deref(),
                    saving: &self.saving,
                    ready: self.form.path(Field::Model).is_some() && self.form.path(Field::Images).is_some(),
                };
                self.detect.ui(ui, &shown, &mut self.pictures, &mut self.commands);
            }
            Step::Inspect => {
                let inspect = Inspect {
                    known: &self.known,
                    audit: self.document.as_deref(),
                    saving: &self.saving,
                    strengths: &self.strengths,
                    label: self.inspected,
                    beside: self.beside,
                };
                inspect.ui(ui, &mut self.pictures, &mut self.commands);
            }
            Step::Lab => {
                let mut pictures = std::mem::take(&mut self.pictures);
                let mut commands = std::mem::take(&mut self.commands);
                lab::lab(ui, &self.facts(), &mut pictures, &mut commands);
                (self.pictures, self.commands) = (pictures, commands);
            }
            Step::Compare => {
                if let (Some(left), Some(right)) = (&self.document, &self.compared) {
                    Compare { left, right }.ui(ui, &mut self.commands);
                }
            }
            Step::Repair => {
                let repair = RepairScreen {
                    known: &self.known,
                    audit: self.document.as_deref(),
                    repair: &self.repair,
                    saving: &self.saving,
                };
                repair.ui(ui, &mut self.pictures, &mut self.commands);
            }
        }
    }

    /// Puts dropped files into the fields they fit, and shows that files may be dropped.
    fn take_drops(&mut self, ui: &mut Ui) {
        let (hovering, dropped) = ui.input(|input| {
            let dropped: Vec<_> = input.raw.dropped_files.iter().map(|file| file.path().to_owned()).collect();
            (!input.raw.hovered_files.is_empty(), dropped)
        });
        if self.is_running() {
            return;
        }
        drops(&mut self.commands, dropped.iter().map(AsRef::as_ref));
        if hovering {
            let colors = Colors::of(ui);
            let painter = ui.ctx().layer_painter(egui::LayerId::new(egui::Order::Foreground, egui::Id::unique("drop")));
            let rect = ui.ctx().content_rect();
            painter.rect_filled(rect, 0.0, colors.ground.gamma_multiply(0.88));
            painter.rect_stroke(rect.shrink(14.0), 10.0, Stroke::new(2.0, colors.accent), egui::StrokeKind::Inside);
            let font = theme::title().resolve(ui.style());
            painter.text(
                rect.center(),
                Align2::CENTER_CENTER,
                "Drop a model file, clean images or a saved audit",
                font,
                colors.text,
            );
        }
    }
}

fn drops<'a>(commands: &mut Commands, paths: impl Iterator<Item = &'a Path>) {
    for path in paths {
        let ending = path.extension().map(|e| e.to_string_lossy().to_lowercase()).unwrap_or_default();
        if ending == "json" {
            commands.send(Command::OpenSaved(Source::File(path.into())));
            continue;
        }
        let field = match ending.as_str() {
            "onnx" | "h5" | "hdf5" | "keras" | "pb" | "pt" | "pth" => Field::Model,
            "txt" => Field::LabelNames,
            _ => Field::Images,
        };
        commands.send(Command::Use(field, path.into()));
    }
}
