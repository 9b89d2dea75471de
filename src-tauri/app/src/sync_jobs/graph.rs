//! The nodes of a job, as they are drawn.

use std::path::Path;

use relink_contract::window::{SyncCounts, SyncDestination, SyncEdge, SyncGraph, SyncNode};
use relink_domain::{
    WebhookId,
    sync::{DestinationKind, Graph, Lifecycle, Node, NodeKind, ResourceStats},
    template::{Root, Scope, Template},
};
use relink_engine::StoredRun;
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::names::Names;

/// Of an expression as a node's detail, in characters.
const MAX_DETAIL: usize = 80;

/// `resources`: what the graph was made of. `text`: where its nodes are written, if they are. `run`: the run that is drawn, if it is one.
pub(super) fn graph_view(graph: &Graph, resources: &Value, text: Option<&str>, run: Option<&StoredRun>) -> SyncGraph {
    let lines = text.map(lines_of).unwrap_or_default();
    let nodes = graph.nodes().iter().enumerate().map(|(at, node)| SyncNode {
        name: node.name.clone(),
        kind: node.kind.type_name().to_owned(),
        detail: detail(node, &resources[at]["config"], run),
        is_at_end: matches!(node.kind, NodeKind::Event(Lifecycle::Complete | Lifecycle::Error)),
        run_if: node.run_if.clone(),
        line: lines.get(at).copied(),
    });
    let mut edges = Vec::new();
    for (to, node) in graph.nodes().iter().enumerate() {
        let sources = match &node.kind {
            NodeKind::Destination(it) => &it.sources[..],
            _ => &[],
        };
        for from in sources.iter().chain(&node.depends_on) {
            let edge = SyncEdge { from: *from, to };
            if !edges.contains(&edge) {
                edges.push(edge);
            }
        }
    }
    SyncGraph { nodes: nodes.collect(), edges }
}

fn detail(node: &Node, config: &Value, run: Option<&StoredRun>) -> String {
    let text = |name: &str| config[name].as_str().unwrap_or_default().to_owned();
    let detail = match &node.kind {
        NodeKind::Request(request) => format!("{} {}", request.resource, request.method),
        NodeKind::Transform(expression) | NodeKind::AddContext(expression) => expression.clone(),
        NodeKind::Spool => "all records at once".to_owned(),
        NodeKind::GetState { .. } | NodeKind::UpdateState { .. } | NodeKind::DeleteState { .. } => text("key"),
        NodeKind::Event(Lifecycle::Start) => "when the run starts".to_owned(),
        NodeKind::Event(Lifecycle::Complete) => "when the run has completed".to_owned(),
        NodeKind::Event(Lifecycle::Error) => "when the run has failed".to_owned(),
        NodeKind::Destination(destination) => match &destination.kind {
            DestinationKind::File { .. } => text("path"),
            DestinationKind::Run => run.map_or("webhook or datastore", target_of).to_owned(),
            other => other.as_str().to_owned(),
        },
    };
    let line = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Where the records of a flat job's run go.
fn target_of(run: &StoredRun) -> &'static str {
    match (run.records_webhook(), &run.spec.datastore_id) {
        (Some(_), Some(_)) => "webhook and datastore",
        (Some(_), None) => "webhook",
        (None, Some(_)) => "datastore",
        // Its `events_to_send` leaves the records out.
        (None, None) => "nowhere",
    }
}

/// The lines on which the nodes of a job begin.
fn lines_of(text: &str) -> Vec<usize> {
    #[derive(Deserialize)]
    struct Nodes<'t> {
        #[serde(borrow, default)]
        resources: Vec<&'t RawValue>,
    }
    let Ok(nodes) = serde_json::from_str::<Nodes<'_>>(text) else { return Vec::new() };
    let (mut from, mut line) = (0, 1);
    let lines = nodes.resources.into_iter().map(|node| {
        // It borrows from the text.
        let at = node.get().as_ptr().addr().saturating_sub(text.as_ptr().addr());
        line += text.get(from..at).unwrap_or_default().matches('\n').count();
        from = at;
        line
    });
    lines.collect()
}

