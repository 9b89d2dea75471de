//! Requests with `delete_tracking`: what they have listed, and what is done about the rest when the run is complete.

use std::collections::{BTreeMap, BTreeSet};

use relink_domain::sync::{Condition, Counts, NodeKind, Request, ResourceStats, Tracked};
use serde::{Deserialize, Serialize};
use serde_json::{Value, value::to_raw_value};

use crate::{
    host::{Host, JournalError, Level, LogLine, Missing},
    journal::{RecordError, Saved, Spooled},
    run::Interrupt,
    view::bad_request,
    walk::{Flow, Gathered, NodeError, Walker, named, undelivered},
};

/// A list that a request has begun, for one of its destinations.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Listed {
    /// The place in [`Graph::tracked`](relink_domain::sync::Graph::tracked).
    tracked: usize,
    account: String,
    /// Of the destination.
    config: Value,
    conditions: Vec<Condition<Value>>,
}

fn is_open(text: &str) -> bool {
    text.contains("{{")
}

type Lists = BTreeMap<String, Vec<Condition<Value>>>;

impl<H: Host> Walker<'_, H> {
    /// Keeps what a list is about, with its first page. A condition without a value is an error of the request, and its records go on.
    pub(crate) fn list(
        &self,
        (at, request): (usize, &Request),
        account: &str,
        flow: &Flow,
        gathered: &mut Gathered,
    ) -> Result<(), Interrupt> {
        match self.listed((at, request), account, flow) {
            Ok(listed) if listed.records.is_empty() => Ok(()),
            Ok(listed) => {
                gathered.spooled.push(listed);
                Ok(())
            }
            Err(error) => self.failed((at, &request.resource), error, gathered),
        }
    }

    fn listed(&self, (at, request): (usize, &Request), account: &str, flow: &Flow) -> Result<Spooled, Value> {
        let mut records = Vec::new();
        let of_this = self.graph.tracked().iter().enumerate().filter(|(_, tracked)| tracked.request == at);
        for (place, tracked) in of_this {
            let view = self.view(flow);
            let fill = |condition: &Condition<_>| {
                let filled = condition.filled(view.fill(&condition.value)?);
                filled.ok_or_else(|| {
                    let message = format!("{} has no value. Give its argument, or take it away.", condition.shown());
                    named(self.graph.node(at), &message)
                })
            };
            let conditions = request.delete_tracking.iter().flat_map(|it| &it.conditions).map(fill);
            let destination = self.graph.node(tracked.destination);
            let config = match &destination.kind {
                NodeKind::Destination(destination) => destination.config.as_ref(),
                _ => None,
            };
            let config = config.map(|config| view.fill(config)).transpose()?.flatten().unwrap_or_default();
            // A placeholder for which nothing is found stays as written: something below the request adds it.
            if let Some(key) = ["path", "table"].iter().find(|key| config[**key].as_str().is_some_and(is_open)) {
                let message = format!(
                    "config.{key} isn't known before the records of {:?} are there, which has delete_tracking. Use args.",
                    self.graph.node(at).name
                );
                return Err(named(destination, &message));
            }
            let listed = Listed {
                tracked: place,
                account: account.to_owned(),
                config,
                conditions: conditions.collect::<Result<_, _>>()?,
            };
            records.push(to_raw_value(&listed).map_err(|error| bad_request(&error.to_string()))?);
        }
        Ok(Spooled { spool: at, records })
    }

    /// Marks or removes the rows that no list has. Nothing of a destination that may lack records.
    pub(crate) async fn delete_missing(&self, saved: &Saved) -> Result<(ResourceStats, Vec<RecordError>), Interrupt> {
        let mut gathered = Gathered::default();
        let requests: BTreeSet<usize> = self.graph.tracked().iter().map(|tracked| tracked.request).collect();
        for request in requests {
            // What another way leaves out may have its rows in the same table.
            let of_this = self.graph.tracked().iter().enumerate().filter(|(_, tracked)| tracked.request == request);
            let is_incomplete = of_this.map(|(place, _)| place).any(|place| saved.head.incomplete.contains(&place));
            for ((place, account, config), lists) in self.lists(request).await? {
                let lists: Vec<_> = lists.into_values().collect();
                let Some(tracked) = self.graph.tracked().get(place).filter(|it| it.request == request) else {
                    continue;
                };
                if is_incomplete {
                    self.leaves(tracked);
                    continue;
                }
                match self.delete(tracked, &account, &config, &lists).await {
                    Ok(deleted) => {
                        let made_by = self.graph.node(tracked.made_by);
                        gathered.stats.add(made_by.key(), made_by.method(), Counts { deleted, ..Counts::default() });
                    }
                    Err(NodeError::Interrupt(interrupt)) => return Err(interrupt),
                    Err(NodeError::Failed(error)) => {
                        let resource = self.graph.node(tracked.made_by).key();
                        self.failed((tracked.destination, resource), error, &mut gathered)?;
                    }
                }
            }
        }
        Ok((gathered.stats, gathered.errors))
    }

    /// What a request has listed, each once: by destination, account and config, and then by its conditions as text.
    async fn lists(&self, request: usize) -> Result<BTreeMap<(usize, String, String), Lists>, Interrupt> {
        let mut lists: BTreeMap<_, Lists> = BTreeMap::new();
        for record in self.host.spooled(request).await? {
            let listed: Listed = serde_json::from_str(record.get()).map_err(|error| JournalError(error.to_string()))?;
            let text = serde_json::to_string(&listed.conditions).map_err(|error| JournalError(error.to_string()))?;
            let of = (listed.tracked, listed.account, listed.config.to_string());
            lists.entry(of).or_default().insert(text, listed.conditions);
        }
        Ok(lists)
    }

    async fn delete(
        &self,
        tracked: &Tracked,
        account: &str,
        config: &str,
        lists: &[Vec<Condition<Value>>],
    ) -> Result<u64, NodeError> {
        let (request, destination) = (self.graph.node(tracked.request), self.graph.node(tracked.destination));
        let NodeKind::Request(tracking) = &request.kind else { return Ok(0) };
        let Some(tracking) = &tracking.delete_tracking else { return Ok(0) };
        let config: Value = serde_json::from_str(config).unwrap_or_default();
        let missing = Missing {
            request: &request.name,
            resource: self.graph.node(tracked.made_by).key(),
            config: &config,
            account,
            mode: tracking.mode,
            lists,
        };
        let deleted = self.host.delete_missing(missing).await.map_err(|error| undelivered(destination, error))?;
        self.debug(destination, || format!("Result: {deleted} deleted, which {} no longer has", request.name));
        Ok(deleted)
    }

    fn leaves(&self, tracked: &Tracked) {
        let (request, destination) = (self.graph.node(tracked.request), self.graph.node(tracked.destination));
        let message = format!(
            "No row of {:?} is counted as deleted, because a node on its way failed or was skipped in this run.",
            request.name
        );
        self.host.log(LogLine { level: Level::Warn, node: &destination.name, message: &message });
    }
}
