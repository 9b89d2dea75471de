//! Casts: what a placeholder makes of the value it found.

use std::borrow::Cow;

use serde_json::Value;

use super::{
    js::{self, ReadNumber, Style},
    scope::Found,
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cast {
    Str,
    Int,
    Num,
    Bool,
    Json,
    Null,
    /// `any`, or a flag in the place of a cast.
    AsItIs,
    Unknown(String),
}

/// The name of a cast that isn't one.
#[derive(Debug)]
pub(super) struct UnknownCast<'c>(pub(super) &'c str);

/// A value after a cast.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Filling<'a> {
    Null,
    Bool(bool),
    Number(ReadNumber),
    Text(Cow<'a, str>),
    /// An object, an array, or a number that no cast has read.
    Value(Cow<'a, Value>),
}

impl Cast {
    pub(super) fn parse(name: &str) -> Self {
        match name {
            "str" => Self::Str,
            "int" => Self::Int,
            "num" => Self::Num,
            "bool" => Self::Bool,
            "json" => Self::Json,
            "null" => Self::Null,
            "any" | "undefined" | "ignore-empty-str" => Self::AsItIs,
            unknown => Self::Unknown(unknown.to_owned()),
        }
    }

    /// Casts a value for a placeholder that is the whole text, or for one that is a part of it.
    pub(super) fn apply<'a>(&self, found: Found<'a>, is_whole: bool) -> Result<Filling<'a>, UnknownCast<'_>> {
        let value = match found {
            // Null is itself, whatever the cast, even an unknown one.
            Found::Value(Value::Null) | Found::Owned(Value::Null) => return Ok(Filling::Null),
            Found::Value(Value::Bool(flag)) => Filling::Bool(*flag),
            Found::Value(value) => Filling::Value(Cow::Borrowed(value)),
            Found::Owned(value) => Filling::Value(Cow::Owned(value)),
            Found::Text(text) | Found::Secret(text) if *self == Self::Str => Filling::Text(Cow::Borrowed(text)),
            Found::Text(text) | Found::Secret(text) => Filling::Text(Cow::Borrowed(js::trim(text))),
        };
        Ok(match self {
            Self::Str => Filling::Text(value.into_styled(Style::Lodash)),
            Self::Int => js::parse_int(&value.text()).map_or(value, Filling::Number),
            Self::Num => js::parse_float(&value.text()).map_or(value, Filling::Number),
            Self::Bool => match value.as_text() {
                Some("true") => Filling::Bool(true),
                Some("false") => Filling::Bool(false),
                _ => value,
            },
            Self::Json if is_whole => match &value {
                Filling::Text(text) => {
                    serde_json::from_str(text).map_or(value, |parsed| Filling::Value(Cow::Owned(parsed)))
                }
                _ => value,
            },
            Self::Null if value.as_text() == Some("null") => Filling::Null,
            // The library's own: in the middle of a text, whatever was found becomes the word.
            Self::Null if !is_whole => Filling::Text(Cow::Borrowed("null")),
            Self::Null | Self::Json | Self::AsItIs => value,
            Self::Unknown(name) => return Err(UnknownCast(name)),
        })
    }
}

impl<'a> Filling<'a> {
    fn as_text(&self) -> Option<&str> {
        if let Self::Text(text) = self { Some(text) } else { None }
    }

    pub(super) const fn is_null(&self) -> bool {
        matches!(self, Self::Null)
    }

    fn text(&self) -> Cow<'_, str> {
        match self {
            Self::Text(text) => Cow::Borrowed(text),
            other => Cow::Owned(other.to_text(Style::Plain)),
        }
    }

    /// As JavaScript puts it into a text.
    pub(super) fn into_text(self) -> Cow<'a, str> {
        self.into_styled(Style::Plain)
    }

    fn into_styled(self, style: Style) -> Cow<'a, str> {
        match self {
            Self::Text(text) => text,
            other => Cow::Owned(other.to_text(style)),
        }
    }

    fn to_text(&self, style: Style) -> String {
        let mut text = String::new();
        match self {
            Self::Null => text.push_str("null"),
            Self::Bool(flag) => text.push_str(if *flag { "true" } else { "false" }),
            Self::Number(ReadNumber::Finite(number)) => text.push_str(&js::number_text(number)),
            Self::Number(ReadNumber::Infinite { is_negative: true }) => text.push_str("-Infinity"),
            Self::Number(ReadNumber::Infinite { is_negative: false }) => text.push_str("Infinity"),
            Self::Text(own) => text.push_str(own),
            Self::Value(value) => js::push_text(&mut text, value, style),
        }
        text
    }

    pub(super) fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(flag) => Value::Bool(flag),
            Self::Number(number) => number.into_value(),
            Self::Text(text) => Value::String(text.into_owned()),
            Self::Value(value) => value.into_owned(),
        }
    }

    /// The same value without a borrow, to be kept with a compiled template.
    pub(super) fn into_owned(self) -> Filling<'static> {
        match self {
            Self::Null => Filling::Null,
            Self::Bool(flag) => Filling::Bool(flag),
            Self::Number(number) => Filling::Number(number),
            Self::Text(text) => Filling::Text(Cow::Owned(text.into_owned())),
            Self::Value(value) => Filling::Value(Cow::Owned(value.into_owned())),
        }
    }

    /// The same value, borrowed from this one.
    pub(super) fn borrowed(&self) -> Filling<'_> {
        match self {
            Self::Null => Filling::Null,
            Self::Bool(flag) => Filling::Bool(*flag),
            Self::Number(number) => Filling::Number(number.clone()),
            Self::Text(text) => Filling::Text(Cow::Borrowed(text)),
            Self::Value(value) => Filling::Value(Cow::Borrowed(value)),
        }
    }
}
