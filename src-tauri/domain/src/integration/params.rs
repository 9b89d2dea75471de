//! Further parameters of OAuth's requests: `params` of the authorization request, `tokenParams` of the code's exchange,
//! `refreshParams` of a refresh (contract section 4.3).

use url::form_urlencoded;

use super::{
    error::{DefinitionError, quoted},
    node::{Node, Object},
    web_url::UrlPath,
};

/// Names and values, in the definition's order.
pub type Params = Vec<(String, String)>;

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

/// Parameters that Relink sets itself, or that would replace or redirect the whole request (RFC 6749 §4.1.1, RFC 7636 §4.3,
/// RFC 9101 §5, OpenID Connect Core §3.1.2.1). A definition that set one could undo PKCE, `state` or the redirect URI.
const RESERVED_IN_AUTHORIZATION: &[&str] = &[
    "client_id",
    "client_secret",
    "code",
    "code_challenge",
    "code_challenge_method",
    "code_verifier",
    "grant_type",
    "nonce",
    "redirect_uri",
    "request",
    "request_uri",
    "response_mode",
    "response_type",
    "scope",
    "state",
];

/// Parameters of a token request that Relink sets itself (RFC 6749 §4.1.3, §6, RFC 7636 §4.5).
const RESERVED_IN_TOKEN_REQUEST: &[&str] =
    &["client_id", "client_secret", "code", "code_verifier", "grant_type", "redirect_uri", "refresh_token"];

const RESERVED_PROBLEM: &str = "this parameter is set by Relink itself; remove it";

/// What the authorization request has beside what RFC 6749 §4.1.1 demands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct AuthorizationParams {
    pub(super) params: Params,
    /// Whether `response_type` is left out.
    pub(super) leaves_out_response_type: bool,
}

fn is_in(names: &[&str], name: &str) -> bool {
    names.contains(&name.trim().to_ascii_lowercase().as_str())
}

/// The parameters of an authorization request. A reserved one that an earlier version accepted is left out.
pub(super) fn of_authorization(node: &Node<'_>) -> Result<AuthorizationParams> {
    let mut found = AuthorizationParams::default();
    for (name, node) in node.object()?.entries() {
        match name {
            // Some providers refuse it. Null leaves a parameter out, as it does a header.
            "response_type" if node.json().is_null() => found.leaves_out_response_type = true,
            // The browser must bring the answer in the query of the redirect URI: nothing else is read.
            "response_mode" => match node.one_of(&[("query", ())]) {
                Err(error) if node.is_written() => return Err(error),
                Err(_) => {}
                Ok(()) => found.params.push((name.to_owned(), "query".to_owned())),
            },
            _ if is_in(RESERVED_IN_AUTHORIZATION, name) => node.fail_if_written(RESERVED_PROBLEM)?,
            _ => found.params.push((name.to_owned(), value(&node)?)),
        }
    }
    Ok(found)
}

/// The parameters under this key that a token request has beside its own.
pub(super) fn of_token_request(config: &Object<'_>, key: &str) -> Result<Params> {
    let decode = |node: Node<'_>| {
        let mut params = Params::new();
        for (name, node) in node.object()?.entries() {
            if is_in(RESERVED_IN_TOKEN_REQUEST, name) {
                node.fail_if_written(RESERVED_PROBLEM)?;
            } else {
                params.push((name.to_owned(), value(&node)?));
            }
        }
        Ok(params)
    };
    Ok(config.map(key, decode)?.unwrap_or_default())
}

/// Leaves out the parameters with a name that the definition itself gives to the client's ID or secret. Such a definition is
/// refused when it is written.
pub(super) fn without(params: Params, reserved: &[&str], config: &Object<'_>) -> Result<Params> {
    let is_reserved = |name: &String| reserved.contains(&name.as_str());
    if let Some((name, _)) = params.iter().find(|(name, _)| is_reserved(name)) {
        config.fail_if_written(format_args!(
            "has a parameter {} that \"client\" names for the client's ID or secret; remove it",
            quoted(name)
        ))?;
    }
    Ok(params.into_iter().filter(|(name, _)| !is_reserved(name)).collect())
}

fn value(node: &Node<'_>) -> Result<String> {
    match node.text() {
        Ok(_) => node.literal().map(str::to_owned),
        Err(_) => node.scalar().map(ToString::to_string),
    }
}

/// A path whose query holds no reserved parameter. One that an earlier version accepted is left out.
pub(super) fn authorize_path(node: &Node<'_>) -> Result<UrlPath> {
    let path = node.parse(UrlPath::parse)?;
    let is_reserved = |name: &str| is_in(RESERVED_IN_AUTHORIZATION, name);
    let mut names = form_urlencoded::parse(path.query().unwrap_or_default().as_bytes()).map(|(name, _)| name);
    if let Some(name) = names.find(|name| is_reserved(name)) {
        let name = quoted(&name);
        node.fail_if_written(format_args!(
            "has the parameter {name} in its query, which is set by Relink itself; remove it"
        ))?;
    }
    Ok(path.without(is_reserved))
}

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
