//! What a method sends, for whoever records the call.

use http::Method;
use url::form_urlencoded;

use crate::pages::PageRequest;

/// The request of a call with a path of its own: a method in its body may send another one than the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    pub method: Method,
    /// Below the base URL.
    pub path: String,
    /// Without the parameters that have a secret.
    pub query: Option<String>,
}

impl Called {
    pub(super) fn new(outline: &PageRequest) -> Self {
        let PageRequest { method, path, query, raw_query, .. } = outline;
        let written = || form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish();
        let query = raw_query.clone().unwrap_or_else(written);
        Self { method: method.clone(), path: path.clone(), query: Some(query).filter(|query| !query.is_empty()) }
    }
}
