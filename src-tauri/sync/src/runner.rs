//! A run, step by step.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use relink_domain::{
    Timestamp,
    sync::{BatchId, Counts, ErrorHandling, Graph, Lifecycle, Node, NodeKind, Recursion},
};
use serde_json::Value;

use crate::{
    ahead::Ahead,
    fetch::{Fetched, PageKey, account_of, fetch, recursing},
    host::{Host, JournalError, NodeProgress},
    journal::{Commit, Elements, Head, Outcome, Phase, Place, RecordError, Saved, Scope, Task, Top},
    run::{Interrupt, Run, Wait},
    view::{Batch, RESOURCES, counted, value},
    walk::{Flow, Gathered, NodeError, Walker, named},
};

/// How a run goes on.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// A step is done. Take the next one.
    More,
    /// Nothing is lost: the next step tries again, whenever it is taken.
    Waits(Wait),
    Finished(Outcome),
}

/// Why [`Runner::run`] returned.
#[derive(Debug, Clone, PartialEq)]
pub enum Ended {
    Stopped,
    Waits(Wait),
    Finished(Outcome),
}

/// Runs one run. The graph must be the one with which the run began.
pub struct Runner<'a, H> {
    run: &'a Run,
    graph: &'a Graph,
    host: &'a H,
    /// None: to be read from the journal.
    saved: Option<Saved>,
    /// The page in progress, so that a wait for a destination doesn't fetch it again.
    held: Option<(PageKey, Fetched)>,
    /// The page behind it.
    ahead: Ahead<'a>,
    /// Whether a step of this runner was committed. One that only tries again whether a destination can take its batch fetches nothing ahead.
    gets_on: bool,
    /// What has arrived of the step in progress.
    delivered: HashSet<BatchId>,
}

impl<'a, H: Host> Runner<'a, H> {
    pub fn new(run: &'a Run, graph: &'a Graph, host: &'a H) -> Self {
        Self {
            run,
            graph,
            host,
            saved: None,
            held: None,
            ahead: Ahead::default(),
            gets_on: false,
            delivered: HashSet::new(),
        }
    }

    /// Takes steps until the run is over, has to wait, or should stop.
    pub async fn run(&mut self, should_stop: impl Fn() -> bool + Send) -> Result<Ended, JournalError> {
        while !should_stop() {
            match self.step().await? {
                Progress::More => {}
                Progress::Waits(wait) => return Ok(Ended::Waits(wait)),
                Progress::Finished(outcome) => return Ok(Ended::Finished(outcome)),
            }
        }
        Ok(Ended::Stopped)
    }

    /// Works on the top of the stack, and commits. It may be dropped at any time: the next step reads the journal then.
    pub async fn step(&mut self) -> Result<Progress, JournalError> {
        let saved = if let Some(saved) = self.saved.take() {
            saved
        } else {
            self.ahead = Ahead::default();
            self.host.load().await?.unwrap_or_default()
        };
        if let Phase::Over { outcome, .. } = &saved.head.phase {
            let outcome = outcome.clone();
            self.saved = Some(saved);
            return Ok(Progress::Finished(outcome));
        }
        let commit = match Box::pin(self.work(&saved)).await {
            Err(Interrupt::Failed(error)) => Box::pin(self.fail(&saved, error)).await,
            other => other,
        };
        match commit {
            Ok(commit) => self.commit(saved, commit).await,
            Err(Interrupt::Wait(wait)) => {
                self.saved = Some(saved);
                Ok(Progress::Waits(wait))
            }
            Err(Interrupt::Journal(error)) => Err(error),
            Err(Interrupt::Failed(error)) => {
                let commit = over(&saved, Outcome::Failed(error), self.host.now());
                self.commit(saved, commit).await
            }
        }
    }

    async fn commit(&mut self, mut saved: Saved, mut commit: Commit) -> Result<Progress, JournalError> {
        self.ahead.beside(self.host.commit(&commit)).await?;
        let node = saved.tasks.last().map(|task| self.graph.node(task.node).name.as_str());
        saved.apply(&mut commit);
        self.host.progress(NodeProgress { node, added: &commit.stats, waiting: saved.tasks.len() });
        self.gets_on = true;
        self.held = None;
        self.delivered.clear();
        self.saved = Some(saved);
        Ok(Progress::More)
    }

