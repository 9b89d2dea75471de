//! Parsing never panics, and an accepted definition parses to itself.

use proptest::prelude::*;

use super::*;

/// Every value of the document, by its JSON pointer.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let children: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| (key.clone(), value)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(at, value)| (at.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (key, value) in children {
        pointers(value, &format!("{at}/{key}"), found);
    }
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        Just(json!("{{context.x}}")),
        Just(json!("https://x.example")),
        Just(json!([])),
        Just(json!(["a", 1])),
        Just(json!({})),
        Just(json!({"format": "oauth2", "config": {"path": "x"}})),
    ]
}

proptest! {
    #[test]
    fn parsing_any_text_never_panics(text in "\\PC{0,60}|[\\[\\]{}\",:0-9a-z \n]{0,60}") {
        let _ = parse(&text);
    }

    #[test]
    fn parsing_a_damaged_file_never_panics(at in 0..GOOD.len(), by in "[\"{}\\[\\],:a-z0-9]") {
        let _ = parse(&GOOD[..at]);
        let mut text = GOOD.to_owned();
        text.replace_range(at..=at, &by);
        let _ = parse(&text);
    }

    #[test]
    fn any_value_in_any_place_is_accepted_or_refused_with_its_line(pick in any::<prop::sample::Index>(), by in any_value()) {
        let mut document: Value = serde_json::from_str(GOOD).expect("JSON");
        let mut all = Vec::new();
        pointers(&document, "", &mut all);
        *document.pointer_mut(&all[pick.index(all.len())]).expect("a value") = by;
        let text = serde_json::to_string_pretty(&document).expect("JSON");
        match parse(&text) {
            Ok(parsed) => {
                let written = serde_json::to_string(&parsed.definition).expect("JSON");
                prop_assert!(!written.contains("hunter2"));
                prop_assert_eq!(&parse(&written).expect("a definition").definition, &parsed.definition);
                prop_assert_eq!(Definition::load(&document, &Map::new()), Ok(parsed.definition), "loading is no stricter");
            }
            Err(error) => {
                prop_assert!(error.position.is_some(), "{}", error);
                prop_assert!(!error.to_string().contains("hunter2"), "{}", error);
            }
        }
    }

    #[test]
    fn an_accepted_override_gives_a_valid_definition(
        key in prop::sample::select(vec!["label", "base_url", "credentials", "authorization", "headers", "relink"]),
        inner in prop::sample::select(vec!["", "oauth2", "api_key", "config", "format", "probe", "X-A"]),
        value in any_value(),
    ) {
        let over = if inner.is_empty() { json!({key: value}) } else { json!({key: {inner: value}}) };
        let acme = good().definition;
        if let Ok(parsed) = acme.with_override(object(&over)) {
            let written = serde_json::to_string(&parsed.definition).expect("JSON");
            prop_assert_eq!(parse(&written).expect("a definition").definition, parsed.definition);
        }
    }

    #[test]
    fn applying_an_override_twice_equals_applying_it_once(label in "[A-Z][a-z]{1,8}", scope in "[a-z]{1,8}") {
        let over = json!({"label": label, "credentials": {"oauth2": {"config": {"scope": [scope]}}}});
        let once = good().definition.with_override(object(&over)).expect("a definition").definition;
        let twice = once.with_override(object(&over)).expect("a definition").definition;
        prop_assert_eq!(once, twice);
    }
}
