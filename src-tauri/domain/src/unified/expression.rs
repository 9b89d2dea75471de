//! What a mapping computes.

use std::sync::Arc;

use serde_json::Value;

use crate::integration::{DefinitionError, node::Node};

/// A JSONata expression, or an object whose texts are expressions, field by field (contract section 8.2: Truto's own language for objects
/// is not documented).
#[derive(Debug, Clone, PartialEq)]
pub enum Expression {
    Text(Arc<str>),
    /// A field whose expression gives nothing is left out.
    Object(Vec<(String, Self)>),
    List(Vec<Self>),
    Constant(Value),
}

impl Expression {
    pub(super) fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        if !node.json().is_string() && !node.json().is_object() {
            return Err(node.fail("must be a JSONata expression: a string, or an object of strings"));
        }
        Ok(Self::of(node.json()))
    }

    fn of(value: &Value) -> Self {
        match value {
            Value::String(text) => Self::Text(Arc::from(text.as_str())),
            Value::Object(members) => {
                Self::Object(members.iter().map(|(name, member)| (name.clone(), Self::of(member))).collect())
            }
            Value::Array(items) => Self::List(items.iter().map(Self::of).collect()),
            constant => Self::Constant(constant.clone()),
        }
    }

    /// Its texts with their places, below `place`.
    pub(super) fn texts<'a>(&'a self, place: &str, found: &mut Vec<(String, &'a str)>) {
        match self {
            Self::Text(text) => found.push((place.to_owned(), text)),
            Self::Object(members) => members.iter().for_each(|(name, it)| it.texts(&format!("{place}.{name}"), found)),
            Self::List(items) => {
                items.iter().enumerate().for_each(|(at, it)| it.texts(&format!("{place}[{at}]"), found));
            }
            Self::Constant(_) => {}
        }
    }

    /// As it was written.
    pub fn to_json(&self) -> Value {
        match self {
            Self::Text(text) => Value::String(text.to_string()),
            Self::Object(members) => {
                Value::Object(members.iter().map(|(name, it)| (name.clone(), it.to_json())).collect())
            }
            Self::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Self::Constant(value) => value.clone(),
        }
    }
}
