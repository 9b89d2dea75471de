//! Secrets in the wrong place of a definition, which is stored in plain text and shown to programs.

use std::fs;

use anyhow::{Context, Result, ensure};
use relink_tests::{provider::Provider, relink::Relink, session::Session};
use reqwest::Method;
use serde_json::{Value, json};

const SECRET: &str = "hunter2-misplaced";

/// The definition with a value added, on many lines.
fn with(definition: &str, pointer: &str, value: Value) -> Result<String> {
    let mut document: Value = serde_json::from_str(definition)?;
    let (parent, key) = pointer.rsplit_once('/').context("no pointer")?;
    document.pointer_mut(parent).and_then(Value::as_object_mut).context("no object")?.insert(key.to_owned(), value);
    Ok(serde_json::to_string_pretty(&document)?)
}

/// The files of the data folder that contain the secret.
fn leaks(session: &Session) -> Result<Vec<String>> {
    let mut leaks = Vec::new();
    for entry in fs::read_dir(session.data_dir())? {
        let path = entry?.path();
        let bytes = if path.is_file() { fs::read(&path)? } else { Vec::new() };
        if bytes.windows(SECRET.len()).any(|window| window == SECRET.as_bytes()) {
            leaks.push(path.display().to_string());
        }
    }
    Ok(leaks)
}

#[tokio::test]
async fn a_misplaced_secret_is_refused_by_line_and_field_and_stored_nowhere() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let provider = Provider::start().await?;
    let credentials = "/config/credentials/oauth2/config";
    for (pointer, value) in [
        ("/config/clientSecret".to_owned(), json!(SECRET)),
        ("/config/headers".to_owned(), json!({ "Authorization": format!("Bearer {SECRET}") })),
        ("/config/query".to_owned(), json!({ "api_key": SECRET })),
        (format!("{credentials}/hmac"), json!(SECRET)),
        (format!("{credentials}/client"), json!({ "id": "x", "sceret": SECRET })),
        ("/config/authorization".to_owned(), json!({ "oauth2": { "format": "bearer", "key": SECRET } })),
        ("/config/resources".to_owned(), json!({ "a": { "list": { "path": format!("/a?access_token={SECRET}") } } })),
    ] {
        let text = with(&provider.definition(), &pointer, value)?;
        let (status, refused) =
            relink.try_request(Method::POST, "/relink/integrations", json!({ "text": text })).await?;
        ensure!((status, &refused["code"]) == (400, &json!("integration_malformed")), "{pointer}: {status} {refused}");
        let file = session.folder().join("definition.json");
        fs::write(&file, text)?;
        let printed = relink.cli(&session, &["integrations", "add", &file.display().to_string()]).await?;
        ensure!(printed.code == 1, "{pointer}: {printed:?}");
        let field = pointer.trim_start_matches('/').replace('/', ".");
        for said in [refused.to_string(), printed.err] {
            ensure!(said.contains("line ") && said.contains(&field) && !said.contains("hunter2"), "{pointer}: {said}");
        }
    }
    let log = relink.logged();
    relink.stop().await?;
    ensure!(!log.contains("hunter2") && leaks(&session)?.is_empty(), "{:?}", leaks(&session)?);
    Ok(())
}

#[tokio::test]
async fn a_misplaced_secret_that_an_earlier_version_stored_is_not_shown() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let provider = Provider::start().await?;
    let account = provider.connect(&relink).await?;
    relink.stop().await?;
    let database = rusqlite::Connection::open(session.data_dir().join("relink.db"))?;
    let changed = database.execute(
        "UPDATE integration SET document = json_set(document, '$.config.headers', json_object('X-Api-Key', ?1),
           '$.config.credentials.oauth2.config.hmac', ?1) WHERE built_in = 0",
        [SECRET],
    )?;
    drop(database);
    ensure!(changed == 1 && !leaks(&session)?.is_empty(), "the database holds it");

    let relink = Relink::start(&session).await?;
    let listed = relink.get("/integration").await?;
    ensure!(listed.to_string().contains("<redacted>") && !listed.to_string().contains(SECRET), "{listed}");
    let id = relink.get(&format!("/integrated-account/{account}")).await?["environment_integration_id"].clone();
    for path in
        ["/environment-integration".to_owned(), format!("/environment-integration/{}", id.as_str().context("an ID")?)]
    {
        let shown = relink.get(&path).await?;
        ensure!(!shown.to_string().contains(SECRET), "{shown}");
    }
    let printed = relink.cli(&session, &["integrations", "--json"]).await?;
    ensure!(printed.code == 0 && !printed.out.contains(SECRET), "{printed:?}");
    let token = relink.cli(&session, &["token", &account]).await?;
    ensure!(token.code == 0, "the account still works: {token:?}");
    relink.stop().await
}
