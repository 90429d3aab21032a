//! What came of saving the report, and where its path can be typed; on every screen that offers it.

use crate::app::command::{Command, Commands};
use crate::app::reporting::Reporting;
use crate::app::theme;
use crate::app::widgets::{trouble, weak};
use crate::report::page::Kind;
use egui::{Label, RichText, Ui};

/// The button that offers the kinds of report.
pub fn report_button(ui: &mut Ui, commands: &mut Commands) {
    let button = ui.menu_button("Save report", |ui| {
        for command in [Command::SaveReport(Kind::Pdf), Command::SaveReport(Kind::Html)] {
            if ui.button(command.text()).on_hover_text(command.hint(ui.ctx())).clicked() {
                commands.send(command);
                ui.close();
            }
        }
    });
    button.response.on_hover_text("The whole audit as a document to be read, printed and signed");
}

/// The lines below it.
pub fn report_line(ui: &mut Ui, reporting: &Reporting, commands: &mut Commands) {
    match &reporting.saved {
        Some(Ok(path)) => {
            let text = format!("The report is in {}", path.display());
            ui.add(Label::new(RichText::new(text).text_style(theme::strong())).wrap());
        }
        Some(Err(sentence)) => trouble(ui, "The report was not saved", sentence),
        None => {}
    }
    let Some(typed) = &reporting.typed else { return };
    weak(ui, "No file dialog could be opened here. Type where the report should go; it ends in .pdf or .html");
    let mut text = typed.clone();
    ui.horizontal(|ui| {
        let name = ui.label("Report to");
        let field = egui::TextEdit::singleline(&mut text).desired_width(ui.available_width() - 130.0);
        if ui.add(field).labelled_by(name.id).changed() {
            commands.send(Command::TypeReport(text.clone()));
        }
        if ui.button("Save here").on_hover_text("Write the report to this path").clicked() {
            commands.send(Command::SaveTyped);
        }
    });
}
