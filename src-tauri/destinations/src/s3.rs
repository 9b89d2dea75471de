//! Datastores of the type `s3` (contract section 10.4): Amazon's S3, or whatever speaks its protocol.
//!
//! A batch is one object, with a record in each line. Its key has the batch's id, so a batch that is delivered again takes the place of
//! itself. The keys are `{prefix}/{resource}/{batch id}.jsonl`; `prefix` is the destination's `config.config.prefix`. A destination with
//! `loop_on` delivers records one by one, and may name the objects: `config.config.file_name`, which is a key below the prefix.

mod answer;
mod datastore;

use std::time::Duration;

use relink_domain::sync::DestinationKind;
use relink_sync::{Delivery, DeliveryError};
use reqwest::{Client, Method, header::CONTENT_TYPE};
use rusty_s3::{
    Bucket, Credentials, S3Action,
    actions::{DeleteObject, PutObject},
};
use serde_json::Value;
use url::Url;

use self::answer::Refusal;
pub use self::datastore::{Datastore, DatastoreProblem};
use crate::{batch::one_per_line, problem::Problem};

/// The one method of Truto's that writes objects.
const UPLOAD: &str = "uploadObject";

/// How long one request may take, with its body.
const REQUEST_TIMEOUT: Duration = Duration::from_mins(1);

/// The object of a test.
const TEST_KEY: &str = "relink-test.txt";

/// How long a signature is valid.
const SIGNED_FOR: Duration = Duration::from_mins(5);

/// The S3 protocol over a client.
#[derive(Debug, Clone)]
pub struct S3(Client);

impl S3 {
    /// The client must not follow redirects (S3 sends them for a bucket in another region), and decides which addresses it connects to.
    pub const fn new(client: Client) -> Self {
        Self(client)
    }

    /// Returns when the datastore has the batch. The kind of the delivery is [`DestinationKind::Datastore`].
    pub async fn deliver(&self, datastore: &Datastore, delivery: &Delivery<'_>) -> Result<(), DeliveryError> {
        if let DestinationKind::Datastore { method, .. } = delivery.kind {
            require_upload(method)?;
        }
        if delivery.records.is_empty() {
            return Ok(());
        }
        let (body, _) = one_per_line(delivery.records);
        let put = self.put(datastore, &key_of(delivery), body).await;
        put.map_err(Refusal::while_delivering)
    }

    /// Whether the datastore takes what `method` writes: puts a small object and deletes it again. The error is one in
    /// Truto's form, for `POST /datastore/{id}/test/{method}`.
    pub async fn test(&self, datastore: &Datastore, method: &str) -> Result<(), Value> {
        require_upload(method).map_err(Problem::into_value)?;
        let body = "Relink wrote this to test the datastore. It can be deleted.\n".to_owned();
        self.put(datastore, TEST_KEY, body).await.map_err(Refusal::into_value)?;
        let url = |bucket: &Bucket, credentials: &Credentials| {
            DeleteObject::new(bucket, Some(credentials), TEST_KEY).sign(SIGNED_FOR)
        };
        self.send(datastore, Method::DELETE, String::new(), url).await.map_err(Refusal::into_value)
    }

    async fn put(&self, datastore: &Datastore, key: &str, body: String) -> Result<(), Refusal> {
        let url = |bucket: &Bucket, credentials: &Credentials| {
            PutObject::new(bucket, Some(credentials), key).sign(SIGNED_FOR)
        };
        self.send(datastore, Method::PUT, body, url).await
    }

    async fn send(
        &self,
        datastore: &Datastore,
        method: Method,
        body: String,
        url: impl Fn(&Bucket, &Credentials) -> Url,
    ) -> Result<(), Refusal> {
        let url = url(&datastore.bucket, &datastore.credentials);
        let host = url.host_str().unwrap_or_default().to_owned();
        let request = self.0.request(method, url).header(CONTENT_TYPE, "application/x-ndjson");
        // The URL has the signature, so no error may show it.
        let response = request
            .timeout(REQUEST_TIMEOUT)
            .body(body)
            .send()
            .await
            .map_err(|error| Refusal::unreachable(&host, &error.without_url()))?;
        if response.status().is_success() {
            return Ok(());
        }
        Err(Refusal::read(&host, response).await)
    }
}

fn require_upload(method: &str) -> Result<(), Problem> {
    if method == UPLOAD {
        return Ok(());
    }
    Err(Problem::invalid(
        "destination_config",
        format!("{method:?} is no method of an s3 datastore, so nothing was written. Use {UPLOAD:?} in the job."),
    ))
}

fn key_of(delivery: &Delivery<'_>) -> String {
    let text = |key: &str| {
        let value = delivery.config.as_ref().and_then(|config| config.get("config")).and_then(|config| config.get(key));
        value.and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let prefix = text("prefix").unwrap_or_default();
    let name = text("file_name").map_or_else(|| format!("{}/{}.jsonl", delivery.resource, delivery.id), str::to_owned);
    // A URL can't say every key: `.` and `..` would lead elsewhere.
    let segments = prefix.split('/').chain(name.split('/')).filter(|segment| !segment.is_empty());
    let segments: Vec<&str> = segments.map(|it| if it.trim_matches('.').is_empty() { "_" } else { it }).collect();
    segments.join("/")
}

#[cfg(test)]
mod tests {
    use relink_domain::{SyncJobRunId, sync::BatchId};
    use serde_json::json;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_key_is_the_batchs_own_and_leads_nowhere_else() {
        let id = BatchId::new(SyncJobRunId::from_uuid(Uuid::from_u128(1)), &[1]);
        let kind = DestinationKind::Datastore { method: UPLOAD.to_owned(), loop_on: None };
        let key = |resource: &str, config: Value| {
            let config = Some(json!({"id": "x", "config": config}));
            let delivery = Delivery {
                id,
                kind: &kind,
                destination: "out",
                resource,
                config,
                account: None,
                records: &[],
                tracked: None,
            };
            key_of(&delivery)
        };
        assert_eq!(key("crm/contacts", Value::Null), format!("crm/contacts/{id}.jsonl"));
        assert_eq!(key("a", json!({"prefix": "/x/y/"})), format!("x/y/a/{id}.jsonl"));
        assert_eq!(key("a/../b", json!({"prefix": "../x"})), format!("_/x/a/_/b/{id}.jsonl"));
        assert_eq!(key("a", json!({"prefix": "x", "file_name": "../7.json"})), "x/_/7.json");
    }
}
