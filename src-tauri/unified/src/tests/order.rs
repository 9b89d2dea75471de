//! Each key of a mapping takes effect, and in its turn.

use std::collections::BTreeSet;

use relink_calls::headers_for_expressions;
use relink_domain::unified::KEYS;
use serde_json::{Value, json};

use super::{
    cases::{Case, DESCRIBED, cases},
    world::{Script, answer},
};

/// What the caller gets with this config, and what the provider was asked.
async fn outcome(case: &Case, config: &Value) -> (Value, Value) {
    let script = Script::new(case.answers.clone());
    let answer = match answer(config, case.asked.clone(), &script).await {
        Ok((answer, headers)) if headers.is_empty() => answer,
        Ok((answer, headers)) => json!({"answer": answer, "headers": headers_for_expressions(&headers)}),
        Err(refused) => json!({ "refused": refused }),
    };
    (answer, script.calls())
}

#[tokio::test]
async fn each_key_takes_effect_in_its_turn() {
    for case in cases() {
        let (answer, calls) = outcome(&case, &case.config).await;
        assert_eq!(answer, case.answer, "{}", case.name);
        assert_eq!(calls, case.calls, "{}", case.name);
    }
}

#[tokio::test]
async fn the_table_shows_the_effect_of_every_key() {
    let cases = cases();
    let shown: BTreeSet<_> = cases.iter().flat_map(|case| case.of).copied().collect();
    assert_eq!(shown, KEYS.iter().copied().collect(), "each key that Relink knows has a row, and no other");
    for case in &cases {
        let with = outcome(case, &case.config).await;
        for key in case.of {
            let mut config = case.config.clone();
            let taken = config.as_object_mut().expect("a config").remove(*key);
            assert!(taken.is_some(), "{}: no {key}", case.name);
            let without = outcome(case, &config).await;
            assert_eq!(with == without, DESCRIBED.contains(key), "{}: without {key}: {without:?}", case.name);
        }
    }
}
