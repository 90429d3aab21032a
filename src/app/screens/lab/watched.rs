//! A few pictures, clean and with the mark, and what both networks say of them now.

use crate::app::theme::{self, Colors};
use crate::app::widgets::{Part, Pictures, of_set, weak};
use crate::app::words;
use crate::audit::Verdict;
use crate::poison::lab::{Answer, Moment, Watched};
use egui::{Label, RichText, Ui};

/// Distance between two pictures.
const BETWEEN: f32 = 8.0;

/// Draws them, one column a picture: above clean, below with the mark.
pub fn watched(
    ui: &mut Ui,
    shown: &Watched,
    last: &Moment,
    names: &[String],
    (version, largest): (u64, f32),
    pictures: &mut Pictures,
) {
    weak(ui, "Above as it is, below with the mark; under each what the poisoned network says, then what its twin says");
    let count = shown.clean.len().max(1);
    let side = ((ui.available_width() + BETWEEN) / count as f32 - BETWEEN).clamp(48.0, 130.0);
    ui.horizontal_top(|ui| {
        ui.spacing_mut().item_spacing.x = BETWEEN;
        for (i, [poisoned, twin]) in last.said.iter().enumerate() {
            let truth = shown.clean.labels.get(i).copied().unwrap_or_default();
            ui.vertical(|ui| {
                ui.set_width(side);
                ui.spacing_mut().item_spacing.y = 1.0;
                for (set, part, said, of_twin, what) in [
                    (&shown.clean, Part::Before(i), poisoned.clean, twin.clean, "Clean picture"),
                    (&shown.marked, Part::After(i), poisoned.marked, twin.marked, "With the mark"),
                ] {
                    let called = |answer: Answer| super::name(names, answer.label);
                    let alt = format!(
                        "{what} {} of {}: the poisoned network says {}, its twin {}",
                        i + 1,
                        super::name(names, truth),
                        called(said),
                        called(of_twin)
                    );
                    pictures.show(ui, (version, part), side.min(largest), &alt, || of_set(set, i)).on_hover_text(
                        format!(
                            "{what}. It shows “{}”; the poisoned network says “{}”, {} sure, its twin “{}”, {} sure",
                            super::name(names, truth),
                            called(said),
                            words::percent(said.sure),
                            called(of_twin),
                            words::percent(of_twin.sure)
                        ),
                    );
                    line(ui, &called(said), said.label != truth, true);
                    line(ui, &called(of_twin), of_twin.label != truth, false);
                    ui.add_space(3.0);
                }
            });
        }
    });
}

/// One answer; a wrong one says so by a cross as well as by its colour.
fn line(ui: &mut Ui, name: &str, wrong: bool, strong: bool) {
    let colors = Colors::of(ui);
    let color = if wrong { colors.verdict(Verdict::Infected).ink } else { colors.text };
    let text = RichText::new(format!("{}{name}", if wrong { "× " } else { "" })).color(color);
    let text = if strong { text.size(12.5).family(theme::strong_family()) } else { text.small() };
    ui.add(Label::new(text).truncate());
}
