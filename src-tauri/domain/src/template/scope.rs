//! The values that placeholders name.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::Secret;

/// The values of an account and of a call, as one object (contract section 4.5): the account's context at the top, and
/// over it the named roots. Everything is borrowed: filling a template copies only what it puts out.
///
/// **Invariant:** secrets are apart from the context. Those that a template may name are the secret fields of the
/// integration's form, under their names, the access token, and the secret environment variables. The refresh token is here only for the steps of a
/// refresh; an ID token and a client's secret aren't here at all, and no other path below `oauth.token` leads anywhere.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    pub context: &'a Map<String, Value>,
    /// The secret values of the integration's form. They win over the context, which anybody with an API token can change.
    pub fields: &'a BTreeMap<String, Secret>,
    /// For OAuth.
    pub access_token: Option<&'a Secret>,
    /// For the steps of a refresh alone.
    pub refresh_token: Option<&'a Secret>,
    /// The secret environment variables of the integration, as `secret_environment_variables` (contract section 4.1).
    pub variables: Option<&'a BTreeMap<String, Secret>>,
    /// Whom the account belongs to.
    pub tenant_id: Option<&'a str>,
    /// The names of what may be missing: fields of the form, and in a refresh the access token.
    pub optional: &'a [&'a str],
    /// `id`, `body`, `query`, `environment_variables`, and what else a template of this kind can name.
    pub roots: &'a [(&'a str, Root<'a>)],
}

/// A value at the top of a [`Scope`].
#[derive(Debug, Clone, Copy)]
pub enum Root<'a> {
    Value(&'a Value),
    Object(&'a Map<String, Value>),
    Text(&'a str),
}

/// Names at the top that the context never shows through, whether a call has a value for them or not.
pub(super) const RESERVED: &[&str] =
    &["id", "body", "query", "credentials", "context", "environment_variables", SECRET_VARIABLES, "tenant_id"];

/// The root of the secret environment variables.
pub(super) const SECRET_VARIABLES: &str = "secret_environment_variables";

/// The names of tokens, below `oauth.token`.
pub(super) const ACCESS_TOKEN: &str = "access_token";
pub(super) const REFRESH_TOKEN: &str = "refresh_token";

/// Names that lead nowhere in the library.
const FORBIDDEN: &[&str] = &["__proto__", "prototype", "constructor"];

impl<'a> Scope<'a> {
    /// An account's values without a call.
    pub const fn new(
        context: &'a Map<String, Value>,
        fields: &'a BTreeMap<String, Secret>,
        access_token: Option<&'a Secret>,
    ) -> Self {
        Self {
            context,
            fields,
            access_token,
            refresh_token: None,
            variables: None,
            tenant_id: None,
            optional: &[],
            roots: &[],
        }
    }

    /// Whether a field of the form has a value.
    pub fn has_field(&self, name: &str) -> bool {
        self.in_context(name).is_some_and(|node| !matches!(node, Node::Value(Value::Null)))
    }

    fn top(&'a self, name: &str) -> Option<Node<'a>> {
        if let Some((_, root)) = self.roots.iter().find(|(root, _)| *root == name) {
            return Some(match root {
                Root::Value(value) => Node::Value(value),
                Root::Object(object) => Node::Object(object),
                Root::Text(text) => Node::Text(text),
            });
        }
        match name {
            "credentials" | "context" => Some(Node::Context(self)),
            "tenant_id" => self.tenant_id.map(Node::Text),
            SECRET_VARIABLES => self.variables.map(Node::Variables),
            _ if RESERVED.contains(&name) => None,
            _ => self.in_context(name),
        }
    }

    fn in_context(&'a self, name: &str) -> Option<Node<'a>> {
        if let Some(secret) = self.fields.get(name) {
            return Some(Node::Secret(secret));
        }
        match (name, self.context.get(name)) {
            ("oauth", value) => Some(Node::OAuth(self, value.and_then(Value::as_object))),
            (ACCESS_TOKEN, None) => self.access_token.map(Node::Secret),
            (_, value) => value.map(Node::Value),
        }
    }
}

/// A place in a [`Scope`].
#[derive(Debug, Clone, Copy)]
pub(super) enum Node<'a> {
    Root(&'a Scope<'a>),
    Context(&'a Scope<'a>),
    OAuth(&'a Scope<'a>, Option<&'a Map<String, Value>>),
    Token(&'a Scope<'a>),
    Variables(&'a BTreeMap<String, Secret>),
    Value(&'a Value),
    Object(&'a Map<String, Value>),
    Text(&'a str),
    Secret(&'a Secret),
    /// The length of an array.
    Count(usize),
}

impl<'a> Node<'a> {
    pub(super) fn member(self, name: &str) -> Option<Self> {
        if FORBIDDEN.contains(&name) {
            return None;
        }
        match self {
            Self::Root(scope) => scope.top(name),
            Self::Context(scope) => scope.in_context(name),
            Self::OAuth(scope, _) if name == "token" => Some(Self::Token(scope)),
            Self::OAuth(_, object) => object?.get(name).map(Self::Value),
            Self::Token(scope) => match name {
                ACCESS_TOKEN => scope.access_token.map(Self::Secret),
                REFRESH_TOKEN => scope.refresh_token.map(Self::Secret),
                _ => None,
            },
            Self::Variables(variables) => variables.get(name).map(Self::Secret),
            Self::Object(object) | Self::Value(Value::Object(object)) => object.get(name).map(Self::Value),
            Self::Value(Value::Array(items)) => (name == "length").then_some(Self::Count(items.len())),
            Self::Value(_) | Self::Text(_) | Self::Secret(_) | Self::Count(_) => None,
        }
    }

    pub(super) fn items(self) -> Option<&'a [Value]> {
        if let Self::Value(Value::Array(items)) = self { Some(items) } else { None }
    }

    /// The value. None for the whole scope and for the object around the tokens.
    pub(super) fn value(self) -> Option<Found<'a>> {
        let without_token = |object: &Map<String, Value>| {
            let mut object = object.clone();
            object.shift_remove("token");
            Value::Object(object)
        };
        Some(match self {
            Self::Root(_) | Self::Token(_) | Self::Variables(_) | Self::OAuth(_, None) => return None,
            Self::Context(scope) => {
                let mut context = scope.context.clone();
                if let Some(Value::Object(oauth)) = context.get_mut("oauth") {
                    oauth.shift_remove("token");
                }
                Found::Owned(Value::Object(context))
            }
            Self::OAuth(_, Some(oauth)) => Found::Owned(without_token(oauth)),
            Self::Object(object) => Found::Owned(Value::Object(object.clone())),
            Self::Count(count) => Found::Owned(count.into()),
            Self::Value(Value::String(text)) => Found::Text(text),
            Self::Value(value) => Found::Value(value),
            Self::Text(text) => Found::Text(text),
            Self::Secret(secret) => Found::Secret(secret.expose()),
        })
    }
}

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<'a> {
    Value(&'a Value),
    Owned(Value),
    Text(&'a str),
    Secret(&'a str),
}
