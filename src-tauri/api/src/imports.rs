//! Credentials that programs give (contract section 3).

use axum::{Extension, Json, extract::State};
use relink_contract::account::{IntegratedAccount, NewCredentials, NewIntegratedAccount};
use relink_domain::{
    AccountId, account::AuthenticationMethod, caller::Caller, integration::NOT_IN_RELINK, permission::Permission,
};
use relink_engine::{Error, Import};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    openapi::{BodyErrors, Conflict, Lacking, NotFound, ProviderErrors, Routes},
    path::PathId,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ImportAccounts, routes!(import))
        .with(Permission::ChangeAccounts, routes!(change_credentials))
}

/// Import an account
///
/// The provider is asked first: what it refuses isn't saved. An access token that has expired or is refused is refreshed before, if there
/// is a refresh token. The integration's steps then run in the background.
#[utoipa::path(
    post,
    path = "/integrated-account",
    operation_id = "import_integrated_account",
    tag = "Accounts",
    request_body = NewIntegratedAccount,
    responses((status = 200, description = "The account", body = IntegratedAccount), BodyErrors, NotFound, Conflict, ProviderErrors, Lacking),
)]
async fn import(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewIntegratedAccount>,
) -> ApiResult<IntegratedAccount> {
    let import = Import {
        environment_integration_id: new.environment_integration_id,
        tenant_id: new.tenant_id,
        method: new.authentication_method.as_deref().map(method_of).transpose()?,
        region: new.region,
        context: new.context,
    };
    let view = api.engine.connections().import(&caller, import).await?;
    Ok(Json(api.integrated_account(&view)))
}

/// Give an account new credentials
///
/// The provider is asked first: if it refuses them, or if they are another identity's, nothing changes.
#[utoipa::path(
    patch,
    path = "/integrated-account/{id}/credentials",
    operation_id = "change_credentials",
    tag = "Accounts",
    params(("id" = AccountId, Path)),
    request_body = NewCredentials,
    responses((status = 200, description = "The account", body = IntegratedAccount), BodyErrors, NotFound, Conflict, ProviderErrors),
)]
async fn change_credentials(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    Body(new): Body<NewCredentials>,
) -> ApiResult<IntegratedAccount> {
    let view = api.engine.connections().change_credentials(&caller, id, new.context).await?;
    Ok(Json(api.integrated_account(&view)))
}

/// By its name, or one of the others that Truto's documentation has for it. `oauth` is read as `oauth2`: of OAuth 1.0a, which Truto
/// calls so too, there can be no integration.
pub(crate) fn method_of(name: &str) -> Result<AuthenticationMethod, ApiError> {
    match name {
        "oauth2" | "oauth" => Ok(AuthenticationMethod::Oauth2),
        "api_key" | "basic" => Ok(AuthenticationMethod::ApiKey),
        "oauth2_client_credentials" => Ok(AuthenticationMethod::Oauth2ClientCredentials),
        "keka_oauth" => {
            let message = "Relink lacks the method keka_oauth. Use oauth2, api_key or oauth2_client_credentials.";
            Err(Error::invalid_field(NOT_IN_RELINK, "authentication_method", message).into())
        }
        _ => {
            let message = format!("{name:?} is no method here. Use oauth2, api_key or oauth2_client_credentials.");
            Err(Error::invalid_field("unknown_method", "authentication_method", message).into())
        }
    }
}
