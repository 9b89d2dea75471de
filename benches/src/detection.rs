//! How soon the person and the webhooks know that a call was answered 401: one account after the other is refused in the real
//! app, on a desktop with a notification daemon, and works again before the next one.

use std::{
    process::Stdio,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime},
};

use anyhow::{Context, Result, ensure};
use axum::{
    Json, Router,
    extract::State,
    http::StatusCode,
    routing::{get, post},
};
use relink_tests::{
    desktop::{Desktop, Parts},
    process,
    relink::{DEADLINE, Relink, link_token},
};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Lines},
    net::TcpListener,
    process::{Child, ChildStdout},
    sync::mpsc,
    time::{sleep, timeout},
};

use crate::{
    apps::{self, App},
    figures::{Figures, millis},
};

const ACCOUNTS: usize = 100;
/// Longer than Relink waits for other accounts to join a notification.
const PAUSE: Duration = Duration::from_millis(2_100);
const INTEGRATION: &str = "keys";
const REFUSED: &str = "integrated_account:authentication_error";

/// The provider and the webhook's receiver.
struct Server {
    base_url: String,
    refuses: Arc<AtomicBool>,
    /// When the provider refused a call.
    refused: mpsc::UnboundedReceiver<SystemTime>,
    /// When the receiver was sent the event.
    delivered: mpsc::UnboundedReceiver<SystemTime>,
}

#[derive(Clone)]
struct Shared {
    refuses: Arc<AtomicBool>,
    refused: mpsc::UnboundedSender<SystemTime>,
    delivered: mpsc::UnboundedSender<SystemTime>,
}

pub(crate) async fn measure() -> Result<()> {
    let desktop = Desktop::start(Parts { notifications: true, tray: false }).await?;
    let mut server = Server::start().await?;
    let relink = Relink::start(&desktop).await?;
    let accounts = prepare(&relink, &server.base_url).await?;
    let token = relink.post("/relink/api-tokens", json!({ "name": "benchmark" })).await?;
    let token = token["token"].as_str().context("no token")?.to_owned();
    relink.stop().await?;
    let app = App::Relink.start(&desktop, false)?;
    let base_url = base_url(&desktop).await?;
    let mut notifications = Notifications::listen(&desktop).await?;
    let client = Client::new();
    let (mut notified, mut delivered) = (Figures::default(), Figures::default());
    for account in &accounts {
        let call = async |status: u16| {
            let sent = client.get(format!("{base_url}/via/{account}/x")).bearer_auth(&token).send().await?;
            ensure!(sent.status().as_u16() == status, "{}", sent.status());
            Ok(())
        };
        server.refuses.store(true, Ordering::SeqCst);
        call(401).await?;
        let refused = next(&mut server.refused).await?;
        let (notice, delivery) = tokio::try_join!(notifications.next(), next(&mut server.delivered))?;
        notified.add(millis(notice.duration_since(refused).unwrap_or_default()));
        delivered.add(millis(delivery.duration_since(refused).unwrap_or_default()));
        server.refuses.store(false, Ordering::SeqCst);
        call(200).await?;
        sleep(PAUSE).await;
    }
    println!("\n### From a refused call to whoever must know, {ACCOUNTS} accounts one after the other\n");
    println!("| ms | median | p99 | maximum | aim (p99) |\n|---|---|---|---|---|");
    for (what, figures, aim) in
        [("notification on the bus", &notified, 50), ("webhook at its receiver", &delivered, 100)]
    {
        let [median, p99, most] = [0.5, 0.99, 1.0].map(|share| figures.quantile(share));
        println!("| {what} | {median:.1} | {p99:.1} | {most:.1} | {aim} |");
    }
    apps::end(app).await
}

async fn next(times: &mut mpsc::UnboundedReceiver<SystemTime>) -> Result<SystemTime> {
    timeout(DEADLINE, times.recv()).await.context("it never came")?.context("the server has ended")
}

/// Adds the integration, its accounts and the webhook.
async fn prepare(relink: &Relink, server: &str) -> Result<Vec<String>> {
    let field = json!({ "name": "api_key", "label": "Key", "type": "password", "required": true });
    let definition = json!({ "name": INTEGRATION, "config": {
        "label": "Keys",
        "base_url": server,
        "credentials": { "api_key": { "format": "api_key", "config": { "fields": [field] } } },
        "authorization": { "api_key": { "format": "bearer", "config": { "path": "api_key" } } },
        "relink": { "allow_local": true },
    } });
    relink.post("/relink/integrations", json!({ "text": definition.to_string() })).await?;
    let webhook = json!({ "target_url": format!("{server}/hook"), "event_types": [REFUSED], "is_active": true });
    relink.post("/webhook", webhook).await?;
    let mut accounts = Vec::new();
    for number in 0..ACCOUNTS {
        accounts.push(connect(relink, number).await?);
    }
    Ok(accounts)
}

