//! Carries out what the screens asked for.

use super::command::{Command, Field, Step};
use super::dialog::{self, Dialog, Purpose};
use super::form::{Choice, Form};
use super::kept::Aim;
use super::known::Known;
use super::lab::{LabCommand, LabPath};
use super::log;
use super::palette::Palette;
use super::repairing::file_name;
use super::running::Running;
use super::saving::{Output, Saving};
use super::screens::glossary_view::GlossaryView;
use super::strengths::Strengths;
use super::{App, sample};
use crate::audit::repairing::{RepairEvent, RepairReport, RepairingError, repair_model};
use crate::audit::{Audit, AuditError, Event, Order};
use crate::job::Job;
use crate::model::Overwrite;
use crate::progress::Monitor;
use crate::report::page::Repair;
use crate::report::sheet;
use egui::{Context, ViewportCommand};
use std::path::PathBuf;
use std::sync::Arc;

/// Endings of model files.
const MODELS: &[&str] = &["onnx", "h5", "hdf5", "keras"];
/// Endings of files with many images.
const IMAGES: &[&str] = &["npz", "npy", "gz", "bin", "csv", "idx", "zip"];

impl App {
    pub(super) fn act(&mut self, command: Command, ctx: &Context, parent: Option<&eframe::Frame>) {
        match command {
            Command::OpenModel => self.choose(Field::Model, &command, dialog::Kind::File(MODELS), ctx, parent),
            Command::OpenImageFolder => self.choose(Field::Images, &command, dialog::Kind::Folder, ctx, parent),
            Command::OpenImageFile => self.choose(Field::Images, &command, dialog::Kind::File(IMAGES), ctx, parent),
            Command::OpenReference => self.choose(Field::Reference, &command, dialog::Kind::File(MODELS), ctx, parent),
            Command::OpenLabelNames => {
                self.choose(Field::LabelNames, &command, dialog::Kind::File(&["txt", "csv"]), ctx, parent)
            }
            Command::Use(field, path) => {
                *self.form.field(field) = path.display().to_string();
                if field == Field::Reference {
                    self.form.trained_here = false;
                }
                self.step = Step::Open;
                self.look(ctx, true);
            }
            Command::Understand => self.look(ctx, false),
            Command::TrySample => {
                if self.sample.is_none() && !self.is_running() {
                    self.sample_trouble = None;
                    self.sample = Some(Job::start(Monitor::silent(), wake(ctx), |_, _| sample::order()));
                }
            }
            Command::Start => self.start(ctx),
            Command::Stop => {
                if let Some(running) = &self.running {
                    running.stop();
                }
                self.repair.stop();
                self.lab.stop();
            }
            Command::ChooseMethod(method) => self.repair.method = method,
            Command::PickSetting(index) => {
                self.repair.pick(index);
                ctx.request_repaint();
            }
            Command::StartRepair => self.start_repair(ctx),
            Command::Export => self.choose_export(ctx, parent),
            Command::ExportTo(path) => self.repair.export(path, Overwrite::Others, wake(ctx)),
            Command::TypeExport(text) => self.repair.typed = Some(text),
            Command::ExportTyped => {
                if let Some(path) = self.repair.typed.as_ref().map(PathBuf::from) {
                    self.repair.export(path, Overwrite::Never, wake(ctx));
                }
            }
            Command::ScanAgain => {
                if let Some(order) = self.repair.scan().filter(|_| !self.is_running() && self.repair.is_proved()) {
                    self.begin(order, ctx);
                }
            }
            Command::RepairAgain => self.repair.again(),
            Command::Save(output) => self.choose_path(output, ctx, parent),
            Command::SaveTo(output, path) => self.save(output, path, true, ctx),
            Command::TypePath(output, text) => self.saving.typed = Some((output, text)),
            Command::CopyTable => {
                if let Some(audit) = &self.document {
                    ctx.copy_text(sheet::labels(audit));
                }
            }
            Command::SaveTyped => {
                if let Some((output, path)) = self.saving.typed.clone() {
                    self.save(output, path.into(), false, ctx);
                }
            }
            Command::OpenAudit => self.choose_audit(ctx, parent),
            Command::OpenSaved(source) => {
                if !self.is_running() {
                    self.step = Step::Open;
                    self.kept.open(source, Aim::Show, wake(ctx));
                }
            }
            Command::Compare(source) => self.kept.open(source, Aim::Compare, wake(ctx)),
            Command::CompareRepaired => {
                let again = self.repair.report.as_ref().and_then(|report| report.scanned_again.clone());
                if let Some(again) = again {
                    self.compared = Some(Arc::new(again));
                    self.step = Step::Compare;
                }
            }
            Command::EndCompare => {
                self.compared = None;
                self.step = Step::Detect;
            }
            Command::Beside(label) => self.beside = label,
            Command::TryStrengths(label) => {
                if let Some(audit) = self.document.clone() {
                    self.strengths.start(audit, label, wake(ctx));
                }
            }
            Command::PickStrength(index) => self.strengths.pick(index),
            Command::Undo => {
                let before = self.history.undo(&self.forms());
                self.put_back(before, ctx);
            }
            Command::Redo => {
                let after = self.history.redo(&self.forms());
                self.put_back(after, ctx);
            }
            Command::Palette => self.palette = Some(Palette::default()),
            Command::ShowGlossary(shown) => self.glossary = shown.then(|| GlossaryView::at(None)),
            Command::LookUp(term) => self.glossary = Some(GlossaryView::at(Some(term))),
            Command::ShowLog(shown) => self.log = (shown, log::troubles()),
            Command::ListKept => self.kept.refresh(None, wake(ctx)),
            Command::RemoveKept(id) => self.kept.refresh(Some(id), wake(ctx)),
            Command::GoOn(id) => self.go_on(id, ctx),
            Command::Show(step) => self.step = step,
            Command::Inspect(label) => {
                self.inspected = Some(label);
                self.step = Step::Inspect;
            }
            Command::Lab(LabCommand::Choose(path)) => self.choose_for_lab(path, ctx, parent),
            Command::Lab(command) => {
                // Drawn on the screen it belongs to, wherever it was asked for.
                if matches!(command, LabCommand::Train | LabCommand::View(_) | LabCommand::Lesson(Some(_))) {
                    self.step = Step::Lab;
                }
                self.lab.act(command, wake(ctx));
            }
            Command::Theme(theme) => {
                self.state.theme = theme.into();
                ctx.set_theme(theme);
            }
            Command::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    fn choose(
        &mut self,
        field: Field,
        command: &Command,
        kind: dialog::Kind,
        ctx: &Context,
        parent: Option<&eframe::Frame>,
    ) {
        if self.dialog.is_none() && !self.is_running() {
            self.complaint = None;
            let title = command.text().trim_end_matches('…');
            self.dialog = Some(Dialog::open(Purpose::Fill(field), title, kind, None, parent, wake(ctx)));
        }
    }

    fn choose_export(&mut self, ctx: &Context, parent: Option<&eframe::Frame>) {
        if self.dialog.is_none()
            && self.repair.is_proved()
            && let Some(file) = self.export_file()
        {
            let title = "Export the repaired model";
            self.dialog = Some(Dialog::open(Purpose::Export, title, dialog::Kind::New, Some(&file), parent, wake(ctx)));
        }
    }

    fn choose_path(&mut self, output: Output, ctx: &Context, parent: Option<&eframe::Frame>) {
        if let Some(audit) = self.document.as_ref().filter(|_| self.dialog.is_none()) {
            let file = output.file(&audit.order.model);
            let (kind, title) = match output {
                Output::Pictures => (dialog::Kind::Folder, "Save the pictures into a folder"),
                Output::Plot(_) => (dialog::Kind::New, "Save the plot"),
                Output::Report(_) => (dialog::Kind::New, "Save the report"),
            };
            self.dialog = Some(Dialog::open(Purpose::Save(output), title, kind, Some(&file), parent, wake(ctx)));
        }
    }

    /// Does one thing in the lab, as if its button had been clicked.
    pub fn in_lab(&mut self, ctx: &Context, command: LabCommand) {
        self.act(Command::Lab(command), ctx, None);
        ctx.request_repaint();
    }

    fn choose_for_lab(&mut self, path: LabPath, ctx: &Context, parent: Option<&eframe::Frame>) {
        if self.dialog.is_some() {
            return;
        }
        let (kind, title) = match path {
            LabPath::Images => (dialog::Kind::Folder, "Choose a folder of images"),
            LabPath::Trigger => (dialog::Kind::File(&["png"]), "Choose the PNG file of a trigger"),
            LabPath::Save => (dialog::Kind::Folder, "Save the experiment into a folder"),
            LabPath::Open => (dialog::Kind::Folder, "Open the folder of an experiment"),
        };
        self.dialog = Some(Dialog::open(Purpose::Lab(path), title, kind, None, parent, wake(ctx)));
    }

    /// Audits the model of the lab, as any other.
    pub(super) fn audit_lab_model(&mut self, ctx: &Context) {
        let Some(handed) = self.lab.handed().filter(|_| !self.is_running()) else { return };
        let order = Order {
            model: handed.model.clone(),
            images: handed.images.clone(),
            label_names: Some(handed.names.clone()),
            settings: self.form.settings.clone(),
            ..Order::default()
        };
        self.begin(order, ctx);
    }

    fn save(&mut self, output: Output, path: PathBuf, replace: bool, ctx: &Context) {
        if let Some(audit) = self.document.clone() {
            let repair = self.repair_in_report(&audit);
            self.saving.save(output, (audit, repair), path, replace, wake(ctx));
        }
    }

    /// The repair that the report tells of: that of the audited model, measured as it is shown.
    fn repair_in_report(&self, audit: &Audit) -> Option<Repair> {
        let report = self.repair.report.as_ref().filter(|_| self.repair.is_proved())?;
        (report.order.sha256 == audit.model.sha256).then(|| Repair::from(report))
    }

    /// Saves something of the audit to `path`, as if a dialog had been answered with it.
    pub fn save_to(&mut self, ctx: &Context, output: Output, path: PathBuf) {
        self.act(Command::SaveTo(output, path), ctx, None);
        ctx.request_repaint();
    }

    /// Lets the path be typed where no dialog can be opened.
    pub(super) fn type_path(&mut self, output: Output) {
        let file = self.document.as_ref().map(|audit| output.file(&audit.order.model));
        self.saving.typed = file.map(|file| (output, file.display().to_string()));
    }

    /// Writes the repaired model to `path`, as if a dialog had been answered with it.
    pub fn export(&mut self, ctx: &Context, path: PathBuf) {
        self.act(Command::ExportTo(path), ctx, None);
        ctx.request_repaint();
    }

    /// Lets the path be typed where no dialog can be opened.
    pub(super) fn type_export(&mut self) {
        self.repair.typed = self.export_file().map(|file| file.display().to_string());
    }

    /// The file that is proposed for the repaired model: beside the suspect.
    fn export_file(&self) -> Option<PathBuf> {
        let report = self.repair.report.as_ref()?;
        let suspect = &report.order.audited.model;
        Some(suspect.with_file_name(file_name(suspect, !report.change.clamps.is_empty())))
    }

    fn start_repair(&mut self, ctx: &Context) {
        let Some(audit) = self.document.as_ref().filter(|_| !self.is_running()) else { return };
        match self.repair.order(audit) {
            Ok(order) => self.run_repair(ctx, move |monitor, events| repair_model(&order, monitor, events)),
            Err(sentence) => self.repair.failure = Some(sentence),
        }
    }

    /// Runs `work` as the repair; [`repair_model`] everywhere but in tests of the window itself.
    pub fn run_repair(
        &mut self,
        ctx: &Context,
        work: impl FnOnce(&Monitor, &(dyn Fn(RepairEvent) + Sync)) -> Result<RepairReport, RepairingError> + Send + 'static,
    ) {
        self.step = Step::Repair;
        self.repair.start(wake(ctx), work);
    }

    pub(super) fn look(&mut self, ctx: &Context, again: bool) {
        self.complaint = None;
        if self.understanding.look(&self.form, again, wake(ctx)) && matches!(self.form.choice, Choice::Tried(_)) {
            self.form.choice = Choice::Found;
        }
    }

    fn start(&mut self, ctx: &Context) {
        if self.is_running() {
            return;
        }
        match self.form.order(self.understanding.shape()) {
            Ok(order) => {
                self.state.remember(&order.model, &order.images);
                self.carry_out(order, ctx);
            }
            Err(complaint) => self.complaint = Some(complaint),
        }
    }

    /// Fills the fields with `order` and starts it.
    pub(super) fn begin(&mut self, order: Order, ctx: &Context) {
        self.form = Form::of(&order);
        self.look(ctx, false);
        self.carry_out(order, ctx);
    }

    fn carry_out(&mut self, order: Order, ctx: &Context) {
        self.carry_on(order, None, ctx);
    }

    /// Does an audit, or goes on with one that is kept under a name.
    fn carry_on(&mut self, order: Order, from: Option<String>, ctx: &Context) {
        self.repair.keep_for(&order);
        ::log::info!("an audit of {} with {} begins", order.model.display(), order.images.display());
        let shelf = self.kept.shelf().cloned();
        self.run(ctx, move |monitor, events| match shelf {
            Some(shelf) => shelf.run(&order, from.as_deref(), monitor, events),
            None => crate::audit::run(&order, monitor, events),
        });
    }

    /// Goes on with an audit that was interrupted or stopped.
    fn go_on(&mut self, id: String, ctx: &Context) {
        if self.is_running() {
            return;
        }
        match self.kept.entries.iter().find(|entry| entry.id == id).map(|entry| entry.order.clone()) {
            Some(order) => {
                self.form = Form::of(&order);
                self.look(ctx, false);
                self.carry_on(order, Some(id), ctx);
            }
            None => self.kept.trouble = Some("This audit is no longer there".into()),
        }
    }

    fn choose_audit(&mut self, ctx: &Context, parent: Option<&eframe::Frame>) {
        if self.dialog.is_none() && !self.is_running() {
            let (kind, title) = (dialog::Kind::File(&["json"]), "Open a saved audit");
            self.dialog = Some(Dialog::open(Purpose::Audit, title, kind, None, parent, wake(ctx)));
        }
    }

    /// Runs `work` as the audit; [`crate::audit::run`] everywhere but in tests of the window itself.
    pub fn run(
        &mut self,
        ctx: &Context,
        work: impl FnOnce(&Monitor, &(dyn Fn(Event) + Sync)) -> Result<Audit, AuditError> + Send + 'static,
    ) {
        self.complaint = None;
        self.failure = None;
        self.document = None;
        self.compared = None;
        self.saving = Saving::default();
        self.strengths = Strengths::default();
        self.known = Known::default();
        self.inspected = None;
        self.beside = None;
        self.pictures.clear();
        self.step = Step::Detect;
        self.running = Some(Running::start(wake(ctx), work));
    }
}

/// Draws a frame as soon as there is something to see.
pub(super) fn wake(ctx: &Context) -> impl Fn() + Clone + Send + Sync + 'static {
    let ctx = ctx.clone();
    move || ctx.request_repaint()
}
