//! An account's own mappings of unified models, in its `unified_model_override`.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use relink_domain::unified::{Mapping, UnifiedMethod, of_account};
use serde_json::{Map, Value};

use crate::{error::Result, sync::lock};

/// The override of an account that is ready for calls, with what was made of it. It goes with the account, whose changes end what was
/// prepared.
#[derive(Debug)]
pub(crate) struct OwnMappings {
    over: Map<String, Value>,
    /// By model, resource and method.
    merged: Mutex<HashMap<[String; 3], Merged>>,
}

#[derive(Debug)]
struct Merged {
    /// Of the installed models that it was merged with.
    version: u64,
    mapping: Arc<Mapping>,
}

impl OwnMappings {
    pub(super) fn new(over: Map<String, Value>) -> Self {
        Self { over, merged: Mutex::default() }
    }

    /// The account's config of a method.
    pub(crate) fn over(&self, of: UnifiedMethod<'_>) -> Option<&Map<String, Value>> {
        of_account(&self.over, of)
    }

    /// The mapping that was merged with this version of the installed models, made if there is none.
    pub(crate) fn merged(
        &self,
        version: u64,
        of: UnifiedMethod<'_>,
        make: impl FnOnce() -> Result<Arc<Mapping>>,
    ) -> Result<Arc<Mapping>> {
        let key = [of.model, of.resource, of.method].map(str::to_owned);
        if let Some(known) = lock(&self.merged).get(&key).filter(|known| known.version == version) {
            return Ok(Arc::clone(&known.mapping));
        }
        let mapping = make()?;
        lock(&self.merged).insert(key, Merged { version, mapping: Arc::clone(&mapping) });
        Ok(mapping)
    }
}
