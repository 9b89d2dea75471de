//! A test of the sign-in redirect: a page that redirects the browser to a deep link, as a provider's page does.
//!
//! Invariant: the redirect's target is generated here, never taken from a request, and each test redirects only once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::routes;

use crate::{ApiState, openapi::OpenRoutes, path::PathText, ui};

const PATH: &str = "/connect-account/return-test/";

/// The pending test, if any.
#[derive(Debug, Clone, Default)]
pub struct RedirectTest(Arc<Mutex<Option<RedirectTestUrls>>>);

/// The URLs of one test.
#[derive(Debug, Clone)]
pub struct RedirectTestUrls {
    /// The path of the page to open in the browser.
    pub page: String,
    /// The deep link that the page redirects to.
    pub deep_link: String,
}

impl RedirectTest {
    /// Begins a test, and ends any earlier one. `None`: the system's random number generator failed.
    pub fn begin(&self, scheme: &str) -> Option<RedirectTestUrls> {
        let token = relink_engine::random_token().ok()?;
        let name = token.expose();
        let urls =
            RedirectTestUrls { page: format!("{PATH}{name}"), deep_link: format!("{scheme}:/oauth/test/{name}") };
        *self.lock() = Some(urls.clone());
        Some(urls)
    }

    fn is_pending(&self, name: &str) -> bool {
        self.lock().as_ref().is_some_and(|urls| urls.page.strip_prefix(PATH) == Some(name))
    }

    fn take(&self, name: &str) -> Option<String> {
        if self.is_pending(name) { self.lock().take().map(|urls| urls.deep_link) } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, Option<RedirectTestUrls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn routes() -> OpenRoutes {
    OpenRoutes::new().with(routes!(page)).with(routes!(deep_link))
}

/// Open the page of a test of the sign-in redirect
///
/// The page redirects to the app's deep link and stays in the tab.
#[utoipa::path(
    get,
    path = "/connect-account/return-test/{name}",
    operation_id = "open_redirect_test",
    tag = "Connect UI",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "A page that says that the test has ended", body = String, content_type = "text/html"),
    ),
)]
async fn page(State(api): State<ApiState>, PathText(name): PathText) -> Response {
    if !api.redirect_test.is_pending(&name) {
        return ended_page();
    }
    let mut page = ui::text_page(
        StatusCode::OK,
        "Testing the sign-in redirect",
        "If your browser asks whether to open Relink, allow it. Then you can close this tab: Relink shows the result.",
    );
    if let Ok(value) = HeaderValue::from_str(&format!("0;url={PATH}{name}/back")) {
        page.headers_mut().insert(header::REFRESH, value);
    }
    page
}

/// Redirect to the app, in a test
#[utoipa::path(
    get,
    path = "/connect-account/return-test/{name}/back",
    operation_id = "finish_redirect_test",
    tag = "Connect UI",
    params(("name" = String, Path)),
    responses(
        (status = 302, description = "To the app's deep link"),
        (status = 404, description = "A page that says that the test has ended", body = String, content_type = "text/html"),
    ),
)]
async fn deep_link(State(api): State<ApiState>, PathText(name): PathText) -> Response {
    match api.redirect_test.take(&name) {
        Some(deep_link) => (StatusCode::FOUND, [(header::LOCATION, deep_link)]).into_response(),
        None => ended_page(),
    }
}

fn ended_page() -> Response {
    ui::text_page(
        StatusCode::NOT_FOUND,
        "This test has ended",
        "You can repeat it in Relink’s settings. You can close this tab.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_redirects_to_its_own_deep_link_and_only_once() {
        let test = RedirectTest::default();
        let first = test.begin("app.example").expect("random");
        let urls = test.begin("app.example").expect("random");
        let name = |urls: &RedirectTestUrls| urls.page.trim_start_matches(PATH).to_owned();
        assert_eq!(test.take(&name(&first)), None, "one test at a time");
        assert_eq!(test.take("https://example.com"), None);
        assert_eq!(test.take(&name(&urls)), Some(format!("app.example:/oauth/test/{}", name(&urls))));
        assert_eq!(test.take(&name(&urls)), None, "once");
    }
}
