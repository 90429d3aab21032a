//! All models of a batch on one page, and as a table. What strangers wrote (names, paths, reasons) is escaped.

use super::run::Done;
use crate::audit::Verdict;
use crate::report::sheet;
use crate::report::svg::escaped;
use crate::report::words;
use std::fmt::Write;

const STYLE: &str = "body{font:15px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem;color:#1c232e;\
background:#fff}table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.35rem .6rem;border-bottom:1px \
solid #d5dae1;vertical-align:top}td.n,th.n{text-align:right;white-space:nowrap}.infected{color:#a3261a;font-weight:600}\
.suspicious{color:#8a5300;font-weight:600}.failed{color:#5b6472}h1{font-size:1.6rem}a{color:#14559e}";
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// The report of the model whose files begin with `name`.
pub(super) fn page_of(name: &str) -> String {
    format!("{name}.html")
}

/// The page; the models that need looking at come first.
pub(super) fn html(all: &[Done]) -> String {
    let mut page = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta http-equiv=\"Content-Security-Policy\" \
         content=\"{POLICY}\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>Audited models</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<h1>{}</h1>\n<p>{}</p>\n\
         <p>\"{}\" is not a proof that a model is harmless; each report says what was not examined.</p>\n<table>\n\
         <tr><th>Model</th><th>Verdict</th><th>Labels</th><th class=\"n\">Works on</th><th class=\"n\">Size</th>\
         <th class=\"n\">Time</th></tr>\n",
        words::counted(all.len(), "audited model", "audited models"),
        escaped(&sums(all)),
        escaped(words::verdict(Verdict::NoEvidence)),
    );
    let mut order: Vec<&Done> = all.iter().collect();
    // Stable: within a verdict the manifest's order stays.
    order.sort_by_key(|done| match done.row.verdict {
        Some(Verdict::Infected) => 0,
        Some(Verdict::Suspicious) => 1,
        None => 2,
        Some(Verdict::NoEvidence) => 3,
    });
    for done in order {
        line(done, &mut page);
    }
    page.push_str("</table>\n</body>\n</html>\n");
    page
}

fn line(done: &Done, page: &mut String) {
    let row = &done.row;
    let (class, verdict) = match (row.verdict, &row.error) {
        (Some(Verdict::Infected), _) => ("infected", words::verdict(Verdict::Infected).to_owned()),
        (Some(Verdict::Suspicious), _) => ("suspicious", words::verdict(Verdict::Suspicious).to_owned()),
        (Some(verdict), _) => ("none", words::verdict(verdict).to_owned()),
        (None, why) => ("failed", format!("Not audited: {}", why.as_deref().unwrap_or("it is not known why"))),
    };
    let name = escaped(&done.name);
    let name = match row.verdict {
        Some(_) => format!("<a href=\"{}\">{name}</a>", address(&page_of(&done.name))),
        None => name,
    };
    let rate = |share: Option<f32>| share.map_or_else(|| "-".to_owned(), |share| escaped(&words::percent(share)));
    let _ = writeln!(
        page,
        "<tr><td>{name}<br><small>{}</small></td><td class=\"{class}\">{}</td><td>{}</td><td class=\"n\">{}</td>\
         <td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
        escaped(&done.model.display().to_string()),
        escaped(&verdict),
        escaped(&row.labels()),
        rate(row.asr),
        rate(row.size),
        escaped(&words::duration(row.seconds))
    );
}

/// How many models have this verdict; `None` counts those that could not be audited.
pub(super) fn count(all: &[Done], verdict: Option<Verdict>) -> usize {
    all.iter().filter(|done| done.row.verdict == verdict).count()
}

/// "2 infected, 1 suspicious, 40 without evidence, 1 not audited".
pub(super) fn sums(all: &[Done]) -> String {
    let count = |verdict| count(all, verdict);
    format!(
        "{} infected, {} suspicious, {} without evidence, {} not audited",
        count(Some(Verdict::Infected)),
        count(Some(Verdict::Suspicious)),
        count(Some(Verdict::NoEvidence)),
        count(None)
    )
}

/// A file's name as an address beside the page.
fn address(name: &str) -> String {
    let mut safe = String::from("./");
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => safe.push(char::from(byte)),
            byte => {
                let _ = write!(safe, "%{byte:02X}");
            }
        }
    }
    safe
}

/// One line a model, comma separated, with a heading.
pub(super) fn csv(all: &[Done]) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heading = ["name", "path", "sha256", "verdict", "labels", "asr", "size", "seconds", "error"];
    let mut whole = writer.write_record(heading).is_ok();
    for done in all {
        let row = &done.row;
        let rate = |share: Option<f32>| share.map_or_else(String::new, |share| format!("{share:.4}"));
        let verdict = row.verdict.map_or("", words::verdict);
        whole &= writer
            .write_record([
                &sheet::cell(&done.name),
                &sheet::cell(&done.model.display().to_string()),
                &row.sha256,
                verdict,
                &row.labels(),
                &rate(row.asr),
                &rate(row.size),
                &format!("{:.1}", row.seconds),
                &sheet::cell(row.error.as_deref().unwrap_or_default()),
            ])
            .is_ok();
    }
    // Writing to memory cannot fail; a half table would be worse than none.
    let bytes = writer.into_inner().unwrap_or_default();
    if whole { String::from_utf8_lossy(&bytes).into_owned() } else { String::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example;
    use crate::zoo::{Entry, Row};

    fn done(name: &str, row: impl Fn(&Entry) -> Row) -> Done {
        let entry = Entry {
            model: format!("models/{name}.onnx").into(),
            images: "i".into(),
            truth: String::new(),
            target_labels: Vec::new(),
            reference: None,
        };
        Done { name: name.into(), model: entry.model.clone(), row: row(&entry) }
    }

    fn three() -> [Done; 3] {
        let quiet = |entry: &Entry| Row { verdict: Some(Verdict::NoEvidence), ..Row::of(entry, &example::audit()) };
        [
            done("quiet", quiet),
            done("=<b>&\"x", |entry| Row::of(entry, &example::audit())),
            done("broken", |entry| Row::failed(entry, "no <such> file".into())),
        ]
    }

    #[test]
    fn what_strangers_wrote_is_escaped_and_the_worst_comes_first() {
        let page = html(&three());
        assert!(!page.contains("<b>") && !page.contains("<such>"), "{page}");
        assert!(page.contains("href=\"./%3D%3Cb%3E%26%22x.html\""), "{page}");
        assert!(page.contains("1 infected, 0 suspicious, 1 without evidence, 1 not audited"), "{page}");
        let at = |text: &str| page.find(text).unwrap_or(usize::MAX);
        assert!(at("&lt;b&gt;") < at(">broken") && at(">broken") < at(">quiet<"), "{page}");
        assert!(!page.contains("broken.html"), "there is no report of a model that was not audited");
    }

    #[test]
    fn a_table_has_a_line_a_model_and_no_formula() {
        let table = csv(&three());
        assert_eq!(table.lines().count(), 4);
        assert!(table.contains("'=<b>&") && table.contains("no <such> file"), "{table}");
    }
}
