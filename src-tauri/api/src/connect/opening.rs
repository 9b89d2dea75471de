//! The page of a link, opened without the link token in its URL.

use axum::{Json, extract::State, http::StatusCode, response::Response};
use relink_contract::connect::{NewOpening, Nonce, Opening, PageToken};
use relink_domain::Secret;
use relink_engine::OpenedIn;
use url::form_urlencoded;

use super::see_other;
use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    openapi::{BodyErrors, Conflict, NotFound},
    path::PathText,
    query::Query,
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
    ),
    responses(
        (status = 303, description = "To the link's page"),
        (status = 404, description = "The page, which explains what is wrong with the link", body = String, content_type = "text/html"),
        (status = 503, description = "The page was not built", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn page(State(api): State<ApiState>, query: Query) -> Response {
    let connections = api.engine.connections();
    let opened = async {
        let token = query.one("link_token")?;
        let caller = connections.link_caller(token).await.ok()?;
        connections.prepare_opening(&caller, token, OpenedIn::Browser).await.ok()
    };
    match opened.await {
        Some(nonce) => {
            let rest: Vec<_> = query.pairs().filter(|(name, _)| *name != "link_token").collect();
            // Without a referrer policy of its own: the page knows by the referrer which app opened it as a pop-up.
            see_other(&opening_url("", &nonce, &rest))
        }
        None => ui::page(StatusCode::NOT_FOUND, OpenerAccess::Kept),
    }
}

/// The URL that opens a link's page.
fn opening_url(base_url: &str, nonce: &Secret, parameters: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    query.extend_pairs(parameters);
    let query = query.finish();
    let question = if query.is_empty() { "" } else { "?" };
    format!("{base_url}/connect-account/open/{}{question}{query}", nonce.expose())
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
        (status = 503, description = "The page was not built", body = String, content_type = "text/html"),
    ),
)]
pub(super) async fn opened_page(PathText(_): PathText) -> Response {
    ui::page(StatusCode::OK, OpenerAccess::Kept)
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
    Body(new): Body<NewOpening>,
) -> Result<(StatusCode, Json<Opening>), ApiError> {
    let (connections, token) = (api.engine.connections(), new.link_token.expose());
    let caller = connections.link_caller(token).await?;
    let nonce = connections.prepare_opening(&caller, token, OpenedIn::Browser).await?;
    let integration: Vec<_> = new.integration.iter().map(|name| ("integration", name.as_str())).collect();
    let url = Secret::new(opening_url(&api.port.base_url(), &nonce, &integration));
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
