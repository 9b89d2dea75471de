//! Decoding `resources` and what they share.

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

use super::{
    Resource, Resources,
    method::{
        ApiResponseFormat, ArrayFormat, BodyEncoding, FormOptions, Method, MethodAuthorization, MethodBody, MethodDocs,
        Verb,
    },
    pagination::Pagination,
    rate_limit::RateLimit,
    response_path::ResponsePath,
    schema::Schema,
};
use crate::{
    integration::{
        address::{Address, OriginPattern},
        authorization,
        available::Available,
        error::DefinitionError,
        node::{Node, Object, listed},
        relink::{headers, removed_headers},
        url_template::PathTemplate,
    },
    template::{Reference, Template, TextTemplate},
};

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

/// The method whose pages are the integration's, and whose answer is always a list.
const LIST: &str = "list";

const KEYS: &[&str] = &[
    "path",
    "method",
    "base_url",
    "headers",
    "query",
    "query_array_format",
    "body",
    "body_format",
    "body_format_config",
    "response_path",
    "pagination",
    "pagination_path",
    "authorization",
    "error_expression",
    "add_query_to_body",
    "ignore_body_in_pagination",
    "ignore_body",
    "set_body_to_null",
    "no_auth",
    "ignore_credentials_on_redirect",
    "api_response_format",
    "throw_error_on_parse_error",
    "scopes",
    "description",
    "api_documentation_url",
    "examples",
    "query_schema",
    "body_schema",
    "response_schema",
    "tool_tags",
];

/// What the integration says for all of its methods.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::integration) struct Shared {
    pub(in crate::integration) pagination: Option<Arc<Pagination>>,
    pub(in crate::integration) rate_limit: Option<Arc<RateLimit>>,
    pub(in crate::integration) error_expression: Option<Arc<str>>,
    pub(in crate::integration) query_array_format: ArrayFormat,
}

/// What methods are decoded with.
pub(in crate::integration) struct Decoder<'a> {
    pub(in crate::integration) shared: &'a Shared,
    /// For each way to sign in.
    pub(in crate::integration) availables: &'a [Available<'a>],
    pub(in crate::integration) origins: &'a [OriginPattern],
}

impl Shared {
    pub(in crate::integration) fn decode(config: &Object<'_>) -> Result<Self> {
        // What is stored and wrong was without effect before this version; only methods need it.
        let shared = |key: &str| config.get(key);
        let tolerant = |result: Result<_>, node: &Node<'_>| match result {
            Err(error) if node.is_written() => Err(error),
            other => Ok(other.ok()),
        };
        let pagination = shared("pagination").map(|node| tolerant(Pagination::decode(&node), &node)).transpose()?;
        Ok(Self {
            pagination: pagination.flatten().map(Arc::new),
            rate_limit: config.describing("rate_limit", |node| RateLimit::decode(&node))?.map(Arc::new),
            error_expression: config.describing("error_expression", |node| node.text().map(Arc::from))?,
            query_array_format: config
                .describing("query_array_format", |node| node.one_of(ArrayFormat::WORDS))?
                .unwrap_or_default(),
        })
    }

    /// A method without anything of its own.
    pub(in crate::integration) fn method_at_path(&self, verb: Verb) -> Method {
        Method {
            verb,
            path: PathTemplate::root(),
            base_url: None,
            headers: Vec::new(),
            without_headers: Vec::new(),
            query: None,
            query_array_format: self.query_array_format,
            body: MethodBody::Callers,
            body_encoding: BodyEncoding::Json,
            response_path: None,
            pagination: None,
            pagination_path: None,
            authorization: MethodAuthorization::Inherited,
            error_expression: self.error_expression.clone(),
            rate_limit: self.rate_limit.clone(),
            add_query_to_body: false,
            ignore_body_in_pagination: false,
            api_response_format: ApiResponseFormat::ByContentType,
            throw_error_on_parse_error: false,
            docs: MethodDocs::default(),
        }
    }
}

