//! A hostile provider: it repeats every secret that it has seen, in every encoding, in every field.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use anyhow::Result;
use axum::{
    Form, Json, Router,
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::{get, post},
};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinHandle};

/// The name of its integration in Relink.
pub const NAME: &str = "echo";
pub const CLIENT_ID: &str = "echo-client";
/// What the person has: a client secret with characters that every encoding writes differently, and an API key.
pub const CLIENT_SECRET: &str = "canary-client/secret+with=signs&more<0001>";
pub const API_KEY: &str = "canary-api/key+with=signs&more<0002>";

/// How all secrets begin and end that it issues, and those of the person.
const BEGINNING: &str = "canary";
const END: &str = "signs&more<";

/// What it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mood {
    /// Everything works. Names and scopes repeat secrets.
    Works,
    /// The token endpoint refuses in the body, in a header, or by a redirect.
    RefusesTokens(Refusal),
    /// The API refuses with this status.
    RefusesCalls(u16),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    Body,
    Challenge,
    Redirect,
}

#[derive(Debug)]
struct Inner {
    mood: Mood,
    /// Which encoding is used next.
    turn: usize,
    issued: usize,
    /// The tokens of the account that signed in, while they are good.
    access_token: Option<String>,
    refresh_token: Option<String>,
    /// Every secret so far.
    secrets: Vec<String>,
    /// How many texts with secrets were sent.
    said: usize,
}

/// A running provider. It stops at the end of the test.
#[derive(Debug, Clone)]
pub struct EchoingProvider {
    base_url: String,
    inner: Arc<Mutex<Inner>>,
    _server: Arc<Server>,
}

#[derive(Debug)]
struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

type Shared = State<Arc<Mutex<Inner>>>;

fn lock(inner: &Mutex<Inner>) -> MutexGuard<'_, Inner> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Inner {
    /// The next one of these secrets in the next encoding.
    fn echo(&mut self, secrets: &[String]) -> String {
        let forms = encodings(&secrets[self.turn % secrets.len()]);
        // Encodings and secrets are combined differently in each round.
        let text = forms[(self.turn + self.turn / forms.len()) % forms.len()].clone();
        self.turn += 1;
        self.said += 1;
        text
    }

    fn learn(&mut self, secret: &str) {
        if !self.secrets.iter().any(|known| known == secret) {
            self.secrets.push(secret.to_owned());
        }
    }

    fn issue(&mut self, kind: &str) -> String {
        self.issued += 1;
        let token = format!("canary-{kind}/token+with=signs&more<{:04}>", self.issued);
        self.learn(&token);
        token
    }
}

