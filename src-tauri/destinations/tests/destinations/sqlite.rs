//! SQLite files.

use relink_sync::DeliveryError;
use rusqlite::{Connection, types::Value as Cell};
use serde_json::{Value, json};

use crate::world::{Batch, World, batch, file, run};

fn keyed() -> Value {
    json!({"path": "x.sqlite", "format": "sqlite", "key": "id"})
}

/// All rows of a query, each as JSON.
fn rows(world: &World, sql: &str) -> Vec<Value> {
    let database = Connection::open(world.path("x.sqlite")).expect("opens");
    let mut statement = database.prepare(sql).expect("prepares");
    let count = statement.column_count();
    let read = statement.query_map([], |row| {
        (0..count)
            .map(|at| {
                Ok(match row.get(at)? {
                    Cell::Null => Value::Null,
                    Cell::Integer(value) => value.into(),
                    Cell::Real(value) => value.into(),
                    Cell::Text(value) => value.into(),
                    Cell::Blob(_) => panic!("a blob"),
                })
            })
            .collect::<rusqlite::Result<Value>>()
    });
    read.expect("queries").map(|row| row.expect("reads")).collect()
}

fn schema(world: &World) -> Vec<Value> {
    rows(world, "SELECT name, type FROM pragma_table_info('crm_contacts')")
}

#[tokio::test]
async fn a_field_is_a_column_of_the_type_that_it_has_first() {
    let world = World::new();
    let records = [
        r#"{"id": 1, "name": "Ada", "ok": true, "tags": ["a", {"b": 1}], "none": null}"#,
        r#"{"name": "Bo", "score": 1.5, "big": 12345678901234567890}"#,
        "\"text\"",
    ];
    world.deliver(batch(1, &file("x.sqlite", "sqlite"), &records)).await.expect("delivers");
    let columns = json!([
        ["id", "INTEGER"],
        ["name", "TEXT"],
        ["ok", "INTEGER"],
        ["tags", "TEXT"],
        ["score", "REAL"],
        ["big", "TEXT"],
        ["value", "TEXT"]
    ]);
    assert_eq!(json!(schema(&world)), columns);
    assert_eq!(
        json!(rows(&world, "SELECT * FROM crm_contacts")),
        json!([
            [1, "Ada", 1, "[\"a\", {\"b\": 1}]", null, null, null],
            [null, "Bo", null, null, 1.5, "12345678901234567890", null],
            [null, null, null, null, null, null, "text"]
        ])
    );
}

