//! The look: fonts, sizes, distances and colours, in one place. Knows nothing of audits but the verdicts.

mod colors;

pub use colors::Colors;

use egui::{Context, CornerRadius, FontData, FontDefinitions, FontFamily, FontId, Margin, Stroke, TextStyle, vec2};
use std::sync::Arc;

/// The family of emphasised writing.
const STRONG: &str = "strong";

/// Distance between things that belong together, in points; everything else is a multiple of it.
pub const GAP: f32 = 8.0;

/// Emphasised writing at the size of ordinary text.
pub fn strong() -> TextStyle {
    TextStyle::Name("strong".into())
}

/// The family of emphasised writing.
pub fn strong_family() -> FontFamily {
    FontFamily::Name(STRONG.into())
}

/// The verdict and the first line of an empty window.
pub fn title() -> TextStyle {
    TextStyle::Name("title".into())
}

/// Sets fonts and both themes. Call once, before the first frame.
pub fn install(ctx: &Context) {
    ctx.set_fonts(fonts());
    for theme in [egui::Theme::Light, egui::Theme::Dark] {
        let mut style = (*ctx.style_of(theme)).clone();
        measure(&mut style);
        paint(&mut style.visuals, Colors::of_theme(theme));
        ctx.set_style_of(theme, style);
    }
}

fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let inter = |bytes| Arc::new(FontData::from_static(bytes));
    fonts.font_data.insert("Inter".into(), inter(include_bytes!("../../../assets/fonts/Inter-Regular.otf")));
    fonts.font_data.insert("Inter SemiBold".into(), inter(include_bytes!("../../../assets/fonts/Inter-SemiBold.otf")));
    let fallback = fonts.families.get(&FontFamily::Proportional).cloned().unwrap_or_default();
    let with = |first: &str| std::iter::once(first.to_owned()).chain(fallback.iter().cloned()).collect();
    fonts.families.insert(FontFamily::Proportional, with("Inter"));
    fonts.families.insert(strong_family(), with("Inter SemiBold"));
    fonts
}

fn measure(style: &mut egui::Style) {
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(12.0)),
        (TextStyle::Body, FontId::proportional(14.0)),
        (TextStyle::Button, FontId::proportional(14.0)),
        (TextStyle::Monospace, FontId::monospace(13.0)),
        (strong(), FontId::new(14.0, strong_family())),
        (TextStyle::Heading, FontId::new(17.0, strong_family())),
        (title(), FontId::new(24.0, strong_family())),
    ]
    .into();
    let spacing = &mut style.spacing;
    spacing.item_spacing = vec2(GAP, GAP);
    spacing.button_padding = vec2(10.0, 5.0);
    spacing.interact_size = vec2(40.0, 28.0);
    spacing.menu_margin = Margin::same(6);
    spacing.window_margin = Margin::same(12);
    spacing.icon_width = 16.0;
    spacing.icon_width_inner = 9.0;
    spacing.combo_width = 80.0;
    spacing.scroll.floating_allocated_width = 10.0;
    spacing.tooltip_width = 380.0;
    spacing.menu_width = 420.0;
    style.animation_time = 0.1;
    style.interaction.selectable_labels = true;
}

fn paint(visuals: &mut egui::Visuals, c: &Colors) {
    visuals.panel_fill = c.ground;
    visuals.window_fill = c.card;
    visuals.window_stroke = Stroke::new(1.0, c.border);
    visuals.faint_bg_color = c.panel;
    visuals.extreme_bg_color = c.field;
    visuals.text_edit_bg_color = Some(c.field);
    visuals.code_bg_color = c.button;
    visuals.weak_text_color = Some(c.weak);
    visuals.hyperlink_color = c.accent;
    visuals.error_fg_color = c.error.ink;
    visuals.warn_fg_color = c.verdict(crate::audit::Verdict::Suspicious).ink;
    visuals.selection.bg_fill = c.selection;
    visuals.selection.stroke = Stroke::new(1.5, c.accent);
    visuals.interact_cursor = Some(egui::CursorIcon::PointingHand);
    visuals.disabled_alpha = 0.55;
    let w = &mut visuals.widgets;
    for (state, fill, border) in [
        (&mut w.noninteractive, c.card, c.border),
        (&mut w.inactive, c.button, c.border),
        (&mut w.hovered, c.button_hovered, c.weak),
        (&mut w.active, c.selection, c.accent),
        (&mut w.open, c.button_hovered, c.border),
    ] {
        state.bg_fill = fill;
        state.weak_bg_fill = fill;
        state.bg_stroke = Stroke::new(1.0, border);
        state.fg_stroke = Stroke::new(1.0, c.text);
        state.corner_radius = CornerRadius::same(5);
        state.expansion = 0.0;
    }
    // Behind ticks and radio dots.
    w.inactive.bg_fill = c.field;
}

/// Gives ticks and radio dots within `ui` a border that can be seen: unlike buttons they have no words on them.
pub fn outline(ui: &mut egui::Ui) {
    let color = Colors::of(ui).outline;
    ui.visuals_mut().widgets.inactive.bg_stroke.color = color;
}

/// A box that holds what belongs together.
pub fn card(ui: &egui::Ui) -> egui::Frame {
    let c = Colors::of(ui);
    egui::Frame::NONE.fill(c.card).stroke(Stroke::new(1.0, c.border)).corner_radius(8).inner_margin(Margin::same(14))
}
