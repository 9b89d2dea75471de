//! A mapping: how a unified method is called at an integration.

use std::{fmt, sync::Arc};

use serde_json::{Map, Value};

use super::{Requirements, expression::Expression};
use crate::{integration::actions::CallApi, template::Template};

/// The config of a mapping, read (contract section 8.2). Its keys are in the order in which they take effect.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Mapping {
    /// Defaults under the caller's query.
    pub query: Map<String, Value>,
    /// The default under the caller's body.
    pub body: Option<Value>,
    pub before: Vec<Step>,
    /// The proxy resource that is called.
    pub resource: Choice,
    /// Its method.
    pub method: Choice,
    /// Gives the proxy query, whole.
    pub query_mapping: Option<Expression>,
    pub request_body_mapping: Option<Expression>,
    /// Gives the path below the base URL, in place of the proxy method's.
    pub path_mapping: Option<Expression>,
    pub request_header_mapping: Option<Expression>,
    pub error_mapping: Option<Expression>,
    pub response_mapping: Option<Expression>,
    pub response_mapping_method: ResponseMethod,
    /// In their order in the config.
    pub side_load: Vec<SideLoad>,
    pub after: Vec<Step>,
    pub is_partial_expression: Option<Arc<str>>,
    pub response_header_mapping: Option<Expression>,
    /// JSON schemas.
    pub query_schema: Option<Map<String, Value>>,
    pub request_body_schema: Option<Map<String, Value>>,
    /// What the two need.
    pub required_query: Requirements,
    pub required_body: Requirements,
    /// Only described.
    pub file_upload: Option<Value>,
    pub documentation_link: Option<String>,
}

/// The name of a proxy resource or method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Choice {
    /// The unified one.
    #[default]
    Same,
    Named(String),
    /// What the expression gives, which must be one of these.
    Computed {
        expression: Arc<str>,
        allowed: Vec<String>,
    },
}

/// Over what a response mapping runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ResponseMethod {
    /// Once, over all records.
    #[default]
    Array,
    /// Over each record.
    Item,
}

/// What runs before or after the call.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Under which its result is found. Without one it has its place's number.
    pub name: Option<String>,
    pub kind: StepKind,
    /// JSONata. Unless it gives a truthy value, the step is skipped.
    pub run_if: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StepKind {
    Request(Box<Request>),
    /// A request whose config JSONata gives.
    ComputedRequest(Arc<str>),
    Transform(Arc<str>),
}

/// A call that a step or a side load makes.
#[derive(Debug, Clone, PartialEq)]
pub struct Request {
    pub target: RequestTarget,
    pub id: Option<Template>,
    pub query: Option<Values>,
    pub body: Option<Values>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RequestTarget {
    /// A method of the integration, or of a unified model (`model/resource`).
    Named { api: CallApi, resource: String, method: String },
    /// A method of its own (contract section 4.6), as it is written.
    Own(Map<String, Value>),
}

/// The query or the body of a request.
#[derive(Debug, Clone, PartialEq)]
pub enum Values {
    /// An object, with templates.
    Template(Template),
    /// JSONata.
    Expression(Arc<str>),
}

/// A further call for each record, whose result is added to it.
#[derive(Debug, Clone, PartialEq)]
pub struct SideLoad {
    /// Where in the record the result goes.
    pub key: String,
    pub request: Request,
    /// Over the result of the call.
    pub response_mapping: Option<Expression>,
    pub run_if: Option<Arc<str>>,
}

/// Why a config is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MappingError {
    /// The key: `before[0].config.resource`.
    pub path: String,
    /// What is wrong and what to do.
    pub problem: String,
}

impl std::error::Error for MappingError {}

impl fmt::Display for MappingError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.problem) } else { write!(f, "{}: {}", self.path, self.problem) }
    }
}

impl Mapping {
    /// Its JSONata expressions with their keys, to be checked when the config is written.
    pub fn expressions(&self) -> Vec<(String, &str)> {
        let mut found = Vec::new();
        steps("before", &self.before, &mut found);
        for (key, choice) in [("resource", &self.resource), ("method", &self.method)] {
            if let Choice::Computed { expression, .. } = choice {
                found.push((format!("{key}.expression"), expression));
            }
        }
        for (key, expression) in self.mappings() {
            expression.texts(key, &mut found);
        }
        for load in &self.side_load {
            let place = format!("side_load.{}", load.key);
            load.request.texts(&place, &mut found);
            found.extend(load.run_if.as_deref().map(|text| (format!("{place}.run_if"), text)));
            if let Some(mapping) = &load.response_mapping {
                mapping.texts(&format!("{place}.response_mapping"), &mut found);
            }
        }
        steps("after", &self.after, &mut found);
        found.extend(self.is_partial_expression.as_deref().map(|text| ("is_partial_expression".to_owned(), text)));
        found
    }

    /// The keys that are expressions or objects of them, as far as they are there.
    fn mappings(&self) -> impl Iterator<Item = (&'static str, &Expression)> {
        [
            ("query_mapping", &self.query_mapping),
            ("request_body_mapping", &self.request_body_mapping),
            ("path_mapping", &self.path_mapping),
            ("request_header_mapping", &self.request_header_mapping),
            ("error_mapping", &self.error_mapping),
            ("response_mapping", &self.response_mapping),
            ("response_header_mapping", &self.response_header_mapping),
        ]
        .into_iter()
        .filter_map(|(key, mapping)| Some((key, mapping.as_ref()?)))
    }
}

fn steps<'a>(place: &str, steps: &'a [Step], found: &mut Vec<(String, &'a str)>) {
    for (at, step) in steps.iter().enumerate() {
        let place = format!("{place}[{at}]");
        found.extend(step.run_if.as_deref().map(|text| (format!("{place}.run_if"), text)));
        match &step.kind {
            StepKind::Request(request) => request.texts(&format!("{place}.config"), found),
            StepKind::ComputedRequest(text) => found.push((format!("{place}.config"), text)),
            StepKind::Transform(text) => found.push((format!("{place}.config.expression"), text)),
        }
    }
}

impl Request {
    fn texts<'a>(&'a self, place: &str, found: &mut Vec<(String, &'a str)>) {
        for (key, values) in [("query", &self.query), ("body", &self.body)] {
            if let Some(Values::Expression(text)) = values {
                found.push((format!("{place}.{key}"), text));
            }
        }
    }
}
