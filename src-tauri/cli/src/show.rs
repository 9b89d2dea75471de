//! How things look on a terminal.

use std::{
    fmt::Write as _,
    io::{self, IsTerminal, Write as _},
};

use serde_json::Value;

use crate::exit::Failed;

/// Prints a line exactly. What can't be written is a failure: a secret that is shown once may be in it.
pub(crate) fn line(text: &str) -> Result<(), Failed> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| Failed::unwritten(&error))
}

/// Prints words, some of which others chose.
pub(crate) fn words(text: &str) -> Result<(), Failed> {
    line(&harmless(text))
}

/// Prints a value as JSON.
pub(crate) fn json(value: &Value) -> Result<(), Failed> {
    line(&serde_json::to_string_pretty(value).unwrap_or_default())
}

/// Prints a value as JSON, or what it means in words.
pub(crate) fn either(value: &Value, said: &str, as_json: bool) -> Result<(), Failed> {
    if as_json { json(value) } else { words(said) }
}

/// Text that can't move the cursor, colour the screen or turn the direction of writing: a provider chooses people's names.
pub(crate) fn harmless(text: &str) -> String {
    let turns =
        |sign: char| matches!(sign, '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|sign| if (sign.is_control() && sign != '\n') || turns(sign) { char::REPLACEMENT_CHARACTER } else { sign })
        .collect()
}

/// Whether colours are wanted (<https://no-color.org>).
fn colours() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// How a word is marked. The word itself says it too.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mark {
    Good,
    Warning,
    Bad,
    None,
}

fn marked(text: &str, mark: Mark) -> String {
    let code = match mark {
        Mark::Good => "32",
        Mark::Warning => "33",
        Mark::Bad => "31",
        Mark::None => return text.to_owned(),
    };
    if colours() { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
}

/// Prints rows in aligned columns.
pub(crate) fn table(rows: &[Vec<(String, Mark)>]) -> Result<(), Failed> {
    let one_line = |(cell, mark): &(String, Mark)| (harmless(cell).replace('\n', " "), *mark);
    let rows: Vec<Vec<_>> = rows.iter().map(|row| row.iter().map(one_line).collect()).collect();
    let mut widths: Vec<usize> = Vec::new();
    for row in &rows {
        for (at, (cell, _)) in row.iter().enumerate() {
            let width = cell.chars().count();
            match widths.get_mut(at) {
                Some(widest) => *widest = (*widest).max(width),
                None => widths.push(width),
            }
        }
    }
    for row in &rows {
        let mut text = String::new();
        for (at, (cell, mark)) in row.iter().enumerate() {
            let gap = widths.get(at).copied().unwrap_or(0).saturating_sub(cell.chars().count()) + 2;
            let last = at + 1 == row.len();
            // Writing to a String can't fail.
            let _ = write!(text, "{}{}", marked(cell, *mark), if last { String::new() } else { " ".repeat(gap) });
        }
        line(text.trim_end())?;
    }
    Ok(())
}

/// A cell without a mark.
pub(crate) fn plain(text: impl Into<String>) -> (String, Mark) {
    (text.into(), Mark::None)
}

/// A text out of a value; nothing where there is none.
pub(crate) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value[name].as_str().unwrap_or_default()
}

/// An instant out of a value, as a person says it: `12 min ago`, `in 4 h`.
pub(crate) fn when(value: &Value) -> String {
    let at = value.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok());
    at.map_or_else(|| "–".to_owned(), |at| relative(at.as_second() - now().as_second()))
}

#[expect(clippy::disallowed_methods, reason = "the command line shows times as its reader sees them")]
pub(crate) fn now() -> jiff::Timestamp {
    jiff::Timestamp::now()
}

fn relative(secs: i64) -> String {
    let span = secs.unsigned_abs();
    let (count, unit) = match span {
        0..=59 => (span, "s"),
        60..=3_599 => (span / 60, "min"),
        3_600..=86_399 => (span / 3_600, "h"),
        _ => (span / 86_400, "d"),
    };
    match secs {
        -2..=2 => "now".to_owned(),
        ..-2 => format!("{count} {unit} ago"),
        _ => format!("in {count} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::{harmless, relative};

    #[test]
    fn a_name_from_outside_gives_the_terminal_no_orders() {
        assert_eq!(
            harmless("Ada\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r"),
            "Ada\u{fffd}]0;x\u{fffd}\u{fffd}2J\u{fffd}\u{fffd}"
        );
        assert_eq!(harmless("Zoë 李\nline"), "Zoë 李\nline");
    }

    #[test]
    fn times_are_said_as_a_person_says_them() {
        for (secs, said) in [
            (0, "now"),
            (-30, "30 s ago"),
            (-720, "12 min ago"),
            (4 * 3600, "in 4 h"),
            (-3 * 86_400, "3 d ago"),
            (59, "in 59 s"),
            (60, "in 1 min"),
        ] {
            assert_eq!(relative(secs), said);
        }
    }
}
