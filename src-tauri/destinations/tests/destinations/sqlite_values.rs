//! Any record comes back from an SQLite file as it was, by the rule of the column's type.

use std::collections::HashMap;

use proptest::prelude::*;
use rusqlite::{Connection, types::Value as Cell};
use serde_json::{Map, Number, Value};

use crate::world::{Batch, World, file};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-9..9_i64).prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_filter_map("finite", |it| Number::from_f64(it).map(Value::Number)),
        (-9..9_i32).prop_map(|it| Value::from(f64::from(it) / 4.0)),
        any::<String>().prop_map(Value::from),
        "[0-9]{1,4}(\\.[0-9])?".prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..3)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

fn record() -> impl Strategy<Value = Map<String, Value>> {
    let name = prop_oneof![4 => "[abAB]", 1 => any::<String>()];
    prop::collection::vec((name, value()), 0..6).prop_map(|it| it.into_iter().collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn a_record_comes_back_as_it_was(batches in prop::collection::vec(prop::collection::vec(record(), 1..4), 1..4)) {
        let world = World::new();
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("builds");
        for (place, records) in batches.iter().enumerate() {
            let records = records.iter().map(|it| serde_json::to_string(it).expect("JSON")).collect();
            let config = file("x.sqlite", "sqlite");
            let batch = Batch { run: 1, place: place as u64, resource: "x", config, records };
            runtime.block_on(world.deliver(batch)).expect("delivers");
        }
        let read = read(&world);
        let records: Vec<_> = batches.into_iter().flatten().collect();
        prop_assert_eq!(read.len(), records.len());
        for (record, row) in records.iter().zip(&read) {
            for (field, value) in record {
                match row.get(field) {
                    None => prop_assert!(value.is_null(), "{field} has no column"),
                    Some((declared, cell)) => {
                        prop_assert!(is_same(declared, cell, value), "{field}: {value} is {cell:?} in {declared}");
                    }
                }
            }
            for (field, (_, cell)) in row {
                prop_assert!(record.contains_key(field) || *cell == Cell::Null, "{field} was not given");
            }
        }
    }
}

/// Each row: for each field the declared type of its column, and what it holds.
fn read(world: &World) -> Vec<HashMap<String, (String, Cell)>> {
    let database = Connection::open(world.path("x.sqlite")).expect("opens");
    let fields = "SELECT \"column\", field FROM relink_columns";
    let mut renamed = database.prepare(fields).expect("prepares");
    let renamed: HashMap<String, String> = renamed
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("queries")
        .collect::<Result<_, _>>()
        .expect("reads");
    let columns = "SELECT name, type FROM pragma_table_info('x')";
    let mut columns = database.prepare(columns).expect("prepares");
    let columns: Vec<(String, String)> = columns
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("queries")
        .collect::<Result<_, _>>()
        .expect("reads");
    let mut rows = database.prepare("SELECT * FROM x ORDER BY rowid").expect("prepares");
    let rows = rows.query_map([], |row| {
        let cells = columns.iter().enumerate().map(|(at, (name, declared))| {
            let field = renamed.get(name).unwrap_or(name).clone();
            Ok((field, (declared.clone(), row.get(at)?)))
        });
        cells.collect()
    });
    rows.expect("queries").map(|row| row.expect("reads")).collect()
}

fn is_same(declared: &str, cell: &Cell, value: &Value) -> bool {
    let as_number = |value: &Value| value.as_bool().map_or_else(|| value.as_f64(), |it| Some(f64::from(u8::from(it))));
    match (declared, cell, value) {
        (_, Cell::Null, value) => value.is_null(),
        ("INTEGER", Cell::Integer(integer), Value::Bool(is_true)) => *integer == i64::from(*is_true),
        ("INTEGER", Cell::Integer(integer), value) => value.as_i64() == Some(*integer),
        ("REAL", Cell::Real(real), value) => as_number(value) == Some(*real),
        ("TEXT", Cell::Text(text), Value::String(value)) => text == value,
        ("TEXT", Cell::Text(text), Value::Number(number)) if number.is_i64() || number.is_u64() => {
            text == &number.to_string() || text == &format!("{number}.0")
        }
        ("TEXT", Cell::Text(text), Value::Bool(_) | Value::Number(_)) => text.parse().ok() == as_number(value),
        ("TEXT", Cell::Text(text), value) => serde_json::to_string(value).ok().as_ref() == Some(text),
        _ => false,
    }
}
