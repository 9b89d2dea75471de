//! What is read from a token endpoint's answer, the callback and the answer with the identity, beside what the standards name
//! (contract section 4.9).

use serde_json::Value;

use super::{
    credential_keys::is_always_credential,
    error::{DefinitionError, quoted},
    identity::{JsonPath, plain},
    node::{Node, Object},
};

/// Where a token answer has what RFC 6749 §5.1 puts at its top.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AnswerPaths {
    /// The access token. What belongs to it (`refresh_token`, `expires_in`, `scope`) stands beside it.
    pub token: Option<JsonPath>,
    pub scope: Option<JsonPath>,
    /// Values that are kept in the account's context.
    pub keep: Vec<Kept<JsonPath>>,
}

/// A value that is kept in the account's context, where templates can name it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<P> {
    /// Its key in the context.
    pub name: String,
    pub path: P,
}

/// `token_path`, `scope_path` and `keep`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct FromAnswers {
    pub(super) paths: AnswerPaths,
    /// Of the callback's parameters.
    pub(super) keep_from_callback: Vec<Kept<String>>,
    /// Of the document with the identity.
    pub(super) keep_from_identity: Vec<Kept<JsonPath>>,
}

/// The most characters of a value that is kept.
const MAX_KEPT_CHARS: usize = 1024;

/// Names that a template reads otherwise (contract section 4.5).
const ROOTS: &[&str] = &[
    "id",
    "body",
    "query",
    "credentials",
    "context",
    "environment_variables",
    "secret_environment_variables",
    "tenant_id",
];

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

impl<P> Kept<P> {
    /// Whether a value can be kept: a short text on one line, a number, or true or false.
    pub fn fits(value: &Value) -> bool {
        plain(value).is_some_and(|text| {
            !text.is_empty() && text.chars().nth(MAX_KEPT_CHARS).is_none() && !text.contains(char::is_control)
        })
    }
}

impl FromAnswers {
    pub(super) fn decode(relink: &Object<'_>) -> Result<Self> {
        let path = |key: &str| relink.map(key, |node| node.parse(JsonPath::parse));
        let paths = AnswerPaths { token: path("token_path")?, scope: path("scope_path")?, keep: Vec::new() };
        let mut found = Self { paths, keep_from_callback: Vec::new(), keep_from_identity: Vec::new() };
        relink.map("keep", |node| found.decode_keep(&node, relink))?;
        Ok(found)
    }

    fn decode_keep(&mut self, node: &Node<'_>, relink: &Object<'_>) -> Result<()> {
        for (key, node) in node.object()?.entries() {
            let name = name(key).map_err(|problem| node.fail(problem))?;
            let object = node.object()?;
            let sources = [("token", Source::Token), ("callback", Source::Callback), ("identity", Source::Identity)];
            let source = object.need("from", "\"token\", \"callback\" or \"identity\"")?.one_of(&sources)?;
            let path = object.need("path", "\"instance_url\"")?;
            match source {
                Source::Token => self.paths.keep.push(Kept { name, path: path.parse(JsonPath::parse)? }),
                Source::Identity => {
                    if !relink.has("identity") {
                        node.fail_if_written(
                            "is kept from the identity, but there is none; add \"identity\" to \"relink\"",
                        )?;
                    }
                    self.keep_from_identity.push(Kept { name, path: path.parse(JsonPath::parse)? });
                }
                Source::Callback => self.keep_from_callback.push(Kept { name, path: path.literal()?.to_owned() }),
            }
        }
        Ok(())
    }
}

#[derive(Clone, Copy)]
enum Source {
    Token,
    Callback,
    Identity,
}

fn name(text: &str) -> std::result::Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.is_empty() || text.len() > 64 || !text.chars().all(fits) {
        return Err(format!("{} is not a name for the context; use letters, digits, _ and -", quoted(text)));
    }
    if ROOTS.contains(&text) || is_always_credential(text) {
        return Err(format!("{} is taken, or would be a credential in the context; use another name", quoted(text)));
    }
    Ok(text.to_owned())
}

/// A sign of an expired access token in an answer that isn't a 401: `refresh.expired_when`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredWhen {
    status: u16,
    body: ExpectedBody,
}

/// Whether an answer is to be looked at, before its body is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    No,
    /// [`ExpiredWhen::matches`] decides by the whole body.
    AtBody,
    /// It means so, whatever its body is.
    Matches,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum ExpectedBody {
    Any,
    Empty,
    /// JSON with this value, as text, at the path; or with any value but null there.
    Has(JsonPath, Option<String>),
}

impl ExpiredWhen {
    pub(super) fn decode(node: &Node<'_>) -> Result<Self> {
        let object = node.object()?;
        let node = object.need("status", "403")?;
        let status = node.json().as_u64().and_then(|status| u16::try_from(status).ok());
        let status = status.filter(|status| (200..600).contains(status));
        let status = status.ok_or_else(|| node.fail("must be a status of HTTP, such as 403, without quotes"))?;
        let path = object.map("path", |node| node.parse(JsonPath::parse))?;
        let equals = object.map("equals", |node| node.scalar().map(plain))?.flatten();
        let body = match (path, equals, object.flag("empty")?) {
            (Some(path), equals, false) => ExpectedBody::Has(path, equals),
            (None, None, true) => ExpectedBody::Empty,
            // Otherwise every answer would count.
            (None, None, false) if status >= 400 => ExpectedBody::Any,
            _ => {
                return Err(object.fail(
                    "must say where the sign stands: a \"path\", with or without \"equals\", or \"empty\": true",
                ));
            }
        };
        Ok(Self { status, body })
    }

    /// Whether an answer with this status and type can mean that the access token has expired, and whether its body has to be
    /// known for that. A body of another kind than JSON isn't looked at for a value.
    pub fn look(&self, status: u16, content_type: Option<&str>) -> Look {
        let is_json = || {
            content_type.is_none_or(|text| {
                let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
                essence.ends_with("/json") || essence.ends_with("+json") || essence == "text/plain"
            })
        };
        match &self.body {
            _ if status != self.status => Look::No,
            ExpectedBody::Any => Look::Matches,
            ExpectedBody::Empty => Look::AtBody,
            ExpectedBody::Has(..) if is_json() => Look::AtBody,
            ExpectedBody::Has(..) => Look::No,
        }
    }

    /// Whether an answer means that the access token has expired.
    pub fn matches(&self, status: u16, body: &[u8]) -> bool {
        status == self.status
            && match &self.body {
                ExpectedBody::Any => true,
                ExpectedBody::Empty => body.trim_ascii().is_empty(),
                ExpectedBody::Has(path, equals) => {
                    let json: Option<Value> = serde_json::from_slice(body).ok();
                    let found = json.as_ref().and_then(|json| path.find(json)).filter(|found| !found.is_null());
                    found.is_some_and(|found| equals.is_none() || plain(found) == *equals)
                }
            }
    }
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
