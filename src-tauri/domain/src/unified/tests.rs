use serde_json::{Map, Value, json};

use super::*;

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

#[test]
fn layers_merge_objects_and_replace_texts() {
    let base = map(&json!({"query": {"a": 1, "b": 1}, "response_mapping": "1", "before": [1, 2], "body": {"x": 1}}));
    let environment = map(&json!({"query": {"b": 2}, "response_mapping": "2", "before": [3]}));
    let account = map(&json!({"query": {"c": 3}, "body": null}));
    let expected = map(&json!({"query": {"a": 1, "b": 2, "c": 3}, "response_mapping": "2", "before": [3]}));
    assert_eq!(merged([Some(&base), Some(&environment), Some(&account)]), Some(expected));
    // Each may be there alone, and without any there is no mapping.
    assert_eq!(merged([None, None, Some(&environment)]), Some(environment.clone()));
    assert_eq!(merged([None, None, None]), None);
    let over = map(&json!({"crm": {"contacts": {"list": {"resource": "people"}, "get": 1}}}));
    let of = |method| of_account(&over, UnifiedMethod { model: "crm", resource: "contacts", method });
    assert_eq!(of("list"), Some(&map(&json!({"resource": "people"}))));
    assert_eq!((of("get"), of("create")), (None, None));
}

#[test]
fn every_expression_is_found_with_its_key() {
    let config = json!({
        "before": [
            {"type": "request", "run_if": "a", "config": {"resource": "x", "method": "list", "query": "b", "body": "c"}},
            {"type": "request", "config": "d"},
            {"type": "transform", "config": {"expression": "e"}},
        ],
        "after": [{"type": "transform", "config": "f"}],
        "resource": {"expression": "g", "resources": ["x"]},
        "method": {"expression": "h", "methods": ["list"]},
        "query_mapping": "i",
        "request_body_mapping": {"x": {"y": "j"}, "z": ["k", 1]},
        "path_mapping": "l",
        "request_header_mapping": "m",
        "error_mapping": "n",
        "response_mapping": "o",
        "side_load": {"s": {"resource": "x", "method": "get", "query": "p", "run_if": "q", "response_mapping": "r"}},
        "is_partial_expression": "t",
        "response_header_mapping": "u",
    });
    let (mapping, warnings) = Mapping::check(&map(&config)).expect("a good config");
    assert_eq!(warnings, []);
    let found: Vec<_> = mapping.expressions().into_iter().map(|(key, text)| format!("{key} {text}")).collect();
    assert_eq!(
        found,
        [
            "before[0].run_if a",
            "before[0].config.query b",
            "before[0].config.body c",
            "before[1].config d",
            "before[2].config.expression e",
            "resource.expression g",
            "method.expression h",
            "query_mapping i",
            "request_body_mapping.x.y j",
            "request_body_mapping.z[0] k",
            "path_mapping l",
            "request_header_mapping m",
            "error_mapping n",
            "response_mapping o",
            "response_header_mapping u",
            "side_load.s.query p",
            "side_load.s.run_if q",
            "side_load.s.response_mapping r",
            "after[0].config.expression f",
            "is_partial_expression t",
        ]
    );
}

#[test]
fn a_config_that_cannot_work_is_refused_with_its_key() {
    for (config, said) in [
        (json!({"query": []}), "query: must be an object"),
        (json!({"response_mapping": 1}), "response_mapping: must be a JSONata expression"),
        (json!({"response_mapping": ["a"]}), "response_mapping: must be a JSONata expression"),
        (
            json!({"response_mapping_method": "each"}),
            "response_mapping_method: \"each\" is not known here; use \"array\" or \"item\"",
        ),
        (json!({"resource": {"expression": "a"}}), "resource: \"resources\" is missing"),
        (json!({"method": {"methods": ["a"]}}), "method: \"expression\" is missing"),
        (json!({"before": [{"config": {}}]}), "before[0]: \"type\" is missing"),
        (json!({"before": [{"type": "request"}]}), "before[0]: \"config\" is missing"),
        (
            json!({"before": [{"type": "wait", "config": {}}]}),
            "before[0].type: \"wait\" is not known here; use \"request\" or \"transform\"",
        ),
        (
            json!({"before": [{"type": "request", "config": {"method": "get"}}]}),
            "before[0].config: must name a \"resource\"",
        ),
        (
            json!({"before": [{"type": "request", "config": {"resource": "x"}}]}),
            "before[0].config: \"method\" is missing",
        ),
        (
            json!({"before": [{"type": "request", "config": {"resource": "x", "method": "list", "type": "unified"}}]}),
            "before[0].config: calls the unified API, so its \"resource\" must be \"model/resource\"",
        ),
        (
            json!({"after": [{"name": "a", "type": "transform", "config": "1"}, {"name": "a", "type": "transform", "config": "1"}]}),
            "after[1]: has the name of a step before it",
        ),
        (json!({"side_load": {"o": {"resource": "x"}}}), "side_load.o: \"method\" is missing"),
        (json!({"query_schema": "a: ["}), "query_schema: has YAML that can't be read"),
    ] {
        let error = Mapping::check(&map(&config)).expect_err("refused").to_string();
        assert!(error.contains(said), "{config}: {error}");
    }
}

