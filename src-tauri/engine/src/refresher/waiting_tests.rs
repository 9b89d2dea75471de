//! Accounts that wait because a provider asked for it.

use relink_contract::account::Waiting;
use relink_domain::account::{DeferReason, TimelineEvent};

use super::{response_tests::response, tests::Refreshing, *};
use crate::testing::{LocalServer, PERSON, SIGN_IN, program};

#[tokio::test]
async fn one_accounts_retry_after_delays_the_others_of_the_host_by_an_hour_at_most_and_is_shown() {
    let agent = program();
    let server = LocalServer::listen().await;
    let it = Refreshing::at(&server.origin()).await;
    let account = it.accounts.load(it.id).await.expect("there");
    let installed = (*it.accounts.installed_of(&account).expect("installed")).clone();
    let other = it.services.connect(&it.accounts, &installed, SIGN_IN).await;
    for id in [it.id, other] {
        it.services.write_refresh_token(id, Account::FIRST_GENERATION, "first").await;
    }
    let waiting = async |id| it.accounts.get(&PERSON, id).await.expect("there").waiting;
    assert_eq!(waiting(other).await, None);
    it.services.clock.advance_secs(3600);
    assert_eq!(waiting(other).await, None, "a due refresh alone is no wait");

    let limited = response("429 Too Many Requests", &["Retry-After: 99999999"], b"");
    let respond = async { server.request().await.respond_with(&limited).await };
    tokio::join!(it.refresher.refresh(&PERSON, it.id), respond).0.expect_err("limited");
    let now = it.services.clock.now();
    let host = server.origin().trim_start_matches("http://").to_owned();
    let wait = |secs| Some(Waiting { host: host.clone(), until: now.plus_secs(secs) });
    assert_eq!(waiting(it.id).await, wait(24 * 60 * 60), "its own is obeyed, up to a day");
    assert_eq!(waiting(other).await, wait(60 * 60));
    let both: Vec<_> = it.accounts.waiting(&PERSON).await.expect("read").iter().map(|it| it.account.id()).collect();
    assert_eq!(both, [it.id, other]);

    let due = it.refresher.join_or_start_refresh(&PERSON, other, RefreshReason::Due).await;
    assert!(matches!(due, Err(Error::Deferred)));
    let newest = it.accounts.timeline(&PERSON, Some(other), None, 1).await.expect("read").remove(0);
    assert!(matches!(newest.event, TimelineEvent::Deferred { why: DeferReason::ProviderAsked }), "{newest:?}");
    for id in [it.id, other] {
        let refused = it.refresher.access_token(&agent, id).await.expect_err("it waits");
        assert_eq!(refused.code(), "rate_limited");
    }

    it.services.clock.advance_secs(60 * 60);
    assert_eq!(waiting(other).await, None);
    assert_eq!(waiting(it.id).await, wait(24 * 60 * 60));
    let answer = async { server.request().await.respond(200, r#"{"access_token":"new","expires_in":3600}"#).await };
    let (token, ()) = tokio::join!(it.refresher.access_token(&agent, other), answer);
    assert_eq!(token.expect("refreshed").token.expose(), "new");
}
