//! The log in a window of its own over the screen, to be read and copied.

use super::over_the_screen;
use crate::app::command::{Command, Commands};
use crate::app::log::{self, Line};
use crate::app::theme::Colors;
use crate::app::widgets::weak;
use egui::{Context, Label, RichText, ScrollArea, vec2};

/// Draws it.
pub fn log_view(ctx: &Context, commands: &mut Commands) {
    let lines = log::lines();
    let mut open = true;
    over_the_screen(ctx, "Log", [vec2(760.0, 420.0), vec2(360.0, 200.0)], &mut open).show(ctx, |ui| {
        ui.horizontal(|ui| {
            if ui.button("Copy all").on_hover_text("Copy the whole log to the clipboard").clicked() {
                ui.copy_text(text(&lines));
            }
            if let Some(file) = log::file() {
                weak(ui, format!("Also in {}", file.display()));
            }
        });
        ui.separator();
        if lines.is_empty() {
            weak(ui, "Nothing has been noted yet");
        }
        ScrollArea::both().auto_shrink(false).stick_to_bottom(true).show(ui, |ui| {
            let colors = Colors::of(ui);
            for line in &lines {
                let color = match line.level {
                    ::log::Level::Error => colors.error.ink,
                    ::log::Level::Warn => colors.text,
                    _ => colors.weak,
                };
                let text = RichText::new(&line.text).monospace().color(color);
                ui.add(Label::new(text).extend().selectable(true));
            }
        });
    });
    if !open {
        commands.send(Command::ShowLog(false));
    }
}

fn text(lines: &[Line]) -> String {
    lines.iter().map(|line| format!("{}\n", line.text)).collect()
}
