use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A call that the person tries with an account.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, TS)]
pub struct TryCall {
    pub method: String,
    /// The path below the provider's base URL, encoded. It begins with a slash.
    pub path: String,
    /// The query, encoded.
    pub query: Option<String>,
    pub body: Option<String>,
    pub content_type: Option<String>,
}

/// The provider's response to it, without the account's secrets.
#[derive(Debug, Clone, PartialEq, Serialize, TS)]
pub struct TriedCall {
    pub status: u16,
    /// What the status means, in English; empty if nothing is known of it.
    pub reason: String,
    /// Until the response's headers were there, in milliseconds.
    pub headers_ms: f64,
    /// Until the response had ended, in milliseconds.
    pub total_ms: f64,
    pub headers: Vec<ResponseHeader>,
    /// The body; `null` if it isn't text.
    pub body: Option<String>,
    /// How many bytes of the body were read.
    pub bytes: u32,
    /// Whether there is more of the body than that.
    pub is_cut: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct ResponseHeader {
    pub name: String,
    pub value: String,
}

/// A call that the account's integration defines, to be completed while a path is entered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct KnownCall {
    pub method: String,
    /// As the definition writes it, with its placeholders: `/users/{{id}}`.
    pub path: String,
    /// The resource and its method: `users.get`.
    pub name: String,
    pub description: Option<String>,
}
