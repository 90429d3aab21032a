//! Pages of marks as the bytes of a PDF file. No date, no random identity: the same pages give the same bytes.

use super::layout::PAGE;
use super::marks::Mark;
use crate::report::face::{Face, Faces};
use crate::report::figure::{Anchor, Ink, Shape};
use crate::report::pictures::enlarged;
use crate::report::write::ReportError;
use flate2::Compression;
use flate2::write::ZlibEncoder;
use image::DynamicImage;
use pdf_writer::types::{CidFontType, FontFlags, SystemInfo, UnicodeCmap};
use pdf_writer::{Content, Filter, Finish, Name, Pdf, Rect, Ref, Str, TextStr};
use std::collections::BTreeMap;
use std::io::Write;
use subsetter::GlyphRemapper;

const IDENTITY: SystemInfo<'static> = SystemInfo { registry: Str(b"Adobe"), ordering: Str(b"Identity"), supplement: 0 };
/// A circle as four curves: how far their handles reach.
const HANDLE: f32 = 0.552_284_8;

/// A font cut down to what the pages use.
struct Embedded<'a> {
    face: &'a Face,
    used: BTreeMap<u16, char>,
    outlines: Vec<u8>,
    numbers: GlyphRemapper,
}

impl<'a> Embedded<'a> {
    fn of(face: &'a Face, pages: &[Vec<Mark>], strong: bool) -> Result<Self, ReportError> {
        let mut used = BTreeMap::new();
        for mark in pages.iter().flatten() {
            if let Mark::Shape(Shape::Text { text, strong: is, .. }) = mark
                && *is == strong
            {
                used.extend(text.chars().map(|c| (face.glyph(c), c)));
            }
        }
        // The box of what is missing is always there and stands for no letter.
        used.remove(&0);
        let (outlines, numbers) = face.part(&used)?;
        Ok(Self { face, used, outlines, numbers })
    }

    /// `text` by the numbers of the glyphs in the file.
    fn codes(&self, text: &str) -> Vec<u8> {
        let number = |c| self.numbers.get(self.face.glyph(c)).unwrap_or(0);
        text.chars().flat_map(|c| number(c).to_be_bytes()).collect()
    }
}

/// Gives out numbers of objects, one after the other.
struct Numbers(i32);

impl Numbers {
    fn next(&mut self) -> Ref {
        self.0 += 1;
        Ref::new(self.0)
    }
}

/// The file.
pub fn bytes(
    faces: &Faces,
    pages: &[Vec<Mark>],
    pictures: &[DynamicImage],
    title: &str,
) -> Result<Vec<u8>, ReportError> {
    let fonts = [Embedded::of(&faces.regular, pages, false)?, Embedded::of(&faces.strong, pages, true)?];
    let mut pdf = Pdf::new();
    let mut numbers = Numbers(0);
    let (catalog, tree, info) = (numbers.next(), numbers.next(), numbers.next());
    let font_refs: Vec<Ref> = fonts.iter().map(|font| write_font(&mut pdf, &mut numbers, font)).collect();
    let picture_refs: Vec<Ref> =
        pictures.iter().map(|picture| write_picture(&mut pdf, &mut numbers, picture)).collect();
    let page_refs: Vec<Ref> = pages
        .iter()
        .map(|marks| {
            let (page, contents) = (numbers.next(), numbers.next());
            let drawn = compressed(&content(marks, &fonts));
            pdf.stream(contents, &drawn).filter(Filter::FlateDecode);
            let mut object = pdf.page(page);
            object.parent(tree).media_box(Rect::new(0.0, 0.0, PAGE[0], PAGE[1])).contents(contents);
            let mut resources = object.resources();
            let mut named = resources.fonts();
            for (i, font) in font_refs.iter().enumerate() {
                named.pair(Name(font_name(i == 1).as_bytes()), *font);
            }
            named.finish();
            let mut named = resources.x_objects();
            for mark in marks {
                if let Mark::Picture { index, .. } = mark {
                    named.pair(Name(picture_name(*index).as_bytes()), picture_refs[*index]);
                }
            }
            named.finish();
            resources.finish();
            object.finish();
            page
        })
        .collect();
    pdf.pages(tree).kids(page_refs.iter().copied()).count(page_refs.len() as i32);
    let mut root = pdf.catalog(catalog);
    root.pages(tree).lang(TextStr("en"));
    root.viewer_preferences().display_doc_title(true);
    root.finish();
    pdf.document_info(info).title(TextStr(title)).creator(TextStr("PoisDetc"));
    Ok(pdf.finish())
}

fn font_name(strong: bool) -> &'static str {
    if strong { "F2" } else { "F1" }
}

fn picture_name(index: usize) -> String {
    format!("P{index}")
}

fn compressed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    // Writing into memory cannot fail.
    let _ = encoder.write_all(bytes);
    encoder.finish().unwrap_or_default()
}

