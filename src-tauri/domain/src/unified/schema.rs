//! What the schema of a resource says of its records: for people who read it, and for those who write a mapping.

use serde_json::{Map, Value};

use super::required::requirements;

/// A field of a schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaField {
    pub name: String,
    /// How many objects and lists it is in.
    pub depth: usize,
    /// `string`, `list of objects`, `string (date-time)`.
    pub kind: String,
    /// Whether what it is in always has it.
    pub is_required: bool,
    pub description: Option<String>,
    /// The values that it may have, if they are listed.
    pub values: Vec<String>,
}

/// What a record has against its schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SchemaFault {
    /// `assignees[0].id`; empty for the record itself.
    pub path: String,
    pub problem: String,
}

/// What the platform adds to a record, which no schema has (contract section 8.2).
const REMOTE_DATA: &str = "remote_data";

/// The fields of a schema, each before those in it.
pub fn fields(schema: &Map<String, Value>) -> Vec<SchemaField> {
    let mut found = Vec::new();
    add_fields(schema, 0, &mut found);
    found
}

/// Reads both of Truto's forms, like [`requirements`].
fn properties(schema: &Map<String, Value>) -> Option<&Map<String, Value>> {
    if let Some(properties) = schema.get("properties") {
        return properties.as_object();
    }
    let is_flat = !schema.contains_key("type") && !schema.is_empty() && schema.values().all(Value::is_object);
    is_flat.then_some(schema)
}

fn add_fields(schema: &Map<String, Value>, depth: usize, found: &mut Vec<SchemaField>) {
    let required = requirements(schema).always;
    for (name, property) in properties(schema).into_iter().flatten() {
        let Some(property) = property.as_object() else { continue };
        found.push(SchemaField {
            name: name.clone(),
            depth,
            kind: kind(property),
            is_required: required.contains(name),
            description: property.get("description").and_then(Value::as_str).map(str::to_owned),
            values: property.get("enum").and_then(Value::as_array).into_iter().flatten().map(shown).collect(),
        });
        let below = property.get("items").and_then(Value::as_object).unwrap_or(property);
        add_fields(below, depth + 1, found);
    }
}

fn kind(property: &Map<String, Value>) -> String {
    let name = types(property).join(" or ");
    match (name.as_str(), property.get("items").and_then(Value::as_object), property.get("format")) {
        ("array", Some(items), _) => format!("list of {}s", kind(items)),
        ("array", None, _) => "list".to_owned(),
        ("", ..) if property.contains_key("properties") => "object".to_owned(),
        ("", ..) => "any".to_owned(),
        (name, _, Some(Value::String(format))) => format!("{name} ({format})"),
        (name, ..) => name.to_owned(),
    }
}

/// The types that a value may have. None: any.
fn types(schema: &Map<String, Value>) -> Vec<&str> {
    match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// What a record has against its schema: fields that are missing, unknown, or of another type or value.
pub fn faults(schema: &Map<String, Value>, record: &Value) -> Vec<SchemaFault> {
    let mut found = Vec::new();
    check(schema, record, "", &mut found);
    found
}

fn check(schema: &Map<String, Value>, value: &Value, path: &str, found: &mut Vec<SchemaFault>) {
    let mut add = |path: &str, problem: String| found.push(SchemaFault { path: path.to_owned(), problem });
    let types = types(schema);
    if !types.is_empty() && !types.iter().any(|name| is_of(value, name)) {
        add(path, format!("must be {}, but is {}", types.join(" or "), shown(value)));
        return;
    }
    let allowed = schema.get("enum").and_then(Value::as_array);
    if let Some(allowed) = allowed.filter(|allowed| !allowed.contains(value)) {
        let allowed: Vec<_> = allowed.iter().map(shown).collect();
        add(path, format!("must be one of {}, but is {}", allowed.join(", "), shown(value)));
    }
    match value {
        Value::Object(members) => {
            let Some(properties) = properties(schema) else { return };
            let at = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
            for name in requirements(schema).always.iter().filter(|name| !members.contains_key(*name)) {
                add(&at(name), "is missing".to_owned());
            }
            for (name, member) in members.iter().filter(|(name, _)| !path.is_empty() || *name != REMOTE_DATA) {
                match properties.get(name) {
                    Some(Value::Object(property)) => check(property, member, &at(name), found),
                    Some(_) => {}
                    None => found.push(SchemaFault { path: at(name), problem: "isn't in the schema".to_owned() }),
                }
            }
        }
        Value::Array(items) => {
            let Some(schema) = schema.get("items").and_then(Value::as_object) else { return };
            for (place, item) in items.iter().enumerate() {
                check(schema, item, &format!("{path}[{place}]"), found);
            }
        }
        _ => {}
    }
}

fn is_of(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "integer" => value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "object" => value.is_object(),
        "array" => value.is_array(),
        "null" => value.is_null(),
        _ => true,
    }
}

/// A value in a message: texts without quotation marks, and containers by their kind.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        plain => plain.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tickets() -> Map<String, Value> {
        let schema = json!({
            "type": "object",
            "properties": {
                "id": {"type": "string", "description": "The ID"},
                "status": {"type": "string", "enum": ["open", "closed"]},
                "points": {"type": ["integer", "null"]},
                "due": {"type": "string", "format": "date-time"},
                "tags": {"type": "array", "items": {"type": "string"}},
                "people": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]}},
                "anything": {},
            },
            "required": ["id"],
        });
        schema.as_object().expect("an object").clone()
    }

    #[test]
    fn the_fields_are_listed_each_before_those_in_it() {
        let found = fields(&tickets());
        let shown: Vec<_> =
            found.iter().map(|it| (it.name.as_str(), it.depth, it.kind.as_str(), it.is_required)).collect();
        let expected = [
            ("id", 0, "string", true),
            ("status", 0, "string", false),
            ("points", 0, "integer or null", false),
            ("due", 0, "string (date-time)", false),
            ("tags", 0, "list of strings", false),
            ("people", 0, "list of objects", false),
            ("id", 1, "string", true),
            ("anything", 0, "any", false),
        ];
        assert_eq!(shown, expected);
        assert_eq!(found[0].description.as_deref(), Some("The ID"));
        assert_eq!(found[1].values, ["open", "closed"]);
        let flat = json!({"id": {"type": "string", "required": true}, "n": {"type": "number"}});
        let found = fields(flat.as_object().expect("an object"));
        assert_eq!(found.iter().map(|it| it.is_required).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn a_record_is_compared_with_its_schema() {
        let against = |record: Value| {
            let found = faults(&tickets(), &record);
            found.into_iter().map(|fault| format!("{}: {}", fault.path, fault.problem)).collect::<Vec<_>>()
        };
        let good = json!({"id": "1", "status": "open", "points": 3.0, "tags": [], "people": [{"id": "a"}], "anything": [1], "remote_data": {"x": 1}});
        assert_eq!(against(good), Vec::<String>::new());
        let bad = json!({"status": "done", "points": 1.5, "due": null, "tags": ["a", 2], "people": [{}], "more": 1});
        assert_eq!(
            against(bad),
            [
                "id: is missing",
                "status: must be one of open, closed, but is done",
                "points: must be integer or null, but is 1.5",
                "due: must be string, but is null",
                "tags[1]: must be string, but is 2",
                "people[0].id: is missing",
                "more: isn't in the schema",
            ]
        );
        assert_eq!(against(json!("x")), [": must be object, but is x"]);
    }
}