impl Decoder<'_> {
    /// The section `resources`. Of a stored definition, a method that isn't understood is left out.
    pub(in crate::integration) fn resources(&self, config: &Object<'_>) -> Result<Resources> {
        let mut found = BTreeMap::new();
        for (name, node) in config.describing("resources", |node| node.object())?.iter().flat_map(Object::entries) {
            let methods = match node.object() {
                Err(error) if node.is_written() => return Err(error),
                methods => methods.ok(),
            };
            let mut resource = Resource::default();
            for (key, node) in methods.iter().flat_map(Object::entries) {
                match self.method(key, &node) {
                    Err(error) if node.is_written() => return Err(error),
                    Err(_) => {}
                    Ok(method) => {
                        resource.methods.insert(key.to_owned(), method);
                    }
                }
            }
            found.insert(name.to_owned(), resource);
        }
        let tags = config.describing("tool_tags", |node| {
            node.object()?
                .entries()
                .map(|(name, node)| Ok((name.to_owned(), texts(&node)?)))
                .collect::<Result<Vec<_>>>()
        })?;
        for (name, tags) in tags.into_iter().flatten() {
            if let Some(resource) = found.get_mut(&name) {
                resource.tool_tags = tags;
            }
        }
        Ok(Resources(found))
    }

    /// A method. `name`: what it is called; only `list` inherits the integration's pagination.
    pub(in crate::integration) fn method(&self, name: &str, node: &Node<'_>) -> Result<Method> {
        let object = node.object()?;
        for (key, node) in object.entries() {
            if !KEYS.contains(&key) {
                node.fail_if_written(format_args!("is not known here and would have no effect; use {}", listed(KEYS)))?;
            }
        }
        let pagination = match object.get("pagination") {
            Some(node) => Some(Arc::new(Pagination::decode(&node)?)),
            // Null switches it off.
            None if object.has("pagination") || name != LIST => None,
            None => self.shared.pagination.clone(),
        };
        // Relink never sends a credential along with a redirect.
        object.map("ignore_credentials_on_redirect", |node| node.boolean())?;
        let header = |node: &Node<'_>| self.header(node);
        Ok(Method {
            verb: object.map("method", |node| verb(&node))?.unwrap_or_default(),
            path: path(&object.need("path", "\"/contacts\"")?)?,
            base_url: object.map("base_url", |node| self.base_url(&node))?,
            headers: object.map("headers", |node| headers(&node, &header))?.unwrap_or_default(),
            without_headers: object.map("headers", |node| removed_headers(&node))?.unwrap_or_default(),
            query: object.map("query", |node| self.query(&node))?,
            query_array_format: object
                .map("query_array_format", |node| node.one_of(ArrayFormat::WORDS))?
                .unwrap_or(self.shared.query_array_format),
            body: self.body(&object)?,
            body_encoding: body_encoding(&object)?,
            response_path: object.map("response_path", |node| node.text().map(ResponsePath::parse))?,
            pagination,
            pagination_path: object.map("pagination_path", |node| path(&node))?,
            authorization: self.authorization(&object)?,
            error_expression: match object.map("error_expression", |node| node.text().map(Arc::from))? {
                None if !object.has("error_expression") => self.shared.error_expression.clone(),
                own => own,
            },
            rate_limit: self.shared.rate_limit.clone(),
            add_query_to_body: object.flag("add_query_to_body")?,
            ignore_body_in_pagination: object.flag("ignore_body_in_pagination")?,
            api_response_format: object.map("api_response_format", |node| response_format(&node))?.unwrap_or_default(),
            throw_error_on_parse_error: object.flag("throw_error_on_parse_error")?,
            docs: docs(&object)?,
        })
    }

    /// Checks what a template names, for each way to sign in: an account of one of them must be able to fill it.
    fn check(&self, node: &Node<'_>, check: impl Fn(&Available<'_>) -> Result<()>) -> Result<()> {
        let mut first = None;
        for available in self.availables {
            match check(available) {
                Ok(()) => return Ok(()),
                Err(error) => first = first.or(Some(error)),
            }
        }
        Err(first.unwrap_or_else(|| node.fail("has no way to sign in")))
    }

    fn header(&self, node: &Node<'_>) -> Result<TextTemplate> {
        let template = TextTemplate::parse(node.text()?);
        self.check(node, |available| available.check(node, &template))?;
        Ok(template)
    }

    /// A value whose texts are templates.
    fn values(&self, node: &Node<'_>) -> Result<Template> {
        let template = Template::compile(node.json());
        let placeholders = template.placeholders();
        self.check(node, |available| {
            placeholders.iter().try_for_each(|placeholder| available.check_placeholder(node, placeholder))
        })?;
        Ok(template)
    }

    fn body(&self, method: &Object<'_>) -> Result<MethodBody> {
        let template = method.get("body").map(|node| self.values(&node)).transpose()?;
        let (ignores_callers, is_null) = (method.flag("ignore_body")?, method.flag("set_body_to_null")?);
        Ok(match template {
            _ if is_null => MethodBody::Nothing,
            Some(template) => MethodBody::Template(template),
            None if ignores_callers => MethodBody::Nothing,
            None => MethodBody::Callers,
        })
    }

    fn query(&self, node: &Node<'_>) -> Result<Template> {
        node.object()?;
        self.values(node)
    }

    /// Where a call goes depends on the account alone, never on the call.
    fn base_url(&self, node: &Node<'_>) -> Result<Address> {
        let address = Address::decode(node, self.origins)?;
        if address.has_query() {
            return Err(node.fail("has a query; calls are made below this URL, so remove everything from the ? on"));
        }
        let of_call = |reference| matches!(reference, Reference::Root(_));
        if let Some(placeholder) = address.placeholders().iter().find(|it| it.references().any(of_call)) {
            return Err(node.fail(format_args!(
                "has {}, a value of the call, but only values of the account may decide where a credential goes",
                placeholder.source()
            )));
        }
        Ok(address)
    }

    fn authorization(&self, method: &Object<'_>) -> Result<MethodAuthorization> {
        if method.flag("no_auth")? {
            return Ok(MethodAuthorization::None);
        }
        let Some(node) = method.get("authorization") else { return Ok(MethodAuthorization::Inherited) };
        let own = authorization::decode(Some(&node), self.availables, method)?;
        Ok(MethodAuthorization::Own(Box::new(own)))
    }
}

