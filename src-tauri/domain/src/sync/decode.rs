//! Reading a job's `resources` (contract sections 9.2 and 9.3).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    delete_tracking::DeleteTracking,
    destination::{Destination, DestinationKind, FileDestination},
    graph::{Form, GraphError, Node},
    node::{Content, Lifecycle, NodeKind, Recursion, Request},
};
use crate::template::Template;

/// The most nodes of a job.
const MAX_NODES: usize = 500;
/// The most entries of a batch.
const MAX_ENTRIES: usize = 100;

const TYPES: &str =
    "request, transform, add_context, spool, get_state, update_state, delete_state, event or destination";

type Result<T> = std::result::Result<T, GraphError>;

/// The node that goes where the run leads: of a flat job and of a batch.
const RUN: &str = "(run)";

pub(super) fn nodes(resources: &Value, form: Form, is_written: bool) -> Result<Vec<Node>> {
    let at_top =
        |problem: String| GraphError { path: "resources".to_owned(), node: None, problem, is_unsupported: false };
    let empty = Vec::new();
    let items = match resources {
        Value::Array(items) => items,
        Value::Null => &empty,
        _ => return Err(at_top("must be a list of nodes.".to_owned())),
    };
    let (least, most) = if form == Form::Batch { (1, MAX_ENTRIES) } else { (0, MAX_NODES) };
    if items.len() < least || items.len() > most {
        return Err(at_top(format!("must be a list of {least} to {most} nodes.")));
    }
    let entries = items.iter().enumerate().map(|(at, item)| Entry::new(at, item, form, is_written));
    let entries = entries.collect::<Result<Vec<_>>>()?;
    let mut names = BTreeSet::new();
    for entry in &entries {
        // Flat requests without a name may fetch the same resource.
        if entry.is_named && !names.insert(entry.name.as_str()) {
            return Err(entry.fail("name", format!("{:?} is another node's name too. Change one of them.", entry.name)));
        }
    }
    let mut nodes = Vec::with_capacity(entries.len());
    let mut persisted = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let node = entry.node(&entries)?;
        if entry.persists(&node.kind)? {
            persisted.push(at);
        }
        nodes.push(node);
    }
    if !persisted.is_empty() {
        let kind = Destination { kind: DestinationKind::Run, config: None, sources: persisted };
        nodes.push(node(RUN.to_owned(), "resources".to_owned(), NodeKind::Destination(Box::new(kind))));
    }
    Ok(nodes)
}

fn node(name: String, place: String, kind: NodeKind) -> Node {
    Node {
        name,
        kind,
        depends_on: Vec::new(),
        run_if: None,
        debug: false,
        place,
        template_sees_resources: false,
        below_sees_resources: false,
    }
}

/// A node as it is written.
struct Entry<'a> {
    place: String,
    map: &'a Map<String, Value>,
    form: Form,
    /// Whether it is being written, so that every rule applies.
    is_written: bool,
    kind: &'a str,
    name: String,
    is_named: bool,
}

impl<'a> Entry<'a> {
    fn new(at: usize, item: &'a Value, form: Form, is_written: bool) -> Result<Self> {
        let place = format!("resources[{at}]");
        let Value::Object(map) = item else {
            let problem = "must be an object in { }.".to_owned();
            return Err(GraphError { path: place, node: None, problem, is_unsupported: false });
        };
        let mut entry = Self { place, map, form, is_written, kind: "request", name: String::new(), is_named: true };
        let name = entry.text("name")?;
        name.unwrap_or_default().clone_into(&mut entry.name);
        match entry.text("type")? {
            Some(kind) => entry.kind = kind,
            None if form == Form::Typed => {
                return Err(entry.fail("type", format!("is missing. Use {TYPES}.")));
            }
            None => {}
        }
        if name.is_none() {
            if form == Form::Typed || entry.kind != "request" {
                let problem = "is missing. Give the node a name that no other node has.".to_owned();
                return Err(entry.fail("name", problem));
            }
            entry.need_text("resource", "\"crm/contacts\"")?.clone_into(&mut entry.name);
            entry.is_named = false;
        }
        Ok(entry)
    }

