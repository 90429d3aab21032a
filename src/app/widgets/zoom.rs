//! One picture enlarged by whole numbers, with the value of the pixel under the pointer.

use super::weak;
use crate::app::theme::Colors;
use egui::{Align2, Color32, ColorImage, Context, Image, Pos2, Rect, Sense, TextureId, load::SizedTexture, vec2};

/// Pixels of the screen a pixel of the picture takes.
const FACTORS: std::ops::RangeInclusive<usize> = 1..=32;
/// A picture that is opened is about so large, in points.
const WANTED: usize = 448;

/// What is enlarged.
#[derive(Debug, Clone)]
pub struct Zoom {
    /// What it shows.
    pub alt: String,
    /// By how much.
    pub factor: usize,
    /// The value under the pointer.
    under: Option<String>,
}

impl Zoom {
    /// A picture of this size, about as large as the window has room for.
    pub fn of(alt: &str, [width, height]: [usize; 2]) -> Self {
        let factor = (WANTED / width.max(height).max(1)).clamp(*FACTORS.start(), *FACTORS.end());
        Self { alt: alt.into(), factor, under: None }
    }
}

/// Draws what is enlarged in a window of its own; `None` once that is closed.
pub fn zoom_view(ctx: &Context, mut zoom: Zoom, texture: TextureId, pixels: &ColorImage) -> Option<Zoom> {
    let mut open = true;
    let room = ctx.content_rect();
    let window = egui::Window::new("Picture").open(&mut open).resizable(false).collapsible(false);
    let window = window.default_height(room.height() * 0.85);
    window.pivot(Align2::CENTER_CENTER).default_pos(room.center()).show(ctx, |ui| {
        let [width, height] = pixels.size;
        let size = vec2(width as f32, height as f32) * zoom.factor as f32;
        // Wide enough for the values below, and never wider than the window around it.
        let wide = size.x.clamp(360.0, (room.width() * 0.75).max(360.0));
        ui.set_width(wide);
        weak(ui, zoom.alt.clone());
        ui.horizontal(|ui| {
            ui.visuals_mut().widgets.inactive.bg_fill = Colors::of(ui).border;
            let name = ui.label("Enlarged");
            ui.add(egui::Slider::new(&mut zoom.factor, FACTORS).suffix(" ×")).labelled_by(name.id);
        });
        // Above the picture, where it is seen however large the picture is; of the frame before.
        let under = zoom.under.take();
        weak(ui, under.unwrap_or_else(|| "Move the pointer over the picture to read its values".into()));
        egui::ScrollArea::both().max_width(wide).max_height(room.height() * 0.7).show(ui, |ui| {
            let image = Image::from_texture(SizedTexture::new(texture, size)).sense(Sense::hover());
            let response = ui.add(image.alt_text(format!("{}, enlarged", zoom.alt)));
            zoom.under = response.hover_pos().and_then(|at| pixel(at, response.rect, pixels));
        });
    });
    open.then_some(zoom)
}

/// The values of the pixel under the pointer, in words.
pub fn pixel(at: Pos2, rect: Rect, pixels: &ColorImage) -> Option<String> {
    let [width, height] = pixels.size;
    let share = (at - rect.min) / rect.size();
    if share.min_elem() < 0.0 {
        return None;
    }
    let (x, y) = ((share.x * width as f32) as usize, (share.y * height as f32) as usize);
    let color = pixels.pixels.get(y * width + x).filter(|_| x < width && y < height)?;
    Some(said(x, y, *color))
}

fn said(x: usize, y: usize, color: Color32) -> String {
    let share = |byte: u8| f32::from(byte) / 255.0;
    let [r, g, b, _] = color.to_array();
    if r == g && g == b {
        return format!("column {x}, row {y}: {:.3}", share(r));
    }
    format!("column {x}, row {y}: red {:.3}, green {:.3}, blue {:.3}", share(r), share(g), share(b))
}

#[cfg(test)]
mod tests {
    use super::*;
    use egui::pos2;

    #[test]
    fn the_value_is_that_of_the_pixel_under_the_pointer() {
        let gray = Color32::from_gray(51);
        let pixels = ColorImage::new([2, 1], vec![gray, Color32::from_rgb(255, 0, 51)]);
        let rect = Rect::from_min_size(pos2(10.0, 10.0), vec2(40.0, 20.0));
        let said = |x, y| pixel(pos2(x, y), rect, &pixels);
        assert_eq!(said(11.0, 11.0).as_deref(), Some("column 0, row 0: 0.200"));
        assert_eq!(said(49.0, 29.0).as_deref(), Some("column 1, row 0: red 1.000, green 0.000, blue 0.200"));
        assert_eq!(said(51.0, 11.0), None);
        assert_eq!(said(9.0, 11.0), None);
    }
}
