//! The same held-back pictures before and after a repair, clean and with the recovered mark of every infected label.

use crate::app::theme::{self, Colors};
use crate::app::widgets::{Part, Pictures, heading, plain, weak};
use crate::app::words;
use crate::audit::Verdict;
use crate::audit::repairing;
use crate::detect::Example;
use egui::{Label, RichText, Ui};

/// Width of a real picture on the screen, in points.
const SIDE: f32 = 108.0;
/// Distance between two of them.
const BETWEEN: f32 = 14.0;

/// What is drawn.
pub struct RepairPictures<'a> {
    /// The pictures of every infected label.
    pub all: &'a [repairing::Pictures],
    /// Name of a label.
    pub name: &'a dyn Fn(usize) -> String,
    /// Another number for every report.
    pub version: u64,
}

impl RepairPictures<'_> {
    /// Draws them; nothing where no trigger was recovered.
    pub fn ui(&self, ui: &mut Ui, pictures: &mut Pictures) {
        if self.all.iter().all(|some| some.before.is_empty()) {
            return;
        }
        theme::card(ui).show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            heading(ui, "The same pictures before and after");
            weak(
                ui,
                "Above the clean picture, below the same with the recovered trigger; under each what the suspect says, \
                 then what the repaired model says",
            );
            let in_a_row = (ui.available_width() / (SIDE + BETWEEN)).floor().max(1.0) as usize;
            let mut shown = 0;
            for some in self.all {
                if self.all.len() > 1 {
                    let text = format!("Trigger of label {} {}", some.label, (self.name)(some.label));
                    ui.label(RichText::new(text).text_style(theme::strong()));
                }
                let pairs: Vec<_> = some.before.iter().zip(&some.after).collect();
                for row in pairs.chunks(in_a_row) {
                    ui.horizontal_top(|ui| {
                        ui.spacing_mut().item_spacing.x = BETWEEN;
                        for &(before, after) in row {
                            self.pair(ui, shown, before, after, pictures);
                            shown += 1;
                        }
                    });
                }
            }
        });
    }

    /// The picture at place `i` of all that are drawn.
    fn pair(&self, ui: &mut Ui, i: usize, before: &Example, after: &Example, pictures: &mut Pictures) {
        let truth = (self.name)(before.truth);
        ui.vertical(|ui| {
            ui.set_width(SIDE);
            ui.spacing_mut().item_spacing.y = 2.0;
            for (part, picture, said, says, what) in [
                (Part::Before(i), &before.before, before.answer_before, after.answer_before, "Clean picture"),
                (Part::After(i), &before.after, before.answer_after, after.answer_after, "With the trigger"),
            ] {
                let names = [(self.name)(said.0), (self.name)(says.0)];
                let alt = format!(
                    "{what} {} of {truth}: the suspect says {}, the repaired model {}",
                    i + 1,
                    names[0],
                    names[1]
                );
                pictures.show(ui, (self.version, part), SIDE, &alt, || plain(picture)).on_hover_text(format!(
                    "{what}. It shows “{truth}”; the suspect says “{}”, {} sure, the repaired model “{}”, {} sure",
                    names[0],
                    words::percent(said.1),
                    names[1],
                    words::percent(says.1)
                ));
                for ((when, name), answer) in ["before", "after"].iter().zip(&names).zip([said.0, says.0]) {
                    let wrong = answer != before.truth;
                    let colors = Colors::of(ui);
                    let color = if wrong { colors.verdict(Verdict::Infected).ink } else { colors.text };
                    let when = format!("{when}{}", if wrong { ", wrong" } else { "" });
                    ui.add(Label::new(RichText::new(when).small().color(colors.weak)));
                    ui.add(Label::new(RichText::new(name).text_style(theme::strong()).color(color)).truncate());
                }
                ui.add_space(6.0);
            }
        });
    }
}
