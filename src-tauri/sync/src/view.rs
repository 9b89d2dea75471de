//! What templates and expressions see (contract section 9.2).

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use relink_domain::{
    sync::Large,
    template::{self, Root, Template},
};
use serde_json::{
    Map, Value, json,
    value::{RawValue, to_raw_value},
};

use crate::{
    host::Account,
    journal::{Elements, Scope},
    run::Run,
};

/// The places of times in the input of an expression, as their names. Each is a text there, see the crate's documentation.
pub const TIMES: [[&str; 2]; 4] = [
    ["sync_job_run", "started_at"],
    ["sync_job_run", "finished_at"],
    ["sync_job_run", "created_at"],
    ["sync_job_run", "updated_at"],
];

/// Records on their way from a request to what depends on it.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) records: Arc<Vec<Box<RawValue>>>,
    /// The paths by which they are seen.
    pub(crate) names: Vec<Vec<String>>,
    /// The node that made them.
    pub(crate) source: usize,
}

/// All that a node sees.
pub(crate) struct View<'a> {
    pub(crate) run: &'a Run,
    /// The status and the end, as soon as they are known.
    pub(crate) ending: Option<(&'a str, String)>,
    pub(crate) account: &'a Account,
    pub(crate) scope: &'a Scope,
    pub(crate) batch: Option<&'a Batch>,
    /// Records that a destination gets.
    pub(crate) payload: Option<&'a [Box<RawValue>]>,
    pub(crate) is_payload_one: bool,
    pub(crate) total_records_size: u64,
}

