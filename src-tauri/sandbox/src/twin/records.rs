//! The records of a twin's collections. They are made anew for each request, always the same, and followed by what callers
//! created.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use crate::{
    memory::Changes,
    scenario::{
        Collection, Lookup,
        template::{find, render, render_as_text, text_of},
    },
};

/// 1 January 2025, 09:00 UTC. Each record is a day younger than the one before.
const FIRST_DAY: i64 = 1_735_722_000;
const DAY_SECS: i64 = 86_400;

/// The key of a collection's created records: its name and the values of its parents.
pub(crate) fn key(name: &str, parents: &[String], scope: &Value) -> String {
    let parents = parents.iter().map(|parent| find(scope, parent).map(text_of).unwrap_or_default());
    parents.fold(name.to_owned(), |mut key, parent| {
        key.push('/');
        key.push_str(&parent);
        key
    })
}

/// All records with their numbers, the created ones first, and the newest of them before the others.
pub(crate) fn all(key: &str, collection: &Collection, scope: &Value, changes: &Changes) -> Vec<(u64, Value)> {
    let created = changes.range(collection.count + 1..).rev().filter_map(|(n, record)| Some((*n, record.clone()?)));
    let generated = (1..=collection.count).filter_map(|n| match changes.get(&n) {
        Some(record) => Some((n, record.clone()?)),
        None => Some((n, one(key, collection, scope, n)?)),
    });
    let records = created.chain(generated);
    let within: Vec<_> = collection
        .within
        .iter()
        .filter_map(|(path, template)| Some((path, render_as_text(template, scope)?)))
        .collect();
    records.filter(|(_, record)| within.iter().all(|(path, value)| has(record, path, value))).collect()
}

/// The record with this number, from 1.
pub(crate) fn one(key: &str, collection: &Collection, scope: &Value, n: u64) -> Option<Value> {
    render(&collection.record, &with(scope, values(key, collection, n)))
}

/// The created record with this number: what `set` says in place of the template's.
pub(crate) fn create(key: &str, collection: &Collection, scope: &Value, set: &Value, n: u64) -> Option<Value> {
    let scope = with(scope, values(key, collection, n));
    let mut record = render(&collection.record, &scope)?;
    merge(&mut record, render(set, &scope)?);
    Some(record)
}

/// The first record that has the values of the lookup, with its number.
pub(crate) fn look_up(records: Vec<(u64, Value)>, lookup: &Lookup, scope: &Value) -> Option<(u64, Value)> {
    let wanted: Vec<_> = lookup
        .r#where
        .iter()
        .map(|(path, template)| (path, render_as_text(template, scope).unwrap_or_default()))
        .collect();
    records
        .into_iter()
        .find(|(_, record)| wanted.iter().all(|(paths, value)| paths.split('|').any(|path| has(record, path, value))))
}

/// A record with other values: what `set` says in place of its own.
pub(crate) fn updated(mut record: Value, set: &Value, scope: &Value) -> Value {
    if let Some(set) = render(set, scope) {
        merge(&mut record, set);
    }
    record
}

fn has(record: &Value, path: &str, value: &str) -> bool {
    find(record, path).is_some_and(|found| text_of(found) == value)
}

/// A scope with more values at its top.
pub(crate) fn with(scope: &Value, more: Value) -> Value {
    let mut scope = scope.clone();
    merge(&mut scope, more);
    scope
}

/// Objects are merged, everything else is replaced.
fn merge(into: &mut Value, over: Value) {
    match (into, over) {
        (Value::Object(into), Value::Object(over)) => {
            for (name, value) in over {
                merge(into.entry(name).or_insert(Value::Null), value);
            }
        }
        (into, over) => *into = over,
    }
}

/// What a record's template can name: all of it follows from the collection and the number.
fn values(key: &str, collection: &Collection, n: u64) -> Value {
    let hash = Sha256::digest(format!("{key}/{n}"));
    let hex = hash.iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    let code: String = hash.iter().map(|byte| char::from(CODE[usize::from(*byte) % CODE.len()])).collect();
    let days = i64::try_from(n).unwrap_or_default();
    let epoch = FIRST_DAY + days.min(10_000) * DAY_SECS;
    let at = jiff::Timestamp::from_second(epoch).map(|at| format!("{at:.0}")).unwrap_or_default();
    let mut values = Map::new();
    values.insert("n".into(), n.into());
    values.insert("number".into(), (collection.first + n - 1).into());
    values.insert("hex".into(), hex[..32].into());
    values.insert("uuid".into(), uuid(&hex).into());
    values.insert("code".into(), code[..18].into());
    values.insert("epoch".into(), epoch.into());
    values.insert("epoch_millis".into(), (epoch * 1000).into());
    values.insert("date".into(), at.split('T').next().unwrap_or_default().into());
    values.insert("time".into(), at.as_str().into());
    json!(values)
}

