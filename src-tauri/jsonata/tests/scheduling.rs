//! Engines share the work fairly.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use relink_jsonata::{Bindings, Engines, ErrorKind, Limits, Settings};
use serde_json::value::RawValue;

fn json(text: impl Into<String>) -> Box<RawValue> {
    RawValue::from_string(text.into()).expect("JSON")
}

async fn small(engines: &Engines, index: usize) {
    let expression: Arc<str> = "n < 10 ? {\"status\": n} : {\"status\": 10, \"message\": \"n is \" & n}".into();
    let outcome = engines
        .eval(expression, Some(json(format!("{{\"n\": {index}}}"))), Bindings::default(), Limits::default())
        .await;
    assert!(outcome.expect("a result").is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_hundred_evaluations_at_once_the_small_ones_do_not_wait_for_the_maps() {
    let engines = Engines::new(Settings { max_engines: 2, ..Settings::default() });
    let expression: Arc<str> = "$sum($map([1..n], function($x){ $x * $x }))".into();
    let records: Vec<_> = (0..400).map(|_| json("{\"n\": 300}")).collect();
    let (maps_done, small_done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));

    let maps: Vec<_> = (0..10)
        .map(|_| {
            let (engines, expression, records, done) =
                (engines.clone(), Arc::clone(&expression), records.clone(), Arc::clone(&maps_done));
            tokio::spawn(async move {
                let outcomes = engines.map(expression, records, Bindings::default(), Limits::default()).await;
                done.fetch_add(1, Ordering::SeqCst);
                outcomes
            })
        })
        .collect();
    let evaluations: Vec<_> = (0..90)
        .map(|index| {
            let (engines, maps_done, done) = (engines.clone(), Arc::clone(&maps_done), Arc::clone(&small_done));
            tokio::spawn(async move {
                small(&engines, index).await;
                done.fetch_add(1, Ordering::SeqCst);
                maps_done.load(Ordering::SeqCst)
            })
        })
        .collect();

    for evaluation in evaluations {
        assert_eq!(evaluation.await.expect("no panic"), 0, "a small evaluation waited for a map");
    }
    for map in maps {
        let outcomes = map.await.expect("no panic");
        assert_eq!(outcomes.len(), 400);
        assert!(
            outcomes.iter().all(|outcome| matches!(outcome, Ok(Some(json)) if json.get() == "9045050")),
            "{:?}",
            outcomes[0]
        );
    }
    assert_eq!(small_done.load(Ordering::SeqCst), 90);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expression_that_took_long_is_not_small_the_next_time() {
    let engines = Engines::new(Settings { max_engines: 2, ..Settings::default() });
    let slow: Arc<str> = "$sum($map([1..20000], function($x){ $x * $x }))".into();
    engines.eval(Arc::clone(&slow), None, Bindings::default(), Limits::default()).await.expect("a result");
    let done = Arc::new(AtomicUsize::new(0));
    let running: Vec<_> = (0..20)
        .map(|_| {
            let (engines, slow, done) = (engines.clone(), Arc::clone(&slow), Arc::clone(&done));
            tokio::spawn(async move {
                engines.eval(slow, None, Bindings::default(), Limits::default()).await.expect("a result");
                done.fetch_add(1, Ordering::SeqCst);
            })
        })
        .collect();
    small(&engines, 1).await;
    assert!(done.load(Ordering::SeqCst) < 20, "the small one waited for all slow ones");
    for running in running {
        running.await.expect("no panic");
    }
}

#[tokio::test]
async fn a_map_keeps_the_records_order() {
    let engines = Engines::new(Settings { max_engines: 4, ..Settings::default() });
    let records = (0..500).map(|index| json(format!("{{\"n\": {index}}}"))).collect();
    let outcomes = engines
        .map("n % 50 = 0 ? $sum([1..2000].$) * 0 + n : n".into(), records, Bindings::default(), Limits::default())
        .await;
    let numbers: Vec<usize> = outcomes
        .into_iter()
        .map(|outcome| outcome.expect("a result").expect("a number").get().parse().expect("a number"))
        .collect();
    assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    assert!(engines.map("n".into(), Vec::new(), Bindings::default(), Limits::default()).await.is_empty());
}

#[tokio::test]
async fn more_evaluations_than_may_wait_are_all_answered() {
    let engines = Engines::default();
    let running: Vec<_> = (0..2000)
        .map(|index| {
            let engines = engines.clone();
            tokio::spawn(async move { small(&engines, index).await })
        })
        .collect();
    for running in running {
        running.await.expect("a result");
    }
}

#[tokio::test]
async fn an_abandoned_map_ends() {
    let engines = Engines::new(Settings { max_engines: 2, ..Settings::default() });
    let records: Vec<_> = (0..100_000).map(|_| json("{}")).collect();
    let map =
        engines.map("$sum($map([1..300], function($x){ $x }))".into(), records, Bindings::default(), Limits::default());
    assert!(tokio::time::timeout(Duration::from_millis(200), map).await.is_err());
    // On the same engine: it would take minutes if the map went on.
    let outcomes = engines.map("1".into(), vec![json("1")], Bindings::default(), Limits::default()).await;
    assert!(outcomes[0].is_ok());
}

#[tokio::test]
async fn a_check_finds_unknown_names_and_syntax_errors() {
    let engines = Engines::default();
    let check = async |expression: &str, names: &[&str]| {
        engines.check(expression.into(), names.iter().map(|name| (*name).to_owned()).collect(), Limits::default()).await
    };
    for expression in [
        "$sum(a) + $dtFromIso(b).year",
        "($x := 1; $x)",
        "function($a, $b){ $a + $b }",
        "a@$b.c#$i.{\"b\": $b, \"i\": $i}",
        "$previous.id",
        "$$.a & $.b & $convertMarkdownToHtml(c)",
        "$now() & $millis()",
        "$map(a, $string)",
        "($f := function($n){ $g($n) }; $g := function($n){ $f($n) }; $f(1))",
        "$x := 1",
        "[1..3][$i := $ > 1]",
    ] {
        assert_eq!(check(expression, &["previous"]).await, Ok(()), "{expression}");
    }
    for (expression, name, column) in [
        ("$summ(a)", "$summ", 1),
        ("1 + $previous", "$previous", 5),
        ("{\n  \"a\": $nope\n}", "$nope", 8),
        ("($x := 1; $y)", "$y", 11),
        ("function($a){ $b }", "$b", 15),
        ("a[$c = 1]", "$c", 3),
        ("$map(a, $lower)", "$lower", 9),
        ("(function($a){ 1 }; $a)", "$a", 21),
        ("{\"a\": ($y := 1), \"b\": $y}", "$y", 23),
        ("a@$b.c + $b", "$b", 10),
    ] {
        let error = check(expression, &[]).await.expect_err(expression);
        assert_eq!(error.kind, ErrorKind::UnknownName, "{expression}: {error:?}");
        assert!(error.message.contains(name), "{expression}: {error:?}");
        assert_eq!(error.position.map(|position| position.column), Some(column), "{expression}: {error:?}");
    }
    let error = check("1 +", &[]).await.expect_err("a syntax error");
    assert_eq!((error.kind, error.code.as_deref()), (ErrorKind::Syntax, Some("S0207")));
}

#[tokio::test]
async fn bindings_are_seen_and_are_not_changed_for_the_next_evaluation() {
    let engines = Engines::default();
    let bindings = Bindings::new([("list".to_owned(), json("[3, 1, 2]")), ("name".to_owned(), json("\"x\""))]);
    for _ in 0..3 {
        let outcome = engines.eval("$name := $name & \"y\"".into(), None, bindings.clone(), Limits::default()).await;
        assert_eq!(outcome.expect("a result").expect("a text").get(), "\"xy\"");
        let outcome = engines.eval("$sort($list)".into(), None, bindings.clone(), Limits::default()).await;
        assert_eq!(outcome.expect("a result").expect("a list").get(), "[1,2,3]");
    }
    let error =
        engines.eval("$name".into(), None, Bindings::default(), Limits::default()).await.expect_err("an unknown name");
    assert_eq!(error.kind, ErrorKind::UnknownName);
}

#[tokio::test]
async fn many_maps_at_once_end_and_let_evaluations_through() {
    let engines = Engines::new(Settings { max_engines: 2, ..Settings::default() });
    let maps: Vec<_> = (0..300)
        .map(|_| {
            let engines = engines.clone();
            tokio::spawn(async move {
                engines
                    .map(
                        "n".into(),
                        (0..200).map(|_| json("{\"n\": 1}")).collect(),
                        Bindings::default(),
                        Limits::default(),
                    )
                    .await
                    .len()
            })
        })
        .collect();
    let all = async {
        small(&engines, 1).await;
        for map in maps {
            assert_eq!(map.await.expect("no panic"), 200);
        }
    };
    tokio::time::timeout(Duration::from_mins(1), all).await.expect("they end");
}

#[tokio::test]
async fn parsing_takes_time_in_proportion_to_the_length() {
    let engines = Engines::default();
    let expression = format!("[{}]", (0..20_000).map(|index| format!("a{index}")).collect::<Vec<_>>().join(","));
    let limits = Limits { time: Duration::from_secs(10), ..Limits::default() };
    let outcome = engines.eval(expression.into(), None, Bindings::default(), limits).await;
    assert_eq!(outcome.expect("no time limit").expect("a list").get(), "[]");
}
