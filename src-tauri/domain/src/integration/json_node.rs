//! Walking JSON, whatever it is kept as.

use serde_json::Value;

/// A value of a JSON document: a [`Value`], or a part of the document's text.
pub trait JsonNode: Sized {
    fn kind(&self) -> JsonKind;

    /// The member of an object. Of several with this name it is the last.
    fn member(&self, name: &str) -> Option<Self>;

    /// The item of a list, from 0 on.
    fn item(&self, at: usize) -> Option<Self>;
}

/// What can be walked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    Object,
    List,
    Scalar,
}

impl JsonNode for &Value {
    fn kind(&self) -> JsonKind {
        match self {
            Value::Object(_) => JsonKind::Object,
            Value::Array(_) => JsonKind::List,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => JsonKind::Scalar,
        }
    }

    fn member(&self, name: &str) -> Option<Self> {
        self.as_object()?.get(name)
    }

    fn item(&self, at: usize) -> Option<Self> {
        self.as_array()?.get(at)
    }
}
