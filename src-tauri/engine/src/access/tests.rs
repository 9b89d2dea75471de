use std::{future::poll_fn, task::Poll};

use relink_contract::mcp::NewMcpToken;
use relink_domain::{
    AccountId,
    account::{FixedKind, NewCredential},
    integration::Definition,
    mcp::McpConfig,
    permission::Permission,
};

use super::*;
use crate::testing::START;

const CALLER: Caller = Caller::Person;

async fn access() -> (Access, Clock) {
    let clock = Clock::set_to(START);
    let store = Store::in_memory().expect("opens");
    let access = Access::open(Dependencies {
        store,
        clock: clock.clone(),
        tasks: Tasks::new(),
        of_accounts: TokensOfAccounts::default(),
    })
    .await;
    (access.expect("opens"), clock)
}

fn id_of(caller: Option<&Caller>) -> Option<ApiTokenId> {
    match caller {
        Some(Caller::ApiToken { id, .. }) => Some(*id),
        _ => None,
    }
}

const ACCOUNT: AccountId = AccountId::from_uuid(Uuid::from_u128(7));

#[tokio::test]
async fn an_account_token_is_valid_for_15_minutes_and_for_one_account() {
    let (access, clock) = access().await;
    let token = access.create_account_token(&CALLER, ACCOUNT, "acme").expect("made");
    assert_eq!(Uuid::parse_str(token.expose()).expect("a UUID").get_version_num(), 4);
    clock.advance_secs(15 * 60 - 1);
    let caller = access.authenticate(token.expose()).expect("valid");
    assert_eq!(caller.own_account(), Some(ACCOUNT));
    assert!(caller.may(Permission::ChangeOwnAccount), "as the person may");
    clock.advance_secs(1);
    assert_eq!((access.authenticate(token.expose()), access.is_still_valid(&caller)), (None, false));
    // Making another one lets go of it.
    access.create_account_token(&CALLER, ACCOUNT, "acme").expect("made");
    assert_eq!(access.0.uses.of_accounts.account_tokens().len(), 1);
}

#[tokio::test]
async fn an_account_token_ends_with_the_api_token_that_made_it_and_may_no_more() {
    let (access, clock) = access().await;
    for (level, may_change) in [(TokenLevel::Program, false), (TokenLevel::Full, true)] {
        let expires_at = Some(clock.now().plus_secs(60));
        let (_, short) = access.create_api_token(&CALLER, "short".into(), level, expires_at).await.expect("made");
        let (api, secret) = access.create_api_token(&CALLER, "maker".into(), level, None).await.expect("made");
        let made = |secret: &Secret| {
            let maker = access.authenticate(secret.expose()).expect("valid");
            access.create_account_token(&maker, ACCOUNT, "acme").expect("made")
        };
        let (of_short, token) = (made(&short), made(&secret));
        let caller = access.authenticate(token.expose()).expect("valid");
        assert_eq!(caller.may(Permission::ChangeOwnAccount), may_change);
        access.revoke_api_token(&CALLER, api.id).await.expect("revoked");
        assert_eq!((access.authenticate(token.expose()), access.is_still_valid(&caller)), (None, false));
        clock.advance_secs(60);
        assert_eq!(access.authenticate(of_short.expose()), None);
    }
}

#[tokio::test]
async fn a_token_that_is_limited_to_other_accounts_makes_none_for_this_one() {
    let (access, _) = access().await;
    let limits = TokenLimits { accounts: Some(vec![AccountId::from_uuid(Uuid::nil())]), ..TokenLimits::default() };
    let id = ApiTokenId::from_uuid(Uuid::nil());
    let caller = Caller::ApiToken { id, name: "narrow".into(), level: TokenLevel::Full, limits: limits.into() };
    assert_eq!(access.create_account_token(&caller, ACCOUNT, "acme").expect_err("refused").code(), "forbidden");
}

#[tokio::test]
async fn a_revoked_token_stays_revoked_while_another_is_being_made() {
    let (access, _) = access().await;
    for steps in 0..10 {
        let (doomed, secret) =
            access.create_api_token(&CALLER, "doomed".into(), TokenLevel::Program, None).await.expect("made");
        let mut making =
            std::pin::pin!(access.create_api_token(&CALLER, "beside it".into(), TokenLevel::Program, None));
        let mut made = Poll::Pending;
        for _ in 0..steps {
            if made.is_pending() {
                made = poll_fn(|context| Poll::Ready(making.as_mut().poll(context))).await;
            }
            // The store answers in turn: what the creation asked is answered now.
            access.0.uses.store.write(|_| Ok(())).await.expect("answered");
        }
        access.revoke_api_token(&CALLER, doomed.id).await.expect("revoked");
        let made = match made {
            Poll::Ready(made) => made,
            Poll::Pending => making.await,
        };
        assert_eq!(access.authenticate(secret.expose()), None, "after {steps} steps");
        let (token, secret) = made.expect("made");
        assert_eq!(id_of(access.authenticate(secret.expose()).as_ref()), Some(token.id));
    }
}

