//! Evaluates the official JSONata suite and compares each result with Node's and with what the suite expects.
//!
//! The suite is not part of the repository. It is read from the file that `JSONATA_SUITE` names, or else from
//! `../shared/jsonata/suite.jsonl` beside the repository: one case a line, as
//! `{"id", "expr", "data": JSON text or null, "bindings": JSON text or null, "timelimit"?, "depth"?, "exp"}`.
#![allow(clippy::unwrap_used, clippy::doc_markdown)]

mod reference;

use std::path::PathBuf;

use reference::{Answer, Case, Comparison, crate_path, engines, evaluate, from_line, lines, node};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

#[derive(Deserialize)]
struct SuiteCase {
    id: String,
    expr: Box<RawValue>,
    data: Option<String>,
    bindings: Option<String>,
    timelimit: Option<u64>,
    depth: Option<u64>,
    exp: Box<RawValue>,
}

impl SuiteCase {
    fn case(&self) -> Case {
        Case {
            id: self.id.clone(),
            expr: from_line(&without_lone_surrogate(self.expr.get())),
            data: self.data.clone().map(|data| RawValue::from_string(data).unwrap()),
            bindings: self.bindings.as_deref().map(from_line),
            timelimit: self.timelimit,
            depth: self.depth,
        }
    }

    fn expectation(&self) -> Value {
        from_line(&without_lone_surrogate(self.exp.get()))
    }
}

/// Turns the suite's one lone surrogate, which a Rust string can't hold, into the language's escape for it.
fn without_lone_surrogate(json: &str) -> String {
    json.replace(r"\ud800", r"\\ud800")
}

fn is_expected(exp: &Value, answer: &Answer) -> bool {
    match answer {
        Answer::Gives(text) => {
            exp.get("result").is_some_and(|result| serde_json::from_str(text).is_ok_and(|ours| equal(result, &ours)))
        }
        Answer::Undefined => exp.get("undefinedResult").is_some(),
        Answer::NotJson(_) => false,
        Answer::Error(error) => {
            let expected = exp.get("error").unwrap_or(exp);
            error.code.as_ref().is_some_and(|code| expected.get("code").is_some_and(|it| it == code))
                && expected.get("message").is_none_or(|message| *message == error.message)
        }
    }
}

/// Equality of JSON values in which `1` and `1.0` are one number.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| equal(a, b)))
        }
        _ => a == b,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_official_suite_gives_what_node_gives() {
    let named = std::env::var_os("JSONATA_SUITE").map(PathBuf::from);
    let file = named.unwrap_or_else(|| crate_path("../../../shared/jsonata/suite.jsonl"));
    if !file.exists() {
        println!("Skipped: JSONata's suite is not at {}; JSONATA_SUITE can name it.", file.display());
        return;
    }
    let suite: Vec<SuiteCase> = lines(&file).iter().map(|line| from_line(line)).collect();
    let cases: Vec<Case> = suite.iter().map(SuiteCase::case).collect();
    let input: String = cases.iter().map(|case| serde_json::to_string(case).unwrap() + "\n").collect();
    let output = match node(&["--stdin"], &input) {
        Ok(output) => output,
        Err(reason) => return println!("Skipped: {reason}."),
    };
    let answers = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Answer> = answers.lines().map(from_line).collect();
    assert_eq!(answers.len(), cases.len(), "{}", String::from_utf8_lossy(&output.stderr));

    let engines = engines();
    let mut comparison = Comparison::accepting(&crate_path("tests/suite/differences.jsonl"));
    let mut unexpected = Vec::new();
    for ((suite, case), node) in suite.iter().zip(&cases).zip(&answers) {
        let ours = evaluate(&engines, case).await;
        comparison.compare(case, &ours, node);
        let exp = suite.expectation();
        if !is_expected(&exp, &ours) {
            unexpected.push((case, exp, ours));
        }
    }
    let mut complaints = comparison.complaints();

    let mut deviations: Vec<Deviation> =
        lines(&crate_path("tests/suite/deviations.jsonl")).iter().map(|line| from_line(line)).collect();
    for (case, exp, ours) in unexpected {
        match deviations.iter().position(|deviation| deviation.id == case.id) {
            Some(at) => drop(deviations.remove(at)),
            None => complaints
                .push(format!("{} is not as expected\n  {}\n  ours {ours}\n  suite {exp}", case.id, case.expr)),
        }
    }
    complaints.extend(deviations.iter().map(|it| format!("{} is as the suite expects ({})", it.id, it.reason)));
    assert!(complaints.is_empty(), "{}\n{} complaints", complaints.join("\n"), complaints.len());
}

/// A case in which Truto's functions give, by intention, something else than the suite expects.
#[derive(Deserialize)]
struct Deviation {
    id: String,
    reason: String,
}
