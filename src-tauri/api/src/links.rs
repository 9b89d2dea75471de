//! Link tokens, and the redirect URIs that links may use.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List, WireSecret,
    link::{
        Callback, CallbackTaken, IssuedLink, LinkSettings, LinkSettingsState, LinkToken, NewFormLink, NewLinkToken,
        OneOrMore, RedirectUris,
    },
};
use relink_domain::{
    EnvironmentUnifiedModelId, LinkTokenId, Secret, UnifiedModelId,
    caller::Caller,
    link::{LinkOptions, LinkPurpose, Purpose},
    permission::Permission,
};
use utoipa_axum::routes;

use crate::{
    ApiState,
    accounts::account_id,
    body::Body,
    connect::return_url,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::{Id as _, PathId},
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::CreateLinks, routes!(create))
        .with(Permission::OfferForms, routes!(create_for_form))
        .with(Permission::SubmitCallbacks, routes!(callback))
        .with(Permission::AllowRedirects, routes!(redirect_uris, set_redirect_uris))
        .with(Permission::ManageLinks, routes!(issued_links))
        .with(Permission::ManageLinks, routes!(revoke_link))
        .with(Permission::ManageLinks, routes!(link_settings, set_link_settings))
}

/// Create a link token
///
/// Pass `integrated_account_id` (to reauthorize an account) or `tenant_id` (to connect a new one). Then open
/// `/connect-account?link_token=…`. A link ends with the API token that created it.
#[utoipa::path(
    post,
    path = "/link-token",
    operation_id = "create_link_token",
    tag = "Links",
    request_body = NewLinkToken,
    responses((status = 200, description = "The link token", body = LinkToken), BodyErrors, NotFound),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewLinkToken>,
) -> ApiResult<LinkToken> {
    let present = |text: Option<String>| text.filter(|text| !text.trim().is_empty());
    let purpose = match (present(new.integrated_account_id), present(new.tenant_id)) {
        // Truto doesn't say which of both it prefers.
        (Some(id), _) => Purpose::Reauthorize { account_id: account_id(&id)? },
        (None, Some(tenant_id)) => Purpose::Connect { tenant_id },
        (None, None) => {
            let message = "Pass integrated_account_id (to reauthorize an account) or tenant_id (to connect a new one).";
            return Err(ApiError::bad_request("link_purpose", message));
        }
    };
    if new.truto_static_gate_id.is_some() {
        tracing::info!("a link token was requested for a static gate, which Relink lacks; that is ignored");
    }
    let mut unified_models = Vec::new();
    for text in new.unified_model_id.into_iter().flat_map(OneOrMore::into_texts) {
        unified_models.push(model_named(&api, &caller, &text).await?);
    }
    for text in new.environment_unified_model_id.into_iter().flat_map(OneOrMore::into_texts) {
        let id = text.parse().map_err(|_| EnvironmentUnifiedModelId::not_found(&text))?;
        unified_models.push(api.engine.unified_models().installation(&caller, id).await?.model.id);
    }
    let options = LinkOptions {
        context: new.context.unwrap_or_default(),
        redirect_uri: present(new.redirect_uri),
        scopes: new.scopes.filter(|scopes| !scopes.is_empty()),
        persist_previous_context: new.persist_previous_context.unwrap_or(false),
        region: present(new.region),
        unified_models,
    };
    let link = api.engine.connections().create_link(&caller, purpose, options).await?;
    Ok(Json(LinkToken { link_token: WireSecret::from(link.token) }))
}

/// A unified model by its id or its name.
async fn model_named(api: &ApiState, caller: &Caller, text: &str) -> Result<UnifiedModelId, ApiError> {
    let models = api.engine.unified_models();
    Ok(match text.parse() {
        Ok(id) => models.model(caller, id).await?.id,
        Err(_) => models.model_named(caller, text).await?.id,
    })
}

/// Create a link token for an account's form
///
/// Open `/connect-account?link_token=…`, which shows the form alone. With an account token, the form is that of its account.
#[utoipa::path(
    post,
    path = "/link-token/post-connect-form",
    operation_id = "create_form_link_token",
    tag = "Links",
    request_body = NewFormLink,
    responses((status = 200, description = "The link token", body = LinkToken), BodyErrors, NotFound, Conflict),
)]
async fn create_for_form(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewFormLink>,
) -> ApiResult<LinkToken> {
    let given = new.integrated_account_id.filter(|id| !id.trim().is_empty());
    let account_id = match (caller.own_account(), given) {
        (_, Some(id)) => account_id(&id)?,
        (Some(own), None) => own,
        (None, None) => {
            let message = "Pass integrated_account_id: the account whose form is to be filled in.";
            return Err(ApiError::bad_request("account_missing", message));
        }
    };
    let options =
        LinkOptions { redirect_uri: new.redirect_uri.filter(|uri| !uri.trim().is_empty()), ..LinkOptions::default() };
    let purpose = LinkPurpose::PostConnectForm { account_id };
    let link = api.engine.connections().create_link(&caller, purpose, options).await?;
    Ok(Json(LinkToken { link_token: WireSecret::from(link.token) }))
}

