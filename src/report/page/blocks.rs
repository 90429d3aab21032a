//! What a report consists of, before it is laid out: paragraphs, tables, pictures.

use crate::audit::Verdict;
use crate::report::figure::Figure;
use image::DynamicImage;

/// One piece of the report, from top to bottom.
#[derive(Debug, Clone)]
pub enum Block {
    /// What the whole is called.
    Title(String),
    /// Begins a part.
    Heading(String),
    /// Begins a part of a part.
    Subheading(String),
    /// A paragraph.
    Text(String),
    /// A paragraph that matters less.
    Small(String),
    /// The verdict: word, symbol, colour, and what it says.
    Banner(Verdict, String, String),
    /// Short sentences, one a line.
    List(Vec<String>),
    /// Names and values.
    Facts(Vec<(String, String)>),
    /// Rows and columns.
    Table(Table),
    /// Small pictures side by side.
    Gallery(Vec<Shown>),
    /// A drawing as wide as the page.
    Figure(Figure),
    /// Empty lines to be filled in by hand, each with what belongs there.
    Signature(Vec<&'static str>),
    /// So much of a page, in points, must be free for what follows; otherwise it begins on a new one.
    Together(f32),
}

/// Rows and columns.
#[derive(Debug, Clone)]
pub struct Table {
    /// What it shows, for those who cannot see it.
    pub caption: String,
    /// What stands above each column, and whether it holds numbers.
    pub head: Vec<(&'static str, bool)>,
    /// Cells, as many in each row as there are columns.
    pub rows: Vec<Vec<Cell>>,
}

/// One cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// What it says.
    pub text: String,
    /// The verdict it is about, where it is one.
    pub verdict: Option<Verdict>,
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self { text, verdict: None }
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

/// A picture with what is written below it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its pixels.
    pub picture: DynamicImage,
    /// What it shows, for those who cannot see it.
    pub alt: String,
    /// Short lines below it, the first emphasised.
    pub below: Vec<String>,
}
