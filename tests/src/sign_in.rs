//! A sign-in with a link and without a browser: at the Sandbox, or a provider that it plays.

use anyhow::{Context, Result};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::time::timeout;
use url::Url;

use crate::{
    canary::Canaries,
    relink::{DEADLINE, Relink, link_token},
};

/// Begins the flow, consents as Ada, returns, claims, and waits for the end. Returns the flow, and collects its secrets.
/// `client` must not follow redirects.
pub async fn complete_link(
    client: &Client,
    relink: &Relink,
    link: &str,
    integration: &str,
    canaries: &mut Canaries,
) -> Result<Value> {
    let token = link_token(link)?;
    let base = relink.base_url();
    let begin = client
        .post(format!("{base}/connect-account/flows"))
        .header("x-relink-link-token", token)
        .json(&json!({ "integration": integration, "format": "oauth2" }));
    let mut flow: Value = begin.send().await?.json().await?;
    let key = flow["key"].as_str().with_context(|| format!("the flow did not start: {flow}"))?.to_owned();
    let callback = consent(client, flow["authorize_url"].as_str().context("no URL")?).await?;
    canaries.add("link token", token)?;
    canaries.add("flow key", &key)?;
    for (name, value) in Url::parse(&callback)?.query_pairs() {
        match &*name {
            "code" => canaries.add("authorization code", &value)?,
            "state" => canaries.add("state", &value)?,
            _ => {}
        }
    }
    let landed = client.get(callback).send().await?;
    let page = landed.headers().get("location").context("no redirect")?.to_str()?;
    let return_key = page.split("#return=").nth(1).context("no key of the return")?.to_owned();
    canaries.add("return key", &return_key)?;
    let id = flow["id"].as_str().context("no id")?.to_owned();
    let path = format!("{base}/connect-account/flows/{id}");
    let end = async {
        loop {
            let request = match flow["phase"].as_str() {
                Some("succeeded" | "failed" | "question") => return anyhow::Ok(()),
                Some("returned") => client.post(format!("{path}/claim")).header("x-relink-return-key", &return_key),
                _ => client.get(format!("{path}?after={}", flow["version"])),
            };
            flow = request.header("x-relink-flow-key", &key).send().await?.json().await?;
        }
    };
    let ended = timeout(DEADLINE, end).await;
    ended.with_context(|| format!("the flow never ended: {flow}"))??;
    Ok(flow)
}

/// Opens the consent page and allows what it asks for. Returns where it redirects to.
async fn consent(client: &Client, url: &str) -> Result<String> {
    let html = client.get(url).send().await?.text().await?;
    let part = |before: &str| html.split(before).nth(1).and_then(|rest| rest.split('"').next());
    let id = part("name=\"consent\" value=\"").with_context(|| format!("no consent page at {url}: {html}"))?;
    let action = Url::parse(url)?.join(part("action=\"").context("no form")?)?;
    let form = [("consent", id), ("person", "ada"), ("decision", "allow")];
    let response = client.post(action).form(&form).send().await?;
    Ok(response.headers().get("location").context("no redirect")?.to_str()?.to_owned())
}
