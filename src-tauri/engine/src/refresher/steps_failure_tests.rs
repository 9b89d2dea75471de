//! What is kept, and what is shown, of refreshes by steps that fail.

use relink_contract::account::CheckOutcome;
use relink_domain::{
    account::{Status, Verdict},
    failure::Cause,
};
use serde_json::{Value, json};

use super::steps_tests::{ACCESS, BY_STEPS, Given, NEW, OLD, answered, definition, refused, refused_with, steps};
use crate::{
    outbound::DEADLINE,
    provider::{ACCESS_TOKEN, REFRESH_TOKEN},
    testing::{LocalServer, PERSON, SIGN_IN},
};

const FIRST_ACCESS: &str = "access-token-0001";

/// The steps, and a request after them.
fn one_more() -> Value {
    let mut all = steps();
    all.as_array_mut().expect("steps").push(json!({ "type": "request", "config": { "path": "/me" } }));
    all
}

#[tokio::test]
async fn a_check_renews_a_revoked_token_by_the_steps() {
    let server = LocalServer::listen().await;
    let mut definition = definition(&steps());
    definition["config"]["base_url"] = server.origin().into();
    definition["config"]["relink"]["allow_local"] = true.into();
    definition["config"]["relink"]["probe"] = json!({ "path": "/me" });
    let given = Given::at(definition, BY_STEPS, (ACCESS_TOKEN, FIRST_ACCESS)).await;
    given.it.services.clock.advance_secs(-3000);
    given.script.answer(Ok(json!({ "access_token": ACCESS, "expires_in": 600 })));
    let provider = async {
        for _ in 0..2 {
            let request = server.request().await;
            let status = if request.head.contains(ACCESS) { 200 } else { 401 };
            request.respond(status, "{}").await;
        }
    };
    let (report, ()) = tokio::join!(given.it.refresher.check(&PERSON, given.it.id), provider);
    assert_eq!(report.expect("checked").outcome, CheckOutcome::Accepted);
    assert_eq!((given.script.sent().len(), given.load().await.status()), (1, Status::Active));
}

#[tokio::test]
async fn a_new_refresh_token_is_kept_although_a_later_step_fails() {
    let given = Given::of(SIGN_IN, (REFRESH_TOKEN, OLD), &one_more()).await;
    given.script.answer(Ok(json!({ "refresh_token": NEW })));
    given.refresh(refused(503, json!({}))).await.expect_err("there is no access token");
    let (item, account) = (given.item().await, given.load().await);
    assert_eq!(item.secrets[REFRESH_TOKEN].expose(), NEW);
    assert_eq!(item.generation, account.state.credential().generation(), "a start takes it for the one in force");
    assert_eq!(account.state.trouble().expect("failing").failure.cause, Cause::ServerError);
    given.script.answer(Ok(answered()));
    given.refresh(Ok(json!({}))).await.expect("refreshed");
    assert_eq!(given.script.sent()[2]["refresh_token"], NEW);
}

#[tokio::test]
async fn the_old_access_token_is_no_success_of_steps_that_fail() {
    let given = Given::of(BY_STEPS, (ACCESS_TOKEN, FIRST_ACCESS), &one_more()).await;
    given.script.answer(Ok(json!({ "access_token": FIRST_ACCESS, "expires_in": 600 })));
    given.refresh(refused(401, json!({ "error": "invalid_grant" }))).await.expect_err("nothing new is there");
    let account = given.load().await;
    assert_eq!(account.state.trouble().expect("failing").failure.cause, Cause::InvalidGrant);
}

#[tokio::test]
async fn an_access_token_that_has_the_refresh_token_in_it_is_refused() {
    for access in [OLD.to_owned(), format!("x{OLD}y")] {
        let given = Given::oauth().await;
        given.refresh(Ok(json!({ "access_token": access, "expires_in": 600 }))).await.expect_err("refused");
        let account = given.load().await;
        let failure = &account.state.trouble().expect("failing").failure;
        assert_eq!(failure.cause, Cause::RefreshStepFailed);
        let message = failure.explain("Acme", Verdict::Retrying).message;
        assert!(message.contains("contains the refresh token"), "{message}");
        assert_eq!(given.held(), None);
        assert!(!given.stored().await.contains(OLD));
    }
}

