//! What a unified call needs of the proxy API.

use futures_util::future::BoxFuture;
use http::HeaderMap;
use relink_domain::unified::UnifiedMethod;
use serde_json::{Map, Value};

/// Makes the calls of one account. Each is a program's call of a method, with the same limits, records and consequences.
pub trait Proxy: Sync {
    /// An answer that is no JSON, such as a file.
    type File: Send;
    /// Why there is no answer of the provider.
    type Error: Send;

    /// Calls a method of the account's integration.
    fn call(
        &self,
        call: ProxyCall<'_>,
    ) -> impl Future<Output = Result<Proxied<Self::File>, ProxyError<Self::Error>>> + Send;

    /// Makes a unified call, for a step, which is named as in [`ProxyCall`]. The data of its answer.
    fn unified<'s>(
        &'s self,
        step: &'s str,
        of: UnifiedMethod<'s>,
        id: Option<&'s str>,
        query: Map<String, Value>,
        body: Option<Value>,
    ) -> BoxFuture<'s, Result<Value, ProxyError<Self::Error>>>;

    /// The provider's own cursor in one of Relink's, of the list of a method. `None`: it is none of that list.
    fn cursor_of(&self, resource: &str, method: &str, cursor: &str) -> Option<Value>;

    /// Relink's cursor for one that a mapping gave, good for this unified list alone.
    fn seal(&self, of: UnifiedMethod<'_>, cursor: &Value) -> Option<String>;

    /// What was sealed.
    fn unseal(&self, of: UnifiedMethod<'_>, cursor: &str) -> Option<Value>;
}

/// A call of a method.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyCall<'a> {
    pub target: ProxyTarget<'a>,
    /// For the provider.
    pub query: Map<String, Value>,
    pub paging: Paging,
    pub body: ProxyBody,
    /// In place of the method's path.
    pub path: Option<String>,
    /// Over the method's headers.
    pub headers: HeaderMap,
    /// None: the call that the unified one is about. Otherwise the step that makes it, such as `before.users` or `side_load.owner/7`, with
    /// the record that it is for. A repeated unified call has the same steps, and no two of its steps have one name.
    pub step: Option<&'a str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ProxyTarget<'a> {
    Named {
        resource: &'a str,
        method: &'a str,
        id: Option<&'a str>,
    },
    /// A method that the mapping has itself (contract section 4.6).
    Own(&'a Map<String, Value>),
}

/// Which page of a list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Paging {
    pub limit: Option<String>,
    pub next_cursor: Option<String>,
    pub prev_cursor: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub enum ProxyBody {
    #[default]
    None,
    Value(Value),
    /// The caller's, as it was sent, with its type.
    AsSent,
}

/// The provider's answer to a method.
#[derive(Debug)]
pub enum Proxied<F> {
    Data(Box<ProxyData>),
    File(F),
}

/// JSON that the provider answered.
#[derive(Debug)]
pub struct ProxyData {
    /// At the method's `response_path`. Of a list: its records.
    pub data: Value,
    /// Of a list.
    pub page: Option<Page>,
    /// Those that the caller may have.
    pub headers: HeaderMap,
}

/// Where a list goes on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    pub next_cursor: Option<String>,
    pub prev_cursor: Option<String>,
    pub is_partial: bool,
}

#[derive(Debug)]
pub enum ProxyError<E> {
    /// The provider's, in Truto's form (contract section 0.4).
    Remote { status: u16, headers: HeaderMap, body: Value },
    /// Relink's own.
    Local(E),
}
