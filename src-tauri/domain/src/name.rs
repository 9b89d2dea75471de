//! Names that people give: to accounts, to API tokens, to integrations.

use std::cmp::Ordering;

use icu_normalizer::DecomposingNormalizerBorrowed;

/// The name without the spaces around it, if it has 1 to `max_chars` characters, all on one line.
pub fn one_line(text: &str, max_chars: usize) -> Option<&str> {
    let name = text.trim();
    let is_good = !name.is_empty() && name.chars().count() <= max_chars && !name.contains(char::is_control);
    is_good.then_some(name)
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
    use super::{natural_order, one_line};

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
        assert_ne!(natural_order("Acme", "acme"), std::cmp::Ordering::Equal, "different names have a fixed order");
        assert_ne!(natural_order("a01", "a1"), std::cmp::Ordering::Equal);
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
}
