//! What the window is called, and the signs it gives when long work ends while nobody looks: its entry in the system's
//! bar shows how far the work is and then what came of it, and asks for attention; the desktop shows a notice.

use super::{App, words};
use egui::{Context, UserAttentionType, ViewportCommand};

/// What the window is called while nothing runs.
const NAME: &str = "PoisDetc";

/// What ran at the beginning of a frame.
pub(super) struct Ran {
    audit: bool,
    name: &'static str,
}

impl App {
    /// What runs now.
    pub(super) fn what_runs(&self) -> Option<Ran> {
        self.work().map(|work| Ran { audit: self.running.is_some(), name: work.name })
    }

    /// Calls the window by how far its work is, or by what came of what ran `before`; asks for attention where that has
    /// ended and the window has none.
    pub(super) fn name_window(&mut self, before: Option<Ran>, ctx: &Context) {
        let title = match (self.work(), before) {
            (Some(work), _) => format!("{:.0} % {} - {NAME}", (100.0_f32 * work.fraction).floor(), work.name),
            (None, None) => return,
            (None, Some(ended)) => {
                let came_of = self.came_of(&ended);
                if !ctx.input(|input| input.viewport().focused.unwrap_or(true)) {
                    ctx.send_viewport_cmd(ViewportCommand::RequestUserAttention(UserAttentionType::Informational));
                    show_notice(came_of.clone());
                }
                format!("{came_of} - {NAME}")
            }
        };
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }

    /// What came of work that has ended, in few words.
    fn came_of(&self, ended: &Ran) -> String {
        match self.document.as_ref().filter(|_| ended.audit) {
            Some(audit) if audit.stopped => format!("Stopped: {}", words::file_name(&audit.order.model)),
            Some(audit) => format!("{}: {}", words::verdict(audit.verdict), words::file_name(&audit.order.model)),
            None => format!("{}: ended", ended.name),
        }
    }
}

/// Asks the desktop to show what came of the work. Not every desktop can, and some answer late: nothing waits for it.
fn show_notice(came_of: String) {
    std::thread::spawn(move || {
        let shown = notify_rust::Notification::new().appname(NAME).icon("poisdetc").summary(&came_of).show();
        if let Err(why) = shown {
            log::debug!("the desktop shows no notices: {why}");
        }
    });
}