#[test]
fn what_has_no_effect_is_a_warning_and_what_only_describes_does_not_stop_a_stored_config() {
    let config = map(&json!({"respons_mapping": "1", "resource": "x"}));
    let (_, warnings) = Mapping::check(&config).expect("a good config");
    assert_eq!(warnings.iter().map(|warning| warning.path.as_str()).collect::<Vec<_>>(), ["respons_mapping"]);
    let stored = map(&json!({"resource": "x", "query_schema": "a: [", "documentation_link": 1}));
    assert!(Mapping::check(&stored).is_err());
    let loaded = Mapping::load(&stored).expect("usable");
    assert_eq!((loaded.resource, loaded.query_schema), (Choice::Named("x".to_owned()), None));
    assert!(Mapping::load(&map(&json!({"response_mapping": 1}))).is_err());
}

#[test]
fn a_schema_says_what_is_required_in_two_forms() {
    let of = |schema: Value| requirements(&map(&schema));
    let named =
        of(json!({"type": "object", "properties": {"a": {}, "b": {"required_if": "a is set"}}, "required": ["a"]}));
    let flat = of(json!({"a": {"required": true}, "b": {"required": false, "required_if": "a is set"}}));
    assert_eq!((&named.always, &named.conditional), (&vec!["a".to_owned()], &map(&json!({"b": "a is set"}))));
    assert_eq!(named, flat);
    assert_eq!(of(json!({"type": "object", "properties": {"a": {}}})), Requirements::default());
    for (given, missing) in
        [(json!({"a": 0}), 0), (json!({"a": false}), 0), (json!({"a": ""}), 1), (json!({"a": null}), 1), (json!({}), 1)]
    {
        assert_eq!(named.missing_in(Some(&map(&given))).len(), missing, "{given}");
    }
    assert_eq!(named.missing_in(None), ["a"]);
}

#[test]
fn a_model_is_read_and_what_is_wrong_is_named() {
    let document = json!({
        "category": "crm", "description": "Sales",
        "resources": {"contacts": {"schema": {"type": "object"}, "description": "People", "methods": ["list", "merge"]}},
        "scopes": {"hubspot": ["a"]}, "webhooks": {"hubspot": "body"}, "colour": "red",
    });
    let (model, warnings) = check_model(&map(&document)).expect("a good model");
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert_eq!(model.resources["contacts"].methods, ["list", "merge"]);
    assert_eq!(UnifiedModel::load(&map(&document)), model);
    for (document, said) in [
        (json!({"resources": []}), "resources: must be an object"),
        (json!({"resources": {"a/b": {}}}), "resources.a/b: is no name of a resource"),
        (json!({"resources": {"a": {"methods": "list"}}}), "resources.a.methods: must be a list"),
        (json!({"resources": {"a": {"schema": 1}}}), "resources.a.schema: must be a JSON schema"),
        (json!({"webhooks": {"a": 1}}), "webhooks.a: must be a string"),
    ] {
        let error = check_model(&map(&document)).expect_err("refused").to_string();
        assert!(error.contains(said), "{document}: {error}");
    }
}

#[test]
fn the_built_in_models_pass_the_checks_of_what_is_written() {
    let models = built_in_models();
    assert_eq!(models.iter().map(|model| model.name.as_str()).collect::<Vec<_>>(), ["ticketing", "crm"]);
    for model in models {
        let (read, warnings) = check_model(&model.document).expect("a good model");
        assert_eq!(warnings, [], "{}", model.name);
        for (integration, resource, method, config) in model.mappings() {
            let name = format!("{} {integration} {resource} {method}", model.name);
            let (_, warnings) = Mapping::check(config).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(warnings, [], "{name}");
            assert!(read.resources[resource].methods.iter().any(|it| it == method), "{name}");
        }
    }
}
