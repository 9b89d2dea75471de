//! Standard output: JSON for programs, text for people.

use std::io;

use relink_domain::Timestamp;
use serde::Serialize;

use crate::{exit::CliError, table::Table, terminal::Stream};

pub(crate) const SECS_PER_DAY: i64 = 24 * 60 * 60;

/// How results are printed. A failure is reported, never ignored: the lost output may be a secret that is shown only once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Output {
    Text,
    Json,
}

impl Output {
    /// Prints a result as JSON, or as a text that describes it.
    pub(crate) fn text<T: Serialize>(self, result: &T, text: impl FnOnce(&T) -> String) -> Result<(), CliError> {
        self.print(result, |result| Stream::Output.lines(&text(result)))
    }

    /// Prints a result as JSON, or one value of it exactly, such as a token: a program may read that line.
    pub(crate) fn exact<T: Serialize>(self, result: &T, value: impl FnOnce(&T) -> &str) -> Result<(), CliError> {
        self.print(result, |result| Stream::Output.exact(value(result)))
    }

    /// Prints a result as JSON, or as a table.
    pub(crate) fn table<T: Serialize>(self, result: &T, table: impl FnOnce(&T) -> Table) -> Result<(), CliError> {
        self.print(result, |result| Stream::Output.table(&table(result)))
    }

    /// Prints a list as JSON, or as a table. `empty`: what is printed for people if it has no entry.
    pub(crate) fn list<T: Serialize>(
        self,
        result: &T,
        table: impl FnOnce(&T) -> Table,
        empty: &str,
    ) -> Result<(), CliError> {
        self.print(result, |result| match table(result) {
            table if table.is_empty() => Stream::Output.lines(empty),
            table => Stream::Output.table(&table),
        })
    }

    /// Prints entries as JSON, one per line for programs that follow, or as a table.
    pub(crate) fn entries<T: Serialize>(
        self,
        entries: &[T],
        table: impl FnOnce(&[T]) -> Table,
    ) -> Result<(), CliError> {
        let printed = match self {
            Self::Json => Stream::Output.json_lines(entries),
            Self::Text => Stream::Output.table(&table(entries)),
        };
        printed.map_err(|error| CliError::output(&error))
    }

    fn print<T: Serialize>(self, result: &T, text: impl FnOnce(&T) -> io::Result<()>) -> Result<(), CliError> {
        let printed = match self {
            Self::Json => Stream::Output.json(result),
            Self::Text => text(result),
        };
        printed.map_err(|error| CliError::output(&error))
    }
}

#[expect(clippy::disallowed_methods, reason = "the command line shows times relative to its reader's clock")]
pub(crate) fn now() -> Timestamp {
    jiff::Timestamp::now().into()
}

/// A relative time, such as `12 min ago` or `in 4 h`; a dash if there is none.
pub(crate) fn relative_time(at: Option<Timestamp>) -> String {
    at.map_or_else(|| "–".to_owned(), |at| relative(at.millis_since(now()).div_euclid(1000)))
}

/// The past is rounded down, as an age is. What is to come is rounded to the nearest: a moment after a link for seven days was made,
/// it expires in seven days.
fn relative(secs: i64) -> String {
    let span = secs.unsigned_abs();
    let in_units = |size: u64| if secs < 0 { span / size } else { (span + size / 2) / size };
    let (count, unit) = match (in_units(60), in_units(3_600), in_units(86_400)) {
        _ if span < 60 => (span, "s"),
        (minutes, _, _) if minutes < 60 => (minutes, "min"),
        (_, hours, _) if hours < 24 => (hours, "h"),
        (_, _, days) => (days, "d"),
    };
    match secs {
        -2..=2 => "now".to_owned(),
        ..-2 => format!("{count} {unit} ago"),
        _ => format!("in {count} {unit}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_relative_and_rounded() {
        for (secs, text) in [
            (0, "now"),
            (-30, "30 s ago"),
            (-720, "12 min ago"),
            (4 * 3600, "in 4 h"),
            (-3 * 86_400, "3 d ago"),
            (59, "in 59 s"),
            (60, "in 1 min"),
            (3_595, "in 1 h"),
            (-3_595, "59 min ago"),
            (86_395, "in 1 d"),
            (7 * 86_400 - 5, "in 7 d"),
            (-7 * 86_400 + 5, "6 d ago"),
        ] {
            assert_eq!(relative(secs), text);
        }
    }
}
