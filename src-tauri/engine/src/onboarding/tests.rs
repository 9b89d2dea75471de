use std::{collections::VecDeque, sync::Arc};

use relink_domain::{
    Secret,
    account::{Account, ConnectStep, FixedKind, Granted, Input, NewCredential, Status},
    schedule::Jitter,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::{
    keychain::Item,
    keychain::Key,
    provider::PreparedAccount,
    step_runner::{RunnerFuture, StepCall, StepError, StepScope},
    store::{self, integrations::Installed},
    testing::{PERSON, START, Services, install, profile},
};

const KEY: &str = "k-very-secret-123456";

/// Answers requests as a test says. An expression is the name of what it sees: `previous`, `context`, `steps`, or JSON.
#[derive(Debug, Default)]
struct Script {
    answers: Mutex<VecDeque<Result<Value, StepError>>>,
    called: Mutex<Vec<String>>,
}

impl StepRunner for Script {
    fn call<'a>(
        &'a self,
        _: &'a Caller,
        _: AccountId,
        call: StepCall<'a>,
    ) -> RunnerFuture<'a, Result<Value, StepError>> {
        let name = match call {
            StepCall::Own { action, step, .. } => format!("{action} {step}"),
            StepCall::Named { call, query } => format!("{} {} {}", call.resource, call.method, json!(query)),
        };
        lock(&self.called).push(name);
        let answer = lock(&self.answers).pop_front().unwrap_or(Ok(Value::Null));
        Box::pin(async move { answer })
    }

    fn call_in_refresh<'a>(
        &'a self,
        _: Arc<PreparedAccount>,
        _: StepCall<'a>,
    ) -> RunnerFuture<'a, Result<Value, StepError>> {
        unreachable!("no account of these tests is refreshed")
    }

    fn evaluate<'a>(
        &'a self,
        expression: &'a str,
        scope: &'a StepScope<'a>,
    ) -> RunnerFuture<'a, Result<Option<Value>, StepError>> {
        let value = match expression {
            "previous" => Some(scope.previous.clone()),
            "context" => Some(json!(scope.context)),
            "steps" => Some(json!(scope.steps)),
            "nothing" => None,
            text => serde_json::from_str(text).ok(),
        };
        Box::pin(async move { Ok(value) })
    }

    fn check<'a>(&'a self, expression: &'a str) -> RunnerFuture<'a, Result<(), StepError>> {
        let is_good = expression != "$unknown()";
        Box::pin(async move { if is_good { Ok(()) } else { Err(StepError::new("$unknown is not known")) } })
    }
}

struct Life {
    services: Services,
    accounts: Accounts,
    installed: Installed,
    script: Arc<Script>,
    _runner: Arc<dyn StepRunner>,
}

impl Life {
    /// An integration with these actions, whose worker isn't running yet.
    async fn with(actions: Value) -> Self {
        let services = Services::new();
        let accounts = services.accounts();
        let document = json!({"name": "acme", "config": {
            "label": "Acme",
            "base_url": "https://api.acme.example",
            "credentials": {"format": "api_key", "config": {"fields": [
                {"name": "api_key", "label": "Key", "type": "password", "required": true},
            ]}},
            "resources": {"users": {"list": {"path": "/users"}}},
            "actions": actions,
        }});
        let installed = services.store.write(move |tx| install(tx, document)).await.expect("stored");
        services.providers.publish(installed.clone());
        let script = Arc::new(Script::default());
        let runner: Arc<dyn StepRunner> = Arc::clone(&script) as _;
        services.runners.install(&runner);
        Self { services, accounts, installed, script, _runner: runner }
    }

    fn answers(self, answers: impl IntoIterator<Item = Result<Value, StepError>>) -> Self {
        lock(&self.script.answers).extend(answers);
        self
    }

