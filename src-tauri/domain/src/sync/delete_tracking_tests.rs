use serde_json::{Value, json};

use super::{Condition, DeleteMode, DeleteTracking, Form, Graph, NodeKind, Operator, warnings};

/// A job whose request has these keys, and a destination that keeps rows.
fn job(keys: &Value) -> Value {
    let mut request = json!({"name": "people", "type": "request", "resource": "crm/contacts", "method": "list"});
    request.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
    json!([request, table(&json!({}))])
}

fn table(config: &Value) -> Value {
    let mut all = json!({"path": "x", "format": "sqlite", "key": "id"});
    all.as_object_mut().expect("an object").extend(config.as_object().expect("an object").clone());
    json!({"name": "out", "type": "destination", "destination_type": "file", "resources_to_persist": ["people"], "config": all})
}

fn tracking(resources: &Value) -> Option<DeleteTracking> {
    let graph = Graph::parse(resources, Form::Typed).unwrap_or_else(|error| panic!("{error}"));
    let NodeKind::Request(request) = &graph.node(0).kind else { panic!("a request") };
    request.delete_tracking.clone()
}

fn refused(resources: &Value, form: Form) -> String {
    let error = Graph::parse(resources, form).expect_err("refused");
    assert!(!error.is_unsupported, "{error}");
    // What is stored runs without it.
    let stored = Graph::load(resources, form).expect("usable");
    assert!(
        matches!(&stored.node(0).kind, NodeKind::Request(it) if it.delete_tracking.is_none())
            || !stored.tracked().is_empty()
    );
    error.to_string()
}

#[test]
fn a_query_is_conditions() {
    assert_eq!(tracking(&job(&json!({}))), None);
    let hard = tracking(&job(&json!({"delete_tracking": "hard"}))).expect("tracking");
    assert_eq!((hard.mode, hard.conditions.len()), (DeleteMode::Hard, 0));
    let soft = tracking(&job(&json!({"delete_tracking": "soft", "delete_tracking_query": {
        "status": "open", "tags": ["a", 1], "in": {"in": "{{args.list:json}}"},
        "owner": {"id": "{{args.owner}}", "deep": {"at": {"gte": 1, "lt": 2.5}}}, "ok": {"ne": true},
    }})));
    let soft = soft.expect("tracking");
    assert_eq!(soft.mode, DeleteMode::Soft);
    let conditions: Vec<_> = soft.conditions.iter().map(|it| (it.shown(), it.operator)).collect();
    let shown = |field: &str| format!("delete_tracking_query.{field}");
    assert_eq!(
        conditions,
        [
            (shown("status"), Operator::Eq),
            (shown("tags"), Operator::In),
            (shown("in"), Operator::In),
            (shown("owner.id"), Operator::Eq),
            (shown("owner.deep.at"), Operator::Gte),
            (shown("owner.deep.at"), Operator::Lt),
            (shown("ok"), Operator::Ne),
        ]
    );
}

#[test]
fn a_condition_without_a_value_is_none() {
    let of = |operator: &str| {
        let query = json!({"delete_tracking": "soft", "delete_tracking_query": {"x": {operator: "{{args.x}}"}}});
        tracking(&job(&query)).expect("tracking").conditions.remove(0)
    };
    let filled = |operator: &str, value: Value| {
        of(operator).filled(Some(value.clone())).map(|it: Condition<_>| it.value == value)
    };
    for value in [json!("a"), json!(0), json!(false)] {
        assert_eq!(filled("eq", value), Some(true));
    }
    for value in [json!(""), json!(null), json!("{{args.x}}"), json!({}), json!(["a"])] {
        assert_eq!(filled("lt", value.clone()), None, "{value}");
    }
    assert_eq!(of("eq").filled(None), None);
    assert_eq!(filled("in", json!(["a", 1])), Some(true));
    assert_eq!(filled("in", json!([])), Some(true), "a list without anything has no rows");
    for value in [json!("a"), json!([null]), json!(["{{args.x}}"])] {
        assert_eq!(filled("in", value.clone()), None, "{value}");
    }
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let soft = |query: Value| job(&json!({"delete_tracking": "soft", "delete_tracking_query": query}));
    let known = "Use eq, ne, gt, gte, lt, lte, in.";
    let many: serde_json::Map<_, _> = (0..51).map(|n| (format!("f{n}"), json!(n))).collect();
    for (resources, message) in [
        (job(&json!({"delete_tracking": "yes"})), "delete_tracking must be \"soft\" or \"hard\".".to_owned()),
        (job(&json!({"delete_tracking": true})), "delete_tracking must be \"soft\" or \"hard\".".to_owned()),
        (
            job(&json!({"delete_tracking_query": {"x": 1}})),
            "delete_tracking is missing, which delete_tracking_query is for. Add it: \"soft\" or \"hard\".".to_owned(),
        ),
        (
            job(&json!({"delete_tracking": "soft", "method": "get"})),
            "delete_tracking is for the method list of a resource of the unified API alone. Take it away.".to_owned(),
        ),
        (
            job(&json!({"delete_tracking": "soft", "resource": "contacts"})),
            "delete_tracking is for the method list of a resource of the unified API alone. Take it away.".to_owned(),
        ),
        (
            soft(json!("status = 1")),
            "delete_tracking_query must be an object, such as {\"status\": \"open\"}.".to_owned(),
        ),
        (
            soft(json!({"x": {"gt": 1, "like": "a"}})),
            format!("delete_tracking_query.x.like isn't an operator. {known}"),
        ),
        (
            soft(json!({"x": {"y": null}})),
            "delete_tracking_query.x.y must be a string, a number or a boolean, or an object with an operator."
                .to_owned(),
        ),
        (
            soft(json!({"x": {}})),
            "delete_tracking_query.x must be a string, a number or a boolean, or an object with an operator."
                .to_owned(),
        ),
        (soft(json!({"x": []})), "delete_tracking_query.x must be a list of strings, numbers or booleans.".to_owned()),
        (
            soft(json!({"x": {"in": 1}})),
            "delete_tracking_query.x must be a list of strings, numbers or booleans.".to_owned(),
        ),
        (soft(many.into()), "delete_tracking_query may have at most 50 conditions.".to_owned()),
    ] {
        assert_eq!(refused(&resources, Form::Typed), format!("resources[0].{message}"), "{resources}");
    }
    let batch = json!([{"resource": "crm/contacts", "delete_tracking": "soft"}]);
    assert_eq!(
        refused(&batch, Form::Batch),
        "resources[0].delete_tracking has no effect in a batch, whose answer keeps no rows. Take it away."
    );
    let of_records = |path: &str| {
        let request = job(&json!({"delete_tracking": "soft"}))[0].clone();
        json!([request, table(&json!({"path": path}))])
    };
    for path in ["{{payload.records.0.day}}", "{{resources.crm.contacts.0.day}}"] {
        assert_eq!(
            refused(&of_records(path), Form::Typed),
            "resources[1].config may not depend on the records, because \"people\" has delete_tracking and its list may be empty. Use args."
        );
    }
    let mut below_event = job(&json!({"delete_tracking": "soft", "depends_on": "end"}));
    below_event
        .as_array_mut()
        .expect("a list")
        .push(json!({"name": "end", "type": "event", "config": {"name": "complete"}}));
    assert_eq!(
        refused(&below_event, Form::Typed),
        "resources[0].delete_tracking has no effect below an event, because the run has ended by then. Take it away."
    );
}

