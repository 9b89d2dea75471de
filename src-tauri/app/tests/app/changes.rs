use std::{collections::BTreeSet, path::Path};

use relink_app::Changes;
use relink_contract::window::{Account, AccountChanges, Change};
use relink_domain::{AccountId, caller::TokenLevel, token_limits::TokenLimits};
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::world::{World, next};

/// The next change of accounts.
async fn next_accounts(changes: &mut Changes) -> AccountChanges {
    loop {
        if let Change::Accounts { changes } = next(changes).await {
            return changes.expect("the accounts that have changed");
        }
    }
}

/// Subscribes, and skips everything that happened before. API tokens come last of the changes that are published together.
async fn from_now_on(world: &World) -> Changes {
    let mut changes = world.app.changes();
    world
        .app
        .create_api_token("before".to_owned(), TokenLevel::Program, TokenLimits::default(), None)
        .await
        .expect("created");
    while next(&mut changes).await != Change::ApiTokens {}
    changes
}

/// Waits until the account is published in a state that `is_expected`.
async fn published(changes: &mut Changes, id: AccountId, is_expected: impl Fn(&Account) -> bool) {
    while !next_accounts(changes).await.changed.iter().any(|account| account.id == id && is_expected(account)) {}
}

#[tokio::test]
async fn only_the_kind_that_has_changed_is_published() {
    let world = World::new().await;
    let id = world.connect().await;
    let mut changes = from_now_on(&world).await;
    world.app.rename(id, "Renamed".to_owned()).await.expect("renamed");
    assert!(matches!(next(&mut changes).await, Change::Accounts { .. }));
    assert_eq!(next(&mut changes).await, Change::Timeline);
    world
        .app
        .create_api_token("agent".to_owned(), TokenLevel::Program, TokenLimits::default(), None)
        .await
        .expect("created");
    assert_eq!(next(&mut changes).await, Change::ApiTokens, "a rename changes no webhook and no integration");
}

#[tokio::test]
async fn an_account_is_published_with_its_new_state_and_when_it_is_removed() {
    let world = World::new().await;
    let id = world.connect().await;
    let mut changes = from_now_on(&world).await;
    world.app.rename(id, "Renamed".to_owned()).await.expect("renamed");
    published(&mut changes, id, |account| account.name == "Renamed").await;
    world.break_account(id).await;
    published(&mut changes, id, |account| account.problem.is_some()).await;
    world.app.remind_later(id).await.expect("accepted");
    published(&mut changes, id, |account| account.remind_at.is_some()).await;
    world.app.delete_account(id).await.expect("deleted");
    while next_accounts(&mut changes).await.removed != [id] {}
}

#[tokio::test]
async fn the_bytes_per_change_do_not_grow_with_the_number_of_accounts() {
    let world = World::new().await;
    let id = world.connect().await;
    let world = world.restarted_after(|folder| copy_account(folder, 4_999)).await;
    assert_eq!(world.app.accounts().await.expect("a list").len(), 5_000);

    let mut changes = from_now_on(&world).await;
    world.app.rename(id, "Renamed".to_owned()).await.expect("renamed");
    let mut bytes = 0;
    loop {
        let change = next(&mut changes).await;
        bytes += serde_json::to_string(&change).expect("JSON").len();
        match change {
            Change::Accounts { changes } => assert_eq!(changes.expect("one account").changed.len(), 1),
            Change::Timeline => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(bytes < 4096, "{bytes} bytes for one change");
}

#[tokio::test]
async fn a_burst_of_changes_is_published_in_bounded_messages_and_nothing_else() {
    let world = World::new().await;
    world.connect().await;
    let world = world.restarted_after(|folder| copy_account(folder, 299)).await;
    let mut waiting: BTreeSet<_> =
        world.app.accounts().await.expect("a list").into_iter().map(|account| account.id).collect();
    assert_eq!(waiting.len(), 300);

    let mut changes = from_now_on(&world).await;
    let mut renaming = JoinSet::new();
    for &id in &waiting {
        let app = world.app.clone();
        renaming.spawn(async move { app.rename(id, "Renamed".to_owned()).await });
    }
    while let Some(renamed) = renaming.join_next().await {
        renamed.expect("it ends").expect("renamed");
    }
    while !waiting.is_empty() {
        let published = next_accounts(&mut changes).await;
        let bytes = serde_json::to_string(&published).expect("JSON").len();
        assert!(bytes < 32 * 1024, "{bytes} bytes in one message");
        for account in published.changed.iter().filter(|account| account.name == "Renamed") {
            waiting.remove(&account.id);
        }
    }
}

#[tokio::test]
async fn a_slow_subscriber_learns_that_everything_has_changed() {
    let world = World::new().await;
    let mut changes = world.app.changes();
    for number in 0..200 {
        world.app.update_desktop_status(|status| status.notifications_trouble = Some(number.to_string()));
    }
    let mut received = Vec::new();
    for _ in Change::everything() {
        received.push(next(&mut changes).await);
    }
    assert!(Change::everything().iter().all(|change| received.contains(change)), "{received:?}");
}

/// Copies the only account in the stored data.
fn copy_account(folder: &Path, copies: u32) {
    let connection = Connection::open(folder.join("relink.db")).expect("the database");
    let id = "printf('018f0000-0000-7000-8000-%012x', rowid)";
    let sql = format!(
        "CREATE TEMP TABLE copy AS
             WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < {copies})
             SELECT integrated_account.* FROM integrated_account, number;
         UPDATE copy SET document = replace(document, id, {id}), id = {id};
         INSERT INTO integrated_account SELECT * FROM copy;"
    );
    connection.execute_batch(&sql).expect("the account is copied");
}