/// What codes consist of: no letters that look like digits.
const CODE: &[u8; 32] = b"0123456789ABCDEFGHJKLMNPQRSTUVWX";

fn uuid(hex: &str) -> String {
    format!("{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..32])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// The records without their numbers.
    fn values_of(collection: &Collection, scope: &Value, changes: &Changes) -> Vec<Value> {
        let records = all(&key("tasks", &collection.parents, scope), collection, scope, changes);
        records.into_iter().map(|(_, record)| record).collect()
    }

    fn collection() -> Collection {
        let record = json!({ "id": "{{number}}", "uuid": "{{uuid}}", "title": "Task {{n}} of {{path.project}}" });
        let (parents, within) = (vec!["path.project".into()], BTreeMap::new());
        Collection { count: 3, first: 101, parents, within, record }
    }

    #[test]
    fn records_are_the_same_each_time_and_differ_from_each_other_and_between_parents() {
        let (collection, here) = (collection(), json!({ "path": { "project": "here" } }));
        let there = json!({ "path": { "project": "there" } });
        let records = |scope| values_of(&collection, scope, &Changes::new());
        assert_eq!(records(&here), records(&here));
        assert_eq!(records(&here)[2]["title"], "Task 3 of here");
        assert_eq!(records(&here)[2]["id"], 103);
        let uuids = [&here, &there].map(records).concat().into_iter().map(|record| text_of(&record["uuid"]));
        assert_eq!(uuids.collect::<std::collections::BTreeSet<_>>().len(), 6);
    }

    #[test]
    fn a_created_record_comes_first_with_its_own_values() {
        let (collection, scope) = (collection(), json!({ "path": { "project": "p" }, "body": { "title": "New" } }));
        let key = key("tasks", &collection.parents, &scope);
        let set = json!({ "title": "{{body.title}}", "note": "{{body.note?}}" });
        let created = create(&key, &collection, &scope, &set, 4).expect("a record");
        assert_eq!((&created["id"], &created["title"]), (&json!(104), &json!("New")));
        assert_eq!(created.get("note"), None);
        let mut changes = Changes::from([(4, Some(created.clone()))]);
        let records = values_of(&collection, &scope, &changes);
        assert_eq!((records.len(), &records[0]), (4, &created));
        let r#where = BTreeMap::from([("no|id".to_owned(), "{{body.title|102}}".to_owned())]);
        let lookup = Lookup { collection: "tasks".into(), r#where, missing: "none".into() };
        let found = |changes: &Changes, scope: &Value| look_up(all(&key, &collection, scope, changes), &lookup, scope);
        let (n, second) = found(&changes, &json!({ "path": { "project": "p" } })).expect("found");
        assert_eq!((n, &second["title"]), (2, &json!("Task 2 of p")));
        assert_eq!(found(&changes, &scope), None);
        let other = updated(second, &json!({ "title": "{{body.title}}", "id": "{{body.id?}}" }), &scope);
        assert_eq!((&other["title"], &other["id"]), (&json!("New"), &json!(102)));
        changes.extend([(2, Some(other.clone())), (3, None), (4, None)]);
        let records = values_of(&collection, &scope, &changes);
        assert_eq!((records.len(), &records[1]), (2, &other));
    }

    #[test]
    fn only_records_within_what_the_request_names_are_there() {
        let record = json!({ "id": "{{number}}", "in": { "$pick": ["even", "odd"] } });
        let within = BTreeMap::from([("in".to_owned(), "{{path.in?}}".to_owned())]);
        let collection = Collection { count: 5, first: 1, parents: Vec::new(), within, record };
        let count = |scope: Value| values_of(&collection, &scope, &Changes::new()).len();
        assert_eq!((count(json!({ "path": { "in": "odd" } })), count(json!({ "path": {} }))), (3, 5));
    }
}
