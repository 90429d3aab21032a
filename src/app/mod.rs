//! The window: screens, widgets, theme. Draws and sends commands, nothing else; no mathematics, no file
//! formats, and never a moment of work on the thread that draws.
//!
//! [`App`] owns what is not saved (jobs, the document), [`State`] is what is saved. Every frame it takes in
//! what jobs tell (`receive`), draws (`draw`) and carries out what the screens asked for (`act`).

mod act;
mod command;
mod dialog;
mod draw;
#[cfg(test)]
#[path = "../../tests/example/mod.rs"]
mod example;
mod form;
mod glossary;
mod kept;
mod known;
mod lab;
mod log;
mod palette;
mod repairing;
mod running;
mod sample;
mod saving;
mod screens;
mod state;
mod strengths;
mod theme;
mod title;
mod understanding;
mod undo;
mod widget_map;
mod widgets;
mod words;

pub use command::{Command, Field, Step};
pub use lab::{Facts, LESSONS, Lab, LabCommand, LabPath, Until, View};
pub use saving::{Output, PlotKind};
pub use state::{Recent, State, Theme as ThemeChoice};
pub use theme::install as install_theme;

use crate::audit::repairing::RepairReport;
use crate::audit::{Audit, Order, Verdict};
use crate::job::{Job, Outcome};
use crate::poison::lab::LabOrder;
use crate::shelf::Shelf;
use command::Commands;
use dialog::{Dialog, Purpose};
use egui::Context;
use form::Form;
use kept::{Aim, Kept, Source};
use known::Known;
use palette::Palette;
use repairing::Repairing;
use running::{End, Running};
use saving::Saving;
use screens::detect::Detect;
use screens::glossary_view::GlossaryView;
use std::sync::Arc;
use strengths::Strengths;
use understanding::Understanding;
use undo::History;
use widgets::Pictures;

/// What the window's saved state is found under.
const APP_ID: &str = "poisdetc";
/// Names the desktop file and the icon that belong to the window (packaging/linux).
const DESKTOP_ID: &str = "io.github.poisdetc.PoisDetc";

/// The program behind the window.
pub struct App {
    state: State,
    form: Form,
    understanding: Understanding,
    /// What a field still lacks, or why its dialog failed.
    complaint: Option<(Field, String)>,
    dialog: Option<Dialog>,
    sample: Option<Job<(), Result<Order, String>>>,
    sample_trouble: Option<String>,
    running: Option<Running>,
    failure: Option<String>,
    known: Known,
    document: Option<Arc<Audit>>,
    /// The audit that is held beside it.
    compared: Option<Arc<Audit>>,
    kept: Kept,
    strengths: Strengths,
    step: Step,
    detect: Detect,
    inspected: Option<usize>,
    /// The label that is held beside it.
    beside: Option<usize>,
    repair: Repairing,
    saving: Saving,
    lab: Lab,
    pictures: Pictures,
    /// Whether the log is shown, and warnings and errors that were seen in it.
    log: (bool, usize),
    /// The glossary, while it is open.
    glossary: Option<GlossaryView>,
    /// The command palette, while it is open.
    palette: Option<Palette>,
    /// What the forms have been.
    history: History,
    /// What the window is called; its system shows that where it is not in sight.
    title: String,
    commands: Commands,
}

impl App {
    /// A window with what an earlier run saved; `order` fills its fields.
    pub fn new(state: State, order: Option<Order>) -> Self {
        let form = match &order {
            Some(order) => Form::of(order),
            None => Form { settings: state.settings.clone(), ..Form::default() },
        };
        let mut commands = Commands::default();
        commands.send(Command::Theme(state.theme.into()));
        if order.is_some() {
            commands.send(Command::Understand);
        }
        Self {
            state,
            form,
            understanding: Understanding::default(),
            complaint: None,
            dialog: None,
            sample: None,
            sample_trouble: None,
            running: None,
            failure: None,
            known: Known::default(),
            document: None,
            compared: None,
            kept: Kept::default(),
            strengths: Strengths::default(),
            step: Step::Open,
            detect: Detect::default(),
            inspected: None,
            beside: None,
            repair: Repairing::default(),
            saving: Saving::default(),
            lab: Lab::default(),
            pictures: Pictures::default(),
            log: (false, log::troubles()),
            glossary: None,
            palette: None,
            history: History::default(),
            title: String::new(),
            commands,
        }
    }

