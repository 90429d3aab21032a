//! Puts blocks onto pages: where each line stands, where a page ends.

use super::marks::{Mark, inks, symbol};
use crate::audit::Verdict;
use crate::report::face::Faces;
use crate::report::figure::{Anchor, Figure, Ink, LINE, Shape, TEXT, WEAK};
use crate::report::page::blocks::{Block, Shown};
use crate::report::words::harmless;
use image::DynamicImage;

/// A4, in points.
pub const PAGE: [f32; 2] = [595.28, 841.89];
/// Of the page's left and right, its top, and of what stands above the foot.
pub const MARGIN: f32 = 50.0;
const TOP: f32 = 50.0;
const BOTTOM: f32 = 784.0;
/// How wide text may be.
pub const WIDTH: f32 = PAGE[0] - 2.0 * MARGIN;
/// Size of ordinary writing, and from one baseline to the next as a factor.
const BODY: f32 = 9.5;
const SMALL: f32 = 8.0;
const LEADING: f32 = 1.42;
/// Room for the names of facts.
const NAMES: f32 = 150.0;
/// Pictures in a row of a gallery, and the gap between them.
const IN_A_ROW: usize = 6;
const GAP: f32 = 10.0;
/// Lines of one fact or sentence at most: a name may be of any length.
const MOST_LINES: usize = 40;

/// How text is written.
#[derive(Debug, Clone, Copy)]
pub struct Style {
    /// Its height.
    pub size: f32,
    /// Emphasised.
    pub strong: bool,
    /// Its colour.
    pub ink: Ink,
}

impl Style {
    const BODY: Self = Self { size: BODY, strong: false, ink: TEXT };
    const SMALL: Self = Self { size: SMALL, strong: false, ink: WEAK };

    /// From one baseline to the next.
    pub fn line(self) -> f32 {
        self.size * LEADING
    }
}

/// Pages as they come together.
pub struct Layout<'a> {
    pub(super) faces: &'a Faces,
    pages: Vec<Vec<Mark>>,
    pictures: Vec<DynamicImage>,
    /// Where the next block begins.
    pub(super) y: f32,
}

impl<'a> Layout<'a> {
    /// One empty page.
    pub fn new(faces: &'a Faces) -> Self {
        Self { faces, pages: vec![Vec::new()], pictures: Vec::new(), y: TOP }
    }

    /// The pages, each with `foot` and its number, and the pictures on them.
    pub fn finish(mut self, foot: &str) -> (Vec<Vec<Mark>>, Vec<DynamicImage>) {
        let count = self.pages.len();
        for (i, page) in self.pages.iter_mut().enumerate() {
            let y = PAGE[1] - 34.0;
            let text = |at, anchor, text: String| {
                Mark::Shape(Shape::Text { at, size: 7.5, anchor, text, ink: WEAK, strong: false })
            };
            let (from, to) = ([MARGIN, y - 11.0], [PAGE[0] - MARGIN, y - 11.0]);
            page.push(Mark::Shape(Shape::Line { from, to, ink: LINE, width: 0.6, dash: None }));
            page.push(text([MARGIN, y], Anchor::Start, foot.to_owned()));
            page.push(text([PAGE[0] - MARGIN, y], Anchor::End, format!("page {} of {count}", i + 1)));
        }
        (self.pages, self.pictures)
    }

    /// Adds one block.
    pub fn put(&mut self, block: &Block) {
        match block {
            Block::Title(text) => {
                self.paragraph(text, Style { size: 19.0, strong: true, ink: TEXT }, 0.0);
                self.y += 8.0;
            }
            Block::Heading(text) => self.heading(text, 13.0, 14.0),
            Block::Subheading(text) => self.heading(text, 10.5, 8.0),
            Block::Text(text) => self.spaced(text, Style::BODY),
            Block::Small(text) => self.spaced(text, Style::SMALL),
            Block::Banner(verdict, word, text) => self.banner(*verdict, word, text),
            Block::List(items) => {
                for item in items {
                    self.room(Style::BODY.line());
                    let y = self.y + BODY;
                    self.write("•", [MARGIN + 2.0, y], Anchor::Start, Style::BODY);
                    self.paragraph(item, Style::BODY, 12.0);
                    self.y += 2.5;
                }
                self.y += 4.0;
            }
            Block::Facts(facts) => self.facts(facts),
            Block::Table(table) => self.table(table),
            Block::Gallery(pictures) => pictures.chunks(IN_A_ROW).for_each(|row| self.row_of_pictures(row)),
            Block::Figure(figure) => self.figure(figure),
            Block::Signature(lines) => self.signature(lines),
            Block::Together(height) => {
                self.room(*height);
            }
        }
    }

