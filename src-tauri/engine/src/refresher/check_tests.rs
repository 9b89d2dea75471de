//! What a check concludes from the provider's exact bytes.

use relink_contract::account::CheckOutcome;
use relink_domain::{
    LinkTokenId,
    account::{FixedKind, Granted, Identity, Input, NewCredential, Status, TimelineEvent},
};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::{
    response_tests::{HTML, JSON, gzip, response},
    tests::Refreshing,
    *,
};
use crate::testing::{LocalServer, PERSON};

const API_KEY: NewCredential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };
const ME: &str = r#"{"id":"ada","name":"Ada Lovelace"}"#;

/// An account with a key, at a provider whose definition has these additions to `relink`.
struct Given {
    it: Refreshing,
    server: LocalServer,
}

impl Given {
    async fn account(additions: Value) -> Self {
        let server = LocalServer::listen().await;
        let mut relink = json!({ "allow_local": true, "probe": { "path": "/me" } });
        relink.as_object_mut().expect("an object").extend(additions.as_object().cloned().unwrap_or_default());
        let definition = json!({
            "name": "acme",
            "config": {
                "label": "Acme",
                "base_url": server.origin(),
                "credentials": { "api_key": { "format": "api_key", "config": {
                    "fields": [{ "name": "api_key", "type": "password", "label": "API key", "required": true }],
                } } },
                "authorization": { "format": "bearer", "config": { "path": "credentials.api_key" } },
                "relink": relink,
            },
        });
        let it = Refreshing::with_definition(definition, API_KEY).await;
        it.services.write_secret(it.id, Account::FIRST_GENERATION, "api_key", "k-1234567890").await;
        Self { it, server }
    }

    async fn check(&self, bytes: &[u8]) -> CheckOutcome {
        let respond = async { self.server.request().await.respond_with(bytes).await };
        let (report, ()) = tokio::join!(self.it.refresher.check(&PERSON, self.it.id), respond);
        report.expect("checked").outcome
    }

    async fn load(&self) -> Account {
        self.it.accounts.load(self.it.id).await.expect("there")
    }

    /// The account's identity becomes this one.
    async fn belongs_to(&self, id: &str) {
        let granted = Granted {
            credential: API_KEY,
            identity: Some(Identity { id: id.to_owned(), label: id.to_owned() }),
            scopes: Vec::new(),
            requested_scopes: Vec::new(),
            context: Map::new(),
            object_store_context_fields: Vec::new(),
            origins: self.load().await.profile.origins,
        };
        let begin =
            Input::BeginReplacement { granted, link: Some(LinkTokenId::from_uuid(Uuid::nil())), first_step: None };
        let step = self.it.accounts.commit(&PERSON, self.it.id, begin).await.expect("begun");
        let generation = step.account.replacement.expect("open").generation;
        self.it.services.write_secret(self.it.id, generation, "api_key", "k-1234567890").await;
        self.it.accounts.commit(&PERSON, self.it.id, Input::Replaced { generation }).await.expect("replaced");
    }

    fn events(&self) -> i64 {
        *self.it.services.store.outbox_seq().borrow()
    }
}

fn identity() -> Value {
    json!({ "identity": { "path": "/me", "id": "id", "label": "name" } })
}

