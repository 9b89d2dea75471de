//! What is read here is what `serde_json` reads.

use proptest::prelude::*;
use relink_domain::integration::{JsonPath, resources::ResponsePath};
use serde_json::Value;

use super::*;

/// A member's name, of few, so that paths lead somewhere and names come twice: as it is, or with an escape.
fn name() -> impl Strategy<Value = String> {
    let names = ["a", "b", "a.b", "0", "", "é", "\\u0061", "\\u00e9", "\\\"", "\\ud83d\\ude00"];
    proptest::sample::select(names.to_vec()).prop_map(str::to_owned)
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        proptest::sample::select(vec![
            "null",
            "true",
            "false",
            "0",
            "-0",
            "1.0",
            "-1.5e3",
            "1E+2",
            "9007199254740993",
            "18446744073709551616",
            "0.1000",
            "1e-400",
        ])
        .prop_map(str::to_owned),
        any::<f64>().prop_filter("JSON has none", |number| number.is_finite()).prop_map(|number| number.to_string()),
        "\\PC{0,40}".prop_map(|text| Value::String(text).to_string()),
        "([a-z ]{0,40}|\\\\[\"\\\\/bfnrt]|\\\\u00[0-9a-f]{2}|\\\\ud83d\\\\ude00|[{}:,]|\\[|\\]){0,4}"
            .prop_map(|text| format!("\"{text}\"")),
    ]
}

fn space() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(vec!["", "", "", " ", "\n\t", "\r\n  "])
}

/// A document's text.
fn document() -> impl Strategy<Value = String> {
    let value = scalar().prop_recursive(5, 40, 6, |inner| {
        let items = proptest::collection::vec((space(), inner.clone(), space()), 0..6);
        let members = proptest::collection::vec((space(), name(), space(), space(), inner, space()), 0..6);
        prop_oneof![
            (items, space()).prop_map(|(items, space)| {
                let items: Vec<_> = items.into_iter().map(|(a, item, b)| format!("{a}{item}{b}")).collect();
                if items.is_empty() { format!("[{space}]") } else { format!("[{}]", items.join(",")) }
            }),
            (members, space()).prop_map(|(members, space)| {
                let member = |(a, name, b, c, value, d)| format!("{a}\"{name}\"{b}:{c}{value}{d}");
                let members: Vec<_> = members.into_iter().map(member).collect();
                if members.is_empty() { format!("{{{space}}}") } else { format!("{{{}}}", members.join(",")) }
            }),
        ]
    });
    (space(), value, space()).prop_map(|(a, value, b)| format!("{a}{value}{b}"))
}

/// A document in which some bytes were replaced, left out or added.
fn malformed() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        any::<u8>(),
        proptest::sample::select(b"{}[]:,\"\\ue0123456789.-+ \n\x00\x1f\x7f\xff\xc3tfn".to_vec())
    ];
    let change = (any::<proptest::sample::Index>(), proptest::option::of(byte), 0..2usize);
    (document(), proptest::collection::vec(change, 1..4)).prop_map(|(document, changes)| {
        let mut bytes = document.into_bytes();
        for (at, byte, removed) in changes {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..(at + removed).min(bytes.len()), byte);
        }
        bytes
    })
}

fn same_as_serde_json(text: &[u8]) -> Result<(), TestCaseError> {
    let read = Json::read(Bytes::copy_from_slice(text)).map(|document| document.value());
    prop_assert_eq!(read, serde_json::from_slice::<Value>(text).ok(), "{}", String::from_utf8_lossy(text));
    Ok(())
}

proptest! {
    #[test]
    fn a_document_has_the_value_that_serde_json_gives_it(text in document()) {
        same_as_serde_json(text.as_bytes())?;
    }

    #[test]
    fn what_serde_json_refuses_is_refused(text in malformed()) {
        same_as_serde_json(&text)?;
    }

    #[test]
    fn a_path_leads_to_the_same_value(text in document(), path in "(a|b|0|1|é|`a\\.b`)(\\.(a|b|0|2|é|`a\\.b`)){0,3}") {
        let value: Value = serde_json::from_str(&text).expect("JSON");
        let document = Json::read(text.clone().into()).expect("JSON");
        let by_path = JsonPath::parse(&path).expect("a path");
        prop_assert_eq!(by_path.find(document.clone()).map(|found| found.value()), by_path.find(&value).cloned(), "{}", text);
        let by_names = ResponsePath::parse(&path);
        let found = by_names.find(document).map(|found| found.map(|found| found.value()));
        prop_assert_eq!(found, by_names.find(&value).map(Option::<&Value>::cloned), "{}", text);
    }

    #[test]
    fn records_are_those_of_the_value(text in document()) {
        let records = Records::of(&Json::read(text.clone().into()).expect("JSON"));
        let expected = match serde_json::from_str(&text).expect("JSON") {
            Value::Array(records) => records,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        let found: Vec<Value> = serde_json::from_slice(&records.text).expect("a list");
        prop_assert_eq!((records.count, found), (expected.len(), expected), "{}", text);
    }
}

#[test]
fn limits_are_those_of_serde_json() {
    let nested = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
    let texts = [nested(126), nested(127), nested(128), "1".repeat(308), "1".repeat(309), "1".repeat(400)];
    let others = [
        "1e308",
        "1e309",
        "-1e999",
        "1e-999",
        "0e999",
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83dx""#,
        r#""\ud83d\u0041""#,
        "\u{feff}1",
        "",
    ];
    for text in texts.iter().map(String::as_str).chain(others) {
        let read = Json::read(Bytes::copy_from_slice(text.as_bytes())).map(|document| document.value());
        assert_eq!(read, serde_json::from_str::<Value>(text).ok(), "{text}");
    }
}
