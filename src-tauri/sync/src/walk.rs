//! A batch through the nodes below a request, in memory: everything between two commits.

mod deliver;

pub(crate) use self::deliver::undelivered;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    sync::Arc,
};

use relink_domain::{
    sync::{BatchId, Content, Counts, ErrorHandling, Graph, Node, NodeKind, ResourceStats},
    template::Template,
    truth::is_truthy,
};
use serde_json::{Value, value::RawValue};

use crate::{
    host::{Account, Host, Level, LogLine},
    journal::{Elements, Place, RecordError, Scope, SpoolHead, Spooled, StateWrite, Task},
    run::{Interrupt, Run},
    view::{Batch, RESOURCES, View, bad_request, counted, value, values},
};

/// What a node below sees and gets.
#[derive(Debug, Clone)]
pub(crate) struct Flow {
    pub(crate) scope: Scope,
    pub(crate) account: Arc<Account>,
    /// None: no request or transform is above.
    pub(crate) batch: Option<Batch>,
    pub(crate) seen: u64,
}

/// Nodes that run one after the other, and what they see.
struct Frame {
    nodes: Vec<usize>,
    next: usize,
    flow: Flow,
    /// The node that they depend on.
    from: usize,
}

/// What doesn't change on the way.
pub(crate) struct Walker<'w, H> {
    pub(crate) host: &'w H,
    pub(crate) run: &'w Run,
    pub(crate) graph: &'w Graph,
    pub(crate) ending: Option<(&'static str, String)>,
    pub(crate) handling: ErrorHandling,
    /// The numbers that make ids of batches: the task, its element and its page.
    pub(crate) place: [u64; 3],
}

/// What has come together for the commit.
#[derive(Debug, Default)]
pub(crate) struct Gathered {
    /// In the order in which they are to run.
    pub(crate) tasks: Vec<Task>,
    pub(crate) next_task: u64,
    pub(crate) spooled: Vec<Spooled>,
    pub(crate) heads: BTreeMap<usize, SpoolHead>,
    pub(crate) states: Vec<StateWrite>,
    pub(crate) stats: ResourceStats,
    pub(crate) errors: Vec<RecordError>,
    /// See [`Head::incomplete`](crate::Head::incomplete).
    pub(crate) incomplete: BTreeSet<usize>,
}

impl Gathered {
    /// A node has failed or was skipped: what comes through it may be missing at its destinations.
    pub(crate) fn lacks(&mut self, at: usize, graph: &Graph) {
        // What these add is seen beside them, too, and may be in the query.
        let adds_names = matches!(graph.node(at).kind, NodeKind::AddContext(_) | NodeKind::GetState { .. });
        let tracked = graph.tracked().iter().enumerate();
        let affected = tracked.filter(|(_, tracked)| adds_names || tracked.goes_through(at));
        self.incomplete.extend(affected.map(|(tracked, _)| tracked));
    }

    pub(crate) fn task(&mut self, node: usize, scope: Scope, elements: Option<Elements>, depth: u32) -> Task {
        let id = self.next_task;
        self.next_task += 1;
        Task { id, node, scope, elements, depth, place: Place::default() }
    }

    fn spool(&mut self, at: usize, flow: &Flow) {
        let Some(batch) = &flow.batch else { return };
        let head = || SpoolHead { scope: flow.scope.clone(), names: batch.names.clone() };
        self.heads.entry(at).or_insert_with(head);
        self.spooled.push(Spooled { spool: at, records: batch.records.to_vec() });
    }
}

/// An error of a node, in Truto's form, or the end of the step.
pub(crate) enum NodeError {
    Failed(Value),
    Interrupt(Interrupt),
}

impl From<Value> for NodeError {
    fn from(error: Value) -> Self {
        Self::Failed(error)
    }
}

