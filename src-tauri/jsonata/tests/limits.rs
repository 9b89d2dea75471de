//! A runaway expression ends within its limit, with an error that says what happened; other evaluations go on.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use relink_jsonata::{Bindings, Engines, ErrorKind, EvalError, Limits, Settings};
use serde_json::value::RawValue;

type Outcome = Result<Option<Box<RawValue>>, EvalError>;

fn limits() -> Limits {
    Limits { time: Duration::from_millis(500), memory: 32 << 20, output: 1 << 20, ..Limits::default() }
}

async fn eval(engines: &Engines, expression: &str) -> Outcome {
    engines.eval(expression.into(), None, Bindings::default(), limits()).await
}

fn text(outcome: Outcome) -> String {
    outcome.expect("a result").map_or_else(String::new, |json| json.get().to_owned())
}

/// Each way to run away, and how it may end: where memory and time are both short, either is right.
const RUNAWAYS: &[(&str, &[ErrorKind])] = &[
    // Loops
    ("($f := function($x){ $f($x + 1) }; $f(1))", &[ErrorKind::Time]),
    ("($f := function($x){ $x > 0 ? $f($x) : 0 }; $f(1))", &[ErrorKind::Time]),
    ("($f := function(){ $g() }; $g := function(){ $f() }; $f())", &[ErrorKind::Time, ErrorKind::Evaluation]),
    ("$map([1..1000], function($a){ $map([1..1000], function($b){ $sum([1..1000]) }) })", &[ErrorKind::Time]),
    ("$reduce([1..3000000], function($a, $b){ $a + $b })", &[ErrorKind::Time, ErrorKind::Memory]),
    ("$count([1..5000].($a := $; [1..5000].($a * $)))", &[ErrorKind::Time, ErrorKind::Memory]),
    ("$sort([1..200000], function($a, $b){ $a < $b })", &[ErrorKind::Time, ErrorKind::Memory]),
    (
        "($f := function($x){ $eval(\"$f($x + 1)\") }; $f(1))",
        &[ErrorKind::Time, ErrorKind::Memory, ErrorKind::Evaluation],
    ),
    // Recursion without an end
    ("($f := function($x){ $f($x + 1) + 1 }; $f(1))", &[ErrorKind::Time, ErrorKind::Memory]),
    ("($f := function($x){ [$f($x + 1)] }; $f(1))", &[ErrorKind::Time, ErrorKind::Memory]),
    ("($f := function($x){ {\"a\": $f($x)} }; $f(1))", &[ErrorKind::Time, ErrorKind::Memory]),
    ("($f := function($x){ $f($x) & $f($x) }; $f(1))", &[ErrorKind::Time, ErrorKind::Memory]),
    // Regular expressions that backtrack
    ("$match(\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!\", /^(a+)+$/)", &[ErrorKind::Time]),
    ("$replace($pad(\"\", 5000, \"a\"), /(a*)*b/, \"\")", &[ErrorKind::Time, ErrorKind::Memory]),
    ("$contains($pad(\"\", 200, \"x\") & \"y\", /(x+x+)+z/)", &[ErrorKind::Time]),
    ("$split($pad(\"\", 100, \"ab\"), /(a|b|ab)*c/)", &[ErrorKind::Time]),
    // Texts and arrays without an end
    ("$pad(\"x\", 1e9)", &[ErrorKind::Memory]),
    ("$pad(\"x\", -1e9, \"abc\")", &[ErrorKind::Memory]),
    ("$length($reduce([1..60], function($a, $b){ $a & $a }, \"xxxxxxxx\"))", &[ErrorKind::Memory]),
    ("$count($reduce([1..60], function($a, $b){ $append($a, $a) }, [1, 2]))", &[ErrorKind::Memory, ErrorKind::Time]),
    ("$join([1..3000000].\"xxxxxxxxxxxxxxxx\")", &[ErrorKind::Time, ErrorKind::Memory]),
    ("$string([1..9000000])", &[ErrorKind::Time, ErrorKind::Memory]),
    ("$formatNumber(1, $pad(\"\", 90000000, \"0\"))", &[ErrorKind::Time, ErrorKind::Memory]),
    ("$map([1..9999999], function($x){ {\"a\": [$x, $x]} })", &[ErrorKind::Time, ErrorKind::Memory]),
    // Results that are too large
    ("$pad(\"\", 2000000, \"x\")", &[ErrorKind::Output]),
];

