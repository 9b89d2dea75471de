//! Actions that programs run by name (contract section 4.8).

use relink_domain::{AccountId, caller::Caller, integration::actions::RESERVED_ACTIONS};
use serde_json::{Map, Value};

use super::{Onboarding, run::ContextTarget};
use crate::{
    error::{Error, Result},
    steps::{Action, Ran},
};

impl Onboarding {
    pub(super) async fn run_named(
        &self,
        caller: &Caller,
        id: AccountId,
        name: &str,
        (query, body): (&Map<String, Value>, &Value),
    ) -> Result<Value> {
        let accounts = &self.0.uses.accounts;
        accounts.require(caller, id).await?;
        let account = accounts.load(id).await?;
        let provider = accounts.provider_for(&account).await?;
        if RESERVED_ACTIONS.contains(&name) {
            let message = format!("Relink runs the action {name} itself; it can't be run by name.");
            return Err(Error::conflict("action_reserved", message));
        }
        let Some(action) = provider.definition.actions().get(name) else {
            return Err(Error::not_found("action", name));
        };
        let action = Action { name, steps: &action.steps, query, body };
        let running = Box::pin(self.run(caller, &account, &provider, (&action, ContextTarget::Change)));
        let Ran { last, error, .. } = running.await?;
        match error {
            None => Ok(last),
            Some(error) => Err(Error::Step {
                code: "step_failed",
                title: format!("A step of the action {name} failed"),
                message: error.message,
                hint: "Look at what the step says, and at the action in the integration.".into(),
                failed: None,
                status: error.status,
            }),
        }
    }
}
