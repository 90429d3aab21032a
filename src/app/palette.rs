//! The command palette: everything the window can be told to do, found by typing some of its letters.

use super::command::{Command, Commands};
use super::known::Known;
use super::theme::{self, Colors};
use super::widgets::weak;
use super::words;
use egui::{Align, Align2, Context, Key, Layout, RichText, TextEdit, vec2};

/// Lines that are shown at most.
const SHOWN: usize = 10;
/// How wide it is, in points.
const WIDTH: f32 = 560.0;

/// What is typed and chosen.
#[derive(Debug, Default)]
pub struct Palette {
    text: String,
    chosen: usize,
}

/// One line: what it says, and what it does.
struct Line {
    text: String,
    command: Command,
}

impl Palette {
    /// Draws it; `false` once it is to be closed.
    pub fn ui(
        &mut self,
        ctx: &Context,
        known: &Known,
        allowed: &dyn Fn(&Command) -> bool,
        commands: &mut Commands,
    ) -> bool {
        let lines = self.lines(known, allowed);
        let mut open = !ctx.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::Escape));
        let moved = ctx.input_mut(|input| {
            let down = input.consume_key(egui::Modifiers::NONE, Key::ArrowDown);
            let up = input.consume_key(egui::Modifiers::NONE, Key::ArrowUp);
            usize::from(down) as isize - usize::from(up) as isize
        });
        self.chosen = self.chosen.saturating_add_signed(moved).min(lines.len().saturating_sub(1));
        let entered = ctx.input_mut(|input| input.consume_key(egui::Modifiers::NONE, Key::Enter));
        let mut taken = entered.then_some(self.chosen);
        let window = egui::Window::new("Commands")
            .title_bar(false)
            .resizable(false)
            .anchor(Align2::CENTER_TOP, vec2(0.0, 80.0))
            .fixed_size(vec2(WIDTH, 0.0));
        let shown = window.show(ctx, |ui| {
            let edit = TextEdit::singleline(&mut self.text).desired_width(WIDTH).hint_text("Type what you want to do");
            let field = ui.add(edit);
            ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Command"));
            if field.changed() {
                self.chosen = 0;
            }
            field.request_focus();
            if lines.is_empty() {
                weak(ui, "No command has these letters");
            }
            for (i, line) in lines.iter().enumerate() {
                let keys = line.command.shortcut().map(|keys| ctx.format_shortcut(&keys)).unwrap_or_default();
                let chosen = i == self.chosen;
                let text =
                    RichText::new(&line.text).text_style(if chosen { theme::strong() } else { egui::TextStyle::Body });
                ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
                    let button = egui::Button::selectable(chosen, text).shortcut_text(keys);
                    let button = ui.add(button.min_size(vec2(WIDTH, 0.0)));
                    if button.accessible_name(format!("Run: {}", line.text)).clicked() {
                        taken = Some(i);
                    }
                });
                if chosen {
                    let hint = RichText::new(line.command.tooltip()).small().color(Colors::of(ui).weak);
                    ui.add(egui::Label::new(hint).truncate());
                }
            }
        });
        let beside = shown.is_some_and(|shown| {
            ctx.input(|input| {
                let at = input.pointer.press_origin().filter(|_| input.pointer.any_pressed());
                at.is_some_and(|at| !shown.response.rect.contains(at))
            })
        });
        if let Some(line) = taken.and_then(|i| lines.into_iter().nth(i)) {
            commands.send(line.command);
            open = false;
        }
        open && !beside
    }

    /// What fits to the letters, the best first.
    fn lines(&self, known: &Known, allowed: &dyn Fn(&Command) -> bool) -> Vec<Line> {
        let named = |command: Command| Line { text: command.text().trim_end_matches('…').to_owned(), command };
        let of_step = |command: Command| match &command {
            Command::Show(step) => Line { text: format!("Go to {}", command.text()), command: Command::Show(*step) },
            Command::Theme(_) => Line { text: format!("Colours: {}", command.text()), command },
            _ => named(command),
        };
        let all = Command::everywhere().into_iter().filter(|command| allowed(command)).map(of_step);
        let labels = known.rows.iter().map(|row| {
            let text = format!("Inspect label {}", words::label(row.label, &row.name));
            Line { text, command: Command::Inspect(row.label) }
        });
        let mut fitting: Vec<(usize, Line)> =
            all.chain(labels).filter_map(|line| Some((distance(&self.text, &line.text)?, line))).collect();
        // The sort is stable: of equals the first in the list stays first.
        fitting.sort_by_key(|(distance, _)| *distance);
        fitting.into_iter().take(SHOWN).map(|(_, line)| line).collect()
    }
}

/// How far `typed` is from `text`; `None` where its letters do not occur in that order. Letters that stand together, and at
/// the beginning of words, are near.
fn distance(typed: &str, text: &str) -> Option<usize> {
    let (typed, text) = (typed.to_lowercase(), text.to_lowercase());
    // What stands there as it was typed is nearest, at the beginning of a word before all.
    if let Some(at) = text.find(typed.trim()) {
        return Some(usize::from(at > 0 && !text[..at].ends_with(' ')));
    }
    let text: Vec<char> = text.chars().collect();
    let mut distance = 2;
    let mut at = 0;
    for c in typed.chars().filter(|c| !c.is_whitespace()) {
        let skipped = text[at..].iter().position(|t| *t == c)?;
        let begins = at + skipped == 0 || text[at + skipped - 1] == ' ';
        distance += if begins { skipped.min(1) } else { 2 * skipped };
        at += skipped + 1;
    }
    Some(distance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_in_order_fit_and_the_nearest_comes_first() {
        assert_eq!(distance("", "Save report as PDF"), Some(0));
        assert_eq!(distance("xyz", "Save report as PDF"), None);
        assert_eq!(distance("fdp", "Save report as PDF"), None);
        let pdf = distance("srp", "Save report as PDF");
        assert!(pdf < distance("srp", "Search for a trap"), "beginnings of words are near");
        assert!(distance("save pdf", "Save report as PDF").is_some());
        assert!(distance("stop", "Inspect label 0 stop") < distance("stop", "Save the open"));
    }

    #[test]
    fn every_command_that_is_offered_has_words() {
        let palette = Palette::default();
        let all = palette.lines(&Known::default(), &|_| true);
        assert_eq!(all.len(), SHOWN);
        assert!(Command::everywhere().iter().all(|c| !c.text().is_empty() && !c.tooltip().is_empty()));
    }
}
