//! Tokens of MCP servers (contract section 10.2): each is for tools of one account.

use std::collections::HashMap;

use relink_contract::{
    mcp::{McpTokenChange, NewMcpToken},
    tool::{MethodFilter, Tools},
};
use relink_domain::{
    AccountId, McpTokenId, Secret, Timestamp,
    account::Account,
    caller::Caller,
    integration::Definition,
    mcp::{MAX_NAMED, McpConfig},
    name,
    permission::Permission,
};
use rusqlite::Transaction;
use uuid::Uuid;

use super::{Access, MAX_NAME};
use crate::{
    error::{Error, Result},
    random::{hash_of, random_token},
    store::{
        self, accounts, api_tokens,
        mcp_tokens::{self, McpToken},
    },
};

/// A token is valid for so long at least, in seconds.
const MIN_VALID_SECS: i64 = 60;
/// The maximum number of servers of one account.
const MAX_OF_ACCOUNT: usize = 1000;

/// The servers, by their tokens' hashes. They change with each commit, in the order of the store's transactions.
pub(super) type McpTokens = HashMap<[u8; 32], McpToken>;

impl Access {
    /// Creates an MCP server for an account, with tools of its integration's definition. Its token is returned only here. It ends with
    /// the caller's own token.
    pub async fn create_mcp_token(
        &self,
        caller: &Caller,
        account: &Account,
        definition: &Definition,
        new: NewMcpToken,
    ) -> Result<(McpToken, Secret)> {
        caller.require_account(account.id(), &account.profile.integration)?;
        let now = self.0.uses.clock.now();
        let token = McpToken {
            id: McpTokenId::from_uuid(Uuid::now_v7()),
            account_id: account.id(),
            integration: account.profile.integration.clone(),
            name: checked_name(&new.name)?,
            config: checked_config(new.config, definition)?,
            made_by: api_tokens::id_of(caller),
            created_at: now,
            updated_at: now,
            expires_at: new.expires_at.map(|at| checked_expiry(at, now)).transpose()?,
        };
        let secret = random_token()?;
        let (hash, record, access) = (hash_of(secret.expose()), token.clone(), self.clone());
        let write = move |tx: &Transaction<'_>| {
            if !api_tokens::is_valid(tx, record.made_by, now)? {
                return Ok(Err(Error::TokenEnded));
            }
            if accounts::get(tx, record.account_id)?.is_none() {
                return Ok(Err(Error::not_found("account", &record.account_id)));
            }
            if mcp_tokens::of_account(tx, record.account_id)?.len() >= MAX_OF_ACCOUNT {
                let message = format!("This account has {MAX_OF_ACCOUNT} MCP servers already. Delete one first.");
                return Ok(Err(Error::conflict("too_many_mcp_servers", message)));
            }
            mcp_tokens::insert(tx, &hash, &record)?;
            Ok(Ok(record))
        };
        let publish = move |made: &Result<McpToken>| {
            if let Ok(record) = made {
                let mut known = access.0.uses.of_accounts.mcp_tokens();
                known.retain(|_, known| known.is_valid(now));
                known.insert(hash, record.clone());
            }
        };
        self.0.uses.store.write_then(write, publish).await??;
        tracing::info!(server = %token.id, account = %token.account_id, ?caller, "MCP server made");
        Ok((token, secret))
    }

    /// An account's MCP servers, the newest first.
    pub async fn mcp_tokens(&self, caller: &Caller, account: &Account) -> Result<Vec<McpToken>> {
        caller.require_account(account.id(), &account.profile.integration)?;
        let (id, now) = (account.id(), self.0.uses.clock.now());
        let mut tokens = self.0.uses.store.read(move |c| mcp_tokens::of_account(c, id)).await?;
        tokens.retain(|token| token.is_valid(now));
        tokens.reverse();
        Ok(tokens)
    }

    pub async fn mcp_token(&self, caller: &Caller, account: &Account, id: McpTokenId) -> Result<McpToken> {
        caller.require_account(account.id(), &account.profile.integration)?;
        let (account, now) = (account.id(), self.0.uses.clock.now());
        self.0.uses.store.read(move |c| found(c, account, id, now)).await?
    }

    /// Changes an MCP server, with immediate effect. A program's token changes only those that it made: others count as unknown.
    pub async fn change_mcp_token(
        &self,
        caller: &Caller,
        account: &Account,
        definition: &Definition,
        id: McpTokenId,
        change: McpTokenChange,
    ) -> Result<McpToken> {
        caller.require_account(account.id(), &account.profile.integration)?;
        let now = self.0.uses.clock.now();
        let name = change.name.as_deref().map(checked_name).transpose()?;
        let config = change.config.map(|config| checked_config(config, definition)).transpose()?;
        let expires_at = change.expires_at.map(|at| at.map(|at| checked_expiry(at, now)).transpose()).transpose()?;
        let (account, access, who) = (account.id(), self.clone(), caller.clone());
        let write = move |tx: &Transaction<'_>| {
            let mut token = match managed(tx, account, id, &who, now)? {
                Ok(token) => token,
                Err(unknown) => return Ok(Err(unknown)),
            };
            token.name = name.unwrap_or(token.name);
            token.config = config.unwrap_or(token.config);
            token.expires_at = expires_at.unwrap_or(token.expires_at);
            token.updated_at = now;
            mcp_tokens::update(tx, &token)?;
            Ok(Ok(token))
        };
        let publish = move |changed: &Result<McpToken>| {
            if let Ok(changed) = changed {
                let mut known = access.0.uses.of_accounts.mcp_tokens();
                known.values_mut().filter(|known| known.id == id).for_each(|known| known.clone_from(changed));
            }
        };
        let changed = self.0.uses.store.write_then(write, publish).await??;
        tracing::info!(server = %id, ?caller, "MCP server changed");
        Ok(changed)
    }

    /// Deletes an MCP server, with immediate effect. A program's token deletes only those that it made.
    pub async fn delete_mcp_token(&self, caller: &Caller, account: &Account, id: McpTokenId) -> Result<()> {
        caller.require_account(account.id(), &account.profile.integration)?;
        let (account, access, now) = (account.id(), self.clone(), self.0.uses.clock.now());
        let deletes = caller.clone();
        let write = move |tx: &Transaction<'_>| {
            let found = managed(tx, account, id, &deletes, now)?;
            if found.is_ok() {
                mcp_tokens::delete(tx, id)?;
            }
            Ok(found.map(drop))
        };
        let forget = move |deleted: &Result<()>| {
            if deleted.is_ok() {
                access.0.uses.of_accounts.mcp_tokens().retain(|_, known| known.id != id);
            }
        };
        self.0.uses.store.write_then(write, forget).await??;
        tracing::info!(server = %id, ?caller, "MCP server deleted");
        Ok(())
    }

    /// The caller that an MCP token authenticates; `None` for any other text. A server that requires an API token authenticates only
    /// beside one that may use the account.
    pub fn authenticate_mcp(&self, token: &str, beside: Option<&Caller>) -> Option<Caller> {
        if token.len() != super::LENGTH {
            return None;
        }
        // A hash takes no time that says how much of it was right.
        let server = self.0.uses.of_accounts.mcp_tokens().get(&hash_of(token)).cloned()?;
        let is_permitted =
            !server.config.require_api_token_auth || beside.is_some_and(|caller| may_ask(caller, &server));
        let caller = Caller::McpToken { id: server.id, name: server.name, account_id: server.account_id };
        (is_permitted && self.is_still_valid(&caller)).then_some(caller)
    }

    /// Which tools the caller's MCP server offers.
    pub fn mcp_config(&self, caller: &Caller) -> Option<McpConfig> {
        let Caller::McpToken { id, .. } = caller else { return None };
        self.0.uses.of_accounts.mcp_tokens().values().find(|known| known.id == *id).map(|known| known.config.clone())
    }

    /// Whether an MCP server still exists, hasn't expired, and nor has the API token that made it.
    pub(super) fn is_valid_mcp(&self, id: McpTokenId, now: Timestamp) -> bool {
        let made_by = {
            let known = self.0.uses.of_accounts.mcp_tokens();
            let server = known.values().find(|known| known.id == id && known.is_valid(now));
            let Some(server) = server else { return false };
            server.made_by
        };
        made_by.is_none_or(|maker| self.is_valid_api_token(maker, now))
    }
}

