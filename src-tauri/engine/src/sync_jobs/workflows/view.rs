//! What the expressions and templates of a workflow see (contract section 10.4).

use std::collections::BTreeMap;

use relink_domain::{
    AccountId,
    caller::Caller,
    sync::{Chain, StepResult},
    template::{Root, Scope, Template},
};
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use super::SyncJobs;
use crate::{
    error::{Error, Result},
    store::{outbox::Event, sync_jobs::runs},
};

/// The event, and the account that it is about: its context at the top, as in sync jobs, and over that the names of workflows.
pub(super) struct View {
    values: Map<String, Value>,
    pub(super) account: Option<AccountId>,
    /// The runs that led to the event.
    pub(super) chain: Chain,
}

impl View {
    pub(super) fn see_steps(&mut self, steps: &[StepResult]) {
        self.values.insert("steps".to_owned(), json!(steps));
    }

    /// The input of an expression.
    pub(super) fn input(&self) -> serde_json::Result<Box<RawValue>> {
        to_raw_value(&self.values)
    }

    /// Fills a template. Nothing that it sees is a secret.
    pub(super) fn fill(&self, template: &Template) -> Result<Value, String> {
        let (context, fields) = (Map::new(), BTreeMap::new());
        let roots: Vec<_> = self.values.iter().map(|(name, value)| (name.as_str(), Root::Value(value))).collect();
        let scope = Scope { roots: &roots, ..Scope::new(&context, &fields, None) };
        let filled = template.fill(&scope).map_err(|error| error.to_string())?;
        Ok(filled.expose().cloned().unwrap_or_default())
    }
}

impl SyncJobs {
    pub(super) async fn view_of(&self, event: &Event) -> Result<View> {
        let environment = self.0.uses.environment;
        let (account, chain) = self.subject_of(event).await?;
        let known = match account {
            None => None,
            Some(id) => match self.0.uses.accounts.get(&Caller::Internal, id).await {
                Ok(view) => Some(view),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(error),
            },
        };
        let mut values = Map::new();
        if let Some(view) = known {
            let label = view.label.clone();
            let profile = view.account.profile;
            values.extend(profile.context);
            values.insert("tenant_id".to_owned(), profile.tenant_id.into());
            values.insert("integration".to_owned(), json!({ "name": profile.integration, "label": label }));
        }
        values.insert("integrated_account_id".to_owned(), json!(account));
        values.insert("environment_id".to_owned(), json!(environment));
        let name = event.kind.as_str();
        // As webhooks get it.
        let event = json!({
            "id": event.id, "event": name, "event_type": name, "payload": event.payload,
            "environment_id": environment, "created_at": event.created_at,
        });
        values.insert("event".to_owned(), event);
        values.insert("steps".to_owned(), json!([]));
        Ok(View { values, account, chain })
    }

    /// The account that an event is about, and the chain of what follows from its run.
    async fn subject_of(&self, event: &Event) -> Result<(Option<AccountId>, Chain)> {
        let Some(subject) = &event.subject else { return Ok((None, Chain::default())) };
        match event.kind.as_str().split(':').next() {
            Some("integrated_account" | "record") => Ok((subject.parse().ok(), Chain::default())),
            Some("sync_job_run") => {
                let Ok(id) = subject.parse() else { return Ok((None, Chain::default())) };
                let run = self.0.uses.store.read(move |c| runs::get(c, id)).await?;
                Ok(run.map_or_else(Default::default, |run| (run.account_id, run.chain())))
            }
            _ => Ok((None, Chain::default())),
        }
    }
}
