//! What programs change of an integrated account (contract section 3).

use axum::{Extension, Json, extract::State};
use relink_contract::account::{AccountChange, ContextChange, IntegratedAccount};
use relink_domain::{AccountId, caller::Caller, permission::Permission};
use relink_engine::Error;
use utoipa_axum::routes;

use crate::{
    ApiState,
    accounts::own_account,
    body::Body,
    error::{ApiError, ApiResult},
    imports::method_of,
    openapi::{BodyErrors, Conflict, Lacking, NotFound, Routes},
    path::PathId,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ChangeAccounts, routes!(change))
        .with(Permission::ChangeOwnAccount, routes!(change_own))
}

impl ApiState {
    async fn changed(
        &self,
        caller: &Caller,
        id: AccountId,
        change: AccountChange,
    ) -> Result<IntegratedAccount, ApiError> {
        let accounts = self.engine.accounts();
        if let Some(method) = &change.authentication_method {
            let own = accounts.get(caller, id).await?.account.method();
            if method_of(method)? != own {
                let message = format!(
                    "The account's credential is for {}. For another method, create a link token and reauthorize the account.",
                    own.as_str()
                );
                return Err(
                    Error::invalid_field("authentication_method_fixed", "authentication_method", message).into()
                );
            }
        }
        if change.status.is_some() {
            tracing::info!(account = %id, ?caller, "a status was sent with a change, which is ignored");
        }
        let change = relink_domain::account::AccountChange {
            tenant_id: change.tenant_id,
            context: change.context.context.unwrap_or_default(),
            integration_override: change.integration_override.unwrap_or_default(),
            unified_model_override: change.unified_model_override.unwrap_or_default(),
        };
        Ok(self.integrated_account(&accounts.update(caller, id, change).await?))
    }
}

/// Change an integrated account
///
/// Merges `context`, one level deep, and the overrides, deeply. Credentials can't be changed this way. If `integration_override`
/// changes an address, the account must be reauthorized.
#[utoipa::path(
    patch,
    path = "/integrated-account/{id}",
    operation_id = "update_integrated_account",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    request_body = AccountChange,
    responses((status = 200, description = "The account", body = IntegratedAccount), BodyErrors, NotFound, Conflict, Lacking),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    Body(change): Body<AccountChange>,
) -> ApiResult<IntegratedAccount> {
    Ok(Json(api.changed(&caller, id, change).await?))
}

/// Change the account of an account token
///
/// Merges `context`, one level deep. Credentials can't be changed this way.
#[utoipa::path(
    patch,
    path = "/integrated-account/me",
    operation_id = "update_own_integrated_account",
    tag = "Accounts",
    request_body = ContextChange,
    responses((status = 200, description = "The account", body = IntegratedAccount), BodyErrors, NotFound, Conflict),
)]
async fn change_own(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(context): Body<ContextChange>,
) -> ApiResult<IntegratedAccount> {
    let id = own_account(&caller)?;
    Ok(Json(api.changed(&caller, id, AccountChange { context, ..AccountChange::default() }).await?))
}
