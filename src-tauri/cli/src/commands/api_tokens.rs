//! `relink api-token`.

use relink_contract::token::{ApiToken, NewApiToken};
use relink_domain::{AccountId, caller::TokenLevel, token_limits::TokenLimits};

use super::{input::confirm, lookup::find_account_id};
use crate::{
    api_client::ApiClient,
    args::ApiTokens,
    exit::CliError,
    output::{Output, SECS_PER_DAY, now, relative_time},
    table::Cell,
};

pub(super) fn run(client: &ApiClient, command: ApiTokens, output: Output) -> Result<(), CliError> {
    match command {
        ApiTokens::Create { name, expires, admin, accounts, integrations, read_only, yes } => {
            let level = if admin { TokenLevel::Full } else { TokenLevel::Program };
            if admin && !yes {
                let question = format!(
                    "Give {name} full access? Whoever has the token can add and set up integrations, read all webhooks, and \
                     change and delete accounts."
                );
                confirm(&question, "No token was created.")?;
            }
            let expires_at = expires.map(|days| now().plus_secs(i64::from(days) * SECS_PER_DAY));
            let limits = TokenLimits {
                accounts: if accounts.is_empty() { None } else { Some(account_ids(client, &accounts)?) },
                integrations: Some(integrations).filter(|names| !names.is_empty()),
                read_only,
            };
            output.exact(&client.create_api_token(&NewApiToken { name, level, limits, expires_at })?, |token| {
                token.token.expose()
            })
        }
        ApiTokens::List => output.list(
            &client.api_tokens()?,
            |tokens| tokens.result.iter().map(row).collect(),
            "No API tokens yet. To create one: relink api-token create NAME",
        ),
        ApiTokens::Revoke { id } => {
            output.text(&client.revoke_api_token(&id)?, |_| "The token was revoked.".to_owned())
        }
    }
}

fn account_ids(client: &ApiClient, named: &[String]) -> Result<Vec<AccountId>, CliError> {
    let ids = named.iter().map(|name| {
        let id = find_account_id(client, name)?;
        id.parse().map_err(|_| CliError::new(format!("{id} is no account ID.")))
    });
    ids.collect()
}

/// What the token is limited to, in a few words.
fn limits_of(limits: &TokenLimits) -> String {
    let accounts = limits.accounts.as_ref().map(|accounts| match accounts.len() {
        1 => "1 account".to_owned(),
        count => format!("{count} accounts"),
    });
    let integrations = limits.integrations.as_ref().map(|names| names.join(", "));
    let read_only = limits.read_only.then(|| "read-only".to_owned());
    [accounts, integrations, read_only].into_iter().flatten().collect::<Vec<_>>().join("; ")
}

fn row(token: &ApiToken) -> [Cell; 5] {
    let level = match token.level {
        TokenLevel::Program => "program",
        TokenLevel::Full => "full access",
    };
    let expiry = match token.expires_at {
        None => "never expires".to_owned(),
        Some(at) if at <= now() => format!("expired {}", relative_time(Some(at))),
        Some(at) => format!("expires {}", relative_time(Some(at))),
    };
    [
        token.id.to_string().into(),
        token.name.as_str().into(),
        level.into(),
        limits_of(&token.limits).into(),
        expiry.into(),
    ]
}
