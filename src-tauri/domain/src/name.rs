//! Texts that callers store: names, tenants, scopes and contexts. All are bounded and without control characters, because
//! they are in every list, log and terminal from then on.

use std::cmp::Ordering;

use icu_normalizer::DecomposingNormalizerBorrowed;
use serde_json::{Map, Value};

/// The maximum length of a tenant's id, in characters.
pub const MAX_TENANT_ID: usize = 255;
/// The maximum length of a scope, in bytes.
const MAX_SCOPE: usize = 500;
/// The maximum number of scopes that a link requests.
pub const MAX_SCOPES: usize = 200;
/// The maximum length of an account's whole context as JSON, in bytes.
const MAX_CONTEXT: usize = 256 * 1024;

/// The name without the spaces around it, if it has 1 to `max_chars` characters, all on one line.
pub fn one_line(text: &str, max_chars: usize) -> Option<&str> {
    let name = text.trim();
    is_line(name, max_chars).then_some(name)
}

/// Whether a text that is kept as it is has 1 to `max_chars` characters, all on one line.
pub fn is_line(text: &str, max_chars: usize) -> bool {
    !text.trim().is_empty() && !text.contains(char::is_control) && text.chars().take(max_chars + 1).count() <= max_chars
}

/// Whether a text is a scope: RFC 6749 §3.3, of a limited length.
pub fn is_scope(text: &str) -> bool {
    let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    (1..=MAX_SCOPE).contains(&text.len()) && text.bytes().all(fits)
}

/// What is wrong with a context that is to be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ContextFault {
    #[error("A context can have at most 256 KiB as JSON.")]
    TooLarge,
    #[error("A context can't contain control characters, except line breaks and tabs in texts.")]
    ControlCharacter,
}

pub fn check_context(context: &Map<String, Value>) -> Result<(), ContextFault> {
    if has_control_characters(context) {
        return Err(ContextFault::ControlCharacter);
    }
    // A map of JSON values can always be serialized.
    let length = serde_json::to_string(context).map_or(usize::MAX, |text| text.len());
    if length > MAX_CONTEXT { Err(ContextFault::TooLarge) } else { Ok(()) }
}

