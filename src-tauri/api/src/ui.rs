//! The connect UI's files, built into the program, and their headers.

use axum::{
    http::StatusCode,
    response::{AppendHeaders, Html, IntoResponse, Response},
};
use rust_embed::{Embed, EmbeddedFile};

/// `ui/dist/connect`. Without it the program still builds, and its page explains what is missing.
#[derive(Embed)]
#[folder = "../../ui/dist/connect"]
#[allow_missing = true]
struct Files;

/// Permits only our own files, and no forms to other sites. Who may frame the page follows.
macro_rules! policy {
    ($ancestors:literal) => {
        concat!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; ",
            "form-action 'self'; base-uri 'none'; frame-ancestors ",
            $ancestors
        )
    };
}

/// The referrer policy `same-origin` keeps the link token out of other servers' logs, and still sends our origin with our own
/// requests.
const COMMON_HEADERS: [(&str, &str); 3] =
    [("cache-control", "no-store"), ("referrer-policy", "same-origin"), ("x-content-type-options", "nosniff")];

/// The headers of a page that nobody may frame.
pub(crate) const HEADERS: [(&str, &str); 5] = [
    ("content-security-policy", policy!("'none'")),
    COMMON_HEADERS[0],
    COMMON_HEADERS[1],
    COMMON_HEADERS[2],
    ("x-frame-options", "DENY"),
];

/// Who may show a page in a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Framing {
    Nobody,
    /// Pages of these origins.
    By(Vec<String>),
}

/// Cuts off the page that opened this one.
const WITHOUT_OPENER: (&str, &str) = ("cross-origin-opener-policy", "same-origin-allow-popups");

/// Whether a page stays connected to the page that opened it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OpenerAccess {
    /// For a link's page: an app that opens it as a pop-up gets the result as a message (Truto's Link SDK). The app can
    /// navigate and close its pop-up. It can read nothing, and the page listens to no messages.
    Kept,
    Cut,
}

/// The connect UI's page.
pub(crate) fn page(status: StatusCode, opener: OpenerAccess, framing: &Framing) -> Response {
    match Files::get("index.html") {
        Some(file) => {
            let cut = (opener == OpenerAccess::Cut).then_some(AppendHeaders([WITHOUT_OPENER]));
            let html = Html(file.data.into_owned());
            match framing {
                Framing::Nobody => (status, HEADERS, cut, html).into_response(),
                Framing::By(origins) => {
                    let policy = [policy!(""), &origins.join(" ")].concat();
                    (status, COMMON_HEADERS, [("content-security-policy", policy)], cut, html).into_response()
                }
            }
        }
        None => text_page(
            StatusCode::SERVICE_UNAVAILABLE,
            "The connect page is missing",
            "Relink was compiled without its interface. Build it with make, then start Relink again.",
        ),
    }
}

/// A file of the page. Its name contains a hash of its content.
pub(crate) fn asset(file: &str) -> Option<Response> {
    let EmbeddedFile { data, .. } = Files::get(&format!("assets/{file}"))?;
    let headers = [("content-type", content_type(file)), ("cache-control", "public, max-age=31536000, immutable")];
    Some((headers, data.into_owned()).into_response())
}

/// The content type of a file, by its extension.
pub(crate) fn content_type(file: &str) -> &'static str {
    match file.rsplit_once('.').map(|(_, ending)| ending) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// A page with only text, for errors and for the redirect test.
pub(crate) fn text_page(status: StatusCode, title: &str, message: &str) -> Response {
    let (title, message) = (escaped(title), escaped(message));
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         </head><body><main><h1>{title}</h1><p>{message}</p></main></body></html>"
    );
    (status, HEADERS, AppendHeaders([WITHOUT_OPENER]), Html(html)).into_response()
}

/// A page for a frame of somebody who may not show Relink. It has no script, no control and nothing of a link, so that there is nothing to
/// read or to click on.
pub(crate) fn explanation_in_frame(message: &str) -> Response {
    const STYLE: &str = "html{height:100%}body{display:grid;place-items:center;min-height:100%;margin:0;background:Canvas;color:CanvasText;\
                         font:16px/1.5 system-ui,sans-serif}main{max-width:34em;padding:1.5em}h1{margin:0 0 .5em;font-size:1.25em}\
                         p{margin:0;overflow-wrap:anywhere}";
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Relink can’t be shown here</title>\
         <meta name=\"viewport\" content=\"width=device-width,initial-scale=1\"><meta name=\"color-scheme\" content=\"light dark\">\
         <style>{STYLE}</style></head><body><main><h1>Relink can’t be shown here</h1><p>{}</p></main></body></html>",
        escaped(message)
    );
    let policy = "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; sandbox";
    (StatusCode::FORBIDDEN, COMMON_HEADERS, [("content-security-policy", policy)], Html(html)).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn markup_from_outside_stays_text() {
        assert_eq!(escaped("<script>\"&"), "&lt;script&gt;&quot;&amp;");
    }
}
