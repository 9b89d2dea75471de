//! Sanitizing text from outside before it is stored, logged or shown: a provider's messages, identities, names in
//! definitions and callbacks.
//!
//! What is removed, and why:
//! - ANSI escape sequences (ECMA-48 §5.4, also with 8-bit introducers) are dropped whole. A terminal would execute them:
//!   move the cursor, change the title, write to the clipboard.
//! - Invisible characters are dropped: bidirectional controls, which make a text read as another one (CVE-2021-42574);
//!   zero-width characters including joiners, with which two different names look the same; fillers and tags.
//! - Line breaks, tabs and other control characters become spaces, so that a text can't begin a line of its own in a log
//!   or a table. [`multi_line`] keeps `\n`. Spaces other than U+0020 become one, too.
//! - Unassigned and private-use characters become U+FFFD, because their appearance is unknown.
//!
//! Letters, marks, digits, punctuation and symbols of every script stay.
//!
//! A [`SecretFilter`] also hides secrets: whatever a provider says passes one before it is kept.

mod filter;
mod known;
mod views;

use std::{iter::Peekable, str::Chars};

use unicode_general_category::{GeneralCategory, get_general_category};

pub use filter::{HIDDEN, SecretFilter};
pub use known::KnownSecrets;

/// Sanitizes a text to one line of at most `max_chars` characters, without spaces around it.
pub fn single_line(text: &str, max_chars: usize) -> String {
    // Most texts are short and have nothing to remove.
    if text.len() <= max_chars && text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return text.to_owned();
    }
    let line: String = Visible::new(text).map(|c| if c == '\n' { ' ' } else { c }).take(max_chars).collect();
    line.trim().to_owned()
}

/// Sanitizes a text and keeps its lines.
pub fn multi_line(text: &str) -> String {
    Visible::new(text).collect()
}

/// Whether a character can be seen, or is U+0020: sanitizing keeps exactly these.
pub fn is_visible(c: char) -> bool {
    c == ' ' || kind_of(c) == Kind::Visible
}

/// The sanitized characters of a text.
struct Visible<'a>(Peekable<Chars<'a>>);

impl<'a> Visible<'a> {
    fn new(text: &'a str) -> Self {
        Self(text.chars().peekable())
    }

    /// Skips the rest of an escape sequence. A sequence without an end loses only its introducer, so that it can't hide
    /// what follows.
    fn skip_sequence(&mut self, introducer: char) {
        let kind = match introducer {
            '\u{1b}' => match self.0.peek() {
                Some('[') => Sequence::Control,
                Some(']' | 'P' | 'X' | '^' | '_') => Sequence::String,
                _ => return,
            },
            '\u{9b}' => Sequence::Control,
            _ => Sequence::String,
        };
        let mut ahead = self.0.clone();
        if introducer == '\u{1b}' {
            ahead.next();
        }
        let ended = match kind {
            // Parameters, intermediates and one final character.
            Sequence::Control => {
                while ahead.next_if(|c| matches!(c, ' '..='?')).is_some() {}
                ahead.next().is_some_and(|c| matches!(c, '@'..='~'))
            }
            Sequence::String => loop {
                match ahead.next() {
                    Some('\u{7}' | '\u{9c}') => break true,
                    Some('\u{1b}') => break ahead.next() == Some('\\'),
                    Some('\n') | None => break false,
                    Some(_) => {}
                }
            },
        };
        if ended {
            self.0 = ahead;
        }
    }
}

/// How an escape sequence ends.
enum Sequence {
    /// By its first character from `@` to `~`: CSI.
    Control,
    /// By BEL or a string terminator: OSC, DCS, SOS, PM and APC.
    String,
}

impl Iterator for Visible<'_> {
    type Item = char;

    fn next(&mut self) -> Option<char> {
        loop {
            let c = self.0.next()?;
            match c {
                '\n' => return Some('\n'),
                '\u{1b}' | '\u{90}' | '\u{98}' | '\u{9b}' | '\u{9d}'..='\u{9f}' => self.skip_sequence(c),
                c => match kind_of(c) {
                    Kind::Visible => return Some(c),
                    Kind::Blank => return Some(' '),
                    Kind::Unknown => return Some(char::REPLACEMENT_CHARACTER),
                    Kind::Invisible => {}
                },
            }
        }
    }
}

/// How a character appears.
#[derive(PartialEq, Eq)]
enum Kind {
    Visible,
    /// A blank, a line break or another control character.
    Blank,
    Invisible,
    Unknown,
}

