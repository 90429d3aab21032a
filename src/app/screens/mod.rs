//! The screens, one file each: a state struct and a `ui`. They draw and send commands, nothing else.

mod beside;
pub mod compare;
pub mod detect;
pub mod files;
pub mod glossary_view;
pub mod inspect;
pub mod lab;
mod log_view;
pub mod open;
mod recent;
pub mod repair;
pub mod repair_pictures;
pub mod repaired;
mod saved_line;

use egui::{Align, Context, Layout, Ui, Vec2, Window};

pub use log_view::log_view;
pub use recent::recent_audits;
pub use saved_line::{plot_button, report_button, saved_line};

/// One of the columns of [`Ui::columns`], which would stretch sentences from edge to edge.
fn column(ui: &mut Ui, add: impl FnOnce(&mut Ui)) {
    ui.with_layout(Layout::top_down(Align::Min), add);
}

/// A window over the screen, in its middle until it is moved; it is closed where `open` becomes false.
fn over_the_screen<'a>(ctx: &Context, title: &'a str, [usual, least]: [Vec2; 2], open: &'a mut bool) -> Window<'a> {
    Window::new(title)
        .open(open)
        .default_size(usual)
        .min_size(least)
        .collapsible(false)
        .pivot(egui::Align2::CENTER_CENTER)
        .default_pos(ctx.content_rect().center())
}
