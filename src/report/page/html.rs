//! The report as one HTML file: style, drawings and pictures are in it, there is no script, and nothing is fetched.
//!
//! What strangers wrote (names, paths, notes) is escaped; the page forbids everything but its own style and pictures.

use super::blocks::{Block, Cell, Shown, Table};
use super::content::{blocks, title};
use super::repair::Repair;
use crate::audit::{Audit, Verdict};
use crate::report::pixels;
use crate::report::svg::{self, escaped};

const STYLE: &str = include_str!("style.css");
const POLICY: &str =
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The page.
pub fn text(audit: &Audit, repair: Option<&Repair>) -> String {
    let title = escaped(&title(audit));
    let mut html = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"generator\" content=\"PoisDetc\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n"
    );
    html.extend(blocks(audit, repair).iter().map(element));
    let sha256 = escaped(&audit.model.sha256);
    html.push_str(&format!(
        "</main>\n<footer>PoisDetc {} · model SHA-256 {sha256} · seed {}</footer>\n</body>\n</html>\n",
        escaped(&audit.program),
        audit.order.settings.seed
    ));
    html
}

fn element(block: &Block) -> String {
    match block {
        Block::Title(text) => format!("<h1>{}</h1>\n", escaped(text)),
        Block::Heading(text) => format!("<h2>{}</h2>\n", escaped(text)),
        Block::Subheading(text) => format!("<h3>{}</h3>\n", escaped(text)),
        Block::Text(text) => format!("<p>{}</p>\n", escaped(text)),
        Block::Small(text) => format!("<p class=\"small\">{}</p>\n", escaped(text)),
        Block::Banner(verdict, word, text) => format!(
            "<div class=\"banner {}\"><strong>{}{}</strong><p>{}</p></div>\n",
            class(*verdict),
            symbol(*verdict),
            escaped(word),
            escaped(text)
        ),
        Block::List(items) => {
            let items: String = items.iter().map(|item| format!("<li>{}</li>\n", escaped(item))).collect();
            format!("<ul>\n{items}</ul>\n")
        }
        Block::Facts(facts) => {
            let fact =
                |(name, value): &(String, String)| format!("<dt>{}</dt><dd>{}</dd>\n", escaped(name), escaped(value));
            format!("<dl>\n{}</dl>\n", facts.iter().map(fact).collect::<String>())
        }
        Block::Table(of) => table(of),
        Block::Gallery(pictures) => {
            let pictures: String = pictures.iter().filter_map(shown).collect();
            if pictures.is_empty() { pictures } else { format!("<div class=\"gallery\">\n{pictures}</div>\n") }
        }
        Block::Figure(figure) => format!("<figure class=\"drawing\">{}</figure>\n", svg::element(figure)),
        Block::Signature(lines) => {
            let lines: String = lines.iter().map(|line| format!("<div>{}</div>\n", escaped(line))).collect();
            format!("<div class=\"sign\">\n{lines}</div>\n")
        }
        // Browsers break pages by the style.
        Block::Together(_) => String::new(),
    }
}

fn table(table: &Table) -> String {
    let class = |column: usize| {
        if table.head.get(column).is_some_and(|head| head.1) { " class=\"n\"" } else { "" }
    };
    let head: String = table
        .head
        .iter()
        .enumerate()
        .map(|(i, (name, _))| format!("<th scope=\"col\"{}>{}</th>", class(i), escaped(name)))
        .collect();
    let rows: String = table
        .rows
        .iter()
        .map(|row| {
            let cells: String =
                row.iter().enumerate().map(|(i, of)| format!("<td{}>{}</td>", class(i), cell(of))).collect();
            format!("<tr>{cells}</tr>\n")
        })
        .collect();
    format!(
        "<div class=\"wide\"><table>\n<caption>{}</caption>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n",
        escaped(&table.caption)
    )
}

fn cell(cell: &Cell) -> String {
    let text = escaped(&cell.text);
    match cell.verdict {
        Some(verdict) => format!("<span class=\"badge {}\">{}{text}</span>", class(verdict), symbol(verdict)),
        None => text,
    }
}

fn shown(shown: &Shown) -> Option<String> {
    let uri = pixels::data_uri(&shown.picture)?;
    let mut lines = shown.below.iter().map(|line| escaped(line));
    let first = lines.next().unwrap_or_default();
    let rest: String = lines.map(|line| format!("<br>{line}")).collect();
    let alt = escaped(&shown.alt);
    Some(format!("<figure><img src=\"{uri}\" alt=\"{alt}\"><figcaption><b>{first}</b>{rest}</figcaption></figure>\n"))
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Infected => "infected",
        Verdict::Suspicious => "suspicious",
        Verdict::NoEvidence => "no-evidence",
    }
}

