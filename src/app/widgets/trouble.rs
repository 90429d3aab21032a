//! What went wrong, shown where it belongs; the text can be selected and copied.

use crate::app::theme::{self, Colors};
use egui::{Frame, Label, Margin, RichText, Stroke, Ui};

/// A box with what went wrong, in `sentence`; lines to be copied follow it after an empty line. `title` may be empty.
pub fn trouble(ui: &mut Ui, title: &str, sentence: &str) {
    let colors = Colors::of(ui).error;
    Frame::NONE
        .fill(colors.ground)
        .stroke(Stroke::new(1.0, colors.ink.gamma_multiply(0.5)))
        .corner_radius(6)
        .inner_margin(Margin::symmetric(10, 8))
        .show(ui, |ui| {
            ui.set_min_width(ui.available_width());
            ui.spacing_mut().item_spacing.y = 4.0;
            if !title.is_empty() {
                ui.label(RichText::new(title).text_style(theme::strong()).color(colors.ink));
            }
            let (text, to_copy) = sentence.split_once("\n\n").unwrap_or((sentence, ""));
            ui.add(Label::new(RichText::new(text).color(colors.ink)).wrap().selectable(true));
            if !to_copy.is_empty() {
                ui.add(Label::new(RichText::new(to_copy).monospace().color(colors.ink)).wrap().selectable(true));
            }
            ui.add_space(2.0);
            ui.horizontal(|ui| {
                if !to_copy.is_empty()
                    && ui.button("Copy lines").on_hover_text("Copy these lines to the clipboard").clicked()
                {
                    ui.copy_text(to_copy.to_owned());
                }
                if ui.button("Copy text").on_hover_text("Copy this text to the clipboard").clicked() {
                    ui.copy_text(sentence.to_owned());
                }
            });
        });
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::OutputCommand;
    use egui_kittest::Harness;
    use egui_kittest::kittest::Queryable;

    #[test]
    fn lines_that_follow_a_sentence_are_shown_and_copied_on_their_own() {
        let lines = "import torch\nmodel = torch.jit.load(\"m.pt\")";
        let sentence = format!("m.pt is a TorchScript archive\n\n{lines}");
        let mut harness = Harness::new_ui(|ui| trouble(ui, "", &sentence));
        harness.get_by_label(lines);
        harness.get_by_label("m.pt is a TorchScript archive");
        harness.get_by_label("Copy lines").click();
        harness.step();
        let copied = &harness.output().platform_output.commands;
        assert!(copied.contains(&OutputCommand::CopyText(lines.into())), "{copied:?}");
        let plain = Harness::new_ui(|ui| trouble(ui, "", "all in one line"));
        assert!(plain.query_by_label("Copy lines").is_none());
    }
}
