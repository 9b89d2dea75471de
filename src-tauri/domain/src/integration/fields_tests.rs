use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{node::Source, strictness::Strictness},
    *,
};

fn decoded(fields: &Value) -> Result<Fields, DefinitionError> {
    Fields::decode(&Source::new(None, false, Strictness::Written).root(fields))
}

fn form() -> Fields {
    decoded(&json!([
        {"name": "api_key", "label": "API key", "type": "password", "required": true, "pattern": "k-[a-z]+"},
        {"name": "region", "label": "Region", "type": "single_select", "default": "eu",
         "options": ["us", {"label": "Europe", "value": "eu"}]},
        {"name": "note", "type": "text"}
    ]))
    .expect("good fields")
}

fn typed(pairs: &[(&str, &str)]) -> BTreeMap<String, Secret> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
}

#[test]
fn valid_values_are_split_into_secret_and_public_ones() {
    let values = form().validate(&typed(&[("api_key", " k-abc\n"), ("note", " \u{200b} ")])).expect("good values");
    assert_eq!(values.secret, typed(&[("api_key", "k-abc")]));
    assert_eq!(values.public, BTreeMap::from([("region".to_owned(), "eu".to_owned())]));
}

#[test]
fn all_problems_are_reported_and_none_quotes_a_value() {
    let long = "x".repeat(MAX_VALUE_CHARS + 1);
    for (pairs, problems) in [
        (vec![], vec![("api_key", FieldFault::Missing, "API key is missing.")]),
        (vec![("api_key", "   ")], vec![("api_key", FieldFault::Missing, "API key is missing.")]),
        (vec![("api_key", "")], vec![("api_key", FieldFault::Missing, "API key is missing.")]),
        (vec![("api_key", "\u{a0}\u{2003}\t\r\n")], vec![("api_key", FieldFault::Missing, "API key is missing.")]),
        (vec![("api_key", "\u{200b}\u{feff}")], vec![("api_key", FieldFault::Missing, "API key is missing.")]),
        (vec![("api_key", "\u{2028} \0")], vec![("api_key", FieldFault::Missing, "API key is missing.")]),
        (
            vec![("api_key", "xx k-abc"), ("region", "mars"), ("other", "1")],
            vec![
                ("other", FieldFault::Unknown, "This field isn't part of the form."),
                ("api_key", FieldFault::PatternMismatch, "API key doesn't look right. Copy all of it again."),
                ("region", FieldFault::NotAnOption, "Region must be one of the options."),
            ],
        ),
        (
            vec![("api_key", "k-abc"), ("note", "a\r\nb")],
            vec![("note", FieldFault::Unfit, "note contains a line break or another invisible character.")],
        ),
        (
            vec![("api_key", "k-abc"), ("note", long.as_str())],
            vec![("note", FieldFault::TooLong, "note is longer than 8192 characters.")],
        ),
    ] {
        let found = form().validate(&typed(&pairs)).expect_err("problems");
        let found: Vec<_> = found.iter().map(|it| (it.field.as_str(), it.fault, it.message.as_str())).collect();
        assert_eq!(found, problems);
    }
}

#[test]
fn malformed_fields_are_refused_with_a_suggestion() {
    for (fields, path, problem) in [
        (json!({}), "", "must be a list in [ ], not an object"),
        (
            json!([{"name": "a b", "type": "text"}]),
            "[0].name",
            "\"a b\" is not a field name; use letters, digits, _ and -, such as \"api_key\"",
        ),
        (
            json!([{"name": "a", "type": "textarea"}]),
            "[0].type",
            "\"textarea\" is not known here; use \"text\", \"password\" or \"single_select\"",
        ),
        (json!([{"name": "a"}]), "[0]", "\"type\" is missing; add one, such as \"password\""),
        (
            json!([{"name": "a", "type": "single_select"}]),
            "[0]",
            "a single_select needs options, such as [{\"label\": \"Europe\", \"value\": \"eu\"}]",
        ),
        (
            json!([{"name": "a", "type": "single_select", "options": ["x"], "default": "y"}]),
            "[0].default",
            "the default is not a valid value: a must be one of the options.",
        ),
        (
            json!([{"name": "a", "type": "password", "default": "hunter2"}]),
            "[0].default",
            "a password can't have a default: everybody could read it here",
        ),
        (
            json!([{"name": "a", "type": "text"}, {"name": "a", "type": "text"}]),
            "[1]",
            "there are two fields named \"a\"; rename one",
        ),
        (
            json!([{"name": "a", "type": "text", "required": "yes"}]),
            "[0].required",
            "must be true or false, not a string",
        ),
    ] {
        let error = decoded(&fields).expect_err("malformed");
        assert_eq!((error.path.as_str(), error.problem.as_str()), (path, problem));
    }
}

