//! 10,000 accounts whose refreshes fall due at once, over 100 hosts that take 200 ms each, without rotation. Compared with the
//! ideal: every host serves as many refreshes at a time as Relink allows. Then what touches every account: a clock that is set back,
//! and a start after which nothing or every address has changed. Run by `make bench`; asserts nothing about time.

use std::{
    fs,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{Json, Router, extract::State, routing::post};
use relink_domain::{AccountId, Timestamp, account::AuthenticationMethod, caller::Caller};
use relink_engine::{
    Engine, Options,
    clock::Clock,
    keychain::{Keychain, MemoryKeychain},
    many_accounts::{Form, connect_many},
};
use serde_json::{Value, json};

const ACCOUNTS: usize = 10_000;
const HOSTS: usize = 100;
const DELAY_MILLIS: u64 = 200;
/// How many refreshes Relink sends to one host at a time.
const PER_HOST: usize = 4;
const LIFETIME_SECS: i64 = 3600;
const START: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
struct Provider {
    requests: AtomicU64,
    delay_millis: AtomicU64,
}

#[tokio::main]
async fn main() {
    let provider = Arc::new(Provider::default());
    let port = serve(&provider).await;
    let folder = tempfile::tempdir().expect("a folder");
    let clock = Clock::set_to(START);
    let keychain = MemoryKeychain::default();
    let engine = start(folder.path(), &keychain, &clock).await;
    for host in 0..HOSTS {
        engine.catalog().add(&Caller::Person, &definition(host, port)).await.expect("added");
    }
    let form = |number: usize| Form {
        integration: format!("host-{}", number % HOSTS),
        format: AuthenticationMethod::Oauth2ClientCredentials,
        fields: vec![("client_id", number.to_string()), ("client_secret", "secret".to_owned())],
    };
    let accounts = connect_many(&engine, ACCOUNTS, form).await;

    // Just before the first is due: a tenth of the lifetime ahead of the expiry, and a tenth of that for the jitter.
    clock.advance_secs(LIFETIME_SECS - LIFETIME_SECS / 10 - LIFETIME_SECS / 100 - 10);
    // The loop must see this jump by itself: refreshes that are due right after one are deferred and spread.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let connected = provider.requests.load(Ordering::SeqCst);
    provider.delay_millis.store(DELAY_MILLIS, Ordering::SeqCst);
    let memory = resident_megabytes("VmRSS");
    let began = Instant::now();
    clock.advance_secs(LIFETIME_SECS / 100 + 11);
    for account in &accounts {
        until_refreshed(&engine, *account, clock.now()).await;
    }
    let took = began.elapsed().as_secs_f64();
    let refreshes = provider.requests.load(Ordering::SeqCst) - connected;

    let rounds = u32::try_from(ACCOUNTS / (HOSTS * PER_HOST)).expect("it fits");
    let ideal = f64::from(rounds) * Duration::from_millis(DELAY_MILLIS).as_secs_f64();
    println!("\n### {ACCOUNTS} refreshes due at once, {HOSTS} hosts, {DELAY_MILLIS} ms each\n");
    println!("| s | Relink | ideal at {PER_HOST} a host | ratio |\n|---|---|---|---|");
    println!("| until all are committed | {took:.2} | {ideal:.2} | {:.2} |", took / ideal);
    println!(
        "\n{refreshes} refreshes for {ACCOUNTS} accounts; at most {:.0} MB more memory than before, the provider's included.",
        resident_megabytes("VmHWM") - memory
    );

    println!("\n### What touches each of {ACCOUNTS} accounts\n");
    println!("| s | all accounts | a rename meanwhile |\n|---|---|---|");
    let (all, rename) = clock_set_back(&engine, &clock, &accounts).await;
    println!("| the clock is set back by a day | {all:.2} | {rename:.2} |");
    engine.stop().await;
    drop(engine);

    let began = Instant::now();
    let engine = start(folder.path(), &keychain, &clock).await;
    println!("| start, no address has changed | {:.2} | |", began.elapsed().as_secs_f64());
    engine.stop().await;
    drop(engine);

    let database = rusqlite::Connection::open(folder.path().join("relink.db")).expect("the database");
    let elsewhere = format!("http://127.0.2.1:{port}");
    let moved =
        "UPDATE integration SET document = json_set(document, '$.config.base_url', ?1) WHERE name LIKE 'host-%'";
    assert_eq!(database.execute(moved, [elsewhere]).expect("changed"), HOSTS);
    drop(database);
    let began = Instant::now();
    let engine = start(folder.path(), &keychain, &clock).await;
    println!("| start, every address has changed | {:.2} | |", began.elapsed().as_secs_f64());
    let counts = engine.accounts().status_counts(&Caller::Person).await.expect("counts");
    assert_eq!(counts.get("needs_reauth"), Some(&u32::try_from(ACCOUNTS).expect("it fits")));
    engine.stop().await;
}

/// Seconds until every account is planned by the new clock, and until an account was renamed meanwhile.
async fn clock_set_back(engine: &Engine, clock: &Clock, accounts: &[AccountId]) -> (f64, f64) {
    let began = Instant::now();
    clock.advance_secs(-86_400);
    let rename = async {
        // The loop reads the clock first.
        tokio::time::sleep(POLL_INTERVAL).await;
        let began = Instant::now();
        engine.accounts().rename(&Caller::Person, accounts[0], "Renamed".to_owned()).await.expect("renamed");
        began.elapsed().as_secs_f64()
    };
    let all = async {
        for account in accounts {
            let latest = clock.now().plus_secs(LIFETIME_SECS);
            while engine
                .accounts()
                .get(&Caller::Person, *account)
                .await
                .expect("there")
                .due
                .is_none_or(|due| due > latest)
            {
                tokio::time::sleep(POLL_INTERVAL).await;
            }
        }
        began.elapsed().as_secs_f64()
    };
    tokio::join!(all, rename)
}

/// Starts an engine, until it keeps the accounts alive.
async fn start(folder: &Path, keychain: &MemoryKeychain, clock: &Clock) -> Engine {
    let keychain = Keychain::memory(keychain.clone());
    let options = Options { data_dir: folder.to_owned(), keychain, clock: clock.clone(), takes_deep_links: false };
    let engine = Engine::start(options).await.expect("the engine starts");
    engine.set_api_port(7417);
    engine.keep_alive().await.expect("it begins");
    engine
}

/// A token endpoint at every loopback address. Its port.
async fn serve(provider: &Arc<Provider>) -> u16 {
    let listener = tokio::net::TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let router = Router::new().route("/token", post(token)).with_state(Arc::clone(provider));
    tokio::spawn(async move { axum::serve(listener, router).await });
    port
}

async fn token(State(provider): State<Arc<Provider>>) -> Json<Value> {
    tokio::time::sleep(Duration::from_millis(provider.delay_millis.load(Ordering::SeqCst))).await;
    let number = provider.requests.fetch_add(1, Ordering::SeqCst);
    Json(json!({ "access_token": format!("token-{number}"), "token_type": "bearer", "expires_in": LIFETIME_SECS }))
}

/// An integration whose token endpoint is at an address of its own.
fn definition(host: usize, port: u16) -> String {
    let url = format!("http://127.0.1.{}:{port}", host + 1);
    let field = |name: &str| json!({ "name": name, "label": name, "type": "password", "required": true });
    json!({ "name": format!("host-{host}"), "config": {
        "label": format!("Host {host}"),
        "base_url": url,
        "credentials": { "oauth2_client_credentials": { "format": "oauth2_client_credentials", "config": {
            "fields": [field("client_id"), field("client_secret")],
            "auth": { "tokenHost": url, "tokenPath": "/token" },
        } } },
        "authorization": { "oauth2_client_credentials": {
            "format": "bearer", "config": { "path": "oauth.token.access_token" },
        } },
        "relink": { "allow_local": true },
    } })
    .to_string()
}

/// Waits until the account is due later than now.
async fn until_refreshed(engine: &Engine, account: AccountId, now: Timestamp) {
    loop {
        let view = engine.accounts().get(&Caller::Person, account).await.expect("it is there");
        assert_eq!(view.account.state.trouble(), None, "a refresh failed");
        if view.due.is_some_and(|due| due > now) {
            return;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

fn resident_megabytes(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
    let kilobytes = line.and_then(|rest| rest.trim().trim_end_matches(" kB").parse::<u32>().ok());
    f64::from(kilobytes.unwrap_or_default()) / 1024.0
}
