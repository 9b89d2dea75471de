//! Integrated accounts: Truto's routes, and Relink's own.

use axum::{Extension, Json, extract::State, http::header, response::IntoResponse};
use relink_contract::{
    ById, List, Results, Success, WireSecret,
    account::{
        AccessToken, AccountRow, CheckReport, DeletedAccount, IntegratedAccount, IntegratedAccountToken,
        NewIntegratedAccountToken, Rename,
    },
};
use relink_domain::{AccountId, Timestamp, caller::Caller, permission::Permission};
use relink_engine::{AccountText, AccountTime, AccountView, Filter};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    call_waits::CallWaits,
    error::{ApiError, ApiResult},
    listing::Paging,
    openapi::{BodyErrors, Conflict, NotFound, ProviderErrors, QueryErrors, Routes, StepErrors},
    path::{Id, PathId},
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadAccounts, routes!(list))
        .with(Permission::ReadAccounts, routes!(show))
        .with(Permission::ChangeAccounts, routes!(delete))
        .with(Permission::UseAccounts, routes!(refresh_credentials))
        .with(Permission::UseAccounts, routes!(run_post_install_actions))
        .with(Permission::UseAccounts, routes!(create_token))
        .with(Permission::ReadOwnAccount, routes!(show_own))
        .with(Permission::ReadAccounts, routes!(rows))
        .with(Permission::ReadAccounts, routes!(row))
        .with(Permission::UseAccounts, routes!(access_token))
        .with(Permission::UseAccounts, routes!(refresh))
        .with(Permission::UseAccounts, routes!(check))
        .with(Permission::ChangeAccounts, routes!(rename))
}

impl ApiState {
    pub(crate) fn integrated_account(&self, view: &AccountView) -> IntegratedAccount {
        view.integrated_account(self.engine.organization_ids())
    }

    fn account_row(&self, view: &AccountView) -> AccountRow {
        with_wait(view, &CallWaits::now(self), self.engine.now())
    }
}

fn with_wait(view: &AccountView, waits: &CallWaits, now: Timestamp) -> AccountRow {
    AccountRow { waiting: waits.of(view), ..AccountRow::new(&view.account, &view.context(now)) }
}

/// The id in a body or a query.
pub(crate) fn account_id(text: &str) -> Result<AccountId, ApiError> {
    text.parse().map_err(|_| AccountId::not_found(text))
}

/// List integrated accounts
#[utoipa::path(
    get,
    path = "/integrated-account",
    operation_id = "list_integrated_accounts",
    tag = "Accounts",
    params(
        ("tenant_id" = Option<String>, Query, description = "Filters have operators: `tenant_id[like]=acme%`. Also `eq`, `ne`, `gt`, `gte`, `lt`, `lte`, `in`, `nin`, `ilike`, `exists`."),
        ("status" = Option<String>, Query, description = "One status, or several: `status[in]=active,needs_reauth`."),
        ("id" = Option<String>, Query, description = "One id, or several: `id[in]=…,…`."),
        ("integration.name" = Option<String>, Query),
        ("is_sandbox" = Option<bool>, Query),
        ("environment_id" = Option<String>, Query, description = "There is one environment. Another one is a 403, or with an operator an empty page."),
        ("features.super_query" = Option<String>, Query, description = "No account has it."),
        ("created_at[gt]" = Option<String>, Query, description = "A time. Also with `gte`, `lt`, `lte`, and `updated_at[…]`. Without a zone it is UTC."),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page", body = List<IntegratedAccount>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<IntegratedAccount>> {
    let mut texts = Vec::new();
    for (name, field, is_list) in [
        ("id", AccountText::Id, true),
        ("tenant_id", AccountText::TenantId, false),
        ("status", AccountText::Status, true),
        ("integration.name", AccountText::Integration, false),
    ] {
        texts.extend(query.texts(name, is_list)?.into_iter().map(|condition| (field, condition)));
    }
    let mut times = Vec::new();
    for (name, time) in [("created_at", AccountTime::Created), ("updated_at", AccountTime::Updated)] {
        times.extend(query.times(name)?.into_iter().map(|condition| (time, condition)));
    }
    let ids = if matches_each_account(&api, &query)? { None } else { Some(Vec::new()) };
    let filter = Filter { ids, texts, times, is_sandbox: query.flags("is_sandbox")?, ..Filter::default() };
    let paging = Paging::of(&query)?;
    let page = api.engine.accounts().page(&caller, filter, paging.of_accounts(AccountTime::Created)?).await?;
    let result = page.accounts.iter().map(|view| api.integrated_account(view)).collect();
    Ok(Json(paging.list_of_accounts(result, page.next)))
}

