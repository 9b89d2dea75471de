//! A batch for a destination.

use std::collections::HashSet;

use relink_domain::sync::{BatchId, Counts, Destination, DestinationKind, Node, Tracked};
use serde_json::value::RawValue;

use super::{Frame, Gathered, NodeError, Walker};
use crate::{
    host::{Delivery, DeliveryError, Host},
    run::{Interrupt, Wait},
    view::{View, counted},
};

impl<H: Host> Walker<'_, H> {
    /// Returns when the destination has all of it.
    pub(super) async fn deliver(
        &self,
        at: usize,
        destination: &Destination,
        frame: &Frame,
        delivered: &mut HashSet<BatchId>,
        gathered: &mut Gathered,
    ) -> Result<(), NodeError> {
        let Some(batch) = &frame.flow.batch else { return Ok(()) };
        let (node, source) = (self.graph.node(at), self.graph.node(batch.source));
        let whole = View { payload: Some(&batch.records), ..self.view(&frame.flow) };
        if !self.runs(node, &whole).await? {
            gathered.lacks(at, self.graph);
            return Ok(());
        }
        let looped;
        let parts: Vec<(&[Box<RawValue>], bool)> = match &destination.kind {
            DestinationKind::Datastore { loop_on: Some(path), .. } => {
                looped = whole.elements(path)?.records;
                looped.chunks(1).map(|one| (one, true)).collect()
            }
            _ => vec![(&batch.records[..], false)],
        };
        let is_this = |tracked: &&Tracked| tracked.destination == at && tracked.source == frame.from;
        let tracked = self.graph.tracked().iter().find(is_this).map(|tracked| self.graph.node(tracked.request));
        for (part, (records, is_one)) in parts.into_iter().enumerate() {
            let [task, element, page] = self.place;
            let place = [task, element, page, at as u64, frame.from as u64, part as u64];
            let id = BatchId::new(self.run.id, &place);
            // It arrived before this step was interrupted by another destination.
            if delivered.contains(&id) {
                continue;
            }
            let view = View { payload: Some(records), is_payload_one: is_one, ..self.view(&frame.flow) };
            let config = destination.config.as_ref().map(|config| view.fill(config)).transpose()?.flatten();
            self.debug(node, || {
                let to = config.as_ref().map(|config| format!(" for {config}")).unwrap_or_default();
                format!("Input: {} of {}{to}", counted(records.len()), source.key())
            });
            let delivery = Delivery {
                id,
                kind: &destination.kind,
                destination: &node.name,
                resource: source.key(),
                config,
                account: frame.flow.scope.account.as_deref(),
                records,
                tracked: tracked.map(|request| request.name.as_str()),
            };
            self.host.deliver(delivery).await.map_err(|error| undelivered(node, error))?;
            delivered.insert(id);
        }
        let persisted = batch.records.len() as u64;
        gathered.stats.add(source.key(), source.method(), Counts { persisted, ..Counts::default() });
        Ok(())
    }
}

/// What an error of a destination means for its node.
pub(crate) fn undelivered(node: &Node, error: DeliveryError) -> NodeError {
    match error {
        DeliveryError::Failed(error) => NodeError::Failed(error),
        DeliveryError::RetryAfter { seconds } => {
            NodeError::Interrupt(Interrupt::Wait(Wait::Destination { node: node.name.clone(), seconds }))
        }
    }
}
