//! `delete_tracking` of a request (contract section 9.2): rows whose records are gone at the provider.
//!
//! Truto documents it for destinations that keep rows: `soft` marks such rows, `hard` removes them, and `delete_tracking_query` says which
//! rows the list can have, so that the others stay as they are. In Relink SQLite files with a key are such destinations. The language of
//! the query isn't documented; Relink takes that of the unified API: values, and operators as objects (**ours**).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{graph::Node, node::NodeKind};
use crate::template::Template;

/// The most conditions of a `delete_tracking_query`.
const MAX_CONDITIONS: usize = 50;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteTracking {
    pub mode: DeleteMode,
    /// What a row must meet to take part. Empty: all rows of the request and the account do.
    pub conditions: Vec<Condition<Template>>,
}

/// What becomes of a row whose record is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeleteMode {
    /// It stays, and has the time in `relink_deleted_at`.
    Soft,
    /// It is removed.
    Hard,
}

/// A field of a row compared with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Condition<V> {
    /// The field, and where in its value: `ticket`, `id`.
    pub field: Vec<String>,
    pub operator: Operator,
    /// For [`Operator::In`] a list.
    pub value: V,
}

/// The operators of queries (contract section 0.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operator {
    Eq,
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    In,
}

const OPERATORS: &[(&str, Operator)] = &[
    ("eq", Operator::Eq),
    ("ne", Operator::Ne),
    ("gt", Operator::Gt),
    ("gte", Operator::Gte),
    ("lt", Operator::Lt),
    ("lte", Operator::Lte),
    ("in", Operator::In),
];

/// What is wrong: the key, and a sentence that goes on after it.
pub(super) type Problem = (String, String);

impl DeleteTracking {
    pub(super) fn read(mode: &Value, query: Option<&Value>) -> Result<Self, Problem> {
        let mode = match mode.as_str() {
            Some("soft") => DeleteMode::Soft,
            Some("hard") => DeleteMode::Hard,
            _ => return Err(("delete_tracking".to_owned(), "must be \"soft\" or \"hard\".".to_owned())),
        };
        let mut conditions = Vec::new();
        match query {
            None => {}
            Some(Value::Object(query)) => read_fields(query, &mut Vec::new(), &mut conditions)?,
            Some(_) => {
                let problem = "must be an object, such as {\"status\": \"open\"}.".to_owned();
                return Err((QUERY.to_owned(), problem));
            }
        }
        if conditions.len() > MAX_CONDITIONS {
            return Err((QUERY.to_owned(), format!("may have at most {MAX_CONDITIONS} conditions.")));
        }
        Ok(Self { mode, conditions })
    }
}

const QUERY: &str = "delete_tracking_query";

fn read_fields(
    fields: &Map<String, Value>,
    path: &mut Vec<String>,
    conditions: &mut Vec<Condition<Template>>,
) -> Result<(), Problem> {
    for (name, value) in fields {
        path.push(name.clone());
        match value {
            Value::Object(inner) if inner.keys().any(|key| operator(key).is_some()) => {
                for (key, value) in inner {
                    let Some(operator) = operator(key) else {
                        let known: Vec<&str> = OPERATORS.iter().map(|(word, _)| *word).collect();
                        let problem = format!("isn't an operator. Use {}.", known.join(", "));
                        return Err((format!("{}.{key}", shown(path)), problem));
                    };
                    conditions.push(condition(path, operator, value)?);
                }
            }
            Value::Object(inner) if !inner.is_empty() => read_fields(inner, path, conditions)?,
            Value::Array(_) => conditions.push(condition(path, Operator::In, value)?),
            value => conditions.push(condition(path, Operator::Eq, value)?),
        }
        path.pop();
    }
    Ok(())
}

fn condition(path: &[String], operator: Operator, value: &Value) -> Result<Condition<Template>, Problem> {
    let fail = |problem: &str| Err((shown(path), problem.to_owned()));
    match (operator, value) {
        (Operator::In, Value::Array(items)) if !items.is_empty() && items.iter().all(is_comparable) => {}
        // A template that becomes a list.
        (Operator::In, Value::String(text)) if text.contains("{{") => {}
        (Operator::In, _) => return fail("must be a list of strings, numbers or booleans."),
        (_, value) if is_comparable(value) => {}
        _ => return fail("must be a string, a number or a boolean, or an object with an operator."),
    }
    Ok(Condition { field: path.to_vec(), operator, value: Template::compile(value) })
}

fn operator(key: &str) -> Option<Operator> {
    OPERATORS.iter().find(|(word, _)| *word == key).map(|(_, operator)| *operator)
}

fn shown(path: &[String]) -> String {
    format!("{QUERY}.{}", path.join("."))
}

fn is_comparable(value: &Value) -> bool {
    match value {
        Value::String(text) => !text.is_empty(),
        Value::Number(_) | Value::Bool(_) => true,
        Value::Null | Value::Array(_) | Value::Object(_) => false,
    }
}

impl Condition<Template> {
    /// The condition with the value that its template has become. None: it has none, and must not be left out, because more rows would take
    /// part then.
    pub fn filled(&self, value: Option<Value>) -> Option<Condition<Value>> {
        // A placeholder for which nothing is found stays as written.
        let is_found = |value: &Value| is_comparable(value) && !value.as_str().is_some_and(|text| text.contains("{{"));
        let value = value.filter(|value| match (self.operator, value) {
            (Operator::In, Value::Array(items)) => items.iter().all(is_found),
            (Operator::In, _) => false,
            (_, value) => is_found(value),
        })?;
        Some(Condition { field: self.field.clone(), operator: self.operator, value })
    }

    /// As it is written, for errors.
    pub fn shown(&self) -> String {
        shown(&self.field)
    }
}

/// A destination that keeps the rows of a request with `delete_tracking`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    pub request: usize,
    /// The node that the destination names: the request, or one below it.
    pub source: usize,
    /// The node whose records they are there.
    pub made_by: usize,
    pub destination: usize,
    /// From the source up to what depends on nothing.
    above: Vec<usize>,
}

impl Tracked {
    /// Finds the request above a destination's source, if it has `delete_tracking`.
    pub(super) fn find(nodes: &[Node], source: usize, destination: usize) -> Option<Self> {
        let above: Vec<usize> =
            std::iter::successors(Some(source), |at| nodes[*at].depends_on.first().copied()).collect();
        let request = *above.iter().find(|at| matches!(nodes[**at].kind, NodeKind::Request(_)))?;
        let NodeKind::Request(found) = &nodes[request].kind else { return None };
        found.delete_tracking.as_ref()?;
        let makes = |kind: &NodeKind| matches!(kind, NodeKind::Request(_) | NodeKind::Transform(_) | NodeKind::Spool);
        let made_by = *above.iter().find(|at| makes(&nodes[**at].kind))?;
        Some(Self { request, source, made_by, destination, above })
    }

    /// Whether what it all begins with is such a node.
    pub(super) fn begins_with(&self, is_such: impl Fn(usize) -> bool) -> bool {
        self.above.last().is_some_and(|at| is_such(*at))
    }

    /// Whether a node's error, or that it was skipped, means that records could be missing at the destination.
    pub fn goes_through(&self, node: usize) -> bool {
        self.destination == node || self.above.contains(&node)
    }
}
