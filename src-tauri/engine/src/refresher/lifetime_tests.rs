//! How long a refreshed token counts as fresh, and what a refresh requests.

use std::collections::BTreeMap;

use relink_domain::{
    LinkTokenId, Secret,
    account::{Granted, Input, NewCredential, Renewal, Trouble, Verdict},
    integration::{WebUrl, built_in},
    schedule::TokenLifetime,
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{tests::Refreshing, *};
use crate::{
    keychain::{Item, Key},
    testing::{LIFETIME, LocalServer, PERSON, SIGN_IN},
};

async fn respond(server: &LocalServer, status: u16, body: &Value) -> String {
    let request = server.request().await;
    let sent = request.body.clone();
    request.respond(status, &body.to_string()).await;
    sent
}

#[tokio::test]
async fn a_revoked_account_with_an_odd_lifetime_asks_for_its_person_within_its_assumed_hour() {
    for expires_in in [
        json!(0),
        json!(-5),
        json!("0"),
        json!(""),
        json!("soon"),
        json!(null),
        json!(false),
        json!([]),
        json!({}),
        json!("NaN"),
        json!(-1e300),
        Value::Null,
    ] {
        let server = LocalServer::listen().await;
        let it = Refreshing::with_credential(
            &server.origin(),
            NewCredential::Renewing {
                by: Renewal::RefreshToken,
                lifetime: TokenLifetime::new(LIFETIME.issued_at, None),
            },
        )
        .await;
        it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
        let body = json!({ "access_token": "new", "expires_in": expires_in });
        let (refreshed, _) = tokio::join!(it.refresher.refresh(&PERSON, it.id), respond(&server, 200, &body));
        refreshed.expect("refreshed");
        let account = it.accounts.load(it.id).await.expect("there");
        let Credential::Renewing(renewing) = account.state.credential() else { panic!("it can be refreshed") };
        assert!(renewing.lifetime.is_assumed, "{expires_in}");

        let now = it.services.clock.now();
        let planned = it.planned().expect("a refresh is scheduled");
        assert!(planned <= now.plus_secs(3600), "{expires_in}: {planned}");
        it.services.clock.advance_secs(3600);
        let revoked = json!({ "error": "invalid_grant" });
        let (token, _) = tokio::join!(it.refresher.access_token(&PERSON, it.id), respond(&server, 400, &revoked));
        token.expect_err("the old token is not handed out");
        let account = it.accounts.load(it.id).await.expect("there");
        assert_eq!(account.state.trouble().map(Trouble::verdict), Some(Verdict::NeedsPerson), "{expires_in}");
    }
}

#[tokio::test]
async fn an_unknown_lifetime_is_assumed_to_be_the_last_one() {
    let server = LocalServer::listen().await;
    let lifetime = TokenLifetime::new(LIFETIME.issued_at, Some(LIFETIME.issued_at.plus_secs(7200)));
    let credential = NewCredential::Renewing { by: Renewal::RefreshToken, lifetime };
    let it = Refreshing::with_credential(&server.origin(), credential).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    for answer in [json!({ "access_token": "new" }), json!({ "access_token": "new", "refresh_token": "rotated" })] {
        it.services.clock.advance_secs(7200);
        let (token, _) = tokio::join!(it.refresher.access_token(&PERSON, it.id), respond(&server, 200, &answer));
        let expires_at = it.services.clock.now().plus_secs(7200);
        assert_eq!(token.expect("refreshed").lifetime.expires_at, Some(expires_at), "{answer}");
    }
}

#[tokio::test]
async fn a_request_names_the_requested_scopes_and_not_the_granted_ones() {
    for (requested, sent) in [
        (None, "scope=items%3Aread"),
        (Some(vec!["own".to_owned(), "other".to_owned()]), "scope=own+other"),
        (Some(Vec::new()), ""),
    ] {
        let server = LocalServer::listen().await;
        let credential = NewCredential::Renewing { by: Renewal::ClientCredentials, lifetime: LIFETIME };
        let it = Refreshing::with_credential(&server.origin(), credential).await;
        let generation = match requested.clone() {
            // As an earlier version of Relink left it.
            None => {
                let id = it.id;
                let forget = move |tx: &rusqlite::Transaction<'_>| {
                    let remove = "UPDATE integrated_account SET document = json_remove(json_set(document,
                        '$.profile.scopes', json('[\"sfap_api\", \"api\"]')), '$.profile.requested_scopes') WHERE id = ?1";
                    Ok(tx.execute(remove, [id.to_string()])?)
                };
                assert_eq!(it.services.store.write(forget).await.expect("changed"), 1);
                Account::FIRST_GENERATION
            }
            Some(requested_scopes) => {
                let scopes = vec!["sfap_api api".to_owned()];
                let origins = it.accounts.load(it.id).await.expect("there").profile.origins;
                let granted = Granted {
                    credential,
                    identity: None,
                    scopes,
                    requested_scopes,
                    context: Map::new(),
                    object_store_context_fields: Vec::new(),
                    origins,
                };
                let link = LinkTokenId::from_uuid(Uuid::nil());
                let begin = Input::BeginReplacement { granted, link: Some(link), first_step: None };
                let step = it.accounts.commit(&PERSON, it.id, begin).await.expect("accepted");
                step.account.replacement.expect("open").generation
            }
        };
        let secrets: BTreeMap<_, _> = [("client_id", "us"), ("client_secret", "secret")]
            .map(|(name, value)| (name.into(), Secret::new(value)))
            .into();
        let item = Item { generation, secrets, ..Item::default() };
        it.services.keychain.set(&Key::Account(it.id), "Relink: test", &item).await.expect("written");
        it.services.clock.advance_secs(3600);
        let answer = json!({ "access_token": "new", "expires_in": 3600, "scope": "sfap_api api" });
        let (token, body) = tokio::join!(it.refresher.access_token(&PERSON, it.id), respond(&server, 200, &answer));
        token.expect("a token");
        assert!(body.contains("grant_type=client_credentials") && body.contains(sent), "{body}");
        assert!(!body.contains("sfap_api") && body.contains("scope=") != sent.is_empty(), "{body}");
    }
}

