//! Each curated integration with the twin of its provider.

mod calls;
mod life;
mod models;
mod resources;
mod tools;

use anyhow::{Context, Result, ensure};
use relink_tests::{relink::Relink, session::Session, twin::Twin};
use reqwest::{Client, Method, header::HeaderMap};
use serde_json::{Value, json};
use url::Url;

use resources::Resource;

/// A program that calls an account through Relink.
struct Program<'a> {
    relink: &'a Relink,
    client: &'a Client,
    token: &'a str,
    account: String,
}

/// A response of Relink.
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Program<'_> {
    /// Calls `/proxy/{path}`.
    async fn proxy(
        &self,
        verb: Method,
        path: &[&str],
        query: &[(&str, String)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        self.call("proxy", verb, path, query, body).await
    }

    /// Calls `/{api}/{path}` with the account.
    async fn call<N: AsRef<str>>(
        &self,
        api: &str,
        verb: Method,
        path: &[&str],
        query: &[(N, String)],
        body: Option<&Value>,
    ) -> Result<Answer> {
        let mut url = Url::parse(self.relink.base_url())?;
        url.path_segments_mut().ok().context("no path")?.push(api).extend(path);
        url.query_pairs_mut().append_pair("integrated_account_id", &self.account).extend_pairs(query);
        let mut request = self.client.request(verb, url).bearer_auth(self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = match text.as_str() {
            "" => Value::Null,
            text => serde_json::from_str(text).with_context(|| format!("{status} {text}"))?,
        };
        Ok(Answer { status, headers, body })
    }

    async fn list(&self, resource: &Resource, further: &[(&str, String)]) -> Result<Answer> {
        let query: Vec<_> = resource.query.iter().chain(further).cloned().collect();
        self.proxy(Method::GET, &[resource.name], &query, None).await
    }

    async fn get(&self, resource: &Resource, id: &str) -> Result<Answer> {
        self.proxy(Method::GET, &[resource.name, id], &resource.query, None).await
    }

    async fn create(&self, resource: &Resource, body: &Value) -> Result<Answer> {
        self.proxy(Method::POST, &[resource.name], &resource.query, Some(body)).await
    }

    async fn update(&self, resource: &Resource, id: &str, body: &Value) -> Result<Answer> {
        self.proxy(Method::PATCH, &[resource.name, id], &resource.query, Some(body)).await
    }

    async fn delete(&self, resource: &Resource, id: &str) -> Result<Answer> {
        self.proxy(Method::DELETE, &[resource.name, id], &resource.query, None).await
    }
}

impl Answer {
    /// The answer, which must be a success.
    fn ok(self) -> Result<Value> {
        ensure!((200..300).contains(&self.status), "{} {}", self.status, self.body);
        Ok(self.body)
    }

    /// The answer must be an error of the provider in Truto's form (contract section 0.4).
    fn is_remote_error(&self, (status, message): resources::Refusal) -> Result<()> {
        let Self { body, .. } = self;
        ensure!(self.status == status && body["statusCode"] == status, "not {status}: {} {body}", self.status);
        ensure!(body["message"] == message, "not {message:?}: {body}");
        ensure!(body["truto_is_remote_error"] == true && body["error"].is_string(), "{body}");
        ensure!(body["raw_response"].is_object() || body["raw_response"].is_array(), "{body}");
        Ok(())
    }
}

/// The value at a pointer as a text, such as an ID.
fn text_at(value: &Value, pointer: &str) -> Result<String> {
    match value.pointer(pointer) {
        Some(Value::String(text)) => Ok(text.clone()),
        Some(Value::Number(number)) => Ok(number.to_string()),
        _ => Err(anyhow::anyhow!("nothing at {pointer} of {value}")),
    }
}

/// Connects an account at each of the twins with these names, and reports all failures of what is done with them.
async fn with_each(names: &[&'static str], examine: impl AsyncFn(&Program<'_>, &Twin) -> Result<()>) -> Result<()> {
    let session = Session::start().await?;
    let relink = Relink::start(&session).await?;
    let made = relink.post("/relink/api-tokens", json!({ "name": "program" })).await?;
    let token = made["token"].as_str().context("no token")?;
    let client = Client::new();
    let mut failures = Vec::new();
    for name in names {
        let twin = Twin::start(name).await?;
        let examined = async {
            let account = twin.connect(&relink).await?;
            examine(&Program { relink: &relink, client: &client, token, account }, &twin).await
        };
        if let Err(error) = examined.await {
            failures.push(format!("{name}: {error:?}"));
        }
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    relink.stop().await
}
