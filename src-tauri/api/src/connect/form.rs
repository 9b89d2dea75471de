//! The page of an account's `RapidForm`, and its API (contract section 2.2). Its requests are authorized by the page's token.

use axum::{
    Extension, Json,
    extract::{FromRequestParts, State},
    http::{HeaderMap, StatusCode, request::Parts},
    response::Response,
};
use relink_contract::form::{FilledForm, FormOptions, FormSession, OptionsRequest, SubmittedForm};
use relink_domain::{caller::Caller, permission::Permission};
use relink_engine::{Error, FormGrant};

use super::{
    framing::framing,
    header,
    opening::{opened, opened_in, page_url},
    see_other,
};
use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    openapi::{BodyErrors, Conflict, NotFound, StepErrors},
    path::PathText,
    query::Query,
    reached::ReachedAt,
    ui::{self, OpenerAccess},
};

/// An account token, in the URL of its form.
const ACCOUNT_TOKEN: &str = "integrated_account_session_token";

/// The page that fills in a form: what its token grants.
pub(super) struct FormPage(FormGrant);

impl FromRequestParts<ApiState> for FormPage {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, api: &ApiState) -> Result<Self, ApiError> {
        let token = header(&parts.headers, "x-relink-form-token");
        match api.engine.connections().form_grant(token).await {
            Ok(grant) if api.engine.access().is_still_valid(grant.caller()) => Ok(Self(grant)),
            Ok(_) => Err(ended()),
            Err(error) => {
                // An account token that may not do this opens a page that says so.
                if let Some(caller @ Caller::AccountToken { .. }) = api.engine.access().authenticate(token) {
                    caller.require(Permission::OfferForms).map_err(Error::from)?;
                }
                Err(error.into())
            }
        }
    }
}

fn ended() -> ApiError {
    let message = "The account token of this form has expired: it is valid for 15 minutes. Whoever asks for this can make a new one.";
    Error::conflict("form_token_unknown", message).into()
}

/// Open an account's form
///
/// Redirects to a URL without the account token. If the token isn't valid, returns the page, which explains why.
#[utoipa::path(
    get,
    path = "/connect-account/post-connect",
    operation_id = "open_rapid_form",
    tag = "Connect UI",
    params(
        ("integrated_account_session_token" = Option<String>, Query, description = "An account token."),
        ("integration" = Option<String>, Query, description = "The integration's name, which the token says already."),
        ("truto_additional_context" = Option<String>, Query, description = "JSON: merged into the account's context."),
        ("truto_prevent_deselect" = Option<String>, Query, description = "JSON: `{field: {message}}`. What was chosen in these selects, multi-selects and checkboxes can't be taken back."),
        ("truto_disabled_fields" = Option<String>, Query, description = "JSON: `{field: {message}}`. They can't be changed."),
        ("iframe" = Option<bool>, Query, description = "Whether the page is in a frame, which it detects by itself."),
    ),
    responses(
        (status = 303, description = "To the form's page"),
        (status = 403, description = "A page that explains why Relink isn't shown in this frame", body = String, content_type = "text/html"),
        (status = 404, description = "The page, which explains what is wrong with the token", body = String, content_type = "text/html"),
        (status = 503, description = "The page was not built", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn page(
    State(api): State<ApiState>,
    reached: Option<Extension<ReachedAt>>,
    headers: HeaderMap,
    query: Query,
) -> Response {
    let framing = match framing(&api, &headers) {
        Ok(framing) => framing,
        Err(explanation) => return *explanation,
    };
    let caller = query.one(ACCOUNT_TOKEN).and_then(|token| api.engine.access().authenticate(token));
    let opened = caller
        .and_then(|caller| api.engine.connections().prepare_form_opening(&caller, opened_in(reached.as_deref())).ok());
    match opened {
        Some(nonce) => {
            let rest: Vec<_> = query.pairs().filter(|(name, _)| *name != ACCOUNT_TOKEN).collect();
            see_other(&page_url("/connect-account/post-connect", &nonce, &rest))
        }
        None => ui::page(StatusCode::NOT_FOUND, OpenerAccess::Kept, &framing),
    }
}

/// Open a form's page
///
/// The page exchanges the nonce, which works once and for a minute.
#[utoipa::path(
    get,
    path = "/connect-account/post-connect/open/{nonce}",
    operation_id = "open_rapid_form_page",
    tag = "Connect UI",
    params(("nonce" = String, Path)),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 403, description = "A page that explains why Relink isn't shown in this frame", body = String, content_type = "text/html"),
        (status = 503, description = "The page was not built", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn opened_page(State(api): State<ApiState>, headers: HeaderMap, PathText(_): PathText) -> Response {
    opened(&api, &headers, StatusCode::OK)
}

/// Show a form
#[utoipa::path(
    get,
    path = "/connect-account/form",
    operation_id = "get_rapid_form",
    tag = "Connect UI",
    params(("X-Relink-Form-Token" = String, Header)),
    responses((status = 200, description = "What to fill in", body = FormSession), NotFound, Conflict, StepErrors),
)]
pub(super) async fn show(State(api): State<ApiState>, FormPage(grant): FormPage) -> ApiResult<FormSession> {
    Ok(Json(Box::pin(api.engine.connections().form_session(grant.caller(), &grant)).await?))
}

/// List the options of a form's field
///
/// Those that the provider lists, up to the end of its list.
#[utoipa::path(
    post,
    path = "/connect-account/form/options",
    operation_id = "list_rapid_form_options",
    tag = "Connect UI",
    params(("X-Relink-Form-Token" = String, Header)),
    request_body = OptionsRequest,
    responses(
        (status = 200, description = "The options", body = FormOptions),
        BodyErrors,
        NotFound,
        Conflict,
        StepErrors,
    ),
)]
pub(super) async fn options(
    State(api): State<ApiState>,
    FormPage(grant): FormPage,
    Body(request): Body<OptionsRequest>,
) -> ApiResult<FormOptions> {
    Ok(Json(Box::pin(api.engine.connections().form_options(grant.caller(), &grant, request)).await?))
}

/// Submit a form
///
/// Its values are merged into the account's context. Mistakes in them are part of the answer, and nothing is stored then.
#[utoipa::path(
    post,
    path = "/connect-account/form",
    operation_id = "submit_rapid_form",
    tag = "Connect UI",
    params(("X-Relink-Form-Token" = String, Header)),
    request_body = FilledForm,
    responses((status = 200, description = "What became of it", body = SubmittedForm), BodyErrors, NotFound, Conflict, StepErrors),
)]
pub(super) async fn submit(
    State(api): State<ApiState>,
    FormPage(grant): FormPage,
    Body(filled): Body<FilledForm>,
) -> ApiResult<SubmittedForm> {
    Ok(Json(Box::pin(api.engine.connections().submit_form(grant.caller(), &grant, filled)).await?))
}
