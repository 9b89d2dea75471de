//! A job's nodes, and what leads from one to the other.

use serde_json::Value;

use super::{
    decode,
    delete_tracking::Tracked,
    destination::DestinationKind,
    node::{Large, Lifecycle, NodeKind},
};

/// A node of a [`Graph`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Unique, but for flat requests without a name, which are named after their resource.
    pub name: String,
    pub kind: NodeKind,
    /// What it depends on, by their places in the graph. Each batch of the first one makes it run once.
    pub depends_on: Vec<usize>,
    /// JSONata. If it is falsy, neither the node nor what depends on it runs.
    pub run_if: Option<String>,
    /// Whether what it gets and gives is logged.
    pub debug: bool,
    pub(super) place: String,
    pub(super) template_sees_resources: bool,
    pub(super) below_sees_resources: bool,
}

impl Node {
    /// What its records are named on the wire: the resource as written, or the node's name.
    pub fn key(&self) -> &str {
        if let NodeKind::Request(request) = &self.kind { &request.resource } else { &self.name }
    }

    /// The method for `resource_stats`.
    pub fn method(&self) -> &str {
        if let NodeKind::Request(request) = &self.kind { &request.method } else { self.kind.type_name() }
    }

    /// Whether one of its own templates names `resources`, so that they are needed as values and not as text.
    pub const fn template_sees_resources(&self) -> bool {
        self.template_sees_resources
    }

    /// Whether it, or anything that depends on it, may look at `resources`.
    pub const fn below_sees_resources(&self) -> bool {
        self.below_sees_resources
    }

    fn sees_resources(&self) -> bool {
        let expressions = self.kind.expressions();
        let mut texts = expressions.iter().map(|(_, text)| *text).chain(self.run_if.as_deref());
        let loops = match &self.kind {
            NodeKind::Request(it) => it.loop_on.as_ref(),
            NodeKind::Destination(it) => match &it.kind {
                DestinationKind::Datastore { loop_on, .. } => loop_on.as_ref(),
                DestinationKind::Webhook | DestinationKind::File { .. } | DestinationKind::Run => None,
            },
            _ => None,
        };
        self.template_sees_resources
            || texts.any(|text| Large::Resources.is_seen_by(text))
            || loops.is_some_and(|path| path.first().is_some_and(|root| root == "resources"))
    }
}

/// Which notation of nodes a job has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Runtime 4: every node has a type and a name.
    Typed,
    /// Runtime 1 to 3: a node without a type is a request, and results go where the run says (contract section 9.3).
    Flat,
    /// The entries of a batch: flat ones, without destinations and state (contract section 0.6).
    Batch,
}

impl Form {
    pub const fn of_runtime(version: u32) -> Self {
        if version >= 4 { Self::Typed } else { Self::Flat }
    }
}

/// Why a job's `resources` can't run. It names one place, and what to do there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{path} {problem}")]
pub struct GraphError {
    /// `resources[2].config.id`.
    pub path: String,
    /// The node's name, if it has one.
    pub node: Option<String>,
    pub problem: String,
    /// A part of Truto's that Relink lacks: 501 instead of 400 (contract section 0.4).
    pub is_unsupported: bool,
}

/// The nodes of a job, checked: names are unique, whatever is named exists, and nothing depends on itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Graph {
    nodes: Vec<Node>,
    /// All nodes, so that what one depends on comes before it.
    order: Vec<usize>,
    /// What depends on each node, in the order in which it runs.
    below: Vec<Vec<usize>>,
    /// Whether a request depends on each node, directly or through others.
    leads_to_request: Vec<bool>,
    tracked: Vec<Tracked>,
}

impl Graph {
    /// Decodes the resources of a job that is being written: every rule applies.
    pub fn parse(resources: &Value, form: Form) -> Result<Self, GraphError> {
        let graph = decode::nodes(resources, form, true).and_then(Self::new)?;
        graph.check_tracked()?;
        Ok(graph)
    }

    /// Decodes stored resources. Only the rules without which the job can't run apply, so that what an older or newer version accepted
    /// stays usable.
    pub fn load(resources: &Value, form: Form) -> Result<Self, GraphError> {
        decode::nodes(resources, form, false).and_then(Self::new)
    }

