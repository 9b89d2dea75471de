//! The routes that agents use.

use std::sync::Arc;

use axum::{
    Extension, Json,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};
use relink_contract::tool::MethodFilter;
use relink_domain::{caller::Caller, permission::Permission};
use utoipa_axum::routes;

use super::{
    message::{Message, Unreadable},
    offered::{self, Offered},
    server::Server,
};
use crate::{ApiState, body, error::ApiError, openapi::Routes, query::Query};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::UseOwnTools, routes!(one_account))
        .with(Permission::CallMethods, routes!(all_accounts))
}

/// The token in the path of an MCP server, before which any run of slashes is one.
pub(crate) fn token_in(path: &str) -> Option<&str> {
    let token = path.trim_start_matches('/').strip_prefix("mcp/")?;
    (!token.is_empty() && !token.contains('/')).then_some(token)
}

/// Use an account's tools
///
/// A server of the Model Context Protocol. Each message is answered by itself, with one JSON text: there are no sessions. A notification
/// gets 202 and nothing. The token in the path is the key; a server whose config has `require_api_token_auth` also requires an API token.
#[utoipa::path(
    post,
    path = "/mcp/{token}",
    operation_id = "mcp",
    tag = "Agents",
    params(("token" = String, Path, description = "The server's token, from `POST /integrated-account/{id}/mcp`.")),
    request_body(content = Object, description = "A JSON-RPC 2.0 message. `jsonrpc` may be left out."),
    responses(
        (status = 200, description = "The JSON-RPC answer, or its error.", body = Object),
        (status = 202, description = "The message wants no answer."),
        (status = 400, description = "A JSON-RPC error: the message can't be read.", body = Object),
    ),
)]
async fn one_account(State(api): State<ApiState>, Extension(caller): Extension<Caller>, request: Request) -> Response {
    let config = api.engine.access().mcp_config(&caller).unwrap_or_default();
    let filter = MethodFilter::from(&config);
    serve(&api, &caller, request, async |api, caller| match caller.own_account() {
        Some(account) => offered::of_account(api, caller, account, &filter).await,
        None => Ok(Vec::new()),
    })
    .await
}

/// Use the tools of all accounts
///
/// A server of the Model Context Protocol, like that of one account, for all accounts that the API token may use. A tool's name ends
/// with its account's. `relink mcp` is the same on standard input and output.
#[utoipa::path(
    post,
    path = "/relink/mcp",
    operation_id = "mcp_of_all_accounts",
    tag = "Agents",
    params(
        ("accounts" = Option<String>, Query, description = "Ids or names of accounts, with commas. Default: all."),
        ("methods" = Option<String>, Query, description = "Names of methods, or `read`, `write` and `custom`; several with commas."),
        ("tags" = Option<String>, Query, description = "Tags of resources or methods (`tool_tags`); several with commas."),
    ),
    request_body(content = Object, description = "A JSON-RPC 2.0 message. `jsonrpc` may be left out."),
    responses(
        (status = 200, description = "The JSON-RPC answer, or its error.", body = Object),
        (status = 202, description = "The message wants no answer."),
        (status = 400, description = "A JSON-RPC error: the message can't be read.", body = Object),
    ),
)]
async fn all_accounts(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
    request: Request,
) -> Response {
    let accounts = query.words("accounts");
    let filter = MethodFilter { methods: query.words("methods"), tags: query.words("tags"), resource: None };
    serve(&api, &caller, request, async |api, caller| offered::of_all(api, caller, &accounts, &filter).await).await
}

async fn serve(
    api: &ApiState,
    caller: &Caller,
    request: Request,
    offered: impl AsyncFnOnce(&ApiState, &Caller) -> Result<Vec<Offered>, ApiError>,
) -> Response {
    let bytes = match body::read(request, api).await {
        Ok(bytes) => bytes,
        Err(error) => return error.into_response(),
    };
    let message = match Message::read(&bytes) {
        Ok(Message::Silent) => return StatusCode::ACCEPTED.into_response(),
        Ok(message) => message,
        Err(Unreadable(answer)) => return (StatusCode::BAD_REQUEST, Json(answer)).into_response(),
    };
    let answer = match offered(api, caller).await {
        Ok(mut offered) => {
            if caller.is_read_only() {
                offered.retain(Offered::only_reads);
            }
            let server = Server { api: api.clone(), caller: caller.clone(), offered: Arc::from(offered) };
            Box::pin(message.answer(server)).await
        }
        Err(error) => message.refuse(&error),
    };
    match answer {
        Some(answer) => Json(answer).into_response(),
        None => StatusCode::ACCEPTED.into_response(),
    }
}