#[tokio::test]
async fn a_runaway_expression_ends_within_its_limit() {
    let engines = Engines::default();
    let mut wrong = Vec::new();
    for (expression, kinds) in RUNAWAYS {
        let began = Instant::now();
        let outcome = eval(&engines, expression).await;
        let took = began.elapsed();
        let is_right = outcome.as_ref().is_err_and(|error| {
            kinds.contains(&error.kind)
                && !error.message.is_empty()
                && (error.advice.is_some() || error.kind == ErrorKind::Evaluation)
        });
        // Generous, for a machine that is busy: an evaluation that isn't interrupted takes far longer.
        if !is_right || took > limits().time * 10 {
            wrong.push(format!("{expression} after {took:?}: {outcome:.200?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn deep_nesting_is_an_error() {
    let engines = Engines::default();
    let deep = 200_000;
    for expression in [
        "(".repeat(deep),
        format!("{}1{}", "(".repeat(deep), ")".repeat(deep)),
        format!("{}1{}", "[".repeat(deep), "]".repeat(deep)),
        format!("1{}", " + 1".repeat(deep)),
        format!("{}1{}", "{\"a\":".repeat(deep), "}".repeat(deep)),
        format!("{}1", "-".repeat(deep)),
        format!("a{}", ".a".repeat(deep)),
        format!("a{}", "[0]".repeat(deep)),
    ] {
        let outcome = eval(&engines, &expression).await;
        if let Err(error) = outcome {
            assert!(error.kind.is_limit() || error.kind == ErrorKind::Syntax, "{:?}: {error:?}", &expression[..10]);
        }
        assert_eq!(text(eval(&engines, "1 + 1").await), "2", "after {:?}", &expression[..10]);
    }
    let input = RawValue::from_string(format!("{}1{}", "[".repeat(deep), "]".repeat(deep))).expect("JSON");
    let outcome = engines.eval("**".into(), Some(input), Bindings::default(), limits()).await;
    assert!(outcome.as_ref().err().is_none_or(|error| error.kind.is_limit()), "{outcome:?}");
    assert_eq!(text(eval(&engines, "1 + 1").await), "2");
}

#[tokio::test]
async fn recursion_may_be_as_deep_as_at_truto() {
    let engines = Engines::default();
    let limits = Limits { time: Duration::from_secs(20), ..Limits::default() };
    let expression = "($f := function($n){ $n = 0 ? 0 : 1 + $f($n - 1) }; $f(5000))";
    let outcome = engines.eval(expression.into(), None, Bindings::default(), limits).await;
    assert_eq!(text(outcome), "5000");
    let expression = "($f := function($n, $sum){ $n = 0 ? $sum : $f($n - 1, $sum + 1) }; $f(20000, 0))";
    let outcome = engines.eval(expression.into(), None, Bindings::default(), limits).await;
    assert_eq!(text(outcome), "20000");
}

#[tokio::test]
async fn after_a_limit_the_engine_is_replaced_and_others_go_on() {
    let engines = Engines::default();
    let runaway = tokio::spawn({
        let engines = engines.clone();
        async move { eval(&engines, "($f := function($x){ $f($x) }; $f(1))").await }
    });
    // While it runs, and after it.
    for index in 0..20 {
        assert_eq!(text(eval(&engines, &format!("{index} + 1")).await), (index + 1).to_string());
    }
    assert_eq!(runaway.await.expect("no panic").expect_err("a limit").kind, ErrorKind::Time);
    for index in 0..20 {
        assert_eq!(text(eval(&engines, &format!("{index} + 1")).await), (index + 1).to_string());
    }
}

#[tokio::test]
async fn a_map_goes_on_after_a_record_that_reaches_a_limit() {
    let engines = Engines::default();
    let records = (0..5).map(|index| RawValue::from_string(format!("{{\"n\": {index}}}")).expect("JSON")).collect();
    let expression: Arc<str> =
        "n = 2 ? ($f := function($x){ $f($x) }; $f(1)) : n = 3 ? $error(\"three\") : n * 10".into();
    let outcomes = engines.map(expression, records, Bindings::default(), limits()).await;
    let kinds: Vec<_> = outcomes
        .into_iter()
        .map(|outcome| outcome.map(|json| json.map(|json| json.get().to_owned())).map_err(|error| error.kind))
        .collect();
    assert_eq!(
        kinds,
        [
            Ok(Some("0".to_owned())),
            Ok(Some("10".to_owned())),
            Err(ErrorKind::Time),
            Err(ErrorKind::Evaluation),
            Ok(Some("40".to_owned()))
        ]
    );
}

#[tokio::test]
async fn nothing_of_the_machine_is_in_reach() {
    let engines =
        Engines::new(Settings { unknown_names: relink_jsonata::UnknownNames::Undefined, ..Settings::default() });
    for expression in [
        "$fetch(\"http://127.0.0.1\")",
        "$require(\"fs\")",
        "$globalThis",
        "$__host",
        "$__engine",
        "$process",
        "$setTimeout",
    ] {
        let outcome = eval(&engines, expression).await;
        assert!(
            matches!(&outcome, Ok(None)) || matches!(&outcome, Err(error) if error.code.as_deref() == Some("T1006")),
            "{expression}: {outcome:?}"
        );
    }
    // Neither a value's prototype nor its constructor is a member of it.
    for expression in [
        "\"a\".constructor",
        "{}.constructor",
        "$string.constructor",
        "[1].__proto__",
        "$dtFromIso(\"2024-01-01\").constructor",
        "$sum.implementation",
    ] {
        let outcome = eval(&engines, expression).await;
        assert!(matches!(&outcome, Ok(None)), "{expression}: {outcome:?}");
    }
    for (expression, function) in [
        ("$parseDocument(1)", "$parseDocument"),
        ("$convertMdToPdf(\"a\")", "$convertMdToPdf"),
        ("$generateEmbeddingsCohere({})", "$generateEmbeddingsCohere"),
    ] {
        let error = eval(&engines, expression).await.expect_err(expression);
        assert_eq!(error.kind, ErrorKind::Unavailable, "{error:?}");
        assert!(error.message.contains(function) && error.message.contains("no network"), "{error:?}");
    }
}
