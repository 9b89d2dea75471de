//! Times in an input, which JSON has only as texts.

use std::sync::Arc;

use relink_jsonata::{Bindings, Engines, Limits};
use serde_json::value::RawValue;

const INPUT: &str =
    r#"{"run": {"status": "completed", "started_at": "2026-11-28T10:00:00.000Z", "finished_at": null}}"#;

async fn eval(expression: &str, input: &str) -> Option<String> {
    let bindings = Bindings::default().with_dates([
        ["run", "started_at"],
        ["run", "finished_at"],
        ["run", "missing"],
        ["nowhere", "started_at"],
    ]);
    let input = RawValue::from_string(input.to_owned()).expect("JSON");
    let result = Engines::default().eval(Arc::from(expression), Some(input), bindings, Limits::default()).await;
    result.unwrap_or_else(|error| panic!("{expression}: {error:?}")).map(|result| result.get().to_owned())
}

#[tokio::test]
async fn the_texts_at_these_paths_are_dates_for_the_expression_and_texts_in_its_result() {
    for (expression, expected) in [
        ("run.started_at.toISOString()", Some(r#""2026-11-28T10:00:00.000Z""#)),
        ("run[status = \"completed\"].started_at.toISOString()", Some(r#""2026-11-28T10:00:00.000Z""#)),
        ("run.status = 'completed' ? run.started_at.toISOString()", Some(r#""2026-11-28T10:00:00.000Z""#)),
        (
            "$dtFromIso(run.started_at.toISOString()).minus({\"minutes\": 2}).toUTC().toISO()",
            Some(r#""2026-11-28T09:58:00.000Z""#),
        ),
        ("run.started_at", Some(r#""2026-11-28T10:00:00.000Z""#)),
        ("{\"at\": run.started_at}", Some(r#"{"at":"2026-11-28T10:00:00.000Z"}"#)),
        ("run.finished_at", Some("null")),
        ("$exists(run.missing) or $exists(nowhere)", Some("false")),
    ] {
        assert_eq!(eval(expression, INPUT).await.as_deref(), expected, "{expression}");
    }
    // What isn't an object has no paths.
    assert_eq!(eval("$count($)", "[1, 2]").await.as_deref(), Some("2"));
    assert_eq!(eval("run", r#"{"run": "x"}"#).await.as_deref(), Some("\"x\""));
}
