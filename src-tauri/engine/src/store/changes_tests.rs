use relink_domain::{Timestamp, account::TimelineEvent};
use rusqlite::{Transaction, params};
use uuid::Uuid;

use super::*;
use crate::store::{Store, StoreError, settings, timeline};

fn account(number: usize) -> AccountId {
    AccountId::from_uuid(Uuid::from_u128(number as u128))
}

fn ids(numbers: impl IntoIterator<Item = usize>) -> ChangedAccounts {
    ChangedAccounts::Ids(numbers.into_iter().map(account).collect())
}

/// What a write changed.
async fn changed_by(store: &Store, write: impl FnOnce(&Transaction<'_>) -> Result<()> + Send + 'static) -> ChangeSet {
    let mut changes = store.changes();
    // Some are meant to fail.
    let _ = store.write(write).await;
    changes.take().unwrap_or_default()
}

fn run(sql: &'static str) -> impl FnOnce(&Transaction<'_>) -> Result<()> + Send + 'static {
    move |tx| Ok(tx.execute_batch(sql)?)
}

fn add_timeline_event(tx: &Transaction<'_>) -> Result<()> {
    let entry = timeline::NewEntry::of(None, Timestamp::from_millis(0), &TimelineEvent::Checked, None)?;
    timeline::add(tx, &entry)
}

const INSTALL: &str = "INSERT INTO integration (id, name, built_in, version, document, created_at, updated_at)
       VALUES ('i', 'acme', 0, 1, '{}', 0, 0);
     INSERT INTO environment_integration VALUES ('e', 'i', 1, 1, '{}', 0, 0, '{}', 0)";

fn upsert_account(tx: &Transaction<'_>, id: AccountId) -> Result<()> {
    tx.execute(
        "INSERT INTO integrated_account VALUES (?1, 'e', 't', '{}', 'active', NULL, 0, 0, NULL, 0, 0, NULL)
         ON CONFLICT (id) DO UPDATE SET status = 'needs_reauth'",
        [id.to_string()],
    )?;
    Ok(())
}

#[tokio::test]
async fn a_change_set_names_what_a_write_changed_and_nothing_else() {
    let store = Store::in_memory().expect("opens");
    let nothing = ChangeSet::default;
    assert_eq!(changed_by(&store, add_timeline_event).await, ChangeSet { timeline: true, ..nothing() });
    assert_eq!(changed_by(&store, run(INSTALL)).await, ChangeSet { integrations: true, ..nothing() });
    // An integration is shown with its number of accounts, which an update does not change.
    assert_eq!(
        changed_by(&store, |tx| upsert_account(tx, account(1))).await,
        ChangeSet { accounts: ids([1]), integrations: true, ..nothing() }
    );
    assert_eq!(
        changed_by(&store, |tx| upsert_account(tx, account(1))).await,
        ChangeSet { accounts: ids([1]), ..nothing() }
    );
    let relabel = run("UPDATE integration SET document = '{\"config\":{}}'");
    assert_eq!(
        changed_by(&store, relabel).await,
        ChangeSet { accounts: ChangedAccounts::All, integrations: true, ..nothing() }
    );
    assert_eq!(
        changed_by(&store, run("DELETE FROM integrated_account")).await,
        ChangeSet { accounts: ids([1]), integrations: true, ..nothing() }
    );
    let webhook =
        run("INSERT INTO webhook VALUES ('w', 'https://example.com', 1, NULL, 0, NULL, 0, 0, NULL, 'base64', NULL)");
    assert_eq!(changed_by(&store, webhook).await, ChangeSet { webhooks: true, ..nothing() });
    let token = |tx: &Transaction<'_>| {
        tx.execute(
            "INSERT INTO api_token VALUES ('t', 'agent', ?1, 0, NULL, NULL, 'full', '{}')",
            params![[0_u8; 32]],
        )?;
        Ok(())
    };
    assert_eq!(changed_by(&store, token).await, ChangeSet { api_tokens: true, ..nothing() });
    for sql in [
        "INSERT INTO unified_model VALUES ('m', 'crm', 0, 1, '{}', 0, 0)",
        "UPDATE unified_model SET version = 2",
        "INSERT INTO environment_unified_model VALUES ('e', 'm', '{}', 0, 0)",
        "INSERT INTO unified_mapping VALUES ('x', 'm', 'acme', 'contacts', 'list', '{}', 1, 0, 0)",
        "INSERT INTO environment_unified_mapping VALUES ('y', 'e', 'acme', 'contacts', 'list', '{}', 1, 0, 0)",
        "UPDATE environment_unified_mapping SET version = 2",
        "DELETE FROM unified_model",
    ] {
        assert_eq!(changed_by(&store, run(sql)).await, ChangeSet { unified_models: true, ..nothing() }, "{sql}");
    }
    upsert_for_calls(&store).await;
    let called =
        run("INSERT INTO call_usage VALUES ('00000000-0000-0000-0000-000000000001', 1, '', 'you', 1, 0, '[]', 0)");
    assert_eq!(changed_by(&store, called).await, ChangeSet { calls: true, ..nothing() });
    let called = run("UPDATE call_usage SET calls = 2");
    assert_eq!(changed_by(&store, called).await, ChangeSet { calls: true, ..nothing() });
    let job = run("INSERT INTO sync_job VALUES ('00000000-0000-0000-0000-000000000001', '{}', 0, 0)");
    assert_eq!(changed_by(&store, job).await, ChangeSet { sync_jobs: true, ..nothing() });
    let datastore = run("INSERT INTO datastore VALUES ('00000000-0000-0000-0000-000000000001', '{}', 0, 0)");
    assert_eq!(changed_by(&store, datastore).await, ChangeSet { sync_jobs: true, ..nothing() });
    assert_eq!(changed_by(&store, |tx| settings::set(tx, "surface.shown", &1)).await, nothing());
}