fn kind_of(c: char) -> Kind {
    use GeneralCategory::{
        Control, Format, LineSeparator, ParagraphSeparator, PrivateUse, SpaceSeparator, Surrogate, Unassigned,
    };
    match (c, get_general_category(c)) {
        // Invisible, although their categories are those of letters and marks.
        ('\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}', _) | (_, Format) => {
            Kind::Invisible
        }
        (_, Control | LineSeparator | ParagraphSeparator | SpaceSeparator) => Kind::Blank,
        (_, PrivateUse | Surrogate | Unassigned) => Kind::Unknown,
        _ => Kind::Visible,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn line_breaks_and_control_characters_become_spaces() {
        assert_eq!(single_line(" a\nb\r\n\tc\u{85}d\u{2028}e\0 ", 99), "a b   c d e");
        assert_eq!(multi_line("a\nb\tc"), "a\nb c");
    }

    #[test]
    fn invisible_characters_are_dropped() {
        for invisible in ['\u{200b}', '\u{200d}', '\u{202e}', '\u{2066}', '\u{200f}', '\u{feff}', '\u{ad}', '\u{3164}']
        {
            assert_eq!(single_line(&format!("a{invisible}b"), 99), "ab", "{invisible:?}");
        }
        assert_eq!(single_line("tag\u{e0041}s", 99), "tags");
    }

    #[test]
    fn escape_sequences_are_dropped_whole() {
        for (text, shown) in [
            ("\u{1b}[1;31mred\u{1b}[0m", "red"),
            ("\u{1b}]0;title\u{7}name", "name"),
            ("\u{1b}]8;;https://evil.example\u{1b}\\name", "name"),
            ("\u{9b}2Jname", "name"),
            ("\u{9d}0;title\u{9c}name", "name"),
            ("\u{1b}Pq#0\u{1b}\\name", "name"),
            ("\u{1b}cname", "cname"),
            ("\u{1b}\u{1b}[2Jname", "name"),
        ] {
            assert_eq!(single_line(text, 99), shown, "{text:?}");
        }
    }

    #[test]
    fn an_unfinished_escape_sequence_hides_nothing() {
        assert_eq!(single_line("\u{1b}]0;all of it", 99), "]0;all of it");
        assert_eq!(single_line("\u{1b}[31", 99), "[31");
        assert_eq!(single_line("\u{1b}[31é", 99), "[31é");
        assert_eq!(multi_line("\u{1b}]0;one\ntwo\u{7}"), "]0;one\ntwo ");
        assert_eq!(single_line("\u{1b}]a\u{1b}b", 99), "]ab");
    }

    #[test]
    fn unassigned_and_private_characters_are_replaced() {
        assert_eq!(single_line("a\u{e000}b\u{378}", 99), "a\u{fffd}b\u{fffd}");
    }

    #[test]
    fn letters_of_every_script_stay() {
        for text in ["\"Grüße\" from हिन्दी \\ 東京 🎉", "Zoë 李", "e\u{301}", "שלום", "™ € ½"]
        {
            assert_eq!(single_line(text, 99), text);
        }
    }

    #[test]
    fn a_line_has_at_most_so_many_characters() {
        assert_eq!(single_line(&"é".repeat(999), 300).chars().count(), 300);
    }

    #[test]
    fn exactly_the_characters_that_sanitizing_keeps_are_visible() {
        for c in (0..=0x10_ffff).filter_map(char::from_u32) {
            let text = c.to_string();
            assert_eq!(is_visible(c), multi_line(&text) == text && c != '\n', "{c:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_invisible_is_left(text in "[\\PC\\p{Cc}\\p{Cf}]{0,40}") {
            let line = single_line(&text, 99);
            prop_assert!(!line.contains(char::is_control));
            prop_assert!(!line.chars().any(|c| get_general_category(c) == GeneralCategory::Format));
            prop_assert!(multi_line(&text).chars().all(|c| c == '\n' || !c.is_control()));
        }

        #[test]
        fn sanitizing_twice_changes_nothing(text in "[\\PC\\p{Cc}\\p{Cf}]{0,40}") {
            prop_assert_eq!(multi_line(&multi_line(&text)), multi_line(&text));
        }

        #[test]
        fn printable_ascii_stays(text in "[!-~]{0,40}") {
            prop_assert_eq!(single_line(&text, 99), text);
        }
    }
}
