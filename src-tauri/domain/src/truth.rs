//! What JSONata takes for true.

use serde_json::Value;

/// Whether JSONata takes a value for true (`$boolean`).
pub fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(flag) => *flag,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => items.iter().any(is_truthy),
        Value::Object(members) => !members.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_truthy;

    #[test]
    fn what_jsonata_takes_for_true() {
        for value in
            [json!(true), json!(-1), json!("x"), json!("false"), json!([0, 1]), json!([[1]]), json!({"a": null})]
        {
            assert!(is_truthy(&value), "{value}");
        }
        for value in [json!(null), json!(false), json!(0), json!(0.0), json!(""), json!([]), json!([0, ""]), json!({})]
        {
            assert!(!is_truthy(&value), "{value}");
        }
    }
}
