//! Sign-ins whose integration is removed while they are in progress.

use super::{
    Connections,
    flow::{Flow, Phase},
    view::FlowFailure,
};
use crate::sync::lock;

impl Connections {
    /// Starts to end the flows of integrations that are removed.
    pub(crate) fn start(&self) {
        let (connections, mut changes) = (self.clone(), self.0.uses.providers.changes());
        self.0.uses.tasks.spawn_until_stop(async move {
            while changes.changed().await.is_ok() {
                connections.end_flows_of_removed_integrations().await;
            }
        });
    }

    pub(super) fn is_removed(&self, flow: &Flow) -> bool {
        self.0.uses.providers.installed(flow.provider.id()).is_none()
    }

    pub(super) async fn end_flows_of_removed_integrations(&self) {
        for flow in self.0.flows.all() {
            if self.is_removed(&flow) {
                self.end_removed(&flow).await;
            }
        }
    }

    /// Ends a flow that waits for somebody. One that is being completed fails by itself when it wants to save.
    async fn end_removed(&self, flow: &Flow) {
        let removed = FlowFailure::integration_removed(flow.provider.label());
        {
            let mut phase = lock(&flow.phase);
            match &mut *phase {
                Phase::Waiting(_) | Phase::Returned { .. } => *phase = Phase::Failed(removed.clone()),
                // Without an answer, the new sign-in is discarded.
                Phase::Asking { answer, .. } => return drop(answer.take()),
                Phase::Working(_) | Phase::Succeeded(_) | Phase::Failed(_) => return,
            }
        }
        flow.announce();
        self.note_failure(&flow.caller, flow, &removed).await;
    }
}

#[cfg(test)]
#[path = "removed_tests.rs"]
mod tests;