    /// An account whose steps have begun in a process that has ended.
    async fn connecting(&self) -> AccountId {
        let id = AccountId::from_uuid(Uuid::now_v7());
        let credential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };
        let provider = self.services.providers.get(self.installed.id).expect("usable");
        let granted = Granted {
            credential,
            identity: None,
            scopes: Vec::new(),
            requested_scopes: Vec::new(),
            context: Map::new(),
            object_store_context_fields: Vec::new(),
            origins: provider.origins(relink_domain::account::AuthenticationMethod::ApiKey, &Map::new()),
        };
        let created = Account::connect(profile(&self.installed, id, "Ada".to_owned()), &granted, START);
        let first = provider.definition.actions().first_connect_step().expect("there are steps");
        let begun = created.account.clone().apply(Input::BeginSteps { first }, START, Jitter::NONE).expect("begun");
        let changes = [created, begun].map(|step| self.accounts.change(&PERSON, &step).expect("serialized"));
        let write = move |tx: &rusqlite::Transaction<'_>| {
            changes.iter().try_for_each(|change| store::accounts::commit(tx, change))
        };
        self.services.store.write(write).await.expect("stored");
        let secrets = [("api_key".to_owned(), Secret::new(KEY))].into();
        let item = Item { generation: 1, secrets, ..Item::default() };
        self.services.keychain.set(&Key::Account(id), "Relink: test", &item).await.expect("written");
        id
    }

    /// The account after its steps.
    async fn ended(&self) -> Account {
        let id = self.connecting().await;
        let onboarding = self.services.onboarding(&self.accounts);
        onboarding.start();
        onboarding.wait(id).await.expect("it ends")
    }

    fn called(&self) -> Vec<String> {
        lock(&self.script.called).clone()
    }

    async fn events(&self, id: AccountId) -> Vec<String> {
        let subject = id.to_string();
        let read = move |c: &rusqlite::Connection| {
            let mut statement = c.prepare("SELECT event FROM outbox WHERE subject = ?1 ORDER BY seq")?;
            let rows = statement.query_map([subject], |row| row.get(0))?;
            Ok(rows.collect::<rusqlite::Result<Vec<String>>>()?)
        };
        self.services.store.read(read).await.expect("read")
    }
}

fn action(steps: &Value) -> Value {
    json!({ "steps": steps })
}

fn request() -> Value {
    json!({"type": "request", "config": {"path": "/me"}})
}

fn refused(status: u16, message: &str) -> Result<Value, StepError> {
    Err(StepError::new(message).status(status))
}

#[tokio::test]
async fn both_actions_run_and_what_they_find_is_in_the_context() {
    let steps = json!([request(), {"type": "update_context"}, {"type": "set_context", "config": {"region": "eu"}}]);
    let life = Life::with(json!({"post_install": action(&steps), "validation": action(&json!([request()]))}));
    let life = life.await.answers([Ok(json!({"workspace": "w-1"})), Ok(json!({"ok": true}))]);
    let account = life.ended().await;
    assert_eq!(account.status(), Status::Active, "{account:?}");
    assert_eq!(Value::from(account.profile.context.clone()), json!({"workspace": "w-1", "region": "eu"}));
    assert_eq!(life.called(), ["post_install 0", "validation 0"]);
    let run = serde_json::to_value(&account.last_action_run).expect("JSON");
    let expected = json!({"action": "validation", "success": true,
        "steps": [{"type": "request", "success": true, "result": {"ok": true}}]});
    assert_eq!(run, expected);
    let events = life.events(account.id()).await;
    assert_eq!(events, ["integrated_account:created", "integrated_account:active"]);
}

#[tokio::test]
async fn a_step_that_fails_ends_its_action_and_says_why_without_the_secret() {
    let life = Life::with(json!({"post_install": action(&json!([request(), request()]))})).await;
    let life = life.answers([refused(403, &format!("The provider answered 403: no access for {KEY}"))]);
    let account = life.ended().await;
    assert_eq!((account.status(), life.called().len()), (Status::PostInstallError, 1));
    let run = account.last_action_run.clone().expect("a result");
    let error = run.steps[0].error.clone().expect("an error");
    assert!(error.contains("403") && !error.contains(KEY), "{error}");
    let stored = serde_json::to_string(&account).expect("JSON");
    assert!(!stored.contains(KEY), "{stored}");
    let events = life.events(account.id()).await;
    assert_eq!(events, ["integrated_account:created", "integrated_account:post_install_error"]);
}

#[tokio::test]
async fn a_validation_that_says_no_fails() {
    for (answer, status) in [
        (json!(false), Status::ValidationError),
        (json!(""), Status::ValidationError),
        (json!(0), Status::ValidationError),
        (Value::Null, Status::ValidationError),
        (json!([]), Status::Active),
        (json!({}), Status::Active),
    ] {
        let life = Life::with(json!({"validation": action(&json!([request()]))})).await.answers([Ok(answer.clone())]);
        let account = life.ended().await;
        assert_eq!(account.status(), status, "{answer}");
        assert_eq!(account.last_action_run.expect("a result").success, status == Status::Active, "{answer}");
    }
}