    fn fail(&self, key: &str, problem: impl Into<String>) -> GraphError {
        GraphError {
            path: format!("{}.{key}", self.place),
            node: Some(self.name.clone()).filter(|name| !name.is_empty()),
            problem: problem.into(),
            is_unsupported: false,
        }
    }

    fn unsupported(&self, key: &str, problem: &str) -> GraphError {
        GraphError { is_unsupported: true, ..self.fail(key, problem) }
    }

    /// The value of a key, or of one below `config`. Null and an empty text count as missing: Truto writes unused keys so.
    fn get(&self, key: &str) -> Option<&'a Value> {
        let (object, last) = match key.split_once('.') {
            Some((outer, inner)) => (self.map.get(outer)?.as_object()?, inner),
            None => (self.map, key),
        };
        object.get(last).filter(|value| !value.is_null() && value.as_str() != Some(""))
    }

    fn need(&self, key: &str, example: &str) -> Result<&'a Value> {
        self.get(key).ok_or_else(|| self.fail(key, format!("is missing. Add one, such as {example}.")))
    }

    fn text(&self, key: &str) -> Result<Option<&'a str>> {
        let read = |value: &'a Value| value.as_str().ok_or_else(|| self.fail(key, "must be a string in quotes."));
        self.get(key).map(read).transpose()
    }

    fn need_text(&self, key: &str, example: &str) -> Result<&'a str> {
        self.need(key, example)?;
        self.text(key).map(Option::unwrap_or_default)
    }

    fn flag(&self, key: &str) -> Result<Option<bool>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::Bool(flag)) => Ok(Some(*flag)),
            Some(_) => Err(self.fail(key, "must be true or false.")),
        }
    }

    fn template(&self, key: &str) -> Option<Template> {
        self.get(key).map(Template::compile)
    }

    /// `a.b` as its names.
    fn path(&self, key: &str) -> Result<Option<Vec<String>>> {
        let names = |text: &str| text.split('.').map(|name| name.trim().trim_matches('`').to_owned()).collect();
        Ok(self.text(key)?.map(names))
    }

    /// Names of nodes: one, or a list.
    fn names(&self, key: &str) -> Result<Vec<&'a str>> {
        match self.get(key) {
            None => Ok(Vec::new()),
            Some(Value::String(name)) => Ok(vec![name]),
            Some(Value::Array(names)) => names
                .iter()
                .map(|name| name.as_str().ok_or_else(|| self.fail(key, "must be a list of nodes' names.")))
                .collect(),
            Some(_) => Err(self.fail(key, "must be a node's name.")),
        }
    }

    /// The places of nodes, by their names or else by the resources of requests.
    fn places(&self, key: &str, entries: &[Entry<'_>]) -> Result<Vec<usize>> {
        let find = |wanted: &str| {
            let by_name = entries.iter().position(|entry| entry.name == wanted);
            let has_resource = |entry: &Entry<'_>| {
                entry.kind == "request" && entry.map.get("resource").and_then(Value::as_str) == Some(wanted)
            };
            by_name.or_else(|| entries.iter().position(has_resource)).ok_or_else(|| {
                let problem = format!("names {wanted:?}, which no node is named. Correct it, or add that node.");
                self.fail(key, problem)
            })
        };
        self.names(key)?.into_iter().map(find).collect()
    }

    fn node(&self, entries: &[Entry<'_>]) -> Result<Node> {
        let depends_on = self.places("depends_on", entries)?;
        if self.form != Form::Batch && depends_on.len() > 1 {
            return Err(self.fail("depends_on", "must be one node's name. Collect several in a chain of nodes."));
        }
        let kind = self.kind(entries)?;
        let needs_batch = matches!(kind, NodeKind::Transform(_) | NodeKind::Spool);
        if needs_batch && depends_on.is_empty() {
            return Err(self.fail("depends_on", "is missing. Name the node whose records it gets."));
        }
        let is_event = matches!(kind, NodeKind::Event(_));
        if is_event && !depends_on.is_empty() && self.is_written {
            return Err(self.fail("depends_on", "has no effect on an event, which depends on nothing. Take it away."));
        }
        if is_event && self.get("run_if").is_some() && self.is_written {
            return Err(
                self.fail("run_if", "has no effect on an event. Give it to the nodes that depend on the event.")
            );
        }
        Ok(Node {
            depends_on: if is_event { Vec::new() } else { depends_on },
            run_if: self.text("run_if")?.map(str::to_owned),
            debug: if self.is_written { self.flag("debug")? } else { self.flag("debug").unwrap_or_default() }
                .unwrap_or_default(),
            ..node(self.name.clone(), self.place.clone(), kind)
        })
    }

    fn kind(&self, entries: &[Entry<'_>]) -> Result<NodeKind> {
        if self.form == Form::Batch && !["request", "transform", "spool"].contains(&self.kind) {
            let problem = format!("{:?} isn't known in a batch. Use request, transform or spool.", self.kind);
            return Err(self.fail("type", problem));
        }
        Ok(match self.kind {
            "request" => NodeKind::Request(Box::new(self.request()?)),
            "transform" => NodeKind::Transform(self.expression()?),
            "add_context" => NodeKind::AddContext(self.expression()?),
            "spool" => NodeKind::Spool,
            "get_state" => NodeKind::GetState { key: self.key()?, default: self.template("config.default") },
            "update_state" => NodeKind::UpdateState { key: self.key()?, value: self.state_value()? },
            "delete_state" => NodeKind::DeleteState { key: self.key()? },
            "event" => NodeKind::Event(match self.need_text("config.name", "\"complete\"")? {
                "start" => Lifecycle::Start,
                "complete" => Lifecycle::Complete,
                "error" => Lifecycle::Error,
                other => {
                    let problem = format!("{other:?} isn't known. Use start, complete or error.");
                    return Err(self.fail("config.name", problem));
                }
            }),
            "destination" => NodeKind::Destination(Box::new(self.destination(entries)?)),
            other => return Err(self.fail("type", format!("{other:?} isn't known. Use {TYPES}."))),
        })
    }

    /// `config.expression`. Flat nodes may have it as the `config` itself.
    fn expression(&self) -> Result<String> {
        if let (Form::Flat | Form::Batch, Some(Value::String(expression))) = (self.form, self.get("config")) {
            return Ok(expression.clone());
        }
        self.need_text("config.expression", "\"resources.contacts\"").map(str::to_owned)
    }

    fn key(&self) -> Result<Template> {
        self.need_text("config.key", "\"last_synced_at\"")?;
        Ok(self.template("config.key").unwrap_or_else(|| Template::compile(&Value::Null)))
    }

    /// The expression wins.
    fn state_value(&self) -> Result<Content> {
        if let Some(expression) = self.text("config.value_expression")? {
            return Ok(Content::Expression(expression.to_owned()));
        }
        // An empty text is a value here.
        let value = self.map.get("config").and_then(|config| config.get("value")).filter(|value| !value.is_null());
        let value = value.ok_or_else(|| {
            let problem = "is missing, and so is config.value_expression. Add one of them.";
            self.fail("config.value", problem)
        })?;
        Ok(Content::Template(Template::compile(value)))
    }

    fn request(&self) -> Result<Request> {
        let resource = self.need_text("resource", "\"crm/contacts\"")?.to_owned();
        if resource.split('/').any(|part| part.trim().is_empty()) || resource.split('/').count() > 2 {
            let problem = "must be \"model/resource\" for the unified API, or one name for the proxy.";
            return Err(self.fail("resource", problem));
        }
        let method = match self.form {
            Form::Typed => self.need_text("method", "\"list\"")?,
            Form::Flat | Form::Batch => self.text("method")?.unwrap_or("list"),
        };
        let delete_tracking = self.delete_tracking(&resource, method)?;
        let recurse = match self.get("recurse") {
            None => None,
            Some(Value::Object(_)) => {
                let condition = self.need("recurse.if", "\"{{resources.pages.has_children:bool}}\"")?;
                let config = self.need("recurse.config", "{\"query\": {\"parent\": \"{{resources.pages.id}}\"}}")?;
                if !config.is_object() {
                    return Err(self.fail("recurse.config", "must be an object in { }."));
                }
                Some(Recursion { condition: Template::compile(condition), config: Template::compile(config) })
            }
            Some(_) => return Err(self.fail("recurse", "must be an object with if and config.")),
        };
        let content = |key: &str| self.get(key).map(Content::read);
        if self.get("query").is_some_and(|query| !query.is_object() && !query.is_string()) {
            return Err(self.fail("query", "must be an object, or a string with JSONata."));
        }
        Ok(Request {
            resource,
            method: method.to_owned(),
            account: self.template("integrated_account_id"),
            id: self.template("id"),
            query: content("query"),
            body: content("body"),
            loop_on: self.path("loop_on")?,
            recurse,
            delete_tracking,
            response_format: self.text("response_format")?.map(str::to_owned),
        })
    }

    /// Stored ones that could not be written have no effect.
    fn delete_tracking(&self, resource: &str, method: &str) -> Result<Option<DeleteTracking>> {
        let (mode, query) = (self.get("delete_tracking"), self.get("delete_tracking_query"));
        let fail = |problem: &str| Err(("delete_tracking".to_owned(), problem.to_owned()));
        let read = match (mode, query) {
            (None, None) => Ok(None),
            _ if self.form == Form::Batch => {
                fail("has no effect in a batch, whose answer keeps no rows. Take it away.")
            }
            _ if method != "list" || !resource.contains('/') => {
                fail("is for the method list of a resource of the unified API alone. Take it away.")
            }
            (None, Some(_)) => fail("is missing, which delete_tracking_query is for. Add it: \"soft\" or \"hard\"."),
            (Some(mode), query) => DeleteTracking::read(mode, query).map(Some),
        };
        match read {
            Err((key, problem)) if self.is_written => Err(self.fail(&key, problem)),
            read => Ok(read.ok().flatten()),
        }
    }

    fn destination(&self, entries: &[Entry<'_>]) -> Result<Destination> {
        let sources = self.places("resources_to_persist", entries)?;
        if sources.is_empty() && self.is_written {
            let problem = "is missing. Name the nodes whose records go here.";
            return Err(self.fail("resources_to_persist", problem));
        }
        let emits = |at: &usize| !["destination", "event", "delete_state", "update_state"].contains(&entries[*at].kind);
        if let Some(at) = sources.iter().find(|at| !emits(at)) {
            let problem = format!("names {:?}, which has no records. Take it away.", entries[*at].name);
            return Err(self.fail("resources_to_persist", problem));
        }
        let known = "webhook, datastore or file";
        let kind = match self.need_text("destination_type", "\"webhook\"")? {
            "webhook" => DestinationKind::Webhook,
            "datastore" => DestinationKind::Datastore {
                method: self.need_text("method", "\"uploadObject\"")?.to_owned(),
                loop_on: self.path("loop_on")?,
            },
            "file" => {
                let config = self.need("config", "{\"path\": \"tickets.sqlite\", \"format\": \"sqlite\"}")?;
                let checked = FileDestination::read(config);
                let file = checked.map_err(|problem| self.fail(&format!("config.{}", problem.key), problem.problem))?;
                DestinationKind::File { replaces: file.key.is_some() }
            }
            "superquery" => {
                let problem =
                    format!("\"superquery\" isn't there in Relink, which keeps no copy of records. Use {known}.");
                return Err(self.unsupported("destination_type", &problem));
            }
            other => return Err(self.fail("destination_type", format!("{other:?} isn't known. Use {known}."))),
        };
        if matches!(kind, DestinationKind::Webhook | DestinationKind::Datastore { .. }) {
            self.need("config.id", "\"{{args.webhook_id}}\"")?;
        }
        Ok(Destination { kind, config: self.template("config"), sources })
    }

    /// Whether its records go where the run leads: for a flat job unless `persist` is false, for a batch if it is unified or asks for it.
    fn persists(&self, kind: &NodeKind) -> Result<bool> {
        let by_default = match (self.form, kind) {
            (Form::Flat, NodeKind::Request(_) | NodeKind::Transform(_) | NodeKind::Spool) => true,
            (Form::Batch, NodeKind::Request(request)) => request.is_unified(),
            (Form::Batch, NodeKind::Transform(_) | NodeKind::Spool) => false,
            _ => return Ok(false),
        };
        Ok(self.flag("persist")?.unwrap_or(by_default))
    }
}
