//! A drawing as plain shapes, and the loss vectors as such a drawing; SVG, PDF and PNG are made from it.
//!
//! In: shots of all labels. Out: a [`Figure`], in points, y downwards. Knows no file format.

use super::words;
use crate::audit::LabelFindings;
use crate::detect::ShotEvidence;

/// Red, green, blue.
pub type Ink = [u8; 3];

/// Ordinary writing.
pub const TEXT: Ink = [0x1c, 0x23, 0x2e];
/// Writing that matters less.
pub const WEAK: Ink = [0x52, 0x5d, 0x6d];
/// Thin lines.
pub const LINE: Ink = [0xd3, 0xd9, 0xe0];
/// The suspect model's dots.
pub const SUSPECT: Ink = [0xc4, 0x43, 0x0c];
/// The reference model's dots.
pub const REFERENCE: Ink = [0x00, 0x6a, 0xa8];
/// The range honest models show.
pub const HONEST: Ink = [0xd9, 0xe2, 0xec];

/// A shot whose loss is at most this has reached its label (PoisDetc).
const REACHED: f32 = 0.2;
/// Losses are drawn between these powers of ten: nothing is learned from how far beyond they are.
const POWERS: (f32, f32) = (-4.0, 2.0);

/// Which end of a text its position names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// It begins there.
    Start,
    /// Its middle is there.
    Middle,
    /// It ends there.
    End,
}

/// One thing to draw; positions are `[x, y]`.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// A straight line, dashed where told.
    Line {
        /// One end.
        from: [f32; 2],
        /// The other.
        to: [f32; 2],
        /// Its colour.
        ink: Ink,
        /// How thick.
        width: f32,
        /// Length of dashes and gaps.
        dash: Option<f32>,
    },
    /// A filled rectangle.
    Rect {
        /// Its upper left corner.
        at: [f32; 2],
        /// Width and height.
        size: [f32; 2],
        /// Its colour.
        ink: Ink,
    },
    /// A filled circle.
    Dot {
        /// Its centre.
        at: [f32; 2],
        /// Half as wide as it is.
        radius: f32,
        /// Its colour.
        ink: Ink,
    },
    /// A closed outline, filled where told.
    Outline {
        /// Its corners.
        corners: Vec<[f32; 2]>,
        /// Its colour.
        ink: Ink,
        /// How thick, where it is not filled.
        width: f32,
        /// Whether it is filled.
        filled: bool,
    },
    /// One line of writing.
    Text {
        /// On its baseline.
        at: [f32; 2],
        /// Height of the writing.
        size: f32,
        /// Which end `at` names.
        anchor: Anchor,
        /// What is written.
        text: String,
        /// Its colour.
        ink: Ink,
        /// Emphasised.
        strong: bool,
    },
}

/// A drawing.
#[derive(Debug, Clone, PartialEq)]
pub struct Figure {
    /// Points.
    pub width: f32,
    /// Points.
    pub height: f32,
    /// From back to front.
    pub shapes: Vec<Shape>,
    /// What it shows, in a sentence.
    pub alt: String,
}

/// Where on the figure losses and labels lie.
struct Frame {
    left: f32,
    top: f32,
    width: f32,
    height: f32,
    columns: usize,
}

impl Frame {
    fn x(&self, column: f32) -> f32 {
        self.left + self.width * (column + 0.5) / self.columns.max(1) as f32
    }

    fn y(&self, loss: f32) -> f32 {
        let power = if loss.is_nan() { POWERS.1 } else { loss.max(f32::MIN_POSITIVE).log10() };
        let share = (power.clamp(POWERS.0, POWERS.1) - POWERS.0) / (POWERS.1 - POWERS.0);
        self.top + self.height * (1.0 - share)
    }
}

