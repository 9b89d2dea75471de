//! The query of a unified call with types, as mappings see it (contract section 8.2).

use serde_json::{Map, Value};

/// Integers beyond this are ids, and would lose digits in JSONata (IEEE 754).
const MAX_SAFE: u64 = 1 << 53;

/// Gives texts their types: what the schema says, and without one `true`, `false` and numbers that are written as JSON writes them. Objects
/// of operators and lists are typed inside.
pub fn typed(query: Map<String, Value>, schema: Option<&Map<String, Value>>) -> Map<String, Value> {
    let properties = schema.map(|schema| schema.get("properties").and_then(Value::as_object).unwrap_or(schema));
    let kind = |name: &str| properties.and_then(|it| it.get(name)?.get("type")?.as_str());
    query
        .into_iter()
        .map(|(name, value)| {
            let value = of(value, kind(&name));
            (name, value)
        })
        .collect()
}

fn of(value: Value, kind: Option<&str>) -> Value {
    match value {
        Value::String(text) => match kind {
            Some("string") => Value::String(text),
            Some("array") => text.split(',').map(|item| scalar(item.to_owned())).collect(),
            Some(_) | None => scalar(text),
        },
        Value::Array(items) => items.into_iter().map(|item| of(item, kind.filter(|kind| *kind == "string"))).collect(),
        Value::Object(members) => members
            .into_iter()
            .map(|(name, member)| {
                let member = of(member, kind.filter(|kind| *kind == "string"));
                (name, member)
            })
            .collect(),
        other => other,
    }
}

fn scalar(text: String) -> Value {
    match text.as_str() {
        "true" => return true.into(),
        "false" => return false.into(),
        _ => {}
    }
    match serde_json::from_str::<serde_json::Number>(&text) {
        Ok(number) if number.to_string() == text && is_exact(&number) => Value::Number(number),
        _ => Value::String(text),
    }
}

fn is_exact(number: &serde_json::Number) -> bool {
    match (number.as_u64(), number.as_i64()) {
        (Some(positive), _) => positive <= MAX_SAFE,
        (None, Some(negative)) => negative.unsigned_abs() <= MAX_SAFE,
        (None, None) => true,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(query: &Value, schema: Option<&Value>) -> Value {
        let object = |value: &Value| value.as_object().expect("an object").clone();
        Value::Object(typed(object(query), schema.map(object).as_ref()))
    }

    #[test]
    fn a_text_gets_the_type_that_it_is_written_in() {
        let sent = json!({
            "limit": "10", "share": "0.5", "open": "true", "name": "Ada", "zip": "007", "big": "12345678901234567890", "exp": "1e3",
            "empty": "", "created_at": {"gt": "2024-01-01", "n": "5"}, "ids": ["1", "b"], "minus": "-3",
        });
        let expected = json!({
            "limit": 10, "share": 0.5, "open": true, "name": "Ada", "zip": "007", "big": "12345678901234567890", "exp": "1e3",
            "empty": "", "created_at": {"gt": "2024-01-01", "n": 5}, "ids": [1, "b"], "minus": -3,
        });
        assert_eq!(read(&sent, None), expected);
    }

    #[test]
    fn a_schema_says_what_is_a_text_and_what_is_a_list() {
        let schema = json!({"type": "object", "properties": {"id": {"type": "string"}, "tags": {"type": "array"}, "n": {"type": "integer"}}});
        let sent = json!({"id": "12", "tags": "a,2", "n": "3", "other": "4"});
        assert_eq!(read(&sent, Some(&schema)), json!({"id": "12", "tags": ["a", 2], "n": 3, "other": 4}));
        assert_eq!(read(&sent, Some(&json!({"id": {"type": "string"}})))["id"], json!("12"));
    }
}