    fn new(mut nodes: Vec<Node>) -> Result<Self, GraphError> {
        let needs = |node: &Node| match &node.kind {
            NodeKind::Destination(it) => [&node.depends_on[..], &it.sources].concat(),
            _ => node.depends_on.clone(),
        };
        let mut order: Vec<usize> = Vec::new();
        while order.len() < nodes.len() {
            let is_ready =
                |at: &usize| !order.contains(at) && needs(&nodes[*at]).iter().all(|other| order.contains(other));
            let Some(next) = (0..nodes.len()).find(is_ready) else {
                let circle = (0..nodes.len()).filter(|at| !order.contains(at));
                let circle: Vec<&Node> = circle.map(|at| &nodes[at]).collect();
                let names: Vec<&str> = circle.iter().map(|node| node.name.as_str()).collect();
                let problem = format!("leads in a circle: {}. Take one of them out of it.", names.join(", "));
                return Err(GraphError {
                    path: format!("{}.depends_on", circle[0].place),
                    node: Some(circle[0].name.clone()),
                    problem,
                    is_unsupported: false,
                });
            };
            order.push(next);
        }
        let mut below = vec![Vec::new(); nodes.len()];
        for (at, node) in nodes.iter().enumerate() {
            let above = match &node.kind {
                NodeKind::Destination(it) => &it.sources[..],
                _ => node.depends_on.get(..1).unwrap_or_default(),
            };
            for other in above {
                below[*other].push(at);
            }
        }
        // What adds names runs before what stands beside it: Truto's own examples count on it.
        for list in &mut below {
            list.sort_by_key(|at| !matches!(nodes[*at].kind, NodeKind::AddContext(_) | NodeKind::GetState { .. }));
        }
        for node in &mut nodes {
            node.template_sees_resources =
                node.kind.templates().into_iter().any(|template| Large::Resources.is_named_by(template));
        }
        let mut leads_to_request = vec![false; nodes.len()];
        for at in order.iter().rev() {
            let is_or_leads =
                |other: &usize| matches!(nodes[*other].kind, NodeKind::Request(_)) || leads_to_request[*other];
            leads_to_request[*at] = below[*at].iter().any(is_or_leads);
            let is_seen =
                nodes[*at].sees_resources() || below[*at].iter().any(|other| nodes[*other].below_sees_resources);
            nodes[*at].below_sees_resources = is_seen;
        }
        let tracked = tracked(&nodes);
        Ok(Self { nodes, order, below, leads_to_request, tracked })
    }

    /// When a list has ended, its destination has to be known without its records.
    fn check_tracked(&self) -> Result<(), GraphError> {
        for tracked in &self.tracked {
            let (request, destination) = (self.node(tracked.request), self.node(tracked.destination));
            let fail = |node: &Node, key: &str, problem: String| {
                let path = format!("{}.{key}", node.place);
                Err(GraphError { path, node: Some(node.name.clone()), problem, is_unsupported: false })
            };
            if tracked
                .begins_with(|at| matches!(self.node(at).kind, NodeKind::Event(Lifecycle::Complete | Lifecycle::Error)))
            {
                let problem = "has no effect below an event, because the run has ended by then. Take it away.";
                return fail(request, "delete_tracking", problem.to_owned());
            }
            let templates = destination.kind.templates();
            if templates.iter().any(|it| Large::Resources.is_named_by(it) || Large::Payload.is_named_by(it)) {
                let problem = format!(
                    "may not depend on the records, because {:?} has delete_tracking and its list may be empty. Use args.",
                    request.name
                );
                return fail(destination, "config", problem);
            }
        }
        Ok(())
    }

    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    pub fn node(&self, at: usize) -> &Node {
        &self.nodes[at]
    }

    /// What depends on a node, in the order in which it runs.
    pub fn below(&self, at: usize) -> &[usize] {
        &self.below[at]
    }

    /// Whether a request's next page can be fetched before its batch went where it goes: nothing else comes in between, and it only reads.
    pub fn fetches_ahead(&self, at: usize) -> bool {
        let is_list =
            matches!(&self.nodes[at].kind, NodeKind::Request(it) if it.method == "list" && it.recurse.is_none());
        is_list && !self.leads_to_request[at]
    }

    /// The requests with `delete_tracking`, with each destination that keeps their rows.
    pub fn tracked(&self) -> &[Tracked] {
        &self.tracked
    }

    /// The nodes in an order in which what one depends on comes before it.
    pub fn in_order(&self) -> impl DoubleEndedIterator<Item = (usize, &Node)> {
        self.order.iter().map(|at| (*at, &self.nodes[*at]))
    }

    /// The nodes that depend on nothing, and are no destinations and no events.
    pub fn roots(&self) -> impl Iterator<Item = (usize, &Node)> {
        let is_root = |node: &Node| {
            node.depends_on.is_empty() && !matches!(node.kind, NodeKind::Destination(_) | NodeKind::Event(_))
        };
        self.in_order().filter(move |(_, node)| is_root(node))
    }

    /// The event nodes of a point in a run.
    pub fn events(&self, of: Lifecycle) -> impl Iterator<Item = usize> {
        self.in_order().filter(move |(_, node)| node.kind == NodeKind::Event(of)).map(|(at, _)| at)
    }

    /// Every JSONata expression with its place, to be checked before the job is stored.
    pub fn expressions(&self) -> impl Iterator<Item = (String, &str)> {
        self.nodes.iter().flat_map(|node| {
            let run_if = node.run_if.as_deref().map(|text| ("run_if", text));
            let all = node.kind.expressions().into_iter().chain(run_if);
            all.map(|(key, text)| (format!("{}.{key}", node.place), text))
        })
    }
}

fn tracked(nodes: &[Node]) -> Vec<Tracked> {
    let destinations = nodes.iter().enumerate().filter_map(|(at, node)| match &node.kind {
        NodeKind::Destination(it) if it.kind == (DestinationKind::File { replaces: true }) => Some((at, &it.sources)),
        _ => None,
    });
    let pairs = destinations.flat_map(|(at, sources)| sources.iter().map(move |source| (*source, at)));
    pairs.filter_map(|(source, at)| Tracked::find(nodes, source, at)).collect()
}