/// Whether the filters by what is the same for all accounts let them through: they are in one environment, and none has the feature
/// of Truto's that Relink lacks.
fn matches_each_account(api: &ApiState, query: &Query) -> Result<bool, ApiError> {
    let environment = api.engine.environment_id().to_string();
    for (name, value) in [("environment_id", Some(&environment)), ("features.super_query", None)] {
        if !query.texts(name, false)?.iter().all(|condition| condition.matches_optional(value)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Show an integrated account
#[utoipa::path(
    get,
    path = "/integrated-account/{id}",
    operation_id = "get_integrated_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The account", body = IntegratedAccount), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<IntegratedAccount> {
    Ok(Json(api.integrated_account(&api.engine.accounts().get(&caller, id).await?)))
}

/// Delete an integrated account
///
/// Its credentials are deleted too, and revoked if the provider supports that: `revocation` says whether they were.
#[utoipa::path(
    delete,
    path = "/integrated-account/{id}",
    operation_id = "delete_integrated_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The account was deleted", body = DeletedAccount), NotFound, Conflict),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<DeletedAccount> {
    Ok(Json(api.engine.accounts().delete(&caller, id).await?))
}

/// Refresh an account's credentials
#[utoipa::path(
    post,
    path = "/integrated-account/refresh-credentials",
    operation_id = "refresh_credentials",
    tag = "Accounts",
    request_body = ById,
    responses((status = 200, description = "Refreshed", body = Success), BodyErrors, NotFound, Conflict, ProviderErrors),
)]
async fn refresh_credentials(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(account): Body<ById>,
) -> ApiResult<Success> {
    api.engine.refresher().refresh(&caller, account_id(&account.id)?).await?;
    Ok(Json(Success::YES))
}

/// Run an account's connect steps again
///
/// The actions `post_install` and `validation` of its integration. The answer comes when they have ended.
#[utoipa::path(
    post,
    path = "/integrated-account/run-post-install-actions",
    operation_id = "run_post_install_actions",
    tag = "Accounts",
    request_body = ById,
    responses((status = 200, description = "They passed", body = Success), BodyErrors, NotFound, Conflict, ProviderErrors, StepErrors),
)]
async fn run_post_install_actions(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(account): Body<ById>,
) -> ApiResult<Success> {
    api.engine.onboarding().run_again(&caller, account_id(&account.id)?).await?;
    Ok(Json(Success::YES))
}

/// Create a token for an account
///
/// For programs that may use one account only: good for `/proxy`, `/custom` and `/integrated-account/me`, for 15 minutes, and no longer
/// than the API token that made it. It may change the account if that API token may. It ends when Relink restarts.
#[utoipa::path(
    post,
    path = "/integrated-account/token",
    operation_id = "create_integrated_account_token",
    tag = "Accounts",
    request_body = NewIntegratedAccountToken,
    responses((status = 200, description = "The token", body = IntegratedAccountToken), BodyErrors, NotFound, Conflict),
)]
async fn create_token(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewIntegratedAccountToken>,
) -> ApiResult<IntegratedAccountToken> {
    let view = api.engine.accounts().get(&caller, account_id(&new.integrated_account_id)?).await?;
    let account = &view.account;
    let token = api.engine.access().create_account_token(&caller, account.id(), &account.profile.integration)?;
    Ok(Json(IntegratedAccountToken { integrated_account_token: token.clone().into(), token: token.into() }))
}

