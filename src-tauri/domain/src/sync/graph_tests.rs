use serde_json::{Value, json};

use super::{Content, DestinationKind, Form, Graph, Lifecycle, NodeKind};

/// The example of contract section 9.2.
fn example() -> Value {
    json!([
        {"name": "mark", "type": "get_state", "config": {"default": "{{args.from}}", "key": "people_seen"}},
        {"name": "since", "type": "add_context", "depends_on": "mark", "config": {"expression": "{ \"from\": resources.mark.value }"}},
        {"name": "people", "type": "request", "depends_on": "since", "resource": "crm/contacts", "method": "list",
         "integrated_account_id": "{{args.integrated_account_id}}", "query": {"updated_at": {"gte": "{{from}}"}}},
        {"name": "out", "type": "destination", "destination_type": "webhook", "resources_to_persist": ["people"],
         "config": {"id": "{{args.webhook_id}}"}},
        {"name": "end", "type": "event", "config": {"name": "complete"}},
        {"name": "keep", "type": "update_state", "depends_on": "end", "config": {"key": "people_seen",
         "value_expression": "sync_job_run[status = \"completed\"].started_at.toISOString()"}},
    ])
}

fn graph(resources: &Value, form: Form) -> Graph {
    Graph::parse(resources, form).unwrap_or_else(|error| panic!("{error}"))
}

fn names(graph: &Graph, places: impl IntoIterator<Item = usize>) -> Vec<&str> {
    places.into_iter().map(|at| graph.node(at).name.as_str()).collect()
}

#[test]
fn typed_nodes_are_decoded_with_what_leads_from_one_to_the_other() {
    let graph = graph(&example(), Form::Typed);
    let at = |name: &str| graph.nodes().iter().position(|node| node.name == name).expect("a node");
    assert_eq!(names(&graph, graph.roots().map(|(at, _)| at)), ["mark"]);
    assert_eq!(names(&graph, graph.below(at("mark")).to_vec()), ["since"]);
    assert_eq!(names(&graph, graph.below(at("people")).to_vec()), ["out"]);
    assert_eq!(names(&graph, graph.events(Lifecycle::Complete)), ["end"]);
    assert_eq!(graph.events(Lifecycle::Start).count(), 0);
    let NodeKind::Request(request) = &graph.node(at("people")).kind else { panic!("a request") };
    assert!(request.is_unified() && matches!(request.query, Some(Content::Template(_))));
    assert_eq!(request.path(), ["crm", "contacts"]);
    assert!(!graph.node(at("people")).below_sees_resources(), "so its records stay text");
    assert!(graph.node(at("mark")).below_sees_resources() && !graph.node(at("mark")).template_sees_resources());
    let expressions: Vec<_> = graph.expressions().map(|(place, _)| place).collect();
    assert_eq!(expressions, ["resources[1].config.expression", "resources[5].config.value_expression"]);
}

#[test]
fn flat_nodes_become_the_same_ones() {
    let flat = json!([
        {"resource": "crm/contacts"},
        {"resource": "crm/notes", "method": "list", "depends_on": "crm/contacts", "loop_on": "resources.crm.contacts",
         "query": {"contact": {"id": "{{resources.crm.contacts.id}}"}}, "persist": false},
        {"name": "all", "type": "spool", "depends_on": "crm/notes", "persist": false},
        {"name": "short", "type": "transform", "depends_on": "all", "config": "resources.all.id"},
        {"resource": "crm/contacts", "method": "get", "id": 7},
    ]);
    let graph = graph(&flat, Form::Flat);
    let run = graph.nodes().last().expect("the run's destination");
    let NodeKind::Destination(destination) = &run.kind else { panic!("a destination") };
    assert_eq!(destination.kind, DestinationKind::Run);
    let sources: Vec<_> = destination.sources.iter().map(|at| graph.node(*at).key()).collect();
    assert_eq!(sources, ["crm/contacts", "short", "crm/contacts"]);
    let NodeKind::Request(notes) = &graph.node(1).kind else { panic!("a request") };
    assert_eq!(notes.loop_on.as_deref(), Some(&["resources", "crm", "contacts"].map(str::to_owned)[..]));
    assert_eq!((graph.node(1).depends_on.as_slice(), graph.node(1).method()), (&[0][..], "list"));
    assert_eq!(graph.node(3).kind, NodeKind::Transform("resources.all.id".to_owned()));
    assert!(graph.node(1).template_sees_resources());
}

#[test]
fn a_batch_keeps_what_is_unified_or_asked_for() {
    let batch = json!([
        {"resource": "crm/contacts"},
        {"resource": "repos"},
        {"resource": "crm/notes", "persist": false},
        {"resource": "issues", "depends_on": ["repos", "crm/notes"], "persist": true},
    ]);
    let graph = graph(&batch, Form::Batch);
    let NodeKind::Destination(destination) = &graph.nodes()[4].kind else { panic!("a destination") };
    assert_eq!(destination.sources, [0, 3]);
    assert_eq!(graph.node(3).depends_on, [1, 2]);
    assert_eq!(graph.below(1), [3]);
}

