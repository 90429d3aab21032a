//! The window: screens, widgets, theme. Draws and sends commands, nothing else.

use crate::audit::Order;

/// What the window's saved state and desktop entry are found under.
const APP_ID: &str = "poisdetc";

/// The running program.
#[derive(Debug, Default)]
pub struct App {
    order: Order,
}

impl App {
    /// A window that starts with `order` filled in.
    pub fn new(order: Option<Order>) -> Self {
        Self { order: order.unwrap_or_default() }
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut egui::Ui, _frame: &mut eframe::Frame) {
        egui::CentralPanel::default().show(ui, |ui| ui.label(self.order.model.display().to_string()));
    }
}

/// Opens the window and stays until it is closed. `order` fills the fields in beforehand.
///
/// # Errors
/// A sentence where no window can be opened: no display, no OpenGL.
pub fn open_window(order: Option<Order>) -> Result<(), String> {
    let options = eframe::NativeOptions {
        viewport: egui::ViewportBuilder::default()
            .with_app_id(APP_ID)
            .with_title("PoisDetc")
            .with_inner_size([1280.0, 900.0])
            .with_min_inner_size([800.0, 560.0]),
        ..Default::default()
    };
    eframe::run_native("PoisDetc", options, Box::new(move |_creation| Ok(Box::new(App::new(order)))))
        .map_err(|why| format!("No window could be opened: {why}"))
}
