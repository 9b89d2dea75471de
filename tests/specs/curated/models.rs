//! The unified models, called at `/unified`: the records of each twin are as the schema says, and what is written arrives.

mod cases;
mod odd;

use std::{collections::BTreeSet, fs, sync::Arc};

use anyhow::{Context, Result, bail, ensure};
use boon::{Compiler, Schemas};
use relink_domain::unified::Mapping;
use relink_jsonata::{Bindings, Engines, Limits};
use relink_tests::process;
use reqwest::Method;
use serde_json::{Map, Value, json, value::to_raw_value};

use super::{Answer, Program, with_each};
use cases::Case;

/// A model with an account of an integration.
struct Model<'a> {
    program: &'a Program<'a>,
    name: &'a str,
    document: Value,
    integration: &'a str,
    engines: Engines,
}

/// What a caller of a unified method says.
#[derive(Default)]
struct Asked<'a> {
    id: Option<&'a str>,
    query: Value,
    body: Value,
}

impl<'a> Model<'a> {
    /// Opens a model, with its mappings for the twin, which is an integration of its own.
    async fn open(program: &'a Program<'a>, integration: &'a str, name: &'a str) -> Result<Self> {
        let model = Self { program, name, document: document(name)?, integration, engines: Engines::default() };
        let relink = program.relink;
        let installed = relink.get(&format!("/environment-unified-model?unified_model.name={name}")).await?;
        let mappings = model.document["mappings"][integration].as_object().context("no mappings")?;
        for (resource, methods) in mappings {
            for (method, config) in methods.as_object().into_iter().flatten() {
                let row = json!({
                    "environment_unified_model_id": installed["result"][0]["id"],
                    "integration_name": format!("{integration}-twin"),
                    "resource_name": resource, "method_name": method, "config": config,
                });
                relink.post("/environment-unified-model-resource-method", row).await?;
            }
        }
        Ok(model)
    }

    fn config(&self, resource: &str, method: &str) -> Result<&Value> {
        let config = &self.document["mappings"][self.integration][resource][method];
        ensure!(config.is_object(), "no mapping for {method} of {resource}");
        Ok(config)
    }

    /// Each expression of each mapping can be evaluated, also those that no answer of a twin needs.
    async fn compiles(&self) -> Result<()> {
        let mappings = self.document["mappings"][self.integration].as_object().context("no mappings")?;
        for (resource, methods) in mappings {
            for (method, config) in methods.as_object().into_iter().flatten() {
                let config = config.as_object().with_context(|| format!("{resource} {method} is no object"))?;
                let (mapping, warnings) =
                    Mapping::check(config).map_err(|error| anyhow::anyhow!("{method}: {error}"))?;
                ensure!(warnings.is_empty(), "{resource} {method}: {warnings:?}");
                for (key, text) in mapping.expressions() {
                    let checked = self.engines.check(Arc::from(text), Vec::new(), Limits::default()).await;
                    checked.map_err(|error| anyhow::anyhow!("{resource} {method} {key}: {error}"))?;
                }
            }
        }
        Ok(())
    }

    /// Calls the unified method.
    async fn call(&self, resource: &str, method: &str, asked: &Asked<'_>) -> Result<Answer> {
        let verb = match method {
            "list" | "get" => Method::GET,
            "create" => Method::POST,
            "update" => Method::PATCH,
            "delete" => Method::DELETE,
            other => bail!("{other} has no verb"),
        };
        let mut query = vec![("truto_ignore_remote_data".to_owned(), "true".to_owned())];
        for (name, value) in asked.query.as_object().into_iter().flatten() {
            match value {
                Value::Object(conditions) => {
                    query.extend(conditions.iter().map(|(key, value)| (format!("{name}[{key}]"), text(value))));
                }
                value => query.push((name.clone(), text(value))),
            }
        }
        let path: Vec<_> = [Some(self.name), Some(resource), asked.id].into_iter().flatten().collect();
        let body = asked.body.is_object().then_some(&asked.body);
        self.program.call("unified", verb, &path, &query, body).await
    }

