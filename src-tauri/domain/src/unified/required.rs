//! What a schema requires, for the insight that an error carries (contract section 0.4).

use serde_json::{Map, Value};

/// What must be there, and what must be there under a condition.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Requirements {
    pub always: Vec<String>,
    /// Names with their rules, as they are written.
    pub conditional: Map<String, Value>,
}

impl Requirements {
    /// The names that are missing: absent, null or an empty text.
    pub fn missing_in(&self, given: Option<&Map<String, Value>>) -> Vec<&str> {
        let is_given = |name: &str| match given.and_then(|given| given.get(name)) {
            None | Some(Value::Null) => false,
            Some(Value::String(text)) => !text.is_empty(),
            Some(_) => true,
        };
        self.always.iter().map(String::as_str).filter(|name| !is_given(name)).collect()
    }
}

/// Reads a schema in both of Truto's forms: JSON Schema's `{"type": "object", "properties", "required": []}`, and a flat
/// `{name: {"type", "required": true}}`. A rule is the property's `required_if`.
pub fn requirements(schema: &Map<String, Value>) -> Requirements {
    let properties = schema.get("properties").and_then(Value::as_object);
    let listed = schema.get("required").and_then(Value::as_array);
    let always = match properties {
        Some(_) => listed.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect(),
        None if listed.is_some() => Vec::new(),
        None => {
            let is_required = |property: &Value| property.get("required").and_then(Value::as_bool).unwrap_or(false);
            schema.iter().filter(|(_, property)| is_required(property)).map(|(name, _)| name.clone()).collect()
        }
    };
    let rule = |(name, property): (&String, &Value)| Some((name.clone(), property.get("required_if")?.clone()));
    Requirements { always, conditional: properties.unwrap_or(schema).iter().filter_map(rule).collect() }
}
