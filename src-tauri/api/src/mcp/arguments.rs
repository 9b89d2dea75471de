//! A tool's one schema for agents, and an agent's arguments as a call of a method (contract section 10.2).

use relink_contract::tool::Tool;
use serde_json::{Map, Value, json};

use crate::batch::MethodCall;

/// The two schemas of a tool as one.
pub(super) fn input_schema(tool: &Tool) -> Map<String, Value> {
    let mut properties = properties_of(&tool.query_schema).cloned().unwrap_or_default();
    for (name, property) in properties_of(&tool.body_schema).into_iter().flatten() {
        properties.entry(name.clone()).or_insert_with(|| property.clone());
    }
    let mut schema = Map::from_iter([("type".to_owned(), json!("object"))]);
    // What the schemas refer to stays where their references lead: `#/$defs/…`.
    for given in [&tool.query_schema, &tool.body_schema] {
        for key in ["$defs", "definitions"] {
            let Some(definitions) = given.get(key).and_then(Value::as_object) else { continue };
            let kept = schema.entry(key).or_insert_with(|| json!({}));
            if let Some(kept) = kept.as_object_mut() {
                kept.extend(definitions.clone());
            }
        }
    }
    schema.insert("properties".to_owned(), properties.into());
    if !tool.required.is_empty() {
        schema.insert("required".to_owned(), json!(tool.required));
    }
    schema
}

fn properties_of(schema: &Value) -> Option<&Map<String, Value>> {
    schema.get("properties").and_then(Value::as_object)
}

/// Why a tool can't be called with these arguments.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum ArgumentsError {
    #[error("These arguments are missing: {}.", .0.join(", "))]
    Missing(Vec<String>),
    #[error("This tool has no argument {}. It has: {}.", .0.join(", "), .1.join(", "))]
    Unknown(Vec<String>, Vec<String>),
}

/// Divides the arguments among the call's id, query and body by the schemas. An argument of both goes into both, as `LangChain`'s toolset
/// sends it. A method without any schema takes every argument: to read as its query, otherwise as its body.
pub(super) fn call_of(tool: &Tool, arguments: Map<String, Value>) -> Result<MethodCall, ArgumentsError> {
    let is_given = |name: &&String| arguments.get(*name).is_none_or(Value::is_null);
    let missing: Vec<_> = tool.required.iter().filter(is_given).cloned().collect();
    if !missing.is_empty() {
        return Err(ArgumentsError::Missing(missing));
    }
    let takes_id = matches!(tool.method.as_str(), "get" | "update" | "delete");
    let reads = matches!(tool.method.as_str(), "get" | "list" | "delete");
    let in_query = |name: &str| properties_of(&tool.query_schema).is_some_and(|it| it.contains_key(name));
    let in_body = |name: &str| properties_of(&tool.body_schema).is_some_and(|it| it.contains_key(name));
    let has_no_body_schema = properties_of(&tool.body_schema).is_none_or(Map::is_empty);
    let (mut id, mut query, mut body, mut unknown) = (None, Map::new(), Map::new(), Vec::new());
    let is_open = is_without_schema(tool);
    for (name, value) in arguments {
        if is_reserved(&name) {
            unknown.push(name);
        } else if takes_id && name == "id" {
            id = Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        } else if in_query(&name) || in_body(&name) {
            if in_body(&name) {
                body.insert(name.clone(), value.clone());
            }
            if in_query(&name) {
                query.insert(name, value);
            }
        } else if is_open {
            if reads {
                query.insert(name, value)
            } else {
                body.insert(name, value)
            };
        } else {
            unknown.push(name);
        }
    }
    if !unknown.is_empty() {
        let known = input_schema(tool).remove("properties").unwrap_or_default();
        let known = known.as_object().into_iter().flat_map(Map::keys).cloned().collect();
        return Err(ArgumentsError::Unknown(unknown, known));
    }
    let has_body = !(reads || body.is_empty() && has_no_body_schema);
    Ok(MethodCall {
        resource: tool.resource.clone(),
        method: tool.method.clone(),
        id,
        query,
        body: has_body.then_some(Value::Object(body)),
    })
}

