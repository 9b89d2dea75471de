//! How a provider says that calls come too fast.

use crate::integration::{
    error::DefinitionError,
    node::{Node, listed},
};

/// JSONata expressions over an answer's `headers` and `status` (contract section 4.6). What is missing is read from the usual
/// headers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateLimit {
    /// Whether the answer refuses a call for its rate. Without it, status 429 does.
    pub is_rate_limited: Option<String>,
    /// Gives the seconds to wait.
    pub retry_after: Option<String>,
    /// Gives the time of the reset, in seconds since 1970.
    pub reset: Option<String>,
}

const KEYS: &[&str] = &["is_rate_limited", "retry_after_header_expression", "rate_limit_header_expression"];

impl RateLimit {
    pub(in crate::integration) fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        for (key, node) in object.entries() {
            if !KEYS.contains(&key) {
                node.fail_if_written(format_args!("is not known here and would have no effect; use {}", listed(KEYS)))?;
            }
        }
        let expression = |key: &str| object.map(key, |node| node.text().map(str::to_owned));
        let [is_rate_limited, retry_after, reset] = [expression(KEYS[0])?, expression(KEYS[1])?, expression(KEYS[2])?];
        Ok(Self { is_rate_limited, retry_after, reset })
    }
}
