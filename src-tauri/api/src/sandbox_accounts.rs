//! Sandbox accounts: accounts with which programs can only read (contract section 3). Truto makes a copy of an account, Relink marks the
//! account itself.

use axum::{Extension, Json, extract::State};
use relink_contract::{ById, Deleted, List, account::SandboxIntegratedAccount};
use relink_domain::{AccountId, caller::Caller, permission::Permission};
use relink_engine::{AccountText, AccountTime, AccountView, Condition, Error, Filter};
use utoipa_axum::routes;

use crate::{
    ApiState,
    accounts::account_id,
    body::Body,
    error::{ApiError, ApiResult},
    listing::Paging,
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadAccounts, routes!(list))
        .with(Permission::ReadAccounts, routes!(show))
        .with(Permission::ChangeAccounts, routes!(mark))
        .with(Permission::ChangeAccounts, routes!(unmark))
}

impl ApiState {
    fn sandbox_account(&self, view: &AccountView) -> Result<SandboxIntegratedAccount, ApiError> {
        let row = SandboxIntegratedAccount::new(&view.account, self.integrated_account(view));
        row.ok_or_else(|| Error::not_found("sandbox account", &view.account.id()).into())
    }
}

/// List sandbox accounts
#[utoipa::path(
    get,
    path = "/sandbox-integrated-account",
    operation_id = "list_sandbox_integrated_accounts",
    tag = "Accounts",
    params(
        ("id" = Option<String>, Query, description = "One id, or several: `id[in]=…,…`."),
        ("created_at[gt]" = Option<String>, Query, description = "A time. Also with `gte`, `lt`, `lte`, and `updated_at[…]`. Without a zone it is UTC."),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page", body = List<SandboxIntegratedAccount>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<SandboxIntegratedAccount>> {
    let texts = query.texts("id", true)?.into_iter().map(|condition| (AccountText::Id, condition)).collect();
    let mut times = Vec::new();
    for (name, time) in [("created_at", AccountTime::SandboxSince), ("updated_at", AccountTime::Updated)] {
        times.extend(query.times(name)?.into_iter().map(|condition| (time, condition)));
    }
    let filter = Filter { texts, times, is_sandbox: vec![Condition::In(vec![true])], ..Filter::default() };
    let paging = Paging::of(&query)?;
    let page = api.engine.accounts().page(&caller, filter, paging.of_accounts(AccountTime::SandboxSince)?).await?;
    let rows = page.accounts.iter().map(|view| api.sandbox_account(view)).collect::<Result<_, _>>()?;
    Ok(Json(paging.list_of_accounts(rows, page.next)))
}

/// Show a sandbox account
#[utoipa::path(
    get,
    path = "/sandbox-integrated-account/{id}",
    operation_id = "get_sandbox_integrated_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The sandbox account", body = SandboxIntegratedAccount), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<SandboxIntegratedAccount> {
    Ok(Json(api.sandbox_account(&api.engine.accounts().get(&caller, id).await?)?))
}

/// Mark an account as a sandbox account
///
/// `is_sandbox` is true from then on, and programs can only read with the account: a write is a 405.
#[utoipa::path(
    post,
    path = "/sandbox-integrated-account",
    operation_id = "create_sandbox_integrated_account",
    tag = "Accounts",
    request_body = ById,
    responses((status = 200, description = "The sandbox account", body = SandboxIntegratedAccount), BodyErrors, NotFound, Conflict),
)]
async fn mark(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(account): Body<ById>,
) -> ApiResult<SandboxIntegratedAccount> {
    let id = account_id(&account.id)?;
    Ok(Json(api.sandbox_account(&api.engine.accounts().mark_sandbox(&caller, id, true).await?)?))
}

/// Take the mark of a sandbox account away
///
/// The account stays, and programs can write with it.
#[utoipa::path(
    delete,
    path = "/sandbox-integrated-account/{id}",
    operation_id = "delete_sandbox_integrated_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "It isn't a sandbox account any more", body = Deleted), NotFound, Conflict),
)]
async fn unmark(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<Deleted> {
    api.sandbox_account(&api.engine.accounts().get(&caller, id).await?)?;
    api.engine.accounts().mark_sandbox(&caller, id, false).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