impl EchoingProvider {
    pub async fn start() -> Result<Self> {
        let secrets = vec![CLIENT_SECRET.to_owned(), API_KEY.to_owned()];
        let (access_token, refresh_token) = (None, None);
        let inner = Inner { mood: Mood::Works, turn: 0, issued: 0, access_token, refresh_token, secrets, said: 0 };
        let inner = Arc::new(Mutex::new(inner));
        let router = Router::new()
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .route("/me", get(me))
            .with_state(Arc::clone(&inner));
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let base_url = format!("http://{}", listener.local_addr()?);
        let server = tokio::spawn(async move {
            // The server stops at the end of the test.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { base_url, inner, _server: Arc::new(Server(server)) })
    }

    pub fn behaves(&self, mood: Mood) {
        lock(&self.inner).mood = mood;
    }

    /// Texts that are in a place only if that has a secret, in whatever encoding. Nearly all secrets have the same beginning and
    /// end, so few texts are enough.
    pub fn needles(&self) -> Vec<String> {
        let others = lock(&self.inner).secrets.clone();
        let others = others.iter().filter(|secret| !secret.starts_with(BEGINNING)).flat_map(|secret| needles(secret));
        let own = needles(BEGINNING).into_iter().chain([END.to_owned()]);
        let mut needles: Vec<String> =
            own.chain(others).filter(|needle| needle.len() >= BEGINNING.len() && !needle.ends_with('…')).collect();
        needles.sort();
        needles.dedup();
        needles
    }

    /// How many texts with secrets it has sent.
    pub fn said(&self) -> usize {
        lock(&self.inner).said
    }

    /// How many it sends at least, so that every encoding comes up often.
    pub fn repertoire() -> usize {
        20 * encodings(CLIENT_SECRET).len()
    }

    /// A text that repeats the client secret or the other one.
    pub fn echo(&self, other: &str) -> String {
        let mut inner = lock(&self.inner);
        inner.learn(other);
        inner.echo(&[CLIENT_SECRET.to_owned(), other.to_owned()])
    }

    /// The text of its integration definition.
    pub fn definition(&self) -> String {
        json!({
            "name": NAME,
            "category": "test",
            "config": {
                "label": "Echo",
                "base_url": self.base_url,
                "credentials": {
                    "oauth2": { "format": "oauth2", "config": {
                        "client": { "id": CLIENT_ID, "secret": CLIENT_SECRET },
                        "auth": {
                            "tokenHost": self.base_url, "tokenPath": "/token",
                            "authorizeHost": self.base_url, "authorizePath": "/authorize"
                        },
                        "scope": ["read"],
                        "pkce": { "method": "S256" },
                        "options": { "authorizationMethod": "header", "bodyFormat": "form" }
                    } },
                    "api_key": { "format": "api_key", "config": { "fields": [
                        { "name": "api_key", "label": "API key", "type": "password", "required": true }
                    ] } }
                },
                "authorization": {
                    "oauth2": { "format": "bearer", "config": { "path": "oauth.token.access_token" } },
                    "api_key": { "format": "bearer", "config": { "path": "credentials.api_key" } }
                },
                "relink": {
                    "allow_local": true,
                    "client_secret": "required",
                    "redirects": ["loopback"],
                    "probe": { "method": "GET", "path": "/me" },
                    "identity": { "path": "/me", "id": "id", "label": "name" }
                }
            }
        })
        .to_string()
    }
}

async fn authorize(State(inner): Shared, Query(query): Query<HashMap<String, String>>) -> Redirect {
    let code = lock(&inner).issue("code");
    let parameter = |name: &str| query.get(name).cloned().unwrap_or_default();
    let mut url = format!("{}?state={}&code=", parameter("redirect_uri"), parameter("state"));
    url.extend(url::form_urlencoded::byte_serialize(code.as_bytes()));
    Redirect::to(&url)
}

async fn token(State(inner): Shared, Form(form): Form<HashMap<String, String>>) -> Response {
    let mut inner = lock(&inner);
    let sent = ["code", "code_verifier", "refresh_token"].iter().filter_map(|name| form.get(*name).cloned());
    let mut secrets: Vec<String> = sent.chain([CLIENT_SECRET.to_owned()]).collect();
    for secret in &secrets {
        inner.learn(secret);
    }
    let refusal = match inner.mood {
        Mood::RefusesTokens(refusal) => refusal,
        Mood::Works | Mood::RefusesCalls(_) => {
            let (access, refresh) = (inner.issue("access"), inner.issue("refresh"));
            secrets.extend([access.clone(), refresh.clone()]);
            let scopes = ["read".to_owned(), inner.echo(&secrets), inner.echo(&secrets), access.clone()];
            inner.access_token = Some(access.clone());
            inner.refresh_token = Some(refresh.clone());
            let answer = json!({
                "access_token": access, "refresh_token": refresh, "token_type": "Bearer", "expires_in": 3600,
                "scope": scopes,
            });
            return Json(answer).into_response();
        }
    };
    secrets.extend(inner.access_token.clone());
    let (code, text) = (inner.echo(&secrets), format!("The token {} is not known", inner.echo(&secrets)));
    match refusal {
        Refusal::Body => {
            let body = json!({ "error": code, "error_description": text, "error_uri": inner.echo(&secrets) });
            (StatusCode::BAD_REQUEST, Json(body)).into_response()
        }
        Refusal::Challenge => {
            let quoted = |text: &str| text.replace(['"', '\\', '\n'], " ");
            let challenge = format!("Bearer error=\"{}\", error_description=\"{}\"", quoted(&code), quoted(&text));
            (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, challenge)]).into_response()
        }
        Refusal::Redirect => {
            let target = text.replace(['\n', '\r', ' ', '<', '>', '"'], "");
            (StatusCode::FOUND, [(header::LOCATION, format!("/moved/{target}"))]).into_response()
        }
    }
}