#[tokio::test]
async fn a_refresh_names_the_requested_scopes_only_where_the_definition_wants_it() {
    for (scope_on_refresh, sent) in [(true, Some("scope=asked+other")), (false, None)] {
        let server = LocalServer::listen().await;
        let origin = WebUrl::parse(&server.origin()).expect("a URL").origin();
        let sandbox = built_in("sandbox").and_then(|sandbox| sandbox.at(&origin).ok()).expect("a definition");
        let mut definition = serde_json::to_value(&sandbox).expect("serialized");
        definition["config"]["relink"]["refresh"] = json!({ "scope_on_refresh": scope_on_refresh });
        let it = Refreshing::with_definition(definition, SIGN_IN).await;
        let granted = Granted {
            credential: SIGN_IN,
            identity: None,
            scopes: vec!["granted".to_owned()],
            requested_scopes: vec!["asked".to_owned(), "other".to_owned()],
            context: Map::new(),
            object_store_context_fields: Vec::new(),
            origins: it.accounts.load(it.id).await.expect("there").profile.origins,
        };
        let begin =
            Input::BeginReplacement { granted, link: Some(LinkTokenId::from_uuid(Uuid::nil())), first_step: None };
        let step = it.accounts.commit(&PERSON, it.id, begin).await.expect("accepted");
        let generation = step.account.replacement.expect("open").generation;
        it.services.write_refresh_token(it.id, generation, "first").await;
        it.services.clock.advance_secs(3600);
        let answer = json!({ "access_token": "new", "expires_in": 3600, "scope": "granted less" });
        for _ in 0..2 {
            let (refreshed, body) = tokio::join!(it.refresher.refresh(&PERSON, it.id), respond(&server, 200, &answer));
            refreshed.expect("refreshed");
            let scope = body.split('&').find(|pair| pair.starts_with("scope="));
            assert_eq!(scope, sent, "{body}");
        }
    }
}

/// Connects with an unknown lifetime, refreshes with this answer, and revokes. Nobody asks: only time passes.
async fn asks_for_its_person_within_the_hour(answer: Value) {
    let server = LocalServer::listen().await;
    let unknown = TokenLifetime::new(LIFETIME.issued_at, None);
    let credential = NewCredential::Renewing { by: Renewal::RefreshToken, lifetime: unknown };
    let it = Refreshing::with_credential(&server.origin(), credential).await;
    it.services.write_refresh_token(it.id, Account::FIRST_GENERATION, "first").await;
    let (refreshed, _) = tokio::join!(it.refresher.refresh(&PERSON, it.id), respond(&server, 200, &answer));
    refreshed.expect("refreshed");
    it.refresher.start();
    it.services.clock.advance_secs(3600);
    respond(&server, 400, &json!({ "error": "invalid_grant" })).await;
    let asks = async || {
        let account = it.accounts.load(it.id).await.expect("there");
        (account.state.trouble().map(Trouble::verdict) == Some(Verdict::NeedsPerson)).then_some(())
    };
    it.services.eventually(asks).await;
    it.refresher.access_token(&PERSON, it.id).await.expect_err("no dead token is handed out");
}

#[tokio::test]
async fn a_revoked_account_that_nobody_uses_asks_for_its_person_within_its_assumed_hour() {
    let answers = [
        json!({ "access_token": "new" }),
        json!({ "access_token": "new", "refresh_token": "rotated" }),
        json!({ "access_token": "new", "expires_in": 0 }),
        json!({ "access_token": "new", "expires_in": -5 }),
        json!({ "access_token": "new", "expires_in": "3599s" }),
        json!({ "access_token": "new", "expires_in": "" }),
        json!({ "access_token": "new", "expires_in": " " }),
        json!({ "access_token": "new", "expires_in": "0s" }),
        json!({ "access_token": "new", "expires_in": "soon" }),
        json!({ "access_token": "new", "expires_in": null }),
        json!({ "access_token": "new", "expires_in": {} }),
        json!({ "access_token": "new", "expires_at": "never" }),
        json!({ "access_token": "new", "expires_at": 0 }),
    ];
    // At the same time: after a jump of the clock, each waits for the network to settle.
    futures_util::future::join_all(answers.into_iter().map(asks_for_its_person_within_the_hour)).await;
}
