//! Parsing JSON more strictly than `serde_json` does, and finding a path's place in the text.

use std::{
    collections::HashMap,
    fmt::{self, Write as _},
};

use serde::de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value, error::Category, value::RawValue};

use super::error::{DefinitionError, Position};

const MAX_FILE_BYTES: usize = 1024 * 1024;
const MAX_DEPTH: usize = 64;

const TOO_DEEP: &str = "nested too deep";
const DUPLICATE: &str = "is there twice";

/// A step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// A key of an object.
    Key(String),
    /// An index of a list.
    Item(usize),
}

impl Step {
    /// The value that the step leads to.
    pub(crate) fn below<'v>(&self, value: &'v Value) -> Option<&'v Value> {
        match self {
            Self::Key(key) => value.get(key),
            Self::Item(at) => value.get(at),
        }
    }
}

/// `config.credentials.oauth2.config.scope[1]`
pub(super) fn path_text(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => {
                text.push('.');
                text.push_str(key);
            }
            Step::Item(at) => {
                // Writing to a `String` can't fail.
                let _ = write!(text, "[{at}]");
            }
        }
    }
    text
}

/// The place where the value at this path begins.
pub(super) fn locate(text: &str, path: &[Step]) -> Option<Position> {
    let mut here: &RawValue = serde_json::from_str(text).ok()?;
    for step in path {
        here = match step {
            Step::Key(key) => serde_json::from_str::<HashMap<String, &RawValue>>(here.get()).ok()?.remove(key)?,
            Step::Item(at) => serde_json::from_str::<Vec<&RawValue>>(here.get()).ok()?.get(*at).copied()?,
        };
    }
    // A `RawValue` borrows from the text, so the distance of the pointers is its offset.
    let offset = (here.get().as_ptr() as usize).checked_sub(text.as_ptr() as usize)?;
    Some(Position::of_byte(text, offset))
}

/// The place in a text where the value of this field begins, or the nearest value around it.
pub fn position_of(text: &str, field: &str) -> Option<Position> {
    let steps = |part: &str| {
        let (key, rest) = part.split_once('[').unwrap_or((part, ""));
        let items = rest.split(['[', ']']).filter_map(|at| at.parse().ok().map(Step::Item));
        Some(Step::Key(key.to_owned())).filter(|_| !key.is_empty()).into_iter().chain(items).collect::<Vec<_>>()
    };
    let path: Vec<Step> = field.split('.').flat_map(steps).collect();
    (0..=path.len()).rev().find_map(|depth| locate(text, &path[..depth]))
}

/// Parses a JSON object: any document in which no key is twice.
pub fn parse_object(text: &str) -> Result<Map<String, Value>, DefinitionError> {
    match document(without_byte_order_mark(text))? {
        Value::Object(object) => Ok(object),
        _ => Err(DefinitionError {
            is_lacking: false,
            position: Some(Position { line: 1, column: 1 }),
            path: String::new(),
            problem: "must be a JSON object in { }".to_owned(),
        }),
    }
}

/// Parses an override of a config. An empty text is an empty override.
pub fn parse_override(text: &str) -> Result<Map<String, Value>, DefinitionError> {
    let text = without_byte_order_mark(text);
    if text.trim().is_empty() {
        return Ok(Map::new());
    }
    match document(text)? {
        Value::Object(over) => Ok(over),
        _ => Err(DefinitionError {
            is_lacking: false,
            position: Some(Position { line: 1, column: 1 }),
            path: String::new(),
            problem: "an override must be a JSON object, such as {\"label\": \"Acme EU\"}".to_owned(),
        }),
    }
}

pub(super) fn without_byte_order_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}