async fn me(State(inner): Shared, headers: HeaderMap) -> Response {
    let mut inner = lock(&inner);
    let sent = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let sent = sent.unwrap_or_default().trim_start_matches("Bearer ").to_owned();
    inner.learn(&sent);
    let mut secrets = vec![CLIENT_SECRET.to_owned(), sent];
    if secrets[1] != API_KEY {
        secrets.extend(inner.refresh_token.clone());
    }
    let name = format!("Ada {}", inner.echo(&secrets));
    match inner.mood {
        Mood::RefusesCalls(status) => {
            if status == 401 && secrets[1] != API_KEY {
                inner.access_token = None;
            }
            let (code, detail) = (inner.echo(&secrets), inner.echo(&secrets));
            let body = json!({ "code": code, "message": name, "errors": [{ "detail": detail }] });
            (StatusCode::from_u16(status).unwrap_or_default(), Json(body)).into_response()
        }
        Mood::Works | Mood::RefusesTokens(_) => {
            // Sometimes much too long.
            let padding = if inner.turn.is_multiple_of(5) { "n".repeat(900_000) } else { String::new() };
            Json::<Value>(json!({ "id": "ada", "name": format!("{name}{padding}") })).into_response()
        }
    }
}

fn percent(text: &str, is_kept: impl Fn(u8) -> bool) -> String {
    text.bytes().map(|byte| if is_kept(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
}

/// A secret in the encodings in which a provider may repeat it.
fn encodings(secret: &str) -> Vec<String> {
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric();
    let shortened = |range: std::ops::Range<usize>| secret.get(range).unwrap_or_default().to_owned();
    let units = secret.encode_utf16().map(|unit| format!("\\u{unit:04x}")).collect::<Vec<_>>();
    vec![
        secret.to_owned(),
        format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{secret}"))),
        format!("Basic {}", BASE64_STANDARD.encode(format!("{CLIENT_ID}:{form}"))),
        BASE64_STANDARD.encode(secret),
        BASE64_URL_SAFE_NO_PAD.encode(format!("x{secret}")),
        BASE64_URL_SAFE_NO_PAD.encode(format!("xy{secret}z")),
        hex(secret),
        hex(secret).to_uppercase(),
        form.clone(),
        percent(secret, is_plain),
        percent(secret, is_plain).to_lowercase(),
        percent(&form, is_plain),
        html(secret),
        secret.chars().map(|c| format!("&#{};", u32::from(c))).collect::<Vec<_>>().concat(),
        units.concat(),
        secret.replace('/', "\\/"),
        shortened(0..secret.len() / 2) + "…",
        shortened(0..12) + "***",
        "...".to_owned() + &shortened(secret.len().saturating_sub(12)..secret.len()),
    ]
}

/// What would be found of each encoding: the part that only the secret determines.
fn needles(secret: &str) -> Vec<String> {
    let own = |before: &str, text: &str, encoded: &str| {
        encoded[(before.len() * 4).div_ceil(3)..(before.len() + text.len()) * 4 / 3].to_owned()
    };
    let form: String = url::form_urlencoded::byte_serialize(secret.as_bytes()).collect();
    let mut all = encodings(secret);
    for text in [secret, &form] {
        for before in ["", "x", "xy"] {
            let whole = format!("{before}{text}");
            all.push(own(before, text, &BASE64_STANDARD.encode(&whole)));
            all.push(own(before, text, &BASE64_URL_SAFE_NO_PAD.encode(&whole)));
        }
    }
    all
}