fn path(node: &Node<'_>) -> Result<PathTemplate> {
    let text = node.text()?;
    if text.contains("://") && !text.starts_with('/') {
        return Err(node.fail("is a URL; write the path alone, and put the rest into \"base_url\""));
    }
    let path = node.parse(PathTemplate::parse)?;
    if let Some(placeholder) = path.placeholders().find(|it| it.references().any(Reference::is_token_apart)) {
        return Err(node.fail(format_args!("{} names a secret that is never sent", placeholder.source())));
    }
    if let Some(problem) = path.placeholders().find_map(crate::template::Placeholder::problem) {
        node.fail_if_written(problem)?;
    }
    Ok(path)
}

fn verb(node: &Node<'_>) -> Result<Verb> {
    let text = node.text()?;
    let known = Verb::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    known.map_or_else(|| node.one_of(Verb::WORDS), |(_, verb)| Ok(*verb))
}

fn body_encoding(method: &Object<'_>) -> Result<BodyEncoding> {
    const WORDS: &[(&str, BodyEncoding)] = &[
        ("json", BodyEncoding::Json),
        ("form", BodyEncoding::Form(FormOptions { array_format: ArrayFormat::Brackets })),
        ("multipart", BodyEncoding::Multipart),
        ("raw", BodyEncoding::Raw),
        ("xml", BodyEncoding::Xml),
    ];
    let encoding = method.map("body_format", |node| node.one_of(WORDS))?.unwrap_or(BodyEncoding::Json);
    let Some(config) = method.get("body_format_config").map(|node| node.object()).transpose()? else {
        return Ok(encoding);
    };
    let is_form = matches!(encoding, BodyEncoding::Form(_));
    for (key, node) in config.entries() {
        if !is_form || key != "array_format" {
            node.fail_if_written(
                "would have no effect; only \"array_format\" is known, for \"body_format\": \"form\"",
            )?;
        }
    }
    let array_format = config.map("array_format", |node| node.one_of(ArrayFormat::WORDS))?;
    Ok(match (encoding, array_format) {
        (BodyEncoding::Form(_), Some(array_format)) => BodyEncoding::Form(FormOptions { array_format }),
        (encoding, _) => encoding,
    })
}

fn response_format(node: &Node<'_>) -> Result<ApiResponseFormat> {
    node.one_of(&[
        ("xml", ApiResponseFormat::Xml),
        ("application/xml", ApiResponseFormat::Xml),
        ("text", ApiResponseFormat::Text),
        ("json", ApiResponseFormat::ByContentType),
        ("application/json", ApiResponseFormat::ByContentType),
    ])
}

fn docs(method: &Object<'_>) -> Result<MethodDocs> {
    let schema = |key: &str| method.map(key, |node| Schema::decode(&node));
    let examples = method.describing("examples", |node| {
        let text = |(name, node): (&str, Node<'_>)| Ok((name.to_owned(), Value::from(node.text()?)));
        node.object()?.entries().map(text).collect::<Result<Map<_, _>>>()
    })?;
    Ok(MethodDocs {
        scopes: method.describing("scopes", |node| texts(&node))?.unwrap_or_default(),
        tool_tags: method.describing("tool_tags", |node| texts(&node))?.unwrap_or_default(),
        description: method.text("description")?,
        api_documentation_url: method.text("api_documentation_url")?,
        examples: examples.unwrap_or_default(),
        query_schema: schema("query_schema")?,
        body_schema: schema("body_schema")?,
        response_schema: schema("response_schema")?,
    })
}

fn texts(node: &Node<'_>) -> Result<Vec<String>> {
    node.array()?.iter().map(|node| node.text().map(str::to_owned)).collect()
}