    pub(super) fn shape(&mut self, shape: Shape) {
        if let Some(page) = self.pages.last_mut() {
            page.push(Mark::Shape(shape));
        }
    }

    pub(super) fn write(&mut self, text: &str, at: [f32; 2], anchor: Anchor, style: Style) {
        let Style { size, strong, ink } = style;
        self.shape(Shape::Text { at, size, anchor, text: text.to_owned(), ink, strong });
    }

    pub(super) fn new_page(&mut self) {
        self.pages.push(Vec::new());
        self.y = TOP;
    }

    /// Begins a new page where less than this is left of the old one.
    pub(super) fn room(&mut self, height: f32) -> bool {
        let full = self.y + height > BOTTOM && self.y > TOP;
        if full {
            self.new_page();
        }
        full
    }

    fn heading(&mut self, text: &str, size: f32, above: f32) {
        if self.y > TOP {
            self.y += above;
        }
        // Never alone at the end of a page.
        self.room(size + 58.0);
        self.paragraph(text, Style { size, strong: true, ink: TEXT }, 0.0);
        self.y += 3.0;
    }

    fn spaced(&mut self, text: &str, style: Style) {
        self.paragraph(text, style, 0.0);
        self.y += 5.0;
    }

    fn paragraph(&mut self, text: &str, style: Style, indent: f32) {
        for line in self.lines(text, style, WIDTH - indent, MOST_LINES) {
            self.room(style.line());
            let at = [MARGIN + indent, self.y + style.size];
            self.write(&line, at, Anchor::Start, style);
            self.y += style.line();
        }
    }

