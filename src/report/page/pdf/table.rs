//! Tables that go on over pages, with their heads repeated.

use super::layout::{Layout, MARGIN, Style, WIDTH};
use super::marks::{inks, symbol};
use crate::report::figure::{Anchor, LINE, Shape, TEXT, WEAK};
use crate::report::page::blocks::{Cell, Table};

const SIZE: f32 = 8.3;
/// Between columns.
const GAP: f32 = 10.0;
/// Room for the symbol of a verdict.
const SYMBOL: f32 = 13.0;
/// Above and below the text of a row.
const PAD: f32 = 3.0;
/// Narrower columns cannot be read.
const NARROWEST: f32 = 26.0;
/// Lines of one cell at most: a name may be of any length.
const MOST_LINES: usize = 4;
/// Letters of a cell that are looked at.
const MOST_LETTERS: usize = 300;

const CELL: Style = Style { size: SIZE, strong: false, ink: TEXT };
const HEAD: Style = Style { size: SIZE, strong: true, ink: TEXT };

/// The lines of one row, a list a column.
type Row = Vec<Vec<String>>;

impl Layout<'_> {
    pub(super) fn table(&mut self, table: &Table) {
        let widths = self.widths(table);
        let caption = Style { size: 8.0, strong: false, ink: WEAK };
        self.room(70.0);
        self.write(&table.caption, [MARGIN, self.y + 8.0], Anchor::Start, caption);
        self.y += caption.line() + 2.0;
        self.head(table, &widths);
        for row in &table.rows {
            let lines: Row = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| self.lines(&short(&cell.text), style(cell), width - indent(cell), MOST_LINES))
                .collect();
            let height = height(&lines);
            if self.room(height) {
                self.head(table, &widths);
            }
            self.row(table, &widths, row, lines);
            self.y += height;
            let (from, to) = ([MARGIN, self.y], [MARGIN + whole(&widths), self.y]);
            self.shape(Shape::Line { from, to, ink: LINE, width: 0.5, dash: None });
        }
        self.y += 8.0;
    }

    /// As wide as their longest cell, the widest ones narrowed until the whole fits.
    fn widths(&self, table: &Table) -> Vec<f32> {
        let mut widths: Vec<f32> = (0..table.head.len())
            .map(|column| {
                let cells = table.rows.iter().filter_map(|row| row.get(column));
                let natural = cells
                    .map(|cell| self.faces.of(cell.verdict.is_some()).width(&short(&cell.text), SIZE) + indent(cell));
                // A head may be broken between its words.
                let words = table.head[column].0.split(' ').map(|word| self.faces.strong.width(word, SIZE));
                natural.chain(words).fold(NARROWEST, f32::max) + 1.0
            })
            .collect();
        let gaps = GAP * widths.len().saturating_sub(1) as f32;
        while widths.iter().sum::<f32>() + gaps > WIDTH {
            let Some(widest) = widths.iter_mut().max_by(|a, b| a.total_cmp(b)).filter(|w| **w > NARROWEST) else {
                break;
            };
            *widest -= 1.0;
        }
        let spare = (WIDTH - gaps - widths.iter().sum::<f32>()).max(0.0);
        if let Some(first) = widths.first_mut() {
            *first += spare.min(160.0);
        }
        widths
    }

    fn head(&mut self, table: &Table, widths: &[f32]) {
        let lines: Row =
            table.head.iter().zip(widths).map(|(head, width)| self.lines(head.0, HEAD, *width, 3)).collect();
        let height = height(&lines);
        let cells: Vec<Cell> = table.head.iter().map(|head| head.0.into()).collect();
        self.cells(table, widths, &cells, lines, HEAD);
        self.y += height;
        let (from, to) = ([MARGIN, self.y], [MARGIN + whole(widths), self.y]);
        self.shape(Shape::Line { from, to, ink: WEAK, width: 1.0, dash: None });
    }

    fn row(&mut self, table: &Table, widths: &[f32], cells: &[Cell], lines: Row) {
        self.cells(table, widths, cells, lines, CELL);
    }

    fn cells(&mut self, table: &Table, widths: &[f32], cells: &[Cell], lines: Row, plain: Style) {
        let mut x = MARGIN;
        for (column, ((cell, lines), width)) in cells.iter().zip(lines).zip(widths).enumerate() {
            let right = table.head.get(column).is_some_and(|head| head.1);
            let style = if cell.verdict.is_some() { style(cell) } else { plain };
            if let Some(verdict) = cell.verdict {
                let middle = self.y + PAD + SIZE * 0.66;
                for shape in symbol(verdict, [x + 4.5, middle], 4.2, [0xff; 3]) {
                    self.shape(shape);
                }
            }
            for (n, line) in lines.iter().enumerate() {
                let y = self.y + PAD + SIZE + n as f32 * style.line();
                let (x, anchor) = if right { (x + width, Anchor::End) } else { (x + indent(cell), Anchor::Start) };
                self.write(line, [x, y], anchor, style);
            }
            x += width + GAP;
        }
    }
}

/// How wide the table is.
fn whole(widths: &[f32]) -> f32 {
    widths.iter().sum::<f32>() + GAP * widths.len().saturating_sub(1) as f32
}

fn indent(cell: &Cell) -> f32 {
    if cell.verdict.is_some() { SYMBOL } else { 0.0 }
}

fn style(cell: &Cell) -> Style {
    cell.verdict.map_or(CELL, |verdict| Style { strong: true, ink: inks(verdict).0, ..CELL })
}

fn short(text: &str) -> String {
    text.chars().take(MOST_LETTERS).collect()
}

fn height(lines: &Row) -> f32 {
    lines.iter().map(Vec::len).max().unwrap_or(1) as f32 * CELL.line() + 2.0 * PAD - 1.0
}