    async fn work(&mut self, saved: &Saved) -> Result<Commit, Interrupt> {
        if saved.head.phase == Phase::Begin {
            return self.begin(saved).await;
        }
        if let Some(task) = saved.tasks.last() {
            return self.request(saved, task).await;
        }
        let is_filled = |at: &usize| saved.head.spools.contains_key(at);
        if let Some(spool) = self.graph.in_order().map(|(at, _)| at).find(is_filled) {
            return self.release(saved, spool).await;
        }
        match &saved.head.phase {
            Phase::End { outcome, at } => Ok(over(saved, outcome.clone(), *at)),
            Phase::Begin | Phase::Main | Phase::Over { .. } => {
                let walker = self.walker(&saved.head.phase, [0; 3]);
                let (stats, errors) = walker.delete_missing(saved).await?;
                let mut commit = self.end(saved, Outcome::Completed).await?;
                commit.stats.merge(&stats);
                commit.errors.splice(..0, errors);
                Ok(commit)
            }
        }
    }

    /// Runs what depends on no request, and makes the tasks of the requests that do so.
    async fn begin(&mut self, saved: &Saved) -> Result<Commit, Interrupt> {
        let below = self.graph.events(Lifecycle::Start).flat_map(|at| self.graph.below(at).iter().copied());
        let nodes = below.chain(self.graph.roots().map(|(at, _)| at)).collect();
        self.base(saved, Lifecycle::Start, nodes, Phase::Main).await
    }

    /// Runs what depends on the event nodes of the end.
    async fn end(&mut self, saved: &Saved, outcome: Outcome) -> Result<Commit, Interrupt> {
        let of = if outcome == Outcome::Completed { Lifecycle::Complete } else { Lifecycle::Error };
        let nodes = self.graph.events(of).flat_map(|at| self.graph.below(at).iter().copied()).collect();
        self.base(saved, of, nodes, Phase::End { outcome, at: self.host.now() }).await
    }

    /// Runs nodes that no request is above, and begins a phase.
    async fn base(
        &mut self,
        saved: &Saved,
        of: Lifecycle,
        nodes: Vec<usize>,
        phase: Phase,
    ) -> Result<Commit, Interrupt> {
        let first = nodes.first().map(|at| self.graph.node(*at));
        let account = account_of(self.host, self.run.account.as_deref()).await;
        let account = account.map_err(|error| Interrupt::Failed(failed(first, error)))?;
        let scope = Scope { account: self.run.account.clone(), ..saved.head.base.clone() };
        let mut gathered = Gathered { next_task: saved.next_task + 1, ..gathered(saved) };
        let walker = self.walker(&phase, [saved.next_task, 0, 0]);
        for event in self.graph.events(of).map(|at| self.graph.node(at)) {
            walker.debug(event, || format!("Happens: {of}"));
        }
        let flow = Flow { scope, account, batch: None, seen: 0 };
        let from = self.graph.nodes().len();
        let base = Box::pin(walker.walk(nodes, from, flow, &mut self.delivered, &mut gathered)).await?;
        Ok(committed(gathered, Some(Head { phase, base, ..Head::default() })))
    }

    async fn release(&mut self, saved: &Saved, spool: usize) -> Result<Commit, Interrupt> {
        let Some(head) = saved.head.spools.get(&spool) else { return Ok(Commit::default()) };
        let node = self.graph.node(spool);
        let records = Arc::new(self.host.spooled(spool).await?);
        let account = account_of(self.host, head.scope.account.as_deref()).await;
        let account = account.map_err(|error| Interrupt::Failed(failed(Some(node), error)))?;
        let names = [&head.names[..], &[vec![RESOURCES.to_owned(), node.name.clone()]]].concat();
        let seen = records.len() as u64;
        self.walker(&saved.head.phase, [0; 3]).debug(node, || format!("Result: {}", counted(records.len())));
        let batch = (seen > 0).then_some(Batch { records, names, source: spool });
        let flow = Flow { scope: head.scope.clone(), account, batch, seen };
        let mut gathered = Gathered { next_task: saved.next_task + 1, ..gathered(saved) };
        gathered.heads.remove(&spool);
        let walker = self.walker(&saved.head.phase, [saved.next_task, 0, 0]);
        if flow.batch.is_some() {
            let nodes = self.graph.below(spool).to_vec();
            Box::pin(walker.walk(nodes, spool, flow, &mut self.delivered, &mut gathered)).await?;
        }
        Ok(Commit { released: Some(spool), ..committed(gathered, Some(saved.head.clone())) })
    }

