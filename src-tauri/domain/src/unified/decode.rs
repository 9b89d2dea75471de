//! Reading the config of a mapping.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::{
    expression::Expression,
    mapping::{
        Choice, Mapping, MappingError, Request, RequestTarget, ResponseMethod, SideLoad, Step, StepKind, Values,
    },
    required::requirements,
};
use crate::{
    integration::{
        DefinitionError, Warning,
        actions::CallApi,
        node::{Node, Object, Source, listed},
        resources::Schema,
        strictness::Strictness,
    },
    template::Template,
};

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

/// The keys of a config, in the order in which they take effect (contract section 8.2). The schemas and what is only described come last.
pub const KEYS: &[&str] = &[
    "query",
    "body",
    "before",
    "resource",
    "method",
    "query_mapping",
    "request_body_mapping",
    "path_mapping",
    "request_header_mapping",
    "error_mapping",
    "response_mapping",
    "response_mapping_method",
    "side_load",
    "after",
    "is_partial_expression",
    "response_header_mapping",
    "query_schema",
    "request_body_schema",
    "file_upload",
    "documentation_link",
];
const APIS: &[(&str, CallApi)] = &[("proxy", CallApi::Proxy), ("unified", CallApi::Unified)];
const RESPONSE_METHODS: &[(&str, ResponseMethod)] = &[("array", ResponseMethod::Array), ("item", ResponseMethod::Item)];

impl Mapping {
    /// Strictly reads a config that is written. What has no effect is a warning. A config that overrides another one is checked as it is
    /// merged.
    pub fn check(config: &Map<String, Value>) -> Result<(Self, Vec<Warning>), MappingError> {
        let document = Value::Object(config.clone());
        let source = Source::new(None, false, Strictness::Written);
        let mapping = decode(&source.root(&document)).map_err(MappingError::from)?;
        Ok((mapping, source.into_warnings()))
    }

    /// Reads a stored config. Descriptions that aren't understood count as missing; what decides what is sent or answered doesn't.
    pub fn load(config: &Map<String, Value>) -> Result<Self, MappingError> {
        let document = Value::Object(config.clone());
        let source = Source::new(None, false, Strictness::Loaded);
        decode(&source.root(&document)).map_err(MappingError::from)
    }
}

impl Request {
    /// Reads the config of a request that an expression gave.
    pub fn computed(config: &Value) -> Result<Self, MappingError> {
        let source = Source::new(None, false, Strictness::Loaded);
        request(&source.root(config)).map_err(MappingError::from)
    }
}

impl From<DefinitionError> for MappingError {
    fn from(error: DefinitionError) -> Self {
        let DefinitionError { path, problem, .. } = error;
        Self { path, problem }
    }
}

fn decode(root: &Node<'_>) -> Result<Mapping> {
    let config = root.object()?;
    config.warn_unknown_keys(KEYS);
    let text = |key: &str| config.map(key, |node| node.text().map(Arc::from));
    let expression = |key: &str| config.map(key, |node| Expression::decode(&node));
    let schema = |key: &str| config.describing(key, |node| Ok(Schema::decode(&node)?.object().cloned()));
    let query_schema = schema("query_schema")?.flatten();
    let request_body_schema = schema("request_body_schema")?.flatten();
    Ok(Mapping {
        query: config.map("query", |node| object_of(&node))?.unwrap_or_default(),
        body: config.get("body").map(|node| node.json().clone()),
        before: steps(&config, "before")?,
        resource: choice(&config, "resource", "resources")?,
        method: choice(&config, "method", "methods")?,
        query_mapping: expression("query_mapping")?,
        request_body_mapping: expression("request_body_mapping")?,
        path_mapping: expression("path_mapping")?,
        request_header_mapping: expression("request_header_mapping")?,
        error_mapping: expression("error_mapping")?,
        response_mapping: expression("response_mapping")?,
        response_mapping_method: config
            .map("response_mapping_method", |node| node.one_of(RESPONSE_METHODS))?
            .unwrap_or_default(),
        side_load: side_loads(&config)?,
        after: steps(&config, "after")?,
        is_partial_expression: text("is_partial_expression")?,
        response_header_mapping: expression("response_header_mapping")?,
        required_query: query_schema.as_ref().map(requirements).unwrap_or_default(),
        required_body: request_body_schema.as_ref().map(requirements).unwrap_or_default(),
        query_schema,
        request_body_schema,
        file_upload: config.get("file_upload").map(|node| node.json().clone()),
        documentation_link: config.text("documentation_link")?,
    })
}

fn object_of(node: &Node<'_>) -> Result<Map<String, Value>> {
    node.object()?;
    Ok(node.json().as_object().cloned().unwrap_or_default())
}