fn has_control_characters(object: &Map<String, Value>) -> bool {
    let in_text = |text: &str| text.contains(|c: char| c.is_control() && !matches!(c, '\n' | '\r' | '\t'));
    let mut values: Vec<&Value> = Vec::new();
    let mut objects = vec![object];
    while let Some(object) = objects.pop() {
        if object.keys().any(|key| key.contains(char::is_control)) {
            return true;
        }
        values.extend(object.values());
        while let Some(value) = values.pop() {
            match value {
                Value::String(text) if in_text(text) => return true,
                Value::Array(items) => values.extend(items),
                Value::Object(inner) => objects.push(inner),
                Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }
    false
}

/// The order in which people expect names: numbers by their value (59 before 427), capital letters and accents only if nothing
/// else differs. The window's lists have the same order (`ui/lib/order.ts`).
pub fn natural_order(one: &str, other: &str) -> Ordering {
    let (one_folded, other_folded) = (folded(one), folded(other));
    let (mut left, mut right) = (one_folded.as_str(), other_folded.as_str());
    while !left.is_empty() && !right.is_empty() {
        let order = if let (Some((left_number, left_rest)), Some((right_number, right_rest))) =
            (split_number(left), split_number(right))
        {
            (left, right) = (left_rest, right_rest);
            // Without leading zeros, a longer number is larger.
            (left_number.len(), left_number).cmp(&(right_number.len(), right_number))
        } else {
            let (mut left_letters, mut right_letters) = (left.chars(), right.chars());
            let order = left_letters.next().cmp(&right_letters.next());
            (left, right) = (left_letters.as_str(), right_letters.as_str());
            order
        };
        if order.is_ne() {
            return order;
        }
    }
    left.len().cmp(&right.len()).then_with(|| one.cmp(other))
}

/// Lower case, without accents.
fn folded(name: &str) -> String {
    let decomposed = DecomposingNormalizerBorrowed::new_nfd().normalize_iter(name.chars().flat_map(char::to_lowercase));
    decomposed.filter(|letter| !matches!(letter, '\u{300}'..='\u{36f}')).collect()
}

/// The number that the text begins with, without leading zeros, and the rest.
fn split_number(text: &str) -> Option<(&str, &str)> {
    let end = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
    (end > 0).then(|| (text[..end].trim_start_matches('0'), &text[end..]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_in_the_order_that_people_expect() {
        for names in [
            &["Account 59", "Account 427"][..],
            &["v1.2", "v1.10", "v1.10.1"],
            &["007", "8", "0042", "99999999999999999999999998", "99999999999999999999999999"],
            &["acme", "Acme 2", "ACME 10", "beta", "Gamma"],
            &["Ägypten", "ägypten 2", "Apfel", "Banane"],
            &["a", "a b", "ab"],
            &["", "0", "a"],
            &["2 b", "2 c", "10 a"],
            &["Заявка 2", "заявка 10"],
            &["x1y2", "x1y10", "x2"],
        ] {
            let mut sorted: Vec<_> = names.iter().rev().copied().collect();
            sorted.sort_by(|one, other| natural_order(one, other));
            assert_eq!(sorted, names);
        }
        assert_ne!(natural_order("Acme", "acme"), Ordering::Equal, "different names have a fixed order");
        assert_ne!(natural_order("a01", "a1"), Ordering::Equal);
    }

    proptest::proptest! {
        #[test]
        fn the_order_is_total(one in "[aB0-9éß ]{0,6}", other in "[aB0-9éß ]{0,6}", third in "[aB0-9éß ]{0,6}") {
            proptest::prop_assert_eq!(natural_order(&one, &other), natural_order(&other, &one).reverse());
            proptest::prop_assert_eq!(natural_order(&one, &other).is_eq(), one == other);
            let mut sorted = [&one, &other, &third];
            sorted.sort_by(|one, other| natural_order(one, other));
            proptest::prop_assert!(natural_order(sorted[0], sorted[2]).is_le());
        }
    }

    #[test]
    fn a_name_is_one_line_of_a_limited_length() {
        assert_eq!(one_line(" Ada ", 3), Some("Ada"));
        assert_eq!(one_line("äöü", 3), Some("äöü"), "characters are counted, not bytes");
        for bad in ["", " ", "four", "a\nb", "a\u{7}"] {
            assert_eq!(one_line(bad, 3), None, "{bad:?}");
        }
    }

    #[test]
    fn a_text_that_is_kept_as_it_is_has_no_control_character_at_its_ends_either() {
        for good in ["acme-1", " acme", "äöü", &"x".repeat(MAX_TENANT_ID)] {
            assert!(is_line(good, MAX_TENANT_ID), "{good:?}");
        }
        for bad in
            ["", " ", "acme\0", "acme\n", "\tacme", "a\u{9b}31m", "a\u{7f}", "a\u{85}b", &"x".repeat(MAX_TENANT_ID + 1)]
        {
            assert!(!is_line(bad, MAX_TENANT_ID), "{bad:?}");
        }
    }

    #[test]
    fn a_scope_is_one_token() {
        for good in ["repo", "https://www.googleapis.com/auth/drive", "read:user", "a!#$"] {
            assert!(is_scope(good), "{good:?}");
        }
        for bad in ["", "a b", "a\"b", "a\\b", "a\0", "ä", "a\n", &"x".repeat(MAX_SCOPE + 1)] {
            assert!(!is_scope(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_context_is_bounded_and_without_control_characters_at_any_depth() {
        let check = |value: Value| check_context(value.as_object().expect("an object"));
        assert_eq!(check(json!({ "a": { "b": ["line\nbreak\tand tab", 1, null, true] } })), Ok(()));
        for bad in [
            json!({ "a": "\0" }),
            json!({ "a": ["\u{1b}[31m"] }),
            json!({ "a": { "b\n": 1 } }),
            json!({ "\0": 1 }),
            json!({ "a": [[{ "b": "\u{9b}" }]] }),
        ] {
            assert_eq!(check(bad.clone()), Err(ContextFault::ControlCharacter), "{bad}");
        }
        assert_eq!(check(json!({ "a": "x".repeat(MAX_CONTEXT - 8) })), Ok(()));
        assert_eq!(check(json!({ "a": "x".repeat(MAX_CONTEXT) })), Err(ContextFault::TooLarge));
    }
}
