//! JSONata, for calls.

use std::sync::Arc;

use relink_calls::{ExpressionError, Expressions};
use relink_jsonata::{Bindings, Engines, EvalError, Limits};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

/// Evaluates with the engines of `relink-jsonata`. Clones share them; the first use starts one.
#[derive(Clone, Default)]
pub(crate) struct Jsonata(Engines);

impl Expressions for Jsonata {
    async fn evaluate(&self, expression: &str, input: Value) -> Result<Option<Value>, ExpressionError> {
        let input = to_raw_value(&input).map_err(|error| not_json(&error))?;
        let result = self.0.eval(Arc::from(expression), Some(input), Bindings::default(), Limits::default()).await;
        let read = |result: Box<RawValue>| serde_json::from_str(result.get()).map_err(|error| not_json(&error));
        result.map_err(explain)?.map(read).transpose()
    }
}

fn explain(error: EvalError) -> ExpressionError {
    let EvalError { code, message, position, advice, .. } = error;
    let message = position.map_or_else(|| message.clone(), |position| format!("{message} (at {position})"));
    ExpressionError { code, message, advice }
}

fn not_json(error: &serde_json::Error) -> ExpressionError {
    ExpressionError { code: None, message: format!("A value can't be exchanged as JSON: {error}"), advice: None }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[tokio::test]
    async fn an_expression_has_a_result_none_or_an_error() {
        let jsonata = Jsonata::default();
        let evaluate = |expression: &'static str| {
            let jsonata = jsonata.clone();
            async move { jsonata.evaluate(expression, json!({ "data": [{ "id": 1 }, { "id": "b" }] })).await }
        };
        assert_eq!(evaluate("data.id").await, Ok(Some(json!([1, "b"]))));
        assert_eq!(evaluate("data[5].id").await, Ok(None));
        assert_eq!(evaluate("$lookup($, 'data')[0].x ? 1 : null").await, Ok(Some(Value::Null)));
        let failed = evaluate("data.").await.expect_err("no expression");
        assert!(failed.code.is_some() && failed.message.contains("at "), "{failed:?}");
    }
}
