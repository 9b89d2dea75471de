//! Names that people give: to accounts, to API tokens, to integrations.

/// The name without the spaces around it, if it has 1 to `max_chars` characters, all on one line.
pub fn one_line(text: &str, max_chars: usize) -> Option<&str> {
    let name = text.trim();
    let is_good = !name.is_empty() && name.chars().count() <= max_chars && !name.contains(char::is_control);
    is_good.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::one_line;

    #[test]
    fn a_name_is_one_line_of_a_limited_length() {
        assert_eq!(one_line(" Ada ", 3), Some("Ada"));
        assert_eq!(one_line("äöü", 3), Some("äöü"), "characters are counted, not bytes");
        for bad in ["", " ", "four", "a\nb", "a\u{7}"] {
            assert_eq!(one_line(bad, 3), None, "{bad:?}");
        }
    }
}
