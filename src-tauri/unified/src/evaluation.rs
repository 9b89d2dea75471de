//! Evaluating the expressions of a mapping, with errors that say where.

use std::fmt;

use futures_util::future::BoxFuture;
use relink_calls::{ExpressionError, Expressions};
use relink_domain::{integration::Position, unified::Expression};
use serde_json::{Map, Value};

/// Why an expression of a mapping has no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MappingFailed {
    /// `crm/contacts list of hubspot`.
    pub mapping: String,
    /// `response_mapping.name`.
    pub key: String,
    /// The place of the record in the answer, from 0 on.
    pub record: Option<usize>,
    /// Where in the expression.
    pub position: Option<Position>,
    /// What happened, and what to do.
    pub problem: String,
}

impl fmt::Display for MappingFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { mapping, key, record, position, problem } = self;
        write!(f, "The mapping {mapping} failed at {key}")?;
        if let Some(record) = record {
            write!(f, ", for record {}", record + 1)?;
        }
        if let Some(position) = position {
            write!(f, ", {position}")?;
        }
        write!(f, ": {problem}")
    }
}

/// Evaluates for one mapping.
pub(crate) struct Evaluator<'a, X> {
    pub(crate) expressions: &'a X,
    /// As in [`MappingFailed`].
    pub(crate) mapping: &'a str,
}

impl<X: Expressions> Evaluator<'_, X> {
    pub(crate) fn fail(&self, key: &str, record: Option<usize>, problem: impl fmt::Display) -> MappingFailed {
        let (mapping, key) = (self.mapping.to_owned(), key.to_owned());
        MappingFailed { mapping, key, record, position: None, problem: problem.to_string() }
    }

    fn explain(&self, key: &str, record: Option<usize>, error: ExpressionError) -> MappingFailed {
        let ExpressionError { message, position, advice, .. } = error;
        let advice = advice.map(|advice| format!(" {advice}")).unwrap_or_default();
        MappingFailed { position, ..self.fail(key, record, format_args!("{message}{advice}")) }
    }

    /// The value of a JSONata text. `None`: it gives nothing.
    pub(crate) async fn text(&self, key: &str, text: &str, scope: Value) -> Result<Option<Value>, MappingFailed> {
        let found = self.expressions.evaluate(text, scope).await;
        found.map_err(|error| self.explain(key, None, error))
    }

    /// The value of an expression, field by field if it is an object.
    pub(crate) async fn value(
        &self,
        key: &str,
        expression: &Expression,
        scope: Value,
    ) -> Result<Option<Value>, MappingFailed> {
        match expression {
            Expression::Text(text) => self.text(key, text, scope).await,
            parts => self.parts(key.to_owned(), parts, scope).await,
        }
    }

    fn parts<'s>(
        &'s self,
        key: String,
        expression: &'s Expression,
        scope: Value,
    ) -> BoxFuture<'s, Result<Option<Value>, MappingFailed>> {
        Box::pin(async move {
            Ok(match expression {
                Expression::Text(text) => self.text(&key, text, scope).await?,
                Expression::Constant(value) => Some(value.clone()),
                Expression::Object(members) => {
                    let mut object = Map::new();
                    for (name, member) in members {
                        let found = self.parts(format!("{key}.{name}"), member, scope.clone()).await?;
                        object.extend(found.map(|found| (name.clone(), found)));
                    }
                    Some(object.into())
                }
                Expression::List(items) => {
                    let mut list = Vec::new();
                    for (at, item) in items.iter().enumerate() {
                        list.extend(self.parts(format!("{key}[{at}]"), item, scope.clone()).await?);
                    }
                    Some(list.into())
                }
            })
        })
    }

    /// Gives each of many inputs its value. An error names the first record that failed.
    pub(crate) async fn each(
        &self,
        key: &str,
        expression: &Expression,
        scopes: Vec<Value>,
    ) -> Result<Vec<Option<Value>>, MappingFailed> {
        if let Expression::Text(text) = expression {
            let outcomes = self.expressions.evaluate_each(text, scopes).await;
            let explain =
                |(at, outcome): (usize, Result<_, _>)| outcome.map_err(|error| self.explain(key, Some(at), error));
            return outcomes.into_iter().enumerate().map(explain).collect();
        }
        let mut found = Vec::with_capacity(scopes.len());
        for (number, scope) in scopes.into_iter().enumerate() {
            let at = |error| MappingFailed { record: Some(number), ..error };
            found.push(self.value(key, expression, scope).await.map_err(at)?);
        }
        Ok(found)
    }

    /// An object that an expression must give. Nothing and null are an empty one.
    pub(crate) async fn object(
        &self,
        key: &str,
        expression: &Expression,
        scope: Value,
    ) -> Result<Map<String, Value>, MappingFailed> {
        match self.value(key, expression, scope).await? {
            Some(Value::Object(object)) => Ok(object),
            None | Some(Value::Null) => Ok(Map::new()),
            Some(other) => {
                Err(self.fail(key, None, format_args!("it must give an object, but gave {}.", kind_of(&other))))
            }
        }
    }
}

/// The kind of a value, for a message.
pub(crate) const fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
