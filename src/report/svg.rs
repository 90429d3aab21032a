//! A figure as SVG, in a page or as a file of its own. What strangers wrote is escaped.

use super::figure::{Anchor, Figure, Ink, Shape};
use super::words::harmless;
use std::fmt::Write;

/// `text` with nothing in it that HTML or XML would obey, within elements and within quoted attributes.
pub fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in harmless(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Not allowed in XML, however it is written.
            '\u{fffe}' | '\u{ffff}' => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// "#1c232e".
pub fn hex(ink: Ink) -> String {
    format!("#{:02x}{:02x}{:02x}", ink[0], ink[1], ink[2])
}

/// The figure as an `<svg>` element.
pub fn element(figure: &Figure) -> String {
    let (w, h) = (figure.width, figure.height);
    let alt = escaped(&figure.alt);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {w} {h}\" width=\"{w}\" height=\"{h}\" role=\"img\" \
         aria-label=\"{alt}\" font-family=\"Inter, Helvetica, Arial, sans-serif\">\n<title>{alt}</title>\n"
    );
    for shape in &figure.shapes {
        draw(shape, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// The figure as a file, on white.
pub fn file(figure: &Figure) -> String {
    let ground = Shape::Rect { at: [0.0, 0.0], size: [figure.width, figure.height], ink: [0xff; 3] };
    let shapes = std::iter::once(ground).chain(figure.shapes.iter().cloned()).collect();
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{}", element(&Figure { shapes, ..figure.clone() }))
}

fn draw(shape: &Shape, svg: &mut String) {
    // Writing into a text cannot fail.
    let _ = match shape {
        Shape::Line { from: [x1, y1], to: [x2, y2], ink, width, dash } => {
            let dash = dash.map_or_else(String::new, |d| format!(" stroke-dasharray=\"{d} {d}\""));
            let ink = hex(*ink);
            writeln!(
                svg,
                "<line x1=\"{x1:.2}\" y1=\"{y1:.2}\" x2=\"{x2:.2}\" y2=\"{y2:.2}\" stroke=\"{ink}\" stroke-width=\"{width}\"{dash}/>"
            )
        }
        Shape::Rect { at: [x, y], size: [w, h], ink } => {
            writeln!(svg, "<rect x=\"{x:.2}\" y=\"{y:.2}\" width=\"{w:.2}\" height=\"{h:.2}\" fill=\"{}\"/>", hex(*ink))
        }
        Shape::Dot { at: [x, y], radius, ink } => {
            writeln!(svg, "<circle cx=\"{x:.2}\" cy=\"{y:.2}\" r=\"{radius:.2}\" fill=\"{}\"/>", hex(*ink))
        }
        Shape::Outline { corners, ink, width, filled } => {
            let points: Vec<String> = corners.iter().map(|[x, y]| format!("{x:.2},{y:.2}")).collect();
            let (points, ink) = (points.join(" "), hex(*ink));
            if *filled {
                writeln!(svg, "<polygon points=\"{points}\" fill=\"{ink}\"/>")
            } else {
                writeln!(svg, "<polygon points=\"{points}\" fill=\"none\" stroke=\"{ink}\" stroke-width=\"{width}\"/>")
            }
        }
        Shape::Text { at: [x, y], size, anchor, text, ink, strong } => {
            let anchor = match anchor {
                Anchor::Start => "start",
                Anchor::Middle => "middle",
                Anchor::End => "end",
            };
            let weight = if *strong { " font-weight=\"600\"" } else { "" };
            writeln!(
                svg,
                "<text x=\"{x:.2}\" y=\"{y:.2}\" font-size=\"{size}\" text-anchor=\"{anchor}\" fill=\"{}\"{weight}>{}</text>",
                hex(*ink),
                escaped(text)
            )
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_page_would_obey_is_left() {
        let hostile = "<script>alert(\"1\")</script> & 'x' \u{1b}[2J\u{202e}\u{0}\u{ffff}";
        let safe = escaped(hostile);
        assert_eq!(
            safe,
            "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt; &amp; &#39;x&#39; \u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}"
        );
    }

    #[test]
    fn a_figure_is_an_element_with_words_for_those_who_cannot_see_it() {
        let text = Shape::Text {
            at: [1.0, 2.0],
            size: 8.0,
            anchor: Anchor::End,
            text: "a < b".into(),
            ink: [0, 1, 255],
            strong: true,
        };
        let svg = file(&Figure { width: 10.0, height: 5.0, shapes: vec![text], alt: "one \"line\"".into() });
        assert!(svg.starts_with("<?xml") && svg.contains("aria-label=\"one &quot;line&quot;\""), "{svg}");
        assert!(svg.contains("fill=\"#0001ff\" font-weight=\"600\">a &lt; b</text>"), "{svg}");
    }
}
