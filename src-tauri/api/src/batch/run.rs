//! Running a batch.

use std::collections::{BTreeMap, BTreeSet};

use relink_calls::{Expressions, is_truthy};
use relink_domain::{
    sync::{Content, Filled, Graph, Node, NodeKind, Recursion, Request},
    template::{Root, Scope, Template},
};
use serde::Serialize;
use serde_json::{Map, Value, json};

/// The most requests of a batch: what follows lists without an end has one.
const MAX_REQUESTS: usize = 1000;

/// Makes the calls of a batch.
pub(super) trait Caller {
    /// One page of a method's records, or the error in Truto's form.
    fn call(&self, call: MethodCall) -> impl Future<Output = Result<Answered, Value>> + Send;
}

/// A call of a method through `/proxy`, with all templates filled.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct MethodCall {
    pub(crate) resource: String,
    pub(crate) method: String,
    pub(crate) id: Option<String>,
    pub(crate) query: Map<String, Value>,
    pub(crate) body: Option<Value>,
}

/// A page of a list, or one record.
#[derive(Debug, Default)]
pub(super) struct Answered {
    pub(super) records: Vec<Value>,
    pub(super) next_cursor: Option<String>,
}

/// Truto's answer.
#[derive(Debug, Default, Serialize)]
pub(super) struct BatchAnswer {
    pub(super) result: BTreeMap<String, Vec<Value>>,
    pub(super) errors: BTreeMap<String, Vec<Value>>,
}

/// What the templates and expressions of a batch see of its account: no secrets, because whatever a caller writes a placeholder for may
/// come back to it.
pub(super) struct AccountValues<'a> {
    pub(super) context: &'a Map<String, Value>,
    pub(super) tenant_id: &'a str,
}

pub(super) struct Runner<'a, C, X> {
    pub(super) account: AccountValues<'a>,
    pub(super) caller: C,
    pub(super) expressions: X,
}

/// What an entry sees beside the account.
#[derive(Debug, Clone)]
struct Seen {
    args: Map<String, Value>,
    /// The records of all entries that ran before, by their paths.
    resources: Map<String, Value>,
}

/// The records of an entry that ran, in batches: a list's pages one by one.
#[derive(Debug, Default)]
struct Outcome {
    batches: Vec<Vec<Value>>,
    /// Whether it ended with an error, so that nothing that depends on it runs.
    failed: bool,
}

/// The run of an entry.
struct EntryRun<'r, 'a, C, X> {
    runner: &'r Runner<'a, C, X>,
    /// The records so far.
    batches: Vec<Vec<Value>>,
    /// How many requests the batch may still make.
    left: &'r mut usize,
}

impl<C: Caller, X: Expressions> Runner<'_, C, X> {
    /// Runs each entry to its end before those that depend on it.
    pub(super) async fn run(&self, graph: &Graph, args: &Map<String, Value>) -> BatchAnswer {
        let mut answer = BatchAnswer::default();
        let mut outcomes: BTreeMap<usize, Outcome> = BTreeMap::new();
        let mut left = MAX_REQUESTS;
        let mut seen = Seen { args: args.clone(), resources: Map::new() };
        let kept = kept(graph);
        for (place, node) in graph.in_order() {
            if matches!(node.kind, NodeKind::Destination(_)) {
                continue;
            }
            let errors = answer.errors.entry(node.key().to_owned()).or_default();
            let mut run = EntryRun { runner: self, batches: Vec::new(), left: &mut left };
            let has_failed = |other: &usize| outcomes.get(other).is_some_and(|outcome| outcome.failed);
            let mut failed = node.depends_on.iter().any(has_failed);
            if !failed && let Err(error) = run.entry(node, graph, &outcomes, &seen).await {
                errors.push(error);
                failed = true;
            }
            let outcome = Outcome { batches: run.batches, failed };
            let records = outcome.batches.concat();
            if kept.contains(&place) {
                answer.result.entry(node.key().to_owned()).or_default().extend(records.iter().cloned());
            }
            put(&mut seen.resources, &path_of(node), records.into());
            outcomes.insert(place, outcome);
        }
        answer
    }
}