fn write_font(pdf: &mut Pdf, numbers: &mut Numbers, font: &Embedded<'_>) -> Ref {
    let (whole, cid, descriptor, letters, data) =
        (numbers.next(), numbers.next(), numbers.next(), numbers.next(), numbers.next());
    let name = format!("POISDT+{}", font.face.name);
    pdf.type0_font(whole)
        .base_font(Name(name.as_bytes()))
        .encoding_predefined(Name(b"Identity-H"))
        .descendant_font(cid)
        .to_unicode(letters);
    let mut object = pdf.cid_font(cid);
    object
        .subtype(CidFontType::Type0)
        .base_font(Name(name.as_bytes()))
        .system_info(IDENTITY)
        .font_descriptor(descriptor)
        .default_width(font.face.advance(0));
    let mut widths = object.widths();
    for glyph in font.used.keys() {
        let number = font.numbers.get(*glyph).unwrap_or(0);
        widths.consecutive(number, [font.face.advance(*glyph)]);
    }
    widths.finish();
    object.finish();
    let measures = font.face.measures();
    let [left, bottom, right, top] = measures.bounds;
    pdf.font_descriptor(descriptor)
        .name(Name(name.as_bytes()))
        .flags(FontFlags::SYMBOLIC)
        .bbox(Rect::new(left, bottom, right, top))
        .italic_angle(0.0)
        .ascent(measures.ascent)
        .descent(measures.descent)
        .cap_height(measures.capitals)
        .stem_v(80.0)
        .font_file3(data);
    let mut map = UnicodeCmap::new(Name(b"Letters"), IDENTITY);
    for (glyph, letter) in &font.used {
        map.pair(font.numbers.get(*glyph).unwrap_or(0), *letter);
    }
    let map = compressed(map.finish().as_slice());
    pdf.cmap(letters, &map).filter(Filter::FlateDecode);
    let outlines = compressed(&font.outlines);
    pdf.stream(data, &outlines).filter(Filter::FlateDecode).pair(Name(b"Subtype"), Name(b"CIDFontType0C"));
    whole
}

/// Small pictures enlarged beforehand: readers smooth what they enlarge themselves.
fn write_picture(pdf: &mut Pdf, numbers: &mut Numbers, picture: &DynamicImage) -> Ref {
    let picture = enlarged(picture).into_rgb8();
    let number = numbers.next();
    let data = compressed(picture.as_raw());
    let mut object = pdf.image_xobject(number, &data);
    object.filter(Filter::FlateDecode);
    object.width(picture.width() as i32);
    object.height(picture.height() as i32);
    object.color_space().device_rgb();
    object.bits_per_component(8);
    object.finish();
    number
}

/// Everything on a page, drawn.
fn content(marks: &[Mark], fonts: &[Embedded<'_>; 2]) -> Vec<u8> {
    let mut content = Content::new();
    for mark in marks {
        match mark {
            Mark::Picture { at: [x, y], size: [w, h], index } => {
                content.save_state().transform([*w, 0.0, 0.0, *h, *x, up(y + h)]);
                content.x_object(Name(picture_name(*index).as_bytes())).restore_state();
            }
            Mark::Shape(shape) => draw(&mut content, shape, fonts),
        }
    }
    content.finish().into_vec()
}

/// From our y, downwards, to that of PDF.
fn up(y: f32) -> f32 {
    PAGE[1] - y
}

fn draw(content: &mut Content, shape: &Shape, fonts: &[Embedded<'_>; 2]) {
    match shape {
        Shape::Line { from, to, ink, width, dash } => {
            stroke(content, *ink, *width);
            content.set_dash_pattern(dash.iter().flat_map(|d| [*d, *d]), 0.0);
            content.move_to(from[0], up(from[1])).line_to(to[0], up(to[1])).stroke();
        }
        Shape::Rect { at: [x, y], size: [w, h], ink } => {
            fill(content, *ink);
            content.rect(*x, up(y + h), *w, *h).fill_nonzero();
        }
        Shape::Dot { at: [x, y], radius: r, ink } => {
            fill(content, *ink);
            let (y, k) = (up(*y), r * HANDLE);
            content.move_to(x + r, y);
            content.cubic_to(x + r, y + k, x + k, y + r, *x, y + r);
            content.cubic_to(x - k, y + r, x - r, y + k, x - r, y);
            content.cubic_to(x - r, y - k, x - k, y - r, *x, y - r);
            content.cubic_to(x + k, y - r, x + r, y - k, x + r, y).fill_nonzero();
        }
        Shape::Outline { corners, ink, width, filled } => {
            let Some(([x, y], rest)) = corners.split_first() else { return };
            if *filled {
                fill(content, *ink);
            } else {
                stroke(content, *ink, *width);
                content.set_dash_pattern([], 0.0);
            }
            content.move_to(*x, up(*y));
            for [x, y] in rest {
                content.line_to(*x, up(*y));
            }
            if *filled {
                content.close_path().fill_nonzero()
            } else {
                content.close_and_stroke()
            };
        }
        Shape::Text { at: [x, y], size, anchor, text, ink, strong } => {
            let font = &fonts[usize::from(*strong)];
            let width = font.face.width(text, *size);
            let x = match anchor {
                Anchor::Start => *x,
                Anchor::Middle => x - width / 2.0,
                Anchor::End => x - width,
            };
            fill(content, *ink);
            content.begin_text().set_font(Name(font_name(*strong).as_bytes()), *size);
            content.next_line(x, up(*y)).show(Str(&font.codes(text))).end_text();
        }
    }
}

fn fill(content: &mut Content, ink: Ink) {
    let [r, g, b] = ink.map(|part| f32::from(part) / 255.0);
    content.set_fill_rgb(r, g, b);
}

fn stroke(content: &mut Content, ink: Ink, width: f32) {
    let [r, g, b] = ink.map(|part| f32::from(part) / 255.0);
    content.set_stroke_rgb(r, g, b).set_line_width(width);
}