/// Show the account of an account token
#[utoipa::path(
    get,
    path = "/integrated-account/me",
    operation_id = "get_own_integrated_account",
    tag = "Accounts",
    responses((status = 200, description = "The account", body = IntegratedAccount), NotFound),
)]
async fn show_own(State(api): State<ApiState>, Extension(caller): Extension<Caller>) -> ApiResult<IntegratedAccount> {
    let id = own_account(&caller)?;
    Ok(Json(api.integrated_account(&api.engine.accounts().get(&caller, id).await?)))
}

/// Only account tokens are permitted on these routes.
pub(crate) fn own_account(caller: &Caller) -> Result<AccountId, ApiError> {
    caller.own_account().ok_or_else(|| AccountId::not_found("me"))
}

/// List accounts in Relink's format
#[utoipa::path(
    get,
    path = "/relink/accounts",
    operation_id = "list_accounts",
    tag = "Accounts",
    responses((status = 200, description = "All accounts", body = Results<AccountRow>)),
)]
async fn rows(State(api): State<ApiState>, Extension(caller): Extension<Caller>) -> ApiResult<Results<AccountRow>> {
    let views = api.engine.accounts().list(&caller, Filter::default()).await?;
    let (now, waits) = (api.engine.now(), CallWaits::now(&api));
    Ok(Json(Results { result: views.iter().map(|view| with_wait(view, &waits, now)).collect() }))
}

/// Show an account in Relink's format
#[utoipa::path(
    get,
    path = "/relink/accounts/{id}",
    operation_id = "get_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The account", body = AccountRow), NotFound),
)]
async fn row(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<AccountRow> {
    Ok(Json(api.account_row(&api.engine.accounts().get(&caller, id).await?)))
}

/// Get an access token
///
/// A fresh access token, or the key, for calls to the provider. This is the only route that returns a credential of an account.
#[utoipa::path(
    post,
    path = "/relink/accounts/{id}/access-token",
    operation_id = "get_access_token",
    tag = "Accounts",
    params(
        ("id" = AccountId, Path),
        (
            "field" = Option<String>,
            Query,
            description = "The name of one of several credentials. Default: the one that signs the integration's calls."
        ),
    ),
    responses((status = 200, description = "A fresh token", body = AccessToken), NotFound, Conflict, ProviderErrors),
)]
async fn access_token(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    query: Query,
) -> Result<impl IntoResponse, ApiError> {
    let refresher = api.engine.refresher();
    let access = match query.one("field") {
        Some(field) => refresher.credential_field(&caller, id, field).await?,
        None => refresher.access_token(&caller, id).await?,
    };
    let body = AccessToken {
        access_token: WireSecret::from(access.token),
        expires_at: access.lifetime.expires_at,
        needs_reauth: access.needs_reauth,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)))
}

/// Refresh an account now
#[utoipa::path(
    post,
    path = "/relink/accounts/{id}/refresh",
    operation_id = "refresh_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The account", body = AccountRow), NotFound, Conflict, ProviderErrors),
)]
async fn refresh(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<AccountRow> {
    Ok(Json(api.account_row(&api.engine.refresher().refresh(&caller, id).await?)))
}

/// Check an account
///
/// Checks with one call to the provider whether the account works.
#[utoipa::path(
    post,
    path = "/relink/accounts/{id}/check",
    operation_id = "check_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    responses((status = 200, description = "The result", body = CheckReport), NotFound, Conflict, ProviderErrors),
)]
async fn check(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
) -> ApiResult<CheckReport> {
    let report = api.engine.refresher().check(&caller, id).await?;
    Ok(Json(CheckReport { outcome: report.outcome, account: api.account_row(&report.account) }))
}

/// Rename an account
#[utoipa::path(
    post,
    path = "/relink/accounts/{id}/rename",
    operation_id = "rename_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    request_body = Rename,
    responses((status = 200, description = "The account", body = AccountRow), BodyErrors, NotFound, Conflict),
)]
async fn rename(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    Body(Rename { name }): Body<Rename>,
) -> ApiResult<AccountRow> {
    Ok(Json(api.account_row(&api.engine.accounts().rename(&caller, id, name).await?)))
}