/// The losses of all shots: one column a label, one dot a shot, on a logarithmic scale, with the line at 0.2 and the
/// range that models known clean show. `None` where no label was shot at.
pub fn losses(labels: &[LabelFindings], width: f32, height: f32) -> Option<Figure> {
    let shot_at: Vec<(&LabelFindings, &ShotEvidence)> =
        labels.iter().filter_map(|l| Some((l, l.shots.as_ref()?))).collect();
    if shot_at.is_empty() {
        return None;
    }
    let frame = Frame { left: 42.0, top: 26.0, width: width - 50.0, height: height - 58.0, columns: shot_at.len() };
    let mut shapes = Vec::new();
    let column = frame.width / frame.columns as f32;
    for (i, (_, shots)) in shot_at.iter().enumerate() {
        let finite = || shots.clean_losses.iter().copied().filter(|loss| loss.is_finite());
        if let (Some(low), Some(high)) = (finite().min_by(f32::total_cmp), finite().max_by(f32::total_cmp)) {
            let (top, bottom) = (frame.y(high) - 0.5, frame.y(low) + 0.5);
            let at = [frame.x(i as f32) - 0.42 * column, top];
            shapes.push(Shape::Rect { at, size: [0.84 * column, bottom - top], ink: HONEST });
        }
    }
    axes(&frame, &mut shapes);
    let radius = (column / 12.0).clamp(1.0, 2.6);
    for (i, (_, shots)) in shot_at.iter().enumerate() {
        for (shot, (loss, reference)) in shots.losses.iter().zip(&shots.reference_losses).enumerate() {
            let spread = ((shot as f32 + 0.5) / shots.losses.len() as f32 - 0.5) * 0.34;
            let x = |shift: f32| frame.x(i as f32 + spread + shift);
            let [cx, cy] = [x(0.21), frame.y(*reference)];
            let corners = [[0.0, -1.3], [1.3, 0.0], [0.0, 1.3], [-1.3, 0.0]];
            let corners = corners.map(|[dx, dy]| [cx + dx * radius, cy + dy * radius]).to_vec();
            shapes.push(Shape::Outline { corners, ink: REFERENCE, width: 0.7, filled: false });
            shapes.push(Shape::Dot { at: [x(-0.21), frame.y(*loss)], radius, ink: SUSPECT });
        }
    }
    names(&frame, &shot_at, &mut shapes);
    legend(&frame, &mut shapes);
    Some(Figure { width, height, shapes, alt: alt(&shot_at) })
}

fn axes(frame: &Frame, shapes: &mut Vec<Shape>) {
    for power in POWERS.0 as i32..=POWERS.1 as i32 {
        let y = frame.y(10f32.powi(power));
        let (from, to) = ([frame.left, y], [frame.left + frame.width, y]);
        shapes.push(Shape::Line { from, to, ink: LINE, width: 0.6, dash: None });
        let text = format!("{:.*}", usize::try_from(-power).unwrap_or(0), 10f64.powi(power));
        let at = [frame.left - 5.0, y + 2.6];
        shapes.push(Shape::Text { at, size: 7.5, anchor: Anchor::End, text, ink: WEAK, strong: false });
    }
    let y = frame.y(REACHED);
    let (from, to) = ([frame.left, y], [frame.left + frame.width, y]);
    shapes.push(Shape::Line { from, to, ink: TEXT, width: 0.9, dash: Some(4.0) });
}

/// As many labels as there is room for, by index; by name where every name has room.
fn names(frame: &Frame, shot_at: &[(&LabelFindings, &ShotEvidence)], shapes: &mut Vec<Shape>) {
    let column = frame.width / frame.columns as f32;
    let stride = (1..).find(|stride| column * *stride as f32 >= 16.0).unwrap_or(1);
    // A letter is about half as wide as it is high; a row of cut names would help nobody.
    let fits = |label: &LabelFindings| words::label(label.label, &label.name).chars().count() as f32 * 4.1 <= column;
    let named = shot_at.iter().all(|(label, _)| fits(label));
    for (i, (label, _)) in shot_at.iter().enumerate().step_by(stride) {
        let text = if named { words::label(label.label, &label.name) } else { label.label.to_string() };
        let at = [frame.x(i as f32), frame.top + frame.height + 12.0];
        shapes.push(Shape::Text { at, size: 7.5, anchor: Anchor::Middle, text, ink: WEAK, strong: false });
    }
    let at = [frame.left + frame.width / 2.0, frame.top + frame.height + 25.0];
    shapes.push(Shape::Text { at, size: 8.0, anchor: Anchor::Middle, text: "label".into(), ink: WEAK, strong: false });
}

