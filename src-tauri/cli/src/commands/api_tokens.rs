//! `relink api-token`.

use relink_contract::token::{ApiToken, NewApiToken};
use relink_domain::{caller::TokenLevel, token_limits::TokenLimits};

use super::input::confirm;
use crate::{
    api_client::ApiClient,
    args::ApiTokens,
    exit::CliError,
    output::{Output, now, relative_time},
    table::Cell,
};

const SECS_PER_DAY: i64 = 24 * 60 * 60;

pub(super) fn run(client: &ApiClient, command: ApiTokens, output: Output) -> Result<(), CliError> {
    match command {
        ApiTokens::Create { name, expires, admin, yes } => {
            let level = if admin { TokenLevel::Full } else { TokenLevel::Program };
            if admin && !yes {
                let question = format!(
                    "Give {name} full access? Whoever has the token can add and set up integrations, read all webhooks, and \
                     change and delete accounts."
                );
                confirm(&question, "No token was created.")?;
            }
            let expires_at = expires.map(|days| now().plus_secs(i64::from(days) * SECS_PER_DAY));
            output.exact(
                &client.create_api_token(&NewApiToken { name, level, limits: TokenLimits::default(), expires_at })?,
                |token| token.token.expose(),
            )
        }
        ApiTokens::List => output.table(&client.api_tokens()?, |tokens| tokens.result.iter().map(row).collect()),
        ApiTokens::Revoke { id } => {
            output.text(&client.revoke_api_token(&id)?, |_| "The token was revoked.".to_owned())
        }
    }
}

fn row(token: &ApiToken) -> [Cell; 4] {
    let level = match token.level {
        TokenLevel::Program => "program",
        TokenLevel::Full => "full access",
    };
    let expiry = match token.expires_at {
        None => "never expires".to_owned(),
        Some(at) if at <= now() => format!("expired {}", relative_time(Some(at))),
        Some(at) => format!("expires {}", relative_time(Some(at))),
    };
    [token.id.to_string().into(), token.name.as_str().into(), level.into(), expiry.into()]
}
