//! The tools that agents get of a curated integration.

use std::collections::BTreeSet;

use anyhow::{Context, Result, ensure};
use relink_tests::twin::Twin;
use reqwest::Method;
use serde_json::{Value, json};

use super::{
    Answer, Program,
    resources::{self, Expected, Resource},
    text_at, with_each,
};

/// The names of a resource's tools (contract section 10.1).
fn name(twin: &Twin, resource: &str, method: &str) -> String {
    let integration = twin.integration();
    let one = match resource {
        "repositories" => "repository",
        "companies" => "company",
        "opportunities" => "opportunity",
        // A search has no singular, and no tool that would need one.
        plural => plural.strip_suffix('s').unwrap_or(plural),
    };
    match method {
        "list" => format!("list_all_{integration}_{resource}"),
        "get" => format!("get_single_{integration}_{one}_by_id"),
        "create" => format!("create_a_{integration}_{one}"),
        "update" | "delete" => format!("{method}_a_{integration}_{one}_by_id"),
        custom => format!("{integration}_{resource}_{custom}"),
    }
}

fn names(schema: &Value) -> Vec<&str> {
    schema["properties"].as_object().into_iter().flat_map(|properties| properties.keys().map(String::as_str)).collect()
}

/// Calls a tool as Truto's `LangChain` tools do (contract section 13.3): the arguments go where the schemas have them.
async fn call(program: &Program<'_>, tool: &Value, arguments: &Value) -> Result<Answer> {
    let arguments = arguments.as_object().context("no arguments")?;
    for required in tool["required"].as_array().into_iter().flatten() {
        ensure!(required.as_str().is_some_and(|name| arguments.contains_key(name)), "{required} is required: {tool}");
    }
    let given = |schema: &str| {
        let known = names(&tool[schema]);
        arguments.iter().filter(move |(name, _)| known.contains(&name.as_str()))
    };
    let query: Vec<_> = given("query_schema").map(|(name, value)| (name.as_str(), text(value))).collect();
    let body: Value = given("body_schema")
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let resource = tool["resource"].as_str().context("no resource")?;
    let id = arguments.get("id").map(text).unwrap_or_default();
    match tool["method"].as_str() {
        Some("list") => program.proxy(Method::GET, &[resource], &query, None).await,
        Some("get") => program.proxy(Method::GET, &[resource, &id], &query, None).await,
        Some("create") => program.proxy(Method::POST, &[resource], &query, Some(&body)).await,
        Some("update") => program.proxy(Method::PATCH, &[resource, &id], &query, Some(&body)).await,
        Some("delete") => program.proxy(Method::DELETE, &[resource, &id], &query, None).await,
        Some(custom) => program.proxy(Method::POST, &[resource, custom], &query, Some(&body)).await,
        None => anyhow::bail!("no method: {tool}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What an agent would say to call a method.
fn arguments(resource: &Resource, expected: &Expected, twin: &Twin) -> Result<Value> {
    let mut arguments: serde_json::Map<_, _> =
        resource.query.iter().map(|(name, value)| ((*name).to_owned(), value.as_str().into())).collect();
    match expected {
        Expected::List { .. } => drop(arguments.insert("limit".to_owned(), json!(2))),
        Expected::Get { .. } | Expected::Update { .. } | Expected::Delete { .. } => {
            let records = twin.records(resource.collection, &resource.request)?;
            let id = text_at(records.first().context("no record")?, resource.id)?;
            arguments.insert("id".to_owned(), id.into());
        }
        Expected::Parts | Expected::Create { .. } => {}
    }
    if let Expected::Create { body, .. } | Expected::Update { body, .. } = expected {
        arguments.extend(body.as_object().context("no object")?.clone());
    }
    Ok(arguments.into())
}

async fn each_is_called(program: &Program<'_>, twin: &Twin, resources: &[Resource], tools: &[Value]) -> Result<()> {
    for resource in resources {
        for (method, expected) in &resource.methods {
            let name = name(twin, resource.name, method);
            let tool = tools.iter().find(|tool| tool["name"] == name).with_context(|| format!("no tool {name}"))?;
            let (query, body) = (names(&tool["query_schema"]), names(&tool["body_schema"]));
            let has = |expected: &[&str]| expected.iter().all(|name| query.contains(name));
            match expected {
                Expected::List { .. } => ensure!(has(&["limit", "next_cursor"]), "{name}: {query:?}"),
                Expected::Parts => {}
                Expected::Get { .. } | Expected::Update { .. } | Expected::Delete { .. } => {
                    ensure!(has(&["id"]), "{name}: {query:?}");
                }
                Expected::Create { body: given, .. } => {
                    let given = given.as_object().context("no object")?;
                    ensure!(given.keys().all(|name| body.contains(&name.as_str())), "{name}: {body:?}");
                }
            }
            let called =
                call(program, tool, &arguments(resource, expected, twin)?).await.with_context(|| name.clone())?;
            called.ok().context(name)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn an_agent_calls_each_tool_of_each_curated_integration_by_its_schemas() -> Result<()> {
    let all = ["github", "google", "microsoft", "slack", "notion", "hubspot", "jira", "salesforce"];
    with_each(&all, async |program, twin| {
        let resources = resources::of(twin)?;
        let answer = program.relink.get(&format!("/integrated-account/{}/tools", program.account)).await?;
        let tools = answer["result"].as_array().context("no tools")?;
        let mut expected = BTreeSet::new();
        for resource in &resources {
            for (method, _) in &resource.methods {
                expected.insert(name(twin, resource.name, method));
            }
        }
        let found: BTreeSet<_> = tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned)).collect();
        ensure!(found == expected && found.len() == tools.len(), "{found:?}");
        each_is_called(program, twin, &resources, tools).await
    })
    .await
}