/// Which account it is, and what else `/proxy` reads itself, is not the agent's to say.
fn is_reserved(name: &str) -> bool {
    name == "integrated_account_id" || name.starts_with("truto_")
}

/// Whether the definition says nothing of what the method takes, apart from what every method takes.
fn is_without_schema(tool: &Tool) -> bool {
    let own: &[&str] = match tool.method.as_str() {
        "get" | "update" | "delete" => &["id"],
        "list" => &["limit", "next_cursor"],
        _ => &[],
    };
    let named = |schema| properties_of(schema).into_iter().flat_map(Map::keys);
    named(&tool.query_schema).chain(named(&tool.body_schema)).all(|name| own.contains(&name.as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tool(method: &str, query_schema: Value, body_schema: Value, required: &[&str]) -> Tool {
        Tool {
            resource: "contacts".to_owned(),
            method: method.to_owned(),
            name: "a_tool".to_owned(),
            description: "Does something.".to_owned(),
            query_schema,
            body_schema,
            response_schema: json!({"type": "object"}),
            required: required.iter().map(|name| (*name).to_owned()).collect(),
        }
    }

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(object) => object,
            other => panic!("no object: {other}"),
        }
    }

    #[test]
    fn both_schemas_are_one_for_the_agent() {
        let query = json!({"type": "object", "properties": {"id": {"type": "string"}, "dry": {"type": "boolean"}}});
        let body = json!({"type": "object", "properties": {"name": {"$ref": "#/$defs/name"}}, "$defs": {"name": {"type": "string"}}});
        let schema = input_schema(&tool("update", query, body, &["id", "name"]));
        let expected = json!({
            "type": "object",
            "properties": {"id": {"type": "string"}, "dry": {"type": "boolean"}, "name": {"$ref": "#/$defs/name"}},
            "required": ["id", "name"],
            "$defs": {"name": {"type": "string"}},
        });
        assert_eq!(Value::Object(schema), expected);
    }

    #[test]
    fn arguments_go_where_the_schemas_have_them() {
        let query = json!({"properties": {"id": {}, "dry": {}, "both": {}}});
        let body = json!({"properties": {"name": {}, "both": {}}});
        let tool = tool("update", query, body, &["id"]);
        let call = call_of(&tool, object(json!({"id": 7, "dry": true, "name": "Ada", "both": 1}))).expect("a call");
        assert_eq!((call.id.as_deref(), Value::Object(call.query)), (Some("7"), json!({"dry": true, "both": 1})));
        assert_eq!(call.body, Some(json!({"name": "Ada", "both": 1})));
    }

    #[test]
    fn a_missing_or_unknown_argument_is_named() {
        let tool = tool("get", json!({"properties": {"id": {}, "expand": {}}}), json!({}), &["id"]);
        let missing = call_of(&tool, object(json!({"id": null}))).expect_err("refused");
        assert_eq!(missing.to_string(), "These arguments are missing: id.");
        let unknown = call_of(&tool, object(json!({"id": "1", "expands": "x"}))).expect_err("refused");
        assert_eq!(unknown.to_string(), "This tool has no argument expands. It has: id, expand.");
    }

    #[test]
    fn a_method_without_a_schema_takes_every_argument() {
        let list = tool("list", json!({"properties": {"limit": {}, "next_cursor": {}}}), json!({}), &[]);
        let call = call_of(&list, object(json!({"q": "x", "limit": 5}))).expect("a call");
        assert_eq!((Value::Object(call.query), call.body), (json!({"q": "x", "limit": 5}), None));
        let refused = call_of(&list, object(json!({"integrated_account_id": "x"}))).expect_err("refused");
        assert!(refused.to_string().contains("no argument integrated_account_id"), "{refused}");
        let create = tool("create", json!({}), json!({"properties": {}}), &[]);
        let call = call_of(&create, object(json!({"name": "x"}))).expect("a call");
        assert_eq!((Value::Object(call.query), call.body), (json!({}), Some(json!({"name": "x"}))));
        let call = call_of(&create, Map::new()).expect("a call");
        assert_eq!(call.body, None);
    }
}
