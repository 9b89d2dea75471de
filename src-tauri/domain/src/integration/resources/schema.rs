//! What a method takes and gives, as JSON schemas (contract sections 4.1 and 4.6).

use serde_json::{Map, Value};

use crate::{
    integration::{error::DefinitionError, node::Node},
    yaml,
};

/// A JSON schema of a definition: an object, or a text with YAML or JSON in it, which is read once with the definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Schema {
    Object(Map<String, Value>),
    /// A text that can't be read, in a definition that was stored before texts were read, and why. The method works without it.
    Unreadable(String),
}

impl Schema {
    /// The schema, if it could be read.
    pub const fn object(&self) -> Option<&Map<String, Value>> {
        match self {
            Self::Object(schema) => Some(schema),
            Self::Unreadable(_) => None,
        }
    }

    pub(crate) fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        let read = match node.json() {
            Value::Object(schema) => Ok(schema.clone()),
            Value::String(text) => read(text),
            _ => Err("must be a JSON schema: an object, or a string with YAML or JSON in it".to_owned()),
        };
        match read {
            Ok(schema) => Ok(Self::Object(schema)),
            Err(problem) if node.is_written() => Err(node.fail(problem)),
            Err(problem) => Ok(Self::Unreadable(problem)),
        }
    }
}

/// Reads a schema that is written as YAML or JSON.
fn read(text: &str) -> Result<Map<String, Value>, String> {
    match yaml::read(text) {
        Ok(Value::Object(schema)) => Ok(schema),
        Ok(_) => Err("is no JSON schema; its YAML must be an object, such as \"type: object\"".to_owned()),
        Err(error) => Err(format!("has YAML that can't be read: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn yaml_and_json_are_the_same_schema() {
        let expected = json!({
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "description": "The issue's number"}, "on": {"enum": ["yes", "no", 1]}},
        });
        for text in [
            "type: object\nrequired: [id]\nproperties:\n  id: {type: string, description: 'The issue''s number'}\n  on: {enum: [yes, no, 1]}\n",
            "type: object\nrequired:\n  - id\nproperties:\n  id:\n    type: string\n    description: >-\n      The issue's\n      number\n  \"on\":\n    enum:\n    - yes\n    - no\n    - 1\n",
            &expected.to_string(),
            "{\n\t\"type\": \"object\",\n\t\"required\": [\"id\"],\n\t\"properties\": {\"id\": {\"type\": \"string\", \"description\": \"The issue\\u0027s number\"}, \"on\": {\"enum\": [\"yes\", \"no\", 1]}}\n}",
        ] {
            assert_eq!(read(text).map(Value::Object), Ok(expected.clone()), "{text}");
        }
        assert_eq!(read("a: &a {x: 1}\nb: *a\n").map(Value::Object), Ok(json!({"a": {"x": 1}, "b": {"x": 1}})));
    }

    #[test]
    fn what_cant_be_read_is_explained_with_its_place() {
        let bomb = (0..9).fold("a: &0 [x]\n".to_owned(), |text, n| {
            let aliases = vec![format!("*{n}"); 9].join(",");
            text + &format!("b{n}: &{} [{aliases}]\n", n + 1)
        });
        for (text, problem) in [
            ("", "is no JSON schema; its YAML must be an object"),
            ("- type: object", "is no JSON schema; its YAML must be an object"),
            (
                "type: object\nproperties: {id: {type: string}",
                "has YAML that can't be read: unclosed bracket '{', in line 2, column 13 of the text",
            ),
            ("type: object\ntype: array\n", "duplicate mapping key: type, in line 2, column 1 of the text"),
            (
                "description: One: two",
                "mapping values are not allowed in this context, in line 1, column 17 of the text",
            ),
            (&"[".repeat(100_000), "has YAML that can't be read: recursion limit exceeded"),
            (&bomb, "has YAML that can't be read: budget breached"),
        ] {
            let error = read(text).expect_err("unreadable");
            assert!(error.contains(problem), "{error}");
        }
    }
}
