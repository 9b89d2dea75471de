use std::{
    collections::BTreeSet,
    sync::{
        Mutex,
        mpsc::{Sender, channel},
    },
};

use futures_util::future::join_all;
use relink_domain::AccountId;
use uuid::Uuid;

use super::*;
use crate::store::{Store, settings};

type WriteFn = Box<dyn FnOnce(&Transaction<'_>) -> Result<()> + Send>;

/// A store in a folder, and a second connection that sees only what is committed.
struct Given {
    store: Store,
    folder: tempfile::TempDir,
}

impl Given {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        Self { store: Store::open(folder.path()).expect("opens").store, folder }
    }

    fn committed(&self) -> impl Fn(&str) -> Option<i32> + Send + use<> {
        let connection = Connection::open(self.folder.path().join(Store::FILE)).expect("opens");
        move |name| settings::get(&connection, name).expect("read")
    }

    /// The writer waits until the sender is used or dropped, so that later jobs wait together.
    fn hold_writer(&self) -> Sender<()> {
        let (release, released) = channel();
        let store = self.store.clone();
        tokio::spawn(async move {
            let hold = store.writer.alone(move |_| {
                let _ = released.recv();
                Ok(())
            });
            hold.await.expect("held");
        });
        release
    }

    /// What becomes of writes that wait together, in this order.
    async fn write_together(&self, writes: Vec<WriteFn>) -> Vec<Result<()>> {
        let release = self.hold_writer();
        // The hold is sent first: tasks of this runtime run one at a time, in the order in which they are started.
        tokio::task::yield_now().await;
        let waiting: Vec<_> = writes
            .into_iter()
            .map(|write| {
                let store = self.store.clone();
                tokio::spawn(async move { store.write(write).await })
            })
            .collect();
        tokio::task::yield_now().await;
        release.send(()).expect("the writer waits");
        join_all(waiting).await.into_iter().map(|joined| joined.expect("joined")).collect()
    }
}

fn set(name: &'static str) -> WriteFn {
    Box::new(move |tx| settings::set(tx, name, &1))
}

fn sql(statements: &'static str) -> WriteFn {
    Box::new(move |tx| Ok(tx.execute_batch(statements)?))
}

#[tokio::test]
async fn writes_that_wait_together_share_a_commit() {
    let it = Given::new();
    let (report, reported) = channel();
    let committed = it.committed();
    let look: WriteFn = Box::new(move |tx| {
        report.send((settings::get::<i32>(tx, "first")?, committed("first"))).expect("the test waits");
        Ok(())
    });
    let outcomes = it.write_together(vec![set("first"), look]).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert_eq!(reported.recv(), Ok((Some(1), None)), "the second write sees the first, which isn't committed yet");
    assert_eq!(it.committed()("first"), Some(1));
}

#[tokio::test]
async fn a_write_that_fails_undoes_only_itself() {
    let it = Given::new();
    let mut changes = it.store.changes();
    let lost = AccountId::from_uuid(Uuid::now_v7());
    let fail: WriteFn = Box::new(move |tx| {
        settings::set(tx, "failed", &1)?;
        tx.query_row("SELECT account_changed(?1)", [lost.to_string()], |_| Ok(()))?;
        Err(StoreError::Stopping)
    });
    let outcomes = it.write_together(vec![set("before"), fail, set("after")]).await;
    assert!(matches!(outcomes[..], [Ok(()), Err(StoreError::Stopping), Ok(())]), "{outcomes:?}");
    let committed = it.committed();
    assert_eq!(["before", "failed", "after"].map(committed), [Some(1), None, Some(1)]);
    assert_eq!(changes.take(), None, "what was undone is not announced");
}

#[tokio::test]
async fn if_the_commit_fails_every_write_has_failed() {
    let it = Given::new();
    let violate = sql("PRAGMA defer_foreign_keys = ON;
         INSERT INTO delivery (id, webhook_id, outbox_seq, subject, state, tries, next_try, updated_at, eligible)
         VALUES ('an-id', 'no-webhook', 1, '', 'pending', 0, 0, 0, 0)");
    let outcomes = it.write_together(vec![set("before"), violate, set("after")]).await;
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Err(StoreError::Sqlite(_)))), "{outcomes:?}");
    assert_eq!(["before", "after"].map(it.committed()), [None, None]);
    it.store.write(set("later")).await.expect("the writer goes on");
}

#[tokio::test]
async fn if_the_database_undoes_the_transaction_every_write_has_failed() {
    let it = Given::new();
    let undo = sql(
        "INSERT INTO setting (name, value) VALUES ('twice', '1'); INSERT OR ROLLBACK INTO setting (name, value) VALUES ('twice', '2')",
    );
    let outcomes = it.write_together(vec![set("before"), undo, set("after")]).await;
    for outcome in outcomes {
        let error = outcome.expect_err("failed");
        assert!(format!("{error:?}").contains("UNIQUE constraint failed"), "everybody learns why: {error:?}");
    }
    assert_eq!(["before", "twice", "after"].map(it.committed()), [None, None, None]);
    it.store.write(set("later")).await.expect("the writer goes on");
}

#[tokio::test]
async fn what_follows_in_memory_happens_after_the_commit_and_in_the_order_of_the_writes() {
    let it = Given::new();
    let happened = Arc::new(Mutex::new(Vec::new()));
    let release = it.hold_writer();
    tokio::task::yield_now().await;
    let writes: Vec<_> = ["a", "b", "c"]
        .map(|name| {
            let (store, happened, committed) = (it.store.clone(), Arc::clone(&happened), it.committed());
            let then = move |(): &()| happened.lock().expect("unpoisoned").push((name, committed("c")));
            tokio::spawn(async move { store.write_then(set(name), then).await })
        })
        .into();
    tokio::task::yield_now().await;
    release.send(()).expect("the writer waits");
    for write in writes {
        write.await.expect("joined").expect("written");
    }
    assert_eq!(*happened.lock().expect("unpoisoned"), [("a", Some(1)), ("b", Some(1)), ("c", Some(1))]);
}

#[tokio::test]
async fn a_write_that_nobody_waits_for_any_more_happens() {
    let it = Given::new();
    let (release, store) = (it.hold_writer(), it.store.clone());
    tokio::task::yield_now().await;
    let write = tokio::spawn(async move { store.write(set("cancelled")).await });
    tokio::task::yield_now().await;
    write.abort();
    release.send(()).expect("the writer waits");
    it.store.write(set("later")).await.expect("written");
    assert_eq!(it.committed()("cancelled"), Some(1));
}

#[tokio::test]
async fn more_writes_than_a_transaction_takes_are_all_written() {
    let it = Given::new();
    let names: BTreeSet<String> = (0..3 * MAX_GROUP).map(|number| format!("number {number}")).collect();
    let writes = names.iter().cloned().map(|name| -> WriteFn { Box::new(move |tx| settings::set(tx, &name, &1)) });
    let outcomes = it.write_together(writes.collect()).await;
    assert!(outcomes.iter().all(Result::is_ok), "{outcomes:?}");
    assert!(names.iter().all(|name| it.committed()(name) == Some(1)));
}
