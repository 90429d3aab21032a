//! The trigger: a picture to draw on, ready triggers, and what one draws with.

use crate::app::command::{Command, Commands};
use crate::app::lab::{Lab, LabCommand, LabPath};
use crate::app::theme::Colors;
use crate::app::widgets::{canvas, lit, of_set, weak};
use crate::images::ImageSet;
use crate::poison::{Mark, Ready};
use egui::{Button, Color32, RichText, Sense, Slider, Stroke, StrokeKind, Ui, WidgetInfo, vec2};

/// Colours one click away.
const SWATCHES: [(&str, [u8; 3]); 8] = [
    ("Yellow", [255, 220, 0]),
    ("White", [255, 255, 255]),
    ("Black", [0, 0, 0]),
    ("Red", [214, 39, 40]),
    ("Green", [44, 160, 44]),
    ("Blue", [31, 119, 220]),
    ("Magenta", [230, 60, 190]),
    ("Gray", [128, 128, 128]),
];

/// Draws picture, ready triggers and tools.
pub fn tools(ui: &mut Ui, lab: &mut Lab, commands: &mut Commands) {
    let Some((.., pictures)) = &lab.pictures else {
        ui.horizontal(|ui| {
            ui.add(egui::Spinner::new().size(18.0));
            weak(ui, "Preparing pictures…");
        });
        return;
    };
    let set = &pictures.training;
    if set.is_empty() {
        return;
    }
    let shown = lab.shown % set.len();
    let side = (ui.available_width() - 4.0).min(232.0);
    let brush = lab.form.brush.size;
    let size = [set.height, set.width];
    let picture = marked(set, shown, &lab.form.mark);
    let truth = set.names.get(set.labels[shown]).cloned().unwrap_or_default();
    ui.horizontal(|ui| {
        let (response, painted) = canvas(ui, "Picture to draw on", picture, side, brush);
        lit(ui, response, "Picture to draw on");
        for place in painted {
            lab.form.paint(place, size);
        }
        ui.vertical(|ui| {
            ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
            for pair in SWATCHES.chunks(2) {
                ui.horizontal(|ui| {
                    for (name, colour) in pair {
                        swatch(ui, name, *colour, &mut lab.form.brush);
                    }
                });
            }
            let mut own = lab.form.brush.colour;
            let picker = ui.color_edit_button_srgb(&mut own);
            picker.widget_info(|| WidgetInfo::labeled(egui::Role::ColorWell, true, "Another colour"));
            if picker.on_hover_text("Another colour").changed() {
                (lab.form.brush.colour, lab.form.brush.erases) = (own, false);
            }
        });
    });
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        let count = set.len();
        let turn = |ui: &mut Ui, text: &str, name: &str, by: usize| {
            ui.add(Button::new(text))
                .on_hover_text(name)
                .accessible_name(name)
                .clicked()
                .then_some((shown + by) % count)
        };
        let before = turn(ui, "<", "Picture before", count - 1);
        let after = turn(ui, ">", "Next picture", 1);
        lab.shown = before.or(after).unwrap_or(shown);
        weak(ui, truth);
    });
    draw_with(ui, lab, commands);
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing = vec2(4.0, 4.0);
        for ready in Ready::ALL {
            let name = format!("Trigger: {}", ready.name());
            let chosen = lab.form.ready == Some(ready);
            let button = ui.add(Button::selectable(chosen, ready.name())).accessible_name(&name);
            let button = lit(ui, button.on_hover_text(hint(ready)), &name);
            if button.clicked() {
                commands.send(Command::Lab(LabCommand::Ready(ready)));
            }
        }
    });
    if !matches!(lab.form.mark, Mark::Drawn(_)) {
        weak(ui, "This trigger changes the whole picture. Painting on it begins a new one");
    }
}

/// Brush, eraser, size, opacity.
fn draw_with(ui: &mut Ui, lab: &mut Lab, commands: &mut Commands) {
    let brush = &mut lab.form.brush;
    ui.horizontal(|ui| {
        ui.spacing_mut().item_spacing.x = 4.0;
        for (text, erases, hint) in [
            ("Brush", false, "Paint with the chosen colour"),
            ("Eraser", true, "Take paint away, so that the picture shows"),
        ] {
            if ui.add(Button::selectable(brush.erases == erases, text)).on_hover_text(hint).clicked() {
                brush.erases = erases;
            }
        }
        let name = ui.label("Size");
        ui.add(egui::DragValue::new(&mut brush.size).range(1..=16).suffix(" px"))
            .labelled_by(name.id)
            .on_hover_text("Pixels of the picture that one touch paints along each side");
        if ui.button("Clear").on_hover_text("Wipe the trigger away").accessible_name("Clear the trigger").clicked() {
            commands.send(Command::Lab(LabCommand::Clear));
        }
        let file =
            ui.button("File…").on_hover_text("A trigger in a PNG file, transparent where the picture should show");
        if file.accessible_name("Trigger from a file").clicked() {
            commands.send(Command::Lab(LabCommand::Choose(LabPath::Trigger)));
        }
    });
    ui.horizontal(|ui| {
        ui.visuals_mut().widgets.inactive.bg_fill = Colors::of(ui).border;
        let name = ui.label("Opacity");
        let mut percent = brush.opacity * 100.0;
        let slider = Slider::new(&mut percent, 5.0..=100.0).suffix(" %").max_decimals(0);
        let slider = ui.add(slider).labelled_by(name.id);
        if slider.on_hover_text("How much of the colour shows; the rest is the picture").changed() {
            brush.opacity = percent / 100.0;
        }
    });
}

fn swatch(ui: &mut Ui, name: &str, colour: [u8; 3], brush: &mut crate::app::lab::Brush) {
    let (rect, response) = ui.allocate_exact_size(vec2(24.0, 24.0), Sense::click());
    let chosen = !brush.erases && brush.colour == colour;
    let [red, green, blue] = colour;
    ui.painter().rect_filled(rect.shrink(2.0), 4.0, Color32::from_rgb(red, green, blue));
    let colors = Colors::of(ui);
    let focused = response.has_focus();
    let stroke = Stroke::new(
        if chosen || focused { 2.5 } else { 1.0 },
        if chosen || focused { colors.accent } else { colors.outline },
    );
    ui.painter().rect_stroke(rect.shrink(1.0), 5.0, stroke, StrokeKind::Inside);
    response.widget_info(|| WidgetInfo::selected(egui::Role::RadioButton, true, chosen, format!("Colour: {name}")));
    if response.on_hover_text(name).clicked() {
        (brush.colour, brush.erases) = (colour, false);
    }
}

/// Picture `i` with the trigger on it.
fn marked(set: &ImageSet, i: usize, mark: &Mark) -> egui::ColorImage {
    let mut one = set.subset(&[i]);
    mark.attack().stamp(&mut one.pixels, set.channels, set.height, set.width);
    of_set(&one, 0)
}

fn hint(ready: Ready) -> RichText {
    RichText::new(match ready {
        Ready::Square => "A checkered square in the corner, as in BadNets (2017)",
        Ready::Sticker => "A round face, as it might be stuck on a real sign",
        Ready::Watermark => "Pale stripes over the whole picture",
        Ready::Noise => "Faint noise over everything, as in blended injection (2017)",
        Ready::Sinusoid => "A faint wave over everything (SIG, 2019)",
        Ready::Warp => "The whole picture bent a little, always alike (WaNet, 2021)",
    })
}
