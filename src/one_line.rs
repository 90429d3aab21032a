//! Names and reasons that come out of files of other people, as part of a sentence: a line break or another control
//! character in them is written as its escape, so that nobody's file can add lines to what the program says.

use std::borrow::Cow;

/// `text` without control characters.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}');
    if !text.contains(breaks) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if breaks(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_as_their_escapes() {
        assert_eq!(one_line("Größe 3 \u{4e2d}"), "Größe 3 \u{4e2d}");
        assert_eq!(one_line("a\nb\r\u{1b}[2J\u{2028}\u{0}"), "a\\nb\\r\\u{1b}[2J\\u{2028}\\u{0}");
    }
}
