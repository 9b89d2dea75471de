use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use relink_domain::{
    account::{FixedKind, Granted, Input, NewCredential, Status, TimelineEvent, Transition},
    failure::{Cause, Failure},
    origins::Origins,
};
use rusqlite::{
    Connection,
    trace::{TraceEvent, TraceEventCodes},
};
use serde_json::{Map, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    store::{self, Store, accounts::Change},
    testing::{NOWHERE, PERSON, START as NOW, Services, install, profile},
};

const MANY: usize = 2000;

/// A database with 2,000 accounts of three integrations, two of them in need of their person.
struct Full {
    connection: Connection,
    ids: Vec<AccountId>,
    _folder: TempDir,
}

impl Full {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        drop(Store::open(folder.path()).expect("opens"));
        let mut connection = Connection::open(folder.path().join(Store::FILE)).expect("opens");
        let tx = connection.transaction().expect("begins");
        let installed: Vec<_> = ["github", "google", "slack"].map(|name| installed(&tx, name)).into();
        let ids: Vec<_> = (0..MANY).map(|n| account(&tx, &installed[n % 3], n)).collect();
        tx.commit().expect("committed");
        Self { connection, ids, _folder: folder }
    }

    /// What a read gives, and the statements and rows that it took.
    fn costs<T>(&mut self, read: impl FnOnce(&Connection) -> store::Result<T>) -> (T, usize, usize) {
        let (statements, rows) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (counts_statements, counts_rows) = (Arc::clone(&statements), Arc::clone(&rows));
        let count = move |event: TraceEvent<'_>| match event {
            TraceEvent::Stmt(..) => drop(counts_statements.fetch_add(1, Ordering::Relaxed)),
            TraceEvent::Row(..) => drop(counts_rows.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        };
        let events = TraceEventCodes::SQLITE_TRACE_STMT | TraceEventCodes::SQLITE_TRACE_ROW;
        self.connection.trace_v2(events, Some(count)).expect("traced");
        let value = read(&self.connection).expect("read");
        (value, statements.load(Ordering::Relaxed), rows.load(Ordering::Relaxed))
    }
}

fn installed(tx: &rusqlite::Transaction<'_>, name: &str) -> Installed {
    install(tx, json!({ "name": name, "config": { "label": name.to_uppercase() } })).expect("installed")
}

fn account(tx: &rusqlite::Transaction<'_>, of: &Installed, number: usize) -> AccountId {
    let id = AccountId::from_uuid(Uuid::now_v7());
    let profile = profile(of, id, format!("Account {number}"));
    let credential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };
    let granted = Granted {
        credential,
        identity: None,
        scopes: Vec::new(),
        requested_scopes: Vec::new(),
        context: Map::new(),
        object_store_context_fields: Vec::new(),
        origins: Origins::default(),
    };
    let made = Account::connect(profile, &granted, NOW);
    let mut last = made.account.apply(Input::StepsPassed, NOW, Jitter::NONE).expect("it works");
    if number < 2 {
        let gone = Input::CredentialGone { failure: Failure::new(Cause::CredentialMissing) };
        last = last.account.apply(gone, NOW, Jitter::NONE).expect("it fails");
    }
    let last = Transition { events: Vec::new(), ..last };
    let change = Change::of(&last, &PERSON, None::<&()>, NOW, Jitter::NONE).expect("serialized");
    accounts::commit(tx, &change).expect("stored");
    id
}

#[test]
fn two_thousand_accounts_are_listed_by_one_statement() {
    let mut full = Full::new();
    let (listed, statements, _) =
        full.costs(|c| accounts::list(c, &Filter::default(), AccountOrder::OLDEST_FIRST, None, None));
    assert_eq!((listed.len(), statements), (MANY, 1));
}

#[test]
fn failing_accounts_are_found_without_reading_the_others() {
    let mut full = Full::new();
    let failing = Filter { statuses: vec![Status::NeedsReauth.as_str().to_owned()], ..Filter::default() };
    let (found, statements, rows) = full.costs(|c| accounts::list(c, &failing, AccountOrder::OLDEST_FIRST, None, None));
    assert_eq!(found.len(), 2);
    assert!(statements <= 3 && rows <= 10, "{statements} statements, {rows} rows");
    let (counts, statements, rows) = full.costs(accounts::counts);
    assert_eq!(counts.into_values().sum::<u32>(), 2000);
    assert_eq!((statements, rows), (1, 3));
    let (counts, statements, rows) = full.costs(accounts::status_counts);
    assert_eq!((counts["active"], counts["needs_reauth"]), (1998, 2));
    assert_eq!((statements, rows), (1, 2));
}