    /// Unified records must be as their schema says.
    fn check(&self, resource: &str, records: &[Value]) -> Result<()> {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        compiler.enable_format_assertions();
        let schema = &self.document["resources"][resource]["schema"];
        compiler.add_resource("schema.json", closed(schema)).map_err(|error| anyhow::anyhow!("{error}"))?;
        let schema = compiler.compile("schema.json", &mut schemas).map_err(|error| anyhow::anyhow!("{error:#}"))?;
        for record in records {
            schemas.validate(record, schema).map_err(|error| anyhow::anyhow!("{error:#}: {record}"))?;
        }
        Ok(())
    }

    async fn list(&self, resource: &str, query: &Value) -> Result<Vec<Value>> {
        let asked = Asked { query: query.clone(), ..Asked::default() };
        let page = self.call(resource, "list", &asked).await?.ok()?;
        let records = page["result"].as_array().context("no list")?;
        self.check(resource, records)?;
        let ids: BTreeSet<_> = records.iter().map(|record| record["id"].to_string()).collect();
        ensure!(ids.len() == records.len(), "{} IDs of {} records: {ids:?}", ids.len(), records.len());
        ensure!(page["result_count"] == records.len(), "{page}");
        Ok(records.clone())
    }

    /// The one record of a method that gives one.
    async fn one(&self, resource: &str, method: &str, asked: Asked<'_>) -> Result<Value> {
        let record = self.call(resource, method, &asked).await?.ok()?;
        self.check(resource, std::slice::from_ref(&record))?;
        Ok(record)
    }
}

/// The document of a model.
fn document(name: &str) -> Result<Value> {
    let file = process::workspace().join(format!("src-tauri/unified-models/{name}.json"));
    Ok(serde_json::from_str(&fs::read_to_string(file)?)?)
}

async fn eval(engines: &Engines, expression: &Value, input: &Value) -> Result<Option<Value>> {
    let expression = Arc::from(expression.as_str().context("no expression")?);
    let given = engines.eval(expression, Some(to_raw_value(input)?), Bindings::default(), Limits::default()).await;
    let given = given.map_err(|error| anyhow::anyhow!("{error}"))?;
    Ok(given.map(|given| serde_json::from_str(given.get())).transpose()?)
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A schema that allows nothing beside what it describes.
fn closed(schema: &Value) -> Value {
    let mut schema = schema.clone();
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        for property in properties.values_mut() {
            *property = closed(property);
        }
        schema["additionalProperties"] = false.into();
    }
    if let Some(items) = schema.get_mut("items") {
        *items = closed(items);
    }
    schema
}

/// Whether a record has what was asked to be written.
fn has(record: &Value, written: &Value) -> bool {
    match (record, written) {
        (Value::Object(record), Value::Object(written)) => {
            written.iter().all(|(name, value)| record.get(name).is_some_and(|own| has(own, value)))
        }
        (Value::Array(items), Value::Array(written)) => {
            items.len() == written.len() && items.iter().zip(written).all(|(item, written)| has(item, written))
        }
        (record, written) => record == written,
    }
}

/// The query with a condition on a time: from the second record's on, up to before the last one's, of those in the order of that time.
fn between(query: &Value, field: &str, records: &[Value]) -> Result<(Value, Vec<String>)> {
    let mut times: Vec<_> = records.iter().map(|record| text(&record[field])).collect();
    times.sort();
    let (from, to) = (times.get(1).context("too few records")?, times.last().context("no record")?);
    ensure!(from < to, "all records have the same {field}");
    let mut query = query.clone();
    query[field] = json!({ "gte": from, "lt": to });
    let expected = records.iter().filter(|record| *from <= text(&record[field]) && text(&record[field]) < *to);
    Ok((query, expected.map(|record| text(&record["id"])).collect()))
}

