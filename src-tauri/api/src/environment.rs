//! The environment that a request names. There is one per installation, and the token belongs to it: another one is refused.

use axum::{
    extract::{Query, Request, State},
    http::{StatusCode, Uri},
    middleware::Next,
    response::{IntoResponse, Response},
};
use relink_domain::{EnvironmentId, caller::Caller};
use serde::Deserialize;
use serde_json::Value;

use crate::{ApiState, error::ApiError, query::is_absent};

const FIELD: &str = "environment_id";

/// Rejects a caller's request that names another environment in its query. A route behind this finds the own [`EnvironmentId`] as an
/// extension, and checks the body by it.
pub(crate) async fn only_own(State(api): State<ApiState>, mut request: Request, next: Next) -> Response {
    if request.extensions().get::<Caller>().is_some() {
        let own = api.engine.environment_id();
        if let Err(refused) = check_query(own, request.uri()) {
            return refused.into_response();
        }
        request.extensions_mut().insert(own);
    }
    next.run(request).await
}

/// Checks an `environment_id` in the query. A query that can't be read is refused by whoever reads it.
fn check_query(own: EnvironmentId, uri: &Uri) -> Result<(), ApiError> {
    let Ok(Query(pairs)) = Query::<Vec<(String, String)>>::try_from_uri(uri) else { return Ok(()) };
    pairs.iter().filter(|(name, _)| name == FIELD).try_for_each(|(_, value)| check(own, value))
}

/// Checks an `environment_id` in a JSON body. A body that isn't an object is refused by whoever reads it.
pub(crate) fn check_body(own: EnvironmentId, body: &[u8]) -> Result<(), ApiError> {
    #[derive(Deserialize)]
    struct Named {
        environment_id: Option<Value>,
    }
    match serde_json::from_slice(body) {
        Ok(Named { environment_id: Some(Value::String(given)) }) => check(own, &given),
        Ok(Named { environment_id: Some(_) }) => Err(foreign(own)),
        Ok(Named { environment_id: None }) | Err(_) => Ok(()),
    }
}

fn check(own: EnvironmentId, given: &str) -> Result<(), ApiError> {
    let is_own = is_absent(given) || given.parse() == Ok(own);
    if is_own { Ok(()) } else { Err(foreign(own)) }
}

fn foreign(own: EnvironmentId) -> ApiError {
    let message = format!("This token belongs to the environment {own}. Leave out environment_id, or pass this one.");
    ApiError::new(StatusCode::FORBIDDEN, "foreign_environment", &message)
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWN: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    const OTHER: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5c";

    #[test]
    fn another_environment_is_refused_wherever_it_is_named() {
        let own: EnvironmentId = OWN.parse().expect("an id");
        let query = |text: &str| check_query(own, &format!("/x?{text}").parse().expect("a URI")).is_ok();
        let body = |text: &str| check_body(own, text.as_bytes()).is_ok();
        for same in ["", "a=b", "environment_id=", "environment_id=None", &format!("environment_id={OWN}")] {
            assert!(query(same), "{same}");
        }
        assert!(query(&format!("environment_id={}", OWN.to_uppercase())), "in any case");
        for other in [OTHER, "x", "prod"] {
            assert!(!query(&format!("environment_id={other}")), "{other}");
            assert!(!query(&format!("environment_id={OWN}&environment_id={other}")), "{other}");
            assert!(!body(&format!(r#"{{"environment_id":"{other}"}}"#)), "{other}");
        }
        for same in [
            "{}",
            "[]",
            "no JSON",
            r#"{"environment_id":null}"#,
            r#"{"environment_id":""}"#,
            r#"{"a":{"environment_id":"x"}}"#,
        ] {
            assert!(body(same), "{same}");
        }
        assert!(body(&format!(r#"{{"environment_id":"{OWN}"}}"#)));
        for odd in [r#"{"environment_id":1}"#, r#"{"environment_id":["x"]}"#, r#"{"environment_id":{}}"#] {
            assert!(!body(odd), "{odd}");
        }
    }
}
