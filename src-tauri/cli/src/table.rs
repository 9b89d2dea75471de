//! Tables with aligned columns.

use std::io::{self, Write};

use relink_domain::provider_text;
use unicode_width::UnicodeWidthStr;

const COLUMN_GAP: usize = 2;

/// The color of a cell. Its text has the same meaning without color.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Good,
    Warning,
    Bad,
}

impl Tone {
    /// The color's SGR code (ECMA-48 §8.3.117).
    const fn color(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Good => Some("32"),
            Self::Warning => Some("33"),
            Self::Bad => Some("31"),
        }
    }
}

/// One line of text, sanitized because most texts come from outside, and its width in terminal columns.
#[derive(Debug)]
pub(crate) struct Cell {
    text: String,
    width: usize,
    tone: Tone,
}

impl Cell {
    pub(crate) fn new(text: &str, tone: Tone) -> Self {
        let text = provider_text::single_line(text, usize::MAX);
        Self { width: text.width(), text, tone }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::new(text.as_ref(), Tone::Plain)
    }
}

#[derive(Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<Cell>>,
    is_aligned: bool,
}

impl Table {
    pub(crate) fn push<const N: usize>(&mut self, row: [Cell; N]) {
        self.rows.push(row.into());
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Separates cells by a gap, without padding, for output whose later rows are not known yet.
    pub(crate) fn unaligned(self) -> Self {
        Self { is_aligned: false, ..self }
    }

    pub(crate) fn write(&self, out: &mut (impl Write + ?Sized), is_colored: bool) -> io::Result<()> {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column| self.rows.iter().filter_map(|row| row.get(column)).map(|cell: &Cell| cell.width).max();
        let widths: Vec<usize> =
            (0..columns).map(|column| width(column).filter(|_| self.is_aligned).unwrap_or(0)).collect();
        for row in &self.rows {
            // Lines do not end with blanks, even if the last cells are empty.
            let used = row.iter().rposition(|cell| cell.width > 0).map_or(0, |last| last + 1);
            for (column, (cell, width)) in row.iter().zip(&widths).take(used).enumerate() {
                match cell.tone.color().filter(|_| is_colored) {
                    Some(color) => write!(out, "\x1b[{color}m{}\x1b[0m", cell.text)?,
                    None => out.write_all(cell.text.as_bytes())?,
                }
                if column + 1 < used {
                    write!(out, "{:1$}", "", width.saturating_sub(cell.width) + COLUMN_GAP)?;
                }
            }
            writeln!(out)?;
        }
        Ok(())
    }
}

impl<const N: usize> FromIterator<[Cell; N]> for Table {
    fn from_iter<I: IntoIterator<Item = [Cell; N]>>(rows: I) -> Self {
        Self { rows: rows.into_iter().map(Vec::from).collect(), is_aligned: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed<const N: usize>(rows: Vec<[Cell; N]>, is_colored: bool) -> String {
        written(&rows.into_iter().collect(), is_colored)
    }

    fn written(table: &Table, is_colored: bool) -> String {
        let mut bytes = Vec::new();
        table.write(&mut bytes, is_colored).expect("written");
        String::from_utf8(bytes).expect("text")
    }

    #[test]
    fn columns_are_aligned_by_the_terminal_width_of_their_characters() {
        let rows = vec![["李雷".into(), "a".into()], ["Zoe\u{308}".into(), "b".into()], ["Ada B".into(), "c".into()]];
        assert_eq!(printed(rows, true), "李雷   a\nZoe\u{308}    b\nAda B  c\n");
    }

    #[test]
    fn a_cell_stays_on_one_line_and_empty_last_cells_add_no_trailing_blanks() {
        let rows = vec![["a\nb".into(), "c".into(), "".into()], ["d".into(), "".into(), "".into()]];
        assert_eq!(printed(rows, false), "a b  c\nd\n");
        assert_eq!(printed::<1>(Vec::new(), false), "");
        let none: Table = Vec::<[Cell; 1]>::new().into_iter().collect();
        let one: Table = [["".into()]].into_iter().collect();
        assert!(none.is_empty() && !one.is_empty());
    }

    #[test]
    fn text_from_outside_cannot_control_the_terminal() {
        let name = "Ada\u{1b}]0;x\u{7}\u{9b}2J\u{202e}\r";
        assert_eq!(printed(vec![[name.into(), "李".into()]], false), "Ada  李\n");
    }

    #[test]
    fn an_unaligned_table_has_no_padding() {
        let table: Table = [["long".into(), "b".into()], ["a".into(), "b".into()]].into_iter().collect();
        assert_eq!(written(&table.unaligned(), false), "long  b\na  b\n");
    }

    #[test]
    fn color_is_added_only_to_a_colored_output() {
        let rows = || vec![[Cell::new("ok", Tone::Good), Cell::new("no", Tone::Bad)]];
        assert_eq!(printed(rows(), false), "ok  no\n");
        assert_eq!(printed(rows(), true), "\x1b[32mok\x1b[0m  \x1b[31mno\x1b[0m\n");
    }
}
