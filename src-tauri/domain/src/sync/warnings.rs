//! What is allowed in a job's nodes, but is probably a mistake: above all keys that mean nothing, of which a misspelt one would otherwise
//! be ignored in silence.

use serde_json::{Map, Value};

use super::{
    graph::{Form, Graph, Node},
    node::{NodeKind, Recursion},
};
use crate::template::MERGE_KEY;

const COMMON: &[&str] = &["name", "type", "depends_on", "run_if", "debug"];

/// The keys of a node's type, and those of its `config`.
fn known(kind: &str, destination: Option<&str>) -> Option<(&'static [&'static str], &'static [&'static str])> {
    Some(match (kind, destination) {
        ("request", _) => (
            &[
                "resource",
                "method",
                "integrated_account_id",
                "id",
                "query",
                "body",
                "loop_on",
                "recurse",
                "response_format",
                "delete_tracking",
                "delete_tracking_query",
            ],
            &[],
        ),
        ("transform" | "add_context", _) => (&["config"], &["expression"]),
        ("spool", _) => (&[], &[]),
        ("get_state", _) => (&["config"], &["key", "default"]),
        ("update_state", _) => (&["config"], &["key", "value", "value_expression"]),
        ("delete_state", _) => (&["config"], &["key"]),
        ("event", _) => (&["config"], &["name"]),
        ("destination", Some("datastore")) => {
            (&["destination_type", "config", "resources_to_persist", "method", "loop_on"], &["id", "config"])
        }
        ("destination", Some("file")) => {
            (&["destination_type", "config", "resources_to_persist"], &["path", "format", "table", "key"])
        }
        ("destination", _) => (&["destination_type", "config", "resources_to_persist"], &["id", "config"]),
        _ => return None,
    })
}

/// A sentence for each. Nodes that can't be read have none: they are refused.
pub fn warnings(resources: &Value, form: Form) -> Vec<String> {
    let nodes = resources.as_array().into_iter().flatten().enumerate();
    let unknown = nodes.filter_map(|(at, node)| Some(unknown_keys_of(at, node.as_object()?, form))).flatten();
    unknown.chain(tracking_without_rows(resources, form)).collect()
}

/// `delete_tracking` for which no destination keeps rows, and one that would count what the list leaves out as deleted.
fn tracking_without_rows(resources: &Value, form: Form) -> Vec<String> {
    let Ok(graph) = Graph::load(resources, form) else { return Vec::new() };
    let warning = |(at, node): (usize, &Node)| {
        let NodeKind::Request(request) = &node.kind else { return None };
        let tracking = request.delete_tracking.as_ref()?;
        if graph.tracked().iter().all(|tracked| tracked.request != at) {
            return Some(format!(
                "resources[{at}].delete_tracking has no effect, because no destination keeps a row for each of its records. Add one of the type file, with the format sqlite and a key.",
            ));
        }
        (tracking.conditions.is_empty() && narrows(&resources[at]["query"])).then(|| {
            format!(
                "resources[{at}].delete_tracking counts every row as deleted that the list doesn't have. If resources[{at}].query leaves records out, say the same in delete_tracking_query.",
            )
        })
    };
    graph.nodes().iter().enumerate().filter_map(warning).collect()
}

fn unknown_keys_of(at: usize, node: &Map<String, Value>, form: Form) -> Vec<String> {
    let text = |key: &str| node.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("type").unwrap_or("request");
    let Some((keys, config)) = known(kind, text("destination_type")) else { return Vec::new() };
    let may_persist = form != Form::Typed && ["request", "transform", "spool"].contains(&kind);
    let is_known = |key: &str| COMMON.contains(&key) || keys.contains(&key) || (may_persist && key == "persist");
    let below = |key: &str, known: &[&str]| -> Vec<String> {
        let inner = key.split('.').try_fold(node, |node, key| node.get(key)?.as_object());
        let unknown = inner
            .into_iter()
            .flatten()
            .filter(|(name, value)| is_written(value) && !known.contains(&name.as_str()) && name.as_str() != MERGE_KEY);
        unknown.map(|(name, _)| format!("{key}.{name}")).collect()
    };
    let at_top = node.iter().filter(|(key, value)| is_written(value) && !is_known(key)).map(|(key, _)| key.clone());
    let mut paths: Vec<_> = at_top.collect();
    // A config that is unknown itself was said already.
    if is_known("config") {
        paths.extend(below("config", config));
    }
    if is_known("recurse") {
        paths.extend(below("recurse", &["if", "config"]));
        paths.extend(below("recurse.config", Recursion::KEYS));
    }
    let has_no_effect =
        |path| format!("resources[{at}].{path} isn't known for a node of type {kind}, and has no effect.");
    paths.into_iter().map(has_no_effect).collect()
}

/// Whether a request's `query` may leave records out: anything but the size of a page, and how the answer is written.
fn narrows(query: &Value) -> bool {
    match query {
        Value::Object(query) => query.keys().any(|key| key != "limit" && !key.starts_with("truto_")),
        other => is_written(other),
    }
}

/// Null and an empty text count as missing: Truto writes unused keys so.
fn is_written(value: &Value) -> bool {
    !value.is_null() && value.as_str() != Some("")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_means_nothing_is_said_and_nothing_else() {
        let resources = json!([
            {"name": "a", "type": "request", "resource": "crm/contacts", "method": "list", "retries": 3, "config": {"x": 1}},
            {"name": "t", "type": "transform", "depends_on": "a", "config": {"expression": "1", "language": "js"}, "persist": true},
            {"name": "w", "type": "destination", "destination_type": "webhook", "resources_to_persist": ["t"],
             "config": {"id": "w", "Id": "x"}, "method": "POST"},
            {"name": "s", "type": "destination", "destination_type": "datastore", "resources_to_persist": ["t"],
             "method": "uploadObject", "loop_on": "payload.records", "run_if": "true", "debug": true,
             "config": {"id": "d", "config": {"file_name": "x"}, "prefix": "p", "$truto_merge": {"query": {}}}},
            {"name": "r", "type": "request", "resource": "a", "method": "list", "id": null, "config": null, "loop_on": "",
             "recurse": {"if": "x", "unless": "y", "config": {"id": "1", "limit": 1, "response_format": "raw"}}},
        ]);
        let expected = [
            "resources[0].retries isn't known for a node of type request, and has no effect.",
            "resources[0].config isn't known for a node of type request, and has no effect.",
            "resources[1].persist isn't known for a node of type transform, and has no effect.",
            "resources[1].config.language isn't known for a node of type transform, and has no effect.",
            "resources[2].method isn't known for a node of type destination, and has no effect.",
            "resources[2].config.Id isn't known for a node of type destination, and has no effect.",
            "resources[3].config.prefix isn't known for a node of type destination, and has no effect.",
            "resources[4].recurse.unless isn't known for a node of type request, and has no effect.",
            "resources[4].recurse.config.limit isn't known for a node of type request, and has no effect.",
        ];
        assert_eq!(warnings(&resources, Form::Typed), expected);
        let flat = json!([
            {"resource": "tickets", "persist": false, "persists": true},
            {"name": "s", "type": "update_state", "config": {"key": "k", "value": 1}, "persist": false},
        ]);
        let expected = [
            "resources[0].persists isn't known for a node of type request, and has no effect.",
            "resources[1].persist isn't known for a node of type update_state, and has no effect.",
        ];
        assert_eq!(warnings(&flat, Form::Flat), expected);
    }
}
