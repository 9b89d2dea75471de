//! A twin and a client of it.

use std::collections::HashMap;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use relink_sandbox::{Options, Running, Sandbox, Scenario};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::Url;

const KEY: &str = "control-key-of-the-test";
pub const VERIFIER: &str = "a-verifier-of-the-test-which-is-long-enough-to-be-one";

/// How a client of the provider signs in.
pub struct Oauth {
    pub authorize: &'static str,
    pub token: &'static str,
    pub redirect: &'static str,
    pub params: &'static [(&'static str, &'static str)],
    pub pkce: bool,
    pub basic: bool,
    pub json: bool,
}

pub struct Twin {
    pub running: Running,
    pub http: Client,
    pub oauth: Oauth,
    pub client: (String, Option<String>),
}

/// An answer: its status, headers and body.
pub struct Answer {
    pub status: u16,
    pub headers: reqwest::header::HeaderMap,
    pub body: Value,
    pub text: String,
}

impl Answer {
    pub async fn of(response: Response) -> Self {
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await.expect("a body");
        Self { status, headers, body: serde_json::from_str(&text).unwrap_or(Value::Null), text }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }
}

impl Twin {
    pub async fn start(name: &str, oauth: Oauth) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let scenario = Scenario::parse(Scenario::built_in(name).expect("a scenario")).expect("well-formed");
        let (id, secret) = scenario.client();
        let client = (id.to_owned(), secret.map(str::to_owned));
        let listen = "127.0.0.1:0".parse().expect("an address");
        let options = Options { listen, state: None, control_key: KEY.to_owned() };
        let running = Sandbox::start_twin(options, scenario).await.expect("the twin starts");
        let http = Client::builder().user_agent("test").redirect(reqwest::redirect::Policy::none()).build();
        Self { running, http: http.expect("a client"), oauth, client }
    }

    pub fn at(&self, path: &str) -> String {
        format!("{}{path}", self.running.base_url())
    }

    pub async fn control(&self, method: &str, path: &str, body: Value) -> Value {
        let request = self.http.request(method.parse().expect("a method"), self.at(path));
        let response = request.bearer_auth(KEY).json(&body).send().await.expect("a response");
        assert!(response.status().is_success(), "{path}: {}", response.status());
        response.json().await.expect("JSON")
    }

    /// The parameters of an authorization request, for a test to change.
    pub fn request(&self) -> HashMap<String, String> {
        let mut params: HashMap<String, String> = [
            ("response_type", "code"),
            ("client_id", &self.client.0),
            ("redirect_uri", self.oauth.redirect),
            ("state", "state-of-the-test"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
        if self.oauth.pkce {
            let challenge = BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(VERIFIER));
            params.insert("code_challenge".into(), challenge);
            params.insert("code_challenge_method".into(), "S256".into());
        }
        params.extend(self.oauth.params.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        params
    }

    pub async fn authorize(&self, params: &HashMap<String, String>) -> Answer {
        let request = self.http.get(self.at(self.oauth.authorize)).query(params);
        Answer::of(request.send().await.expect("a response")).await
    }

    /// Consents as this person. Returns the query of the redirect.
    pub async fn consent(&self, params: &HashMap<String, String>, person: &str) -> HashMap<String, String> {
        let page = self.authorize(params).await.text;
        let id = page.split("name=\"consent\" value=\"").nth(1).and_then(|rest| rest.split('"').next());
        let action = page.split("action=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a form");
        let form = [("consent", id.expect("a consent")), ("person", person), ("decision", "allow")];
        let response = self.http.post(self.at(action)).form(&form).send().await.expect("a response");
        let location = response.headers().get("location").expect("a redirect").to_str().expect("text");
        Url::parse(location).expect("a URL").query_pairs().into_owned().collect()
    }

    /// A token request with the client's authentication.
    pub fn token_request(&self, members: &[(&str, &str)]) -> RequestBuilder {
        let request = self.http.post(self.at(self.oauth.token)).header("accept", "application/json");
        let (id, secret) = (self.client.0.as_str(), self.client.1.as_deref());
        let mut members = members.to_vec();
        let request = if self.oauth.basic {
            request.basic_auth(id, secret)
        } else {
            members.push(("client_id", id));
            members.extend(secret.map(|secret| ("client_secret", secret)));
            request
        };
        if !self.oauth.json {
            return request.form(&members);
        }
        let body: serde_json::Map<_, _> =
            members.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        request.json(&body)
    }

    pub async fn exchange(&self, code: &str) -> Answer {
        let mut members =
            vec![("grant_type", "authorization_code"), ("code", code), ("redirect_uri", self.oauth.redirect)];
        if self.oauth.pkce {
            members.push(("code_verifier", VERIFIER));
        }
        Answer::of(self.token_request(&members).send().await.expect("a response")).await
    }

    /// Signs in as Ada, and returns the token answer.
    pub async fn sign_in(&self) -> Value {
        let back = self.consent(&self.request(), "ada").await;
        let answer = self.exchange(&back["code"]).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    pub async fn refresh(&self, token: &Value) -> Answer {
        let token = token.as_str().expect("a refresh token");
        let request = self.token_request(&[("grant_type", "refresh_token"), ("refresh_token", token)]);
        Answer::of(request.send().await.expect("a response")).await
    }

    pub async fn get(&self, token: &Value, path: &str) -> Answer {
        let url = if path.starts_with("http") { path.to_owned() } else { self.at(path) };
        let request = self.http.get(url).bearer_auth(token.as_str().expect("a token"));
        Answer::of(request.send().await.expect("a response")).await
    }

    pub async fn post(&self, token: &Value, path: &str, body: Value) -> Answer {
        let request = self.http.post(self.at(path)).bearer_auth(token.as_str().expect("a token")).json(&body);
        Answer::of(request.send().await.expect("a response")).await
    }

    /// The person revokes the sign-in at the provider.
    pub async fn revoke(&self) {
        self.control("POST", "/control/revoke", json!({})).await;
    }
}
