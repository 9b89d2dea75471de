//! Files of expressions and inputs.

use std::{
    fs,
    io::{self, Read},
    path::Path,
};

use serde_json::value::RawValue;

use super::{
    excerpt::{self, Place},
    is_stdin,
};
use crate::exit::CliError;

/// What Windows' editors begin a text with.
const BYTE_ORDER_MARK: char = '\u{feff}';

/// The text of a file, or of standard input.
pub(super) struct Source {
    pub(super) name: String,
    pub(super) text: String,
}

impl Source {
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        let name = if is_stdin(path) { "standard input".to_owned() } else { path.display().to_string() };
        let bytes = if is_stdin(path) { read_stdin() } else { fs::read(path) };
        let bytes = bytes.map_err(|error| CliError::new(format!("Can't read {name}: {error}.")))?;
        match String::from_utf8(bytes) {
            Ok(text) => Ok(Self { name, text: without_byte_order_mark(text) }),
            Err(error) => {
                let at = error.utf8_error().valid_up_to();
                let text = String::from_utf8_lossy(error.as_bytes());
                Err(problem(&name, "it isn't UTF-8", &text, at))
            }
        }
    }

    pub(super) fn into_json(self) -> Result<Box<RawValue>, CliError> {
        // A raw value keeps every number as it is written.
        serde_json::from_str(&self.text).map_err(|error| {
            let reason = error.to_string();
            // The position that it ends with counts bytes.
            let reason = reason.rsplit_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
            problem(&self.name, &format!("it isn't JSON, {reason}"), &self.text, offset(&self.text, &error))
        })
    }
}

fn read_stdin() -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().lock().read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn without_byte_order_mark(text: String) -> String {
    match text.strip_prefix(BYTE_ORDER_MARK) {
        Some(rest) => rest.to_owned(),
        None => text,
    }
}

/// The byte that the parser stopped at. Its column is that byte's, from 1, and 0 before the line's first byte.
fn offset(text: &str, error: &serde_json::Error) -> usize {
    let lines = text.split_inclusive('\n');
    let before: usize = lines.take(error.line().saturating_sub(1)).map(str::len).sum();
    before + error.column().saturating_sub(1)
}

fn problem(name: &str, reason: &str, text: &str, offset: usize) -> CliError {
    let place = Place::at(text, offset);
    let excerpt = excerpt::render(text, place);
    CliError::new(format!("Can't use {name}: {reason}, at line {}, column {}.\n{excerpt}", place.line, place.column))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json_error(text: &str) -> String {
        let source = Source { name: "in.json".to_owned(), text: text.to_owned() };
        source.into_json().expect_err("no JSON").to_string()
    }

    #[test]
    fn an_error_in_json_shows_its_place() {
        for (text, place, excerpt) in [
            ("{\"a\": x}", "line 1, column 7", "  {\"a\": x}\n        ^"),
            ("{\n\t\"漢\": tru,\n}", "line 2, column 10", "   \"漢\": tru,\n            ^"),
            ("[1,\n2,]", "line 2, column 3", "  2,]\n    ^"),
            ("[1] [2]", "line 1, column 5", "  [1] [2]\n      ^"),
            ("{\"a\": 1", "line 1, column 7", "  {\"a\": 1\n        ^"),
            ("", "line 1, column 1", "  \n  ^"),
        ] {
            let message = json_error(text);
            assert!(message.contains(place), "{text:?}: {message}");
            assert!(message.ends_with(excerpt), "{text:?}: {message}");
            assert!(message.starts_with("Can't use in.json: it isn't JSON, "), "{message}");
        }
    }

    #[test]
    fn a_file_that_is_not_utf8_says_where() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("in.json");
        fs::write(&path, b"{\n \"a\": \"\xe9\"}").expect("written");
        let error = Source::read(&path).err().expect("not UTF-8").to_string();
        assert!(error.contains("it isn't UTF-8, at line 2, column 8."), "{error}");
    }

    #[test]
    fn a_byte_order_mark_is_not_part_of_the_text() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("in.json");
        fs::write(&path, "\u{feff}1.50").expect("written");
        let json = Source::read(&path).and_then(Source::into_json).expect("JSON");
        assert_eq!(json.get(), "1.50");
    }
}
