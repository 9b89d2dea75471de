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
        let account = provider.connect_with_api(&relink, "upstream", &upstream.base_url).await?;
        let drained = provider.connect_with_api(&relink, "drain", &drain_url).await?;
        let token = relink.post("/relink/api-tokens", json!({ "name": "benchmark" })).await?;
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
        Ok(Self { _session: session, relink, upstream, peer, _drain: drain, through_relink, through_peer, direct })
    }

    async fn requests(&self) -> Result<()> {
        let [mut relink, mut peer] = [(); 2].map(|()| [Figures::default(), Figures::default()]);
        let pids = [self.relink.pid(), self.peer.pid()].map(|pid| pid.context("it has exited"));
        let [relinks, peers] = pids;
        let routes = [(&self.through_relink, relinks?, &mut relink), (&self.through_peer, peers?, &mut peer)];
        let mut routes = routes.map(|(route, pid, figures)| (format!("{}/small", route.base_url), route, pid, figures));
        for _ in 0..ROUNDS {
            for (url, route, pid, figures) in &mut routes {
                let before = processes::processor_time(*pid)?;
                let report = wrk::run(url, route.token.as_deref(), CONNECTIONS).await?;
                let spent = processes::processor_time(*pid)? - before;
                figures[0].add(report.requests_per_second);
                figures[1].add(spent * 1e6 / report.requests);
            }
        }
        let what = format!("`/via`, {CONNECTIONS} connections, answers of 1 kB");
        table("Calls through Relink: throughput", "requests/s", PEER, &[(&what, &relink[0], &peer[0])]);
        println!("\nThe aim: at least 1.0, then 1.5.");
        table("Calls through Relink: processor time of a request", "µs", PEER, &[(&what, &relink[1], &peer[1])]);
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
