//! What calls need of JSONata, which definitions use for what a path can't say.

use relink_domain::integration::Position;
pub use relink_domain::truth::is_truthy;
use serde_json::Value;

/// Evaluates JSONata expressions. Clones share what they need for it.
pub trait Expressions: Clone + Send + Sync + 'static {
    /// The result over an input, within the evaluator's own limits. `None` is JSONata's undefined.
    fn evaluate(
        &self,
        expression: &str,
        input: Value,
    ) -> impl Future<Output = Result<Option<Value>, ExpressionError>> + Send;

    /// The results over each of many inputs, in their order.
    fn evaluate_each(
        &self,
        expression: &str,
        inputs: Vec<Value>,
    ) -> impl Future<Output = Vec<Result<Option<Value>, ExpressionError>>> + Send {
        async move {
            let mut results = Vec::with_capacity(inputs.len());
            for input in inputs {
                results.push(self.evaluate(expression, input).await);
            }
            results
        }
    }
}

/// Why an expression has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}{}", position.map(|it| format!(" (at {it})")).unwrap_or_default())]
pub struct ExpressionError {
    /// JSONata's code (`T2001`, `S0201`, …) or a word of ours.
    pub code: Option<String>,
    /// What happened, in one or two sentences.
    pub message: String,
    /// Where in the expression.
    pub position: Option<Position>,
    /// What to do about it.
    pub advice: Option<&'static str>,
}
