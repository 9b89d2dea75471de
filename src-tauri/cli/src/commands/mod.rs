//! The commands that call the running Relink.

mod accounts;
mod api_tokens;
mod call;
mod calls;
mod events;
mod input;
mod integrations;
mod links;
mod lookup;
mod mcp;
mod sandbox;
mod status;
mod sync;
mod timeline;
mod webhooks;

use crate::{api_client::ApiClient, args::Command, exit::CliError, output::Output};

/// How long one request waits for new entries, in commands that follow.
const LONG_POLL_SECS: u32 = 25;

pub(crate) fn run(client: &ApiClient, command: Command, output: Output) -> Result<(), CliError> {
    match command {
        // `main` runs these, without a client.
        Command::Serve { .. } | Command::Eval { .. } => Ok(()),
        Command::Status => status::run(client, output),
        Command::Accounts => accounts::list(client, output),
        Command::Account { id } => accounts::show(client, &id, output),
        Command::Connect { integration, tenant, open } => links::connect(client, &integration, tenant, open, output),
        Command::Reauthorize { id, open } => links::reauthorize(client, &id, open, output),
        Command::Form { id, open } => links::form(client, &id, open, output),
        Command::Links { command } => links::run(client, command, output),
        Command::Token { id, field } => accounts::token(client, &id, field.as_deref(), output),
        Command::Check { id } => accounts::check(client, &id, output),
        Command::Call { arguments } => call::run(client, &arguments.0),
        Command::Refresh { id } => accounts::refresh(client, &id, output),
        Command::RunSteps { id } => accounts::run_steps(client, &id, output),
        Command::Rename { id, name } => accounts::rename(client, &id, name, output),
        Command::Delete { id, yes } => accounts::delete(client, &id, yes, output),
        Command::Timeline { id, limit } => timeline::run(client, id.as_deref(), limit, output),
        Command::Calls { id } => calls::run(client, &id, output),
        Command::Events { after, once } => events::run(client, after, once, output),
        Command::Integrations { command } => integrations::run(client, command, output),
        Command::Sandbox { command } => sandbox::run(client, command.0, output),
        Command::ApiToken { command } => api_tokens::run(client, command.0, output),
        Command::Mcp { arguments } => match arguments.0.command {
            Some(command) => mcp::run(client, command, output),
            // `main` runs this, without a client.
            None => Ok(()),
        },
        Command::Webhook { command } => webhooks::run(client, command.0, output),
        Command::Sync { command } => sync::run(client, command.0, output),
        Command::Callback { url } => links::callback(client, url, output),
    }
}
