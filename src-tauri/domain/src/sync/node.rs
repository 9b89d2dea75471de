//! The nodes of a job (contract section 9.2).

use std::fmt;

use serde_json::Value;

use super::{delete_tracking::DeleteTracking, destination::Destination};
use crate::template::{Placeholder, Template};

/// What a node does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// Fetches records. Lists are followed, and each page is a batch for what depends on it.
    Request(Box<Request>),
    /// JSONata, whose value replaces the batch. A missing or empty one drops it.
    Transform(String),
    /// JSONata, whose object's keys become names at the top for what depends on it. The batch passes unchanged.
    AddContext(String),
    /// Holds all batches, and passes them on once, as one.
    Spool,
    /// `resources.{name}.value`.
    GetState {
        key: Template,
        default: Option<Template>,
    },
    UpdateState {
        key: Template,
        value: Content,
    },
    DeleteState {
        key: Template,
    },
    /// What depends on it runs when it happens.
    Event(Lifecycle),
    Destination(Box<Destination>),
}

/// When an event node happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lifecycle {
    /// Before everything else.
    Start,
    /// After everything else, if the run completed.
    Complete,
    /// If the run failed.
    Error,
}

/// A value with templates in it, or JSONata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    Template(Template),
    Expression(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// `crm/contacts` for the unified API, `contacts` for the proxy.
    pub resource: String,
    pub method: String,
    /// None: the run's account.
    pub account: Option<Template>,
    pub id: Option<Template>,
    pub query: Option<Content>,
    pub body: Option<Content>,
    /// The path of a list: the request is made once for each of its elements.
    pub loop_on: Option<Vec<String>>,
    pub recurse: Option<Recursion>,
    pub delete_tracking: Option<DeleteTracking>,
    /// Truto's records of it: which form of answer, for a batch (contract section 0.6).
    pub response_format: Option<String>,
}

/// The request again, for each record that `condition` is true for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recursion {
    /// A template that gives a boolean.
    pub condition: Template,
    /// Merged over the request: [`Recursion::KEYS`].
    pub config: Template,
}

impl Recursion {
    /// What may differ when the request is made again. Its records stay those of the node's resource.
    pub const KEYS: &[&str] =
        &["resource", "method", "integrated_account_id", "id", "query", "body", "response_format"];
}

impl Request {
    pub fn is_unified(&self) -> bool {
        self.resource.contains('/')
    }

    /// Where its records are, below `resources`.
    pub fn path(&self) -> Vec<String> {
        self.resource.split('/').map(str::to_owned).collect()
    }
}

impl Content {
    /// A text is JSONata, anything else has templates.
    pub(super) fn read(value: &Value) -> Self {
        match value {
            Value::String(expression) => Self::Expression(expression.clone()),
            other => Self::Template(Template::compile(other)),
        }
    }
}

/// A name at the top of what templates and expressions see, whose value may be large.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Large {
    /// `resources`: the records of requests.
    Resources,
    /// `payload`: those that a destination gets.
    Payload,
}

impl Large {
    const fn name(self) -> &'static str {
        match self {
            Self::Resources => "resources",
            Self::Payload => "payload",
        }
    }

    /// Whether an expression may look at it. One that never writes the name is evaluated without it, so that records can stay text.
    pub fn is_seen_by(self, expression: &str) -> bool {
        expression.contains(self.name())
    }

    /// Whether a template names it.
    pub fn is_named_by(self, template: &Template) -> bool {
        template.placeholders().into_iter().flat_map(Placeholder::roots).any(|root| root == self.name())
    }
}

impl NodeKind {
    /// Its `type`.
    pub const fn type_name(&self) -> &'static str {
        match self {
            Self::Request(_) => "request",
            Self::Transform(_) => "transform",
            Self::AddContext(_) => "add_context",
            Self::Spool => "spool",
            Self::GetState { .. } => "get_state",
            Self::UpdateState { .. } => "update_state",
            Self::DeleteState { .. } => "delete_state",
            Self::Event(_) => "event",
            Self::Destination(_) => "destination",
        }
    }

    /// Its templates.
    pub(super) fn templates(&self) -> Vec<&Template> {
        fn content(content: &Content) -> Option<&Template> {
            if let Content::Template(template) = content { Some(template) } else { None }
        }
        match self {
            Self::Request(it) => {
                let recursion = it.recurse.iter().flat_map(|it| [&it.condition, &it.config]);
                let contents = [&it.query, &it.body].into_iter().flatten().filter_map(content);
                let conditions = it.delete_tracking.iter().flat_map(|it| &it.conditions).map(|it| &it.value);
                let texts = [&it.account, &it.id].into_iter().flatten();
                texts.chain(contents).chain(recursion).chain(conditions).collect()
            }
            Self::GetState { key, default } => std::iter::once(key).chain(default).collect(),
            Self::UpdateState { key, value } => std::iter::once(key).chain(content(value)).collect(),
            Self::DeleteState { key } => vec![key],
            Self::Destination(it) => it.config.iter().collect(),
            Self::Transform(_) | Self::AddContext(_) | Self::Spool | Self::Event(_) => Vec::new(),
        }
    }

    /// Its JSONata, with where it is written in the node.
    pub(super) fn expressions(&self) -> Vec<(&'static str, &str)> {
        fn content<'c>(key: &'static str, content: Option<&'c Content>) -> Option<(&'static str, &'c str)> {
            if let Some(Content::Expression(expression)) = content { Some((key, expression)) } else { None }
        }
        match self {
            Self::Transform(expression) | Self::AddContext(expression) => vec![("config.expression", expression)],
            Self::Request(it) => {
                [content("query", it.query.as_ref()), content("body", it.body.as_ref())].into_iter().flatten().collect()
            }
            Self::UpdateState { value, .. } => content("config.value_expression", Some(value)).into_iter().collect(),
            Self::Spool | Self::GetState { .. } | Self::DeleteState { .. } | Self::Event(_) | Self::Destination(_) => {
                Vec::new()
            }
        }
    }
}

impl fmt::Display for Lifecycle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Complete => "complete",
            Self::Error => "error",
        })
    }
}
