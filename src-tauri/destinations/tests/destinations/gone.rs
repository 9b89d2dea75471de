//! Rows whose records are gone at the provider.

use relink_destinations::Origin;
use relink_domain::{
    Timestamp,
    sync::{Condition, DeleteMode, DeleteTracking, Form, Graph, NodeKind},
};
use relink_sync::{DeliveryError, Missing};
use serde_json::{Value, json};

use crate::world::{Batch, World, batch, deliver_from, run};

fn at(minute: u128) -> Timestamp {
    format!("2026-11-29T10:{minute:02}:00Z").parse().expect("a time")
}

/// Of a run that began a minute before.
fn origin(run_number: u128, request: &str, account: &str) -> Origin {
    let (job, request, account) = ("job".to_owned(), request.to_owned(), account.to_owned());
    Origin { job, run: run(run_number), account, request, at: at(run_number * 10 + 1) }
}

fn config() -> Value {
    json!({"path": "x.sqlite", "format": "sqlite", "key": "id"})
}

async fn write(world: &World, origin: Origin, number: u128, records: &[&str]) {
    let batch = Batch { run: number, ..batch(1, &config(), records) };
    deliver_from(&world.files, batch, Some(origin)).await.expect("delivers");
}

async fn delete(world: &World, origin: Origin, mode: DeleteMode, lists: &[Vec<Condition<Value>>]) -> u64 {
    let since = at(u128::from_str_radix(&origin.run.to_string().replace('-', ""), 16).expect("a number") * 10);
    let (account, request, config) = (origin.account.clone(), origin.request.clone(), config());
    let missing =
        Missing { request: &request, resource: "crm/contacts", config: &config, account: &account, mode, lists };
    world.files.delete_missing(&missing, origin, since).await.expect("deletes")
}

/// Rows as `id deleted`.
fn rows(world: &World, sql: &str) -> Vec<String> {
    let database = rusqlite::Connection::open(world.path("x.sqlite")).expect("opens");
    let mut statement = database.prepare(sql).expect("prepares");
    let rows = statement.query_map([], |row| row.get(0)).expect("queries");
    rows.map(|row| row.expect("reads")).collect()
}

fn ids(world: &World) -> Vec<String> {
    rows(world, "SELECT id FROM crm_contacts ORDER BY id")
}

fn marked(world: &World) -> Vec<String> {
    rows(
        world,
        "SELECT id || ' ' || relink_deleted_at FROM crm_contacts WHERE relink_deleted_at IS NOT NULL ORDER BY id",
    )
}

const NONE: [String; 0] = [];

