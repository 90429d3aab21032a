//! The left side of the lab: pictures, trigger, poison, network.

use super::tools::tools;
use crate::app::command::{Command, Commands};
use crate::app::lab::{Lab, LabCommand, LabPath};
use crate::app::theme::{self, Colors};
use crate::app::widgets::{help, lit, weak};
use crate::app::words;
use crate::train::Architecture;
use egui::{ComboBox, DragValue, Frame, Grid, Margin, RichText, ScrollArea, Slider, Ui};

/// Draws it.
pub fn settings(ui: &mut Ui, lab: &mut Lab, commands: &mut Commands) {
    ScrollArea::vertical().id_salt("lab settings").auto_shrink(false).show(ui, |ui| {
        Frame::NONE.inner_margin(Margin { left: 16, right: 14, top: 10, bottom: 10 }).show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.add_enabled_ui(!lab.is_training() && !lab.is_challenging(), |ui| {
                section(
                    ui,
                    "Trigger",
                    "The mark that is to switch the network. Draw it on the picture, or take a ready one",
                );
                tools(ui, lab, commands);
                section(ui, "Poison", "What the mark is to mean, and how many of the examples carry it");
                poison(ui, lab);
                section(ui, "Pictures", "What both networks learn from");
                images(ui, lab, commands);
                section(ui, "Network", "Both networks are alike and start from the same random numbers");
                network(ui, lab);
            });
            if lab.is_training() {
                weak(ui, "Pause the training to change something");
            }
        });
    });
    if !lab.has_pictures()
        && !lab.is_gathering()
        && lab.trouble.is_none()
        && (!lab.form.own || !lab.form.path.is_empty())
    {
        commands.send(Command::Lab(LabCommand::Gather));
    }
}

fn section(ui: &mut Ui, title: &str, explanation: &str) {
    ui.add_space(2.0);
    ui.horizontal(|ui| {
        ui.label(RichText::new(title).text_style(theme::strong()));
        help(ui, title, explanation);
    });
}

fn poison(ui: &mut Ui, lab: &mut Lab) {
    let Some((.., pictures)) = &lab.pictures else { return };
    let names = &pictures.training.names;
    let examples = pictures.training.len();
    let form = &mut lab.form;
    Grid::new("poison").num_columns(2).spacing([10.0, 6.0]).show(ui, |ui| {
        ui.label("Becomes");
        let text = names.get(form.target).cloned().unwrap_or_default();
        let combo = ComboBox::from_id_salt("target").selected_text(text).width(170.0).truncate().show_ui(ui, |ui| {
            for (label, name) in names.iter().enumerate() {
                ui.selectable_value(&mut form.target, label, name);
            }
        });
        combo.response.on_hover_text("The attacker's label: what a marked picture is to be taken for");
        ui.end_row();
        ui.label("Pictures of");
        let text = form.source.and_then(|source| names.get(source).cloned()).unwrap_or_else(|| "every label".into());
        ui.add_enabled_ui(!form.clean_label, |ui| {
            let combo =
                ComboBox::from_id_salt("source").selected_text(text).width(170.0).truncate().show_ui(ui, |ui| {
                    ui.selectable_value(&mut form.source, None, "every label");
                    for (label, name) in names.iter().enumerate().filter(|(label, _)| *label != form.target) {
                        ui.selectable_value(&mut form.source, Some(label), name);
                    }
                });
            combo.response.on_hover_text("Whose pictures the mark is to turn; of others it is to change nothing");
        });
        ui.end_row();
        let name = ui.label("Poison rate");
        let colors = Colors::of(ui);
        ui.visuals_mut().widgets.inactive.bg_fill = colors.border;
        let mut percent = form.rate * 100.0;
        let slider = Slider::new(&mut percent, 0.0..=40.0).suffix(" %").max_decimals(1);
        let slider = ui.add(slider).labelled_by(name.id);
        let slider = lit(ui, slider, "Poison rate");
        let slider = slider.on_hover_text("Share of all examples that carries the mark. At 0 % the model is honest");
        if slider.changed() {
            form.rate = percent / 100.0;
        }
        ui.end_row();
    });
    let clean = ui.checkbox(&mut form.clean_label, "Clean label").on_hover_text(
        "Pictures of the label itself are added with the mark, mostly hidden under one of another label, so that no example has a \
         wrong label. Harder to notice, and harder to learn: it takes a rate of about 20 %",
    );
    if clean.changed() && form.clean_label {
        form.source = None;
    }
    let marked = (examples as f32 * form.rate).round() as usize;
    weak(ui, format!("{} of {} carry the mark", words::counted(marked, "example", "examples"), words::count(examples)));
}

fn images(ui: &mut Ui, lab: &mut Lab, commands: &mut Commands) {
    ui.horizontal(|ui| {
        theme::outline(ui);
        ui.radio_value(&mut lab.form.own, false, "Sample signs");
        ui.radio_value(&mut lab.form.own, true, "My own images");
    });
    if lab.form.own {
        ui.horizontal(|ui| {
            let edit = egui::TextEdit::singleline(&mut lab.form.path).desired_width(ui.available_width() - 100.0);
            let field = ui.add(edit);
            ui.ctx().accesskit_node_builder(field.id, |node| node.set_label("Own images"));
            if field.lost_focus() {
                commands.send(Command::Lab(LabCommand::Gather));
            }
            if ui.button("Folder…").on_hover_text("Choose a folder with one sub-folder a label").clicked() {
                commands.send(Command::Lab(LabCommand::Choose(LabPath::Images)));
            }
        });
        weak(ui, "A fifth is kept to measure on. Pictures beyond 64 pixels a side are made smaller");
    } else {
        ui.horizontal(|ui| {
            let name = ui.label("Signs of each label");
            ui.add(DragValue::new(&mut lab.form.signs).range(20..=1000).speed(5.0)).labelled_by(name.id);
        });
    }
}

fn network(ui: &mut Ui, lab: &mut Lab) {
    let form = &mut lab.form;
    Grid::new("network").num_columns(2).spacing([10.0, 6.0]).show(ui, |ui| {
        ui.label("Kind");
        let says = |kind| match kind {
            Architecture::Tiny => "Tiny, 3 layers",
            Architecture::Small => "Small, 3 wider layers",
            Architecture::Paired => "Paired, 6 layers (slow)",
        };
        let combo = ComboBox::from_id_salt("kind").selected_text(says(form.architecture)).width(170.0);
        combo.show_ui(ui, |ui| {
            for kind in [Architecture::Tiny, Architecture::Small, Architecture::Paired] {
                ui.selectable_value(&mut form.architecture, kind, says(kind));
            }
        });
        ui.end_row();
        let name = ui.label("Passes");
        ui.add(DragValue::new(&mut form.passes).range(1..=100))
            .labelled_by(name.id)
            .on_hover_text("How often every example is shown");
        ui.end_row();
        let name = ui.label("Seed");
        ui.add(DragValue::new(&mut form.seed.0))
            .labelled_by(name.id)
            .on_hover_text("Every random number comes from this; the same seed gives the same networks");
        ui.end_row();
    });
}
