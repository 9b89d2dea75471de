//! Refreshes by the steps of the action `refresh_token`.

use relink_domain::{
    account::{Input, NewCredential, Renewal, Status, Verdict},
    failure::Cause,
};
use serde_json::{Map, Value, json};

use super::{steps_script::Script, tests::Refreshing, *};
use crate::{
    keychain::Key,
    outbound::HttpResponse,
    provider::{ACCESS_TOKEN, REFRESH_TOKEN},
    step_runner::{FailedRequest, StepError, StepRunner},
    testing::{LIFETIME, PERSON, SIGN_IN, START, access_token},
};

pub(super) const OLD: &str = "refresh-token-0001";
pub(super) const NEW: &str = "refresh-token-0002";
pub(super) const ACCESS: &str = "access-token-0002";

/// The request, and what it answers in `oauth.token`.
pub(super) fn steps() -> Value {
    let body = json!({ "token": "{{oauth.token.refresh_token}}" });
    json!([
        { "type": "request", "config": { "path": "/session", "method": "post", "body": body, "no_auth": true } },
        { "type": "update_context", "config": { "expression": "token" } },
    ])
}

pub(super) fn definition(steps: &Value) -> Value {
    json!({ "name": "acme", "config": {
        "label": "Acme",
        "base_url": "https://api.acme.example",
        "credentials": { "format": "oauth2", "config": {
            "client": { "id": "acme" }, "auth": { "tokenHost": "https://as.acme.example" },
        } },
        "relink": { "client_secret": "never" },
        "actions": { "refresh_token": { "steps": steps } },
    } })
}

pub(super) struct Given {
    pub(super) it: Refreshing,
    pub(super) script: Arc<Script>,
    _runner: Arc<dyn StepRunner>,
}

impl Given {
    pub(super) async fn with(credential: NewCredential, secret: (&str, &str)) -> Self {
        Self::of(credential, secret, &steps()).await
    }

    pub(super) async fn of(credential: NewCredential, secret: (&str, &str), steps: &Value) -> Self {
        Self::at(definition(steps), credential, secret).await
    }

    pub(super) async fn at(definition: Value, credential: NewCredential, (name, secret): (&str, &str)) -> Self {
        let it = Refreshing::with_definition(definition, credential).await;
        it.services.write_secret(it.id, Account::FIRST_GENERATION, name, secret).await;
        it.services.clock.advance_secs(3600);
        let script = Arc::new(Script::default());
        let runner: Arc<dyn StepRunner> = Arc::clone(&script) as _;
        it.services.runners.install(&runner);
        Self { it, script, _runner: runner }
    }

    pub(super) async fn oauth() -> Self {
        Self::with(SIGN_IN, (REFRESH_TOKEN, OLD)).await
    }

    pub(super) async fn refresh(&self, answer: Result<Value, StepError>) -> Result<AccountView> {
        self.script.answer(answer);
        self.it.refresher.refresh(&PERSON, self.it.id).await
    }

    pub(super) async fn load(&self) -> Account {
        self.it.accounts.load(self.it.id).await.expect("there")
    }

    pub(super) async fn item(&self) -> Item {
        self.it.services.keychain.get(&Key::Account(self.it.id)).await.expect("read").expect("there")
    }

    pub(super) fn held(&self) -> Option<String> {
        self.it.services.tokens.get(self.it.id).map(|held| held.token.expose().to_owned())
    }

    /// Everything that the database has.
    pub(super) async fn stored(&self) -> String {
        let read = |c: &rusqlite::Connection| {
            let mut cells = Vec::new();
            for table in ["integrated_account", "timeline", "outbox", "call"] {
                let mut statement = c.prepare(&format!("SELECT * FROM {table}"))?;
                let columns = statement.column_count();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for at in 0..columns {
                        // A text is shown as its bytes otherwise.
                        cells.push(row.get_ref(at)?.as_str_or_null().ok().flatten().unwrap_or_default().to_owned());
                    }
                }
            }
            Ok(cells.join(" "))
        };
        self.it.services.store.read(read).await.expect("read")
    }
}

