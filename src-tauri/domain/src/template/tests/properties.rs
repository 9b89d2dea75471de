//! What holds for every template and every value.

use proptest::prelude::*;

use super::*;

fn template() -> impl Strategy<Value = String> {
    let inside = "[a-c.:|?0-9 /_-]{0,12}";
    prop::collection::vec(prop_oneof![inside.prop_map(|it| format!("{{{{{it}}}}}")), "[a-z{}/.:?$&]{0,6}"], 0..4)
        .prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<String>().prop_map(Value::from),
        "[a-z{}./:@%?#\\\\\r\n -]{0,10}".prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        Just(json!(null)),
        Just(json!([1, {"a": "{{b}}"}, "x"])),
        Just(json!({"a": {"b": "{{c}}"}})),
    ]
}

fn context() -> impl Strategy<Value = Map<String, Value>> {
    (value(), value(), value())
        .prop_map(|(a, b, c)| Map::from_iter([("a".into(), a), ("b".into(), b), ("c".into(), c)]))
}

proptest! {
    #[test]
    fn nothing_panics(text in template(), context in context(), any in any::<String>()) {
        let fields = BTreeMap::new();
        let scope = Scope::new(&context, &fields, None);
        for text in [&text, &any] {
            let _ = Template::compile(&json!({"a": [text], "$truto_merge": text})).fill(&scope);
            let _ = TextTemplate::parse(text).fill_secret(&scope);
        }
    }

    #[test]
    fn a_text_without_placeholders_stays_the_same(text in "[^{]{0,40}") {
        prop_assert_eq!(filled(&json!(text)).0, Some(json!(text)));
    }

    #[test]
    fn a_value_is_never_parsed(text in any::<String>(), name in "[a-z{}$&:|?]{0,12}") {
        let text = format!("{text}{{{{b}}}}{name}{{{{b:any}}}}$&");
        let context = Map::from_iter([("a".to_owned(), json!(text)), ("b".to_owned(), json!("B"))]);
        let fields = BTreeMap::new();
        let scope = Scope::new(&context, &fields, None);
        let fill = |template: Value| Template::compile(&template).fill(&scope).map(|it| it.expose().cloned());
        prop_assert_eq!(fill(json!("{{a}}")), Ok(Some(json!(text))));
        prop_assert_eq!(fill(json!("{{b}}{{a}}{{b}}")), Ok(Some(json!(format!("B{text}B")))));
        prop_assert_eq!(fill(json!({"x": ["{{context:json}}"]})), Ok(Some(json!({"x": [context]}))));
    }
}