#[test]
fn accounts_are_counted_by_status_through_every_change() {
    let mut full = Full::new();
    let (first, last) = (full.ids[0], full.ids[1999]);
    let tx = full.connection.transaction().expect("begins");
    let set_status = |id: AccountId, status: &str| {
        tx.execute("UPDATE integrated_account SET status = ?2 WHERE id = ?1", [id.to_string().as_str(), status])
            .expect("changed");
    };
    set_status(last, "post_install_error");
    set_status(last, "post_install_error");
    accounts::delete(&tx, first).expect("deleted");
    accounts::delete(&tx, first).expect("gone already");
    let counts = accounts::status_counts(&tx).expect("read");
    let expected = [("active", 1997), ("needs_reauth", 1), ("post_install_error", 1)];
    assert_eq!(counts, expected.map(|(status, accounts)| (status.to_owned(), accounts)).into());
}

#[test]
fn a_page_of_a_timeline_names_its_accounts_and_no_others() {
    let mut full = Full::new();
    let ids: Vec<_> = full.ids.iter().take(50).copied().collect();
    let read_names = |c: &Connection| ids.iter().map(|id| accounts::name_of(c, *id)).collect::<store::Result<Vec<_>>>();
    let (named, statements, rows) = full.costs(read_names);
    assert_eq!(named[1].as_ref().map(|(name, _)| name.as_str()), Some("Account 1"));
    assert!(named.len() == 50 && statements <= 53 && rows <= 53, "{statements} statements, {rows} rows");
}

#[test]
fn a_deleted_account_is_named_by_its_timeline() {
    let mut full = Full::new();
    let (gone, tx) = (full.ids[0], full.connection.transaction().expect("begins"));
    accounts::delete(&tx, gone).expect("deleted");
    let event = TimelineEvent::Deleted {
        name: "What it was called".to_owned(),
        revoked: None,
        is_pending: false,
        with_integration: false,
        provider: None,
    };
    let entry = timeline::NewEntry::of(Some(gone), NOW, &event, None).expect("serialized");
    timeline::add(&tx, &entry).expect("added");
    tx.commit().expect("committed");
    assert_eq!(accounts::name_of(&full.connection, gone).expect("read"), None);
    let name = timeline::name_of_deleted(&full.connection, gone).expect("read");
    assert_eq!(name.as_deref(), Some("What it was called"));
}

#[test]
fn pages_of_a_timeline_end_at_its_beginning_and_problems_are_searched_within_a_limit() {
    let mut full = Full::new();
    let tx = full.connection.transaction().expect("begins");
    tx.execute("DELETE FROM timeline", []).expect("emptied");
    for at in 0..100 {
        let event = if at == 10 { TimelineEvent::Forbidden { failure: None } } else { TimelineEvent::Checked };
        let entry = timeline::NewEntry::of(None, NOW, &event, None).expect("serialized");
        timeline::add(&tx, &entry).expect("added");
    }
    tx.commit().expect("committed");
    let page =
        |before, problems, limit| timeline::page(&full.connection, None, before, problems, (50, limit)).expect("read");
    let first = page(None, false, 2000);
    let second = page(first.next, false, 2000);
    assert_eq!((first.entries.len(), second.entries.len(), second.next), (50, 50, None));

    let near = page(None, true, 40);
    assert!(near.entries.is_empty() && near.next.is_some(), "nothing among the latest 40, and there is more");
    let far = page(near.next, true, 2000);
    assert_eq!((far.entries.len(), far.next), (1, None));
}

#[tokio::test]
async fn accounts_of_one_integration_share_it() {
    let it = Services::new();
    let installed = it.install_sandbox(NOWHERE).await;
    let add = move |tx: &rusqlite::Transaction<'_>| {
        for number in 0..2 {
            account(tx, &installed, number);
        }
        Ok(())
    };
    it.store.write(add).await.expect("stored");
    let listed = it.accounts().list(&PERSON, Filter::default()).await.expect("listed");
    assert_eq!(listed.len(), 2);
    assert!(Arc::ptr_eq(&listed[0].installed, &listed[1].installed));
}
