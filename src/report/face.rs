//! The two bundled fonts: how wide text is in them, and the part of them that a file needs.

use super::write::ReportError;
use skrifa::instance::{LocationRef, Size};
use skrifa::outline::{DrawSettings, OutlinePen};
use skrifa::raw::types::Tag;
use skrifa::{FontRef, GlyphId, MetadataProvider};
use std::collections::BTreeMap;
use subsetter::GlyphRemapper;
use tiny_skia::{Path, PathBuilder};

const REGULAR: &[u8] = include_bytes!("../../assets/fonts/Inter-Regular.otf");
const STRONG: &[u8] = include_bytes!("../../assets/fonts/Inter-SemiBold.otf");

/// Both fonts.
pub struct Faces {
    /// Ordinary writing.
    pub regular: Face,
    /// Emphasised writing.
    pub strong: Face,
}

impl Faces {
    /// Those of the program.
    pub fn bundled() -> Result<Self, ReportError> {
        Ok(Self { regular: Face::open("Inter-Regular", REGULAR)?, strong: Face::open("Inter-SemiBold", STRONG)? })
    }

    /// One of them.
    pub fn of(&self, strong: bool) -> &Face {
        if strong { &self.strong } else { &self.regular }
    }
}

/// One font.
pub struct Face {
    /// What it is called.
    pub name: &'static str,
    data: &'static [u8],
    font: FontRef<'static>,
    /// Its own units in an em.
    units: f32,
}

/// Numbers that a PDF wants of a font, in thousandths of an em.
pub struct Measures {
    /// Above the baseline.
    pub ascent: f32,
    /// Below it, negative.
    pub descent: f32,
    /// Height of capitals.
    pub capitals: f32,
    /// Left, bottom, right, top of all glyphs.
    pub bounds: [f32; 4],
}

impl Face {
    fn open(name: &'static str, data: &'static [u8]) -> Result<Self, ReportError> {
        let font = FontRef::new(data).map_err(|why| ReportError::Pdf(format!("{name} cannot be read: {why}")))?;
        let units = f32::from(font.metrics(Size::unscaled(), LocationRef::default()).units_per_em);
        Ok(Self { name, data, font, units })
    }

    /// The glyph of a character; the box of what it lacks.
    pub fn glyph(&self, c: char) -> u16 {
        let found = self.font.charmap().map(c).and_then(|glyph| u16::try_from(glyph.to_u32()).ok());
        found.unwrap_or(0)
    }

    /// How far a glyph moves on, in thousandths of an em.
    pub fn advance(&self, glyph: u16) -> f32 {
        let metrics = self.font.glyph_metrics(Size::unscaled(), LocationRef::default());
        1000.0 * metrics.advance_width(GlyphId::new(u32::from(glyph))).unwrap_or(0.0) / self.units
    }

    /// How wide a text is at a size.
    pub fn width(&self, text: &str, size: f32) -> f32 {
        let (charmap, metrics) =
            (self.font.charmap(), self.font.glyph_metrics(Size::unscaled(), LocationRef::default()));
        let advance = |c| metrics.advance_width(charmap.map(c).unwrap_or_default()).unwrap_or(0.0);
        text.chars().map(advance).sum::<f32>() * size / self.units
    }

    /// The outline of a character at a size, its origin at a point; `None` of a space.
    pub fn outline(&self, c: char, size: f32, [x, y]: [f32; 2]) -> Option<Path> {
        let glyph = self.font.outline_glyphs().get(self.font.charmap().map(c).unwrap_or_default())?;
        let mut pen = Pen { path: PathBuilder::new(), x, y };
        glyph.draw(DrawSettings::unhinted(Size::new(size), LocationRef::default()), &mut pen).ok()?;
        pen.path.finish()
    }

    /// Its numbers.
    pub fn measures(&self) -> Measures {
        let m = self.font.metrics(Size::unscaled(), LocationRef::default());
        let scaled = |x: f32| 1000.0 * x / self.units;
        let b = m.bounds.unwrap_or_default();
        Measures {
            ascent: scaled(m.ascent),
            descent: scaled(m.descent),
            capitals: scaled(m.cap_height.unwrap_or(m.ascent)),
            bounds: [b.x_min, b.y_min, b.x_max, b.y_max].map(scaled),
        }
    }

    /// The outlines of these glyphs alone, as a PDF holds them, and their new numbers.
    pub fn part(&self, used: &BTreeMap<u16, char>) -> Result<(Vec<u8>, GlyphRemapper), ReportError> {
        let glyphs: Vec<u16> = used.keys().copied().collect();
        let remapper = GlyphRemapper::new_from_glyphs_sorted(&glyphs);
        let wrong = |why: String| ReportError::Pdf(format!("{} cannot be cut down: {why}", self.name));
        let part = subsetter::subset(self.data, 0, &remapper).map_err(|why| wrong(why.to_string()))?;
        let font = FontRef::new(&part).map_err(|why| wrong(why.to_string()))?;
        let outlines = font.table_data(Tag::new(b"CFF ")).ok_or_else(|| wrong("it has no outlines".into()))?;
        Ok((outlines.as_bytes().to_vec(), remapper))
    }
}

/// Draws an outline where a letter stands; fonts count upwards, pictures downwards.
struct Pen {
    path: PathBuilder,
    x: f32,
    y: f32,
}

impl OutlinePen for Pen {
    fn move_to(&mut self, x: f32, y: f32) {
        self.path.move_to(self.x + x, self.y - y);
    }

    fn line_to(&mut self, x: f32, y: f32) {
        self.path.line_to(self.x + x, self.y - y);
    }

    fn quad_to(&mut self, cx: f32, cy: f32, x: f32, y: f32) {
        self.path.quad_to(self.x + cx, self.y - cy, self.x + x, self.y - y);
    }

    fn curve_to(&mut self, ax: f32, ay: f32, bx: f32, by: f32, x: f32, y: f32) {
        self.path.cubic_to(self.x + ax, self.y - ay, self.x + bx, self.y - by, self.x + x, self.y - y);
    }

    fn close(&mut self) {
        self.path.close();
    }
}
