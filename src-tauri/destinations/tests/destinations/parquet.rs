//! Parquet files.

use std::{fs, path::Path};

use parquet::{
    file::reader::{FileReader as _, SerializedFileReader},
    record::Field,
};
use serde_json::{Value, json};

use crate::world::{Batch, World, batch, file, names_in, run};

/// The records of all parts, and the types of each part's columns.
pub fn read(folder: &Path) -> (Vec<Value>, Vec<Value>) {
    let (mut records, mut types) = (Vec::new(), Vec::new());
    for name in names_in(folder) {
        let part = fs::File::open(folder.join(name)).expect("opens");
        let reader = SerializedFileReader::new(part).expect("is Parquet");
        let columns = reader.metadata().file_metadata().schema().get_fields();
        types.push(columns.iter().map(|it| json!([it.name(), it.get_physical_type().to_string()])).collect());
        let rows = reader.get_row_iter(None).expect("has rows");
        records.extend(rows.map(|row| {
            let row = row.expect("reads");
            let fields = row.get_column_iter().map(|(name, field)| {
                let value = match field {
                    Field::Null => Value::Null,
                    Field::Bool(value) => (*value).into(),
                    Field::Long(value) => (*value).into(),
                    Field::Double(value) => (*value).into(),
                    Field::Str(value) => value.as_str().into(),
                    other => panic!("{other:?}"),
                };
                (name.clone(), value)
            });
            Value::Object(fields.collect())
        }));
    }
    (records, types)
}

#[tokio::test]
async fn a_batch_is_a_part_with_the_columns_of_its_records() {
    let world = World::new();
    let records = [
        r#"{"id": 1, "ok": true, "score": 1, "mixed": 1, "big": 9007199254740993, "tags": ["a"], "none": null}"#,
        r#"{"ok": false, "id": 2, "score": 0.5, "mixed": "x\n", "big": 0.5, "late": "\u00e4", "id": 3}"#,
    ];
    world.deliver(batch(1, &file("x", "parquet"), &records)).await.expect("delivers");
    let (records, types) = read(&world.path("x"));
    assert_eq!(
        json!(types),
        json!([[
            ["id", "INT64"],
            ["ok", "BOOLEAN"],
            ["score", "DOUBLE"],
            ["mixed", "BYTE_ARRAY"],
            ["big", "BYTE_ARRAY"],
            ["tags", "BYTE_ARRAY"],
            ["late", "BYTE_ARRAY"]
        ]])
    );
    assert_eq!(
        json!(records),
        json!([
            {"id": 1, "ok": true, "score": 1.0, "mixed": "1", "big": "9007199254740993", "tags": "[\"a\"]", "late": null},
            {"id": 3, "ok": false, "score": 0.5, "mixed": "x\n", "big": "0.5", "tags": null, "late": "ä"}
        ])
    );
}

#[tokio::test]
async fn records_without_a_value_are_rows() {
    let world = World::new();
    world.deliver(batch(1, &file("x", "parquet"), &["{}", "{\"a\": null}"])).await.expect("delivers");
    world.deliver(batch(2, &file("x", "parquet"), &["7"])).await.expect("delivers");
    let (mut records, _) = read(&world.path("x"));
    records.sort_by_key(ToString::to_string);
    assert_eq!(json!(records), json!([{"value": 7}, {"value": null}, {"value": null}]));
}

#[tokio::test]
async fn a_batch_that_comes_again_replaces_its_part() {
    let mut world = World::new();
    let config = file("x", "parquet");
    for _ in 0..2 {
        world.deliver(batch(1, &config, &["1"])).await.expect("delivers");
        world.deliver(Batch { run: 2, ..batch(1, &config, &["1"]) }).await.expect("delivers");
        assert_eq!(read(&world.path("x")).0.len(), 2);
        world.crash();
        // A part that a crash has interrupted.
        fs::write(world.path("x/.part-1.unfinished"), "PAR1").expect("writes");
    }
    world.deliver(batch(2, &config, &["1"])).await.expect("delivers");
    // Its page has changed meanwhile.
    world.deliver(batch(2, &config, &["2"])).await.expect("delivers");
    assert!(read(&world.path("x")).0.contains(&json!({"value": 2})));
    world.files.finish(run(1)).await;
    assert_eq!(read(&world.path("x")).0.len(), 3);
}