/// Submit an OAuth callback
///
/// For a callback that didn't arrive through the browser's redirect, for example from the system's deep-link handler. If the
/// flow was begun in a browser, the person confirms it on the page `confirm_url`.
#[utoipa::path(
    post,
    path = "/relink/callback",
    operation_id = "take_callback",
    tag = "Links",
    request_body = Callback,
    responses((status = 200, description = "The callback was accepted", body = CallbackTaken), BodyErrors),
)]
async fn callback(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(callback): Body<Callback>,
) -> ApiResult<CallbackTaken> {
    let taken = api.engine.connections().callback(&caller, callback.url.expose()).await?;
    let confirm_url = taken.return_key.is_some().then(|| Secret::new(return_url(&api.port.base_url(), &taken)).into());
    Ok(Json(CallbackTaken { flow: taken.flow, confirm_url }))
}

/// List the allowed redirect URIs of links
#[utoipa::path(
    get,
    path = "/relink/redirect-uris",
    operation_id = "list_redirect_uris",
    tag = "Links",
    responses((status = 200, description = "The list", body = RedirectUris)),
)]
async fn redirect_uris(State(api): State<ApiState>, Extension(caller): Extension<Caller>) -> ApiResult<RedirectUris> {
    Ok(Json(RedirectUris { redirect_uris: api.engine.connections().redirect_uris(&caller).await? }))
}

/// Set the allowed redirect URIs of links
///
/// Replaces the whole list.
#[utoipa::path(
    put,
    path = "/relink/redirect-uris",
    operation_id = "set_redirect_uris",
    tag = "Links",
    request_body = RedirectUris,
    responses((status = 200, description = "The list", body = RedirectUris), BodyErrors),
)]
async fn set_redirect_uris(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(list): Body<RedirectUris>,
) -> ApiResult<RedirectUris> {
    Ok(Json(RedirectUris {
        redirect_uris: api.engine.connections().set_redirect_uris(&caller, list.redirect_uris).await?,
    }))
}

/// List the links that were created
///
/// Those of the last weeks, without their tokens.
#[utoipa::path(
    get,
    path = "/relink/links",
    operation_id = "list_links",
    tag = "Links",
    params(
        ("status" = Option<String>, Query, description = "`usable`, `used`, `expired`, `ended` or `revoked`."),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of links", body = List<IssuedLink>), QueryErrors),
)]
async fn issued_links(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<IssuedLink>> {
    let all = api.engine.connections().issued_links(&caller).await?;
    let fields: [(_, Field<IssuedLink>); 2] =
        [("id", Field::Text(|it| it.id.to_string())), ("status", Field::Text(|it| it.status.as_str().to_owned()))];
    let place = |it: &IssuedLink| Place { created_at: it.created_at, updated_at: it.created_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Revoke a link
///
/// A sign-in that it began can no longer be completed.
#[utoipa::path(
    delete,
    path = "/relink/links/{id}",
    operation_id = "revoke_link",
    tag = "Links",
    params(("id" = LinkTokenId, Path)),
    responses((status = 200, description = "The link was revoked", body = Deleted), NotFound),
)]
async fn revoke_link(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<LinkTokenId>,
) -> ApiResult<Deleted> {
    api.engine.connections().revoke_link(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// Show where links work
#[utoipa::path(
    get,
    path = "/relink/link-settings",
    operation_id = "get_link_settings",
    tag = "Links",
    responses((status = 200, description = "The settings", body = LinkSettingsState)),
)]
async fn link_settings(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> ApiResult<LinkSettingsState> {
    Ok(Json(state_of(&api, api.engine.connections().link_settings(&caller)).await))
}

/// Change where links work
///
/// Replaces all settings.
#[utoipa::path(
    put,
    path = "/relink/link-settings",
    operation_id = "set_link_settings",
    tag = "Links",
    request_body = LinkSettings,
    responses((status = 200, description = "The settings", body = LinkSettingsState), BodyErrors),
)]
async fn set_link_settings(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(settings): Body<LinkSettings>,
) -> ApiResult<LinkSettingsState> {
    let settings = api.engine.connections().set_link_settings(&caller, settings).await?;
    Ok(Json(state_of(&api, settings).await))
}

async fn state_of(api: &ApiState, settings: LinkSettings) -> LinkSettingsState {
    let also_listen_problem = api.port.second_listener().problem(&settings).await;
    LinkSettingsState { settings, also_listen_problem }
}
