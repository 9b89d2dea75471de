//! Events that a provider sent: records that its webhook delivered to Relink (contract section 4.7).

use relink_domain::{AccountId, caller::Caller, event::RecordEvent};
use serde_json::Value;

use super::Outbox;
use crate::{
    error::{Error, Result},
    store::{
        self, accounts,
        outbox::{self, Payload},
    },
};

impl Outbox {
    /// Enqueues the events that a provider sent for an account: all of them or none. Their payloads must not contain a
    /// secret. No event of an account follows its deletion.
    pub async fn receive_records(
        &self,
        caller: &Caller,
        account: AccountId,
        records: Vec<(RecordEvent, Value)>,
    ) -> Result<()> {
        let (now, count) = (self.now(), records.len());
        let records = records.into_iter().map(|(event, payload)| Ok((event, Payload::of(&payload)?)));
        let records: Vec<_> = records.collect::<store::Result<_>>()?;
        let write = move |tx: &rusqlite::Transaction<'_>| {
            if accounts::get(tx, account)?.is_none() {
                return Ok(Err(Error::not_found("account", &account)));
            }
            for (event, payload) in &records {
                outbox::enqueue_record(tx, event, account, payload, now)?;
            }
            Ok(Ok(()))
        };
        self.0.uses.store.write(write).await??;
        tracing::info!(%account, ?caller, count, "a provider sent events");
        Ok(())
    }
}
