use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use relink_domain::{
    IntegrationId,
    account::{FixedKind, Granted, Input, NewCredential, Status, TimelineEvent, Transition},
    failure::{Cause, Failure},
};
use rusqlite::trace::{TraceEvent, TraceEventCodes};
use serde_json::{Map, json};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::{
    store::{Store, integrations::Integration},
    testing::{START as NOW, profile},
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
    let document = json!({ "name": name, "config": { "label": name.to_uppercase() } });
    let integration = Integration {
        id: IntegrationId::from_uuid(Uuid::now_v7()),
        name: name.to_owned(),
        built_in: true,
        version: 1,
        document,
        created_at: NOW,
        updated_at: NOW,
    };
    integrations::put(tx, &integration).expect("put");
    let installed = Installed {
        id: EnvironmentIntegrationId::from_uuid(Uuid::now_v7()),
        integration,
        is_enabled: true,
        show_in_catalog: true,
        r#override: Map::new(),
        created_at: NOW,
        updated_at: NOW,
    };
    integrations::install(tx, &installed).expect("installed");
    installed
}

fn account(tx: &rusqlite::Transaction<'_>, of: &Installed, number: usize) -> AccountId {
    let id = AccountId::from_uuid(Uuid::now_v7());
    let profile = profile(of, id, format!("Account {number}"));
    let credential = NewCredential::Fixed { kind: FixedKind::ApiKey, expires_at: None };
    let granted = Granted { credential, identity: None, scopes: Vec::new(), context: Map::new() };
    let made = Account::connect(profile, &granted, NOW);
    let mut last = made.account.apply(Input::StepsPassed, NOW, Jitter::NONE).expect("it works");
    if number < 2 {
        let gone = Input::CredentialGone { failure: Failure::new(Cause::CredentialMissing) };
        last = last.account.apply(gone, NOW, Jitter::NONE).expect("it fails");
    }
    accounts::commit(tx, &Transition { events: Vec::new(), ..last }, NOW, Jitter::NONE).expect("kept");
    id
}

#[test]
fn two_thousand_accounts_are_listed_with_each_integration_read_once() {
    let mut full = Full::new();
    let (shown, statements, _) = full.costs(|c| views(c, accounts::list(c, &Filter::default(), None, None)?));
    assert_eq!((shown.len(), statements), (MANY, 1 + 3));
    assert!(Arc::ptr_eq(&shown[0].installed, &shown[3].installed), "accounts of one integration share it");
}

#[test]
fn whoever_is_in_trouble_is_found_without_reading_the_others() {
    let mut full = Full::new();
    let failing = Filter { statuses: vec![Status::NeedsReauth.as_str().to_owned()], ..Filter::default() };
    let (shown, statements, rows) = full.costs(|c| views(c, accounts::list(c, &failing, None, None)?));
    assert_eq!(shown.len(), 2);
    assert!(statements <= 3 && rows <= 10, "{statements} statements, {rows} rows");
    let (counts, statements, rows) = full.costs(accounts::counts);
    assert_eq!(counts.into_values().sum::<u32>(), 2000);
    assert_eq!((statements, rows), (1, 3));
}

#[test]
fn a_page_of_a_timeline_names_its_accounts_and_no_others() {
    let mut full = Full::new();
    let asked: HashSet<_> = full.ids.iter().take(50).copied().collect();
    let (named, statements, rows) = full.costs(|c| names(c, asked));
    assert_eq!(named[&full.ids[1]], Named { name: "Account 1".to_owned(), label: Some("GOOGLE".to_owned()) });
    assert!(named.len() == 50 && statements <= 53 && rows <= 53, "{statements} statements, {rows} rows");
}

#[test]
fn an_account_that_is_gone_is_named_by_its_timeline() {
    let mut full = Full::new();
    let (gone, tx) = (full.ids[0], full.connection.transaction().expect("begins"));
    accounts::delete(&tx, gone).expect("deleted");
    let timeline_event = TimelineEvent::Deleted { name: "What it was called".to_owned(), revoked: None };
    timeline::add(&tx, Some(gone), NOW, &timeline_event).expect("told");
    tx.commit().expect("committed");
    let named = names(&full.connection, HashSet::from([gone])).expect("read");
    assert_eq!(named[&gone], Named { name: "What it was called".to_owned(), label: None });
}

#[test]
fn pages_of_a_timeline_end_where_it_begins_and_what_went_wrong_is_looked_for_so_far() {
    let mut full = Full::new();
    let tx = full.connection.transaction().expect("begins");
    tx.execute("DELETE FROM timeline", []).expect("emptied");
    for at in 0..100 {
        let timeline_event = if at == 10 { TimelineEvent::Forbidden } else { TimelineEvent::Checked };
        timeline::add(&tx, None, NOW, &timeline_event).expect("told");
    }
    tx.commit().expect("committed");
    let page = |before, wrong, far| timeline::page(&full.connection, None, before, wrong, (50, far)).expect("read");
    let first = page(None, false, 2000);
    let second = page(first.next, false, 2000);
    assert_eq!((first.entries.len(), second.entries.len(), second.next), (50, 50, None));

    let near = page(None, true, 40);
    assert!(near.entries.is_empty() && near.next.is_some(), "nothing among the latest 40, and there is more");
    let far = page(near.next, true, 2000);
    assert_eq!((far.entries.len(), far.next), (1, None));
}
