//! `relink eval`, end to end: no Relink runs, and there isn't even a data folder.

use std::{fmt::Write as _, fs, process::Stdio};

use anyhow::{Context, Result, ensure};
use relink_tests::{
    process,
    relink::{Printed, program},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::AsyncWriteExt;

/// A folder in which commands are run.
struct Folder(TempDir);

impl Folder {
    fn new() -> Result<Self> {
        Ok(Self(tempfile::Builder::new().prefix("relink-eval-").tempdir()?))
    }

    fn write(&self, name: &str, content: impl AsRef<[u8]>) -> Result<()> {
        Ok(fs::write(self.0.path().join(name), content)?)
    }

    /// Runs `relink eval` with these arguments and this standard input, and asserts the exit code.
    async fn eval_with(&self, code: i32, arguments: &[&str], input: &str) -> Result<Printed> {
        let mut command = process::command(&program());
        command.arg("eval").args(arguments).current_dir(self.0.path());
        command.env_remove("RELINK_DATA_DIR").env_remove("XDG_DATA_HOME").env_remove("HOME");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = process::spawn(command)?;
        let mut stdin = child.stdin.take().context("no standard input")?;
        let input = input.as_bytes().to_vec();
        // A command that doesn't read it closes the pipe.
        let writing = tokio::spawn(async move { stdin.write_all(&input).await });
        let output = child.wait_with_output().await?;
        let _ = writing.await?;
        let printed = Printed {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        };
        ensure!(printed.code == code, "{arguments:?} exited with {}: {}", printed.code, printed.err);
        ensure!((code == 0) == printed.err.is_empty(), "{arguments:?}: {}", printed.err);
        ensure!(code == 0 || printed.out.is_empty(), "{arguments:?} failed, and printed {}", printed.out);
        Ok(printed)
    }

    async fn prints(&self, expected: &str, arguments: &[&str]) -> Result<()> {
        let printed = self.eval_with(0, arguments, "").await?.out;
        ensure!(printed == expected, "{arguments:?} printed {printed:?}");
        Ok(())
    }

    /// Asserts that standard error has exactly these lines first.
    async fn fails(&self, code: i32, arguments: &[&str], lines: &[&str]) -> Result<()> {
        let error = self.eval_with(code, arguments, "").await?.err;
        ensure!(error.starts_with(&(lines.join("\n") + "\n")), "{arguments:?}: {error}");
        Ok(())
    }
}

#[tokio::test]
async fn a_result_is_printed_as_json() -> Result<()> {
    let folder = Folder::new()?;
    folder.write("people.json", r#"{"people": [{"name": "Ada", "born": 1815}, {"name": "Grace", "born": 1906}]}"#)?;
    folder.prints("3\n", &["1 + 2"]).await?;
    folder.prints("\"Grace\"\n", &["people[born > 1900].name", "people.json"]).await?;
    folder.prints("{\n  \"a\": [\n    1,\n    []\n  ]\n}\n", &["{'a': [1, []]}", "--json"]).await?;
    folder.prints("\"2026-03-01\"\n", &["$dtFromIso('2026-02-28T23:30:00Z').plus({'hours': 1}).toISODate()"]).await?;
    folder.write("names.jsonata", "/* all of them */\npeople.name\n")?;
    folder.prints("[\n  \"Ada\",\n  \"Grace\"\n]\n", &["--from-file", "names.jsonata", "people.json"]).await?;
    // A minus at the start of the expression needs the usual separator.
    folder.prints("-1\n", &["--", "-1"]).await
}

#[tokio::test]
async fn undefined_prints_nothing() -> Result<()> {
    let folder = Folder::new()?;
    folder.write("in.json", "{}")?;
    folder.prints("", &["missing", "in.json"]).await?;
    folder.prints("", &["missing"]).await?;
    // Without a file there is no input, which isn't the same as null.
    folder.prints("false\n", &["$exists($)"]).await?;
    folder.prints("null\n", &["null"]).await
}

#[tokio::test]
async fn the_input_may_come_from_standard_input() -> Result<()> {
    let folder = Folder::new()?;
    let printed = folder.eval_with(0, &["$sum(a)", "-"], "{\"a\": [1, 2.5]}").await?;
    assert_eq!(printed.out, "3.5\n");
    folder.write("in.json", "{\"a\": 7}")?;
    assert_eq!(folder.eval_with(0, &["-f", "-", "in.json"], "a + 1").await?.out, "8\n");
    folder.eval_with(1, &["-f", "-", "-"], "1").await.map(drop)
}

#[tokio::test]
async fn bindings_are_json() -> Result<()> {
    let folder = Folder::new()?;
    let bindings = ["--binding", "who={\"name\": \"Ada\"}", "--binding", "$n=[1, 2]"];
    folder.prints("\"Ada2\"\n", &[&["$who.name & $count($n)"][..], &bindings].concat()).await?;
    for refused in ["who", "who=Ada", "=1", "a b=1"] {
        let error = folder.eval_with(2, &["$who", "--binding", refused], "").await?.err;
        assert!(error.contains("--binding <NAME=JSON>"), "{error}");
    }
    Ok(())
}

#[tokio::test]
async fn numbers_and_texts_stay_exact() -> Result<()> {
    let folder = Folder::new()?;
    folder.write("in.json", "[9007199254740991, 100000000000000000000, 1e21, 0.1, \"\\ud83d\", \"\\u001b[2J\"]")?;
    let expected =
        "[\n  9007199254740991,\n  100000000000000000000,\n  1e+21,\n  0.1,\n  \"\\ud83d\",\n  \"\\u001b[2J\"\n]\n";
    folder.prints(expected, &["$", "in.json"]).await?;
    // What would control the terminal is escaped in a result, and not in an error at all.
    folder.prints("\"\\u009b2J\\u202e\"\n", &["$x", "--binding", "x=\"\u{9b}2J\u{202e}\""]).await?;
    let error = folder.eval_with(9, &["$error('\u{1b}[2Jgone\u{202e}')"], "").await?.err;
    assert!(error.contains("gone") && !error.contains(['\u{1b}', '\u{202e}']), "{error:?}");
    Ok(())
}

#[tokio::test]
async fn an_error_shows_its_place() -> Result<()> {
    let folder = Folder::new()?;
    let shown = ["  $summ([1])", "  ^^^^^"];
    let error = folder.eval_with(9, &["$summ([1])"], "").await?.err;
    assert!(error.contains("at line 1, column 1: ") && error.contains(&shown.join("\n")), "{error}");
    assert!(error.contains("$summ"), "{error}");

    let error = folder.eval_with(9, &["{\n\t\"漢字\": 1 +,\n}"], "").await?.err;
    assert!(error.starts_with("S0211 at line 2, column 11: "), "{error}");
    assert!(error.contains("\n   \"漢字\": 1 +,\n              ^\n"), "{error}");

    folder.write("m.jsonata", "(\n  $x := 1;\n  $x.name + \"a\"\n)")?;
    let error = folder.eval_with(9, &["-f", "m.jsonata"], "").await?.err;
    assert!(error.contains("T2002 in m.jsonata at line 3, column 11: "), "{error}");
    assert!(error.contains("\n    $x.name + \"a\"\n            ^\n"), "{error}");

    // A long line is cut.
    let long = format!("[{}$nope{}]", "1, ".repeat(2_000), ", 1".repeat(2_000));
    let error = folder.eval_with(9, &[&long], "").await?.err;
    let place = error.lines().nth(1).context("no excerpt")?;
    assert!(place.contains("$nope") && place.starts_with("  …") && place.chars().count() < 100, "{place}");

    // Relink has no network inside of expressions.
    let error = folder.eval_with(9, &["$parseDocument('x')"], "").await?.err;
    assert!(error.contains("parseDocument"), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_input_that_can_not_be_used_says_why() -> Result<()> {
    let folder = Folder::new()?;
    folder.write("in.json", "{\n  \"a\": [1,\n}")?;
    let shown = ["Can't use in.json: it isn't JSON, expected value, at line 3, column 1.", "  }", "  ^"];
    folder.fails(1, &["a", "in.json"], &shown).await?;
    folder.write("latin1.json", b"\"\xe9\"")?;
    folder.fails(1, &["a", "latin1.json"], &["Can't use latin1.json: it isn't UTF-8, at line 1, column 2."]).await?;
    for missing in [&["a", "missing.json"][..], &["-f", "missing.jsonata"]] {
        let error = folder.eval_with(1, missing, "").await?.err;
        assert!(error.starts_with("Can't read missing.json"), "{error}");
    }
    let error = folder.eval_with(1, &["a", "-"], "").await?.err;
    assert!(error.contains("standard input"), "{error}");
    folder.eval_with(2, &[], "").await.map(drop)
}

#[tokio::test]
async fn what_takes_too_much_ends_at_its_limit() -> Result<()> {
    let folder = Folder::new()?;
    let endless = "($f := function($n) { $f($n + 1) }; $f(0))";
    let error = folder.eval_with(10, &[endless, "--timeout", "0.3"], "").await?.err;
    assert!(error.contains("300 ms"), "{error}");
    folder.eval_with(10, &["$map([1..10000000], function($x) { $string($x) })"], "").await?;
    folder.eval_with(10, &["($f := function($n) { 1 + $f($n) }; $f(0))"], "").await?;
    folder.eval_with(2, &["1", "--timeout", "0"], "").await.map(drop)
}

#[tokio::test]
async fn ten_megabytes_of_input_are_evaluated() -> Result<()> {
    let folder = Folder::new()?;
    let mut input = String::from("[");
    for id in 0.. {
        if input.len() > 10_000_000 {
            break;
        }
        write!(input, "{}", json!({ "id": id, "name": "Ada Lovelace", "tags": ["a", "b"], "at": { "x": 1.5 } }))?;
        input.push(',');
    }
    input.push_str("{\"id\": -1}]");
    folder.write("in.json", &input)?;
    let count = input.matches("\"id\"").count();
    // The processor may be slow, and busy with other tests.
    folder.prints(&format!("{count}\n"), &["$count(id)", "in.json", "--timeout", "60"]).await?;
    // All of it also comes out again, and through pipes.
    let printed = folder.eval_with(0, &["$", "-", "--timeout", "60"], &input).await?.out;
    ensure!(serde_json::from_str::<Value>(&printed)? == serde_json::from_str::<Value>(&input)?);
    Ok(())
}
