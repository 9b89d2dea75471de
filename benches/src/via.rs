//! Calls through Relink beside nginx, which forwards to the same server and adds a header: one worker, connections kept alive.

mod nginx;
mod wrk;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, ensure};
use relink_tests::{process, provider::Provider, relink::Relink, session::Session};
use serde_json::json;
use tokio::process::Child;

use self::nginx::Nginx;
use crate::{
    calls,
    figures::{Figures, millis, table},
    processes,
};

const ROUNDS: usize = 5;
const CONNECTIONS: usize = 32;
/// What one transfer moves.
const TRANSFER_BYTES: u64 = 1 << 30;
const TRANSFER_ROUNDS: usize = 3;
const MEMORY_POLL_INTERVAL: Duration = Duration::from_millis(20);

const PEER: &str = "nginx, one worker";

/// Relink and nginx, in front of the same server.
struct World {
    _session: Session,
    relink: Relink,
    /// Answers with 1 kB or 1 GB.
    upstream: Nginx,
    peer: Nginx,
    /// Reads what it is sent.
    _drain: Child,
    through_relink: Route,
    through_peer: Route,
    direct: Route,
    methods: Methods,
}

/// The URLs of methods at `/proxy`.
struct Methods {
    /// An answer of 1 kB.
    get: String,
    /// A page of 100 records.
    list: String,
}

/// How the server is reached.
struct Route {
    /// Where the answers come from.
    base_url: String,
    /// Where the server is that reads.
    drain_url: String,
    token: Option<String>,
}

pub(crate) async fn measure() -> Result<()> {
    let world = World::start().await?;
    world.requests().await?;
    world.latency().await?;
    world.transfers().await?;
    world.relink.stop().await
}

impl World {
    async fn start() -> Result<Self> {
        let (session, provider) = (Session::start().await?, Provider::start().await?);
        let (drain, drain_url) = calls::start_baseline(&session).await?;
        let upstream = Nginx::upstream(&session.folder().join("upstream"), TRANSFER_BYTES).await?;
        let peer = Nginx::proxy(&session.folder().join("peer"), &upstream.base_url, &drain_url).await?;
        let relink = Relink::start(&session).await?;
        let resources = json!({
            "answers": { "get": { "path": "/{{id}}" } },
            "records": { "list": {
                "path": "/records",
                "query": { "filter": "{{query.filter:undefined}}", "order": "{{query.order ?: newest}}" },
                "response_path": "results",
                "pagination": { "format": "cursor", "config": {
                    "cursor_path": "paging.next", "cursor_key": "after", "limit_key": "limit", "max_limit": 100,
                } },
            } },
        });
        let config = json!({ "base_url": upstream.base_url, "resources": resources });
        let account = provider.connect_with_config(&relink, "upstream", config).await?;
        let drained = provider.connect_with_api(&relink, "drain", &drain_url).await?;
        let token = relink.post("/relink/api-tokens", json!({ "name": "benchmark" })).await?;
        let method = |path: &str| format!("{}/proxy/{path}?integrated_account_id={account}", relink.base_url());
        let methods = Methods { get: method("answers/small"), list: format!("{}&limit=100", method("records")) };
        let via = |account: &str| format!("{}/via/{account}", relink.base_url());
        let through_relink = Route {
            base_url: via(&account),
            drain_url: format!("{}/drain", via(&drained)),
            token: Some(token["token"].as_str().context("no token")?.to_owned()),
        };
        let through_peer =
            Route { base_url: peer.base_url.clone(), drain_url: format!("{}/drain", peer.base_url), token: None };
        let direct =
            Route { base_url: upstream.base_url.clone(), drain_url: format!("{drain_url}/drain"), token: None };
        Ok(Self {
            _session: session,
            relink,
            upstream,
            peer,
            _drain: drain,
            through_relink,
            through_peer,
            direct,
            methods,
        })
    }

    async fn requests(&self) -> Result<()> {
        let relink = Caller { pid: self.relink.pid(), token: self.through_relink.token.as_deref() };
        let peer = Caller { pid: self.peer.pid(), token: None };
        let small = format!("{}/small", self.through_relink.base_url);
        let small_of_peer = format!("{}/small", self.through_peer.base_url);
        let rows = [
            ("`/via`, answers of 1 kB", (&relink, small.as_str()), (&peer, small_of_peer.as_str())),
            ("`/proxy`, the same", (&relink, &self.methods.get), (&peer, &small_of_peer)),
        ];
        compare("throughput", PEER, rows).await?;
        println!("\nThe aim: at least 1.0, then 1.5.");
        let list = format!("{}/records?limit=100", self.through_relink.base_url);
        let rows =
            [("`/proxy`, a page of 100 records of 1 kB", (&relink, self.methods.list.as_str()), (&relink, &*list))];
        compare("a list", "`/via`, the same bytes", rows).await?;
        println!("\nThe aim: at least 0.5.");
        Ok(())
    }