    /// The same window, which keeps its audits on a shelf and lists those there.
    pub fn keeping(mut self, shelf: Shelf) -> Self {
        self.kept = Kept::on(shelf);
        self.commands.send(Command::ListKept);
        self
    }

    /// A window that shows a finished audit.
    pub fn with_audit(audit: Audit) -> Self {
        let mut app = Self::new(State::default(), None);
        app.show(audit);
        app
    }

    /// Shows a finished audit.
    fn show(&mut self, audit: Audit) {
        self.form = Form::of(&audit.order);
        self.known = Known::from(&audit);
        self.pictures.clear();
        self.saving = Saving::default();
        self.strengths = Strengths::default();
        self.repair = Repairing::default();
        self.failure = None;
        self.inspected = None;
        self.beside = None;
        self.document = Some(Arc::new(audit));
        self.step = Step::Detect;
    }

    /// The finished audit.
    pub fn document(&self) -> Option<&Audit> {
        self.document.as_deref()
    }

    /// The step that is shown.
    pub fn step(&self) -> Step {
        self.step
    }

    /// Whether an audit or a repair runs.
    pub fn is_running(&self) -> bool {
        self.running.is_some() || self.repair.is_running()
    }

    /// What came of the repair.
    pub fn repaired(&self) -> Option<&RepairReport> {
        self.repair.report.as_ref()
    }

    /// Whether there is something to repair, or was.
    fn offers_repair(&self) -> bool {
        let found = self.document.as_ref().is_some_and(|audit| audit.verdict > Verdict::NoEvidence);
        found || self.repair.is_running() || self.repair.report.is_some()
    }

    /// What is saved.
    pub fn state(&self) -> &State {
        &self.state
    }

    /// One frame: takes in what jobs tell, draws, and does what was asked for. `parent` is the window that
    /// dialogs belong to.
    pub fn frame(&mut self, ui: &mut egui::Ui, parent: Option<&eframe::Frame>) {
        let ran = self.what_runs();
        self.receive(ui.ctx());
        self.name_window(ran, ui.ctx());
        self.draw(ui);
        if let Some(term) = glossary::asked(ui.ctx()) {
            self.commands.send(Command::LookUp(term));
        }
        let ctx = ui.ctx().clone();
        for command in self.commands.take() {
            self.act(command, &ctx, parent);
            // What a command changed is drawn at once.
            ctx.request_repaint();
        }
        let forms = self.forms();
        self.history.see(ctx.input(|input| input.time), &forms);
    }