    /// Fetches the next page of the request on top, and takes it through what is below.
    async fn request(&mut self, saved: &Saved, task: &Task) -> Result<Commit, Interrupt> {
        let node = self.graph.node(task.node);
        let mut gathered = gathered(saved);
        let mut place = task.place.clone();
        let top = loop {
            let Some(scope) =
                self.scope_at(task, place.element).map_err(|error| Interrupt::Failed(failed(Some(node), error)))?
            else {
                break Top::Done;
            };
            let result = Box::pin(self.page(saved, task, scope, &place, &mut gathered)).await;
            match result {
                Ok(Some(top)) => break top,
                Ok(None) => gathered.lacks(task.node, self.graph),
                Err(NodeError::Interrupt(interrupt)) => return Err(interrupt),
                Err(NodeError::Failed(error)) => {
                    let error = failed(Some(node), error);
                    if self.handling(&saved.head.phase) == ErrorHandling::FailFast {
                        return Err(Interrupt::Failed(error));
                    }
                    gathered.errors.push(error);
                    gathered.lacks(task.node, self.graph);
                }
            }
            place = Place { element: place.element + 1, ..Place::default() };
        };
        let has_new_spool = gathered.heads.len() != saved.head.spools.len();
        let lacks_more = gathered.incomplete.len() != saved.head.incomplete.len();
        let head = (has_new_spool || lacks_more).then(|| saved.head.clone());
        Ok(Commit { top, ..committed(gathered, head) })
    }

    /// What the request sees for one of its elements. None: there are no more.
    fn scope_at(&self, task: &Task, element: u64) -> Result<Option<Scope>, Value> {
        let mut scope = task.scope.clone();
        let Some(elements) = &task.elements else { return Ok((element == 0).then_some(scope)) };
        let Some(record) = usize::try_from(element).ok().and_then(|at| elements.records.get(at)) else {
            return Ok(None);
        };
        let record = value(record)?;
        elements.paths.iter().for_each(|path| scope.put(path, record.clone(), self.run));
        Ok(Some(scope))
    }

    /// One page. Gives what becomes of the task. None: the request's condition doesn't hold.
    async fn page(
        &mut self,
        saved: &Saved,
        task: &Task,
        mut scope: Scope,
        place: &Place,
        gathered: &mut Gathered,
    ) -> Result<Option<Top>, NodeError> {
        let graph = self.graph;
        let node = graph.node(task.node);
        let NodeKind::Request(request) = &node.kind else { return Ok(Some(Top::Done)) };
        let key = [task.id, place.element, place.page];
        let walker = self.walker(&saved.head.phase, key);
        let fetched = match (&self.held, self.ahead.take(key).await) {
            (Some((held, fetched)), _) if *held == key => Some(fetched.clone()),
            (_, Some(ahead)) => ahead?,
            _ => Box::pin(fetch(&walker, (node, request), task.depth, &scope, place)).await?,
        };
        let Some(fetched) = fetched else { return Ok(None) };
        self.held = Some((key, fetched.clone()));
        let outer = scope.account.replace(fetched.account_id);
        let account = fetched.account;
        let count = fetched.records.len() as u64;
        gathered.stats.add(node.key(), node.method(), Counts { fetched: count, ..Counts::default() });
        let seen = place.seen + count;
        let path = [vec![RESOURCES.to_owned()], request.path()].concat();
        let deeper = match &request.recurse {
            Some(recursion) => {
                let records = recursing(&walker, recursion, &path, &scope, &account, &fetched.records)?;
                if !records.is_empty() && task.depth >= Recursion::MAX_DEPTH {
                    return Err(named(node, &Recursion::too_deep()).into());
                }
                records
            }
            None => Vec::new(),
        };
        let cursor = fetched.next_cursor.filter(|cursor| !cursor.is_empty());
        let repeats = cursor.is_some() && cursor == place.cursor;
        let next = cursor.filter(|_| !repeats).map(|cursor| Place {
            element: place.element,
            page: place.page + 1,
            cursor: Some(cursor),
            seen,
        });
        if let Some(next) = next.clone().filter(|_| self.gets_on && self.graph.fetches_ahead(task.node)) {
            let key = [task.id, next.element, next.page];
            let (walker, depth) = (self.walker(&saved.head.phase, key), task.depth);
            let scope = Scope { account: outer, ..scope.clone() };
            self.ahead.begin(key, async move { fetch(&walker, (node, request), depth, &scope, &next).await });
        }
        let outer = scope.clone();
        let batch = Batch { records: fetched.records, names: vec![path.clone()], source: task.node };
        let mut flow = Flow { scope, account, batch: None, seen };
        if place.page == 0 && request.delete_tracking.is_some() {
            let account = flow.scope.account.clone().unwrap_or_default();
            walker.list((task.node, request), &account, &flow, gathered).map_err(NodeError::Interrupt)?;
        }
        if count > 0 {
            let nodes = self.graph.below(task.node).to_vec();
            flow.batch = Some(batch);
            let below = Box::pin(walker.walk(nodes, task.node, flow, &mut self.delivered, gathered));
            self.ahead.beside(below).await.map_err(NodeError::Interrupt)?;
        }
        if !deeper.is_empty() {
            let elements = Elements { paths: vec![path], records: deeper };
            let below = gathered.task(task.node, outer, Some(elements), task.depth + 1);
            gathered.tasks.push(below);
        }
        if repeats {
            let message = "The list gives the same cursor again, and would never end. Its pagination is wrong.";
            return Err(named(node, message).into());
        }
        let next = next.or_else(|| {
            let has_more = task.elements.as_ref().is_some_and(|it| place.element + 1 < it.records.len() as u64);
            has_more.then(|| Place { element: place.element + 1, ..Place::default() })
        });
        Ok(Some(next.map_or(Top::Done, Top::Moved)))
    }