/// From now on a transaction that changes an API token fails when it is committed.
async fn refuse_commits(access: &Access) {
    let refused = "CREATE TABLE known (id INTEGER PRIMARY KEY);
         CREATE TABLE unknown (id INTEGER REFERENCES known (id) DEFERRABLE INITIALLY DEFERRED);
         CREATE TRIGGER made AFTER INSERT ON api_token BEGIN INSERT INTO unknown VALUES (1); END;
         CREATE TRIGGER revoked AFTER DELETE ON api_token BEGIN INSERT INTO unknown VALUES (1); END;";
    access.0.uses.store.write(|tx| Ok(tx.execute_batch(refused)?)).await.expect("set up");
}

#[tokio::test]
async fn a_token_whose_creation_or_revocation_is_not_committed_stays_as_it_was() {
    let (access, _) = access().await;
    let (token, secret) =
        access.create_api_token(&CALLER, "agent".into(), TokenLevel::Program, None).await.expect("made");
    refuse_commits(&access).await;
    access.create_api_token(&CALLER, "lost".into(), TokenLevel::Program, None).await.expect_err("not committed");
    assert_eq!(lock(&access.0.known).len(), 1, "nothing is known of a token that doesn't exist");
    access.revoke_api_token(&CALLER, token.id).await.expect_err("not committed");
    assert_eq!(id_of(access.authenticate(secret.expose()).as_ref()), Some(token.id), "it was not revoked");
}

#[tokio::test]
async fn the_token_of_the_run_belongs_to_the_person() {
    let (access, _) = access().await;
    let first = access.new_run_token(&Caller::Internal).expect("random");
    assert_eq!(access.authenticate(first.expose()), Some(Caller::Person));
    let second = access.new_run_token(&Caller::Internal).expect("random");
    assert_eq!(access.authenticate(first.expose()), None);
    assert_eq!(access.authenticate(second.expose()), Some(Caller::Person));
}

#[tokio::test]
async fn the_caller_of_a_token_has_its_name() {
    let (access, clock) = access().await;
    let (token, secret) = access
        .create_api_token(&CALLER, "my-agent".into(), TokenLevel::Full, Some(START.plus_secs(60)))
        .await
        .expect("made");
    let caller = access.authenticate(secret.expose()).expect("known");
    assert_eq!(caller, Caller::api_token(token.id, "my-agent", TokenLevel::Full));
    assert!(access.is_still_valid(&caller));
    clock.advance_secs(60);
    assert_eq!(access.authenticate(secret.expose()), None, "it has expired");
    assert!(!access.is_still_valid(&caller), "a request in flight learns of it too");
}

#[tokio::test]
async fn a_token_keeps_its_limits_and_is_limited_only_to_what_exists() {
    let (access, _) = access().await;
    let read_only = TokenLimits { read_only: true, ..TokenLimits::default() };
    let grant = Grant { level: TokenLevel::Full, limits: read_only.clone() };
    let (token, secret) = access.create_api_token(&CALLER, "reader".into(), grant, None).await.expect("made");
    assert_eq!(token.limits, read_only);
    let caller = access.authenticate(secret.expose()).expect("known");
    assert_eq!(caller.limits(), Some(&read_only));
    let store = access.0.uses.store.clone();
    let reopened = Access::open(Dependencies {
        store,
        clock: Clock::set_to(START),
        tasks: Tasks::new(),
        of_accounts: TokensOfAccounts::default(),
    })
    .await;
    let again = reopened.expect("opens").authenticate(secret.expose());
    assert_eq!(again.expect("known").limits(), Some(&read_only), "after a restart as well");
    let id = relink_domain::AccountId::from_uuid(Uuid::nil());
    for (limits, field) in [
        (TokenLimits { accounts: Some(vec![]), ..TokenLimits::default() }, "accounts"),
        (TokenLimits { accounts: Some(vec![id; 101]), ..TokenLimits::default() }, "accounts"),
        (TokenLimits { accounts: Some(vec![id]), ..TokenLimits::default() }, "accounts"),
        (TokenLimits { integrations: Some(vec!["acme".into()]), ..TokenLimits::default() }, "integrations"),
    ] {
        let grant = Grant { level: TokenLevel::Program, limits };
        let refused = access.create_api_token(&CALLER, "agent".into(), grant, None).await.expect_err("refused");
        assert!(matches!(&refused, Error::Invalid { field: Some(at), .. } if at == field), "{refused}");
    }
    assert_eq!(lock(&access.0.known).len(), 1, "a token that wasn't made isn't known");
}

#[tokio::test]
async fn a_tokens_last_use_is_recorded_once_a_minute() {
    let (access, clock) = access().await;
    let (token, secret) =
        access.create_api_token(&CALLER, "agent".into(), TokenLevel::Program, None).await.expect("made");
    let recorded = async |secs| {
        clock.advance_secs(secs);
        assert_eq!(id_of(access.authenticate(secret.expose()).as_ref()), Some(token.id));
        access.0.uses.tasks.settle().await;
        access.api_token(&CALLER, token.id).await.expect("there").last_used_at
    };
    assert_eq!(recorded(0).await, Some(START));
    assert_eq!(recorded(30).await, Some(START));
    assert_eq!(recorded(29).await, Some(START));
    assert_eq!(recorded(1).await, Some(START.plus_secs(60)));
}