async fn connect(relink: &Relink, number: usize) -> Result<String> {
    let link = relink.magic_link(json!({ "tenant_id": format!("tenant-{number}") })).await?;
    let flows = format!("{}/connect-account/flows", relink.base_url());
    let key = format!("key-of-a-usual-length-0123456789-{number}");
    let body = json!({ "integration": INTEGRATION, "format": "api_key", "fields": { "api_key": key } });
    let client = Client::new();
    let begin = client.post(&flows).header("x-relink-link-token", link_token(&link)?).json(&body);
    let mut flow: Value = begin.send().await?.json().await?;
    let key = flow["key"].as_str().with_context(|| format!("the flow did not start: {flow}"))?.to_owned();
    while flow["phase"] != "succeeded" {
        ensure!(flow["phase"] != "failed", "{flow}");
        let url = format!("{flows}/{}?after={}", flow["id"].as_str().context("no id")?, flow["version"]);
        flow = client.get(url).header("x-relink-flow-key", &key).send().await?.json().await?;
    }
    flow["outcome"]["account"]["id"].as_str().map(str::to_owned).with_context(|| format!("not connected: {flow}"))
}

/// The API's base URL, as soon as the app serves it.
async fn base_url(desktop: &Desktop) -> Result<String> {
    let file = desktop.data_dir().join("engine.json");
    let found = async {
        loop {
            let read = std::fs::read_to_string(&file).ok().and_then(|text| serde_json::from_str::<Value>(&text).ok());
            if let Some(base_url) = read.and_then(|found| found["base_url"].as_str().map(str::to_owned)) {
                return base_url;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(DEADLINE, found).await.context("the app doesn't serve")
}

impl Server {
    async fn start() -> Result<Self> {
        let ((refused, answers), (delivered, deliveries)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
        let switch = Arc::new(AtomicBool::new(false));
        let shared = Shared { refuses: Arc::clone(&switch), refused, delivered };
        let router = Router::new().route("/x", get(answer)).route("/hook", post(receive)).with_state(shared);
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(Self { base_url, refuses: switch, refused: answers, delivered: deliveries })
    }
}

async fn answer(State(shared): State<Shared>) -> StatusCode {
    if !shared.refuses.load(Ordering::SeqCst) {
        return StatusCode::OK;
    }
    // It fails when the measurement has ended.
    let _ = shared.refused.send(wall_clock());
    StatusCode::UNAUTHORIZED
}

async fn receive(State(shared): State<Shared>, Json(event): Json<Value>) -> StatusCode {
    if event["event"] == REFUSED {
        let _ = shared.delivered.send(wall_clock());
    }
    StatusCode::OK
}

/// The clock that the bus monitor's times are from.
#[expect(clippy::disallowed_methods, reason = "compared with another program's times")]
fn wall_clock() -> SystemTime {
    SystemTime::now()
}

/// The calls of the notification service, as the bus sees them.
struct Notifications {
    lines: Lines<BufReader<ChildStdout>>,
    _monitor: Child,
}

impl Notifications {
    async fn listen(desktop: &Desktop) -> Result<Self> {
        let mut command = desktop.command("dbus-monitor");
        command.args(["--session", "--profile", "interface=org.freedesktop.Notifications,member=Notify"]);
        command.stdout(Stdio::piped());
        let mut monitor = process::spawn(command)?;
        let out = monitor.stdout.take().context("no output")?;
        let mut lines = BufReader::new(out).lines();
        // After its heading it is listening.
        timeout(DEADLINE, lines.next_line()).await.context("the bus monitor doesn't begin")??;
        Ok(Self { lines, _monitor: monitor })
    }

    /// When the next notification was shown.
    async fn next(&mut self) -> Result<SystemTime> {
        let found = async {
            while let Some(line) = self.lines.next_line().await? {
                // Such as `mc 1700000000.123456 12 :1.7 … Notify`: kind, seconds and serial number.
                if !line.ends_with("Notify") {
                    continue;
                }
                let seconds = line.split_whitespace().nth(1).and_then(|text| text.parse().ok());
                let since = Duration::from_secs_f64(seconds.with_context(|| format!("no time in {line:?}"))?);
                return Ok(SystemTime::UNIX_EPOCH + since);
            }
            anyhow::bail!("the bus monitor has ended")
        };
        timeout(DEADLINE, found).await.context("no notification was shown")?
    }
}
