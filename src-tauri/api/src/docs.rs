//! The browsable documentation: Swagger UI for the OpenAPI document, built into the program. It loads nothing from other servers.

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};
use utoipa_axum::routes;

use crate::{
    error::ApiError,
    openapi::{NotFound, OpenRoutes},
    path::PathText,
    ui,
};

/// `ui/dist/docs`. Without it the program still builds, and its page explains what is missing.
#[derive(Embed)]
#[folder = "../../ui/dist/docs"]
#[allow_missing = true]
struct Files;

pub(crate) fn routes() -> OpenRoutes {
    OpenRoutes::new().with(routes!(page)).with(routes!(asset))
}

/// Browse the documentation
///
/// It contains no user data, so it needs no token. To try a route, enter a token there.
#[utoipa::path(
    get,
    path = "/docs",
    operation_id = "open_docs",
    tag = "Relink",
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 503, description = "The page was not built", body = String, content_type = "text/html"),
    ),
)]
async fn page() -> Response {
    match Files::get("index.html") {
        Some(file) => (ui::HEADERS, Html(file.data.into_owned())).into_response(),
        None => ui::text_page(
            StatusCode::SERVICE_UNAVAILABLE,
            "The documentation is missing",
            "Relink was compiled without its interface. Build it with make, then start Relink again.",
        ),
    }
}

/// Get a file of the documentation
#[utoipa::path(
    get,
    path = "/docs/assets/{file}",
    operation_id = "get_docs_asset",
    tag = "Relink",
    params(("file" = String, Path)),
    responses((status = 200, description = "The file, compressed", content_type = "application/octet-stream"), NotFound),
)]
async fn asset(PathText(file): PathText) -> Result<impl IntoResponse, ApiError> {
    // The files are large, and every browser can decompress them, so only compressed files are built in.
    let Some(EmbeddedFile { data, .. }) = Files::get(&format!("assets/{file}.gz")) else {
        return Err(ApiError::not_found(&format!("There is no file {file}")));
    };
    let headers = [
        ("content-type", ui::content_type(&file)),
        ("content-encoding", "gzip"),
        ("cache-control", "public, max-age=31536000, immutable"),
    ];
    Ok((headers, data.into_owned()))
}
