//! A method: a request to the provider, and what its answer means.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{pagination::Pagination, rate_limit::RateLimit, response_path::ResponsePath, schema::Schema};
use crate::{
    integration::{
        address::Address,
        authorization::Authorization,
        format::{FORMATS, PerFormat},
        header::{HeaderName, HeaderTemplate},
        url_template::PathTemplate,
    },
    template::{Placeholder, Template},
};

/// A method of a resource, or one that a caller gives for one call (`methodConfig`). The defaults of the integration are in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Method {
    pub verb: Verb,
    /// Below the base URL. Its query is the first part of the request's.
    pub path: PathTemplate,
    /// In place of the integration's.
    pub base_url: Option<Address>,
    /// In addition to the integration's, or in place of one with the same name.
    pub headers: Vec<HeaderTemplate>,
    /// Headers of the integration that it doesn't have.
    pub without_headers: Vec<HeaderName>,
    /// An object. It goes over the integration's query, and the caller's goes over it.
    pub query: Option<Template>,
    pub query_array_format: ArrayFormat,
    pub body: MethodBody,
    pub body_encoding: BodyEncoding,
    pub response_path: Option<ResponsePath>,
    /// Of `list`, and of another method that has one of its own.
    pub pagination: Option<Arc<Pagination>>,
    /// The path of all pages but the first.
    pub pagination_path: Option<PathTemplate>,
    pub authorization: MethodAuthorization,
    /// JSONata. If it gives something, the answer is an error.
    pub error_expression: Option<Arc<str>>,
    pub rate_limit: Option<Arc<RateLimit>>,
    /// Whether the query's parameters also go into the body.
    pub add_query_to_body: bool,
    /// Whether only the first page's request has a body.
    pub ignore_body_in_pagination: bool,
    pub api_response_format: ApiResponseFormat,
    /// Whether an answer that can't be parsed is an error. Otherwise its text is the data.
    pub throw_error_on_parse_error: bool,
    pub docs: MethodDocs,
}

impl Method {
    /// Whether a call of it by this name writes: by the name, if that is one of the standard's, because a list or a search may well be
    /// a POST; or else by its verb.
    pub fn is_write(&self, name: &str) -> bool {
        match name {
            "list" | "get" => false,
            "create" | "update" | "delete" => true,
            _ => !self.verb.is_safe(),
        }
    }

    /// Every placeholder but those of its authorization.
    pub fn outside_authorization(&self) -> Vec<&Placeholder> {
        let in_body = if let MethodBody::Template(template) = &self.body { Some(template) } else { None };
        let in_values = self.query.iter().chain(in_body).flat_map(Template::placeholders);
        let in_headers = self.headers.iter().flat_map(|header| header.value.placeholders());
        self.in_url().into_iter().chain(in_headers).chain(in_values).collect()
    }

    /// The placeholders in its URL. No secret may be there: URLs are stored and shown.
    pub(in crate::integration) fn in_url(&self) -> Vec<&Placeholder> {
        let in_base = self.base_url.iter().flat_map(Address::placeholders);
        let in_paths = [Some(&self.path), self.pagination_path.as_ref()].into_iter().flatten();
        in_base.chain(in_paths.flat_map(PathTemplate::placeholders)).collect()
    }
}

/// The method of the request (RFC 9110 §9).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Verb {
    #[default]
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Verb {
    pub(super) const WORDS: &[(&str, Self)] = &[
        ("get", Self::Get),
        ("head", Self::Head),
        ("post", Self::Post),
        ("put", Self::Put),
        ("patch", Self::Patch),
        ("delete", Self::Delete),
        ("options", Self::Options),
    ];

    /// As it stands in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }

    /// Whether such a request changes nothing at the provider (RFC 9110 §9.2.1).
    pub const fn is_safe(self) -> bool {
        matches!(self, Self::Get | Self::Head | Self::Options)
    }
}

/// How a list stands in a query or in a form.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ArrayFormat {
    /// `a=x,y`
    Comma,
    /// `a[]=x&a[]=y`
    #[default]
    Brackets,
    /// `a[0]=x&a[1]=y`
    Indices,
    /// `a=x&a=y`
    Repeat,
}

impl ArrayFormat {
    pub(super) const WORDS: &[(&str, Self)] =
        &[("comma", Self::Comma), ("brackets", Self::Brackets), ("indices", Self::Indices), ("repeat", Self::Repeat)];
}

/// What a request's body is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MethodBody {
    /// The caller's body.
    Callers,
    Template(Template),
    /// There is none (`set_body_to_null`, or `ignore_body` without a template).
    Nothing,
}

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyEncoding {
    Json,
    Form(FormOptions),
    Multipart,
    /// As it is: a text, or the caller's bytes.
    Raw,
    Xml,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FormOptions {
    pub array_format: ArrayFormat,
}

/// How a method's requests are authorized.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MethodAuthorization {
    /// As the integration's.
    Inherited,
    /// Not at all (`no_auth`).
    None,
    Own(Box<PerFormat<Authorization>>),
}

impl MethodAuthorization {
    /// Whether it names a secret environment variable.
    pub fn names_secret_variable(&self) -> bool {
        let Self::Own(own) = self else { return false };
        FORMATS.into_iter().filter_map(|format| own.get(format)).any(Authorization::names_secret_variable)
    }
}

/// How an answer is read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ApiResponseFormat {
    /// JSON if its type says so, or else as it is.
    #[default]
    ByContentType,
    Xml,
    Text,
}

/// What people and agents read about a method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MethodDocs {
    /// What a caller needs. A 403 says which of them the account lacks.
    pub scopes: Vec<String>,
    /// Words by which an agent's tools are chosen, beside those of its resource.
    pub tool_tags: Vec<String>,
    pub description: Option<String>,
    pub api_documentation_url: Option<String>,
    /// Texts under `response`, `query` and `body`.
    pub examples: Map<String, Value>,
    pub query_schema: Option<Schema>,
    pub body_schema: Option<Schema>,
    pub response_schema: Option<Schema>,
}
