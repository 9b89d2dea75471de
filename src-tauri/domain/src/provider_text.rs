//! What the other side said, before it is kept or shown: one line of printable characters, without what must not be seen.

use crate::Secret;

/// One line of printable characters, not endless. What can't be seen (control characters, marks that turn the direction of
/// a text around) becomes a blank.
pub fn single_line(text: &str, longest: usize) -> String {
    let line: String = text.chars().map(|c| if is_printable(c) { c } else { ' ' }).take(longest).collect();
    line.trim().to_owned()
}

fn is_printable(c: char) -> bool {
    // What would be written as an escape, also behind a letter that it could belong to, has no picture of its own.
    matches!(c, '"' | '\'' | '\\') || format!("a{c}").escape_debug().count() == 2
}

/// Whether one of the secrets stands in the text, as it is or in a form's encoding.
pub fn contains_secret<'s>(text: &str, secrets: impl IntoIterator<Item = &'s Secret>) -> bool {
    secrets.into_iter().filter(|secret| !secret.is_empty()).any(|secret| {
        let encoded: String = url::form_urlencoded::byte_serialize(secret.expose().as_bytes()).collect();
        text.contains(secret.expose()) || text.contains(&encoded)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_stay_on_one_printable_line() {
        assert_eq!(single_line(" a\nb\u{202e}c\u{200b}d\0 ", 99), "a b c d");
        assert_eq!(single_line("\"Grüße\" from हिन्दी \\ 東京 🎉", 99), "\"Grüße\" from हिन्दी \\ 東京 🎉");
        assert_eq!(single_line(&"x".repeat(999), 300).len(), 300);
    }

    #[test]
    fn a_secret_is_found_as_it_is_and_encoded() {
        let secrets = [Secret::new(""), Secret::new("a/b c")];
        for text in ["no a/b c here", "token=a%2Fb+c"] {
            assert!(contains_secret(text, &secrets), "{text}");
        }
        assert!(!contains_secret("a fine reason", &secrets));
    }
}
