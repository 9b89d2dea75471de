//! The browsable documentation: Swagger UI over the OpenAPI document, built into the program. It loads nothing from elsewhere.

use axum::{
    http::StatusCode,
    response::{Html, IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};
use utoipa_axum::routes;

use crate::{
    error::ApiError,
    openapi::{NotFound, Routes},
    path::PathText,
    ui,
};

/// `ui/dist/docs`. Without it the program still builds, and says what is missing.
#[derive(Embed)]
#[folder = "../../ui/dist/docs"]
#[allow_missing = true]
struct Files;

pub(crate) fn routes() -> Routes {
    Routes::new().with(routes!(page)).with(routes!(asset))
}

/// Browse the documentation
///
/// It describes the API and holds nothing of the person's, so it asks for no token. To try a route, give a token there.
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
        None => ui::words(
            StatusCode::SERVICE_UNAVAILABLE,
            "The documentation is missing",
            "Relink was compiled without its interface. Build it with make, then start Relink again.",
        ),
    }
}

/// Get one of the documentation's files
#[utoipa::path(
    get,
    path = "/docs/assets/{file}",
    operation_id = "get_docs_asset",
    tag = "Relink",
    params(("file" = String, Path)),
    responses((status = 200, description = "The file, compressed", content_type = "application/octet-stream"), NotFound),
)]
async fn asset(PathText(file): PathText) -> Result<impl IntoResponse, ApiError> {
    // Large, and every browser can decompress: only the compressed files are built in.
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