#[tokio::test]
async fn a_row_says_whose_record_it_is_and_is_marked_or_removed_when_it_is_gone() {
    // Given
    let world = World::new();
    let first = || origin(1, "people", "ann");
    let odd = r#"{"id": "b", "relink_deleted_at": "x", "truto_synced_at": 7}"#;
    write(&world, first(), 1, &[r#"{"id": "a", "name": "Ada"}"#, odd, r#"{"id": "c"}"#]).await;
    let columns =
        "truto_sync_job_id || ' ' || truto_integrated_account_id || ' ' || truto_synced_at || ' ' || relink_request";
    let shown = rows(&world, &format!("SELECT {columns} || (truto_sync_job_run_id = '{}') FROM crm_contacts", run(1)));
    assert_eq!(shown, vec!["job ann 2026-11-29T10:11:00.000Z people1"; 3]);
    assert_eq!(delete(&world, first(), DeleteMode::Soft, &[vec![]]).await, 0, "all of them were there");
    assert_eq!(marked(&world), NONE);

    // When
    write(&world, origin(2, "people", "ann"), 2, &[r#"{"id": "a", "name": "Ada"}"#]).await;
    assert_eq!(delete(&world, origin(2, "people", "ann"), DeleteMode::Soft, &[vec![]]).await, 2);

    // Then
    let gone = ["b 2026-11-29T10:21:00.000Z", "c 2026-11-29T10:21:00.000Z"];
    assert_eq!(marked(&world), gone);
    assert_eq!(delete(&world, origin(2, "people", "ann"), DeleteMode::Soft, &[vec![]]).await, 0, "it came again");
    // One is there again, and the others are removed by a job that says so.
    write(&world, origin(3, "people", "ann"), 3, &[r#"{"id": "b"}"#]).await;
    assert_eq!(marked(&world), gone[1..]);
    assert_eq!(delete(&world, origin(3, "people", "ann"), DeleteMode::Hard, &[vec![]]).await, 2);
    assert_eq!(ids(&world), ["b"]);
    for number in 1..4 {
        world.files.finish(run(number)).await;
    }
    assert_eq!(world.names(), ["x.sqlite"], "the file is closed at the end");
}

#[tokio::test]
async fn rows_of_others_stay() {
    let world = World::new();
    write(&world, origin(1, "people", "ann"), 1, &[r#"{"id": "ann"}"#]).await;
    let other = |number, records: &'static [&'static str], origin: Option<Origin>| {
        let batch = Batch { run: number, ..batch(10, &config(), records) };
        deliver_from(&world.files, batch, origin)
    };
    other(1, &[r#"{"id": "account"}"#], Some(origin(1, "people", "bob"))).await.expect("delivers");
    other(2, &[r#"{"id": "request"}"#], Some(origin(1, "others", "ann"))).await.expect("delivers");
    let job = Origin { job: "other".to_owned(), ..origin(1, "people", "ann") };
    other(3, &[r#"{"id": "job"}"#], Some(job)).await.expect("delivers");
    other(4, &[r#"{"id": "untracked"}"#], None).await.expect("delivers");
    // The run's own, although the clock was set back since it began.
    let set_back = Origin { at: at(2), ..origin(2, "people", "ann") };
    other(2, &[r#"{"id": "own"}"#], Some(set_back)).await.expect("delivers");
    // A run that began later, and has overtaken.
    other(5, &[r#"{"id": "newer"}"#], Some(origin(5, "people", "ann"))).await.expect("delivers");

    assert_eq!(delete(&world, origin(2, "people", "ann"), DeleteMode::Hard, &[vec![]]).await, 1);
    assert_eq!(ids(&world), ["account", "job", "newer", "own", "request", "untracked"]);
}

#[tokio::test]
async fn a_job_that_writes_the_same_row_without_tracking_leaves_it_to_the_one_that_tracks() {
    let world = World::new();
    write(&world, origin(1, "people", "ann"), 1, &[r#"{"id": "a", "name": "Ada"}"#, r#"{"id": "b", "name": "Bo"}"#])
        .await;
    assert_eq!(delete(&world, origin(2, "people", "ann"), DeleteMode::Soft, &[vec![]]).await, 2);
    // It lists changes.
    world.deliver(Batch { run: 3, ..batch(9, &config(), &[r#"{"id": "a", "name": "Eve"}"#]) }).await.expect("delivers");
    assert_eq!(rows(&world, "SELECT name FROM crm_contacts ORDER BY id"), ["Eve", "Bo"]);
    assert_eq!(marked(&world), ["b 2026-11-29T10:21:00.000Z"], "it is there again");
    assert_eq!(delete(&world, origin(4, "people", "ann"), DeleteMode::Hard, &[vec![]]).await, 2);
}

#[tokio::test]
async fn what_isnt_there_has_nothing_to_delete_and_stays_so() {
    let world = World::new();
    assert_eq!(delete(&world, origin(1, "people", "ann"), DeleteMode::Soft, &[vec![]]).await, 0);
    assert_eq!(world.names(), [] as [&str; 0], "no file");
    // A table that nothing is tracked in, and another one.
    world.deliver(batch(1, &config(), &[r#"{"id": 1}"#])).await.expect("delivers");
    assert_eq!(delete(&world, origin(1, "people", "ann"), DeleteMode::Soft, &[vec![]]).await, 0);
    let other = json!({"path": "x.sqlite", "format": "sqlite", "key": "id", "table": "other"});
    let missing = Missing {
        request: "people",
        resource: "crm/contacts",
        config: &other,
        account: "ann",
        mode: DeleteMode::Hard,
        lists: &[],
    };
    assert_eq!(world.files.delete_missing(&missing, origin(1, "people", "ann"), at(1)).await, Ok(0));
    assert_eq!(rows(&world, "SELECT name FROM pragma_table_info('crm_contacts')"), ["id"]);
}

#[tokio::test]
async fn another_program_that_writes_is_waited_for() {
    let world = World::new();
    write(&world, origin(1, "people", "ann"), 1, &[r#"{"id": "a"}"#]).await;
    let busy = rusqlite::Connection::open(world.path("x.sqlite")).expect("opens");
    busy.execute_batch("BEGIN IMMEDIATE").expect("begins");
    let (config, lists) = (config(), [vec![]]);
    let missing = Missing {
        request: "people",
        resource: "crm/contacts",
        config: &config,
        account: "ann",
        mode: DeleteMode::Soft,
        lists: &lists,
    };
    let refused = world.files.delete_missing(&missing, origin(2, "people", "ann"), at(20)).await;
    assert!(matches!(refused, Err(DeliveryError::RetryAfter { .. })), "{refused:?}");
    busy.execute_batch("ROLLBACK").expect("ends");
    assert_eq!(world.files.delete_missing(&missing, origin(2, "people", "ann"), at(20)).await, Ok(1));
}

/// The conditions of a query as a job has it.
fn conditions(query: &Value) -> Vec<Condition<Value>> {
    let job = json!([{"name": "r", "type": "request", "resource": "crm/contacts", "method": "list",
        "delete_tracking": "hard", "delete_tracking_query": query}]);
    let graph = Graph::parse(&job, Form::Typed).expect("a graph");
    let NodeKind::Request(request) = &graph.node(0).kind else { panic!("a request") };
    let DeleteTracking { conditions, .. } = request.delete_tracking.clone().expect("tracking");
    let constant = |condition: &Condition<_>| {
        // Without templates a value is what is written.
        let path: Vec<&str> = condition.field.iter().map(String::as_str).collect();
        let written = path.iter().fold(query, |value, name| &value[*name]);
        let word = serde_json::to_value(condition.operator).expect("JSON");
        let value = written.get(word.as_str().expect("a word")).unwrap_or(written);
        condition.filled(Some(value.clone())).expect("a value")
    };
    conditions.iter().map(constant).collect()
}

#[tokio::test]
async fn a_query_says_which_rows_the_list_can_have() {
    let records = [
        r#"{"id": "1", "status": "open", "size": 5, "ok": true, "mixed": 10, "owner": {"id": "x", "n": 2}, "at": "2026-01-02T00:00:00Z"}"#,
        r#"{"id": "2", "status": "done", "size": 9.5, "ok": false, "mixed": "ten", "owner": {"id": "y", "n": 3}, "at": "2026-02-02T00:00:00Z"}"#,
        r#"{"id": "3", "size": null, "owner": "x"}"#,
    ];
    for (query, left) in [
        (json!({}), &[][..]),
        (json!({"status": "open"}), &["2", "3"]),
        (json!({"status": {"ne": "open"}}), &["1", "3"]),
        (json!({"status": ["open", "done", "x"]}), &["3"]),
        (json!({"status": {"in": ["done"]}, "size": {"gt": 1}}), &["1", "3"]),
        (json!({"size": 5}), &["2", "3"]),
        (json!({"size": "5"}), &["2", "3"]),
        (json!({"size": {"gte": 5, "lt": 9.5}}), &["2", "3"]),
        (json!({"size": {"lte": 9.5}}), &["3"]),
        (json!({"ok": true}), &["2", "3"]),
        (json!({"ok": {"eq": false}}), &["1", "3"]),
        (json!({"owner": {"id": "x"}}), &["2", "3"]),
        (json!({"owner": {"n": {"gt": 2}}}), &["1", "3"]),
        (json!({"at": {"gte": "2026-02-01"}}), &["1", "3"]),
        (json!({"mixed": [10]}), &["2", "3"]),
        (json!({"mixed": 10}), &["2", "3"]),
        (json!({"mixed": {"lt": 5}}), &["1", "2", "3"]),
        (json!({"owner": {"n": {"ne": "2"}}}), &["1", "2", "3"]),
        (json!({"owner": {"n": {"lt": "3"}}}), &["1", "2", "3"]),
        (json!({"nothing": "x"}), &["1", "2", "3"]),
        (json!({"nothing": {"ne": "x"}}), &["1", "2", "3"]),
    ] {
        let world = World::new();
        write(&world, origin(1, "people", "ann"), 1, &records).await;
        let deleted = delete(&world, origin(2, "people", "ann"), DeleteMode::Hard, &[conditions(&query)]).await;
        assert_eq!(
            (ids(&world), deleted),
            (left.iter().map(|id| (*id).to_owned()).collect(), 3 - left.len() as u64),
            "{query}"
        );
    }
}

#[tokio::test]
async fn of_many_lists_each_one_takes_part() {
    let world = World::new();
    let records: Vec<String> = (0..250).map(|n| format!(r#"{{"id": "{n:03}", "of": {n}}}"#)).collect();
    let records: Vec<&str> = records.iter().map(String::as_str).collect();
    write(&world, origin(1, "people", "ann"), 1, &records).await;
    let lists: Vec<_> = (0..250).step_by(2).map(|n| conditions(&json!({"of": n}))).collect();
    assert_eq!(delete(&world, origin(2, "people", "ann"), DeleteMode::Hard, &lists).await, 125);
    assert_eq!(ids(&world).len(), 125);
    assert_eq!(delete(&world, origin(2, "people", "ann"), DeleteMode::Hard, &[]).await, 0);
}
