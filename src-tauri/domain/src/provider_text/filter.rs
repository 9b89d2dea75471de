//! Hiding secrets in what a provider says.

use zeroize::Zeroizing;

use super::{
    single_line,
    views::{View, unescaped, views},
};
use crate::Secret;

/// What stands in place of a secret.
pub const HIDDEN: &str = "(hidden)";

/// Secrets that are shorter are too much like words to be searched for.
const MIN_SECRET_BYTES: usize = 4;
/// A part of a secret counts if it is this long, even if the secret is much longer.
const MAX_PART_BYTES: usize = 20;
/// A part of a secret counts only if it is this long. It is also the shortest beginning or end that counts next to a mark of
/// omission. Four to eight characters are what providers themselves show of a secret.
const MIN_PART_BYTES: usize = 8;
/// Only so much of a text is read.
const MAX_READ_CHARS: usize = 4096;

/// Marks of omission: `sk_live_abc…`, `…xyz`, `abc***`. What is left around a hidden part is also one.
const OMISSIONS: [&str; 6] = ["…", "..", "*", "•", "xxx", HIDDEN];
/// How often what is left of a text is searched again.
const MAX_ROUNDS: usize = 4;

/// Hides secrets in texts of a provider: the request's, the response's, the account's and the client's.
///
/// A secret is found as it is, in every encoding of [`views`], with or without regard to case, and also in parts: half of it,
/// or 20 characters, and a beginning or an end of 8 characters next to a mark of omission. Shorter parts stay, because
/// providers put identifiers into secrets: `123456789:AAF…` is the token of bot 123456789. A secret of 4 to 7 characters is
/// found as a word of its own, unless it consists of letters; a shorter one isn't searched for.
#[derive(Default)]
pub struct SecretFilter {
    patterns: Vec<Pattern>,
    /// Whether every text counts as a secret.
    hides_everything: bool,
}

/// A text that is searched for.
struct Pattern {
    text: Zeroizing<Vec<u8>>,
    /// Whether it counts only as a word of its own, because its secret is short.
    is_word: bool,
    /// How long a part of it must be to count.
    part_length: usize,
    /// Where such parts begin, in the order of the parts.
    parts: Vec<usize>,
}

/// Without the secrets.
impl std::fmt::Debug for SecretFilter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretFilter").finish_non_exhaustive()
    }
}

impl SecretFilter {
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s Secret>) -> Self {
        let mut patterns: Vec<Pattern> = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.expose().len() >= MIN_SECRET_BYTES) {
            let sanitized = Zeroizing::new(single_line(secret.expose(), usize::MAX));
            // A secret may itself look escaped. Then the text's unescaped views have its unescaped form.
            let unescaped = unescaped(View::of(&sanitized)).into_iter().map(|view| view.bytes);
            for form in [secret.expose().as_bytes().to_vec()].into_iter().chain(unescaped) {
                patterns.extend(Pattern::new(form, secret.expose().len() < MIN_PART_BYTES));
            }
        }
        patterns.sort_by(|one, other| one.text.as_slice().cmp(other.text.as_slice()));
        patterns.dedup_by(|one, other| one.text.as_slice() == other.text.as_slice());
        Self { patterns, hides_everything: false }
    }

    /// Hides every text: its secrets aren't known.
    pub fn of_everything() -> Self {
        Self { patterns: Vec::new(), hides_everything: true }
    }

    /// The text on one line of at most `max_chars` characters, with every secret replaced by [`HIDDEN`]. It is empty if
    /// nothing of it may be kept.
    pub fn clean(&self, text: &str, max_chars: usize) -> String {
        if self.hides_everything {
            return String::new();
        }
        single_line(&self.hide(single_line(text, MAX_READ_CHARS)), max_chars)
    }

    /// A text of any length with its lines, in which every string of a JSON document, or else every line, that has a secret
    /// is replaced by [`HIDDEN`]. It is empty if nothing of it may be kept.
    pub fn clean_whole(&self, text: &str) -> String {
        if self.hides_everything {
            return String::new();
        }
        let text = super::multi_line(text);
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        let mut cleaned = String::with_capacity(text.len());
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let end = if is_json { json_part(rest) } else { rest.find('\n').unwrap_or(rest.len()).max(1) };
            let (part, after) = rest.split_at(end);
            cleaned.push_str(if self.finds_in_long(part) { HIDDEN } else { part });
            rest = after;
        }
        cleaned
    }

    /// [`Self::finds`] for a text of any length, in windows that overlap by more than any secret that is likely.
    fn finds_in_long(&self, text: &str) -> bool {
        let mut rest = text;
        loop {
            let Some((end, _)) = rest.char_indices().nth(MAX_READ_CHARS) else { return self.finds(rest) };
            if self.finds(&rest[..end]) {
                return true;
            }
            let next = rest.char_indices().nth(MAX_READ_CHARS / 2).map_or(end, |(next, _)| next);
            rest = &rest[next..];
        }
    }

    /// Whether the text contains a secret, or is too long to tell.
    pub fn finds(&self, text: &str) -> bool {
        self.hides_everything
            || text.chars().nth(MAX_READ_CHARS).is_some()
            || !self.find(&single_line(text, MAX_READ_CHARS)).is_empty()
    }

    fn hide(&self, mut text: String) -> String {
        // What is left of a text, such as the beginning of a secret whose rest was hidden, must not read as a secret either.
        for _ in 0..MAX_ROUNDS {
            let found = self.find(&text);
            if found.is_empty() {
                return text;
            }
            let mut hidden = String::with_capacity(text.len());
            let mut end = 0;
            for (from, to) in found {
                hidden.push_str(&text[end..from]);
                hidden.push_str(HIDDEN);
                end = to;
            }
            hidden.push_str(&text[end..]);
            text = hidden.replace(&HIDDEN.repeat(2), HIDDEN);
        }
        String::new()
    }

    /// Where the text contains secrets, in order and without overlaps.
    fn find(&self, text: &str) -> Vec<(usize, usize)> {
        if self.patterns.is_empty() {
            return Vec::new();
        }
        let mut found = Vec::new();
        let begins = |part: &[u8]| {
            let part = normalized(part);
            self.patterns.iter().any(|pattern| pattern.text.starts_with(&part))
        };
        for view in views(text, begins) {
            let normalized = normalized(&view.bytes);
            for pattern in &self.patterns {
                pattern.find(&normalized, |from, to| found.push(view.original(from, to)));
            }
        }
        found.sort_unstable();
        let mut merged: Vec<(usize, usize)> = Vec::new();
        for (from, to) in found {
            let (from, to) = (text.floor_char_boundary(from), text.ceil_char_boundary(to));
            match merged.last_mut() {
                Some((_, end)) if from <= *end => *end = to.max(*end),
                _ => merged.push((from, to)),
            }
        }
        merged
    }
}