#[test]
fn a_destination_that_keeps_rows_gets_them_through_other_nodes_too() {
    let mut resources = job(&json!({"delete_tracking": "soft"}));
    let more = json!([
        {"name": "t", "type": "transform", "depends_on": "people", "config": {"expression": "1"}},
        {"name": "c", "type": "add_context", "depends_on": "t", "config": {"expression": "{}"}},
        {"name": "notes", "type": "request", "resource": "crm/notes", "method": "list", "depends_on": "c"},
        {"name": "second", "type": "destination", "destination_type": "file", "resources_to_persist": ["c", "notes"],
         "config": {"path": "y", "format": "sqlite", "key": "id"}},
        {"name": "lines", "type": "destination", "destination_type": "file", "resources_to_persist": ["people"],
         "config": {"path": "y", "format": "jsonl"}},
    ]);
    resources.as_array_mut().expect("a list").extend(more.as_array().expect("a list").clone());
    let graph = Graph::parse(&resources, Form::Typed).unwrap_or_else(|error| panic!("{error}"));
    let name = |at: usize| graph.node(at).name.as_str();
    let found: Vec<_> =
        graph.tracked().iter().map(|it| [it.request, it.source, it.made_by, it.destination].map(name)).collect();
    assert_eq!(found, [["people", "people", "people", "out"], ["people", "c", "t", "second"]]);
    let through: Vec<&str> =
        (0..graph.nodes().len()).filter(|at| graph.tracked()[1].goes_through(*at)).map(name).collect();
    assert_eq!(through, ["people", "t", "c", "second"]);
}

#[test]
fn a_job_whose_rows_could_be_deleted_by_mistake_or_never_is_warned_of() {
    let soft = |keys: Value| {
        let mut all = json!({"delete_tracking": "soft"});
        all.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
        job(&all)
    };
    let narrowed = [
        "resources[0].delete_tracking counts every row as deleted that the list doesn't have. If resources[0].query leaves records out, say the same in delete_tracking_query.",
    ];
    let without_rows = [
        "resources[0].delete_tracking has no effect, because no destination keeps a row for each of its records. Add one of the type file, with the format sqlite and a key.",
    ];
    for (resources, form, expected) in [
        (soft(json!({})), Form::Typed, &[][..]),
        (soft(json!({"query": {"limit": 100, "truto_ignore_limit": true}})), Form::Typed, &[]),
        (soft(json!({"query": {"updated_at": {"gt": "{{previous_run_date}}"}}})), Form::Typed, &narrowed),
        (soft(json!({"query": "{\"status\": \"open\"}"})), Form::Typed, &narrowed),
        (soft(json!({"query": {"status": "open"}, "delete_tracking_query": {"status": "open"}})), Form::Typed, &[]),
        (json!([soft(json!({}))[0]]), Form::Typed, &without_rows),
        (json!([{"resource": "crm/contacts", "delete_tracking": "soft"}]), Form::Flat, &without_rows),
    ] {
        assert_eq!(warnings(&resources, form), expected, "{resources}");
    }
}
