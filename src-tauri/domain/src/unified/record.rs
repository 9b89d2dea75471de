//! What the parameters of a call make of its records (contract section 8.2).

use serde_json::{Map, Value};

/// The name of a field, in which dots lead into objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field(Vec<String>);

impl Field {
    /// The fields of a list with commas.
    pub fn list(text: &str) -> Vec<Self> {
        let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
        names.map(|name| Self(name.split('.').map(str::to_owned).collect())).collect()
    }
}

/// Drops fields of a record. A list on the way is gone through.
pub fn exclude(record: &mut Value, fields: &[Field]) {
    for Field(path) in fields {
        drop_at(record, path);
    }
}

fn drop_at(value: &mut Value, path: &[String]) {
    let Some((name, below)) = path.split_first() else { return };
    match value {
        Value::Object(members) if below.is_empty() => drop(members.shift_remove(name)),
        Value::Object(members) => {
            if let Some(member) = members.get_mut(name) {
                drop_at(member, below);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| drop_at(item, path)),
        _ => {}
    }
}

/// The records by a field, as an object. Of two with the same value the later one counts; a record without one is left out.
pub fn key_by(records: Vec<Value>, field: &str) -> Map<String, Value> {
    let key = |record: &Value| match record.get(field)? {
        Value::Null | Value::Array(_) | Value::Object(_) => None,
        Value::String(text) => Some(text.clone()),
        plain => Some(plain.to_string()),
    };
    records.into_iter().filter_map(|record| Some((key(&record)?, record))).collect()
}

/// Adds to each record the provider's own, by position; to none if there are not as many. A mapping never writes it.
pub fn with_remote_data(records: &mut [Value], remote: &[Value]) {
    if records.len() != remote.len() {
        return;
    }
    for (record, remote) in records.iter_mut().zip(remote) {
        if let Value::Object(members) = record {
            members.insert("remote_data".to_owned(), remote.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_dropped_at_any_depth() {
        let mut record = json!({"a": 1, "b": {"c": 1, "d": 2}, "e": [{"f": 1, "g": 2}, 3], "h": 4});
        exclude(&mut record, &Field::list("a, b.c,e.f,x.y,h.z,"));
        assert_eq!(record, json!({"b": {"d": 2}, "e": [{"g": 2}, 3], "h": 4}));
    }

    #[test]
    fn records_are_found_by_a_field() {
        let records = vec![
            json!({"id": 1}),
            json!({"id": "b"}),
            json!({"id": null}),
            json!({}),
            json!({"id": 1, "x": 2}),
            json!(7),
        ];
        assert_eq!(Value::Object(key_by(records, "id")), json!({"1": {"id": 1, "x": 2}, "b": {"id": "b"}}));
    }

    #[test]
    fn remote_data_is_added_by_position_or_not_at_all() {
        let mut records = vec![json!({"id": "1"}), json!("no object")];
        with_remote_data(&mut records, &[json!({"Id": 1})]);
        assert_eq!(records[0], json!({"id": "1"}));
        with_remote_data(&mut records, &[json!({"Id": 1}), json!(2)]);
        assert_eq!(records, [json!({"id": "1", "remote_data": {"Id": 1}}), json!("no object")]);
    }
}
