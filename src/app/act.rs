//! Carries out what the screens asked for.

use super::command::{Command, Field, Step};
use super::dialog::{Dialog, Kind};
use super::form::{Choice, Form};
use super::known::Known;
use super::running::Running;
use super::{App, sample};
use crate::audit::{Audit, AuditError, Event, Order};
use crate::job::Job;
use crate::progress::Monitor;
use egui::{Context, ViewportCommand};

/// Endings of model files.
const MODELS: &[&str] = &["onnx", "h5", "hdf5", "keras"];
/// Endings of files with many images.
const IMAGES: &[&str] = &["npz", "npy", "gz", "bin", "csv", "idx", "zip"];

impl App {
    pub(super) fn act(&mut self, command: Command, ctx: &Context, parent: Option<&eframe::Frame>) {
        match command {
            Command::OpenModel => self.choose(Field::Model, &command, Kind::File(MODELS), ctx, parent),
            Command::OpenImageFolder => self.choose(Field::Images, &command, Kind::Folder, ctx, parent),
            Command::OpenImageFile => self.choose(Field::Images, &command, Kind::File(IMAGES), ctx, parent),
            Command::OpenReference => self.choose(Field::Reference, &command, Kind::File(MODELS), ctx, parent),
            Command::OpenLabelNames => {
                self.choose(Field::LabelNames, &command, Kind::File(&["txt", "csv"]), ctx, parent)
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
                if self.sample.is_none() && self.running.is_none() {
                    self.sample_trouble = None;
                    self.sample = Some(Job::start(Monitor::silent(), wake(ctx), |_, _| sample::order()));
                }
            }
            Command::Start => self.start(ctx),
            Command::Stop => {
                if let Some(running) = &self.running {
                    running.stop();
                }
            }
            Command::Show(step) => self.step = step,
            Command::Inspect(label) => {
                self.inspected = Some(label);
                self.step = Step::Inspect;
            }
            Command::Theme(theme) => {
                self.state.theme = theme.into();
                ctx.set_theme(theme);
            }
            Command::Quit => ctx.send_viewport_cmd(ViewportCommand::Close),
        }
    }

    fn choose(&mut self, field: Field, command: &Command, kind: Kind, ctx: &Context, parent: Option<&eframe::Frame>) {
        if self.dialog.is_none() && self.running.is_none() {
            self.complaint = None;
            self.dialog = Some(Dialog::open(field, command.text().trim_end_matches('…'), kind, parent, wake(ctx)));
        }
    }

    fn look(&mut self, ctx: &Context, again: bool) {
        self.complaint = None;
        if self.understanding.look(&self.form, again, wake(ctx)) && matches!(self.form.choice, Choice::Tried(_)) {
            self.form.choice = Choice::Found;
        }
    }

    fn start(&mut self, ctx: &Context) {
        if self.running.is_some() {
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
        self.run(ctx, move |monitor, events| crate::audit::run(&order, monitor, events));
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
        self.known = Known::default();
        self.inspected = None;
        self.pictures.clear();
        self.step = Step::Detect;
        self.running = Some(Running::start(wake(ctx), work));
    }
}

/// Draws a frame as soon as there is something to see.
fn wake(ctx: &Context) -> impl Fn() + Clone + Send + Sync + 'static {
    let ctx = ctx.clone();
    move || ctx.request_repaint()
}
