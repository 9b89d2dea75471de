//! A test of a sign-in's way home: one page, for one test, that sends its browser to one address, as a provider's page does.
//!
//! Invariant: no address comes from outside. Where it leads was made here, and it leads there once.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::{
    Router,
    extract::{Path, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};

use crate::{ApiState, discovery, ui};

const PATH: &str = "/connect-account/return-test/";

/// The test that is under way, if one is.
#[derive(Debug, Clone, Default)]
pub struct ReturnTest(Arc<Mutex<Option<Walk>>>);

/// The way of one test.
#[derive(Debug, Clone)]
pub struct Walk {
    /// The page's path: what the browser is to open.
    pub page: String,
    /// The address of the scheme to which the page sends it.
    pub back: String,
}

impl ReturnTest {
    /// Begins one, and ends any before it. `None`: the system has no randomness to give.
    pub fn begin(&self, scheme: &str) -> Option<Walk> {
        let (name, _) = discovery::fresh_token()?;
        let walk = Walk { page: format!("{PATH}{name}"), back: format!("{scheme}:/oauth/test/{name}") };
        *self.held() = Some(walk.clone());
        Some(walk)
    }

    fn is_under_way(&self, name: &str) -> bool {
        self.held().as_ref().is_some_and(|walk| walk.page.strip_prefix(PATH) == Some(name))
    }

    fn takes(&self, name: &str) -> Option<String> {
        if self.is_under_way(name) { self.held().take().map(|walk| walk.back) } else { None }
    }

    fn held(&self) -> MutexGuard<'_, Option<Walk>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn routes() -> Router<ApiState> {
    Router::new()
        .route("/connect-account/return-test/{name}", get(page))
        .route("/connect-account/return-test/{name}/back", get(back))
}

/// The page stays in the tab, and says what it was; the redirect comes by itself.
async fn page(State(surface): State<ApiState>, Path(name): Path<String>) -> Response {
    if !surface.return_test.is_under_way(&name) {
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

async fn back(State(surface): State<ApiState>, Path(name): Path<String>) -> Response {
    match surface.return_test.takes(&name) {
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
    fn it_leads_where_it_was_told_here_and_once() {
        let test = ReturnTest::default();
        let first = test.begin("app.example").expect("random");
        let walk = test.begin("app.example").expect("random");
        let name = |walk: &Walk| walk.page.trim_start_matches(PATH).to_owned();
        assert_eq!(test.takes(&name(&first)), None, "one test at a time");
        assert_eq!(test.takes("https://example.com"), None);
        assert_eq!(test.takes(&name(&walk)), Some(format!("app.example:/oauth/test/{}", name(&walk))));
        assert_eq!(test.takes(&name(&walk)), None, "once");
    }
}
