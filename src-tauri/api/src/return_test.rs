//! A test of how a sign-in returns to the app: one page, for one test, that sends its browser to one address, as a provider's
//! page does.
//!
//! Invariant: no address comes from outside. Where it leads was made here, and it leads there once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use utoipa_axum::routes;

use crate::{ApiState, discovery, openapi::Routes, path::PathText, ui};

const PATH: &str = "/connect-account/return-test/";

/// The test that is under way, if one is.
#[derive(Debug, Clone, Default)]
pub struct ReturnTest(Arc<Mutex<Option<ReturnTestUrls>>>);

/// The addresses of one test.
#[derive(Debug, Clone)]
pub struct ReturnTestUrls {
    /// The path of the page that the browser is to open.
    pub page: String,
    /// The deep link that the page sends the browser to.
    pub back: String,
}

impl ReturnTest {
    /// Begins one, and ends any before it. `None`: the system has no randomness to give.
    pub fn begin(&self, scheme: &str) -> Option<ReturnTestUrls> {
        let (name, _) = discovery::fresh_token()?;
        let urls = ReturnTestUrls { page: format!("{PATH}{name}"), back: format!("{scheme}:/oauth/test/{name}") };
        *self.lock() = Some(urls.clone());
        Some(urls)
    }

    fn is_under_way(&self, name: &str) -> bool {
        self.lock().as_ref().is_some_and(|urls| urls.page.strip_prefix(PATH) == Some(name))
    }

    fn takes(&self, name: &str) -> Option<String> {
        if self.is_under_way(name) { self.lock().take().map(|urls| urls.back) } else { None }
    }

    fn lock(&self) -> MutexGuard<'_, Option<ReturnTestUrls>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn routes() -> Routes {
    Routes::new().with(routes!(page)).with(routes!(back))
}

/// Open the page of a test of how a sign-in returns to the app
///
/// The page stays in the tab and says what it was; the redirect comes by itself.
#[utoipa::path(
    get,
    path = "/connect-account/return-test/{name}",
    operation_id = "open_return_test",
    tag = "Connect UI",
    params(("name" = String, Path)),
    responses(
        (status = 200, description = "The page", body = String, content_type = "text/html"),
        (status = 404, description = "A page that says that the test is over", body = String, content_type = "text/html"),
    ),
)]
async fn page(State(api): State<ApiState>, PathText(name): PathText) -> Response {
    if !api.return_test.is_under_way(&name) {
        return over();
    }
    let mut page = ui::words(
        StatusCode::OK,
        "Testing the sign-in redirect",
        "If your browser asks whether to open Relink, allow it. Then you can close this tab: Relink shows the result.",
    );
    if let Ok(value) = HeaderValue::from_str(&format!("0;url={PATH}{name}/back")) {
        page.headers_mut().insert(header::REFRESH, value);
    }
    page
}

/// Return to the app, in a test
#[utoipa::path(
    get,
    path = "/connect-account/return-test/{name}/back",
    operation_id = "finish_return_test",
    tag = "Connect UI",
    params(("name" = String, Path)),
    responses(
        (status = 302, description = "To the app's deep link"),
        (status = 404, description = "A page that says that the test is over", body = String, content_type = "text/html"),
    ),
)]
async fn back(State(api): State<ApiState>, PathText(name): PathText) -> Response {
    match api.return_test.takes(&name) {
        Some(back) => (StatusCode::FOUND, [(header::LOCATION, back)]).into_response(),
        None => over(),
    }
}

fn over() -> Response {
    ui::words(
        StatusCode::NOT_FOUND,
        "This test has ended",
        "You can repeat it in Relink’s settings. You can close this tab.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_test_leads_to_the_address_that_was_made_here_and_only_once() {
        let test = ReturnTest::default();
        let first = test.begin("app.example").expect("random");
        let urls = test.begin("app.example").expect("random");
        let name = |urls: &ReturnTestUrls| urls.page.trim_start_matches(PATH).to_owned();
        assert_eq!(test.takes(&name(&first)), None, "one test at a time");
        assert_eq!(test.takes("https://example.com"), None);
        assert_eq!(test.takes(&name(&urls)), Some(format!("app.example:/oauth/test/{}", name(&urls))));
        assert_eq!(test.takes(&name(&urls)), None, "once");
    }
}