/// What each node has done.
pub(super) fn counts(graph: &Graph, stats: &ResourceStats) -> Vec<SyncCounts> {
    let destinations_of = |at: usize| graph.below(at).iter().filter(|below| is_destination(graph, **below)).count();
    let of = |at: usize| stats.get(graph.node(at).key(), graph.node(at).method());
    let node_counts = |(at, node): (usize, &Node)| {
        let found = of(at);
        let is_same = |other: &Node| other.key() == node.key() && other.method() == node.method();
        let is_shared = graph.nodes().iter().filter(|other| is_same(other)).count() > 1;
        // What no destination takes isn't delivered.
        let persisted = (destinations_of(at) > 0).then_some(found.persisted);
        let is_tracked = graph.tracked().iter().any(|tracked| tracked.made_by == at);
        let deleted = is_tracked.then_some(found.deleted);
        let counts = SyncCounts { persisted, deleted, is_shared, ..SyncCounts::default() };
        match &node.kind {
            NodeKind::Request(_) => SyncCounts { fetched: Some(found.fetched), ..counts },
            NodeKind::Transform(_) => SyncCounts { dropped: Some(found.dropped), ..counts },
            NodeKind::Spool => counts,
            NodeKind::Destination(destination) => {
                // What goes to two of them is counted once for both.
                let is_only = destination.sources.iter().all(|source| destinations_of(*source) == 1);
                let arrived = destination.sources.iter().map(|source| of(*source).persisted).sum();
                let tracked = graph.tracked().iter().filter(|tracked| tracked.destination == at);
                let deleted = tracked.map(|tracked| of(tracked.made_by).deleted).reduce(|a, b| a + b);
                SyncCounts {
                    persisted: is_only.then_some(arrived),
                    deleted: deleted.filter(|_| is_only),
                    ..SyncCounts::default()
                }
            }
            _ => SyncCounts::default(),
        }
    };
    graph.nodes().iter().enumerate().map(node_counts).collect()
}

fn is_destination(graph: &Graph, at: usize) -> bool {
    matches!(graph.node(at).kind, NodeKind::Destination(_))
}

/// Where a run's records go, as far as that follows from its arguments.
pub(super) fn destinations(
    graph: &Graph,
    run: &StoredRun,
    folder: Option<&str>,
    names: &Names,
) -> Vec<SyncDestination> {
    let webhook = |node, id: WebhookId| SyncDestination {
        node,
        kind: "webhook".to_owned(),
        target: names.webhook(id).map_or_else(|| id.to_string(), |webhook| webhook.target_url),
        webhook_id: Some(id),
    };
    let datastore = |node, id: &str| SyncDestination {
        node,
        kind: "datastore".to_owned(),
        target: names.datastore(id).map_or_else(|| id.to_owned(), |datastore| datastore.label),
        webhook_id: None,
    };
    let mut found = Vec::new();
    for (node, kind) in graph.nodes().iter().map(|node| &node.kind).enumerate() {
        let NodeKind::Destination(destination) = kind else { continue };
        let config = destination.config.as_ref().and_then(|config| filled(config, &run.spec.args));
        let text = |name: &str| config.as_ref().and_then(|config| config[name].as_str()).map(str::to_owned);
        let unknown = |what: &str| SyncDestination {
            node,
            kind: destination.kind.as_str().to_owned(),
            target: format!("A {what} that depends on the records"),
            webhook_id: None,
        };
        match &destination.kind {
            DestinationKind::Run => {
                found.extend(run.records_webhook().map(|id| webhook(node, id)));
                found.extend(run.spec.datastore_id.as_deref().map(|id| datastore(node, id)));
            }
            DestinationKind::Webhook => {
                let id = text("id").and_then(|id| id.parse().ok());
                found.push(id.map_or_else(|| unknown("webhook"), |id| webhook(node, id)));
            }
            DestinationKind::Datastore { .. } => {
                found.push(text("id").map_or_else(|| unknown("datastore"), |id| datastore(node, &id)));
            }
            DestinationKind::File { .. } => {
                let path = text("path").map(|path| match folder {
                    Some(folder) => Path::new(folder).join(path).display().to_string(),
                    None => path,
                });
                found
                    .push(path.map_or_else(|| unknown("path"), |target| SyncDestination { target, ..unknown("path") }));
            }
        }
    }
    found
}

/// A config whose templates name arguments alone.
fn filled(config: &Template, args: &Map<String, Value>) -> Option<Value> {
    let (none, fields) = (Map::new(), std::collections::BTreeMap::new());
    let roots = [("args", Root::Object(args))];
    let is_of_args = config.placeholders().iter().all(|it| it.roots().all(|root| root == "args"));
    let filled = config.fill(&Scope { roots: &roots, ..Scope::new(&none, &fields, None) });
    is_of_args.then(|| filled.ok()?.into_plain().ok()?)?
}
