//! Further parameters of OAuth's requests: `params` of the authorization request, `tokenParams` of the code's exchange,
//! `refreshParams` of a refresh (contract section 4.3).

use url::form_urlencoded;

use super::{
    error::{DefinitionError, quoted},
    node::{Node, Object},
    web_url::UrlPath,
};
use crate::{
    Secret,
    template::{FillError, Placeholder, Reference, Scope, TextTemplate},
};

/// Names and values, in the definition's order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Params(Vec<(String, TextTemplate)>);

impl Params {
    /// The parameters for an account. One is left out if its template gives nothing, or names an optional field that was left
    /// empty.
    pub fn fill(&self, scope: &Scope<'_>) -> Result<Vec<(String, Secret)>, FillError> {
        let mut filled = Vec::with_capacity(self.0.len());
        for (name, template) in &self.0 {
            match template.fill_secret(scope) {
                Ok(Some(value)) => filled.push((name.clone(), value)),
                Ok(None) => {}
                Err(FillError::Missing(missing)) if missing.is_optional => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    /// The names of those with such a placeholder.
    pub fn names_with(&self, is_wanted: impl Fn(&Placeholder) -> bool) -> impl Iterator<Item = &str> {
        let has_wanted = move |template: &TextTemplate| template.placeholders().any(&is_wanted);
        self.0.iter().filter(move |(_, template)| has_wanted(template)).map(|(name, _)| name.as_str())
    }

    pub(super) fn placeholders(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().flat_map(|(_, template)| template.placeholders())
    }

    /// These and others. Of two with the same name, the other one counts.
    pub(super) fn with(mut self, others: Self) -> Self {
        self.0.retain(|(name, _)| others.0.iter().all(|(other, _)| other != name));
        self.0.extend(others.0);
        self
    }

    #[cfg(test)]
    pub(super) fn names(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }
}

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
                Ok(()) => found.params.0.push((name.to_owned(), TextTemplate::parse("query"))),
            },
            _ if is_in(RESERVED_IN_AUTHORIZATION, name) => node.fail_if_written(RESERVED_PROBLEM)?,
            _ => found.params.0.push((name.to_owned(), value(&node)?)),
        }
    }
    Ok(found)
}

/// The parameters under this key that a token request has beside its own.
pub(super) fn of_token_request(config: &Object<'_>, key: &str) -> Result<Params> {
    let decode = |node: Node<'_>| {
        let mut params = Params::default();
        for (name, node) in node.object()?.entries() {
            if is_in(RESERVED_IN_TOKEN_REQUEST, name) {
                node.fail_if_written(RESERVED_PROBLEM)?;
            } else {
                params.0.push((name.to_owned(), value(&node)?));
            }
        }
        Ok(params)
    };
    Ok(config.map(key, decode)?.unwrap_or_default())
}

/// Leaves out the parameters with a name that the definition itself gives to the client's ID or secret. Such a definition is
/// refused when it is written.
pub(super) fn without(mut params: Params, reserved: &[&str], config: &Object<'_>) -> Result<Params> {
    let is_reserved = |name: &String| reserved.contains(&name.as_str());
    if let Some((name, _)) = params.0.iter().find(|(name, _)| is_reserved(name)) {
        config.fail_if_written(format_args!(
            "has a parameter {} that \"client\" names for the client's ID or secret; remove it",
            quoted(name)
        ))?;
    }
    params.0.retain(|(name, _)| !is_reserved(name));
    Ok(params)
}

/// `config.query`: parameters of every call. A list or an object is a matter of the methods, which read it themselves.
pub(super) fn of_query(node: &Node<'_>) -> Result<Params> {
    let mut params = Params::default();
    for (name, node) in node.object()?.entries() {
        if node.json().is_null() || node.json().is_array() || node.json().is_object() {
            continue;
        }
        let template = node.text().map_or_else(|_| TextTemplate::parse(&node.json().to_string()), TextTemplate::parse);
        if names_protected(&template) {
            return Err(node.fail(PROTECTED_PROBLEM));
        }
        params.0.push((name.to_owned(), template));
    }
    Ok(params)
}

const PROTECTED_PROBLEM: &str = "names a secret that is never sent";

fn names_protected(template: &TextTemplate) -> bool {
    let is_protected = |reference: Reference<'_>| reference.is_token_apart() || reference == Reference::SecretVariable;
    template.placeholders().any(|it| it.references().any(is_protected))
}

fn value(node: &Node<'_>) -> Result<TextTemplate> {
    let Ok(text) = node.text() else { return node.scalar().map(|value| TextTemplate::parse(&value.to_string())) };
    let template = TextTemplate::parse(text);
    if template.has_stray_braces() {
        node.fail_if_written("contains {{ that begins no placeholder, such as {{subdomain}}")?;
    }
    if names_protected(&template) {
        return Err(node.fail(PROTECTED_PROBLEM));
    }
    if let Some(problem) = template.placeholders().find_map(Placeholder::problem) {
        node.fail_if_written(problem)?;
    }
    Ok(template)
}

/// A path whose query holds no reserved parameter. One that an earlier version accepted is left out.
pub(super) fn authorize_path(node: &Node<'_>) -> Result<String> {
    let text = node.text()?;
    let is_reserved = |name: &str| is_in(RESERVED_IN_AUTHORIZATION, name);
    let query = text.split_once('?').map(|(_, query)| query).unwrap_or_default();
    let mut names = form_urlencoded::parse(query.as_bytes()).map(|(name, _)| name);
    let Some(name) = names.find(|name| is_reserved(name)) else { return Ok(text.to_owned()) };
    let name = quoted(&name);
    node.fail_if_written(format_args!(
        "has the parameter {name} in its query, which is set by Relink itself; remove it"
    ))?;
    let path = node.parse(UrlPath::parse)?.without(is_reserved);
    Ok(path.query().map_or_else(|| path.path().to_owned(), |query| format!("{}?{query}", path.path())))
}

#[cfg(test)]
#[path = "params_tests.rs"]
mod tests;