#[tokio::test]
async fn a_check_succeeds_only_if_what_is_declared_is_found_and_never_reactivates_otherwise() {
    let condition = || json!({ "probe": { "path": "/me", "success": { "path": "ok", "equals": true } } });
    let page = b"<!doctype html><title>Sign in</title>";
    let inconclusive = CheckOutcome::Inconclusive;
    for (what, additions, bytes, outcome) in [
        ("the identity", identity(), response("200 OK", &[JSON], ME.as_bytes()), CheckOutcome::Accepted),
        ("no declaration", json!({}), response("200 OK", &[JSON], b"{}"), CheckOutcome::Accepted),
        (
            "compressed",
            identity(),
            response("200 OK", &[JSON, "Content-Encoding: gzip"], &gzip(ME.as_bytes())),
            CheckOutcome::Accepted,
        ),
        (
            "a byte order mark",
            identity(),
            response("200 OK", &[JSON], &[b"\xef\xbb\xbf", ME.as_bytes()].concat()),
            CheckOutcome::Accepted,
        ),
        ("204", json!({}), response("204 No Content", &[], b""), CheckOutcome::Accepted),
        ("undeclared XML", json!({}), response("200 OK", &[], b"<?xml version=\"1.0\"?><me/>"), CheckOutcome::Accepted),
        ("XML", json!({}), response("200 OK", &["Content-Type: application/xml"], b"<me/>"), CheckOutcome::Accepted),
        ("ok", condition(), response("200 OK", &[JSON], br#"{"ok":true}"#), CheckOutcome::Accepted),
        (
            "Slack's refusal",
            json!({}),
            response("200 OK", &[JSON], br#"{"ok":false,"error":"invalid_auth"}"#),
            inconclusive,
        ),
        (
            "its identity",
            identity(),
            response("200 OK", &[JSON], br#"{"ok":false,"error":"invalid_auth"}"#),
            inconclusive,
        ),
        (
            "GraphQL",
            json!({}),
            response("200 OK", &[JSON], br#"{"errors":[{"message":"no"}],"data":null}"#),
            inconclusive,
        ),
        (
            "GraphQL, no data",
            identity(),
            response("200 OK", &[JSON], br#"{"errors":[{"message":"no"}]}"#),
            inconclusive,
        ),
        ("an error object", json!({}), response("200 OK", &[JSON], br#"{"error":{"message":"no"}}"#), inconclusive),
        ("a login page", json!({}), response("200 OK", &[HTML], page), inconclusive),
        ("an undeclared page", json!({}), response("200 OK", &[], page), inconclusive),
        ("a page for the identity", identity(), response("200 OK", &[HTML], page), inconclusive),
        ("an empty 200", identity(), response("200 OK", &[JSON], b""), inconclusive),
        ("204 for the identity", identity(), response("204 No Content", &[], b""), inconclusive),
        (
            "XML for the identity",
            identity(),
            response("200 OK", &["Content-Type: application/xml"], b"<me/>"),
            inconclusive,
        ),
        ("a null identity", identity(), response("200 OK", &[JSON], br#"{"id":null}"#), inconclusive),
        ("an empty identity", identity(), response("200 OK", &[JSON], br#"{"id":""}"#), inconclusive),
        ("an object", identity(), response("200 OK", &[JSON], br#"{"id":{"id":1}}"#), inconclusive),
        ("a list", identity(), response("200 OK", &[JSON], b"[]"), inconclusive),
        ("the key as identity", identity(), response("200 OK", &[JSON], br#"{"id":"k-1234567890"}"#), inconclusive),
        ("302 to a login page", identity(), response("302 Found", &["Location: /login?next=/me"], b""), inconclusive),
        (
            "a foreign redirect",
            json!({}),
            response("302 Found", &["Location: https://login.example/"], b""),
            inconclusive,
        ),
        (
            "400",
            json!({}),
            response("400 Bad Request", &[JSON], br#"{"error":{"message":"API key not valid."}}"#),
            inconclusive,
        ),
        ("no condition met", condition(), response("200 OK", &[JSON], b"{}"), inconclusive),
        (
            "another error",
            condition(),
            response("200 OK", &[JSON], br#"{"ok":false,"error":"ratelimited"}"#),
            inconclusive,
        ),
    ] {
        let given = Given::account(additions).await;
        let refused = response("401 Unauthorized", &[JSON], b"{}");
        for is_refused in [false, true] {
            if is_refused {
                assert_eq!(given.check(&refused).await, CheckOutcome::Unauthorized, "{what}");
            }
            let before = given.load().await.status();
            assert_eq!(given.check(&bytes).await, outcome, "{what}");
            let after = if outcome == CheckOutcome::Accepted { Status::Active } else { before };
            assert_eq!(given.load().await.status(), after, "{what}");
        }
    }
}

#[tokio::test]
async fn an_error_refuses_the_credential_only_if_the_definition_says_so() {
    let condition = json!({ "probe": { "path": "/me", "success": { "path": "ok", "equals": true } } });
    let listed = json!({ "refresh": { "terminal_errors": ["bad_key"] } });
    for (additions, status, body) in [
        (condition.clone(), "200 OK", r#"{"ok":false,"error":"invalid_auth"}"#),
        (condition.clone(), "200 OK", r#"{"ok":false,"error":"token_revoked"}"#),
        (condition, "200 OK", r#"{"ok":false,"error":"account_inactive"}"#),
        (listed.clone(), "200 OK", r#"{"error":"bad_key"}"#),
        (listed, "400 Bad Request", r#"{"error":"BAD_KEY"}"#),
    ] {
        let given = Given::account(additions).await;
        assert_eq!(
            given.check(&response(status, &[JSON], body.as_bytes())).await,
            CheckOutcome::Unauthorized,
            "{body}"
        );
        let account = given.load().await;
        assert_eq!(account.status(), Status::NeedsReauth, "{body}");
        let words = account.shown_error().and_then(|seen| seen.failure.provider_code.clone());
        assert!(words.is_some_and(|code| body.contains(&code)), "{body}");
    }
}

#[tokio::test]
async fn an_answer_as_another_person_is_reported_once_and_ends_with_the_right_one() {
    let given = Given::account(identity()).await;
    given.belongs_to("ada").await;
    let grace = response("200 OK", &[JSON], br#"{"id":"grace","name":"Grace Hopper"}"#);
    let before = given.events();
    assert_eq!(given.check(&grace).await, CheckOutcome::AnotherIdentity);
    assert_eq!(given.check(&grace).await, CheckOutcome::AnotherIdentity);
    assert_eq!(given.events(), before + 1, "one event");
    let account = given.load().await;
    let words = account.shown_error().and_then(|seen| seen.failure.provider_message.clone());
    assert_eq!((account.status(), words.as_deref()), (Status::Active, Some("Grace Hopper")));
    let newest = given.it.accounts.timeline(&PERSON, Some(given.it.id), None, 1).await.expect("read").remove(0);
    let TimelineEvent::AnsweredAsAnother { identity, instead_of } = newest.event else { panic!("{newest:?}") };
    assert_eq!((identity.as_str(), instead_of.as_deref()), ("Grace Hopper", Some("ada")));

    let ada = response("200 OK", &[JSON], ME.as_bytes());
    assert_eq!(given.check(&ada).await, CheckOutcome::Accepted);
    assert_eq!((given.load().await.shown_error(), given.events()), (None, before + 2));
}

#[tokio::test]
async fn what_a_provider_says_is_kept_without_the_credential() {
    for (status, body, code, message) in [
        (
            "400 Bad Request",
            r#"{"error":{"status":"INVALID_ARGUMENT","message":"API key not valid."}}"#,
            Some("INVALID_ARGUMENT"),
            Some("API key not valid."),
        ),
        ("400 Bad Request", r#"{"message":"k-1234567890 is not a key"}"#, None, Some("(hidden) is not a key")),
        ("401 Unauthorized", r#"{"message":"Bad credentials"}"#, None, Some("Bad credentials")),
        ("500 Internal Server Error", r#"{"errors":[{"detail":"down"}]}"#, None, Some("down")),
        ("200 OK", r#"{"errors":[{"message":"Not authenticated"}]}"#, None, Some("Not authenticated")),
    ] {
        let given = Given::account(json!({})).await;
        given.check(&response(status, &[JSON], body.as_bytes())).await;
        let newest = given.it.accounts.timeline(&PERSON, Some(given.it.id), None, 1).await.expect("read").remove(0);
        let (TimelineEvent::CheckInconclusive { failure } | TimelineEvent::Unauthorized { failure }) = newest.event
        else {
            panic!("{newest:?}")
        };
        assert_eq!((failure.provider_code.as_deref(), failure.provider_message.as_deref()), (code, message), "{body}");
    }
    let given = Given::account(json!({})).await;
    given.check(&response("302 Found", &["Location: /login/k-1234567890?next=k-1234567890"], b"")).await;
    let newest = given.it.accounts.timeline(&PERSON, Some(given.it.id), None, 1).await.expect("read").remove(0);
    let TimelineEvent::CheckInconclusive { failure } = newest.event else { panic!("{newest:?}") };
    let target = format!("Location: {}/login/(hidden)", given.server.origin());
    assert_eq!(failure.provider_message, Some(target));
    let given = Given::account(json!({})).await;
    given.check(&response("403 Forbidden", &[JSON], br#"{"message":"Missing scope: read"}"#)).await;
    let forbidden = given.load().await.profile.last_forbidden_error.expect("kept");
    assert_eq!(forbidden.seen.failure.provider_message.as_deref(), Some("Missing scope: read"));
}
