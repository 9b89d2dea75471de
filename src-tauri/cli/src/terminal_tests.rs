use serde_json::{Value, json};

use super::*;
use crate::table::Cell;

/// Characters that a terminal executes, that can't be seen, or that change how a text reads.
const HARMFUL: [char; 31] = [
    '\0',
    '\u{7}',
    '\u{8}',
    '\t',
    '\u{b}',
    '\r',
    '\u{1b}',
    '\u{7f}',
    '\u{80}',
    '\u{85}',
    '\u{90}',
    '\u{9b}',
    '\u{9c}',
    '\u{9d}',
    '\u{ad}',
    '\u{61c}',
    '\u{180e}',
    '\u{200b}',
    '\u{200e}',
    '\u{200f}',
    '\u{2028}',
    '\u{2029}',
    '\u{202e}',
    '\u{2060}',
    '\u{2066}',
    '\u{3164}',
    '\u{feff}',
    '\u{fff9}',
    '\u{e000}',
    '\u{e0041}',
    '\u{10ffff}',
];

/// Every harmful character in text that is otherwise visible.
fn harmful_texts() -> impl Iterator<Item = String> {
    let all: String = HARMFUL.into_iter().collect();
    let colors = ["\u{1b}[31mred\u{1b}[0m", "\u{9b}2J", "\u{1b}]0;title\u{7}", "\u{1b}[8m", "\u{1b}[1;1H"];
    let single = HARMFUL.into_iter().map(|c| format!("a{c}b"));
    single.chain([all]).chain(colors.map(str::to_owned))
}

fn is_harmless(text: &str) -> bool {
    text.chars().all(|c| c == '\n' || provider_text::is_visible(c))
}

fn as_json(value: &impl Serialize, formatter: impl Formatter) -> String {
    let mut bytes = Vec::new();
    serialize(&mut bytes, formatter, value).expect("written");
    String::from_utf8(bytes).expect("UTF-8")
}

#[test]
fn json_stays_the_same_value_and_nothing_in_it_is_invisible() {
    for text in harmful_texts() {
        let value =
            json!({ text.clone(): [text, { "deep": text }], "number": 1.5, "none": null, "yes": true, "list": [] });
        for written in [as_json(&value, PrettyFormatter::new()), as_json(&value, CompactFormatter)] {
            assert!(is_harmless(&written), "{written:?}");
            assert_eq!(serde_json::from_str::<Value>(&written).expect("JSON"), value, "{written:?}");
        }
    }
}

#[test]
fn json_without_such_characters_is_written_as_ever() {
    let value = json!({ "name": "Zoë \"東京\" 🔑 \\ /", "list": [1, 2, { "a": [] }], "e\u{301}": "\n" });
    assert_eq!(as_json(&value, PrettyFormatter::new()), serde_json::to_string_pretty(&value).expect("JSON"));
    assert_eq!(as_json(&value, CompactFormatter), value.to_string());
    assert_eq!(as_json(&"\u{202e}\u{e0041}", CompactFormatter), r#""\u202e\udb40\udc41""#);
}

#[test]
fn lines_and_tables_contain_nothing_invisible() {
    for text in harmful_texts() {
        let mut bytes = Vec::new();
        let table: Table = [[Cell::from(&text), Cell::from(&text)]].into_iter().collect();
        table.write(&mut bytes, false).expect("written");
        let written = String::from_utf8(bytes).expect("UTF-8");
        assert!(is_harmless(&written) && written.lines().count() == 1, "{written:?}");
        assert!(is_harmless(&provider_text::multi_line(&text)), "{text:?}");
    }
}

#[test]
fn a_value_is_printed_exactly_or_not_at_all() {
    for text in harmful_texts().chain(["two\nlines".to_owned()]) {
        let error = Stream::Output.exact(&text).expect_err("refused");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{text:?}");
    }
}

#[test]
fn the_logs_colors_stay_and_nothing_else_controls_the_terminal() {
    assert_eq!(
        sanitized_log("\u{1b}[2mtime\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m ok\n"),
        "\u{1b}[2mtime\u{1b}[0m \u{1b}[32m INFO\u{1b}[0m ok\n"
    );
    for text in harmful_texts() {
        let written = sanitized_log(&format!("\u{1b}[2mtime\u{1b}[0m {text}\n"));
        let mut rest = written.strip_prefix("\u{1b}[2mtime\u{1b}[0m ").expect("the log's own color").to_owned();
        while let Some((at, end)) = color(&rest) {
            rest.replace_range(at..end, "");
        }
        assert!(is_harmless(&rest), "{written:?}");
    }
}

#[test]
fn an_error_about_an_argument_repeats_it_sanitized() {
    use clap::Parser;
    for text in harmful_texts().filter(|text| !text.contains('\0')) {
        for arguments in
            [vec!["relink", &text], vec!["relink", "events", "--after", &text], vec!["relink", "account", "x", &text]]
        {
            let error = crate::args::Arguments::try_parse_from(&arguments).expect_err("no such command");
            let written = provider_text::multi_line(&error.render().to_string());
            assert!(error.use_stderr() && is_harmless(&written), "{written:?}");
        }
    }
}
