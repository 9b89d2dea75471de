//! A record's top-level fields as text, without making values of what is in them.

use std::{borrow::Cow, fmt};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::problem::Problem;

/// The column of a record that isn't an object.
pub(crate) const VALUE: &str = "value";

/// A field's name and its JSON text.
pub(crate) type Field<'a> = (Cow<'a, str>, &'a str);

/// Reads the fields of a record in their order. A record that isn't an object has one, named `value`.
pub(crate) fn split<'a>(record: &'a str, fields: &mut Vec<Field<'a>>) -> Result<(), Problem> {
    fields.clear();
    let record = record.trim_matches([' ', '\t']);
    if !record.starts_with('{') {
        fields.push((Cow::Borrowed(VALUE), record));
        return Ok(());
    }
    let mut json = serde_json::Deserializer::from_str(record);
    json.deserialize_map(Fields(fields)).map_err(|error| {
        let start: String = record.chars().take(80).collect();
        Problem::invalid(
            "record_not_usable",
            format!("The record {start}… can't be read: {error}. Change it with a transform before this destination."),
        )
    })
}

struct Fields<'r, 'a>(&'r mut Vec<Field<'a>>);

impl<'a> Visitor<'a> for Fields<'_, 'a> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(Text(name)) = map.next_key()? {
            let json: &RawValue = map.next_value()?;
            self.0.push((name, json.get()));
        }
        Ok(())
    }
}

/// A string, borrowed if it has no escapes.
struct Text<'a>(Cow<'a, str>);

impl<'a> Deserialize<'a> for Text<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;

        impl<'a> Visitor<'a> for TextVisitor {
            type Value = Text<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: serde::de::Error>(self, text: &'a str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        deserializer.deserialize_str(TextVisitor).map_err(D::Error::custom)
    }
}

/// What a field's value is in a table.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Boolean(bool),
    Integer(i64),
    Real(f64),
    /// A string, the JSON text of an array or an object, or a number that neither 64-bit type holds.
    Text(Cow<'a, str>),
}

impl<'a> Cell<'a> {
    pub fn read(json: &'a str) -> Self {
        match json.as_bytes().first() {
            None | Some(b'n') => Self::Null,
            Some(b't') => Self::Boolean(true),
            Some(b'f') => Self::Boolean(false),
            Some(b'"') => Self::Text(text(json)),
            Some(b'{' | b'[') => Self::Text(Cow::Borrowed(json)),
            _ if json.contains(['.', 'e', 'E']) => match json.parse::<f64>() {
                Ok(number) if number.is_finite() => Self::Real(number),
                _ => Self::Text(Cow::Borrowed(json)),
            },
            _ => json.parse().map_or(Self::Text(Cow::Borrowed(json)), Self::Integer),
        }
    }
}

/// Whether a double holds exactly this integer, and its neighbors too.
pub(crate) const fn is_exact(integer: i64) -> bool {
    integer.unsigned_abs() <= MAX_EXACT
}

/// 2⁵³.
pub(crate) const MAX_EXACT: u64 = 1 << 53;

/// A string of JSON.
pub(crate) fn text(json: &str) -> Cow<'_, str> {
    let inner = json.get(1..json.len().saturating_sub(1)).unwrap_or_default();
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let decoded = serde_json::from_str::<Text<'_>>(json).or_else(|_| {
        // Half of a surrogate pair (RFC 8259 §8.2), which JavaScript's strings may have: it is no character.
        serde_json::from_str::<Text<'_>>(&without_lone_surrogates(json)).map(|text| Text(text.0.into_owned().into()))
    });
    decoded.map_or(Cow::Borrowed(inner), |text| text.0)
}

fn without_lone_surrogates(json: &str) -> String {
    let unit = |rest: &str| {
        let digits = rest.strip_prefix("\\u")?.get(..4)?;
        u16::from_str_radix(digits, 16).ok()
    };
    let (mut out, mut rest) = (String::with_capacity(json.len()), json);
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let taken = match unit(rest) {
            Some(0xD800..0xDC00) if matches!(rest.get(6..).and_then(unit), Some(0xDC00..0xE000)) => &rest[..12],
            Some(0xD800..0xE000) => {
                out.push('\u{fffd}');
                rest = &rest[6..];
                continue;
            }
            _ => &rest[..2],
        };
        out.push_str(taken);
        rest = &rest[taken.len()..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_split_into_its_fields() {
        let record = r#"{ "id" : 7, "a\u0062": [1, {"x": 2}] ,"s": "t\n", "n": null}"#;
        let mut fields = Vec::new();
        split(record, &mut fields).expect("reads");
        let read: Vec<_> = fields.iter().map(|(name, json)| (&**name, *json)).collect();
        assert_eq!(read, [("id", "7"), ("ab", "[1, {\"x\": 2}]"), ("s", "\"t\\n\""), ("n", "null")]);
        split("[1]", &mut fields).expect("reads");
        assert_eq!(fields, [(Cow::Borrowed(VALUE), "[1]")]);
    }

    #[test]
    fn a_value_becomes_a_cell_that_loses_nothing() {
        for (json, cell) in [
            ("null", Cell::Null),
            ("true", Cell::Boolean(true)),
            ("-12", Cell::Integer(-12)),
            ("9223372036854775808", Cell::Text("9223372036854775808".into())),
            ("1.50", Cell::Real(1.5)),
            ("1e400", Cell::Text("1e400".into())),
            ("{\"a\":1}", Cell::Text("{\"a\":1}".into())),
            ("\"a\\\"\\u00e4\"", Cell::Text("a\"ä".into())),
            ("\"\\ud83d\\ude00 \\ud83d \\\\ud83d\"", Cell::Text("😀 \u{fffd} \\ud83d".into())),
        ] {
            assert_eq!(Cell::read(json), cell, "{json}");
        }
    }
}