    /// At one connection: what each adds to the server's own latency.
    async fn latency(&self) -> Result<()> {
        let [mut relink, mut peer] = [(); 2].map(|()| [Figures::default(), Figures::default()]);
        for _ in 0..ROUNDS {
            let direct = self.latency_of(&self.direct).await?;
            for (route, figures) in [(&self.through_relink, &mut relink), (&self.through_peer, &mut peer)] {
                let measured = self.latency_of(route).await?;
                figures[0].add(measured.p50_micros - direct.p50_micros);
                figures[1].add(measured.p99_micros - direct.p99_micros);
            }
        }
        table(
            "Calls through Relink: added latency, one connection",
            "µs",
            PEER,
            &[("p50", &relink[0], &peer[0]), ("p99", &relink[1], &peer[1])],
        );
        println!("\nThe aim: at most 1.0.");
        Ok(())
    }

    async fn latency_of(&self, route: &Route) -> Result<wrk::Report> {
        wrk::run(&format!("{}/small", route.base_url), route.token.as_deref(), 1).await
    }

    async fn transfers(&self) -> Result<()> {
        let pid = self.relink.pid().context("Relink has exited")?;
        let file = self.upstream.large_file();
        let (mut grown_by, mut rows) = (0.0_f64, Vec::new());
        for is_upload in [false, true] {
            let (mut relink, mut peer) = (Figures::default(), Figures::default());
            for _ in 0..TRANSFER_ROUNDS {
                let before = processes::proportional_memory(pid)?;
                let (took, most) = transfer(&self.through_relink, is_upload, &file, pid).await?;
                grown_by = grown_by.max(most - before);
                relink.add(megabytes_per_second(took));
                peer.add(megabytes_per_second(transfer(&self.through_peer, is_upload, &file, pid).await?.0));
            }
            rows.push((if is_upload { "1 GB up" } else { "1 GB down" }, relink, peer));
        }
        let rows: Vec<_> = rows.iter().map(|(what, relink, peer)| (*what, relink, peer)).collect();
        table("Calls through Relink: large bodies", "MB/s", PEER, &rows);
        println!("\nThe aim: at least 0.9. Relink's memory grew by {grown_by:.1} MB at most; the aim is below 16.");
        Ok(())
    }
}

/// Whom a request goes through.
struct Caller<'a> {
    pid: Option<u32>,
    token: Option<&'a str>,
}

/// A caller, and the URL that it calls.
type Side<'a> = (&'a Caller<'a>, &'a str);

/// Measures both sides of each row in turns, with 32 connections.
async fn compare<const N: usize>(what: &str, peer: &str, rows: [(&str, Side<'_>, Side<'_>); N]) -> Result<()> {
    let mut measured: Vec<[[Figures; 2]; 2]> = (0..N).map(|_| Default::default()).collect();
    for _ in 0..ROUNDS {
        for ((_, relink, peer), figures) in rows.iter().zip(&mut measured) {
            for ((caller, url), [rates, times]) in [relink, peer].into_iter().zip(figures) {
                let pid = caller.pid.context("it has exited")?;
                let before = processes::processor_time(pid)?;
                let report = wrk::run(url, caller.token, CONNECTIONS).await?;
                let spent = processes::processor_time(pid)? - before;
                rates.add(report.requests_per_second);
                times.add(spent * 1e6 / report.requests);
            }
        }
    }
    for (index, (figure, unit)) in [("", "requests/s"), (": processor time of a request", "µs")].iter().enumerate() {
        let rows: Vec<_> = rows
            .iter()
            .zip(&measured)
            .map(|((name, ..), [relink, peer])| (*name, &relink[index], &peer[index]))
            .collect();
        table(&format!("Calls through Relink: {what}, {CONNECTIONS} connections{figure}"), unit, peer, &rows);
    }
    Ok(())
}

/// Moves the large file. Gives how long it took, and Relink's highest memory meanwhile in MB.
async fn transfer(route: &Route, is_upload: bool, file: &Path, relink: u32) -> Result<(Duration, f64)> {
    let mut command = process::command("curl");
    command.args(["--silent", "--show-error", "--fail", "--output", "/dev/null"]);
    if let Some(token) = &route.token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    if is_upload {
        command.args(["--header", "Expect:", "--request", "POST", "--upload-file"]).arg(file).arg(&route.drain_url);
    } else {
        command.arg(format!("{}/large", route.base_url));
    }
    let began = Instant::now();
    let mut curl = process::spawn(command)?;
    let mut most = 0.0_f64;
    loop {
        tokio::select! {
            ended = curl.wait() => {
                ensure!(ended?.success(), "curl failed");
                return Ok((began.elapsed(), most));
            }
            () = tokio::time::sleep(MEMORY_POLL_INTERVAL) => most = most.max(processes::proportional_memory(relink)?),
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a power of two")]
fn megabytes_per_second(took: Duration) -> f64 {
    TRANSFER_BYTES as f64 / 1_000.0 / millis(took)
}
