//! Deleting several accounts at once (contract section 3).

use axum::{Extension, Json, extract::State};
use futures_util::{StreamExt, TryStreamExt, stream};
use relink_contract::{Success, bulk_delete::BulkDelete};
use relink_domain::{AccountId, caller::Caller, permission::Permission};
use relink_engine::{AccountText, Condition, Filter};
use utoipa_axum::routes;

use crate::{
    ApiState,
    accounts::account_id,
    body::Body,
    error::{ApiError, ApiResult},
    openapi::{BodyErrors, Conflict, NotFound, Routes},
};

/// So many are deleted at the same time: each may wait for its provider to revoke its tokens.
const AT_ONCE: usize = 8;

pub(crate) fn routes() -> Routes {
    Routes::new().with(Permission::ChangeAccounts, routes!(bulk_delete))
}

/// Delete several integrated accounts
///
/// Those of `ids`, or all of the tenant that `query` names. If one of `ids` doesn't exist, none is deleted. Their credentials are revoked
/// as when one account is deleted.
#[utoipa::path(
    post,
    path = "/integrated-account/bulk-delete",
    operation_id = "bulk_delete_integrated_accounts",
    tag = "Accounts",
    request_body = BulkDelete,
    responses((status = 200, description = "All of them were deleted", body = Success), BodyErrors, NotFound, Conflict),
)]
async fn bulk_delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(BulkDelete { ids, query }): Body<BulkDelete>,
) -> ApiResult<Success> {
    let accounts = match (ids, query) {
        (Some(ids), None) => existing(&api, &caller, &ids).await?,
        (None, Some(query)) => of_tenant(&api, &caller, query.tenant_id).await?,
        (Some(_), Some(_)) | (None, None) => {
            let message = "Name the accounts by ids, or a tenant by query.tenant_id.";
            return Err(ApiError::bad_request("accounts_missing", message));
        }
    };
    let delete = |id| {
        let (api, caller) = (&api, &caller);
        async move { api.engine.accounts().delete(caller, id).await }
    };
    stream::iter(accounts).map(delete).buffer_unordered(AT_ONCE).try_for_each(async |_| Ok(())).await?;
    Ok(Json(Success::YES))
}

async fn existing(api: &ApiState, caller: &Caller, ids: &[String]) -> Result<Vec<AccountId>, ApiError> {
    let mut found = Vec::with_capacity(ids.len());
    for id in ids {
        let id = account_id(id)?;
        api.engine.accounts().get(caller, id).await?;
        if !found.contains(&id) {
            found.push(id);
        }
    }
    Ok(found)
}

async fn of_tenant(api: &ApiState, caller: &Caller, tenant: String) -> Result<Vec<AccountId>, ApiError> {
    let filter = Filter { texts: vec![(AccountText::TenantId, Condition::In(vec![tenant]))], ..Filter::default() };
    let views = api.engine.accounts().list(caller, filter).await?;
    Ok(views.iter().map(|view| view.account.id()).collect())
}
