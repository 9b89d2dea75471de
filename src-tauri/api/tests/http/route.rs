//! The routes that calls take, for what holds on each of them.

use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::{unified_model::Model, world::World};

/// The routes that calls take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Route {
    Via,
    ProxyList,
    ProxyGet,
    Custom,
    /// A batch with one entry, which is a call of `/proxy`.
    Batch,
    /// The unified API, with a mapping that changes nothing.
    UnifiedList,
    /// A run of a sync job with one request, which goes on after an error. It isn't in `ALL`, because nobody gets its answer.
    SyncRun,
}

/// What the provider says in every answer of [`crate::answering_provider`].
fn said() -> Value {
    json!({ "message": "as the table says" })
}

impl Route {
    pub const ALL: [Self; 6] =
        [Self::Via, Self::ProxyList, Self::ProxyGet, Self::Custom, Self::Batch, Self::UnifiedList];

    /// Prepares what the route needs beside the account: for the unified API, a mapping of the integration.
    pub async fn prepare(self, world: &World, integration: &str) {
        if self != Self::UnifiedList {
            return;
        }
        let models = world.get("/environment-unified-model?unified_model.name=sales").await;
        let model = match models["result"][0]["unified_model_id"].as_str() {
            Some(_) => Model::of(world, &models["result"][0]),
            None => Model::new(world).await,
        };
        model.map(integration, "items", "list", json!({})).await;
    }

    /// A call of the account.
    pub fn request(self, world: &World, account: &str) -> RequestBuilder {
        let of_account = format!("integrated_account_id={account}");
        let path = match self {
            Self::Via => format!("/via/{account}/items"),
            Self::ProxyList => format!("/proxy/items?{of_account}"),
            Self::ProxyGet => format!("/proxy/items/7?{of_account}"),
            Self::Custom => format!("/custom/items?{of_account}"),
            Self::Batch => "/batch-request".to_owned(),
            Self::UnifiedList => format!("/unified/sales/items?{of_account}&truto_ignore_remote_data=true"),
            Self::SyncRun => panic!("a run is no single request"),
        };
        let url = format!("{}{path}", world.base());
        let request = match self {
            Self::Batch => {
                let entry = json!({ "resource": "items", "persist": true });
                world.client.post(url).json(&json!({ "integrated_account_id": account, "resources": [entry] }))
            }
            _ => world.client.get(url),
        };
        request.bearer_auth(&world.token)
    }

    pub async fn call(self, world: &World, account: &str) -> (u16, Value) {
        if self == Self::SyncRun {
            return run(world, account).await;
        }
        self.answer(self.request(world, account).send().await.expect("an answer")).await
    }

    /// The status and body of an answer. Of a batch that ran, those of its entry, because the batch itself has always 200.
    pub async fn answer(self, response: Response) -> (u16, Value) {
        let status = response.status().as_u16();
        let body: Value = response.json().await.expect("JSON");
        if self != Self::Batch || status != 200 {
            return (status, body);
        }
        match body["errors"]["items"].as_array().map(Vec::as_slice) {
            Some([error]) => (u16::try_from(error["statusCode"].as_u64().expect("one")).expect("one"), error.clone()),
            errors => {
                assert_eq!((errors, &body["result"]["items"]), (Some(&[][..]), &json!([said()])), "{body}");
                (200, body)
            }
        }
    }

    /// The resource and the method that an account's `last_forbidden_error` has of a call.
    pub fn resource_and_method(self) -> [Value; 2] {
        match self {
            Self::ProxyList | Self::Batch | Self::UnifiedList | Self::SyncRun => ["items".into(), "list".into()],
            Self::ProxyGet => ["items".into(), "get".into()],
            Self::Via | Self::Custom => [Value::Null, Value::Null],
        }
    }

    /// Asserts that the caller gets the provider's answer as it is, or in the form of the route (contract section 0.4); or what
    /// Relink knows of a failed refresh.
    pub fn assert_shown(self, status: u16, body: &Value, name: &str) {
        let is_error = status >= 400;
        match self {
            _ if body["code"].is_string() => assert_eq!(body["truto_is_remote_error"], true, "{name}: {body}"),
            Self::Via => assert_eq!(*body, said(), "{name}"),
            // The run waits. Nobody is shown what the provider said, but for the log.
            Self::SyncRun if status == 429 => assert!(body.is_null(), "{name}: {body}"),
            _ if is_error => {
                let shown = (&body["truto_is_remote_error"], &body["raw_response"], &body["statusCode"]);
                assert_eq!(shown, (&json!(true), &said(), &json!(status)), "{name}: {body}");
            }
            Self::ProxyList | Self::UnifiedList => assert_eq!(body["result"], json!([said()]), "{name}"),
            Self::Custom => assert_eq!(body["result"], said(), "{name}"),
            Self::ProxyGet => assert_eq!(*body, said(), "{name}"),
            // See `answer` and `run`.
            Self::Batch | Self::SyncRun => {}
        }
    }
}

/// Makes a run, and gives what its request was answered: an error from its event.
async fn run(world: &World, account: &str) -> (u16, Value) {
    let node = json!({ "name": "items", "type": "request", "resource": "items", "method": "list" });
    let job = world.post("/sync-job", json!({ "default_runtime_version": 4, "resources": [node] })).await;
    let mut after = json!(world.latest_event());
    let new = json!({ "sync_job_id": job["id"], "integrated_account_id": account, "error_handling": "ignore" });
    let run = world.post("/sync-job-run", new).await;
    loop {
        let page = world.get(&format!("/relink/events?after={after}&wait=25")).await;
        for event in page["result"].as_array().expect("a list") {
            after = event["seq"].clone();
            let payload = &event["payload"];
            if payload["id"] != run["id"] && payload["meta"]["sync_job_run_id"] != run["id"] {
                continue;
            }
            match event["event"].as_str().expect("a name").trim_start_matches("sync_job_run:") {
                "record_error" => {
                    let error = payload["error"].clone();
                    let status = error["statusCode"].as_u64().and_then(|status| status.try_into().ok());
                    return (status.unwrap_or_else(|| panic!("{error}")), error);
                }
                "rate_limited" => {
                    let path = format!("/sync-job-run/{}", run["id"].as_str().expect("an id"));
                    let (status, answer) = world.ask(Method::DELETE, &path, Value::Null).await;
                    assert!(status.is_success(), "{answer}");
                    return (429, Value::Null);
                }
                "completed" => {
                    assert_eq!(payload["resource_stats"]["items"]["list"]["fetched"], 1, "{payload}");
                    return (200, json!({ "result": [said()] }));
                }
                _ => {}
            }
        }
    }
}