impl<H: Host> Walker<'_, H> {
    /// Runs nodes and everything below them up to the next requests and spools. Gives the scope as it is then, which counts for the whole
    /// run if there is no batch.
    pub(crate) async fn walk(
        &self,
        nodes: Vec<usize>,
        from: usize,
        flow: Flow,
        delivered: &mut HashSet<BatchId>,
        gathered: &mut Gathered,
    ) -> Result<Scope, Interrupt> {
        let mut frames = vec![Frame { nodes, next: 0, flow, from }];
        // They see all that is added before any request.
        let mut requests = Vec::new();
        loop {
            let Some(frame) = frames.last_mut() else { return Ok(Scope::default()) };
            let Some(at) = frame.nodes.get(frame.next).copied() else {
                let Some(done) = frames.pop() else { return Ok(Scope::default()) };
                let parent = frames.last_mut();
                if done.flow.batch.is_some() && parent.is_some() {
                    continue;
                }
                let Some(parent) = parent else {
                    for at in requests {
                        let node = self.graph.node(at);
                        if let Err(error) = self.request(at, &done.flow, gathered) {
                            self.failed((at, node.key()), error, gathered)?;
                        }
                    }
                    return Ok(done.flow.scope);
                };
                parent.flow.scope = done.flow.scope;
                continue;
            };
            frame.next += 1;
            let node = self.graph.node(at);
            // What a destination doesn't take is an error of the records' own resource.
            let resource = match (&node.kind, &frame.flow.batch) {
                (NodeKind::Request(_), None) => {
                    requests.push(at);
                    continue;
                }
                (NodeKind::Destination(_), Some(batch)) => self.graph.node(batch.source).key(),
                _ => node.key(),
            };
            match self.enter(at, frame, delivered, gathered).await {
                Ok(None) => {}
                Ok(Some(flow)) => frames.push(Frame { nodes: self.graph.below(at).to_vec(), next: 0, flow, from: at }),
                Err(NodeError::Interrupt(interrupt)) => return Err(interrupt),
                Err(NodeError::Failed(error)) => self.failed((at, resource), error, gathered)?,
            }
        }
    }

    /// An error of a node ends the run, or what depends on the node.
    pub(crate) fn failed(
        &self,
        (at, resource): (usize, &str),
        error: Value,
        gathered: &mut Gathered,
    ) -> Result<(), Interrupt> {
        let error = RecordError { node: self.graph.node(at).name.clone(), resource: resource.to_owned(), error };
        if self.handling == ErrorHandling::FailFast {
            return Err(Interrupt::Failed(error));
        }
        gathered.lacks(at, self.graph);
        gathered.errors.push(error);
        Ok(())
    }

    pub(crate) fn view<'v>(&'v self, flow: &'v Flow) -> View<'v> {
        View {
            run: self.run,
            ending: self.ending.clone(),
            account: &flow.account,
            scope: &flow.scope,
            batch: flow.batch.as_ref(),
            payload: None,
            is_payload_one: false,
            total_records_size: flow.seen,
        }
    }

    /// Runs one node. Gives what the nodes below it get, if they run now.
    async fn enter(
        &self,
        at: usize,
        frame: &mut Frame,
        delivered: &mut HashSet<BatchId>,
        gathered: &mut Gathered,
    ) -> Result<Option<Flow>, NodeError> {
        let node = self.graph.node(at);
        match &node.kind {
            NodeKind::Request(_) => {
                self.request(at, &frame.flow, gathered)?;
                return Ok(None);
            }
            NodeKind::Destination(destination) => {
                self.deliver(at, destination, frame, delivered, gathered).await?;
                return Ok(None);
            }
            _ => {}
        }
        if !self.runs(node, &self.view(&frame.flow)).await? {
            gathered.lacks(at, self.graph);
            return Ok(None);
        }
        match &node.kind {
            NodeKind::Transform(expression) => return self.transform(at, expression, &frame.flow, gathered).await,
            NodeKind::Spool => {
                let held = frame.flow.batch.as_ref().map_or(0, |batch| batch.records.len());
                self.debug(node, || format!("Input: {}", counted(held)));
                // All of them leave it as records of the first one's account.
                let first = gathered.heads.get(&at).map(|head| &head.scope.account);
                if first.is_some_and(|account| *account != frame.flow.scope.account) {
                    gathered.lacks(at, self.graph);
                }
                gathered.spool(at, &frame.flow);
                return Ok(None);
            }
            NodeKind::AddContext(expression) => match self.evaluate(node, expression, &self.view(&frame.flow)).await? {
                None | Some(Value::Null) => {}
                Some(Value::Object(added)) => frame.flow.scope.values.extend(added),
                Some(_) => {
                    let message =
                        "The expression must give an object, whose keys become names. Correct config.expression.";
                    return Err(named(node, message).into());
                }
            },
            NodeKind::GetState { key, default } => self.get_state(node, key, default.as_ref(), frame, gathered).await?,
            NodeKind::UpdateState { key, value } => {
                let view = self.view(&frame.flow);
                let value = match value {
                    Content::Template(template) => view.fill(template)?,
                    Content::Expression(expression) => self.evaluate(node, expression, &view).await?,
                };
                if let Some(value) = value {
                    let key = cell(node, &view, key)?;
                    self.debug(node, || format!("Result: {key} = {value}"));
                    gathered.states.push(StateWrite::Put { key, value });
                }
            }
            NodeKind::DeleteState { key } => {
                let key = cell(node, &self.view(&frame.flow), key)?;
                self.debug(node, || format!("Result: {key} is deleted"));
                gathered.states.push(StateWrite::Delete { key });
            }
            NodeKind::Event(_) | NodeKind::Request(_) | NodeKind::Destination(_) => return Ok(None),
        }
        // The batch passes unchanged.
        Ok((!self.graph.below(at).is_empty()).then(|| frame.flow.clone()))
    }

    /// Whether the node's condition holds.
    pub(crate) async fn runs(&self, node: &Node, view: &View<'_>) -> Result<bool, Value> {
        let Some(condition) = &node.run_if else { return Ok(true) };
        Ok(self.evaluate(node, condition, view).await?.is_some_and(|found| is_truthy(&found)))
    }

    pub(crate) async fn evaluate(
        &self,
        node: &Node,
        expression: &str,
        view: &View<'_>,
    ) -> Result<Option<Value>, Value> {
        self.evaluate_raw(node, expression, view).await?.map(|found| value(&found)).transpose()
    }

    /// Logs what a node gets or gives, if it asks for that.
    pub(crate) fn debug(&self, node: &Node, message: impl FnOnce() -> String) {
        if node.debug {
            self.host.log(LogLine { level: Level::Debug, node: &node.name, message: &message() });
        }
    }

    async fn evaluate_raw(
        &self,
        node: &Node,
        expression: &str,
        view: &View<'_>,
    ) -> Result<Option<Box<RawValue>>, Value> {
        let input = view.input(expression)?;
        self.debug(node, || format!("Input: {}", input.get()));
        let found = self.host.evaluate(expression, input).await;
        let found = found.map_err(|error| named(node, &format!("The expression has no result: {error}")))?;
        self.debug(node, || format!("Result: {}", found.as_ref().map_or("undefined", |found| found.get())));
        Ok(found)
    }

    async fn transform(
        &self,
        at: usize,
        expression: &str,
        flow: &Flow,
        gathered: &mut Gathered,
    ) -> Result<Option<Flow>, NodeError> {
        let node = self.graph.node(at);
        let found = self.evaluate_raw(node, expression, &self.view(flow)).await?;
        let taken = flow.batch.as_ref().map_or(0, |batch| batch.records.len());
        let mut leave_out = |kept: usize| {
            let dropped = taken.saturating_sub(kept) as u64;
            gathered.stats.add(node.key(), node.method(), Counts { dropped, ..Counts::default() });
        };
        let records = match found {
            Some(found) if found.get().starts_with('[') => {
                let records = serde_json::from_str::<Vec<Box<RawValue>>>(found.get());
                let records = records.map_err(|error| named(node, &error.to_string()))?;
                leave_out(records.len());
                records
            }
            Some(found) if !["null", "\"\"", "{}"].contains(&found.get()) => vec![found],
            _ => {
                leave_out(0);
                return Ok(None);
            }
        };
        if records.is_empty() || self.graph.below(at).is_empty() {
            return Ok(None);
        }
        let mut names = flow.batch.as_ref().map(|batch| batch.names.clone()).unwrap_or_default();
        names.push(vec![RESOURCES.to_owned(), node.name.clone()]);
        let batch = Batch { records: Arc::new(records), names, source: at };
        Ok(Some(Flow { batch: Some(batch), ..flow.clone() }))
    }

    async fn get_state(
        &self,
        node: &Node,
        key: &Template,
        default: Option<&Template>,
        frame: &mut Frame,
        gathered: &Gathered,
    ) -> Result<(), NodeError> {
        let view = self.view(&frame.flow);
        let key = cell(node, &view, key)?;
        // What this step writes isn't there yet.
        let found = match gathered.states.iter().rev().find(|write| write.key() == key) {
            Some(StateWrite::Put { value, .. }) => Some(value.clone()),
            Some(StateWrite::Delete { .. }) => None,
            None => self.host.get(&key).await.map_err(|error| NodeError::Interrupt(error.into()))?,
        };
        let found = match (found, default) {
            (None, Some(default)) => view.fill(default)?,
            (found, _) => found,
        };
        self.debug(node, || format!("Result: {key} = {}", found.as_ref().unwrap_or(&Value::Null)));
        let cell = found.map(|value| ("value".to_owned(), value)).into_iter().collect();
        frame.flow.scope.put(&[RESOURCES.to_owned(), node.name.clone()], Value::Object(cell), self.run);
        Ok(())
    }

    /// Makes the task of a request.
    fn request(&self, at: usize, flow: &Flow, gathered: &mut Gathered) -> Result<(), Value> {
        let node = self.graph.node(at);
        let NodeKind::Request(request) = &node.kind else { return Ok(()) };
        let mut scope = flow.scope.clone();
        let elements = if let Some(path) = &request.loop_on {
            let elements = self.view(flow).elements(path)?;
            if elements.records.is_empty() {
                return Ok(());
            }
            Some(elements)
        } else {
            if let Some(batch) = flow.batch.as_ref().filter(|_| node.below_sees_resources()) {
                let records = values(&batch.records)?;
                batch.names.iter().for_each(|name| scope.put(name, records.clone(), self.run));
            }
            None
        };
        let task = gathered.task(at, scope, elements, 0);
        gathered.tasks.push(task);
        Ok(())
    }
}

/// The name of a cell of the state.
fn cell(node: &Node, view: &View<'_>, key: &Template) -> Result<String, Value> {
    match view.fill(key)? {
        Some(Value::String(key)) if !key.is_empty() => Ok(key),
        _ => Err(named(node, "config.key must become a text that isn't empty. Correct it, or give its argument.")),
    }
}

/// An error of a node.
pub(crate) fn named(node: &Node, message: &str) -> Value {
    bad_request(&format!("{:?}: {message}", node.name))
}
