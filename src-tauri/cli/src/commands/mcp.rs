//! `relink mcp create`, `list` and `delete`. `relink mcp` itself is in `crate::agent`.

use relink_contract::mcp::{McpToken, NewMcpToken};
use relink_domain::mcp::McpConfig;

use super::lookup::find_account_id;
use crate::{
    api_client::ApiClient,
    args::McpServers,
    exit::CliError,
    output::{Output, SECS_PER_DAY, now, relative_time},
    table::Cell,
};

pub(super) fn run(client: &ApiClient, command: McpServers, output: Output) -> Result<(), CliError> {
    match command {
        McpServers::Create { account, name, methods, tags, expires, require_api_token } => {
            let account = find_account_id(client, &account)?;
            let config = McpConfig { methods, tags, require_api_token_auth: require_api_token };
            let expires_at = expires.map(|days| now().plus_secs(i64::from(days) * SECS_PER_DAY));
            let made = client.create_mcp_token(&account, &NewMcpToken { name, config, expires_at })?;
            output.exact(&made, |made| made.url.expose())
        }
        McpServers::List { account } => {
            let servers = client.mcp_tokens(&find_account_id(client, &account)?)?;
            output.table(&servers, |servers| servers.result.iter().map(row).collect())
        }
        McpServers::Delete { account, id } => {
            let account = find_account_id(client, &account)?;
            output.text(&client.delete_mcp_token(&account, &id)?, |_| "The MCP server was deleted.".to_owned())
        }
    }
}

fn row(server: &McpToken) -> [Cell; 4] {
    let McpConfig { methods, tags, require_api_token_auth } = &server.config;
    let named = |what: &str, names: &[String]| (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")));
    let requires = require_api_token_auth.then(|| "needs an API token".to_owned());
    let offered: Vec<_> = [named("methods", methods), named("tags", tags), requires].into_iter().flatten().collect();
    let expiry = match server.expires_at {
        None => "never expires".to_owned(),
        Some(at) => format!("expires {}", relative_time(Some(at))),
    };
    [server.id.to_string().into(), server.name.as_str().into(), offered.join("; ").into(), expiry.into()]
}
