//! The nodes of a job, as they are drawn.

use relink_contract::window::{SyncCounts, SyncDestination, SyncEdge, SyncGraph, SyncNode};
use relink_domain::{
    WebhookId,
    sync::{DestinationKind, Graph, Lifecycle, Node, NodeKind, ResourceStats},
    template::{Root, Scope, Template},
};
use serde::Deserialize;
use serde_json::{Map, Value, value::RawValue};

use super::names::Names;

/// Of an expression as a node's detail, in characters.
const MAX_DETAIL: usize = 80;

/// `resources`: what the graph was made of. `text`: where its nodes are written, if they are.
pub(super) fn graph_view(graph: &Graph, resources: &Value, text: Option<&str>) -> SyncGraph {
    let lines = text.map(lines_of).unwrap_or_default();
    let nodes = graph.nodes().iter().enumerate().map(|(at, node)| SyncNode {
        name: node.name.clone(),
        kind: node.kind.type_name().to_owned(),
        detail: detail(node, &resources[at]["config"]),
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

fn detail(node: &Node, config: &Value) -> String {
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
            DestinationKind::File => text("path"),
            DestinationKind::Run => "the run’s webhook".to_owned(),
            other => other.as_str().to_owned(),
        },
    };
    let line = detail.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MAX_DETAIL) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
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
        let counts = SyncCounts { persisted, is_shared, ..SyncCounts::default() };
        match &node.kind {
            NodeKind::Request(_) => SyncCounts { fetched: Some(found.fetched), ..counts },
            NodeKind::Transform(_) => SyncCounts { dropped: Some(found.dropped), ..counts },
            NodeKind::Spool => counts,
            NodeKind::Destination(destination) => {
                // What goes to two of them is counted once for both.
                let is_only = destination.sources.iter().all(|source| destinations_of(*source) == 1);
                let arrived = destination.sources.iter().map(|source| of(*source).persisted).sum();
                SyncCounts { persisted: is_only.then_some(arrived), ..SyncCounts::default() }
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
    args: &Map<String, Value>,
    folder: Option<&str>,
    run_webhook: Option<WebhookId>,
    names: &Names,
) -> Vec<SyncDestination> {
    let mut found = Vec::new();
    for (at, node) in graph.nodes().iter().enumerate() {
        let NodeKind::Destination(destination) = &node.kind else { continue };
        let config = destination.config.as_ref().and_then(|config| filled(config, args));
        let text = |name: &str| config.as_ref().and_then(|config| config[name].as_str()).map(str::to_owned);
        let webhook_id = match &destination.kind {
            DestinationKind::Run => run_webhook,
            DestinationKind::Webhook => text("id").and_then(|id| id.parse().ok()),
            DestinationKind::File | DestinationKind::Datastore { .. } => None,
        };
        let target = match (&destination.kind, webhook_id) {
            (DestinationKind::File, _) => match (folder, text("path")) {
                (Some(folder), Some(path)) => std::path::Path::new(folder).join(path).display().to_string(),
                (None, Some(path)) => path,
                (_, None) => "A path that depends on the records".to_owned(),
            },
            (DestinationKind::Datastore { .. }, _) => "A datastore".to_owned(),
            (_, Some(id)) => names.webhook(id).map_or_else(|| id.to_string(), |webhook| webhook.target_url),
            (_, None) => "A webhook that depends on the records".to_owned(),
        };
        found.push(SyncDestination { node: at, kind: destination.kind.as_str().to_owned(), target, webhook_id });
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
