//! A picture that is painted on, pixel by pixel, with the pointer or with the keyboard.
//!
//! In: the picture as it is to be seen. Out: the pixels that were touched since the last frame. Keeps nothing but its
//! texture and the cell the keyboard is at.

use crate::app::theme::Colors;
use egui::{
    ColorImage, Event, Id, Image, Key, Modifiers, PointerButton, Pos2, Rect, Response, Role, Sense, Stroke, StrokeKind,
    TextureHandle, TextureOptions, Ui, WidgetInfo, load::SizedTexture, pos2, vec2,
};

/// Shows `picture` at `side` points along its longer edge; the pixels, `[row, column]`, that were painted.
pub fn canvas(ui: &mut Ui, name: &str, picture: ColorImage, side: f32, brush: usize) -> (Response, Vec<[usize; 2]>) {
    let [width, height] = picture.size;
    let scale = side / width.max(height).max(1) as f32;
    let id = Id::unique("canvas");
    let texture = texture(ui, id, picture);
    let image = Image::from_texture(SizedTexture::new(texture.id(), vec2(width as f32, height as f32) * scale));
    let response = ui.add(image.sense(Sense::click_and_drag()).corner_radius(3));
    response.widget_info(|| WidgetInfo::labeled(Role::Canvas, true, name));
    let cell = |at: egui::Pos2| {
        let inside = |x: f32, of: usize| ((x / scale).floor().max(0.0) as usize).min(of.saturating_sub(1));
        let at = at - response.rect.min;
        [inside(at.y, height), inside(at.x, width)]
    };
    let mut painted = Vec::new();
    // Where the stroke was a frame ago; it begins with the button's press, before egui calls it a drag.
    let before = id.with("before");
    if let Some([from, to]) = flick(ui, &response) {
        painted = between(cell(from), cell(to));
    } else if let Some(at) = response.interact_pointer_pos() {
        let last = ui.data(|data| data.get_temp::<[usize; 2]>(before));
        painted = between(last.unwrap_or(cell(at)), cell(at));
        ui.data_mut(|data| data.insert_temp(before, cell(at)));
    }
    if !ui.input(|input| input.pointer.any_down()) {
        ui.data_mut(|data| data.remove::<[usize; 2]>(before));
    }
    let ring = |[row, column]: [usize; 2]| {
        let before = (brush.max(1) - 1) / 2;
        let corner = |at: usize| at.saturating_sub(before) as f32 * scale;
        let min = response.rect.min + vec2(corner(column), corner(row));
        let square = Rect::from_min_size(pos2(min.x, min.y), vec2(scale, scale) * brush.max(1) as f32);
        ui.painter().rect_stroke(
            square.intersect(response.rect),
            0.0,
            Stroke::new(1.5, Colors::of(ui).accent),
            StrokeKind::Inside,
        );
    };
    if response.has_focus() {
        let at = keyboard(ui, id, [height, width]);
        if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Space)) {
            painted.push(at);
        }
        ring(at);
    } else if let Some(at) = response.hover_pos() {
        ring(cell(at));
    }
    if response.clicked() || response.drag_started() {
        response.request_focus();
    }
    (response, painted)
}

/// A stroke that began and ended since the last frame, which egui calls neither a drag nor, where it was long, a click.
fn flick(ui: &Ui, response: &Response) -> Option<[Pos2; 2]> {
    let of = |event: &Event, down: bool| match event {
        Event::PointerButton { pos, button: PointerButton::Primary, pressed, .. } if *pressed == down => Some(*pos),
        _ => None,
    };
    let (from, to) = ui.input(|input| {
        let from = input.events.iter().position(|event| of(event, true).is_some())?;
        let to = input.events[from..].iter().find_map(|event| of(event, false))?;
        Some((of(&input.events[from], true)?, to))
    })?;
    (response.contains_pointer() && response.rect.contains(from)).then_some([from, to])
}

/// The texture, brought up to date where the picture changed.
fn texture(ui: &Ui, id: Id, picture: ColorImage) -> TextureHandle {
    let known = ui.data(|data| data.get_temp::<(TextureHandle, ColorImage)>(id));
    match known {
        Some((texture, shown)) if shown == picture => texture,
        Some((mut texture, _)) => {
            texture.set(picture.clone(), TextureOptions::NEAREST);
            ui.data_mut(|data| data.insert_temp(id, (texture.clone(), picture)));
            texture
        }
        None => {
            let texture = ui.ctx().load_texture("canvas", picture.clone(), TextureOptions::NEAREST);
            ui.data_mut(|data| data.insert_temp(id, (texture.clone(), picture)));
            texture
        }
    }
}

/// The cell the keyboard is at, moved by the arrow keys; they stay with the canvas while it has the focus.
fn keyboard(ui: &Ui, id: Id, [height, width]: [usize; 2]) -> [usize; 2] {
    let place = id.with("cell");
    let [mut row, mut column] = ui.data(|data| data.get_temp(place)).unwrap_or([height / 2, width / 2]);
    let moved = ui.input_mut(|input| {
        let mut by = |back, on| {
            isize::from(input.consume_key(Modifiers::NONE, on)) - isize::from(input.consume_key(Modifiers::NONE, back))
        };
        [by(Key::ArrowUp, Key::ArrowDown), by(Key::ArrowLeft, Key::ArrowRight)]
    });
    row = row.saturating_add_signed(moved[0]).min(height.saturating_sub(1));
    column = column.saturating_add_signed(moved[1]).min(width.saturating_sub(1));
    ui.data_mut(|data| data.insert_temp(place, [row, column]));
    ui.memory_mut(|memory| {
        let filter = egui::EventFilter { horizontal_arrows: true, vertical_arrows: true, ..Default::default() };
        if let Some(focused) = memory.focused() {
            memory.set_focus_lock_filter(focused, filter);
        }
    });
    [row, column]
}

/// All cells on the way from one to another, so that a quick stroke leaves no gaps.
fn between(from: [usize; 2], to: [usize; 2]) -> Vec<[usize; 2]> {
    let steps = from[0].abs_diff(to[0]).max(from[1].abs_diff(to[1])).max(1);
    let at = |axis: usize, i: usize| {
        let share = i as f32 / steps as f32;
        (from[axis] as f32 + (to[axis] as f32 - from[axis] as f32) * share).round() as usize
    };
    let mut cells: Vec<[usize; 2]> = (0..=steps).map(|i| [at(0, i), at(1, i)]).collect();
    cells.dedup();
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stroke_has_no_gaps() {
        assert_eq!(between([2, 2], [2, 2]), [[2, 2]]);
        let stroke = between([0, 0], [3, 7]);
        assert_eq!((stroke[0], stroke[stroke.len() - 1]), ([0, 0], [3, 7]));
        assert!(stroke.windows(2).all(|w| w[0][0].abs_diff(w[1][0]) <= 1 && w[0][1].abs_diff(w[1][1]) <= 1));
    }
}
