//! The few digits and letters signs need, as strokes on a cell from (0, 0) top left to (1, 1).

use super::shapes::{Colour, Layer, Point, Shape};

type Line = &'static [Point];

/// Digits and capitals to lines; anything else is blank.
#[rustfmt::skip]
fn lines(glyph: char) -> &'static [Line] {
    match glyph {
        '0' | 'O' => &[&[
            [0.5, 0.0], [0.82, 0.08], [1.0, 0.3], [1.0, 0.7], [0.82, 0.92], [0.5, 1.0],
            [0.18, 0.92], [0.0, 0.7], [0.0, 0.3], [0.18, 0.08], [0.5, 0.0],
        ]],
        '3' => &[&[
            [0.0, 0.13], [0.2, 0.03], [0.5, 0.0], [0.82, 0.07], [0.95, 0.24], [0.82, 0.41], [0.4, 0.48],
            [0.86, 0.56], [1.0, 0.75], [0.84, 0.93], [0.5, 1.0], [0.18, 0.97], [0.0, 0.86],
        ]],
        '5' => &[&[
            [0.92, 0.0], [0.12, 0.0], [0.04, 0.48], [0.3, 0.38], [0.55, 0.36], [0.86, 0.46],
            [1.0, 0.68], [0.85, 0.92], [0.5, 1.0], [0.18, 0.97], [0.0, 0.86],
        ]],
        '8' => &[&[
            [0.5, 0.47], [0.17, 0.38], [0.06, 0.24], [0.17, 0.07], [0.5, 0.0], [0.83, 0.07],
            [0.94, 0.24], [0.83, 0.38], [0.5, 0.47], [0.13, 0.57], [0.0, 0.74], [0.14, 0.93],
            [0.5, 1.0], [0.86, 0.93], [1.0, 0.74], [0.87, 0.57], [0.5, 0.47],
        ]],
        'S' => &[&[
            [1.0, 0.13], [0.75, 0.02], [0.45, 0.0], [0.13, 0.08], [0.02, 0.26], [0.2, 0.42],
            [0.78, 0.56], [0.98, 0.74], [0.85, 0.92], [0.5, 1.0], [0.2, 0.98], [0.0, 0.87],
        ]],
        'T' => &[&[[0.0, 0.0], [1.0, 0.0]], &[[0.5, 0.0], [0.5, 1.0]]],
        'P' => &[&[
            [0.0, 1.0], [0.0, 0.0], [0.6, 0.0], [0.92, 0.08], [1.0, 0.27], [0.92, 0.46], [0.6, 0.54], [0.0, 0.54],
        ]],
        _ => &[],
    }
}

/// `text` written around the middle of the face: each glyph `size` wide and high (between the middles
/// of its strokes), `gap` apart.
pub fn write(text: &str, size: [f32; 2], gap: f32, half_width: f32, colour: Colour) -> Vec<Layer> {
    let n = text.chars().count() as f32;
    let left = -(n * size[0] + (n - 1.0) * gap) / 2.0;
    let place = |i: usize, p: &Point| [left + i as f32 * (size[0] + gap) + p[0] * size[0], (p[1] - 0.5) * size[1]];
    text.chars()
        .enumerate()
        .flat_map(|(i, glyph)| lines(glyph).iter().map(move |line| (i, line)))
        .map(|(i, line)| {
            let points = line.iter().map(|p| place(i, p)).collect();
            Layer::new(colour, Shape::Stroke { points, half_width })
        })
        .collect()
}
