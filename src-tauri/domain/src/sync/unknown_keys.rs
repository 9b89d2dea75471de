//! Keys of a job's nodes that mean nothing: a misspelt one would otherwise be ignored in silence.

use serde_json::{Map, Value};

use super::graph::Form;

const COMMON: &[&str] = &["name", "type", "depends_on", "run_if", "debug"];

/// The keys of a node's type, and those of its `config`. `None` for a config: it is a template, whose keys somebody else knows.
fn known(kind: &str, destination: Option<&str>) -> Option<(&'static [&'static str], Option<&'static [&'static str]>)> {
    const NO_CONFIG: Option<&[&str]> = Some(&[]);
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
                // Refused when they are written.
                "delete_tracking",
                "delete_tracking_query",
            ],
            NO_CONFIG,
        ),
        ("transform" | "add_context", _) => (&["config"], Some(&["expression"])),
        ("spool", _) => (&[], NO_CONFIG),
        ("get_state", _) => (&["config"], Some(&["key", "default"])),
        ("update_state", _) => (&["config"], Some(&["key", "value", "value_expression"])),
        ("delete_state", _) => (&["config"], Some(&["key"])),
        ("event", _) => (&["config"], Some(&["name"])),
        ("destination", Some("datastore")) => {
            (&["destination_type", "config", "resources_to_persist", "method", "loop_on"], None)
        }
        ("destination", Some("file")) => {
            (&["destination_type", "config", "resources_to_persist"], Some(&["path", "format", "table", "key"]))
        }
        ("destination", _) => (&["destination_type", "config", "resources_to_persist"], Some(&["id", "config"])),
        _ => return None,
    })
}

/// What of a job's `resources` has no effect, in a sentence for each. Nodes that can't be read have none: they are refused.
pub fn unknown_keys(resources: &Value, form: Form) -> Vec<String> {
    let nodes = resources.as_array().into_iter().flatten().enumerate();
    nodes.filter_map(|(at, node)| Some(unknown_keys_of(at, node.as_object()?, form))).flatten().collect()
}

fn unknown_keys_of(at: usize, node: &Map<String, Value>, form: Form) -> Vec<String> {
    let text = |key: &str| node.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let kind = text("type").unwrap_or("request");
    let Some((keys, config)) = known(kind, text("destination_type")) else { return Vec::new() };
    let is_flat = form != Form::Typed;
    let is_known = |key: &str| COMMON.contains(&key) || keys.contains(&key) || (is_flat && key == "persist");
    let has_no_effect =
        |path: String| format!("resources[{at}].{path} isn't known for a {kind} node, and has no effect.");
    let mut found: Vec<_> = node.keys().filter(|key| !is_known(key)).map(|key| has_no_effect(key.clone())).collect();
    if let (Some(Value::Object(given)), Some(config)) = (node.get("config"), config) {
        let unknown = given.keys().filter(|key| !config.contains(&key.as_str()));
        // A config that is unknown itself was said already.
        found.extend(unknown.filter(|_| is_known("config")).map(|key| has_no_effect(format!("config.{key}"))));
    }
    found
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
             "config": {"id": "d", "config": {}, "whatever": 1}},
        ]);
        let expected = [
            "resources[0].retries isn't known for a request node, and has no effect.",
            "resources[0].config isn't known for a request node, and has no effect.",
            "resources[1].persist isn't known for a transform node, and has no effect.",
            "resources[1].config.language isn't known for a transform node, and has no effect.",
            "resources[2].method isn't known for a destination node, and has no effect.",
            "resources[2].config.Id isn't known for a destination node, and has no effect.",
        ];
        assert_eq!(unknown_keys(&resources, Form::Typed), expected);
        let flat = json!([{"resource": "tickets", "persist": false, "persists": true}]);
        let expected = ["resources[0].persists isn't known for a request node, and has no effect."];
        assert_eq!(unknown_keys(&flat, Form::Flat), expected);
    }
}
