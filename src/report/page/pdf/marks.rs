//! What is drawn on a page, and the symbols of the verdicts.

use crate::audit::Verdict;
use crate::report::figure::{Anchor, Ink, Shape};

/// One thing on a page; positions in points from the upper left corner.
#[derive(Debug, Clone, PartialEq)]
pub enum Mark {
    /// A shape.
    Shape(Shape),
    /// A picture, by its place in the list of all.
    Picture {
        /// Its upper left corner.
        at: [f32; 2],
        /// Width and height.
        size: [f32; 2],
        /// Which.
        index: usize,
    },
}

/// Writing and ground of a verdict.
pub fn inks(verdict: Verdict) -> (Ink, Ink) {
    match verdict {
        Verdict::Infected => ([0x99, 0x2c, 0x0b], [0xfc, 0xea, 0xe3]),
        Verdict::Suspicious => ([0x76, 0x4a, 0x00], [0xfd, 0xf1, 0xd4]),
        Verdict::NoEvidence => ([0x0b, 0x50, 0x8f], [0xe3, 0xee, 0xf9]),
    }
}

/// A filled triangle with "!", a diamond with "?", a ring: never colour alone.
pub fn symbol(verdict: Verdict, [x, y]: [f32; 2], radius: f32, ground: Ink) -> Vec<Shape> {
    let (ink, _) = inks(verdict);
    let corners = |points: &[[f32; 2]]| points.iter().map(|[dx, dy]| [x + dx * radius, y + dy * radius]).collect();
    let sign = |text: &str, down: f32, ink| Shape::Text {
        at: [x, y + down * radius],
        size: radius * 1.45,
        anchor: Anchor::Middle,
        text: text.into(),
        ink,
        strong: true,
    };
    match verdict {
        Verdict::Infected => {
            let corners = corners(&[[0.0, -1.0], [1.1, 0.9], [-1.1, 0.9]]);
            vec![Shape::Outline { corners, ink, width: 0.0, filled: true }, sign("!", 0.72, ground)]
        }
        Verdict::Suspicious => {
            let corners = corners(&[[0.0, -1.15], [1.15, 0.0], [0.0, 1.15], [-1.15, 0.0]]);
            vec![Shape::Outline { corners, ink, width: radius * 0.16, filled: false }, sign("?", 0.52, ink)]
        }
        Verdict::NoEvidence => {
            let half = radius * 0.42;
            vec![
                Shape::Dot { at: [x, y], radius: radius * 0.95, ink },
                Shape::Dot { at: [x, y], radius: radius * 0.73, ink: ground },
                Shape::Line { from: [x - half, y], to: [x + half, y], ink, width: radius * 0.22, dash: None },
            ]
        }
    }
}
