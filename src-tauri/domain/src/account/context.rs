//! What is written into an account's context (contract section 3).

use serde_json::{Map, Value};

/// Virtual: read from the override of the installed integration, and only shown with the context.
pub const ENVIRONMENT_VARIABLES: &str = "environment_variables";

/// Marks a value as an object to store: `{"truto_obj_store": true, "data": …}`.
const STORED_OBJECT: &str = "truto_obj_store";

/// Values for a context, as they are stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ContextValues {
    pub values: Map<String, Value>,
    /// The keys of those that were given as objects to store.
    pub stored_objects: Vec<String>,
}

impl ContextValues {
    pub fn of(written: Map<String, Value>) -> Self {
        let mut all = Self::default();
        for (key, value) in written {
            let value = match value {
                _ if key == ENVIRONMENT_VARIABLES => continue,
                Value::Object(mut object) if object.get(STORED_OBJECT) == Some(&Value::Bool(true)) => {
                    all.stored_objects.push(key.clone());
                    object.shift_remove("data").unwrap_or_default()
                }
                value => value,
            };
            all.values.insert(key, value);
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_to_store_is_its_data_and_the_environments_variables_are_left_out() {
        let written = json!({
            "file": { "truto_obj_store": true, "data": [1, 2] }, "empty": { "truto_obj_store": true },
            "no": { "truto_obj_store": false, "data": 1 }, "environment_variables": { "region": "us" }, "region": "eu",
        });
        let ContextValues { values, stored_objects } =
            ContextValues::of(written.as_object().expect("an object").clone());
        let expected = json!({
            "file": [1, 2], "empty": null, "no": { "truto_obj_store": false, "data": 1 }, "region": "eu",
        });
        assert_eq!((Value::Object(values), stored_objects), (expected, vec!["file".to_owned(), "empty".to_owned()]));
    }
}