#[tokio::test]
async fn nothing_secret_reaches_the_context_or_the_result() {
    let steps = json!([request(), {"type": "update_context"}]);
    let life = Life::with(json!({"post_install": action(&steps)})).await;
    let found = json!({"api_key": "a-foreign-key", "oauth": {"token": {"access_token": "t"}}, "site": format!("x {KEY}"),
        "nested": [{"refresh_token": "r", "name": "n"}], "plan": "pro"});
    let account = life.answers([Ok(found)]).ended().await;
    let context = Value::from(account.profile.context.clone());
    assert_eq!(context["plan"], "pro");
    assert_eq!(
        (&context["nested"], context.get("api_key"), context.get("oauth")),
        (&json!([{"name": "n"}]), None, None)
    );
    let stored = serde_json::to_string(&account).expect("JSON");
    for secret in [KEY, "a-foreign-key", "\"t\"", "\"r\""] {
        assert!(!stored.contains(secret), "{secret} in {stored}");
    }
}

#[tokio::test]
async fn a_step_sees_what_was_before_it_and_may_be_skipped() {
    let steps = json!([
        request(),
        {"type": "transform", "config": "\"skipped\"", "run_if": "false"},
        {"type": "transform", "config": "steps", "run_if": "previous"},
        {"type": "get_context"},
    ]);
    let life = Life::with(json!({"validation": action(&steps)})).await.answers([Ok(json!({"id": 1}))]);
    let account = life.ended().await;
    let run = account.last_action_run.expect("a result");
    let results: Vec<_> = run.steps.iter().map(|step| step.result.clone()).collect();
    assert_eq!(results, [Some(json!({"id": 1})), None, Some(json!([{"id": 1}, null])), Some(json!({}))]);
}

#[tokio::test]
async fn a_step_that_cannot_work_says_what_is_wrong() {
    for (step, said) in [(json!({"type": "update_context", "config": "1"}), "gives no object")] {
        let life = Life::with(json!({"post_install": action(&json!([step]))})).await;
        let account = life.ended().await;
        assert_eq!(account.status(), Status::PostInstallError);
        let error = account.last_action_run.expect("a result").steps[0].error.clone().expect("an error");
        assert!(error.contains(said), "{error}");
    }
}

#[tokio::test]
async fn more_than_a_context_can_hold_is_refused() {
    let life = Life::with(json!({"post_install": action(&json!([request(), {"type": "update_context"}]))})).await;
    let life = life.answers([Ok(json!({"notes": "x".repeat(300 << 10)}))]);
    let account = life.ended().await;
    assert_eq!(account.status(), Status::PostInstallError);
    let error = account.last_action_run.expect("a result").steps[1].error.clone().expect("an error");
    assert!(error.contains("at most 256 KiB"), "{error}");
    assert!(account.profile.context.get("notes").is_none());
}

