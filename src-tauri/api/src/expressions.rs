//! JSONata, for calls.

use std::{sync::Arc, time::Duration};

use relink_calls::{ExpressionError, Expressions};
use relink_domain::integration::Position;
use relink_jsonata::{Bindings, Engines, EvalError, Limits};
use serde_json::{
    Value,
    value::{RawValue, to_raw_value},
};

/// Evaluates with the engines of `relink-jsonata`. Clones share them; the first use starts one.
#[derive(Clone, Default)]
pub(crate) struct Jsonata {
    engines: Engines,
    limits: Limits,
}

impl Jsonata {
    /// For what anybody may have evaluated: it has engines of its own, so that it takes none from calls, and small limits.
    pub(crate) fn of_unverified() -> Self {
        let time = Duration::from_millis(250);
        let limits = Limits { time, memory: 16 << 20, output: 64 << 10, ..Limits::default() };
        Self { engines: Engines::default(), limits }
    }

    /// For what a person is writing: it has engines of its own, so that a loop that doesn't end takes none from calls.
    pub(crate) fn of_editors() -> Self {
        Self { engines: Engines::default(), limits: Limits { output: 4 << 20, ..Limits::default() } }
    }

    /// Like [`Expressions::evaluate`], with values that the expression sees as `$name`.
    pub(crate) async fn evaluate_with(
        &self,
        expression: &str,
        input: &Value,
        bound: &[(&str, &Value)],
    ) -> Result<Option<Value>, ExpressionError> {
        let raw = |value: &Value| to_raw_value(value).map_err(|error| not_json(&error));
        let bindings = bound.iter().map(|(name, value)| Ok(((*name).to_owned(), raw(value)?)));
        let bindings = Bindings::new(bindings.collect::<Result<Vec<_>, ExpressionError>>()?);
        let result = self.engines.eval(Arc::from(expression), Some(raw(input)?), bindings, self.limits).await;
        read(result)
    }

    /// Evaluates over the input of a run, in which some texts are times. Everything stays text.
    pub(crate) async fn evaluate_text(
        &self,
        expression: &str,
        input: Box<RawValue>,
    ) -> Result<Option<Box<RawValue>>, ExpressionError> {
        let bindings = Bindings::default().with_dates(relink_sync::TIMES);
        self.engines.eval(Arc::from(expression), Some(input), bindings, self.limits).await.map_err(explain)
    }

    /// Checks an expression's syntax and the names in it, of which `bound` have a value.
    pub(crate) async fn check(&self, expression: &str, bound: &[&str]) -> Result<(), ExpressionError> {
        let names = bound.iter().map(|name| (*name).to_owned()).collect();
        self.engines.check(Arc::from(expression), names, self.limits).await.map_err(explain)
    }
}

impl Expressions for Jsonata {
    async fn evaluate(&self, expression: &str, input: Value) -> Result<Option<Value>, ExpressionError> {
        self.evaluate_with(expression, &input, &[]).await
    }

    /// In parts, which several engines take.
    async fn evaluate_each(&self, expression: &str, inputs: Vec<Value>) -> Vec<Result<Option<Value>, ExpressionError>> {
        let count = inputs.len();
        let records = inputs.iter().map(to_raw_value).collect::<Result<Vec<_>, _>>();
        match records {
            Ok(records) => {
                let results = self.engines.map(Arc::from(expression), records, Bindings::default(), self.limits).await;
                results.into_iter().map(read).collect()
            }
            Err(error) => vec![Err(not_json(&error)); count],
        }
    }
}

fn read(result: Result<Option<Box<RawValue>>, EvalError>) -> Result<Option<Value>, ExpressionError> {
    let read = |result: Box<RawValue>| serde_json::from_str(result.get()).map_err(|error| not_json(&error));
    result.map_err(explain)?.map(read).transpose()
}

fn explain(error: EvalError) -> ExpressionError {
    let EvalError { code, message, position, advice, .. } = error;
    let position = position.map(|it| Position { line: it.line, column: it.column });
    ExpressionError { code, message, position, advice }
}

fn not_json(error: &serde_json::Error) -> ExpressionError {
    let message = format!("A value can't be exchanged as JSON: {error}");
    ExpressionError { code: None, message, position: None, advice: None }
}

#[cfg(test)]
mod tests {
    use relink_domain::integration::{built_in, resources::Pagination};
    use serde_json::json;

    use super::*;

    /// Graph repeats the request's parameters in its links, and its documentation wants them back as they are.
    #[tokio::test]
    async fn microsofts_links_keep_their_parameters() {
        let list = built_in("microsoft").and_then(|it| it.resources().get("messages")).and_then(|it| it.get("list"));
        let pagination = list.and_then(|list| list.pagination.as_deref()).expect("pages");
        let Pagination::Dynamic(dynamic) = pagination else { panic!("{pagination:?}") };
        let [first, next] = [&dynamic.initial, &dynamic.values].map(|text| text.clone().expect("an expression"));
        let jsonata = Jsonata::default();
        for (limit, top) in [(20, 20), (5000, 1000)] {
            let values = jsonata.evaluate(&first, json!({"query": {"limit": limit}})).await;
            assert_eq!(values, Ok(Some(json!({"$top": top}))));
        }
        let link = "https://graph.microsoft.com/v1.0/me/messages?%24filter=isRead+eq+false&$orderby=from%2Fname%20desc&%24skip=10";
        let values = jsonata.evaluate(&next, json!({"body": {"@odata.nextLink": link}})).await;
        let expected = json!({"$filter": "isRead eq false", "$orderby": "from/name desc", "$skip": "10"});
        assert_eq!(values, Ok(Some(expected)));
        assert_eq!(jsonata.evaluate(&next, json!({"body": {"value": []}})).await, Ok(None));
    }

    #[tokio::test]
    async fn each_of_many_inputs_has_its_own_result_in_their_order() {
        let jsonata = Jsonata::default();
        let inputs: Vec<_> = (0..120).map(|n| if n == 77 { json!({"n": "x"}) } else { json!({ "n": n }) }).collect();
        let found = jsonata.evaluate_each("n > 100 ? undefined : n + 1", inputs).await;
        assert_eq!(found.len(), 120);
        for (n, result) in found.into_iter().enumerate() {
            match n {
                77 => assert!(result.is_err_and(|error| error.position.is_some())),
                0..=100 => assert_eq!(result, Ok(Some(json!(n + 1)))),
                _ => assert_eq!(result, Ok(None)),
            }
        }
    }

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
        assert!(
            failed.code.is_some() && failed.position.is_some() && failed.to_string().contains("(at line 1, column "),
            "{failed:?}"
        );
    }
}
