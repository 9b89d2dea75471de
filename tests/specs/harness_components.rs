//! Tests of the harness's components: receiver, browser and program.

use anyhow::{Context, Result};
use axum::{Router, response::Html, routing::get};
use relink_tests::{browser::Browser, receiver::Receiver, relink::Relink, session::Session};
use reqwest::Client;
use tokio::net::TcpListener;

fn client() -> Result<Client> {
    // Another test in this process may already have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(Client::builder().redirect(reqwest::redirect::Policy::none()).build()?)
}

/// Serves pages on loopback until the test ends.
async fn serve(router: Router) -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let base = format!("http://{}", listener.local_addr()?);
    tokio::spawn(async move { axum::serve(listener, router).await });
    Ok(base)
}

#[tokio::test]
async fn a_receiver_accepts_only_a_valid_signature() -> Result<()> {
    // Made with openssl: printf '%s' BODY | openssl dgst -sha256 -hmac 'key of the test' -binary | base64
    const BODY: &str = r#"{"id":"evt-1","event":"test"}"#;
    const TRUTO: &str = "format=sha256,v=DzX0KxXpYBTnBDV4q+UjS/eyGmL9hLmVTkX74OV21FQ=";
    const STANDARD: &str = "v1,9uh4Lgeosfu0zcL+iDrJTjzBk0QlZMYqVhrGDMuZBKQ=";
    let receiver = Receiver::start().await?;
    let send = async |truto: &'static str, standard: &'static str, timestamp: &'static str, body: &'static str| {
        let request = client()?
            .post(receiver.url())
            .header("x-truto-signature", truto)
            .header("webhook-id", "evt-1")
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", standard)
            .body(body);
        anyhow::Ok(request.send().await?.status().as_u16())
    };
    let cases = [
        ("as signed", TRUTO, STANDARD, "1700000000", BODY, true),
        ("another body", TRUTO, STANDARD, "1700000000", r#"{"id":"evt-1","event":"tesT"}"#, false),
        ("another time", TRUTO, STANDARD, "1700000001", BODY, false),
        ("no Truto signature", "", STANDARD, "1700000000", BODY, false),
        ("no standard signature", TRUTO, "", "1700000000", BODY, false),
    ];
    for (count, (name, truto, standard, timestamp, body, valid)) in cases.into_iter().enumerate() {
        assert_eq!(send(truto, standard, timestamp, body).await?, 200);
        receiver.wait_for_count(count + 1).await?;
        assert_eq!(receiver.seen()[count].is_signed_with("key of the test"), valid, "{name}");
    }
    assert!(!receiver.seen()[0].is_signed_with("another key"));
    assert_eq!(receiver.wait_for("test").await?.body["id"], "evt-1");

    receiver.refuse(2);
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(send(TRUTO, STANDARD, "1700000000", BODY).await?);
    }
    assert_eq!(answers, [500, 500, 200]);
    Ok(())
}

#[tokio::test]
async fn a_browser_clicks_types_and_follows_into_another_tab() -> Result<()> {
    let first = r#"<!doctype html><title>First</title><input name="who"><button onclick="
        document.querySelector('p').textContent = 'Hello ' + document.querySelector('input').value">Greet</button>
        <p></p><a href="/second" target="_blank">Further</a>"#;
    let router = Router::new()
        .route("/", get(move || async move { Html(first) }))
        .route("/second", get(|| async { Html("<!doctype html><title>Second</title><h1>Another tab</h1>") }));
    let base = serve(router).await?;
    let session = Session::start().await?;
    let browser = Browser::start(&session).await?;
    browser.open(&base).await?;
    browser.fill("who", "Ada").await?;
    browser.press("Greet").await?;
    browser.shows("Hello Ada").await?;
    browser.press("Further").await?;
    browser.newest_tab().await?;
    browser.shows("Another tab").await?;
    browser.back_to_first_tab().await?;
    browser.shows("Hello Ada").await?;
    let screenshot = session.folder().join("pictures/first.png");
    browser.screenshot(&screenshot).await?;
    assert_eq!(std::fs::read(screenshot)?.get(1..4), Some(&b"PNG"[..]));
    browser.close().await
}

#[tokio::test]
async fn the_program_survives_a_kill_and_stops_cleanly() -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    assert_eq!(relink.get("/ping").await?["ping"], "pong");
    let engine = relink.data_dir().join("engine.json");
    let (first, pid) = (relink.base_url().to_owned(), relink.pid().context("the program has exited")?);
    relink.kill().await?;
    assert!(client()?.get(format!("{first}/ping")).send().await.is_err(), "the killed program does not respond");
    assert!(engine.exists(), "a killed program does not remove its file");

    let relink = Relink::start(&session).await?;
    assert_ne!(relink.pid(), Some(pid));
    let status = relink.cli(&session, &["status", "--json"]).await?;
    assert_eq!(status.code, 0, "{}", status.err);
    relink.stop().await?;
    assert!(!engine.exists(), "a clean stop removes the file");
    Ok(())
}
