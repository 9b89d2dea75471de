//! What the expressions and templates of a mapping see.

use std::collections::BTreeMap;

use relink_domain::template::{FillError, Root, Scope as TemplateScope, Template};
use serde_json::{Map, Value};

/// The values of a call so far, by their names (contract section 8.2).
///
/// Each expression sees all that is known when it runs, which includes what the contract lists for it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Scope(Map<String, Value>);

impl Scope {
    pub(crate) fn set(&mut self, name: &'static str, value: Value) {
        self.0.insert(name.to_owned(), value);
    }

    /// Adds a result to the object of this name.
    pub(crate) fn add(&mut self, name: &'static str, key: String, value: Value) {
        let slot = self.0.entry(name).or_insert_with(|| Map::new().into());
        if let Value::Object(results) = slot {
            results.insert(key, value);
        }
    }

    /// As the input of an expression.
    pub(crate) fn input(&self) -> Value {
        Value::Object(self.0.clone())
    }

    /// The same with further values over it.
    pub(crate) fn with<const N: usize>(&self, values: [(&'static str, Value); N]) -> Value {
        let mut all = self.0.clone();
        all.extend(values.map(|(name, value)| (name.to_owned(), value)));
        all.into()
    }

    /// Fills a template with the values, and the account's context at the top.
    pub(crate) fn fill(&self, template: &Template, more: &[(&str, &Value)]) -> Result<Option<Value>, FillError> {
        let (none, empty) = (BTreeMap::new(), Map::new());
        let context = self.0.get("context").and_then(Value::as_object).unwrap_or(&empty);
        let own = self.0.iter().filter(|(name, _)| *name != "context");
        let mut roots: Vec<(&str, Root<'_>)> = own.map(|(name, value)| (name.as_str(), Root::Value(value))).collect();
        roots.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        roots.extend(more.iter().map(|(name, value)| (*name, Root::Value(value))));
        let scope = TemplateScope { roots: &roots, ..TemplateScope::new(context, &none, None) };
        // No secret is in the scope.
        Ok(template.fill(&scope)?.expose().cloned())
    }
}