/// Parses one JSON document of bounded size and depth, with no duplicate key and nothing after it.
pub(super) fn document(text: &str) -> Result<Value, DefinitionError> {
    let refuse = |problem: String| DefinitionError { position: None, path: String::new(), problem, is_lacking: false };
    if text.len() > MAX_FILE_BYTES {
        return Err(refuse("the file is larger than 1 MiB; a definition is far smaller".to_owned()));
    }
    if text.trim().is_empty() {
        return Err(refuse(
            "the file is empty; it must contain a JSON object with \"name\", \"category\" and \"config\"".to_owned(),
        ));
    }
    let mut parser = serde_json::Deserializer::from_str(text);
    let mut track = serde_path_to_error::Track::new();
    let read = Strict { depth: 0 }.deserialize(serde_path_to_error::Deserializer::new(&mut parser, &mut track));
    read.and_then(|value| parser.end().map(|()| value)).map_err(|error| {
        let path = match duplicate_key(&error) {
            Some(key) => match track.path().to_string().as_str() {
                "." => key,
                parent => format!("{parent}.{key}"),
            },
            // For any other error the line says more than the path.
            None => String::new(),
        };
        DefinitionError { position: position(&error), path, problem: explain(&error), is_lacking: false }
    })
}

fn position(error: &serde_json::Error) -> Option<Position> {
    (error.line() > 0).then(|| Position { line: error.line(), column: error.column().max(1) })
}

/// The duplicate key that the error is about.
fn duplicate_key(error: &serde_json::Error) -> Option<String> {
    let message = error.to_string();
    let (key, _) = message.split_once(DUPLICATE)?;
    Some(key.trim_end().to_owned())
}

fn explain(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.split(" at line ").next().unwrap_or_default();
    if message.contains(TOO_DEEP) || message.starts_with("recursion limit") {
        return format!("objects and lists are nested more than {MAX_DEPTH} levels deep; a definition needs far fewer");
    }
    if let Some(key) = duplicate_key(error) {
        return format!("{key:?} is there twice in the same object; remove one");
    }
    match error.classify() {
        Category::Eof => "the file ends too early; a closing bracket or quote is missing".to_owned(),
        _ if message.starts_with("trailing characters") => {
            "something follows the end of the document; remove it, or the bracket that ends the document too early"
                .to_owned()
        }
        _ if message.starts_with("trailing comma") => "there is a comma before a closing bracket; remove it".to_owned(),
        _ => format!("this is not JSON: {message}"),
    }
}

/// Builds a `Value`, but refuses duplicate keys and deep nesting.
#[derive(Clone, Copy)]
struct Strict {
    depth: usize,
}

impl Strict {
    fn deeper<E: de::Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH { Err(E::custom(TOO_DEEP)) } else { Ok(Self { depth: self.depth + 1 }) }
    }
}

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(inside)? {
            list.push(item);
        }
        Ok(list.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let inside = self.deeper()?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("{key} {DUPLICATE}")));
            }
            let value = entries.next_value_seed(inside)?;
            map.insert(key, value);
        }
        Ok(map.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_of_a_text_is_found_or_what_is_around_it() {
        let text = "{\n  \"headers\": {\"X-Key\": 1},\n  \"list\": [\n    1,\n    {\"a\": 2}\n  ]\n}";
        for (field, line, column) in [
            ("headers.X-Key", 2, 24),
            ("headers.gone", 2, 14),
            ("list[1].a", 5, 11),
            ("list[7]", 3, 11),
            ("nothing.here", 1, 1),
            ("", 1, 1),
        ] {
            assert_eq!(position_of(text, field), Some(Position { line, column }), "{field}");
        }
        assert_eq!(position_of("{", "a"), None);
    }

    #[test]
    fn an_override_is_an_object() {
        for text in ["", " \n", "{}"] {
            assert_eq!(parse_override(text), Ok(Map::new()));
        }
        for (text, line) in [("[]", 1), ("{\n\"a\": 1,\n\"a\": 2}", 3), ("{\n\"a\"", 2)] {
            let refused = parse_override(text).expect_err(text);
            assert_eq!(refused.position.map(|place| place.line), Some(line), "{refused}");
        }
    }
}
