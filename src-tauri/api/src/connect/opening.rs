//! The page of a link, opened without the link token in its URL.

use axum::{
    Extension, Json,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use relink_contract::connect::{NewOpening, Nonce, Opening, PageToken};
use relink_domain::Secret;
use relink_engine::OpenedIn;
use url::form_urlencoded;

use super::{base_url, framing::framing, see_other};
use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    openapi::{BodyErrors, Conflict, NotFound},
    path::PathText,
    query::Query,
    reached::ReachedAt,
    ui::{self, OpenerAccess},
};

/// Open the connect UI
///
/// Redirects to a URL without the link token, so that the token stays neither in the address bar nor in the history. The other
/// parameters stay. For a link that isn't valid, returns the page, which explains why.
#[utoipa::path(
    get,
    path = "/connect-account",
    operation_id = "open_connect_ui",
    tag = "Connect UI",
    params(
        ("link_token" = Option<String>, Query),
        ("integration" = Option<String>, Query, description = "Preselects this integration."),
        ("integrations" = Option<String>, Query, description = "Offers only these, separated by commas."),
        ("auth_format" = Option<String>, Query, description = "The authentication method, where an integration has several. Without it, the person chooses from tabs."),
        ("no_back" = Option<bool>, Query, description = "Whether the integration can't be changed."),
        ("skip_rapid_form" = Option<bool>, Query, description = "Whether no RapidForm follows."),
        ("iframe" = Option<bool>, Query, description = "Whether the page is in a frame, which it detects by itself."),
    ),
    responses(
        (status = 303, description = "To the link's page"),
        (status = 403, description = "A page that explains why Relink isn't shown in this frame", body = String, content_type = "text/html"),
        (status = 404, description = "The page, which explains what is wrong with the link", body = String, content_type = "text/html"),
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
    let connections = api.engine.connections();
    let opened = async {
        let token = query.one("link_token")?;
        let caller = connections.link_caller(token).await.ok()?;
        connections.prepare_opening(&caller, token, opened_in(reached.as_deref())).await.ok()
    };
    match opened.await {
        Some(nonce) => {
            let rest: Vec<_> = query.pairs().filter(|(name, _)| *name != "link_token").collect();
            // Without a referrer policy of its own: the page knows by the referrer which app opened it as a pop-up.
            see_other(&opening_url("", &nonce, &rest))
        }
        None => ui::page(StatusCode::NOT_FOUND, OpenerAccess::Kept, &framing),
    }
}

pub(super) fn opened_in(reached: Option<&ReachedAt>) -> OpenedIn {
    match reached {
        Some(ReachedAt::PublicAddress(_)) => OpenedIn::PublicAddress,
        Some(ReachedAt::SecondListener) | None => OpenedIn::Browser,
    }
}

/// The URL that opens a link's page.
fn opening_url(base_url: &str, nonce: &Secret, parameters: &[(&str, &str)]) -> String {
    page_url(&format!("{base_url}/connect-account"), nonce, parameters)
}

/// The URL of a page that is opened with a nonce.
pub(super) fn page_url(page: &str, nonce: &Secret, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let query = query.finish();
    let question = if query.is_empty() { "" } else { "?" };
    format!("{page}/open/{}{question}{query}", nonce.expose())
}

/// Open a link's page
///
/// The page exchanges the nonce, which works once and for a minute.
#[utoipa::path(
    get,
    path = "/connect-account/open/{nonce}",
    operation_id = "open_link_page",
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

/// The page, for whoever may show it.
pub(super) fn opened(api: &ApiState, headers: &HeaderMap, status: StatusCode) -> Response {
    match framing(api, headers) {
        Ok(framing) => ui::page(status, OpenerAccess::Kept, &framing),
        Err(explanation) => *explanation,
    }
}

/// Get a URL that opens a link's page
///
/// For passing to another program, such as a browser: its arguments are visible to every user of the machine. The URL contains
/// no link token. It works once, within a minute.
#[utoipa::path(
    post,
    path = "/connect-account/openings",
    operation_id = "prepare_opening",
    tag = "Connect UI",
    request_body = NewOpening,
    responses((status = 201, description = "The URL", body = Opening), BodyErrors, NotFound),
)]
pub(super) async fn prepare_opening(
    State(api): State<ApiState>,
    reached: Option<Extension<ReachedAt>>,
    Body(new): Body<NewOpening>,
) -> Result<(StatusCode, Json<Opening>), ApiError> {
    let (connections, token) = (api.engine.connections(), new.link_token.expose());
    let caller = connections.link_caller(token).await?;
    let nonce = connections.prepare_opening(&caller, token, opened_in(reached.as_deref())).await?;
    let integration: Vec<_> = new.integration.iter().map(|name| ("integration", name.as_str())).collect();
    let url = Secret::new(opening_url(&base_url(&api, reached.as_deref()), &nonce, &integration));
    Ok((StatusCode::CREATED, Json(Opening { url: url.into() })))
}

/// Exchange a nonce
///
/// For the page that was opened with it. A second exchange is refused, and ends what the first one began.
#[utoipa::path(
    post,
    path = "/connect-account/open",
    operation_id = "exchange_nonce",
    tag = "Connect UI",
    request_body = Nonce,
    responses((status = 200, description = "Stands for the link token", body = PageToken), BodyErrors, Conflict),
)]
pub(super) async fn exchange_nonce(State(api): State<ApiState>, Body(opened): Body<Nonce>) -> ApiResult<PageToken> {
    let page_token = api.engine.connections().exchange_nonce(opened.nonce.expose())?;
    Ok(Json(PageToken { page_token: page_token.into() }))
}