impl<C: Caller, X: Expressions> EntryRun<'_, '_, C, X> {
    async fn entry(
        &mut self,
        node: &Node,
        graph: &Graph,
        outcomes: &BTreeMap<usize, Outcome>,
        seen: &Seen,
    ) -> Result<(), Value> {
        let above = node.depends_on.first().and_then(|at| Some((graph.node(*at), outcomes.get(at)?)));
        let Some((above, outcome)) = above else { return self.once(node, &[], seen).await };
        let whole = [outcome.batches.concat()];
        let batches = match node.kind {
            NodeKind::Spool if whole[0].is_empty() => &[][..],
            NodeKind::Spool => &whole[..],
            _ => outcome.batches.as_slice(),
        };
        for batch in batches {
            let mut seen = seen.clone();
            put(&mut seen.resources, &path_of(above), batch.clone().into());
            self.once(node, batch, &seen).await?;
        }
        Ok(())
    }

    /// Runs an entry for one batch of what it depends on.
    async fn once(&mut self, node: &Node, batch: &[Value], seen: &Seen) -> Result<(), Value> {
        if let Some(condition) = &node.run_if {
            let found = self.runner.evaluate(condition, seen).await?;
            if !found.as_ref().is_some_and(is_truthy) {
                return Ok(());
            }
        }
        match &node.kind {
            NodeKind::Request(request) => self.request(request, seen).await?,
            NodeKind::Spool => self.keep(batch.to_vec().into()),
            NodeKind::Transform(expression) => {
                let found = self.runner.evaluate(expression, seen).await?;
                self.keep(found.unwrap_or_default());
            }
            // No batch has one.
            _ => {}
        }
        Ok(())
    }

    async fn request(&mut self, request: &Request, seen: &Seen) -> Result<(), Value> {
        let Some(path) = &request.loop_on else { return self.follow(request, seen, 0).await };
        for record in seen.elements(path) {
            let mut seen = seen.clone();
            seen.put(path, record);
            self.follow(request, &seen, 0).await?;
        }
        Ok(())
    }

    /// Follows a list to its end. `depth`: how many recursions have led here.
    async fn follow(&mut self, request: &Request, seen: &Seen, depth: u32) -> Result<(), Value> {
        let mut call = self.runner.filled(request, seen, depth > 0).await?;
        loop {
            *self.left = self.left.checked_sub(1).ok_or_else(|| {
                let message =
                    format!("This batch needs more than {MAX_REQUESTS} requests. Divide it, or narrow its lists.");
                bad_request(&message)
            })?;
            let Answered { records, next_cursor } = self.runner.caller.call(call.clone()).await?;
            self.keep(records.clone().into());
            if let Some(recursion) = &request.recurse {
                let mut below = seen.clone();
                for record in records {
                    put(&mut below.resources, &request.path(), record);
                    let condition = self.runner.fill(&recursion.condition, &below)?;
                    if !Recursion::holds(condition.as_ref()) {
                        continue;
                    }
                    if depth >= Recursion::MAX_DEPTH {
                        return Err(bad_request(&Recursion::too_deep()));
                    }
                    Box::pin(self.follow(request, &below, depth + 1)).await?;
                }
            }
            match next_cursor {
                Some(cursor) => call.query.insert("next_cursor".to_owned(), cursor.into()),
                None => return Ok(()),
            };
        }
    }

    /// Adds a value's records as a batch. Null or an empty list drops it.
    fn keep(&mut self, value: Value) {
        let records = match value {
            Value::Null => return,
            Value::Array(records) => records,
            one => vec![one],
        };
        if !records.is_empty() {
            self.batches.push(records);
        }
    }
}

