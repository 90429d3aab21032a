//! Small pictures, enlarged without smoothing so that every pixel of a trigger can be seen.
//! Each becomes a texture once.

use super::zoom::{Zoom, pixel, zoom_view};
use crate::detect::{Example, Picture, Shape};
use crate::images::ImageSet;
use crate::report::pixels;
use egui::{
    Color32, ColorImage, Context, Image, Response, Sense, TextureHandle, TextureOptions, Ui, load::SizedTexture, vec2,
};
use std::collections::HashMap;
use std::sync::Arc;

/// What of a label is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Where the trigger covers the picture.
    Mask,
    /// What it covers it with.
    Pattern,
    /// The pattern where the mask lets it through, on gray.
    Trigger,
    /// How much it changes each pixel of the pictures.
    Heat,
    /// The same, only where the mask is.
    Thumbnail,
    /// A clean picture.
    Before(usize),
    /// The same with the trigger.
    After(usize),
    /// Final point of a shot.
    Point(usize),
    /// A picture with the trigger at another strength.
    AtStrength(usize),
    /// Where a network looks on a picture.
    Attention(usize),
}

/// Textures by the version of their label and what they show.
#[derive(Default)]
pub struct Pictures {
    textures: HashMap<(u64, Part), (TextureHandle, Arc<ColorImage>)>,
    /// The one that is enlarged.
    zoom: Option<((u64, Part), Zoom)>,
}

impl Pictures {
    /// Forgets the pictures of another audit.
    pub fn clear(&mut self) {
        self.textures.clear();
        self.zoom = None;
    }

    /// Shows a picture at `side` points along its longer edge; `alt` says what it shows.
    pub fn show(
        &mut self,
        ui: &mut Ui,
        (version, part): (u64, Part),
        side: f32,
        alt: &str,
        paint: impl FnOnce() -> ColorImage,
    ) -> Response {
        let (texture, pixels) = self.textures.entry((version, part)).or_insert_with(|| {
            let pixels = Arc::new(paint());
            let name = format!("{version} {part:?}");
            (ui.ctx().load_texture(name, Arc::clone(&pixels), TextureOptions::NEAREST), pixels)
        });
        let [width, height] = texture.size().map(|n| n.max(1) as f32);
        let size = vec2(width, height) * (side / width.max(height));
        let image = Image::from_texture(SizedTexture::new(texture.id(), size)).corner_radius(3).alt_text(alt);
        if part == Part::Thumbnail {
            // A click there opens the label.
            return ui.add(image);
        }
        let response = ui.add(image.sense(Sense::click()));
        let under = response.hover_pos().and_then(|at| pixel(at, response.rect, pixels));
        if response.clicked() {
            self.zoom = Some(((version, part), Zoom::of(alt, pixels.size)));
        }
        let hint = "Click to enlarge";
        response.on_hover_text(under.map_or_else(|| hint.into(), |value| format!("{value}\n{hint}")))
    }

    /// Closes the one that is enlarged; whether there was one.
    pub fn close_enlarged(&mut self) -> bool {
        self.zoom.take().is_some()
    }

    /// Draws the one that is enlarged, if any, in a window of its own.
    pub fn show_enlarged(&mut self, ctx: &Context) {
        let Some((key, zoom)) = self.zoom.take() else { return };
        let Some((texture, pixels)) = self.textures.get(&key) else { return };
        self.zoom = zoom_view(ctx, zoom, texture.id(), pixels).map(|zoom| (key, zoom));
    }
}

/// A picture as it is.
pub fn plain(picture: &Picture) -> ColorImage {
    image(picture.width, picture.height, |at| color(picture, at))
}

/// Picture `i` of a set.
pub fn of_set(set: &ImageSet, i: usize) -> ColorImage {
    let (planes, area) = (set.image(i), set.height * set.width);
    let value = |channel: usize, at: usize| planes.get(channel * area + at).copied().unwrap_or(0);
    let colour = |at: usize| match set.channels {
        3 => Color32::from_rgb(value(0, at), value(1, at), value(2, at)),
        _ => Color32::from_gray(value(0, at)),
    };
    ColorImage::new([set.width, set.height], (0..area).map(colour).collect())
}