    /// The lab, with all that its lessons may speak of.
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            lab: &self.lab,
            audit: self.document.as_deref(),
            repair: self.repair.report.as_ref(),
            auditing: self.running.is_some(),
            repairing: self.repair.is_running(),
            step: self.step,
        }
    }

    /// The same window, whose lab begins with another experiment.
    pub fn with_experiment(mut self, order: &LabOrder) -> Self {
        self.lab = Lab::with(order);
        self
    }

    fn receive_lab(&mut self, ctx: &Context) {
        if self.lab.poll().is_some() {
            self.audit_lab_model(ctx);
        }
        self.lab.watch_repair(self.repair.report.as_ref(), self.repair.version, act::wake(ctx));
    }

    fn receive(&mut self, ctx: &Context) {
        self.understanding.poll();
        self.repair.poll();
        self.saving.poll();
        self.strengths.poll();
        self.receive_lab(ctx);
        match self.kept.poll() {
            Some((Aim::Show, audit)) if !self.is_running() => self.show(audit),
            Some((Aim::Compare, audit)) => {
                self.compared = Some(Arc::new(audit));
                self.step = Step::Compare;
            }
            _ => {}
        }
        if let Some((purpose, answer)) = self.dialog.as_ref().and_then(|d| Some((d.purpose(), d.answer()?))) {
            self.dialog = None;
            match (purpose, answer) {
                (_, Ok(None)) => {}
                (Purpose::Fill(field), Ok(Some(path))) => self.commands.send(Command::Use(field, path)),
                (Purpose::Fill(field), Err(sentence)) => self.complaint = Some((field, sentence)),
                (Purpose::Export, Ok(Some(path))) => self.commands.send(Command::ExportTo(path)),
                (Purpose::Export, Err(_)) => self.type_export(),
                (Purpose::Audit, Ok(Some(path))) => self.commands.send(Command::OpenSaved(Source::File(path))),
                (Purpose::Audit, Err(_)) => {
                    self.kept.trouble =
                        Some("No file dialog could be opened. Drop the file on the window instead".into());
                }
                (Purpose::Save(output), Ok(Some(path))) => self.commands.send(Command::SaveTo(output, path)),
                (Purpose::Save(output), Err(_)) => self.type_path(output),
                (Purpose::Lab(path), Ok(Some(chosen))) => {
                    self.commands.send(Command::Lab(LabCommand::Chosen(path, chosen)));
                }
                (Purpose::Lab(path), Err(_)) => self.commands.send(Command::Lab(LabCommand::Type(path, String::new()))),
            }
        }
        if let Some(end) = self.sample.as_ref().and_then(Job::outcome) {
            self.sample = None;
            match end {
                Outcome::Done(Ok(order)) => self.begin(order, ctx),
                Outcome::Done(Err(sentence)) | Outcome::Panicked(sentence) => self.sample_trouble = Some(sentence),
            }
        }
        let Some(running) = &mut self.running else { return };
        let (events, end) = running.poll();
        for event in events {
            self.known.learn(event);
        }
        let Some(end) = end else { return };
        self.running = None;
        self.commands.send(Command::ListKept);
        match end {
            End::Finished(audit) => {
                ::log::info!("the audit of {} ended: {}", audit.order.model.display(), words::verdict(audit.verdict));
                self.known = Known::from(&*audit);
                self.pictures.clear();
                self.document = Some(Arc::from(audit));
            }
            End::Stopped => self.failure = Some("It was stopped before anything was known".into()),
            End::Failed(sentence) => {
                ::log::warn!("the audit could not be done: {sentence}");
                self.failure = Some(sentence);
            }
        }
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        self.frame(ui, Some(frame));
    }

    fn save(&mut self, storage: &mut dyn eframe::Storage) {
        self.state.settings = self.form.settings.clone();
        self.state.save(storage);
    }
}

/// Opens the window and stays until it is closed. `order` fills the fields in beforehand.
///
/// # Errors
/// A sentence where no window can be opened: no display, no OpenGL.
pub fn open_window(order: Option<Order>) -> Result<(), String> {
    let folder = eframe::storage_dir(APP_ID);
    log::keep_log(folder.as_deref());
    let mut viewport = egui::ViewportBuilder::default()
        .with_app_id(DESKTOP_ID)
        .with_title("PoisDetc")
        .with_inner_size([1280.0, 900.0])
        .with_min_inner_size([1000.0, 640.0]);
    if let Ok(icon) = eframe::icon_data::from_png_bytes(include_bytes!("../../assets/icon/icon-128.png")) {
        viewport = viewport.with_icon(icon);
    }
    // Starts faster and needs less memory than wgpu, which the tests bring along.
    let options = eframe::NativeOptions { viewport, renderer: eframe::Renderer::Glow, ..Default::default() };
    let start = Box::new(move |creation: &eframe::CreationContext<'_>| {
        theme::install(&creation.egui_ctx);
        widget_map::install(&creation.egui_ctx);
        let state = creation.storage.map(State::load).unwrap_or_default();
        let mut app = App::new(state, order);
        if let Some(folder) = &folder {
            app = app.keeping(Shelf::at(folder.join("audits")));
        }
        Ok(Box::new(app) as Box<dyn eframe::App>)
    });
    eframe::run_native("PoisDetc", options, start).map_err(|why| format!("No window could be opened: {why}"))
}
