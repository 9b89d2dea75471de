//! Values that an expression sees as `$name`, and the times in its input.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::value::RawValue;

/// Values by name, without the `$`. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Bindings {
    values: Arc<BTreeMap<String, Box<RawValue>>>,
    dates: Arc<Vec<Vec<String>>>,
}

impl Bindings {
    /// Of two values for one name, the later one counts.
    pub fn new(values: impl IntoIterator<Item = (String, Box<RawValue>)>) -> Self {
        Self { values: Arc::new(values.into_iter().collect()), dates: Arc::default() }
    }

    /// The texts at these paths of the input become JavaScript's `Date`s, which JSON doesn't have: so `started_at.toISOString()` works, their
    /// one method. A path that leads to no text is left alone.
    #[must_use]
    pub fn with_dates<'n, P: IntoIterator<Item = &'n str>>(self, paths: impl IntoIterator<Item = P>) -> Self {
        let names = |path: P| path.into_iter().map(str::to_owned).collect();
        Self { dates: Arc::new(paths.into_iter().map(names).collect()), ..self }
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.get()))
    }

    pub(crate) fn dates(&self) -> &[Vec<String>] {
        &self.dates
    }

    /// Bytes of JSON.
    pub(crate) fn size(&self) -> usize {
        self.values.values().map(|value| value.get().len()).sum()
    }
}