async fn reads(model: &Model<'_>, case: &Case) -> Result<()> {
    let Case { resource, query, .. } = case;
    let records = model.list(resource, query).await.context("list")?;
    let first = records.first().context("no record")?;
    let asked = Asked { id: first["id"].as_str(), query: case.of.clone(), ..Asked::default() };
    let found = model.one(resource, "get", asked).await.context("get")?;
    ensure!(has(&found, first), "get gives another record: {found} instead of {first}");
    for field in case.times {
        let (query, expected) = between(query, field, &records)?;
        let found = model.list(resource, &query).await.with_context(|| format!("list of {query}"))?;
        let found: BTreeSet<_> = found.iter().map(|record| text(&record["id"])).collect();
        let missing: Vec<_> = expected.iter().filter(|id| !found.contains(*id)).collect();
        ensure!(missing.is_empty(), "without {missing:?}: {query}");
        // A provider may compare to the minute, so that the last one is there as well.
        let more = found.len() - expected.len();
        let all_of_them = model.list(resource, &case.query).await?.len();
        ensure!(more <= case.inexact && found.len() < all_of_them, "{more} too many of {}: {query}", found.len());
    }
    for (condition, value, path) in &case.filters {
        let mut query = query.clone();
        query[*condition] = value.clone();
        let found = model.list(resource, &query).await.with_context(|| format!("list of {query}"))?;
        let wrong = found.iter().find(|record| !has(&record[*path], value) && !has(&record[*path], &json!([value])));
        ensure!(!found.is_empty() && wrong.is_none(), "{} records, {wrong:?}: {query}", found.len());
    }
    Ok(())
}

async fn writes(model: &Model<'_>, case: &Case) -> Result<()> {
    let Case { resource, of, .. } = case;
    let Some((new, change)) = &case.writes else { return Ok(()) };
    let made =
        model.one(resource, "create", Asked { body: new.clone(), ..Asked::default() }).await.context("create")?;
    let id = made["id"].as_str().context("no ID")?;
    let asked = || Asked { id: Some(id), query: of.clone(), ..Asked::default() };
    let read = model.one(resource, "get", asked()).await.context("get of the new record")?;
    ensure!(has(&read, &case.written(new)), "another record than {new}: {read}");
    if let Some((missing, says)) = &case.refused {
        let asked = Asked { id: Some(missing), body: change.clone(), ..asked() };
        let refused = model.call(resource, "update", &asked).await?;
        let is_said = refused.body["message"] == *says && refused.body["truto_is_remote_error"] == true;
        ensure!(refused.status == 404 && is_said, "not {says:?}: {} {}", refused.status, refused.body);
    }
    let changed = Asked { body: change.clone(), ..asked() };
    let changed = model.one(resource, "update", changed).await.context("update")?;
    ensure!(changed["id"] == id, "{changed}");
    let read = model.one(resource, "get", asked()).await.context("get of the changed record")?;
    ensure!(has(&read, &case.written(change)), "not changed to {change}: {read}");
    if model.config(resource, "delete").is_ok() {
        model.call(resource, "delete", &asked()).await.context("delete")?.ok()?;
        let gone = model.call(resource, "get", &asked()).await?;
        ensure!(gone.status == 404, "{} {}", gone.status, gone.body);
    }
    Ok(())
}

/// Each mapping has a case.
fn every_mapping_is_called(model: &Model<'_>, cases: &[Case]) -> Result<()> {
    let mappings = model.document["mappings"][model.integration].as_object().context("no mappings")?;
    let methods = |methods: &Map<String, Value>| methods.keys().cloned().collect::<BTreeSet<_>>();
    let mapped: BTreeSet<_> = mappings.iter().map(|(name, it)| (name.clone(), it.as_object().map(methods))).collect();
    let called = cases.iter().map(|case| {
        let written = case.writes.iter().flat_map(|_| ["create", "update", "delete"]);
        let written = written.filter(|method| model.config(case.resource, method).is_ok());
        let all = ["list", "get"].into_iter().chain(written).map(str::to_owned).collect::<BTreeSet<_>>();
        (case.resource.to_owned(), Some(all))
    });
    let called: BTreeSet<_> = called.collect();
    ensure!(mapped == called, "without a case: {:?}", mapped.symmetric_difference(&called).collect::<Vec<_>>());
    Ok(())
}

async fn holds(names: &[&'static str], model: &str) -> Result<()> {
    with_each(names, async |program, twin| {
        let cases = cases::of(model, twin.name)?;
        let model = Model::open(program, twin.name, model).await?;
        every_mapping_is_called(&model, &cases)?;
        model.compiles().await?;
        for case in &cases {
            reads(&model, case).await.with_context(|| case.resource)?;
            writes(&model, case).await.with_context(|| case.resource)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn tickets_are_the_same_at_each_provider() -> Result<()> {
    holds(&["github", "jira", "sandbox"], "ticketing").await
}

#[tokio::test]
async fn contacts_companies_and_deals_are_the_same_at_each_provider() -> Result<()> {
    holds(&["hubspot", "salesforce", "sandbox"], "crm").await
}