/// The account of the calls was deleted before.
async fn upsert_for_calls(store: &Store) {
    store.write(|tx| upsert_account(tx, account(1))).await.expect("written");
}

#[tokio::test]
async fn a_rolled_back_write_changes_nothing() {
    let store = Store::in_memory().expect("opens");
    let failed = changed_by(&store, |tx| {
        add_timeline_event(tx)?;
        Err(StoreError::Stopping)
    });
    assert_eq!(failed.await, ChangeSet::default());
    assert_eq!(changed_by(&store, |tx| settings::set(tx, "surface.shown", &1)).await, ChangeSet::default());
}

#[tokio::test]
async fn a_slow_subscriber_gets_the_changes_of_several_writes_at_once() {
    let store = Store::in_memory().expect("opens");
    store.write(run(INSTALL)).await.expect("installed");
    let mut changes = store.changes();
    for number in [1, 2] {
        store.write(move |tx| upsert_account(tx, account(number))).await.expect("written");
    }
    store.write(add_timeline_event).await.expect("written");
    let all = changes.next().await.expect("the store is open");
    assert_eq!((all.accounts, all.timeline, all.webhooks), (ids([1, 2]), true, false));
    assert_eq!(changes.take(), None, "each change is taken once");
}

#[tokio::test]
async fn more_accounts_than_a_set_holds_become_all_accounts() {
    let store = Store::in_memory().expect("opens");
    store.write(run(INSTALL)).await.expect("installed");
    let upsert = |numbers: std::ops::Range<usize>| {
        move |tx: &Transaction<'_>| numbers.into_iter().try_for_each(|number| upsert_account(tx, account(number)))
    };
    assert_eq!(changed_by(&store, upsert(0..MAX_CHANGED_ACCOUNTS)).await.accounts, ids(0..MAX_CHANGED_ACCOUNTS));
    assert_eq!(changed_by(&store, upsert(0..MAX_CHANGED_ACCOUNTS + 1)).await.accounts, ChangedAccounts::All);

    let mut changes = store.changes();
    store.write(upsert(0..MAX_CHANGED_ACCOUNTS)).await.expect("written");
    store.write(upsert(1..MAX_CHANGED_ACCOUNTS + 1)).await.expect("written");
    assert_eq!(changes.take().map(|changes| changes.accounts), Some(ChangedAccounts::All));
}

#[tokio::test]
async fn a_subscriber_that_waits_is_woken_by_a_change_and_by_the_end_of_the_store() {
    let store = Store::in_memory().expect("opens");
    let mut changes = store.changes();
    let waiting = tokio::spawn(async move { (changes.next().await, changes.next().await) });
    store.write(add_timeline_event).await.expect("written");
    drop(store);
    let (first, second) = waiting.await.expect("it ends");
    assert_eq!((first, second), (Some(ChangeSet { timeline: true, ..ChangeSet::default() }), None));
}
