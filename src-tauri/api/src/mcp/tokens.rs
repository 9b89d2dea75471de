//! An account's MCP servers.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    mcp::{CreatedMcpToken, McpToken, McpTokenChange, NewMcpToken},
};
use relink_domain::{
    AccountId, McpTokenId, Secret, UserId, account::Account, caller::Caller, integration::Definition,
    permission::Permission,
};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::{PathId, PathIds},
    query::Query,
};

pub(super) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadAccounts, routes!(list))
        .with(Permission::ReadAccounts, routes!(show))
        .with(Permission::UseAccounts, routes!(create))
        .with(Permission::UseAccounts, routes!(change, delete))
}

impl ApiState {
    async fn account(&self, caller: &Caller, id: AccountId) -> Result<Account, ApiError> {
        Ok(self.engine.accounts().get(caller, id).await?.account)
    }

    /// The account, and the definition of its tools.
    async fn with_tools(&self, caller: &Caller, id: AccountId) -> Result<(Account, Arc<Definition>), ApiError> {
        let (view, (_, definition)) = self.definition_of_account(caller, id).await?;
        Ok((view.account, definition))
    }

    /// Who made the servers that no API token made.
    async fn user(&self, caller: &Caller) -> Result<UserId, ApiError> {
        Ok(self.engine.organization().team(caller).await?.user_id)
    }
}

fn row(token: relink_engine::McpToken, user: UserId) -> McpToken {
    let relink_engine::McpToken { id, account_id, name, config, made_by, created_at, updated_at, expires_at, .. } =
        token;
    McpToken {
        id,
        name,
        config,
        integrated_account_id: account_id,
        created_by: made_by.map_or_else(|| user.to_string(), |id| id.to_string()),
        expires_at,
        created_at,
        updated_at,
    }
}

/// List an account's MCP servers
#[utoipa::path(
    get,
    path = "/integrated-account/{id}/mcp",
    operation_id = "list_mcp_tokens",
    tag = "Agents",
    params(
        ("id" = AccountId, Path),
        ("name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of MCP servers, without their tokens", body = List<McpToken>), QueryErrors, NotFound),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    query: Query,
) -> ApiResult<List<McpToken>> {
    let account = api.account(&caller, id).await?;
    let (tokens, user) = (api.engine.access().mcp_tokens(&caller, &account).await?, api.user(&caller).await?);
    let all = tokens.into_iter().map(|token| row(token, user)).collect();
    let fields: [(_, Field<McpToken>); 2] =
        [("id", Field::Text(|it| it.id.to_string())), ("name", Field::Text(|it| it.name.clone()))];
    let place = |it: &McpToken| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show an MCP server
#[utoipa::path(
    get,
    path = "/integrated-account/{id}/mcp/{token_id}",
    operation_id = "get_mcp_token",
    tag = "Agents",
    params(("id" = AccountId, Path), ("token_id" = McpTokenId, Path)),
    responses((status = 200, description = "The MCP server, without its token", body = McpToken), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathIds(id, token_id): PathIds<AccountId, McpTokenId>,
) -> ApiResult<McpToken> {
    let account = api.account(&caller, id).await?;
    let token = api.engine.access().mcp_token(&caller, &account, token_id).await?;
    Ok(Json(row(token, api.user(&caller).await?)))
}

/// Create an MCP server
///
/// For agents: `url` is where they connect, and only this response contains it. It ends with the API token that created it.
#[utoipa::path(
    post,
    path = "/integrated-account/{id}/mcp",
    operation_id = "create_mcp_token",
    tag = "Agents",
    params(("id" = AccountId, Path)),
    request_body = NewMcpToken,
    responses((status = 200, description = "The MCP server", body = CreatedMcpToken), BodyErrors, NotFound, Conflict),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    Body(new): Body<NewMcpToken>,
) -> ApiResult<CreatedMcpToken> {
    let (account, definition) = api.with_tools(&caller, id).await?;
    let (record, token) = api.engine.access().create_mcp_token(&caller, &account, &definition, new).await?;
    let url = Secret::new(format!("{}/mcp/{}", api.port.base_url(), token.expose()));
    let record = row(record, api.user(&caller).await?);
    Ok(Json(CreatedMcpToken { record, token: token.into(), url: url.into() }))
}

/// Change an MCP server
///
/// What isn't given stays. `config` is replaced whole.
#[utoipa::path(
    patch,
    path = "/integrated-account/{id}/mcp/{token_id}",
    operation_id = "update_mcp_token",
    tag = "Agents",
    params(("id" = AccountId, Path), ("token_id" = McpTokenId, Path)),
    request_body = McpTokenChange,
    responses((status = 200, description = "The MCP server", body = McpToken), BodyErrors, NotFound, Conflict),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathIds(id, token_id): PathIds<AccountId, McpTokenId>,
    Body(change): Body<McpTokenChange>,
) -> ApiResult<McpToken> {
    let (account, definition) = api.with_tools(&caller, id).await?;
    let changed = api.engine.access().change_mcp_token(&caller, &account, &definition, token_id, change).await?;
    Ok(Json(row(changed, api.user(&caller).await?)))
}

/// Delete an MCP server
///
/// Its agents are refused from now on.
#[utoipa::path(
    delete,
    path = "/integrated-account/{id}/mcp/{token_id}",
    operation_id = "delete_mcp_token",
    tag = "Agents",
    params(("id" = AccountId, Path), ("token_id" = McpTokenId, Path)),
    responses((status = 200, description = "The MCP server was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathIds(id, token_id): PathIds<AccountId, McpTokenId>,
) -> ApiResult<Deleted> {
    let account = api.account(&caller, id).await?;
    api.engine.access().delete_mcp_token(&caller, &account, token_id).await?;
    Ok(Json(Deleted { id: token_id.to_string() }))
}
