//! The synchronous evaluator against the original.

use std::{fs, path::Path, sync::Arc};

use serde::Deserialize;

use super::*;
use crate::Bindings;

#[derive(Deserialize)]
struct Case {
    expr: String,
    data: Option<Box<RawValue>>,
    #[serde(default)]
    bindings: std::collections::BTreeMap<String, Box<RawValue>>,
}

fn cases() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cases");
    let files = fs::read_dir(folder)
        .expect("the cases")
        .map(|entry| entry.expect("a file").path())
        .filter(|file| !file.ends_with("differences.jsonl"));
    files
        .flat_map(|file| {
            let text = fs::read_to_string(file).expect("a file of cases");
            text.lines().map(|line| serde_json::from_str(line).expect("a case")).collect::<Vec<_>>()
        })
        .collect()
}

/// Runs on a stack as large as an engine's thread has.
fn on_an_engines_stack(test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().stack_size(2 * Limits::MAX_STACK).spawn_scoped(scope, test);
        thread.expect("a thread").join().expect("the test passes");
    });
}

/// What the synchronous evaluator gives.
#[derive(Debug, PartialEq)]
enum AtOnce {
    Json(Option<String>),
    LeftToTheOriginal,
}

/// What each evaluator gives, the synchronous one first.
fn both(engine: &mut Engine, program: &Program, input: Option<&str>) -> (AtOnce, Result<Option<String>, EvalError>) {
    let limit = program.limits.output;
    let text = |json: Option<Box<RawValue>>| json.map(|json| json.get().to_owned());
    let at_once = engine.run(program, |ctx, engine| {
        let at_once: Function = engine.get("evaluateAtOnce").map_err(|error| Failure::caught(ctx, &error))?;
        let (input, bindings) = arguments(ctx, program, input)?;
        let result: Value = at_once
            .call((&*program.expression, input, bindings, false, limit))
            .map_err(|error| Failure::caught(ctx, &error))?;
        if result.is_symbol() {
            Ok(AtOnce::LeftToTheOriginal)
        } else {
            output(ctx, &result, limit).map(|json| AtOnce::Json(text(json)))
        }
    });
    let clock = Rc::clone(&engine.clock);
    let original = engine.run(program, |ctx, engine| {
        let result = original(ctx, engine, program, input, false, &clock)?;
        output(ctx, &result, limit).map(text)
    });
    (at_once.expect("no limit is reached"), original)
}

#[test]
fn the_two_evaluators_agree() {
    on_an_engines_stack(|| {
        let mut engine = Engine::new().expect("an engine");
        let (mut compared, mut differing) = (0, Vec::new());
        let cases = cases();
        for case in &cases {
            let program = Program {
                expression: Arc::from(case.expr.as_str()),
                bindings: Bindings::new(case.bindings.clone()),
                limits: Limits { time: Duration::from_secs(20), ..Limits::default() },
            };
            let (at_once, original) = both(&mut engine, &program, case.data.as_deref().map(RawValue::get));
            let AtOnce::Json(at_once) = at_once else { continue };
            compared += 1;
            if original.as_ref() != Ok(&at_once) {
                differing.push(format!("{}\n  {at_once:?}\n  {original:?}", case.expr));
            }
        }
        assert!(differing.is_empty(), "{}", differing.join("\n"));
        // Otherwise there was little to compare.
        assert!(compared * 10 > cases.len() * 6 && compared > 500, "{compared} of {}", cases.len());
    });
}

#[test]
fn what_the_synchronous_evaluator_cannot_do_is_left_to_the_original() {
    on_an_engines_stack(|| {
        let mut engine = Engine::new().expect("an engine");
        for expression in [
            // Items of an array and values of an object are evaluated together.
            "[$x := 5, $x]",
            "{\"a\": $x := 5, \"b\": $x}",
            "$eval(\"[$x := 5, $x]\")",
            // Functions hold where they were called last.
            "($sum([1]); $sum)",
            "$replace(\"abc\", \"b\", function($m){ \"X\" })",
            // These wait.
            "$digest(\"a\")",
            "$each({\"a\": \"b\"}, $digest)",
            // Callbacks that return promises.
            "$groupBy([1, 2], function($x){ $x })",
            // Errors are the original's.
            "$error(\"no\")",
            "1 + \"a\"",
            "nothing()",
            // More recursion than the stack allows.
            "($f := function($n){ $n = 0 ? 0 : 1 + $f($n - 1) }; $f(20000))",
        ] {
            let program = Program {
                expression: expression.into(),
                bindings: Bindings::default(),
                limits: Limits { time: Duration::from_secs(20), ..Limits::default() },
            };
            let (at_once, _) = both(&mut engine, &program, None);
            assert_eq!(at_once, AtOnce::LeftToTheOriginal, "{expression}");
        }
    });
}