#[test]
fn what_a_node_depends_on_comes_before_it_and_what_adds_names_runs_first() {
    // Truto's example of an incremental sync: the request counts on what stands beside it.
    let graph = graph(
        &json!([
            {"name": "list", "type": "request", "depends_on": "get", "resource": "events", "method": "list"},
            {"name": "hook", "type": "destination", "destination_type": "webhook", "resources_to_persist": "list", "config": {"id": "x"}},
            {"name": "add", "type": "add_context", "depends_on": "get", "config": {"expression": "{}"}},
            {"name": "get", "type": "get_state", "config": {"key": "k"}},
        ]),
        Form::Typed,
    );
    assert_eq!(names(&graph, graph.below(3).to_vec()), ["add", "list"]);
    assert_eq!(names(&graph, graph.in_order().map(|(at, _)| at)), ["get", "list", "hook", "add"]);
}

fn request(name: &str) -> Value {
    json!({"name": name, "type": "request", "resource": "x", "method": "list"})
}

/// A node with other keys.
fn with(mut node: Value, keys: &Value) -> Value {
    node.as_object_mut().expect("an object").extend(keys.as_object().expect("an object").clone());
    node
}

/// A job of one request, which has these keys.
fn job(keys: &Value) -> Value {
    json!([with(request("a"), keys)])
}

/// A job with a destination, which has these keys.
fn out(keys: &Value) -> Value {
    let node = json!({"name": "out", "type": "destination", "destination_type": "webhook", "resources_to_persist": ["a"],
        "config": {"id": "x"}});
    json!([request("a"), with(node, keys)])
}

fn refused(resources: &Value) -> String {
    let error = Graph::parse(resources, Form::Typed).expect_err("no graph");
    assert!(!error.is_unsupported, "{resources}");
    error.to_string()
}

#[test]
fn a_job_that_cannot_run_names_the_place_and_what_to_do() {
    let types =
        "Use request, transform, add_context, spool, get_state, update_state, delete_state, event or destination.";
    for (resources, message) in [
        (json!({}), "resources must be a list of nodes.".to_owned()),
        (json!([1]), "resources[0] must be an object in { }.".to_owned()),
        (json!([{"name": "a"}]), format!("resources[0].type is missing. {types}")),
        (
            json!([{"type": "spool"}]),
            "resources[0].name is missing. Give the node a name that no other node has.".to_owned(),
        ),
        (json!([{"name": "a", "type": "loop"}]), format!("resources[0].type \"loop\" isn't known. {types}")),
        (json!([{"name": 1, "type": "spool"}]), "resources[0].name must be a string in quotes.".to_owned()),
        (
            json!([request("a"), request("a")]),
            "resources[1].name \"a\" is another node's name too. Change one of them.".to_owned(),
        ),
        (
            job(&json!({"depends_on": "b"})),
            "resources[0].depends_on names \"b\", which no node is named. Correct it, or add that node.".to_owned(),
        ),
        (
            job(&json!({"depends_on": "a"})),
            "resources[0].depends_on leads in a circle: a. Take one of them out of it.".to_owned(),
        ),
        (
            json!([{"name": "a", "type": "spool", "depends_on": "b"}, {"name": "b", "type": "spool", "depends_on": "a"}, request("c")]),
            "resources[0].depends_on leads in a circle: a, b. Take one of them out of it.".to_owned(),
        ),
        (
            job(&json!({"depends_on": ["a", "a"]})),
            "resources[0].depends_on must be one node's name. Collect several in a chain of nodes.".to_owned(),
        ),
        (
            json!([{"name": "s", "type": "spool"}]),
            "resources[0].depends_on is missing. Name the node whose records it gets.".to_owned(),
        ),
        (
            job(&json!({"resource": null})),
            "resources[0].resource is missing. Add one, such as \"crm/contacts\".".to_owned(),
        ),
        (
            job(&json!({"resource": "a/b/c"})),
            "resources[0].resource must be \"model/resource\" for the unified API, or one name for the proxy."
                .to_owned(),
        ),
        (job(&json!({"method": ""})), "resources[0].method is missing. Add one, such as \"list\".".to_owned()),
        (job(&json!({"query": 1})), "resources[0].query must be an object, or a string with JSONata.".to_owned()),
        (job(&json!({"run_if": true})), "resources[0].run_if must be a string in quotes.".to_owned()),
        (job(&json!({"debug": 1})), "resources[0].debug must be true or false.".to_owned()),
        (job(&json!({"recurse": "x"})), "resources[0].recurse must be an object with if and config.".to_owned()),
        (
            job(&json!({"recurse": {"config": {}}})),
            "resources[0].recurse.if is missing. Add one, such as \"{{resources.pages.has_children:bool}}\"."
                .to_owned(),
        ),
        (
            job(&json!({"recurse": {"if": "x", "config": "y"}})),
            "resources[0].recurse.config must be an object in { }.".to_owned(),
        ),
        (
            json!([request("a"), {"name": "t", "type": "transform", "depends_on": "a", "config": {}}]),
            "resources[1].config.expression is missing. Add one, such as \"resources.contacts\".".to_owned(),
        ),
        (
            json!([{"name": "g", "type": "get_state"}]),
            "resources[0].config.key is missing. Add one, such as \"last_synced_at\".".to_owned(),
        ),
        (
            json!([{"name": "u", "type": "update_state", "config": {"key": "k"}}]),
            "resources[0].config.value is missing, and so is config.value_expression. Add one of them.".to_owned(),
        ),
        (
            json!([{"name": "e", "type": "event", "config": {"name": "end"}}]),
            "resources[0].config.name \"end\" isn't known. Use start, complete or error.".to_owned(),
        ),
        (
            json!([request("a"), {"name": "e", "type": "event", "depends_on": "a", "config": {"name": "start"}}]),
            "resources[1].depends_on has no effect on an event, which depends on nothing. Take it away.".to_owned(),
        ),
        (
            json!([{"name": "e", "type": "event", "run_if": "true", "config": {"name": "start"}}]),
            "resources[0].run_if has no effect on an event. Give it to the nodes that depend on the event.".to_owned(),
        ),
    ] {
        assert_eq!(refused(&resources), message, "{resources}");
    }
}

