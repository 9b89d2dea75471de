//! JSON text on several lines, without reading its values: numbers and strings stay as they are written.
//!
//! `serde_json` would round integers above 2⁶⁴ and refuse strings with half a surrogate pair, which JavaScript has.

use std::io::{self, Write};

use relink_domain::provider_text;
use serde_json::value::RawValue;

const INDENT: &str = "  ";

/// Writes the value like `serde_json`'s pretty printer. Characters that can't be seen are escaped in it.
pub(super) fn write_pretty(out: &mut dyn Write, value: &RawValue) -> io::Result<()> {
    let mut rest = value.get();
    let mut depth = 0_usize;
    let mut after_opening = false;
    while let Some(first) = rest.chars().next() {
        let (token, remaining) = rest.split_at(token_length(rest, first));
        rest = remaining;
        if first.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(first, ']' | '}');
        if closes {
            depth = depth.saturating_sub(1);
        }
        // A pair of brackets with nothing in it stays on its line.
        if after_opening != closes {
            new_line(out, depth)?;
        }
        after_opening = matches!(first, '[' | '{');
        match first {
            '"' => write_string(out, token)?,
            ':' => out.write_all(b": ")?,
            _ => out.write_all(token.as_bytes())?,
        }
        match first {
            '[' | '{' => depth += 1,
            ',' => new_line(out, depth)?,
            _ => {}
        }
    }
    Ok(())
}

/// The length of the token that begins with `first`: a string, a bracket or another sign, white space, or a number or word.
fn token_length(text: &str, first: char) -> usize {
    match first {
        '"' => string_length(text),
        '[' | ']' | '{' | '}' | ',' | ':' => 1,
        _ if first.is_ascii_whitespace() => first.len_utf8(),
        _ => text.find(|c: char| c.is_ascii_whitespace() || ",]}".contains(c)).unwrap_or(text.len()),
    }
}

fn string_length(text: &str) -> usize {
    let mut is_escaped = false;
    let closing = text.bytes().skip(1).position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    });
    closing.map_or(text.len(), |index| index + 2)
}

fn new_line(out: &mut dyn Write, depth: usize) -> io::Result<()> {
    out.write_all(b"\n")?;
    (0..depth).try_for_each(|_| out.write_all(INDENT.as_bytes()))
}

fn write_string(out: &mut dyn Write, token: &str) -> io::Result<()> {
    let mut visible = token;
    while let Some((at, c)) = visible.char_indices().find(|(_, c)| !provider_text::is_visible(*c)) {
        out.write_all(&visible.as_bytes()[..at])?;
        super::write_escaped(out, c)?;
        visible = &visible[at + c.len_utf8()..];
    }
    out.write_all(visible.as_bytes())
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn pretty(json: &str) -> String {
        let value = RawValue::from_string(json.to_owned()).expect("JSON");
        let mut bytes = Vec::new();
        write_pretty(&mut bytes, &value).expect("written");
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn values_look_as_the_other_commands_print_them() {
        for json in [
            "1",
            "null",
            "\"a\"",
            "[]",
            "{}",
            "[[],{}]",
            "[ 1 , 2.5 ]",
            "{\"a\":{\"b\":[true,false,null]},\"c\":[{}],\"d\":[[1],[]]}",
            "{\"brackets \\\" ]}\":\"[{,: \\\\\"}",
        ] {
            let value: Value = serde_json::from_str(json).expect("JSON");
            assert_eq!(pretty(json), serde_json::to_string_pretty(&value).expect("JSON"));
        }
    }

    #[test]
    fn numbers_and_strings_stay_as_they_are_written() {
        for json in ["100000000000000000000", "1e400", "-0", "1.10", "\"\\ud800\"", "\"\\u0041\\/\"", "\"é 漢\""] {
            assert_eq!(pretty(json), json);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_escaped() {
        assert_eq!(pretty("\"a\u{7f}\u{202e}\u{e0041}\u{9b}\""), r#""a\u007f\u202e\udb40\udc41\u009b""#);
        assert_eq!(pretty("{\"\u{200b}\":1}"), "{\n  \"\\u200b\": 1\n}");
    }
}
