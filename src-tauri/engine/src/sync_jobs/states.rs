//! What runs remember, for programs (contract section 9.1).

use relink_domain::caller::Caller;
use rusqlite::Transaction;
use serde_json::Value;

use super::SyncJobs;
use crate::{
    error::{Error, Result},
    store::sync_jobs::states::{self, StateCell},
};

const WHAT: &str = "cell of this state with the key";
/// The maximum length of a key, in characters.
const MAX_KEY: usize = 500;

impl SyncJobs {
    /// The cells of a state, by key.
    pub async fn states(&self, _caller: &Caller, state_key: &str) -> Result<Vec<StateCell>> {
        let state_key = state_key.to_owned();
        Ok(self.0.uses.store.read(move |c| states::of(c, &state_key)).await?)
    }

    pub async fn state(&self, _caller: &Caller, state_key: &str, key: &str) -> Result<StateCell> {
        let (state_key, wanted) = (state_key.to_owned(), key.to_owned());
        let found = self.0.uses.store.read(move |c| states::get(c, &state_key, &wanted)).await?;
        found.ok_or_else(|| Error::not_found(WHAT, key))
    }

    /// Adds a cell. There must be none with its key.
    pub async fn add_state(&self, caller: &Caller, state_key: &str, key: &str, value: Value) -> Result<StateCell> {
        if key.is_empty() || key.chars().count() > MAX_KEY {
            let message = format!("key must have 1 to {MAX_KEY} characters.");
            return Err(Error::invalid_field("key_invalid", "key", message));
        }
        self.put_state(caller, state_key, key, value, false).await
    }

    /// Changes a cell. There must be one with its key.
    pub async fn change_state(&self, caller: &Caller, state_key: &str, key: &str, value: Value) -> Result<StateCell> {
        self.put_state(caller, state_key, key, value, true).await
    }

    async fn put_state(
        &self,
        caller: &Caller,
        state_key: &str,
        key: &str,
        value: Value,
        is_there: bool,
    ) -> Result<StateCell> {
        let (state_key, key, now) = (state_key.to_owned(), key.to_owned(), self.now());
        tracing::info!(?caller, state_key, key, "a state is written");
        let write = move |tx: &Transaction<'_>| {
            match (states::get(tx, &state_key, &key)?, is_there) {
                (None, true) => return Ok(Err(Error::not_found(WHAT, &key))),
                (Some(_), false) => {
                    let message =
                        format!("There is a cell of this state with the key {key} already. Change it instead.");
                    return Ok(Err(Error::conflict("state_exists", message)));
                }
                (None, false) | (Some(_), true) => {}
            }
            states::put(tx, (&state_key, &key), &value, None, now)?;
            Ok(states::get(tx, &state_key, &key)?.ok_or_else(|| Error::not_found(WHAT, &key)))
        };
        self.0.uses.store.write(write).await?
    }

    /// Removes a cell. Gives what it was.
    pub async fn delete_state(&self, caller: &Caller, state_key: &str, key: &str) -> Result<StateCell> {
        let (state_key, key) = (state_key.to_owned(), key.to_owned());
        tracing::info!(?caller, state_key, key, "a state is removed");
        let write = move |tx: &Transaction<'_>| {
            let Some(cell) = states::get(tx, &state_key, &key)? else { return Ok(Err(Error::not_found(WHAT, &key))) };
            states::delete(tx, &state_key, &key)?;
            Ok(Ok(cell))
        };
        self.0.uses.store.write(write).await?
    }
}