#[test]
fn a_destination_that_cannot_work_names_the_place_and_what_to_do() {
    for (resources, message) in [
        (
            out(&json!({"resources_to_persist": []})),
            "resources[1].resources_to_persist is missing. Name the nodes whose records go here.".to_owned(),
        ),
        (
            out(&json!({"resources_to_persist": ["out"]})),
            "resources[1].resources_to_persist names \"out\", which has no records. Take it away.".to_owned(),
        ),
        (
            out(&json!({"destination_type": "mail"})),
            "resources[1].destination_type \"mail\" isn't known. Use webhook, datastore or file.".to_owned(),
        ),
        (
            out(&json!({"config": {}})),
            "resources[1].config.id is missing. Add one, such as \"{{args.webhook_id}}\".".to_owned(),
        ),
        (
            out(&json!({"destination_type": "datastore"})),
            "resources[1].method is missing. Add one, such as \"uploadObject\".".to_owned(),
        ),
        (
            out(&json!({"destination_type": "file", "config": {"path": "x", "format": "csv"}})),
            "resources[1].config.format \"csv\" isn't known. Use sqlite, jsonl or parquet.".to_owned(),
        ),
    ] {
        assert_eq!(refused(&resources), message, "{resources}");
    }
    let named = Graph::parse(&out(&json!({"config": {}})), Form::Typed).expect_err("no graph");
    assert_eq!(named.node.as_deref(), Some("out"));
    let many: Value = (0..501).map(|at| request(&format!("n{at}"))).collect();
    assert_eq!(
        Graph::parse(&many, Form::Typed).expect_err("too many").to_string(),
        "resources must be a list of 0 to 500 nodes."
    );
    assert_eq!(
        Graph::parse(&json!([]), Form::Batch).expect_err("none").to_string(),
        "resources must be a list of 1 to 100 nodes."
    );
    let state = json!([{"name": "g", "type": "get_state", "config": {"key": "k"}}]);
    assert_eq!(
        Graph::parse(&state, Form::Batch).expect_err("no state in a batch").to_string(),
        "resources[0].type \"get_state\" isn't known in a batch. Use request, transform or spool."
    );
}

#[test]
fn what_relink_lacks_is_an_error_of_its_own() {
    let superquery = json!([
        {"name": "a", "type": "request", "resource": "x", "method": "list"},
        {"name": "out", "type": "destination", "destination_type": "superquery", "resources_to_persist": ["a"], "config": {"id": "x"}},
    ]);
    let error = Graph::parse(&superquery, Form::Typed).expect_err("lacking");
    assert!(error.is_unsupported && error.path == "resources[1].destination_type", "{error}");
    assert!(Graph::load(&superquery, Form::Typed).expect_err("nowhere to go").is_unsupported);
}

#[test]
fn a_stored_job_stays_usable_although_rules_have_changed() {
    let stored = json!([
        {"name": "a", "type": "request", "resource": "x", "method": "list", "debug": "yes"},
        {"name": "e", "type": "event", "depends_on": "a", "config": {"name": "start"}},
        {"name": "out", "type": "destination", "destination_type": "webhook", "config": {"id": "x"}},
    ]);
    Graph::parse(&stored, Form::Typed).expect_err("three mistakes");
    let graph = Graph::load(&stored, Form::Typed).expect("usable");
    assert_eq!(names(&graph, graph.events(Lifecycle::Start)), ["e"]);
    assert_eq!(graph.below(0), [] as [usize; 0]);
}