/// An account with its definition, and the access that shares its store.
async fn with_account() -> (Access, Clock, relink_domain::account::Account, Arc<Definition>) {
    let it = crate::testing::Services::new();
    with_account_of(&it, &it.accounts()).await
}

async fn with_account_of(
    it: &crate::testing::Services,
    accounts: &crate::accounts::Accounts,
) -> (Access, Clock, relink_domain::account::Account, Arc<Definition>) {
    let installed = it.install_sandbox("http://127.0.0.1:7418").await;
    let credential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };
    let id = it.connect(accounts, &installed, credential).await;
    let account = accounts.load(id).await.expect("there");
    let of_accounts = it.of_accounts.clone();
    let uses = Dependencies { store: it.store.clone(), clock: it.clock.clone(), tasks: Tasks::new(), of_accounts };
    let definition = accounts.definition(&CALLER, id).await.expect("there").expect("usable");
    (Access::open(uses).await.expect("opens"), it.clock.clone(), account, definition)
}

fn server(name: &str, expires_at: Option<Timestamp>) -> NewMcpToken {
    NewMcpToken { name: name.to_owned(), config: McpConfig::default(), expires_at }
}

#[tokio::test]
async fn an_mcp_token_is_valid_until_it_expires_and_then_gone() {
    let (access, clock, account, definition) = with_account().await;
    for secs in [59, -1] {
        let new = server("too short", Some(clock.now().plus_secs(secs)));
        let refused = access.create_mcp_token(&CALLER, &account, &definition, new).await.expect_err("refused");
        assert_eq!(refused.code(), "expires_at_past");
    }
    let new = server("claude", Some(clock.now().plus_secs(60)));
    let (made, token) = access.create_mcp_token(&CALLER, &account, &definition, new).await.expect("made");
    let caller = access.authenticate_mcp(token.expose(), None).expect("valid");
    assert_eq!((caller.own_account(), caller.to_string().as_str()), (Some(account.id()), "MCP server claude"));
    assert!(access.is_still_valid(&caller));
    assert_eq!(access.authenticate(token.expose()), None, "it is no API token");
    clock.advance_secs(60);
    assert_eq!((access.authenticate_mcp(token.expose(), None), access.is_still_valid(&caller)), (None, false));
    assert_eq!(access.mcp_tokens(&CALLER, &account).await.expect("read"), []);
    access.mcp_token(&CALLER, &account, made.id).await.expect_err("gone");
}

#[tokio::test]
async fn an_mcp_token_outlives_a_restart_and_no_api_token_that_made_it() {
    let (access, clock, account, definition) = with_account().await;
    let expires_at = Some(clock.now().plus_secs(300));
    let (_, maker) =
        access.create_api_token(&CALLER, "maker".into(), TokenLevel::Program, expires_at).await.expect("made");
    let maker = access.authenticate(maker.expose()).expect("valid");
    let (_, of_maker) =
        access.create_mcp_token(&maker, &account, &definition, server("agent", None)).await.expect("made");
    let (_, of_person) =
        access.create_mcp_token(&CALLER, &account, &definition, server("claude", None)).await.expect("made");
    let uses = Dependencies {
        store: access.0.uses.store.clone(),
        clock: clock.clone(),
        tasks: Tasks::new(),
        of_accounts: TokensOfAccounts::default(),
    };
    let again = Access::open(uses).await.expect("opens");
    for access in [&access, &again] {
        assert!(access.authenticate_mcp(of_maker.expose(), None).is_some());
        assert!(access.authenticate_mcp(of_person.expose(), None).is_some());
    }
    clock.advance_secs(300);
    assert_eq!(again.authenticate_mcp(of_maker.expose(), None), None);
    assert!(again.authenticate_mcp(of_person.expose(), None).is_some());
}

#[tokio::test]
async fn the_tokens_of_an_account_end_when_it_is_deleted() {
    let it = crate::testing::Services::new();
    let accounts = it.accounts();
    let (access, _, account, definition) = with_account_of(&it, &accounts).await;
    let (_, server) =
        access.create_mcp_token(&CALLER, &account, &definition, server("claude", None)).await.expect("made");
    let own = access.create_account_token(&CALLER, account.id(), "sandbox").expect("made");
    let callers = [access.authenticate_mcp(server.expose(), None), access.authenticate(own.expose())];
    let callers = callers.map(|caller| caller.expect("valid"));
    accounts.delete(&CALLER, account.id()).await.expect("deleted");
    assert_eq!([access.authenticate_mcp(server.expose(), None), access.authenticate(own.expose())], [None, None]);
    assert!(!access.is_still_valid(&callers[0]), "a request in flight learns of it too");
}
