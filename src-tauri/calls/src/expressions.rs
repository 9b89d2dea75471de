//! What calls need of JSONata, which definitions use for what a path can't say.

use serde_json::Value;

/// Evaluates JSONata expressions. Clones share what they need for it.
pub trait Expressions: Clone + Send + Sync + 'static {
    /// The result over an input, within the evaluator's own limits. `None` is JSONata's undefined.
    fn evaluate(
        &self,
        expression: &str,
        input: Value,
    ) -> impl Future<Output = Result<Option<Value>, ExpressionError>> + Send;
}

/// Why an expression has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExpressionError {
    /// JSONata's code (`T2001`, `S0201`, …) or a word of ours.
    pub code: Option<String>,
    /// What happened, in one or two sentences.
    pub message: String,
    /// What to do about it.
    pub advice: Option<&'static str>,
}

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