/// The length of the next part of a JSON text: a quote, or what is before the next one. A string is such a part, too.
fn json_part(text: &str) -> usize {
    if text.starts_with('"') {
        return 1;
    }
    let mut is_escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            '"' if !is_escaped => return at,
            '\\' => is_escaped = !is_escaped,
            _ => is_escaped = false,
        }
    }
    text.len()
}

impl Pattern {
    fn new(form: Vec<u8>, is_word: bool) -> Option<Self> {
        let form = Zeroizing::new(form);
        let text = normalized(&form);
        let is_searchable = text.len() >= MIN_SECRET_BYTES && !(is_word && text.iter().all(u8::is_ascii_alphabetic));
        let part_length = text.len().div_ceil(2).clamp(MIN_PART_BYTES, MAX_PART_BYTES);
        let mut parts: Vec<usize> = (0..(text.len() + 1).saturating_sub(part_length)).collect();
        parts.sort_unstable_by(|one, other| text[*one..*one + part_length].cmp(&text[*other..*other + part_length]));
        is_searchable.then_some(Self { text, is_word, part_length, parts })
    }

    fn has_part(&self, part: &[u8]) -> bool {
        self.parts.binary_search_by(|at| self.text[*at..*at + self.part_length].cmp(part)).is_ok()
    }

    /// Reports every place in a normalized text.
    fn find(&self, text: &[u8], mut report: impl FnMut(usize, usize)) {
        let whole = &self.text[..];
        if whole.len() < MIN_PART_BYTES {
            let is_part_of_word = |byte: Option<&u8>| self.is_word && byte.is_some_and(u8::is_ascii_alphanumeric);
            for (at, part) in text.windows(whole.len()).enumerate() {
                let after = at + whole.len();
                let before = at.checked_sub(1).and_then(|before| text.get(before));
                if part == whole && !is_part_of_word(before) && !is_part_of_word(text.get(after)) {
                    report(at, after);
                }
            }
            return;
        }
        for (at, part) in text.windows(self.part_length).enumerate() {
            if self.has_part(part) {
                report(at, at + self.part_length);
            }
        }
        let (beginning, end) = (&whole[..MIN_PART_BYTES], &whole[whole.len() - MIN_PART_BYTES..]);
        for (at, part) in text.windows(MIN_PART_BYTES).enumerate() {
            if part == beginning {
                let same = whole.iter().zip(&text[at..]).take_while(|(one, other)| one == other).count();
                if omits(&text[at + same..], <[u8]>::starts_with) {
                    report(at, at + same);
                }
            }
            if part == end {
                let after = at + MIN_PART_BYTES;
                let backwards = whole.iter().rev().zip(text[..after].iter().rev());
                let same = backwards.take_while(|(one, other)| one == other).count();
                if omits(&text[..after - same], <[u8]>::ends_with) {
                    report(after - same, after);
                }
            }
        }
    }
}

/// Whether a mark of omission is next to a part of a secret.
fn omits(rest: &[u8], is_next: impl Fn(&[u8], &[u8]) -> bool) -> bool {
    let rest = rest.trim_ascii();
    OMISSIONS.iter().any(|mark| is_next(rest, mark.as_bytes()))
}

/// In lower case, and with every kind of blank the same: a plus sign is one in a form.
fn normalized(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    let normalize = |byte: &u8| match byte {
        0..=b' ' | b'+' => b' ',
        byte => byte.to_ascii_lowercase(),
    };
    Zeroizing::new(bytes.iter().map(normalize).collect())
}

#[cfg(test)]
#[path = "filter_tests.rs"]
mod tests;
