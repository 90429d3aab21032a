//! Names and reasons that come out of files of other people, as part of a sentence: a line break or another control
//! character in them is written as its escape, so that nobody's file can add lines to what the program says.

use std::borrow::Cow;

/// Whether a terminal or a page would obey this character, or it changes the order of what is read: control characters, line and
/// paragraph separators, and the marks that turn the direction of writing.
pub(crate) fn is_obeyed(c: char) -> bool {
    c.is_control() || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` with every such character as its escape.
pub(crate) fn one_line(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return text.into();
    }
    let mut line = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_obeyed(c) { line.extend(c.escape_default()) } else { line.push(c) }
    }
    line.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_written_as_their_escapes() {
        assert_eq!(one_line("Größe 3 \u{4e2d}"), "Größe 3 \u{4e2d}");
        assert_eq!(one_line("gnp\u{202e}exe"), "gnp\\u{202e}exe");
        assert_eq!(one_line("a\nb\r\u{1b}[2J\u{2028}\u{0}"), "a\\nb\\r\\u{1b}[2J\\u{2028}\\u{0}");
    }
}