    /// `text` in lines of at most `width`, broken between words, or within where a word is too long; at most `most`.
    pub(super) fn lines(&self, text: &str, style: Style, width: f32, most: usize) -> Vec<String> {
        let face = self.faces.of(style.strong);
        let fits = |line: &str| face.width(line, style.size) <= width;
        let mut lines = vec![String::new()];
        for word in harmless(text).split(' ').filter(|word| !word.is_empty()) {
            if lines.len() > most {
                break;
            }
            let last = lines.last().cloned().unwrap_or_default();
            let joined = if last.is_empty() { word.to_owned() } else { format!("{last} {word}") };
            if fits(&joined) {
                lines.pop();
                lines.push(joined);
                continue;
            }
            if last.is_empty() {
                lines.pop();
            }
            if fits(word) {
                lines.push(word.to_owned());
            } else {
                lines.extend(pieces(word, &fits, most + 1));
            }
        }
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.last_mut() {
                last.pop();
                last.push('…');
            }
        }
        lines
    }

    fn banner(&mut self, verdict: Verdict, word: &str, text: &str) {
        let (ink, ground) = inks(verdict);
        let title = Style { size: 16.0, strong: true, ink };
        let lines = self.lines(text, Style::BODY, WIDTH - 28.0, MOST_LINES);
        let height = 14.0 + title.line() + lines.len() as f32 * Style::BODY.line() + 12.0;
        self.y += 6.0;
        self.room(height);
        let top = self.y;
        self.shape(Shape::Rect { at: [MARGIN, top], size: [WIDTH, height], ink: ground });
        self.shape(Shape::Rect { at: [MARGIN, top], size: [3.0, height], ink });
        for shape in symbol(verdict, [MARGIN + 25.0, top + 23.0], 9.0, ground) {
            self.shape(shape);
        }
        self.write(word, [MARGIN + 43.0, top + 28.5], Anchor::Start, title);
        let mut y = top + 14.0 + title.line() + BODY;
        for line in lines {
            self.write(&line, [MARGIN + 14.0, y], Anchor::Start, Style::BODY);
            y += Style::BODY.line();
        }
        self.y = top + height + 6.0;
    }

    fn facts(&mut self, facts: &[(String, String)]) {
        let name_style = Style { ink: WEAK, ..Style::BODY };
        for (name, value) in facts {
            let names = self.lines(name, name_style, NAMES - 10.0, 3);
            // A checksum fits into one line where it is a little smaller.
            let tight = Style { size: 8.3, ..Style::BODY };
            let length = |style| self.lines(value, style, WIDTH - NAMES, MOST_LINES).len();
            let one_word = length(Style::BODY) > 1 && length(tight) == 1;
            let style = if one_word { tight } else { Style::BODY };
            let values = self.lines(value, style, WIDTH - NAMES, MOST_LINES);
            let height = names.len().max(values.len()) as f32 * Style::BODY.line();
            self.room(height);
            for (i, line) in names.iter().enumerate() {
                let at = [MARGIN, self.y + BODY + i as f32 * Style::BODY.line()];
                self.write(line, at, Anchor::Start, name_style);
            }
            for (i, line) in values.iter().enumerate() {
                let at = [MARGIN + NAMES, self.y + BODY + i as f32 * Style::BODY.line()];
                self.write(line, at, Anchor::Start, style);
            }
            self.y += height + 1.5;
        }
        self.y += 5.0;
    }

    fn row_of_pictures(&mut self, row: &[Shown]) {
        let side = (WIDTH - GAP * (IN_A_ROW - 1) as f32) / IN_A_ROW as f32;
        let strong = Style { strong: true, ink: TEXT, ..Style::SMALL };
        let size = |shown: &Shown| {
            let (width, height) = (shown.picture.width().max(1) as f32, shown.picture.height().max(1) as f32);
            let scale = side / width.max(height);
            [width * scale, height * scale]
        };
        let below: Vec<Vec<(String, Style)>> = row
            .iter()
            .map(|shown| {
                let styled = |(i, text): (usize, &String)| {
                    let style = if i == 0 { strong } else { Style::SMALL };
                    self.lines(text, style, side, 2).into_iter().map(move |line| (line, style)).collect::<Vec<_>>()
                };
                shown.below.iter().enumerate().flat_map(styled).collect()
            })
            .collect();
        let tallest = row.iter().map(|shown| size(shown)[1]).fold(0.0, f32::max);
        let lines = below.iter().map(Vec::len).max().unwrap_or(0);
        let height = tallest + 4.0 + lines as f32 * Style::SMALL.line();
        self.room(height);
        for (i, (shown, below)) in row.iter().zip(below).enumerate() {
            let x = MARGIN + i as f32 * (side + GAP);
            let index = self.pictures.len();
            self.pictures.push(shown.picture.clone());
            if let Some(page) = self.pages.last_mut() {
                page.push(Mark::Picture { at: [x, self.y], size: size(shown), index });
            }
            for (n, (line, style)) in below.into_iter().enumerate() {
                let y = self.y + tallest + 4.0 + SMALL + n as f32 * Style::SMALL.line();
                self.write(&line, [x, y], Anchor::Start, style);
            }
        }
        self.y += height + 10.0;
    }

    fn figure(&mut self, figure: &Figure) {
        let scale = (WIDTH / figure.width).min(1.0);
        self.room(figure.height * scale);
        let (left, top) = (MARGIN, self.y);
        let move_to = |[x, y]: [f32; 2]| [left + x * scale, top + y * scale];
        for shape in &figure.shapes {
            self.shape(placed(shape, &move_to, scale));
        }
        self.y += figure.height * scale + 8.0;
    }

    fn signature(&mut self, lines: &[&str]) {
        const ROW: f32 = 58.0;
        let rows = lines.len().div_ceil(2);
        self.room(rows as f32 * ROW);
        let width = (WIDTH - 30.0) / 2.0;
        for pair in lines.chunks(2) {
            self.y += ROW - 14.0;
            for (i, line) in pair.iter().enumerate() {
                let x = MARGIN + i as f32 * (width + 30.0);
                let (from, to) = ([x, self.y], [x + width, self.y]);
                self.shape(Shape::Line { from, to, ink: TEXT, width: 0.8, dash: None });
                self.write(line, [x, self.y + 11.0], Anchor::Start, Style::SMALL);
            }
            self.y += 14.0;
        }
    }
}

/// A word that is too long, in pieces that fit; at most `most`.
fn pieces(word: &str, fits: &dyn Fn(&str) -> bool, most: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    for c in word.chars() {
        piece.push(c);
        if !fits(&piece) && piece.chars().count() > 1 {
            piece.pop();
            pieces.push(std::mem::take(&mut piece));
            piece.push(c);
            if pieces.len() >= most {
                return pieces;
            }
        }
    }
    pieces.push(piece);
    pieces
}

/// A shape of a figure where the figure stands.
fn placed(shape: &Shape, move_to: &dyn Fn([f32; 2]) -> [f32; 2], scale: f32) -> Shape {
    match shape.clone() {
        Shape::Line { from, to, ink, width, dash } => Shape::Line {
            from: move_to(from),
            to: move_to(to),
            ink,
            width: width * scale,
            dash: dash.map(|d| d * scale),
        },
        Shape::Rect { at, size, ink } => Shape::Rect { at: move_to(at), size: size.map(|s| s * scale), ink },
        Shape::Dot { at, radius, ink } => Shape::Dot { at: move_to(at), radius: radius * scale, ink },
        Shape::Outline { corners, ink, width, filled } => {
            let corners = corners.into_iter().map(move_to).collect();
            Shape::Outline { corners, ink, width: width * scale, filled }
        }
        Shape::Text { at, size, anchor, text, ink, strong } => {
            Shape::Text { at: move_to(at), size: size * scale, anchor, text: harmless(&text), ink, strong }
        }
    }
}