/// The pattern where the mask lets it through, on gray; the whole pattern of a warp or a filter, which have no mask.
pub fn trigger(shape: Shape, mask: &Picture, pattern: &Picture) -> ColorImage {
    const GRAY: f32 = 0.5;
    if !shape.has_mask() {
        return plain(pattern);
    }
    image(pattern.width, pattern.height, |at| {
        let cover = mask.values.get(at).copied().unwrap_or(0.0).clamp(0.0, 1.0);
        color(pattern, at).map(|c| cover * c + (1.0 - cover) * GRAY)
    })
}

/// How much a trigger changes each pixel of these pictures; dark where it changes none.
pub fn heat(examples: &[Example]) -> ColorImage {
    pixels::heat(examples).map_or_else(
        || ColorImage::filled([1, 1], Color32::BLACK),
        |map| ColorImage::from_rgb([map.width() as usize, map.height() as usize], &map.into_rgb8()),
    )
}

/// The square of the trigger that holds everything the mask covers at least half, with a little around
/// it: small triggers can be seen in a table.
pub fn close_up(shape: Shape, mask: &Picture, pattern: &Picture) -> ColorImage {
    const AROUND: usize = 1;
    let whole = trigger(shape, mask, pattern);
    let [width, height] = whole.size;
    let covered = || (0..width * height).filter(|&at| mask.values.get(at).is_some_and(|&m| m >= 0.5));
    let range = |n: usize, place: &dyn Fn(usize) -> usize| {
        let low = covered().map(place).min()?.saturating_sub(AROUND);
        let high = (covered().map(place).max()? + AROUND + 1).min(n);
        Some((low, high))
    };
    let (Some(x), Some(y)) = (range(width, &|at| at % width), range(height, &|at| at / width)) else { return whole };
    let side = (x.1 - x.0).max(y.1 - y.0);
    if side >= width.min(height) {
        return whole;
    }
    let (left, top) = (x.0.min(width - side), y.0.min(height - side));
    let pixels = (0..side * side).map(|at| whole.pixels[(top + at / side) * width + left + at % side]);
    ColorImage::new([side, side], pixels.collect())
}

/// Red, green, blue of pixel `at`, in `[0, 1]`; black where the picture has no such pixel.
fn color(picture: &Picture, at: usize) -> [f32; 3] {
    let area = picture.width * picture.height;
    let value = |channel: usize| picture.values.get(channel * area + at).copied().unwrap_or(0.0);
    if picture.channels == 3 { [value(0), value(1), value(2)] } else { [value(0); 3] }
}

fn image(width: usize, height: usize, pixel: impl Fn(usize) -> [f32; 3]) -> ColorImage {
    let byte = |x: f32| (x.clamp(0.0, 1.0) * 255.0).round() as u8;
    let pixels = (0..width * height).map(|at| {
        let [r, g, b] = pixel(at).map(byte);
        Color32::from_rgb(r, g, b)
    });
    ColorImage::new([width, height], pixels.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trigger_shows_its_pattern_where_the_mask_is_and_gray_elsewhere() {
        let mask = Picture { channels: 1, height: 1, width: 2, values: vec![1.0, 0.0] };
        let pattern = Picture { channels: 3, height: 1, width: 2, values: vec![1.0, 1.0, 0.0, 0.0, 0.0, 0.0] };
        let shown = trigger(Shape::Patch, &mask, &pattern);
        assert_eq!(shown.pixels, [Color32::from_rgb(255, 0, 0), Color32::from_gray(128)]);
        // A warp covers nothing: its shifts are all there is.
        let shifts = trigger(Shape::Warp, &mask, &pattern);
        assert_eq!(shifts.pixels, [Color32::from_rgb(255, 0, 0); 2]);
    }

    #[test]
    fn a_close_up_shows_the_mark_and_little_else() {
        let mut values = vec![0.0; 64];
        values[6 * 8 + 6] = 1.0;
        let mask = Picture { channels: 1, height: 8, width: 8, values };
        let pattern = Picture { channels: 1, height: 8, width: 8, values: vec![1.0; 64] };
        let shown = close_up(Shape::Patch, &mask, &pattern);
        assert_eq!(shown.size, [3, 3]);
        assert_eq!(shown.pixels[4], Color32::WHITE);
        let nothing = Picture { values: vec![0.0; 64], ..mask };
        assert_eq!(close_up(Shape::Patch, &nothing, &pattern).size, [8, 8]);
    }

    #[test]
    fn a_picture_that_lacks_values_is_black_there() {
        let broken = Picture { channels: 3, height: 1, width: 2, values: vec![1.0] };
        assert_eq!(plain(&broken).pixels, [Color32::from_rgb(255, 0, 0), Color32::BLACK]);
    }
}