/// A filled triangle with "!", a diamond with "?", a ring: never colour alone.
fn symbol(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Infected => {
            "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"M12 2 23 22H1Z\" fill=\"currentColor\"/>\
             <path d=\"M12 9v6M12 17.5v2\" stroke=\"#fceae3\" stroke-width=\"2.4\"/></svg>"
        }
        Verdict::Suspicious => {
            "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><path d=\"M12 1.5 22.5 12 12 22.5 1.5 12Z\" fill=\"none\" \
             stroke=\"currentColor\" stroke-width=\"2\"/><path d=\"M9 9.5a3 3 0 1 1 4.2 2.8q-1.2.6-1.2 1.9M12 16.2v2\" \
             fill=\"none\" stroke=\"currentColor\" stroke-width=\"2\"/></svg>"
        }
        Verdict::NoEvidence => {
            "<svg viewBox=\"0 0 24 24\" aria-hidden=\"true\"><circle cx=\"12\" cy=\"12\" r=\"9.5\" fill=\"none\" \
             stroke=\"currentColor\" stroke-width=\"2.4\"/><path d=\"M7.5 12h9\" stroke=\"currentColor\" stroke-width=\"2.4\"/></svg>"
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::report::{example, words};

    #[test]
    fn the_page_tells_all_that_an_auditor_signs() {
        let html = text(&example::audit(), None);
        for part in [
            "Infected (confirmed)",
            "What it does not mean",
            "one mark turns 98.0 % into it",
            "alt=\"Mask of label 1 stop\"",
            "alt=\"With the trigger of 0 yield: the model says 1 stop\"",
            "<dd>2026-11-25 20:17 UTC</dd>",
            &"ab".repeat(32),
            &"5d".repeat(32),
            "0 to 1, RGB, 5 x 4",
            "Neural Cleanse",
            "Triggers that move pixels were not searched for.",
            "<div>Signature</div>",
            "PoisDetc 0.0.0",
            "<svg xmlns",
        ] {
            assert!(html.contains(part), "no {part}");
        }
        assert_eq!(
            html.matches("data:image/png;base64,").count(),
            6,
            "mask, pattern, trigger, heat map, before and after"
        );
        assert!(!html.contains("NaN") && !html.contains("<script"));
        assert_eq!(html, text(&example::audit(), None), "the same audit, the same bytes");
    }

    #[test]
    fn every_verdict_has_a_page_and_none_says_clean() {
        for verdict in [Verdict::NoEvidence, Verdict::Suspicious, Verdict::Infected] {
            let audit = crate::audit::Audit { verdict, ..example::audit() };
            let html = text(&audit, None);
            let banner = &html[html.find("<div class=\"banner").unwrap()..];
            let banner = &banner[..banner.find("<p>").unwrap()];
            assert!(banner.contains(words::verdict(verdict)) && !banner.to_lowercase().contains("clean"), "{banner}");
        }
    }

    #[test]
    fn what_strangers_wrote_stays_text() {
        let hostile = "\"><script>alert(1)</script><img src=x onerror=alert(1)>'\u{202e}\u{0}&lt;";
        let mut audit = example::audit();
        audit.model.path = format!("/models/{hostile}.onnx").into();
        audit.images.path = hostile.into();
        audit.images.names = vec![hostile.into(); 3];
        audit.images.skipped = vec![hostile.into()];
        audit.model.notes = vec![hostile.into()];
        audit.model.operators = vec![(hostile.into(), 1)];
        audit.model.sha256 = hostile.into();
        audit.images.sha256 = Some(hostile.into());
        audit.program = hostile.into();
        audit.summary = hostile.into();
        audit.limits = vec![hostile.into()];
        audit.preprocessing.name = hostile.into();
        audit.discovery.candidates = vec![audit.discovery.candidates[0].clone(); 2];
        audit.discovery.candidates[1].preprocessing.name = hostile.into();
        audit.references[0].description = hostile.into();
        audit.references[0].path = Some(hostile.into());
        audit.order.settings.device = hostile.into();
        for label in &mut audit.labels {
            label.name = hostile.into();
            label.findings.iter_mut().for_each(|finding| finding.because = hostile.into());
        }
        let html = text(&audit, None);
        for obeyed in ["<script", "<img src=x", "\u{202e}", "\u{0}"] {
            assert!(!html.contains(obeyed), "{obeyed:?} came through");
        }
        // A quote that closes an attribute would leave an odd number of them in some tag.
        for tag in html.split('<').skip(1) {
            let inside = tag.split('>').next().unwrap();
            assert_eq!(inside.matches('"').count() % 2, 0, "<{inside}>");
        }
        assert!(html.matches("&lt;script&gt;alert(1)").count() > 10, "it is shown as text");
    }
}