#[tokio::test]
async fn a_failure_of_the_steps_is_judged_as_one_of_a_token_endpoint() {
    let challenge = r#"Bearer error="invalid_token", error_description="It was revoked""#;
    let gone = "Sat, 14 Nov 2099 08:00:00 GMT";
    let page = "<!doctype html><title>Hotel</title>";
    for (answer, cause, code, message) in [
        (
            refused_with(401, &[("www-authenticate", challenge)], ""),
            Cause::InvalidGrant,
            "invalid_token",
            "It was revoked",
        ),
        (
            refused_with(400, &[], "error=invalid_grant&error_description=Gone"),
            Cause::InvalidGrant,
            "invalid_grant",
            "Gone",
        ),
        (
            refused_with(302, &[("location", "https://login.hotel.example/in?ticket=1")], ""),
            Cause::NotJson,
            "",
            "Location: https://login.hotel.example/in",
        ),
        (
            refused_with(302, &[("location", "/v2/session")], ""),
            Cause::Redirected,
            "",
            "Location: https://api.acme.example/v2/session",
        ),
        (refused_with(200, &[("content-type", "text/html")], page), Cause::NotJson, "", ""),
        (refused_with(429, &[("retry-after", gone)], "{}"), Cause::RateLimited, "", ""),
    ] {
        let given = Given::oauth().await;
        given.refresh(answer).await.expect_err("it failed");
        let account = given.load().await;
        let failure = &account.state.trouble().expect("failing").failure;
        let said = [&failure.provider_code, &failure.provider_message].map(|text| text.as_deref().unwrap_or_default());
        assert_eq!((failure.cause, said), (cause, [code, message]));
        assert_eq!(failure.retry_after_secs.is_some(), cause == Cause::RateLimited, "a date counts as well");
    }
}

#[tokio::test]
async fn credentials_of_a_refusal_are_not_stored_whatever_they_are_called() {
    let unknown = "a-credential-of-a-refusal";
    for name in ["session_token", "sessionToken", "refreshTokens", "api_key", "X-Client-Secret", "jwt", "door_code"] {
        let mut definition = definition(&steps());
        let door = json!({ "name": "door_code", "label": "Door", "type": "password", "required": false });
        definition["config"]["credentials"]["config"]["fields"] = json!([door]);
        let given = Given::at(definition, SIGN_IN, (REFRESH_TOKEN, OLD)).await;
        let said = json!({ "error": "conflict", "hint": format!("{unknown} is there"), "deep": [{ name: [unknown] }] });
        given.refresh(refused(409, said)).await.expect_err("refused");
        let stored = given.stored().await;
        assert!(stored.contains("conflict") && !stored.contains(unknown), "{name}: {stored}");
    }
}

#[tokio::test]
async fn tokens_of_a_refusal_are_not_stored() {
    let given = Given::oauth().await;
    let unknown = "access-token-of-a-refusal";
    let said = json!({ "error": "conflict", "access_token": unknown, "hint": format!("{unknown} is there") });
    given.refresh(refused(409, said)).await.expect_err("refused");
    let stored = given.stored().await;
    assert!(stored.contains("conflict") && !stored.contains(unknown), "{stored}");
}

#[tokio::test]
async fn tokens_that_the_steps_made_themselves_are_not_stored() {
    let made = "made-by-a-step-0001";
    for put in [json!({ "oauth": { "token": { "refresh_token": made } } }), json!({ "signed": [made] })] {
        let mut all = steps();
        all.as_array_mut().expect("steps").insert(0, json!({ "type": "set_context", "config": put }));
        let given = Given::of(SIGN_IN, (REFRESH_TOKEN, OLD), &all).await;
        given.refresh(refused(409, json!({ "error": "conflict", "hint": made }))).await.expect_err("refused");
        let stored = given.stored().await;
        assert!(stored.contains("conflict") && !stored.contains(made), "{put}: {stored}");
    }
}

#[tokio::test]
async fn the_steps_together_have_the_time_of_one_refresh() {
    let given = Given::oauth().await;
    given.script.hang();
    let passes = async {
        while given.script.sent().is_empty() {
            tokio::task::yield_now().await;
        }
        tokio::time::pause();
        tokio::time::advance(DEADLINE).await;
        tokio::time::resume();
    };
    let (refreshed, ()) = tokio::join!(given.it.refresher.refresh(&PERSON, given.it.id), passes);
    refreshed.expect_err("late");
    let account = given.load().await;
    let trouble = account.state.trouble().expect("failing");
    assert_eq!((trouble.failure.cause, trouble.verdict()), (Cause::Timeout, Verdict::Retrying));
}