fn legend(frame: &Frame, shapes: &mut Vec<Shape>) {
    let y = frame.top - 13.0;
    let mut x = frame.left;
    let mut entry = |mark: &dyn Fn(f32) -> Shape, text: &str, room: f32| {
        shapes.push(mark(x + 4.0));
        let at = [x + 13.0, y + 2.8];
        shapes.push(Shape::Text { at, size: 8.0, anchor: Anchor::Start, text: text.into(), ink: WEAK, strong: false });
        x += room;
    };
    entry(&|x| Shape::Dot { at: [x, y], radius: 2.6, ink: SUSPECT }, "loss of the suspect model", 118.0);
    let diamond = |x: f32| {
        let corners = vec![[x, y - 3.2], [x + 3.2, y], [x, y + 3.2], [x - 3.2, y]];
        Shape::Outline { corners, ink: REFERENCE, width: 0.8, filled: false }
    };
    entry(&diamond, "of the reference model", 108.0);
    entry(&|x| Shape::Rect { at: [x - 4.0, y - 3.0], size: [8.0, 6.0], ink: HONEST }, "between honest models", 116.0);
    let line = |x: f32| Shape::Line { from: [x - 5.0, y], to: [x + 6.0, y], ink: TEXT, width: 0.9, dash: Some(4.0) };
    entry(&line, "0.2: the shot reached its label", 0.0);
}

/// The figure in one sentence, for those who cannot see it.
fn alt(shot_at: &[(&LabelFindings, &ShotEvidence)]) -> String {
    let reached = |s: &ShotEvidence| s.losses.iter().filter(|&&loss| loss <= REACHED).count();
    let most = shot_at.iter().max_by_key(|(label, s)| (reached(s), std::cmp::Reverse(label.label)));
    let labels = words::counted(shot_at.len(), "label", "labels");
    most.map_or_else(String::new, |(label, s)| {
        format!(
            "Losses of all shots at {labels}; most shots reached label {}, {} of {}",
            words::label(label.label, &label.name),
            reached(s),
            s.losses.len()
        )
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::example;

    #[test]
    fn every_shot_has_a_dot_within_the_figure_whatever_its_loss() {
        let mut audit = example::audit();
        for (label, loss) in [(0, f32::NAN), (1, f32::INFINITY)] {
            audit.labels[label].shots.as_mut().unwrap().losses[0] = loss;
        }
        let figure = losses(&audit.labels, 400.0, 200.0).unwrap();
        let dots: Vec<[f32; 2]> = figure
            .shapes
            .iter()
            .filter_map(|s| match s {
                Shape::Dot { at, ink: SUSPECT, .. } => Some(*at),
                _ => None,
            })
            .collect();
        // Two shots at two labels, and the legend's.
        assert_eq!(dots.len(), 5);
        assert!(dots.iter().all(|[x, y]| (0.0..=400.0).contains(x) && (0.0..=200.0).contains(y)), "{dots:?}");
        assert!(figure.alt.contains("label 1"), "{}", figure.alt);
    }

    #[test]
    fn nothing_is_drawn_where_nothing_was_shot_at() {
        let mut audit = example::audit();
        audit.labels.iter_mut().for_each(|label| label.shots = None);
        assert_eq!(losses(&audit.labels, 400.0, 200.0), None);
    }
}
