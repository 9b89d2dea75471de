//! Where in an expression an error is.

use std::fmt;

/// A place in an expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// As JSONata counts: UTF-16 code units from 0, mostly the end of the token.
    pub offset: usize,
    /// From 1.
    pub line: usize,
    /// Characters from 1, where the token begins.
    pub column: usize,
    /// Characters of the token, at least 1.
    pub length: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}", self.line, self.column)
    }
}

impl Position {
    /// The place that JSONata means with `offset`: the end of the token, or of the parenthesis after a function's name. Names come
    /// without their `$`. Without a token, the character before the offset was read last.
    pub(crate) fn find(expression: &str, offset: usize, token: Option<&str>) -> Self {
        let end = byte_index(expression, offset);
        let (begin, token_end) = token.and_then(|token| token_before(expression, end, token)).unwrap_or_else(|| {
            let last = expression[..end].trim_end();
            let begin = last.char_indices().next_back().map_or(0, |(index, _)| index);
            (begin, last.len())
        });
        let line_start = expression[..begin].rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            offset,
            line: expression[..begin].matches('\n').count() + 1,
            column: expression[line_start..begin].chars().count() + 1,
            length: expression[begin..token_end].chars().count().max(1),
        }
    }
}

/// The bytes of the token that ends at `end`, or before the parenthesis there.
fn token_before(expression: &str, end: usize, token: &str) -> Option<(usize, usize)> {
    if token.is_empty() {
        return None;
    }
    let read = &expression[..end];
    let before_parenthesis = read.strip_suffix('(').map_or(read, str::trim_end);
    let token_end = [read, before_parenthesis].into_iter().find(|text| text.ends_with(token))?.len();
    let begin = token_end - token.len();
    Some((if expression[..begin].ends_with('$') { begin - 1 } else { begin }, token_end))
}

/// The byte that the UTF-16 code unit `offset` is at, or the end.
fn byte_index(text: &str, offset: usize) -> usize {
    let mut units = 0;
    for (index, character) in text.char_indices() {
        if units >= offset {
            return index;
        }
        units += character.len_utf16();
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_the_tokens() {
        // expression, offset, token; line, column, length
        let cases = [
            ("$summ(1)", 5, Some("summ"), 1, 1, 5),
            ("1 + $error(\"no\")", 11, Some("error"), 1, 5, 6),
            ("$error (\"no\")", 8, Some("error"), 1, 1, 6),
            ("a + \"x\"", 3, Some("+"), 1, 3, 1),
            ("a\n  != \"x\"", 6, Some("!="), 2, 3, 2),
            ("1 +", 3, None, 1, 3, 1),
            ("1 + ", 4, Some("(end)"), 1, 3, 1),
            ("\"😀é\" + 1", 7, Some("+"), 1, 6, 1),
            ("x", 99, Some("y"), 1, 1, 1),
            ("", 0, None, 1, 1, 1),
            ("\n\n", 2, Some(""), 1, 1, 1),
            // In the middle of a surrogate pair.
            ("😀", 1, None, 1, 1, 1),
        ];
        for (expression, offset, token, line, column, length) in cases {
            let found = Position::find(expression, offset, token);
            assert_eq!(found, Position { offset, line, column, length }, "{expression:?} at {offset}");
        }
    }
}
