use serde_json::{Value, json};

use super::ArgsSchema;

const ID: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

fn failures(schema: &Value, args: &Value) -> Vec<(String, String)> {
    let schema = ArgsSchema::decode(schema).expect("a schema");
    let failures = schema.check(args.as_object().expect("an object"));
    failures.into_iter().map(|failure| (failure.path, failure.message)).collect()
}

#[test]
fn both_forms_have_the_same_rules() {
    let rules = json!({
        "account": {"type": "string", "format": "integrated_account_id"},
        "hook": {"type": "string", "format": "webhook_id"},
        "store": {"type": "string", "format": "datastore_id"},
        "start_date": {"type": "string", "format": "date"},
        "since": {"type": "string", "format": "updated_at"},
        "mail": {"type": "string", "format": "email", "description": "any"},
        "n": {"type": "integer"},
        "kind": {"enum": ["a", "b"]},
        "open": {},
    });
    let mut flat = rules.clone();
    flat["account"]["required"] = true.into();
    flat["open"]["required"] = true.into();
    let schema = json!({"type": "object", "properties": rules, "required": ["account", "open"]});
    let fits = json!({"account": ID, "hook": ID, "store": ID, "start_date": "2026-01-31", "since": "2026-01-31T08:00:00Z",
        "mail": "x", "n": 2, "kind": "b", "open": [], "more": 1});
    let without = json!({"open": false, "hook": null});
    let wrong = json!({"account": "x", "hook": 1, "store": "", "start_date": "31.1.2026", "since": "soon", "mail": true, "n": 1.5,
        "kind": "c", "open": 0});
    for schema in [flat, schema] {
        assert_eq!(failures(&schema, &fits), []);
        let missing = ("args.account".to_owned(), "account is missing. Add it to args.".to_owned());
        assert_eq!(failures(&schema, &without), [missing]);
        let expected = [
            ("args.account", "account must be the id of an integrated account, a UUID."),
            ("args.hook", "hook must be a string."),
            ("args.kind", "kind must be one of \"a\", \"b\"."),
            ("args.mail", "mail must be a string."),
            ("args.n", "n must be a whole number."),
            ("args.since", "since must be a time, such as 2026-01-31T08:00:00Z."),
            ("args.start_date", "start_date must be a date, such as 2026-01-31."),
            ("args.store", "store must be the id of a datastore, a UUID."),
        ];
        let expected: Vec<_> = expected.map(|(path, message)| (path.to_owned(), message.to_owned())).into();
        assert_eq!(failures(&schema, &wrong), expected);
    }
}

#[test]
fn an_argument_may_be_named_like_a_key_of_json_schema() {
    let flat = json!({"type": {"type": "string", "required": true}, "properties": {"type": "object"}});
    assert_eq!(failures(&flat, &json!({})), [("args.type".to_owned(), "type is missing. Add it to args.".to_owned())]);
    assert_eq!(failures(&json!(null), &json!({"x": 1})), []);
    assert_eq!(failures(&json!({"type": "object"}), &json!({})), []);
    let required = json!({"type": "object", "properties": {}, "required": ["x"]});
    assert_eq!(failures(&required, &json!({})).len(), 1);
}

#[test]
fn a_schema_that_cannot_be_read_names_its_place() {
    for (schema, message) in [
        (json!([]), "args_schema must be an object: each key is an argument's name."),
        (json!({"x": "string"}), "args_schema.x must be an object, such as {\"type\": \"string\"}."),
        (
            json!({"x": {"type": "text"}}),
            "args_schema.x.type \"text\" isn't known. Use string, number, integer, boolean, object, array, null.",
        ),
        (json!({"x": {"required": "yes"}}), "args_schema.x.required must be true or false."),
        (json!({"x": {"format": 1}}), "args_schema.x.format must be a string, such as \"date\"."),
        (
            json!({"type": "object", "properties": []}),
            "args_schema.properties must be an object: each key is an argument's name.",
        ),
        (
            json!({"type": "object", "properties": {}, "required": true}),
            "args_schema.required must be a list of arguments' names.",
        ),
    ] {
        assert_eq!(ArgsSchema::decode(&schema).expect_err("no schema").to_string(), message);
    }
}

#[test]
fn a_form_has_a_field_of_the_right_kind_for_each_argument() {
    use super::ArgKind::{Account, Boolean, Date, Json, Number, Text, Time, Webhook};
    let schema = json!({"type": "object", "required": ["account"], "properties": {
        "account": {"type": "string", "format": "integrated_account_id", "description": "Whose contacts"},
        "from": {"type": "string", "format": "date"},
        "hook": {"format": "webhook_id"},
        "many": {"type": ["integer", "null"]},
        "other": {"type": "object"},
        "since": {"format": "updated_at"},
        "sure": {"type": "boolean"},
        "text": {"enum": ["a", "b"]},
    }});
    let schema = ArgsSchema::decode(&schema).expect("a schema");
    let kinds: Vec<_> = schema.fields().map(|field| (field.name, field.kind)).collect();
    let expected = [
        ("account", Account),
        ("from", Date),
        ("hook", Webhook),
        ("many", Number),
        ("other", Json),
        ("since", Time),
        ("sure", Boolean),
        ("text", Text),
    ];
    assert_eq!(kinds, expected);
    let first = schema.fields().next().expect("a field");
    assert_eq!((first.is_required, first.description), (true, Some("Whose contacts")));
    assert_eq!(schema.fields().last().expect("a field").values, [json!("a"), json!("b")]);
}