/// Whether a caller has an API token that may use the server's account. The run's own token may do more than that.
fn may_ask(caller: &Caller, server: &McpToken) -> bool {
    matches!(caller, Caller::ApiToken { .. } | Caller::Person)
        && caller.require_account(server.account_id, &server.integration).is_ok()
}

/// One of another account counts as unknown.
fn found(
    connection: &rusqlite::Connection,
    account: AccountId,
    id: McpTokenId,
    now: Timestamp,
) -> store::Result<Result<McpToken>> {
    let token = mcp_tokens::get(connection, id)?.filter(|token| token.account_id == account && token.is_valid(now));
    Ok(token.ok_or_else(|| Error::not_found("MCP server", &id)))
}

/// One that the caller may change: the person and tokens with full access each one, another token those that it made.
fn managed(
    connection: &rusqlite::Connection,
    account: AccountId,
    id: McpTokenId,
    caller: &Caller,
    now: Timestamp,
) -> store::Result<Result<McpToken>> {
    let own = api_tokens::id_of(caller);
    if !api_tokens::is_valid(connection, own, now)? {
        return Ok(Err(Error::TokenEnded));
    }
    let token = found(connection, account, id, now)?;
    let may = |token: &McpToken| caller.may(Permission::ChangeAccounts) || own.is_some() && token.made_by == own;
    Ok(token.and_then(|token| if may(&token) { Ok(token) } else { Err(Error::not_found("MCP server", &id)) }))
}

fn checked_name(text: &str) -> Result<String> {
    name::one_line(text, MAX_NAME).map(str::to_owned).ok_or_else(|| {
        let message = format!("The name of an MCP server must have 1 to {MAX_NAME} characters, on one line.");
        Error::invalid_field("name_invalid", "name", message)
    })
}

/// A server without any tool is refused too.
fn checked_config(config: McpConfig, definition: &Definition) -> Result<McpConfig> {
    for (field, names) in [("config.methods", &config.methods), ("config.tags", &config.tags)] {
        if names.len() > MAX_NAMED || names.iter().any(|named| !name::is_line(named, MAX_NAME)) {
            let message = format!("{field} can have at most {MAX_NAMED} names, each of 1 to {MAX_NAME} characters.");
            return Err(Error::invalid_field("config_invalid", field, message));
        }
    }
    if !Tools::of(definition, &MethodFilter::from(&config)).result.is_empty() {
        return Ok(config);
    }
    let message = if Tools::of(definition, &MethodFilter::default()).result.is_empty() {
        "The account's integration has no tools: none of its methods has a description."
    } else {
        "No tool of the account has one of these methods and tags. GET /integrated-account/{id}/tools lists them."
    };
    Err(Error::invalid_field("no_tools", "config", message))
}

fn checked_expiry(at: Timestamp, now: Timestamp) -> Result<Timestamp> {
    if at.millis_since(now) < MIN_VALID_SECS * 1000 {
        let message = "An MCP server must be valid for a minute at least: choose a later expires_at.";
        return Err(Error::invalid_field("expires_at_past", "expires_at", message));
    }
    Ok(at)
}