impl View<'_> {
    /// The run's row, as it is now.
    fn row(&self) -> Cow<'_, Map<String, Value>> {
        let Some((status, at)) = &self.ending else { return Cow::Borrowed(&self.run.row) };
        let mut row = self.run.row.clone();
        row.insert("status".to_owned(), (*status).into());
        row.insert("finished_at".to_owned(), at.as_str().into());
        Cow::Owned(row)
    }

    /// `resources` as values.
    fn resources(&self) -> Result<Cow<'_, Map<String, Value>>, Value> {
        let none = || Cow::Owned(Map::new());
        let known = self.scope.values.get(RESOURCES).and_then(Value::as_object).map_or_else(none, Cow::Borrowed);
        let Some(batch) = self.batch else { return Ok(known) };
        let records = values(&batch.records)?;
        let mut resources = known.into_owned();
        for name in &batch.names {
            put(&mut resources, name.get(1..).unwrap_or_default(), records.clone());
        }
        Ok(Cow::Owned(resources))
    }

    pub(crate) fn fill(&self, template: &Template) -> Result<Option<Value>, Value> {
        let resources = if Large::Resources.is_named_by(template) { Some(self.resources()?) } else { None };
        let payload = match self.payload {
            Some(records) if Large::Payload.is_named_by(template) => Some(self.payload_value(records)?),
            _ => None,
        };
        let row = self.row();
        let total = Value::from(self.total_records_size);
        // Of two with one name, the first one is seen.
        let mut roots: Vec<(&str, Root<'_>)> = Vec::new();
        roots.extend(resources.as_deref().map(|resources| (RESOURCES, Root::Object(resources))));
        roots.extend(payload.as_ref().map(|payload| ("payload", Root::Object(payload))));
        roots.extend(self.scope.values.iter().map(|(name, value)| (name.as_str(), Root::Value(value))));
        roots.push(("args", Root::Object(&self.run.args)));
        if !row.is_empty() {
            roots.push(("sync_job_run", Root::Object(&row)));
        }
        roots.extend(self.run.previous_run_date.as_ref().map(|date| ("previous_run_date", Root::Text(date))));
        roots.push(("total_records_size", Root::Value(&total)));
        let none = BTreeMap::new();
        let scope = template::Scope {
            tenant_id: Some(&self.account.tenant_id),
            roots: &roots,
            ..template::Scope::new(&self.account.context, &none, None)
        };
        let filled = template.fill(&scope).map_err(|failed| bad_request(&failed.to_string()))?;
        Ok(filled.expose().cloned())
    }

    /// The input of an expression. Records are copied as text.
    pub(crate) fn input(&self, expression: &str) -> Result<Box<RawValue>, Value> {
        let mut out = Object::new();
        // Of two with one name, the last one is seen.
        for (name, value) in &self.account.context {
            out.member(name, value)?;
        }
        out.member("tenant_id", &self.account.tenant_id)?;
        if let Some(date) = &self.run.previous_run_date {
            out.member("previous_run_date", date)?;
        }
        out.member("total_records_size", &self.total_records_size)?;
        out.member("args", &self.run.args)?;
        let row = self.row();
        if !row.is_empty() {
            out.member("sync_job_run", row.as_ref())?;
        }
        for (name, value) in self.scope.values.iter().filter(|(name, _)| *name != RESOURCES) {
            out.member(name, value)?;
        }
        if Large::Resources.is_seen_by(expression) {
            let known = self.scope.values.get(RESOURCES).and_then(Value::as_object);
            let list = self.batch.map(|batch| list(&batch.records));
            let names = self.batch.map_or(&[][..], |batch| &batch.names);
            let over: Vec<_> = names.iter().map(|name| name.get(1..).unwrap_or_default()).collect();
            out.raw(RESOURCES, &nested(known, &over, list.as_deref().unwrap_or("null"))?)?;
        }
        if let Some(records) = self.payload.filter(|_| Large::Payload.is_seen_by(expression)) {
            let records = match records {
                [one] if self.is_payload_one => one.get().to_owned(),
                records => list(records),
            };
            out.raw("payload", &format!("{{\"records\":{records}}}"))?;
        }
        RawValue::from_string(out.end()).map_err(|error| not_json(&error))
    }

    fn payload_value(&self, records: &[Box<RawValue>]) -> Result<Map<String, Value>, Value> {
        let records = match records {
            [one] if self.is_payload_one => value(one)?,
            records => values(records)?,
        };
        Ok(Map::from_iter([("records".to_owned(), records)]))
    }

    /// The elements of the list at a path, with the paths by which each is seen.
    pub(crate) fn elements(&self, path: &[String]) -> Result<Elements, Value> {
        let below_resources = || [&[RESOURCES.to_owned()], path].concat();
        if let Some(batch) = self.batch {
            // Truto's own documents write the path with and without `resources`.
            let full =
                if path.first().is_some_and(|root| root == RESOURCES) { path.to_vec() } else { below_resources() };
            if batch.names.contains(&full) {
                return Ok(Elements { paths: batch.names.clone(), records: batch.records.to_vec() });
            }
            if let Some(rest) = batch.names.iter().find_map(|name| full.strip_prefix(&name[..])) {
                let mut found = Vec::new();
                for record in batch.records.iter() {
                    found.extend(items(at(&value(record)?, rest)));
                }
                return Ok(Elements { paths: vec![full.clone()], records: raw_all(&found)? });
            }
        }
        if let Some(records) = self.payload.filter(|_| path == ["payload", "records"]) {
            return Ok(Elements { paths: vec![path.to_vec()], records: records.to_vec() });
        }
        let known = |path: &[String]| {
            let (root, rest) = path.split_first()?;
            let value = match self.scope.values.get(root) {
                Some(value) => at(value, rest),
                None if root == "args" => {
                    rest.split_first().and_then(|(name, rest)| at(self.run.args.get(name)?, rest))
                }
                None => at(self.account.context.get(root)?, rest),
            };
            value.cloned()
        };
        let (path, found) = match known(path) {
            Some(found) => (path.to_vec(), Some(found)),
            None => (below_resources(), known(&below_resources())),
        };
        Ok(Elements { paths: vec![path], records: raw_all(&items(found.as_ref()))? })
    }
}

pub(crate) const RESOURCES: &str = "resources";

