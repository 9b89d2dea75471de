//! What tests send through Relink.

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method};

use crate::{Body, body::full};

/// What a test sends through Relink.
pub(super) struct Call {
    pub(super) method: Method,
    pub(super) path: String,
    pub(super) query: Option<String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Body,
}

pub(super) fn call(
    method: &str,
    path: &str,
    query: Option<&str>,
    body: &str,
    headers: &[(&'static str, &'static str)],
) -> Call {
    Call {
        method: method.parse().expect("a method"),
        path: path.to_owned(),
        query: query.map(str::to_owned),
        headers: headers
            .iter()
            .map(|(name, value)| (name.parse().expect("a name"), HeaderValue::from_static(value)))
            .collect(),
        body: full(Bytes::from(body.to_owned())),
    }
}

pub(super) fn get(path: &str) -> Call {
    call("GET", path, None, "", &[])
}