#[test]
fn the_form_is_serialized_for_the_connect_ui() {
    let fields = serde_json::to_value(form()).expect("JSON");
    assert_eq!(
        fields[1],
        json!({"name": "region", "label": "Region", "type": "single_select", "required": false, "default": "eu",
               "placeholder": null, "help_text": null, "pattern": null,
               "options": [{"label": "us", "value": "us"}, {"label": "Europe", "value": "eu"}]})
    );
    assert_eq!(fields[0]["pattern"], "k-[a-z]+");
}

proptest! {
    #[test]
    fn accepted_values_fit_the_form(
        key in prop::option::of("( ?)(k-)?[a-z]{0,4}(\n?)"),
        region in prop::option::of("us|eu|mars|"),
        note in prop::option::of("\\PC{0,12}|\\x00|a\tb"),
    ) {
        let pairs = [("api_key", key), ("region", region), ("note", note)];
        let typed: BTreeMap<_, _> =
            pairs.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Secret::new(value?)))).collect();
        match form().validate(&typed) {
            Ok(values) => {
                let key = values.secret.get("api_key").map(Secret::expose).unwrap_or_default();
                prop_assert!(key.len() > 2 && key.starts_with("k-"));
                prop_assert!(matches!(values.public["region"].as_str(), "us" | "eu"));
                prop_assert!(!values.public.values().any(|value| value.is_empty() || value.contains(char::is_control)));
            }
            Err(problems) => prop_assert!(!problems.is_empty()),
        }
    }
}

#[test]
fn a_value_has_its_format_and_is_transformed_before_it_is_kept() {
    let form = |field: serde_json::Value| {
        let document = serde_json::json!({"name": "acme", "config": {
            "credentials": {"format": "api_key", "config": {"fields": [field]}},
            "authorization": {"format": "header", "config": {"header_name": "X-Key", "header_value": "{{v}}"}},
        }});
        let parsed = crate::integration::parse(&document.to_string()).map_err(|error| error.to_string())?;
        let is_unused = |warning: &crate::integration::Warning| warning.problem.contains("effect");
        assert!(!parsed.warnings.iter().any(is_unused), "{:?}", parsed.warnings);
        Ok::<_, String>(parsed.definition.api_key().expect("a form").fields.clone())
    };
    let kept = |format: &str, transform: &str, value: &str| {
        let field = serde_json::json!({"name": "v", "type": "text", "format": format, "transform": transform});
        let values = form(field).expect("accepted").validate(&[("v".to_owned(), Secret::new(value))].into());
        values.ok().map(|values| values.secret["v"].expose().to_owned())
    };
    for (format, fits, does_not) in [
        ("email", "ada@acme.example", "ada@acme"),
        ("number", "-1.5", "one"),
        ("uuid", "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", "0190a1b2"),
        ("url", "https://acme.example/x", "acme.example"),
    ] {
        assert_eq!((kept(format, "", fits).as_deref(), kept(format, "", does_not)), (Some(fits), None), "{format}");
    }
    assert_eq!(kept("", "lowercase", "AbÇ").as_deref(), Some("abç"));
    assert_eq!(kept("", "uppercase", "abç").as_deref(), Some("ABÇ"));
    let sha256 = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
    assert_eq!(kept("", "sha256", "abc").as_deref(), Some(sha256), "FIPS 180-4, appendix B.1");
    assert_eq!(kept("us_phone", "", "x").as_deref(), Some("x"), "a pattern of Truto's, whose name alone is known");
    for (key, value) in [("format", "^[0-9]+$"), ("format", ""), ("transform", "rot13")] {
        let mut field = serde_json::json!({"name": "v", "type": "text"});
        field[key] = value.into();
        let is_refused = form(field).is_err();
        assert_eq!(is_refused, !value.is_empty(), "{key} {value}");
    }
}
