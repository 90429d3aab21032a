//! Takes back what was changed in the fields and settings, of the audit and of the lab, and does it again.
//!
//! In: both forms, every frame. Out: both as they were. Changes that follow each other within a second are one.

use super::App;
use super::form::Form;
use super::lab::LabForm;
use egui::Context;
use egui::util::undoer::Undoer;

/// Everything a person types and chooses.
pub type Forms = (Form, LabForm);

/// What both forms have been.
#[derive(Default)]
pub struct History(Undoer<Forms>);

impl History {
    /// Takes in both forms as they are; `time` in seconds.
    pub fn see(&mut self, time: f64, now: &Forms) {
        self.0.feed_state(time, now);
    }

    /// Both forms before the last change; `None` where nothing was changed.
    pub fn undo(&mut self, now: &Forms) -> Option<Forms> {
        self.0.undo(now).cloned()
    }

    /// Both forms as they were before the last [`undo`](Self::undo).
    pub fn redo(&mut self, now: &Forms) -> Option<Forms> {
        self.0.redo(now).cloned()
    }

    /// Whether there is something to take back, and something to do again.
    pub fn offers(&self, now: &Forms) -> (bool, bool) {
        (self.0.has_undo(now), self.0.has_redo(now))
    }
}

impl App {
    /// Everything that is typed and chosen.
    pub(super) fn forms(&self) -> Forms {
        (self.form.clone(), self.lab.form.clone())
    }

    /// Fills the forms as they were, and looks at the files they name.
    pub(super) fn put_back(&mut self, forms: Option<Forms>, ctx: &Context) {
        if let Some((form, lab)) = forms {
            (self.form, self.lab.form) = (form, lab);
            self.look(ctx, false);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shots(n: usize) -> Forms {
        let mut forms = Forms::default();
        forms.0.settings.shots = n;
        forms
    }

    #[test]
    fn what_was_changed_is_taken_back_and_done_again() {
        let mut history = History::default();
        history.see(0.0, &shots(10));
        assert_eq!(history.offers(&shots(10)), (false, false));
        // Dragging through many values is one change.
        for (time, n) in [(5.0, 12), (5.1, 15), (5.2, 20), (7.0, 20), (9.0, 20)] {
            history.see(time, &shots(n));
        }
        assert_eq!(history.offers(&shots(20)), (true, false));
        assert_eq!(history.undo(&shots(20)), Some(shots(10)));
        history.see(10.0, &shots(10));
        assert_eq!(history.redo(&shots(10)), Some(shots(20)));
    }

    #[test]
    fn a_change_just_made_can_be_taken_back_too() {
        let mut history = History::default();
        history.see(0.0, &shots(10));
        history.see(5.0, &shots(3));
        assert_eq!(history.undo(&shots(3)), Some(shots(10)));
    }
}
