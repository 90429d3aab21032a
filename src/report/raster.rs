//! A figure as a PNG, drawn with the bundled font: nothing is asked of the screen or the system.

use super::face::Faces;
use super::figure::{Anchor, Figure, Ink, Shape};
use super::write::ReportError;
use super::{pixels, words};
use image::{DynamicImage, RgbImage};
use tiny_skia::{Color, FillRule, Paint, Path, PathBuilder, Pixmap, Stroke, StrokeDash, Transform};

/// Pixels a point.
const SCALE: f32 = 3.0;

/// The file's bytes, on white, three pixels a point.
///
/// # Errors
/// [`ReportError::Draw`] where the figure is too large or the fonts cannot be used.
pub fn png(figure: &Figure) -> Result<Vec<u8>, ReportError> {
    let failed = |why: &str| ReportError::Draw(why.into());
    let faces = Faces::bundled()?;
    let [width, height] = [figure.width, figure.height].map(|points| (points * SCALE).ceil() as u32);
    let mut canvas = Pixmap::new(width, height).ok_or_else(|| failed("it is too large"))?;
    canvas.fill(Color::WHITE);
    for shape in &figure.shapes {
        draw(&mut canvas, shape, &faces);
    }
    // Everything was painted on white, so no pixel is transparent.
    let bytes = canvas.pixels().iter().flat_map(|p| [p.red(), p.green(), p.blue()]).collect();
    let picture = RgbImage::from_raw(width, height, bytes).ok_or_else(|| failed("it is too large"))?;
    pixels::png(&DynamicImage::from(picture)).map_err(|why| failed(&why.to_string()))
}

fn draw(canvas: &mut Pixmap, shape: &Shape, faces: &Faces) {
    match shape {
        Shape::Line { from, to, ink, width, dash } => {
            let mut path = PathBuilder::new();
            path.move_to(from[0], from[1]);
            path.line_to(to[0], to[1]);
            let dash = dash.and_then(|d| StrokeDash::new(vec![d, d], 0.0));
            stroke(canvas, path.finish(), *ink, Stroke { width: *width, dash, ..Stroke::default() });
        }
        Shape::Rect { at: [x, y], size: [w, h], ink } => {
            let rect = tiny_skia::Rect::from_xywh(*x, *y, w.max(0.0), h.max(0.0));
            fill(canvas, rect.map(PathBuilder::from_rect), *ink);
        }
        Shape::Dot { at: [x, y], radius, ink } => fill(canvas, PathBuilder::from_circle(*x, *y, *radius), *ink),
        Shape::Outline { corners, ink, width, filled } => {
            let mut path = PathBuilder::new();
            for (i, [x, y]) in corners.iter().enumerate() {
                if i == 0 { path.move_to(*x, *y) } else { path.line_to(*x, *y) }
            }
            path.close();
            if *filled {
                fill(canvas, path.finish(), *ink);
            } else {
                stroke(canvas, path.finish(), *ink, Stroke { width: *width, ..Stroke::default() });
            }
        }
        Shape::Text { at: [x, y], size, anchor, text, ink, strong } => {
            let (face, text) = (faces.of(*strong), words::harmless(text));
            let width = face.width(&text, *size);
            let mut x = match anchor {
                Anchor::Start => *x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            for c in text.chars() {
                fill(canvas, face.outline(c, *size, [x, *y]), *ink);
                x += face.width(c.encode_utf8(&mut [0; 4]), *size);
            }
        }
    }
}

fn paint(ink: Ink) -> Paint<'static> {
    let mut paint = Paint { anti_alias: true, ..Paint::default() };
    paint.set_color_rgba8(ink[0], ink[1], ink[2], 0xff);
    paint
}

fn fill(canvas: &mut Pixmap, path: Option<Path>, ink: Ink) {
    if let Some(path) = path {
        canvas.fill_path(&path, &paint(ink), FillRule::Winding, Transform::from_scale(SCALE, SCALE), None);
    }
}

fn stroke(canvas: &mut Pixmap, path: Option<Path>, ink: Ink, how: Stroke) {
    if let Some(path) = path {
        canvas.stroke_path(&path, &paint(ink), &how, Transform::from_scale(SCALE, SCALE), None);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::{example, figure};

    #[test]
    fn a_figure_is_drawn_with_its_dots_and_letters_and_always_the_same() {
        let figure = figure::losses(&example::audit().labels, 300.0, 150.0).unwrap();
        let bytes = png(&figure).unwrap();
        assert_eq!(bytes, png(&figure).unwrap());
        let picture = image::load_from_memory(&bytes).unwrap().into_rgb8();
        assert_eq!(picture.dimensions(), (900, 450));
        let Some(Shape::Dot { at: [x, y], ink, .. }) = figure.shapes.iter().find(|s| matches!(s, Shape::Dot { .. }))
        else {
            panic!("no dot")
        };
        assert_eq!(picture.get_pixel((x * SCALE) as u32, (y * SCALE) as u32).0, *ink, "the first dot");
        // "label" below the axis is the only writing there.
        let dark = |p: &image::Rgb<u8>| p.0.iter().all(|&part| part < 0x90);
        assert!(picture.enumerate_pixels().any(|(_, y, p)| y > 410 && dark(p)), "letters");
        assert_eq!(picture.get_pixel(0, 0).0, [255; 3]);
    }

    #[test]
    fn a_figure_without_end_is_an_error() {
        let figure = Figure { width: 1e9, height: 1e9, shapes: Vec::new(), alt: String::new() };
        assert!(png(&figure).unwrap_err().to_string().contains("too large"));
    }
}