impl<C, X: Expressions> Runner<'_, C, X> {
    async fn filled(&self, request: &Request, seen: &Seen, is_again: bool) -> Result<MethodCall, Value> {
        let id = request.id.as_ref().map(|id| self.fill(id, seen)).transpose()?.flatten();
        let query = self.content(request.query.as_ref(), seen).await?;
        let mut filled = Filled {
            resource: request.resource.clone(),
            method: request.method.clone(),
            account: None,
            id: Filled::text_of(id),
            query: Filled::query_of(query).map_err(bad_request)?,
            body: self.content(request.body.as_ref(), seen).await?,
            response_format: request.response_format.clone(),
        };
        if let Some(recursion) = request.recurse.as_ref().filter(|_| is_again) {
            filled.merge(self.fill(&recursion.config, seen)?).map_err(bad_request)?;
        }
        let Filled { resource, method, id, mut query, body, response_format, .. } = filled;
        if let Some(format) = response_format.filter(|_| resource.contains('/')) {
            query.insert("truto_response_format".to_owned(), format.into());
        }
        Ok(MethodCall { resource, method, id, query, body })
    }

    async fn content(&self, content: Option<&Content>, seen: &Seen) -> Result<Option<Value>, Value> {
        match content {
            None => Ok(None),
            Some(Content::Template(template)) => self.fill(template, seen),
            Some(Content::Expression(expression)) => self.evaluate(expression, seen).await,
        }
    }

    fn fill(&self, template: &Template, seen: &Seen) -> Result<Option<Value>, Value> {
        let none = BTreeMap::new();
        let roots = [("args", Root::Object(&seen.args)), ("resources", Root::Object(&seen.resources))];
        let scope = Scope {
            tenant_id: Some(self.account.tenant_id),
            roots: &roots,
            ..Scope::new(self.account.context, &none, None)
        };
        let filled = template.fill(&scope).map_err(|failed| bad_request(&failed.to_string()))?;
        Ok(filled.expose().cloned())
    }

    async fn evaluate(&self, expression: &str, seen: &Seen) -> Result<Option<Value>, Value> {
        let mut input = self.account.context.clone();
        input.insert("args".to_owned(), seen.args.clone().into());
        input.insert("tenant_id".to_owned(), self.account.tenant_id.into());
        input.insert("resources".to_owned(), seen.resources.clone().into());
        let found = self.expressions.evaluate(expression, input.into()).await;
        found.map_err(|failed| bad_request(&failed.to_string()))
    }
}

impl Seen {
    /// What a loop takes one by one. Truto's own documents write the path with and without `resources`.
    fn elements(&self, path: &[String]) -> Vec<Value> {
        let (root, path) = self.root(path);
        match at(root, path) {
            Some(Value::Array(records)) => records.clone(),
            None | Some(Value::Null) => Vec::new(),
            Some(one) => vec![one.clone()],
        }
    }

    fn put(&mut self, path: &[String], value: Value) {
        match path.split_first() {
            Some((root, below)) if root == "args" => put(&mut self.args, below, value),
            Some((root, below)) if root == "resources" => put(&mut self.resources, below, value),
            _ => put(&mut self.resources, path, value),
        }
    }

    fn root<'s>(&'s self, path: &'s [String]) -> (&'s Map<String, Value>, &'s [String]) {
        match path.split_first() {
            Some((root, below)) if root == "args" => (&self.args, below),
            Some((root, below)) if root == "resources" => (&self.resources, below),
            _ => (&self.resources, path),
        }
    }
}

/// The places of the entries whose records are in the answer.
fn kept(graph: &Graph) -> BTreeSet<usize> {
    let sources = |node: &Node| match &node.kind {
        NodeKind::Destination(it) => it.sources.clone(),
        _ => Vec::new(),
    };
    graph.nodes().iter().flat_map(sources).collect()
}

/// Where an entry's records are for those that run later, below `resources`.
fn path_of(node: &Node) -> Vec<String> {
    if let NodeKind::Request(request) = &node.kind { request.path() } else { vec![node.name.clone()] }
}

fn at<'v>(object: &'v Map<String, Value>, path: &[String]) -> Option<&'v Value> {
    let (first, below) = path.split_first()?;
    below.iter().try_fold(object.get(first)?, |value, name| value.get(name))
}

/// Puts a value at a path, in place of what is there.
fn put(object: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((name, below)) = path.split_first() else { return };
    if below.is_empty() {
        object.insert(name.clone(), value);
        return;
    }
    let inner = object.entry(name.clone()).or_insert_with(|| Map::new().into());
    if !inner.is_object() {
        *inner = Map::new().into();
    }
    if let Value::Object(inner) = inner {
        put(inner, below, value);
    }
}

fn bad_request(message: &str) -> Value {
    error(400, "Bad Request", message)
}

/// An error in Truto's form (contract section 0.4).
pub(crate) fn error(status: u16, reason: &str, message: &str) -> Value {
    json!({"statusCode": status, "error": reason, "message": message})
}
