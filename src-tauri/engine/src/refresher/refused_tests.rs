//! What programs get after a final refusal: the token that remains only if it works, and no storms.

use relink_contract::account::CheckOutcome;
use relink_domain::{
    account::Account,
    integration::{WebUrl, built_in},
};

use super::tests::Refreshing;
use crate::testing::{LocalServer, PERSON, SIGN_IN, access_token, program};

#[tokio::test]
async fn programs_that_ask_for_a_revoked_account_cause_one_exchange_a_wait() {
    let agent = program();
    let server = LocalServer::listen().await;
    let it = Refreshing::at(&server.origin()).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "revoked").await;
    it.services.clock.advance_secs(3600);
    let revoke = async || server.request().await.respond(400, r#"{"error":"invalid_grant"}"#).await;
    let (first, ()) = tokio::join!(it.refresher.access_token(&agent, it.id), revoke());
    assert_eq!(first.expect_err("revoked").code(), "invalid_grant");

    let events = *it.services.store.outbox_seq().borrow();
    for _ in 0..40 {
        // A request would find a server that never answers.
        let token = it.refresher.access_token(&PERSON, it.id).await.expect_err("known");
        let refresh = it.refresher.refresh(&agent, it.id).await.expect_err("known");
        let check = it.refresher.check(&agent, it.id).await.expect_err("known");
        assert_eq!([token.code(), refresh.code(), check.code()], ["invalid_grant"; 3]);
    }
    assert_eq!(*it.services.store.outbox_seq().borrow(), events, "no event was sent");

    let (now, ()) = tokio::join!(it.refresher.refresh(&PERSON, it.id), revoke());
    now.expect_err("the person's request is always tried");
    it.services.clock.advance_secs(119);
    it.refresher.access_token(&agent, it.id).await.expect_err("it waits longer after the second failure");
    it.services.clock.advance_secs(1);
    let answer = async { server.request().await.respond(200, r#"{"access_token":"new","expires_in":3600}"#).await };
    let (token, ()) = tokio::join!(it.refresher.access_token(&agent, it.id), answer);
    assert_eq!(token.expect("tried again").token.expose(), "new");
}

#[tokio::test]
async fn after_a_final_refusal_the_remaining_token_is_handed_out_only_if_the_provider_accepts_it() {
    for (status, is_accepted) in [(200, true), (403, true), (401, false), (500, false), (302, false)] {
        let server = LocalServer::listen().await;
        let it = Refreshing::at(&server.origin()).await;
        it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "revoked").await;
        let provider = async {
            server.request().await.respond(400, r#"{"error":"invalid_grant"}"#).await;
            let probe = server.request().await;
            assert!(probe.head.contains("Bearer at hand"), "{}", probe.head);
            probe.respond(status, r#"{"id":"sandbox-ada"}"#).await;
        };
        let (refreshed, ()) = tokio::join!(it.refresher.refresh(&PERSON, it.id), provider);
        assert_eq!(refreshed.expect_err("revoked").code(), "invalid_grant", "{status}");
        assert_eq!(it.accounts.get(&PERSON, it.id).await.expect("there").holds_token, is_accepted, "{status}");
        match it.refresher.access_token(&PERSON, it.id).await {
            Ok(token) => assert!(is_accepted && token.needs_reauth && token.token.expose() == "at hand", "{status}"),
            Err(error) => assert!(!is_accepted && error.code() == "invalid_grant", "{status}: {error}"),
        }
    }
}

#[tokio::test]
async fn after_a_final_refusal_a_token_that_cannot_be_probed_or_answers_as_another_is_dropped() {
    for has_probe in [false, true] {
        let server = LocalServer::listen().await;
        let origin = WebUrl::parse(&server.origin()).expect("a URL").origin();
        let sandbox = built_in("sandbox").and_then(|sandbox| sandbox.at(&origin).ok()).expect("a definition");
        let mut definition = serde_json::to_value(&sandbox).expect("serialized");
        let relink = definition["config"]["relink"].as_object_mut().expect("an object");
        if !has_probe {
            relink.remove("probe");
            relink.remove("identity");
        }
        let it = Refreshing::with_definition(definition, SIGN_IN).await;
        it.services.tokens.insert(it.id, access_token("at hand"));
        it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "revoked").await;
        if has_probe {
            let it = &it;
            let id = it.id;
            let is_ada = move |tx: &rusqlite::Transaction<'_>| {
                let set = "UPDATE integrated_account SET document = json_set(document, '$.profile.identity',
                    json('{\"id\":\"ada\",\"label\":\"Ada\"}')) WHERE id = ?1";
                Ok(tx.execute(set, [id.to_string()])?)
            };
            assert_eq!(it.services.store.write(is_ada).await.expect("changed"), 1);
        }
        let provider = async {
            server.request().await.respond(400, r#"{"error":"invalid_grant"}"#).await;
            if has_probe {
                server.request().await.respond(200, r#"{"id":"grace","name":"Grace"}"#).await;
            }
        };
        let (refreshed, ()) = tokio::join!(it.refresher.refresh(&PERSON, it.id), provider);
        assert_eq!(refreshed.expect_err("revoked").code(), "invalid_grant");
        let token = it.refresher.access_token(&PERSON, it.id).await;
        assert_eq!(token.expect_err("it may be dead").code(), "invalid_grant", "has a probe: {has_probe}");
    }
}

#[tokio::test]
async fn a_new_token_that_calls_are_refused_with_is_not_handed_out_and_causes_no_storm() {
    let agent = program();
    let server = LocalServer::listen().await;
    let it = Refreshing::at(&server.origin()).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    let provider = async {
        server.request().await.respond(401, "{}").await;
        server.request().await.respond(200, r#"{"access_token":"new","expires_in":3600}"#).await;
        let again = server.request().await;
        assert!(again.head.contains("Bearer new"), "{}", again.head);
        again.respond(401, "{}").await;
    };
    let (checked, ()) = tokio::join!(it.refresher.check(&agent, it.id), provider);
    assert_eq!(checked.expect("checked").outcome, CheckOutcome::Unauthorized);
    let events = *it.services.store.outbox_seq().borrow();
    for _ in 0..40 {
        // A request would find a server that never answers.
        let token = it.refresher.access_token(&agent, it.id).await.expect_err("it was refused");
        let check = it.refresher.check(&agent, it.id).await.expect_err("known");
        assert_eq!([token.code(), check.code()], ["rejected_after_refresh"; 2]);
    }
    assert_eq!(*it.services.store.outbox_seq().borrow(), events, "no event was sent");
    assert!(!it.accounts.get(&PERSON, it.id).await.expect("there").holds_token);
}

#[tokio::test]
async fn a_failure_that_is_retried_leaves_the_token_alone() {
    let server = LocalServer::listen().await;
    let it = Refreshing::at(&server.origin()).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    // A probe would find a server that never answers.
    let provider = async { server.request().await.respond(503, "{}").await };
    let (refreshed, ()) = tokio::join!(it.refresher.refresh(&PERSON, it.id), provider);
    refreshed.expect_err("it is retried");
    let token = it.refresher.access_token(&PERSON, it.id).await.expect("still there");
    assert!(!token.needs_reauth && token.token.expose() == "at hand");
}
