//! The only place that writes to standard output and standard error. Nothing that it writes can control a terminal, or read as
//! something else, whatever a provider, a file or an argument contains (clippy.toml forbids the streams elsewhere).
//!
//! Text is sanitized ([`provider_text`]). JSON stays the same value: what can't be seen is escaped in it. A token is printed as
//! it is or not at all, because a program reads it.

mod raw_json;

use std::io::{self, BufWriter, IsTerminal, Read, Write};

use relink_domain::provider_text;
use serde::Serialize;
use serde_json::{
    ser::{CharEscape, CompactFormatter, Formatter, PrettyFormatter, Serializer},
    value::RawValue,
};

use crate::table::Table;

/// Where text is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    Output,
    Errors,
}

#[expect(clippy::disallowed_methods, reason = "this module sanitizes what it writes")]
impl Stream {
    /// Writes everything in as few system calls as possible.
    fn write(self, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
        let stream: Box<dyn Write> = match self {
            Self::Output => Box::new(io::stdout().lock()),
            Self::Errors => Box::new(io::stderr().lock()),
        };
        let mut out = BufWriter::with_capacity(64 * 1024, stream);
        write(&mut out)?;
        out.flush()
    }

    /// Whether to color what is written (<https://no-color.org>).
    pub(crate) fn is_colored(self) -> bool {
        self.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
    }

    pub(crate) fn is_terminal(self) -> bool {
        match self {
            Self::Output => io::stdout().is_terminal(),
            Self::Errors => io::stderr().is_terminal(),
        }
    }

    /// Copies bytes as they are, which a terminal must not get.
    pub(crate) fn copy(self, bytes: &mut dyn Read) -> io::Result<()> {
        if self.is_terminal() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a terminal can't show it"));
        }
        self.write(|out| io::copy(bytes, out).map(drop))
    }

    /// Writes lines of text.
    pub(crate) fn lines(self, text: &str) -> io::Result<()> {
        self.write(|out| writeln!(out, "{}", provider_text::multi_line(text)))
    }

    /// Writes a question, after which the person types.
    pub(crate) fn question(self, text: &str) -> io::Result<()> {
        self.write(|out| write!(out, "{} ", provider_text::single_line(text, usize::MAX)))
    }

    /// Writes a table, whose cells are sanitized.
    pub(crate) fn table(self, table: &Table) -> io::Result<()> {
        let is_colored = self.is_colored();
        self.write(|out| table.write(out, is_colored))
    }

    /// Writes a value as one line that a program reads. An error if the line would not be exactly the value.
    pub(crate) fn exact(self, value: &str) -> io::Result<()> {
        if !value.chars().all(provider_text::is_visible) {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the value contains a line break or another character that can't be seen; --json prints it escaped",
            ));
        }
        self.write(|out| writeln!(out, "{value}"))
    }

    /// Writes JSON on several lines.
    pub(crate) fn json(self, value: &impl Serialize) -> io::Result<()> {
        self.write(|out| {
            serialize(out, PrettyFormatter::new(), value)?;
            writeln!(out)
        })
    }

    /// Writes JSON on several lines, with every number and string as it is written.
    pub(crate) fn raw_json(self, value: &RawValue) -> io::Result<()> {
        self.write(|out| {
            raw_json::write_pretty(out, value)?;
            writeln!(out)
        })
    }

    /// Writes a value in the middle of JSON.
    pub(crate) fn raw_json_part(self, value: &RawValue) -> io::Result<()> {
        self.write(|out| raw_json::write_pretty(out, value))
    }

    /// Writes signs of JSON between values.
    pub(crate) fn part(self, signs: &'static str) -> io::Result<()> {
        self.write(|out| out.write_all(signs.as_bytes()))
    }

    /// Writes each value as one line of JSON.
    pub(crate) fn json_lines<T: Serialize>(self, values: &[T]) -> io::Result<()> {
        self.write(|out| {
            values.iter().try_for_each(|value| {
                serialize(out, CompactFormatter, value)?;
                writeln!(out)
            })
        })
    }

    /// Writes what clap says. Its help contains no text from outside and may be colored; its errors repeat arguments.
    pub(crate) fn clap(self, error: &clap::Error) -> io::Result<()> {
        let text = error.render();
        if !error.use_stderr() && self.is_colored() {
            return self.write(|out| write!(out, "{}", text.ansi()));
        }
        self.lines(text.to_string().trim_end())
    }
}

fn serialize(out: &mut dyn Write, formatter: impl Formatter, value: &impl Serialize) -> io::Result<()> {
    value.serialize(&mut Serializer::with_formatter(out, Escaping(formatter))).map_err(io::Error::from)
}

/// Writes a character as an escape sequence of JSON (RFC 8259 §7).
fn write_escaped<W: ?Sized + Write>(out: &mut W, c: char) -> io::Result<()> {
    c.encode_utf16(&mut [0; 2]).iter().try_for_each(|unit| write!(out, "\\u{unit:04x}"))
}

/// Escapes every character that can't be seen. Such characters occur only in strings, so the value stays the same.
struct Escaping<F>(F);

impl<F: Formatter> Formatter for Escaping<F> {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, out: &mut W, fragment: &str) -> io::Result<()> {
        let mut visible = fragment;
        while let Some((at, c)) = visible.char_indices().find(|(_, c)| !provider_text::is_visible(*c)) {
            self.0.write_string_fragment(out, &visible[..at])?;
            write_escaped(out, c)?;
            visible = &visible[at + c.len_utf8()..];
        }
        self.0.write_string_fragment(out, visible)
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, out: &mut W, escape: CharEscape) -> io::Result<()> {
        self.0.write_char_escape(out, escape)
    }

    fn begin_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_array(out)
    }

    fn end_array<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array(out)
    }

    fn begin_array_value<W: ?Sized + Write>(&mut self, out: &mut W, is_first: bool) -> io::Result<()> {
        self.0.begin_array_value(out, is_first)
    }

    fn end_array_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_array_value(out)
    }

    fn begin_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object(out)
    }

    fn end_object<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object(out)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, out: &mut W, is_first: bool) -> io::Result<()> {
        self.0.begin_object_key(out, is_first)
    }

    fn begin_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.begin_object_value(out)
    }

    fn end_object_value<W: ?Sized + Write>(&mut self, out: &mut W) -> io::Result<()> {
        self.0.end_object_value(out)
    }
}

/// The log of `relink serve`, on standard error. The log's own colors stay.
pub(crate) struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        Stream::Errors.write(|out| out.write_all(sanitized_log(&text).as_bytes()))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Sanitizes everything except `SGR` sequences (ECMA-48 §8.3.117), which only color.
fn sanitized_log(text: &str) -> String {
    let mut rest = text;
    let mut sanitized = String::with_capacity(text.len());
    while let Some((at, end)) = color(rest) {
        sanitized.push_str(&provider_text::multi_line(&rest[..at]));
        sanitized.push_str(&rest[at..end]);
        rest = &rest[end..];
    }
    sanitized + &provider_text::multi_line(rest)
}

/// Where the first color begins and ends.
fn color(text: &str) -> Option<(usize, usize)> {
    text.match_indices("\x1b[").find_map(|(at, introducer)| {
        let parameters = &text[at + introducer.len()..];
        let length = parameters.find(|c: char| !c.is_ascii_digit() && c != ';')?;
        parameters[length..].starts_with('m').then_some((at, at + introducer.len() + length + 1))
    })
}

#[cfg(test)]
#[path = "terminal_tests.rs"]
mod tests;
