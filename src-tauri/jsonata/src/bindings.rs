//! Values that an expression sees as `$name`.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;

/// Values by name, without the `$`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bindings(Arc<BTreeMap<String, Box<RawValue>>>);

impl Bindings {
    /// Of two values for one name, the later one counts.
    pub fn new(values: impl IntoIterator<Item = (String, Box<RawValue>)>) -> Self {
        Self(Arc::new(values.into_iter().collect()))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    /// Bytes of JSON.
    pub(crate) fn size(&self) -> usize {
        self.0.values().map(|value| value.get().len()).sum()
    }
}
