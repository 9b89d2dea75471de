//! Deliveries, verified by real verifiers: the library `standardwebhooks` (npm and `PyPI`), and handlers as programs for Truto have
//! them.

use std::process::Stdio;

use anyhow::{Context, Result, ensure};
use relink_tests::{
    process,
    receiver::{Delivery, Receiver},
    relink::Relink,
    session::Session,
};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;

/// What a program says of a delivery that it reads from standard input.
async fn verdict(
    session: &Session,
    program: &[&str],
    format: &str,
    secret: &str,
    delivery: &Delivery,
) -> Result<Value> {
    let mut command = session.command(program[0]);
    command.args(&program[1..]).arg(format);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut running = process::spawn(command)?;
    let mut input = running.stdin.take().context("no standard input")?;
    let given = json!({ "secret": secret, "headers": delivery.headers(), "body": delivery.text() });
    input.write_all(given.to_string().as_bytes()).await?;
    drop(input);
    let output = running.wait_with_output().await?;
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "{}: {out}{err}", output.status);
    serde_json::from_str(&out).with_context(|| format!("no JSON: {out}{err}"))
}

#[tokio::test]
async fn verifiers_accept_deliveries_in_both_formats_and_refuse_a_changed_byte() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let receiver = Receiver::start().await?;
    let made = relink.post("/webhook", json!({ "target_url": receiver.url(), "event_types": ["test"] })).await?;
    let id = made["id"].as_str().context("no ID")?;
    let secret = made["secret"].as_str().context("no secret")?;
    let python = process::target().join("python/standardwebhooks/bin/python");
    let sdks = process::workspace().join("tests/sdks");
    let (python, sdks) = (python.to_string_lossy(), sdks.to_string_lossy());
    let programs = [
        [python.to_string(), format!("{sdks}/verify_webhook.py")],
        ["node".to_owned(), format!("{sdks}/verify_webhook.mjs")],
    ];
    for (count, format) in [(1, "base64"), (2, "hex")] {
        let change = json!({ "signature_format": format });
        relink.request(reqwest::Method::PATCH, &format!("/webhook/{id}"), change).await?;
        relink.post("/webhook/test", json!({ "id": id })).await?;
        receiver.wait_for_count(count).await?;
        let delivery = receiver.seen().pop().context("no delivery")?;
        for program in &programs {
            let program = program.each_ref().map(String::as_str);
            let said = verdict(&session, &program, format, secret, &delivery).await;
            let said = said.context("run make test-setup, which installs standardwebhooks")?;
            assert_eq!(said, json!({ "standard": [true, false], "truto": [true, false] }), "{program:?} {format}");
            let other = "0b9c1f4e-7a52-4c0d-9d55-3f0f8a6c7b21";
            let said = verdict(&session, &program, format, other, &delivery).await?;
            assert_eq!(said, json!({ "standard": [false, false], "truto": [false, false] }), "with another secret");
        }
    }
    relink.stop().await
}