/// A name, or `{expression, resources[]}`.
fn choice(config: &Object<'_>, key: &str, list: &str) -> Result<Choice> {
    let Some(node) = config.filled(key) else { return Ok(Choice::Same) };
    if node.json().is_string() {
        return Ok(Choice::Named(node.text()?.to_owned()));
    }
    let object = node.object()?;
    object.warn_unknown_keys(&["expression", list]);
    let allowed = object.need(list, "[\"contacts\"]")?.array()?;
    Ok(Choice::Computed {
        expression: Arc::from(object.need("expression", "\"$exists(query.deal_id) ? 'deals' : 'leads'\"")?.text()?),
        allowed: allowed.iter().map(|name| name.text().map(str::to_owned)).collect::<Result<_>>()?,
    })
}

fn steps(config: &Object<'_>, key: &str) -> Result<Vec<Step>> {
    let list = config.map(key, |node| node.array())?.unwrap_or_default();
    let steps = list.iter().map(step).collect::<Result<Vec<_>>>()?;
    for (at, one) in steps.iter().enumerate() {
        let is_taken = |other: &Step| other.name.is_some() && other.name == one.name;
        if steps[..at].iter().any(is_taken) {
            list[at].fail_if_written("has the name of a step before it; give each its own")?;
        }
    }
    Ok(steps)
}

fn step(node: &Node<'_>) -> Result<Step> {
    const TYPES: &[&str] = &["request", "transform"];
    let object = node.object()?;
    object.warn_unknown_keys(&["name", "type", "config", "run_if"]);
    let kind = object.need("type", "\"request\"")?;
    let config = object.need("config", "{\"resource\": \"users\", \"method\": \"list\"}")?;
    let kind = match kind.text()? {
        "request" if config.json().is_string() => StepKind::ComputedRequest(Arc::from(config.text()?)),
        "request" => StepKind::Request(Box::new(request(&config)?)),
        "transform" if config.json().is_string() => StepKind::Transform(Arc::from(config.text()?)),
        "transform" => {
            let config = config.object()?;
            StepKind::Transform(Arc::from(config.need("expression", "\"before.users.id\"")?.text()?))
        }
        other => return Err(kind.fail(format_args!("{other:?} is not known here; use {}", listed(TYPES)))),
    };
    let name = object.map("name", |node| node.text().map(str::to_owned))?;
    Ok(Step { name, kind, run_if: object.map("run_if", |node| node.text().map(Arc::from))? })
}

/// A method by its name, or one of its own.
fn request(node: &Node<'_>) -> Result<Request> {
    let object = node.object()?;
    let id = object.map("id", |node| Ok(Template::compile(node.json())))?;
    if !object.has("resource") {
        if !object.has("path") && !object.has("url") {
            return Err(object.fail("must name a \"resource\" and its \"method\", or have a \"path\""));
        }
        return Ok(Request { target: RequestTarget::Own(object_of(node)?), id, query: None, body: None });
    }
    let api = object.map("type", |node| node.one_of(APIS))?;
    let resource = object.need("resource", "\"users\"")?.text()?.to_owned();
    let api = api.unwrap_or(if resource.contains('/') { CallApi::Unified } else { CallApi::Proxy });
    if api == CallApi::Unified && !resource.contains('/') {
        return Err(object
            .fail("calls the unified API, so its \"resource\" must be \"model/resource\", such as \"crm/contacts\""));
    }
    let method = object.need("method", "\"list\"")?.text()?.to_owned();
    let [query, body] = ["query", "body"].map(|key| object.map(key, |node| values(&node)));
    Ok(Request { target: RequestTarget::Named { api, resource, method }, id, query: query?, body: body? })
}

fn values(node: &Node<'_>) -> Result<Values> {
    if node.json().is_string() {
        return node.text().map(|text| Values::Expression(Arc::from(text)));
    }
    node.object()?;
    Ok(Values::Template(Template::compile(node.json())))
}

fn side_loads(config: &Object<'_>) -> Result<Vec<SideLoad>> {
    let Some(loads) = config.map("side_load", |node| node.object())? else { return Ok(Vec::new()) };
    loads.entries().map(|(key, node)| side_load(key, &node)).collect()
}

fn side_load(key: &str, node: &Node<'_>) -> Result<SideLoad> {
    let object = node.object()?;
    object.warn_unknown_keys(&["type", "resource", "method", "id", "query", "body", "response_mapping", "run_if"]);
    Ok(SideLoad {
        key: key.to_owned(),
        request: request(node)?,
        response_mapping: object.map("response_mapping", |node| Expression::decode(&node))?,
        run_if: object.map("run_if", |node| node.text().map(Arc::from))?,
    })
}