/// Functions are shared by all expressions, and each keeps where it was called last.
#[test]
fn an_error_does_not_depend_on_earlier_evaluations() {
    on_an_engines_stack(|| {
        let eval = |engine: &mut Engine, expression: &str| {
            let program =
                Program { expression: expression.into(), bindings: Bindings::default(), limits: Limits::default() };
            engine.eval(&program, None, UnknownNames::Refuse)
        };
        let expression = "$map([\"*\"], $base64decode)";
        let fresh = eval(&mut Engine::new().expect("an engine"), expression).expect_err("no base64");
        let mut engine = Engine::new().expect("an engine");
        eval(&mut engine, "                              $base64decode(\"*\")").expect_err("no base64");
        assert_eq!(eval(&mut engine, expression).expect_err("no base64"), fresh);
    });
}

#[test]
fn what_an_expression_does_to_what_all_values_share_is_not_seen_by_the_next() {
    on_an_engines_stack(|| {
        let mut engine = Engine::new().expect("an engine");
        let mut eval = |expression: &str| {
            let program =
                Program { expression: expression.into(), bindings: Bindings::default(), limits: Limits::default() };
            engine.eval(&program, None, UnknownNames::Refuse).map(|json| json.map(|json| json.get().to_owned()))
        };
        let before = eval("$sum(\"a\")");
        for expression in [
            "$mapValues(\"__proto__\", {})()",
            "$mapValues(\"__proto__\", {}) ~> |$|{\"polluted\": 1}|",
            "$mapValues(\"constructor\", {})(\"x\")",
            "$merge([$mapValues(\"__proto__\", {}), {\"polluted\": 1}])",
            "$parseQuery(\"__proto__[polluted]=1\")",
            "$jsonParse('{\"__proto__\": {\"polluted\": 1}}')",
        ] {
            let _ = eval(expression);
            assert_eq!(eval("{}.polluted"), Ok(None), "{expression}");
            assert_eq!(eval("$merge([{}]).token"), Ok(None), "{expression}");
            assert_eq!(eval("$sum(\"a\")"), before, "{expression}");
        }
        assert_eq!(eval("$convertMarkdownToHtml(\"a\")"), Ok(Some("\"<p>a</p>\\n\"".to_owned())));
    });
}

#[test]
fn an_interruption_that_does_not_reach_the_result_ends_the_evaluation_all_the_same() {
    on_an_engines_stack(|| {
        for evaluator in [
            // Each interruption ends one of many jobs that go on forever.
            "__engine.evaluate = async () => { const tick = async () => { for (;;) await null; }; for (let i = 0; i < 20000; i++) tick(); await new Promise(() => {}); }",
            // It is taken for an ordinary error.
            "__engine.evaluate = async () => { const spin = async () => { for (;;); }; await spin().catch(() => {}); return '1'; }",
        ] {
            let mut engine = Engine::new().expect("an engine");
            engine.context.with(|ctx| ctx.eval::<(), _>(evaluator)).expect("replaced");
            let program = Program {
                // Left to the original, which was replaced.
                expression: "$eval(\"1\")".into(),
                bindings: Bindings::default(),
                limits: Limits { time: Duration::from_millis(50), ..Limits::default() },
            };
            let error = engine.eval(&program, None, UnknownNames::Refuse).expect_err("it takes too long");
            assert_eq!(error.kind, ErrorKind::Time, "{evaluator}");
            assert!(engine.is_broken(), "{evaluator}");
            assert!(engine.last_time() < Duration::from_secs(2), "{evaluator}: {:?}", engine.last_time());
        }
    });
}

#[test]
fn every_error_says_something() {
    on_an_engines_stack(|| {
        let mut engine = Engine::new().expect("an engine");
        for (expression, message) in [
            ("$error(\"\\u0000\\ud800\")", "\0\u{fffd}"),
            ("$error(\" \")", "The expression failed, and its error has no message."),
        ] {
            let program =
                Program { expression: expression.into(), bindings: Bindings::default(), limits: Limits::default() };
            let error = engine.eval(&program, None, UnknownNames::Refuse).expect_err("it fails");
            assert_eq!((error.code.as_deref(), error.message.as_str()), (Some("D3137"), message), "{expression}");
        }
    });
}
