//! A folder and batches for it.

use std::path::PathBuf;

use relink_destinations::{Files, Origin};
use relink_domain::{
    SyncJobRunId,
    sync::{BatchId, DestinationKind},
};
use relink_sync::{Delivery, DeliveryError};
use serde_json::{Value, json, value::RawValue};
use tempfile::TempDir;
use uuid::Uuid;

pub struct World {
    pub files: Files,
    folder: TempDir,
}

pub fn run(number: u128) -> SyncJobRunId {
    SyncJobRunId::from_uuid(Uuid::from_u128(number))
}

impl World {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().expect("makes a folder");
        Self { files: Files::new(folder.path().to_owned()), folder }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).expect("reads")
    }

    pub fn names(&self) -> Vec<String> {
        names_in(self.folder.path())
    }

    /// As after a crash: nothing of what is open is closed.
    pub fn crash(&mut self) {
        let files = std::mem::replace(&mut self.files, Files::new(self.folder.path().to_owned()));
        std::mem::forget(files);
    }

    pub async fn deliver(&self, batch: Batch<'_>) -> Result<(), DeliveryError> {
        deliver(&self.files, batch).await
    }

    /// The message of the error that a delivery has.
    pub async fn refused(&self, batch: Batch<'_>) -> String {
        match self.deliver(batch).await {
            Err(DeliveryError::Failed(error)) => error["message"].as_str().expect("a message").to_owned(),
            other => panic!("{other:?}"),
        }
    }
}

pub fn names_in(folder: &std::path::Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("lists");
    let mut names: Vec<String> =
        entries.map(|entry| entry.expect("reads").file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[derive(Clone)]
pub struct Batch<'a> {
    pub run: u128,
    pub place: u64,
    pub resource: &'a str,
    pub config: Value,
    /// JSON texts.
    pub records: Vec<String>,
}

/// A batch of run 1 at a place.
pub fn batch<'a>(place: u64, config: &Value, records: &[&str]) -> Batch<'a> {
    let records = records.iter().map(|record| (*record).to_owned()).collect();
    Batch { run: 1, place, resource: "crm/contacts", config: config.clone(), records }
}

pub fn file(path: &str, format: &str) -> Value {
    json!({"path": path, "format": format})
}

pub async fn deliver(files: &Files, batch: Batch<'_>) -> Result<(), DeliveryError> {
    deliver_from(files, batch, None).await
}

/// With whose records they are.
pub async fn deliver_from(files: &Files, batch: Batch<'_>, origin: Option<Origin>) -> Result<(), DeliveryError> {
    let records: Vec<Box<RawValue>> =
        batch.records.into_iter().map(|record| RawValue::from_string(record).expect("JSON")).collect();
    let delivery = Delivery {
        id: BatchId::new(run(batch.run), &[batch.place]),
        kind: &DestinationKind::File { replaces: false },
        destination: "out",
        resource: batch.resource,
        config: Some(batch.config),
        account: None,
        records: &records,
        tracked: None,
    };
    files.deliver(run(batch.run), &delivery, origin).await
}