#[tokio::test]
async fn a_column_changes_before_it_would_lose_something() {
    let world = World::new();
    let config = keyed();
    for (place, record) in [
        (1, r#"{"id": 1, "n": 1, "big": 9007199254740993, "f": 0.1}"#),
        (2, r#"{"id": 2, "n": 1.5, "big": 0.5, "f": true}"#),
        (3, r#"{"id": "007", "n": 2, "big": 1, "f": "x"}"#),
    ] {
        world.deliver(batch(place, &config, &[record])).await.expect("delivers");
    }
    let mut columns = schema(&world);
    columns.sort_by_key(ToString::to_string);
    assert_eq!(json!(columns), json!([["big", "TEXT"], ["f", "TEXT"], ["id", "TEXT"], ["n", "REAL"]]));
    assert_eq!(
        json!(rows(&world, "SELECT id, n, big, f + 0 FROM crm_contacts ORDER BY rowid")),
        json!([["1", 1.0, "9007199254740993", 0.1], ["2", 1.5, "0.5", 1.0], ["007", 2.0, "1", 0]])
    );
    // The key is one still.
    world.deliver(batch(4, &config, &[r#"{"id": 1, "n": 9}"#])).await.expect("delivers");
    assert_eq!(json!(rows(&world, "SELECT n, f FROM crm_contacts WHERE id = '1'")), json!([[9.0, null]]));
}

#[tokio::test]
async fn a_key_replaces_the_record_that_came_before() {
    let world = World::new();
    let config = keyed();
    let first = [r#"{"id": "a", "n": 1, "old": true}"#, r#"{"id": "b", "n": 1}"#, r#"{"id": "b", "n": 2}"#];
    world.deliver(batch(1, &config, &first)).await.expect("delivers");
    world.deliver(batch(2, &config, &[r#"{"n": 3, "id": "a", "new": 1}"#])).await.expect("delivers");
    assert_eq!(
        json!(rows(&world, "SELECT id, n, old, new FROM crm_contacts ORDER BY id")),
        json!([["a", 3, null, 1], ["b", 2, null, null]])
    );
}

#[tokio::test]
async fn a_record_without_the_key_is_named_and_its_batch_is_not_written() {
    let world = World::new();
    for (place, bad) in
        [(1, r#"{"name": "Bo"}"#), (2, r#"{"id": null, "name": "Bo"}"#), (3, r#"{"name": "Bo", "id": [1]}"#)]
    {
        let message = world.refused(batch(place, &keyed(), &[r#"{"id": 1}"#, bad])).await;
        assert!(message.starts_with("The record {"), "{message}");
        assert!(message.contains("\"name\": \"Bo\""), "{message}");
        assert!(message.contains("has no \"id\", which is the key of this destination"), "{message}");
    }
    assert_eq!(json!(rows(&world, "SELECT count(*) FROM sqlite_schema WHERE name = 'crm_contacts'")), json!([[0]]));
    // The same batch, after the job's transform was changed.
    world.deliver(batch(1, &keyed(), &[r#"{"id": 1}"#])).await.expect("delivers");
    assert_eq!(json!(rows(&world, "SELECT id FROM crm_contacts")), json!([[1]]));
}

#[tokio::test]
async fn a_batch_that_comes_again_is_not_written_again() {
    let mut world = World::new();
    let config = file("x.sqlite", "sqlite");
    for _ in 0..2 {
        for place in [1, 2] {
            world.deliver(batch(place, &config, &["{\"id\": 1}"])).await.expect("delivers");
            world.deliver(Batch { run: 2, ..batch(place, &config, &["{\"id\": 1}"]) }).await.expect("delivers");
        }
        assert_eq!(json!(rows(&world, "SELECT count(*) FROM crm_contacts")), json!([[4]]));
        world.crash();
    }
    world.deliver(batch(3, &config, &["{\"id\": 1}"])).await.expect("delivers");
    world.files.finish(run(1)).await;
    assert_eq!(
        json!(rows(&world, "SELECT run, count(*) FROM relink_batches GROUP BY run")),
        json!([[run(2).to_string(), 2]])
    );
}

#[tokio::test]
async fn a_batch_whose_page_has_changed_is_written_and_replaces_by_key() {
    for (config, expected) in [
        (keyed(), json!([[1, "b"], [2, "a"], [3, "b"]])),
        (file("x.sqlite", "sqlite"), json!([[1, "a"], [2, "a"], [1, "b"], [3, "b"]])),
    ] {
        let mut world = World::new();
        world
            .deliver(batch(1, &config, &[r#"{"id": 1, "v": "a"}"#, r#"{"id": 2, "v": "a"}"#]))
            .await
            .expect("delivers");
        world.crash();
        for _ in 0..2 {
            let again = [r#"{"id": 1, "v": "b"}"#, r#"{"id": 3, "v": "b"}"#];
            world.deliver(batch(1, &config, &again)).await.expect("delivers");
            assert_eq!(json!(rows(&world, "SELECT id, v FROM crm_contacts ORDER BY rowid")), expected);
            world.crash();
        }
    }
}

#[tokio::test]
async fn names_that_sqlite_takes_for_the_same_have_columns_of_their_own() {
    let mut world = World::new();
    let record = r#"{"id": 1, "ID": 2, "": 3, "a\u0000b": 4, "se\"lect": 5}"#;
    for place in [1, 2] {
        world.deliver(batch(place, &file("x.sqlite", "sqlite"), &[record])).await.expect("delivers");
        world.crash();
    }
    let select = "SELECT id, ID_2, _, a_b, \"se\"\"lect\" FROM crm_contacts";
    assert_eq!(json!(rows(&world, select)), json!([[1, 2, 3, 4, 5], [1, 2, 3, 4, 5]]));
    let known = json!([["", "_"], ["ID", "ID_2"], ["a\0b", "a_b"]]);
    assert_eq!(json!(rows(&world, "SELECT field, \"column\" FROM relink_columns ORDER BY field")), known);
}

#[tokio::test]
async fn a_table_has_a_limit_of_columns() {
    let world = World::new();
    let record = |count: usize| {
        let fields: Vec<String> = (0..count).map(|at| format!("\"f{at}\": {at}")).collect();
        format!("{{{}}}", fields.join(","))
    };
    world.deliver(batch(1, &file("x.sqlite", "sqlite"), &[&record(2000)])).await.expect("delivers");
    let message = world.refused(batch(2, &file("x.sqlite", "sqlite"), &[&record(2001)])).await;
    assert_eq!(
        message,
        "The table \"crm_contacts\" has 2000 columns, the most that SQLite allows, and a record has the further field \"f2000\". Leave fields out with a transform, or write JSON Lines."
    );
}

#[tokio::test]
async fn a_table_of_the_person_is_used_as_it_is() {
    let world = World::new();
    let database = Connection::open(world.path("x.sqlite")).expect("opens");
    let made = "CREATE TABLE people (id VARCHAR(9) PRIMARY KEY, n NUMERIC CHECK (n < 9), twice AS (n * 2));
                INSERT INTO people VALUES ('a', 1);
                CREATE TABLE twins (id INT); INSERT INTO twins VALUES (1), (1);";
    database.execute_batch(made).expect("makes it");
    let into = |table: &str| json!({"path": "x.sqlite", "format": "sqlite", "table": table, "key": "id"});
    let records = [r#"{"id": "a", "n": "x", "twice": 5}"#, r#"{"id": 7, "n": 2.5}"#];
    let message = world.refused(batch(1, &into("people"), &records)).await;
    assert!(message.contains("duplicate column name: twice"), "{message}");
    let records = [r#"{"id": "a", "n": 3}"#, r#"{"id": 7, "n": 2.5}"#];
    world.deliver(batch(1, &into("people"), &records)).await.expect("delivers");
    assert_eq!(json!(rows(&world, "SELECT id, n, twice FROM people")), json!([["a", 3, 6], ["7", 2.5, 5.0]]));
    let message = world.refused(batch(2, &into("people"), &[r#"{"id": "b", "n": 9}"#])).await;
    assert!(message.contains("refuses the record {\"id\": \"b\", \"n\": 9}: CHECK constraint failed"), "{message}");
    let message = world.refused(batch(3, &into("twins"), &[r#"{"id": 2}"#])).await;
    assert!(message.contains("already has several rows with the same \"id\""), "{message}");
    for reserved in ["sqlite_x", "relink_batches"] {
        let message = world.refused(batch(4, &into(reserved), &[r#"{"id": 2}"#])).await;
        assert!(message.contains("names that begin with sqlite_ and relink_ are reserved"), "{message}");
    }
}

#[tokio::test]
async fn a_file_is_read_by_others_during_a_run_and_one_file_afterwards() {
    let world = World::new();
    let config = file("x.sqlite", "sqlite");
    world.deliver(batch(1, &config, &["{\"id\": 1}"])).await.expect("delivers");
    // Given: a program that reads, and takes its time
    let reader = Connection::open(world.path("x.sqlite")).expect("opens");
    reader.execute_batch("BEGIN; SELECT * FROM crm_contacts;").expect("reads");
    // When
    world.deliver(batch(2, &config, &["{\"id\": 2}"])).await.expect("delivers");
    reader.execute_batch("COMMIT").expect("ends");
    drop(reader);
    world.files.finish(run(1)).await;
    // Then
    assert_eq!(world.names(), ["x.sqlite"]);
    let bytes = std::fs::read(world.path("x.sqlite")).expect("reads");
    // Format versions for rollback journals (<https://sqlite.org/fileformat2.html> §1.3.3).
    assert_eq!(bytes[18..20], [1, 1]);
}

#[tokio::test]
async fn a_file_that_another_program_holds_is_tried_again() {
    let world = World::new();
    let config = file("x.sqlite", "sqlite");
    world.deliver(batch(1, &config, &["{\"id\": 1}"])).await.expect("delivers");
    let other = Connection::open(world.path("x.sqlite")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let busy = world.deliver(batch(2, &config, &["{\"id\": 2}"])).await;
    assert_eq!(busy, Err(DeliveryError::RetryAfter { seconds: 10 }));
    other.execute_batch("ROLLBACK").expect("unlocks");
    world.deliver(batch(2, &config, &["{\"id\": 2}"])).await.expect("delivers");
    assert_eq!(json!(rows(&world, "SELECT id FROM crm_contacts")), json!([[1], [2]]));
}

#[tokio::test]
async fn a_table_that_somebody_changes_between_batches_is_read_again() {
    let world = World::new();
    let config = file("x.sqlite", "sqlite");
    world.deliver(batch(1, &config, &["{\"id\": 1}"])).await.expect("delivers");
    let other = Connection::open(world.path("x.sqlite")).expect("opens");
    other.execute_batch("ALTER TABLE crm_contacts ADD COLUMN name TEXT; DELETE FROM crm_contacts;").expect("alters");
    world.deliver(batch(2, &config, &["{\"id\": 2, \"name\": \"Bo\"}"])).await.expect("delivers");
    other.execute_batch("DROP TABLE crm_contacts").expect("drops");
    world.deliver(batch(3, &config, &["{\"id\": 3}"])).await.expect("delivers");
    assert_eq!(json!(rows(&world, "SELECT * FROM crm_contacts")), json!([[3]]));
}

#[tokio::test]
async fn a_run_that_rests_leaves_a_whole_database_and_its_batches_are_known() {
    let world = World::new();
    let table = file("x.sqlite", "sqlite");
    world.deliver(batch(1, &table, &[r#"{"id": 1}"#])).await.expect("delivers");
    assert!(world.names().len() > 1, "open: {:?}", world.names());
    world.files.rest(run(1)).await;
    assert_eq!(world.names(), ["x.sqlite"]);
    for place in [1, 2] {
        world.deliver(batch(place, &table, &[&format!("{{\"id\": {place}}}")])).await.expect("delivers");
    }
    assert_eq!(json!(rows(&world, "SELECT id FROM crm_contacts ORDER BY id")), json!([[1], [2]]));
}