    /// The end after an error: what depends on the event `error` still runs.
    async fn fail(&mut self, saved: &Saved, error: RecordError) -> Result<Commit, Interrupt> {
        if let Phase::End { outcome: outcome @ Outcome::Failed(_), .. } = &saved.head.phase {
            return Ok(over(saved, outcome.clone(), self.host.now()));
        }
        self.ahead = Ahead::default();
        let head = Head { spools: BTreeMap::new(), ..saved.head.clone() };
        let cleared = Saved { head, next_task: saved.next_task, tasks: Vec::new() };
        let commit = self.end(&cleared, Outcome::Failed(error)).await?;
        Ok(Commit { clear: true, ..commit })
    }

    fn walker(&self, phase: &Phase, place: [u64; 3]) -> Walker<'a, H> {
        let ending = match phase {
            Phase::Begin | Phase::Main => None,
            Phase::End { outcome, at } | Phase::Over { outcome, at } => {
                Some((if *outcome == Outcome::Completed { "completed" } else { "failed" }, at.to_string()))
            }
        };
        Walker { host: self.host, run: self.run, graph: self.graph, ending, handling: self.handling(phase), place }
    }

    /// After the run has failed, a further error ends nothing more.
    fn handling(&self, phase: &Phase) -> ErrorHandling {
        match phase {
            Phase::End { outcome: Outcome::Failed(_), .. } => ErrorHandling::Ignore,
            _ => self.run.error_handling,
        }
    }
}

/// The beginning of a step.
fn gathered(saved: &Saved) -> Gathered {
    Gathered {
        next_task: saved.next_task,
        heads: saved.head.spools.clone(),
        incomplete: saved.head.incomplete.clone(),
        ..Gathered::default()
    }
}

fn committed(mut gathered: Gathered, head: Option<Head>) -> Commit {
    // The first one is to be on top.
    gathered.tasks.reverse();
    Commit {
        push: gathered.tasks,
        next_task: gathered.next_task,
        head: head.map(|head| Head { spools: gathered.heads, incomplete: gathered.incomplete, ..head }),
        spooled: gathered.spooled,
        states: gathered.states,
        stats: gathered.stats,
        errors: gathered.errors,
        ..Commit::default()
    }
}

fn over(saved: &Saved, outcome: Outcome, at: Timestamp) -> Commit {
    let head = Head { phase: Phase::Over { outcome, at }, spools: BTreeMap::new(), ..saved.head.clone() };
    Commit { clear: true, next_task: saved.next_task, head: Some(head), ..Commit::default() }
}

fn failed(node: Option<&Node>, error: Value) -> RecordError {
    let name = node.map(|node| node.name.clone()).unwrap_or_default();
    RecordError { node: name, resource: node.map(|node| node.key().to_owned()).unwrap_or_default(), error }
}