impl Scope {
    /// Puts a value where it is seen by a path.
    pub(crate) fn put(&mut self, path: &[String], value: Value, run: &Run) {
        // An element of the arguments stands in for the list in them.
        if path.first().is_some_and(|root| root == "args") && !self.values.contains_key("args") {
            self.values.insert("args".to_owned(), run.args.clone().into());
        }
        put(&mut self.values, path, value);
    }
}

/// Puts a value at a path, in place of what is there.
fn put(object: &mut Map<String, Value>, path: &[String], value: Value) {
    let Some((name, below)) = path.split_first() else { return };
    if below.is_empty() {
        object.insert(name.clone(), value);
        return;
    }
    let inner = object.entry(name.clone()).or_insert_with(|| Map::new().into());
    if !inner.is_object() {
        *inner = Map::new().into();
    }
    if let Value::Object(inner) = inner {
        put(inner, below, value);
    }
}

fn at<'v>(value: &'v Value, path: &[String]) -> Option<&'v Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

/// What a loop takes one by one.
fn items(value: Option<&Value>) -> Vec<Value> {
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.clone(),
        Some(one) => vec![one.clone()],
    }
}

fn raw_all(values: &[Value]) -> Result<Vec<Box<RawValue>>, Value> {
    values.iter().map(|value| to_raw_value(value).map_err(|error| not_json(&error))).collect()
}

pub(crate) fn value(record: &RawValue) -> Result<Value, Value> {
    serde_json::from_str(record.get()).map_err(|error| not_json(&error))
}

/// The list of some records.
pub(crate) fn values(records: &[Box<RawValue>]) -> Result<Value, Value> {
    records.iter().map(|record| value(record)).collect()
}

/// The text of a list.
fn list(records: &[Box<RawValue>]) -> String {
    let mut out = String::with_capacity(records.iter().map(|record| record.get().len() + 1).sum::<usize>() + 2);
    out.push('[');
    for (at, record) in records.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(record.get());
    }
    out.push(']');
    out
}

/// The text of an object, over which a value stands at some paths.
fn nested(known: Option<&Map<String, Value>>, over: &[&[String]], text: &str) -> Result<String, Value> {
    let mut out = Object::new();
    let replaced = |name: &String| over.iter().any(|path| path.first() == Some(name));
    for (name, value) in known.into_iter().flatten().filter(|(name, _)| !replaced(name)) {
        out.member(name, value)?;
    }
    let mut done: Vec<&String> = Vec::new();
    for path in over {
        let Some(name) = path.first().filter(|name| !done.contains(name)) else { continue };
        done.push(name);
        let below: Vec<&[String]> =
            over.iter().filter(|path| path.first() == Some(name)).map(|path| &path[1..]).collect();
        if below.iter().any(|path| path.is_empty()) {
            out.raw(name, text)?;
        } else {
            let inner = known.and_then(|known| known.get(name)).and_then(Value::as_object);
            out.raw(name, &nested(inner, &below, text)?)?;
        }
    }
    Ok(out.end())
}

/// The text of an object, member by member.
struct Object(String);

impl Object {
    fn new() -> Self {
        Self("{".to_owned())
    }

    fn member(&mut self, name: &str, value: &(impl serde::Serialize + ?Sized)) -> Result<(), Value> {
        let text = serde_json::to_string(value).map_err(|error| not_json(&error))?;
        self.raw(name, &text)
    }

    fn raw(&mut self, name: &str, text: &str) -> Result<(), Value> {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push_str(&serde_json::to_string(name).map_err(|error| not_json(&error))?);
        self.0.push(':');
        self.0.push_str(text);
        Ok(())
    }

    fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// `1 record`
pub(crate) fn counted(count: usize) -> String {
    format!("{count} record{}", if count == 1 { "" } else { "s" })
}

/// An error in Truto's form (contract section 0.4).
pub(crate) fn bad_request(message: &str) -> Value {
    json!({"statusCode": 400, "error": "Bad Request", "message": message})
}

fn not_json(error: &serde_json::Error) -> Value {
    bad_request(&format!("A value can't be exchanged as JSON: {error}."))
}
