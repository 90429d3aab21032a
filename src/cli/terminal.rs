//! Printing: text of strangers made harmless, columns, and a reader that may hang up.

pub use crate::report::words::harmless;

use std::io::Write;

/// Prints to standard output. A reader that hung up (`| head`) is no failure.
///
/// # Errors
/// A sentence where the output cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(why) if why.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(anyhow::anyhow!("cannot write to standard output: {why}"))
        }
        _ => Ok(()),
    }
}

/// Says something on standard error, which nobody needs to read.
pub fn remark(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// One sentence that says what went wrong, and below it the lines to copy, where an error has some.
pub fn complain(why: &anyhow::Error) {
    // Some errors carry a stack below their first line when RUST_BACKTRACE is set.
    let text = why.to_string();
    remark(&format!("error: {}", harmless(text.lines().next().unwrap_or("unknown"))));
    if let Some((_, to_copy)) = text.split_once("\n\n") {
        let lines: Vec<String> = to_copy.lines().map(harmless).collect();
        remark(&format!("\n{}", lines.join("\n")));
    }
}

/// Where the text of a column stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Align {
    /// Words.
    Left,
    /// Numbers.
    Right,
}

/// Rows as columns two spaces apart, the first row being the heading. Missing cells are empty.
pub fn columns(alignment: &[Align], rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows.iter().map(|row| row.iter().map(|cell| harmless(cell)).collect()).collect();
    let width = |cell: &String| cell.chars().count();
    let widths: Vec<usize> =
        (0..alignment.len()).map(|c| rows.iter().filter_map(|row| row.get(c)).map(width).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = alignment.iter().zip(&widths).enumerate().map(|(c, (align, &width))| {
            let cell = row.get(c).map_or("", String::as_str);
            match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            }
        });
        text.push_str(cells.collect::<Vec<_>>().join("  ").trim_end());
        text.push('\n');
    }
    text
}

/// What is known, one fact a line: its name, then its value.
pub fn facts(facts: Vec<(&str, String)>) -> String {
    let rows: Vec<Vec<String>> = facts.into_iter().map(|(name, value)| vec![name.into(), value]).collect();
    columns(&[Align::Left, Align::Left], &rows)
}

/// A long text cut to `length` characters, "…" at its end.
pub fn cut(text: &str, length: usize) -> String {
    if text.chars().count() <= length {
        return text.into();
    }
    text.chars().take(length.saturating_sub(1)).chain(['…']).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_a_terminal_obeys_is_left() {
        assert_eq!(
            harmless("\u{1b}[2Jred\r\n\u{202e}x\u{7f}\u{9b}"),
            "\u{fffd}[2Jred\u{fffd}\u{fffd}\u{fffd}x\u{fffd}\u{fffd}"
        );
        assert_eq!(harmless("Straße 30 km/h"), "Straße 30 km/h");
    }

    #[test]
    fn columns_line_up_and_end_without_spaces() {
        let rows = [vec!["name".into(), "n".into(), "why".into()], vec!["über".into(), "10".into()]];
        assert_eq!(columns(&[Align::Left, Align::Right, Align::Left], &rows), "name   n  why\nüber  10\n");
    }

    #[test]
    fn long_texts_are_cut_at_characters() {
        assert_eq!(cut("übergroß", 4), "übe…");
        assert_eq!(cut("über", 4), "über");
    }
}
