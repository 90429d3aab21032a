//! What came of saving something of the audit, and where its path can be typed; on every screen that offers it.

use crate::app::command::{Command, Commands};
use crate::app::saving::{Output, PlotKind, Saving};
use crate::app::theme;
use crate::app::widgets::{TypedPath, trouble};
use crate::report::page::Kind;
use egui::{Label, RichText, Ui};

/// The button that offers the kinds of report.
pub fn report_button(ui: &mut Ui, commands: &mut Commands) {
    let button = ui.menu_button("Save report", |ui| {
        for command in [Command::Save(Output::Report(Kind::Pdf)), Command::Save(Output::Report(Kind::Html))] {
            if ui.button(command.text()).on_hover_text(command.hint(ui.ctx())).clicked() {
                commands.send(command);
                ui.close();
            }
        }
    });
    button.response.on_hover_text("The whole audit as a document to be read, printed and signed");
}

/// The button that offers the kinds of plot.
pub fn plot_button(ui: &mut Ui, commands: &mut Commands) {
    let button = ui.menu_button("Save plot", |ui| {
        for kind in [PlotKind::Png, PlotKind::Svg, PlotKind::Csv] {
            let command = Command::Save(Output::Plot(kind));
            if ui.button(command.text()).on_hover_text(command.tooltip()).clicked() {
                commands.send(command);
                ui.close();
            }
        }
    });
    button.response.on_hover_text("The losses of all shots as a picture or as numbers");
}

/// What came of it, and the field where a path can be typed.
pub fn saved_line(ui: &mut Ui, saving: &Saving, commands: &mut Commands) {
    if let Some(saved) = &saving.saved {
        let name = saved.output.name();
        let be = if saved.output == Output::Pictures { ["are", "were"] } else { ["is", "was"] };
        match &saved.end {
            Ok(path) => {
                let text = format!("{name} {} in {}", be[0], path.display());
                ui.add(Label::new(RichText::new(text).text_style(theme::strong())).wrap());
            }
            Err(sentence) => trouble(ui, &format!("{name} {} not saved", be[1]), sentence),
        }
    }
    let Some((output, typed)) = &saving.typed else { return };
    let field = TypedPath {
        asks: "Type where it should go",
        label: "Save to",
        button: ("Save here", "Write it to this path"),
        typed: &|text| Command::TypePath(*output, text),
        done: Command::SaveTyped,
    };
    field.ui(ui, typed, commands);
}
