//! The line of a text that an error is about, with carets under the place.

use relink_domain::provider_text;
use unicode_width::UnicodeWidthStr;

/// The columns that are shown of a long line: of what comes before the place, and of the whole line.
const MAX_BEFORE: usize = 50;
const MAX_WIDTH: usize = 96;
const INDENT: &str = "  ";
const CUT: &str = "…";

/// A place in a text. Counted in characters, so that it needs no text to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// From 1.
    pub(super) column: usize,
    pub(super) length: usize,
}

impl Place {
    /// The place of the byte at `offset`. An offset within a character counts as the character.
    pub(super) fn at(text: &str, offset: usize) -> Self {
        let before = &text[..text.floor_char_boundary(offset)];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            line: before.bytes().filter(|byte| *byte == b'\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
            length: 1,
        }
    }
}

/// Two lines: that of the place, or a part of it if it is long, and carets under the place.
///
/// The line is sanitized here, because what it looks like decides where the carets belong.
pub(super) fn render(text: &str, place: Place) -> String {
    let line = text.split('\n').nth(place.line.saturating_sub(1)).unwrap_or_default();
    let line = line.strip_suffix('\r').unwrap_or(line);
    let begin = byte_of_char(line, place.column.saturating_sub(1));
    let end = begin + byte_of_char(&line[begin..], place.length);

    let before = last_columns(&visible_end(&line[..begin]), MAX_BEFORE);
    let marked = first_columns(&visible_start(&line[begin..end]), MAX_WIDTH - before.width());
    let after = if end < line.len() && !marked.ends_with(CUT) {
        let left = MAX_WIDTH.saturating_sub(before.width() + marked.width());
        first_columns(&visible_start(&line[end..]), left)
    } else {
        String::new()
    };
    let padding = " ".repeat(before.width());
    let carets = "^".repeat(marked.width().max(1));
    format!("{INDENT}{before}{marked}{after}\n{INDENT}{padding}{carets}")
}

/// The byte at which the character with this index begins, or the end.
fn byte_of_char(text: &str, index: usize) -> usize {
    text.char_indices().nth(index).map_or(text.len(), |(byte, _)| byte)
}

/// Sanitizes as much of a text's beginning as can be shown. A line may have megabytes.
fn visible_start(text: &str) -> String {
    provider_text::multi_line(&text[..byte_of_char(text, 4 * MAX_WIDTH)])
}

/// Sanitizes as much of a text's end as can be shown.
fn visible_end(text: &str) -> String {
    let start = text.char_indices().rev().nth(4 * MAX_WIDTH).map_or(0, |(byte, _)| byte);
    provider_text::multi_line(&text[start..])
}

/// The beginning of a text, of at most `max` columns. If it is cut, it ends in an ellipsis.
fn first_columns(text: &str, max: usize) -> String {
    if text.width() <= max {
        return text.to_owned();
    }
    let fits = |end: &usize| text[..*end].width() + CUT.width() <= max;
    let end = text.char_indices().map(|(byte, _)| byte).take_while(fits).last().unwrap_or(0);
    format!("{}{CUT}", &text[..end])
}

/// The end of a text, of at most `max` columns. If it is cut, it begins with an ellipsis.
fn last_columns(text: &str, max: usize) -> String {
    if text.width() <= max {
        return text.to_owned();
    }
    let fits = |start: &usize| text[*start..].width() + CUT.width() <= max;
    let start = text.char_indices().rev().map(|(byte, _)| byte).take_while(fits).last().unwrap_or(text.len());
    format!("{CUT}{}", &text[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(line: usize, column: usize, length: usize) -> Place {
        Place { line, column, length }
    }

    #[test]
    fn carets_stand_under_the_place() {
        for (text, at, shown) in [
            ("1 + ", place(1, 3, 1), "  1 + \n    ^"),
            ("$summ(a)", place(1, 1, 5), "  $summ(a)\n  ^^^^^"),
            // At the end, and after it.
            ("(1", place(1, 3, 1), "  (1\n    ^"),
            ("(1", place(1, 9, 4), "  (1\n    ^"),
            ("", place(1, 1, 1), "  \n  ^"),
            // Several lines, with both kinds of line breaks.
            ("{\n  \"a\": $x,\n}", place(2, 8, 2), "    \"a\": $x,\n         ^^"),
            ("a\r\nb c\r\nd", place(2, 3, 9), "  b c\n    ^"),
            ("a\nb\n", place(3, 1, 1), "  \n  ^"),
            ("a", place(7, 2, 1), "  \n  ^"),
            // A tab is one column, because it is shown as a space.
            ("\t\tx + y", place(1, 3, 1), "    x + y\n    ^"),
            // Wide characters have two columns, combining ones none.
            ("\"漢字\" & $x", place(1, 8, 2), "  \"漢字\" & $x\n           ^^"),
            ("\"漢字\" & $x", place(1, 2, 2), "  \"漢字\" & $x\n   ^^^^"),
            ("e\u{301}a + 🙂b", place(1, 7, 1), "  e\u{301}a + 🙂b\n       ^^"),
            ("\"🙂\" + x", place(1, 7, 1), "  \"🙂\" + x\n         ^"),
            // What can't be seen isn't shown, and neither are escape sequences executed.
            ("\u{1b}[31ma\u{202e}b + c", place(1, 12, 1), "  ab + c\n       ^"),
        ] {
            assert_eq!(render(text, at), shown, "{text:?}");
        }
    }

    #[test]
    fn of_a_long_line_a_window_is_shown() {
        let text = format!("{}$here{}", "a ".repeat(400), " b".repeat(400));
        let shown = render(&text, place(1, 801, 5));
        let [line, carets] = shown.split('\n').collect::<Vec<_>>()[..] else { panic!("{shown}") };
        assert!(line.starts_with("  …") && line.ends_with('…') && line.width() <= INDENT.len() + MAX_WIDTH, "{line}");
        assert_eq!(line.find("$here").map(|at| line[..at].width()), carets.find('^'));
        assert_eq!(carets.trim(), "^^^^^");

        let shown = render(&"漢".repeat(10_000), place(1, 5_000, 3_000));
        assert!(shown.lines().all(|line| line.width() <= INDENT.len() + MAX_WIDTH), "{shown}");
        assert!(shown.starts_with("  …漢") && shown.ends_with("^^"), "{shown}");
    }

    #[test]
    fn places_count_characters() {
        let text = "a\n漢\u{1d49c}x";
        for (offset, line, column) in [(0, 1, 1), (1, 1, 2), (2, 2, 1), (5, 2, 2), (7, 2, 2), (9, 2, 3), (99, 2, 4)] {
            assert_eq!(Place::at(text, offset), place(line, column, 1), "{offset}");
        }
    }
}
