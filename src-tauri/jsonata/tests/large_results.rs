//! A large result is written in pieces: the same JSON, within the limits.

use std::time::Duration;

use relink_jsonata::{Bindings, Engines, ErrorKind, Limits};
use serde_json::value::RawValue;

fn limits() -> Limits {
    Limits { time: Duration::from_mins(1), ..Limits::default() }
}

async fn eval(expression: &str, input: Option<&str>) -> Option<String> {
    let input = input.map(|json| RawValue::from_string(json.to_owned()).expect("JSON"));
    let result = Engines::default().eval(expression.into(), input, Bindings::default(), limits()).await;
    result.expect(expression).map(|json| json.get().to_owned())
}

fn numbers(count: u32) -> String {
    let numbers: Vec<_> = (1..=count).map(|number| number.to_string()).collect();
    format!("[{}]", numbers.join(","))
}

#[tokio::test]
async fn a_large_result_is_written_as_a_small_one_is() {
    let many = numbers(250_000);
    let few = numbers(3);
    for (expression, expected) in [
        ("[1..250000]", many.clone()),
        (
            r#"{"none": nothing, "a": [1..250000], "": {"b": [[1..3], [1..250000]]}, "c\n": null, "last": nothing}"#,
            format!(r#"{{"a":{many},"":{{"b":[{few},{many}]}},"c\n":null}}"#),
        ),
        (r#"{"first": nothing, "a": {"b": [1..250000]}}"#, format!(r#"{{"a":{{"b":{many}}}}}"#)),
        // A method that writes a value gets the value's name: 2 matches, 4 doesn't.
        (
            r#"[[1..250000], 0, {"toJSON": /^2$/}, {"toJSON": /^4$/}]"#,
            format!(r#"[{many},0,{{"match":"2","start":0,"end":1,"groups":[]}},null]"#),
        ),
        ("[[1..250000], /x/, [1..250000], $sum]", String::new()),
        (r#"[1..60000].{"id": $, "name": "é\"😀"}"#, {
            let objects: Vec<_> = (1..=60_000).map(|id| format!(r#"{{"id":{id},"name":"é\"😀"}}"#)).collect();
            format!("[{}]", objects.join(","))
        }),
    ] {
        let result = eval(expression, None).await.expect(expression);
        if expected.is_empty() {
            // A function that JavaScript knows leaves null behind; jsonata's are objects.
            let start = format!("[{many},null,{many},{{");
            assert!(result.starts_with(&start), "{expression}: {:.40} … {:.80}", result, &result[many.len()..]);
        } else {
            assert!(result == expected, "{expression}: {result:.80}");
        }
    }
}

#[tokio::test]
async fn a_long_text_is_written_as_a_short_one_is() {
    // Pieces end in the middle of a surrogate pair, and of what is escaped.
    for part in ["a😀", "😀", "\"\\\n", "\u{1}é\u{2028}"] {
        for lead in ["", "x"] {
            let json = serde_json::to_string(&(lead.to_owned() + &part.repeat(120_000))).expect("JSON");
            assert!(eval("$", Some(&json)).await.as_ref() == Some(&json), "{part:?}");
            let nested = format!(r#"{{"a":[1,{json},2],"b":{json}}}"#);
            assert!(eval("$", Some(&nested)).await.as_ref() == Some(&nested), "{part:?}");
        }
    }
}

#[tokio::test]
async fn dates_in_a_large_result_are_unwrapped() {
    const DATE: &str = r#"$dtFromIso("2026-01-31T12:00:00Z")"#;
    let date = eval(DATE, None).await.expect("a date");
    let many = numbers(250_000);
    let result = eval(&format!(r#"{{"a": [[1..250000], {DATE}], "b": {DATE}}}"#), None).await;
    assert!(result == Some(format!(r#"{{"a":[{many},{date}],"b":{date}}}"#)));
}

#[tokio::test]
async fn what_writes_a_large_result_is_interrupted() {
    let limits = Limits { time: Duration::from_millis(20), memory: 1 << 30, output: 1 << 30, ..Limits::default() };
    // The texts are one, which is quickly made, but written for each item.
    let expression = r#"($text := $pad("", 1000000, "\""); [1..40].$text)"#;
    let outcome = Engines::default().eval(expression.into(), None, Bindings::default(), limits).await;
    assert_eq!(outcome.expect_err("takes too long").kind, ErrorKind::Time);
}

#[tokio::test]
async fn a_result_beyond_the_output_limit_is_not_finished() {
    // Writing all of it would need more memory than there is.
    let limits = Limits { memory: 32 << 20, output: 1 << 20, ..limits() };
    for expression in [
        r#"($text := $pad("", 1000000, "x"); [1..200].$text)"#,
        r#"($text := $pad("", 1000000, "x"); {"a": {"b": [1..200].$text}, "f": $sum})"#,
    ] {
        let outcome = Engines::default().eval(expression.into(), None, Bindings::default(), limits).await;
        let error = outcome.expect_err(expression);
        assert_eq!(error.kind, ErrorKind::Output, "{expression}: {error:?}");
    }
}