#[tokio::test]
async fn a_named_method_is_called_with_a_query_of_the_context() {
    let call =
        json!({"type": "request", "config": {"resource": "users", "method": "list", "query": {"site": "{{site}}"}}});
    let steps = json!([{"type": "set_context", "config": {"site": "acme"}}, call]);
    let life = Life::with(json!({"post_install": action(&steps)})).await;
    life.ended().await;
    assert_eq!(life.called(), [r#"users list {"site":"acme"}"#]);
}

#[tokio::test]
async fn the_steps_run_again_when_somebody_wants_them() {
    let life =
        Life::with(json!({"post_install": action(&json!([request()])), "validation": action(&json!([request()]))}));
    let life =
        life.await.answers([refused(500, "broken"), Ok(json!(1)), refused(401, "no"), Ok(json!(1)), Ok(json!(1))]);
    let id = life.connecting().await;
    let onboarding = life.services.onboarding(&life.accounts);
    onboarding.start();
    assert_eq!(onboarding.wait(id).await.expect("it ends").status(), Status::PostInstallError);
    let error = onboarding.run_again(&PERSON, id).await.expect_err("the validation fails");
    assert_eq!(error.code(), "validation_error");
    assert!(error.to_string().contains("no"), "{error}");
    assert_eq!(onboarding.run_again(&PERSON, id).await.expect("it passes").status(), Status::Active);
    let events = life.events(id).await;
    let short: Vec<_> = events.iter().filter_map(|kind| kind.split(':').nth(1)).collect();
    assert_eq!(short, ["created", "post_install_error", "updated", "validation_error", "updated", "active"]);
}

#[tokio::test]
async fn an_action_that_has_ended_does_not_run_again_after_a_restart() {
    let life =
        Life::with(json!({"post_install": action(&json!([request()])), "validation": action(&json!([request()]))}));
    let life = life.await.answers([Ok(json!(1))]);
    let id = life.connecting().await;
    let generation = 1;
    let outcome = relink_domain::account::ActionOutcome::Passed { then: Some(ConnectStep::Validation) };
    let ended = Input::ActionEnded { generation, run: None, outcome };
    life.accounts.commit(&Caller::Internal, id, ended).await.expect("committed");
    let onboarding = life.services.onboarding(&life.accounts);
    onboarding.start();
    assert_eq!(onboarding.wait(id).await.expect("it ends").status(), Status::Active);
    assert_eq!(life.called(), ["validation 0"]);
}

#[tokio::test]
async fn while_the_keychain_is_locked_no_step_runs() {
    let life = Life::with(json!({"validation": action(&json!([request()]))})).await.answers([Ok(json!(1))]);
    let id = life.connecting().await;
    life.services.backend.refuse(crate::keychain::KeychainError::Locked);
    life.services.keychain.get(&Key::Account(id)).await.expect_err("locked");
    let onboarding = life.services.onboarding(&life.accounts);
    onboarding.start();
    tokio::task::yield_now().await;
    assert!(life.called().is_empty());
    life.services.backend.recover();
    life.services.keychain.get(&Key::Account(id)).await.expect("unlocked");
    assert_eq!(onboarding.wait(id).await.expect("it ends").status(), Status::Active);
}

#[tokio::test]
async fn an_action_runs_by_its_name_and_gives_its_last_result() {
    let steps = json!([request(), {"type": "update_context"}, {"type": "transform", "config": "\"done\""}]);
    let life = Life::with(json!({"validation": action(&json!([request()])), "sync": action(&steps)})).await;
    let life = life.answers([Ok(json!(1)), Ok(json!({"cursor": "c"})), refused(409, "busy")]);
    let account = life.ended().await;
    let onboarding = life.services.onboarding(&life.accounts);
    let run = |name: &'static str| {
        let onboarding = onboarding.clone();
        let id = account.id();
        async move { onboarding.run_action(&PERSON, id, name, (Map::new(), Value::Null)).await }
    };
    assert_eq!(run("sync").await.expect("a result"), json!("done"));
    let context = life.accounts.load(account.id()).await.expect("there").profile.context;
    assert_eq!(context["cursor"], "c");
    let failed = run("sync").await.expect_err("it fails");
    assert!(matches!(&failed, Error::Step { status: Some(409), .. }), "{failed:?}");
    assert_eq!(run("validation").await.expect_err("reserved").code(), "action_reserved");
    assert_eq!(run("nothing").await.expect_err("unknown").code(), "not_found");
}

#[tokio::test]
async fn an_expression_with_an_unknown_name_is_refused_when_it_is_saved() {
    let life = Life::with(json!({})).await;
    let catalog = life.services.catalog(&life.accounts).await;
    let text = |expression: &str| {
        let steps = json!([{"type": "transform", "config": expression}]);
        json!({"name": "other", "config": {
            "base_url": "https://api.other.example",
            "credentials": {"format": "api_key", "config": {"fields": [{"name": "api_key", "label": "Key", "type": "password"}]}},
            "actions": {"post_install": action(&steps)},
        }})
        .to_string()
    };
    let refused = catalog.add(&PERSON, &text("$unknown()")).await.expect_err("refused");
    let Error::Invalid { field, message, .. } = &refused else { panic!("{refused:?}") };
    assert_eq!(field.as_deref(), Some("config.actions.post_install.steps[0].config.expression"));
    assert!(message.contains("$unknown is not known"), "{message}");
    catalog.add(&PERSON, &text("previous")).await.expect("added");
}