pub(super) fn answered() -> Value {
    json!({ "access_token": ACCESS, "refresh_token": NEW, "expires_in": 600 })
}

#[expect(clippy::needless_pass_by_value, reason = "it is always a literal")]
pub(super) fn refused(status: u16, body: Value) -> Result<Value, StepError> {
    refused_with(status, &[], &body.to_string())
}

pub(super) fn refused_with(status: u16, headers: &[(&'static str, &str)], body: &str) -> Result<Value, StepError> {
    let headers = headers.iter().map(|(name, value)| {
        (http::HeaderName::from_static(name), http::HeaderValue::from_str(value).expect("a value"))
    });
    let answer = HttpResponse {
        status: http::StatusCode::from_u16(status).expect("a status"),
        headers: headers.collect(),
        body: body.as_bytes().to_vec(),
    };
    Err(StepError::new("refused").status(status).failed(FailedRequest::Refused(Box::new(answer))))
}

#[tokio::test]
async fn the_steps_replace_the_refresh_and_their_tokens_are_kept_as_any() {
    let given = Given::oauth().await;
    given.refresh(Ok(answered())).await.expect("refreshed");
    assert_eq!(given.script.sent(), [json!({ "refresh_token": OLD, "access_token": null })], "what a template sees");
    let (account, item) = (given.load().await, given.item().await);
    let expires_at = given.it.services.tokens.get(given.it.id).and_then(|held| held.lifetime.expires_at);
    assert_eq!((account.status(), expires_at), (Status::Active, Some(START.plus_secs(3600 + 600))));
    assert_eq!(given.held().as_deref(), Some(ACCESS));
    assert_eq!(item.generation, account.state.credential().generation());
    let kept = |name: &str| item.secrets.get(name).map(|secret| secret.expose().to_owned());
    assert_eq!((kept(REFRESH_TOKEN).as_deref(), kept(ACCESS_TOKEN).as_deref()), (Some(NEW), Some(ACCESS)));
}

#[tokio::test]
async fn an_answer_without_a_refresh_token_keeps_the_old_one() {
    let given = Given::oauth().await;
    given.refresh(Ok(json!({ "access_token": ACCESS }))).await.expect("refreshed");
    assert_eq!(given.item().await.secrets[REFRESH_TOKEN].expose(), OLD);
}

#[tokio::test]
async fn no_token_reaches_the_database() {
    let given = Given::oauth().await;
    given.refresh(Ok(answered())).await.expect("refreshed");
    given.it.services.clock.advance_secs(600);
    let said = json!({ "error": "invalid_grant", "error_description": format!("{NEW} was used") });
    given.refresh(refused(400, said)).await.expect_err("refused");
    given.refresh(Err(StepError::new(format!("can't add {ACCESS} to {NEW}")))).await.expect_err("broken");
    let unknown = "access-token-that-no-one-knows";
    given.refresh(Ok(json!({ "cannot_be_used": unknown }))).await.expect_err("broken");
    let stored = given.stored().await;
    assert!(stored.contains("can't be used"), "the error is kept: {stored}");
    for token in [OLD, NEW, ACCESS, unknown] {
        assert!(!stored.contains(token), "{token} in {stored}");
    }
}

#[tokio::test]
async fn what_the_steps_find_beside_the_tokens_is_not_stored() {
    let steps = json!([
        { "type": "request", "config": { "path": "/session", "method": "post" } },
        { "type": "set_context", "config": { "session": "of-the-steps" } },
        { "type": "update_context", "config": { "expression": "token" } },
    ]);
    let given = Given::of(SIGN_IN, (REFRESH_TOKEN, OLD), &steps).await;
    given.refresh(Ok(answered())).await.expect("refreshed");
    assert_eq!(given.load().await.profile.context, Map::new());
}

#[tokio::test]
async fn a_refusal_is_judged_like_that_of_a_token_endpoint() {
    let timed_out = FailedRequest::Unanswered { cause: Cause::Timeout, retry_after_secs: None };
    for (answer, cause, verdict, wait) in [
        (refused(400, json!({ "error": "invalid_grant" })), Cause::InvalidGrant, Verdict::NeedsPerson, None),
        (refused(401, json!("no")), Cause::UnknownRefusal, Verdict::Retrying, None),
        (refused(503, json!("busy")), Cause::ServerError, Verdict::Retrying, None),
        (refused_with(429, &[("retry-after", "90")], "{}"), Cause::RateLimited, Verdict::Retrying, Some(90)),
        (Err(StepError::new("late").failed(timed_out)), Cause::Timeout, Verdict::Retrying, None),
        (Err(StepError::new("The path can't be made")), Cause::RefreshStepFailed, Verdict::Retrying, None),
    ] {
        let given = Given::oauth().await;
        given.refresh(answer).await.expect_err("it fails");
        let account = given.load().await;
        let trouble = account.state.trouble().expect("failing");
        let failure = &trouble.failure;
        assert_eq!((failure.cause, trouble.verdict(), failure.retry_after_secs), (cause, verdict, wait));
        assert_eq!(given.item().await.secrets[REFRESH_TOKEN].expose(), OLD, "nothing is lost");
    }
}

#[tokio::test]
async fn steps_that_leave_nothing_usable_say_so() {
    for (answer, cause, says) in [
        (json!({}), Cause::RefreshStepFailed, "oauth.token.access_token"),
        (json!({ "access_token": 7 }), Cause::RefreshStepFailed, "oauth.token.access_token"),
        (json!({ "access_token": "" }), Cause::RefreshStepFailed, "oauth.token.access_token"),
        (json!({ "access_token": "a\nb" }), Cause::MalformedToken, ""),
    ] {
        let given = Given::oauth().await;
        given.refresh(Ok(answer.clone())).await.expect_err("it fails");
        let account = given.load().await;
        let failure = &account.state.trouble().expect("failing").failure;
        assert_eq!(failure.cause, cause, "{answer}");
        let message = failure.explain("Acme", Verdict::Retrying).message;
        assert!(message.contains(says), "{message}");
        assert!(failure.is_ambiguous(), "the provider may have replaced the refresh token");
    }
}

#[tokio::test]
async fn a_refusal_after_tokens_that_were_lost_says_that_they_were() {
    let given = Given::oauth().await;
    given.refresh(Ok(json!({ "token": "elsewhere" }))).await.expect_err("nothing usable");
    given.refresh(refused(400, json!({ "error": "invalid_grant" }))).await.expect_err("refused");
    assert_eq!(given.load().await.state.trouble().expect("failing").failure.cause, Cause::LostResponse);
}

#[tokio::test]
async fn tokens_that_are_there_are_kept_although_a_later_step_fails() {
    let mut all = steps();
    all.as_array_mut().expect("steps").push(json!({ "type": "request", "config": { "path": "/me" } }));
    let given = Given::of(SIGN_IN, (REFRESH_TOKEN, OLD), &all).await;
    given.script.answer(Ok(answered()));
    given.refresh(refused(500, json!({}))).await.expect("refreshed");
    assert_eq!(given.item().await.secrets[REFRESH_TOKEN].expose(), NEW);
    let seen = given.script.sent().pop().expect("the second request");
    assert_eq!(seen, json!({ "refresh_token": NEW, "access_token": ACCESS }), "a later step has the new ones");
}

#[tokio::test]
async fn what_a_step_finds_does_not_decide_where_the_tokens_go() {
    let mut all = steps();
    all.as_array_mut().expect("steps").insert(0, json!({ "type": "set_context", "config": { "site": "evil" } }));
    let mut definition = definition(&all);
    definition["config"]["base_url"] = "https://{{site?:good}}.acme.example".into();
    let given = Given::at(definition, SIGN_IN, (REFRESH_TOKEN, OLD)).await;
    given.refresh(Ok(answered())).await.expect("refreshed");
    assert_eq!(given.script.hosts(), ["good.acme.example"]);
}

pub(super) const BY_STEPS: NewCredential = NewCredential::Renewing { by: Renewal::Action, lifetime: LIFETIME };

#[tokio::test]
async fn an_account_without_a_refresh_token_is_renewed_with_its_access_token() {
    let given = Given::with(BY_STEPS, (ACCESS_TOKEN, "access-token-0001")).await;
    given.script.answer(Ok(json!({ "access_token": ACCESS, "expires_in": 600 })));
    let token = given.it.refresher.access_token(&PERSON, given.it.id).await.expect("a token");
    assert_eq!(token.token.expose(), ACCESS);
    assert_eq!(given.script.sent(), [json!({ "refresh_token": null, "access_token": "access-token-0001" })]);
    assert_eq!(given.item().await.secrets[ACCESS_TOKEN].expose(), ACCESS);
}

#[tokio::test]
async fn a_token_that_has_not_ended_is_not_renewed_after_a_start() {
    let given = Given::with(BY_STEPS, (ACCESS_TOKEN, "access-token-0001")).await;
    given.it.services.clock.advance_secs(-3000);
    let token = given.it.refresher.access_token(&PERSON, given.it.id).await.expect("a token");
    assert_eq!((token.token.expose(), given.script.sent().len()), ("access-token-0001", 0));
}

#[tokio::test]
async fn a_token_that_was_refused_does_not_come_back_from_the_keychain() {
    let given = Given::with(BY_STEPS, (ACCESS_TOKEN, "access-token-0001")).await;
    given.it.services.clock.advance_secs(-3000);
    given.it.services.tokens.insert(given.it.id, access_token("access-token-0001"));
    given.it.services.tokens.renew_refused(given.it.id, &relink_domain::Secret::new("access-token-0001"));
    given.script.answer(Ok(json!({ "access_token": ACCESS, "expires_in": 600 })));
    let token = given.it.refresher.access_token(&PERSON, given.it.id).await.expect("a token");
    assert_eq!(token.token.expose(), ACCESS);
}

#[tokio::test]
async fn callers_share_one_run_of_the_steps() {
    let given = Given::oauth().await;
    given.script.answer(Ok(answered()));
    let ask = || given.it.refresher.access_token(&PERSON, given.it.id);
    let (one, other) = tokio::join!(ask(), ask());
    assert_eq!((one.expect("a token").token.expose(), other.expect("a token").token.expose()), (ACCESS, ACCESS));
    assert_eq!(given.script.sent().len(), 1);
}

/// What a process leaves that ends during a refresh.
async fn open_refresh(given: &Given) -> u64 {
    let begun = given.it.accounts.commit(&Caller::Internal, given.it.id, Input::BeginRefresh).await.expect("begun");
    begun.account.open_generation().expect("open")
}

#[tokio::test]
async fn after_a_crash_behind_the_keychain_the_new_tokens_are_in_force_without_another_request() {
    let given = Given::oauth().await;
    let generation = open_refresh(&given).await;
    let secrets = [(REFRESH_TOKEN, NEW), (ACCESS_TOKEN, ACCESS)];
    let secrets = secrets.map(|(name, secret)| (name.to_owned(), relink_domain::Secret::new(secret))).into();
    let mut item = Item { generation, secrets, ..Item::default() };
    let now = given.it.services.clock.now();
    item.set_lifetime(TokenLifetime::new(now, Some(now.plus_secs(3600))));
    given.it.services.keychain.set(&Key::Account(given.it.id), "Relink: test", &item).await.expect("written");
    let token = given.it.refresher.access_token(&PERSON, given.it.id).await.expect("a token");
    assert_eq!((token.token.expose(), given.script.sent().len()), (ACCESS, 0));
    assert_eq!(given.load().await.state.credential().generation(), generation);
}

#[tokio::test]
async fn after_a_crash_before_the_keychain_the_old_token_is_tried_and_a_refusal_says_what_was_lost() {
    let given = Given::oauth().await;
    open_refresh(&given).await;
    given.refresh(refused(400, json!({ "error": "invalid_grant" }))).await.expect_err("refused");
    assert_eq!(given.script.sent()[0]["refresh_token"], OLD);
    assert_eq!(given.load().await.state.trouble().expect("failing").failure.cause, Cause::LostResponse);
}
