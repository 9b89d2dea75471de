//! Rows that are a document with an id and two times: the kinds that programs write whole.

use std::{fmt::Display, marker::PhantomData, str::FromStr};

use relink_domain::{DatastoreId, SyncJobCronTriggerId, SyncJobId, SyncJobTemplateId, Timestamp, WorkflowId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::{Map, Value};
use uuid::Uuid;

use super::{Result, document, id};

/// A kind of row.
pub trait Kind: Send + Sync + 'static {
    type Id: Copy + Display + FromStr<Err = uuid::Error> + Send + Sync + 'static;
    const TABLE: &'static str;
    /// What one is called in errors.
    const WHAT: &'static str;

    fn new_id() -> Self::Id;
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident($id:ty) = $table:literal, $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $kind {}

        impl Kind for $kind {
            type Id = $id;
            const TABLE: &'static str = $table;
            const WHAT: &'static str = $what;

            fn new_id() -> Self::Id {
                <$id>::from_uuid(Uuid::now_v7())
            }
        }
    )+};
}

kinds! {
    /// A sync job.
    SyncJob(SyncJobId) = "sync_job", "sync job";
    /// A template of sync jobs.
    SyncJobTemplate(SyncJobTemplateId) = "sync_job_template", "template of sync jobs";
    /// What starts runs of a sync job by the clock.
    CronTrigger(SyncJobCronTriggerId) = "sync_job_cron_trigger", "trigger of a sync job";
    /// What starts runs of sync jobs when an event is sent.
    Workflow(WorkflowId) = "workflow", "workflow";
    /// A store of somebody else's.
    Datastore(DatastoreId) = "datastore", "datastore";
}

/// A row of a kind.
pub struct Document<K: Kind> {
    pub id: K::Id,
    pub document: Map<String, Value>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    kind: PhantomData<K>,
}

impl<K: Kind> Document<K> {
    /// A new row.
    pub fn new(document: Map<String, Value>, now: Timestamp) -> Self {
        Self { id: K::new_id(), document, created_at: now, updated_at: now, kind: PhantomData }
    }

    /// A member that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name).and_then(Value::as_str)
    }
}

impl<K: Kind> Clone for Document<K> {
    fn clone(&self) -> Self {
        Self { document: self.document.clone(), ..*self }
    }
}

impl<K: Kind> std::fmt::Debug for Document<K> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", K::WHAT, self.id)
    }
}

fn row<K: Kind>(row: &Row<'_>) -> rusqlite::Result<Document<K>> {
    Ok(Document {
        id: id(row.get_ref(0)?.as_str()?)?,
        document: document(row.get_ref(1)?.as_str()?)?,
        created_at: Timestamp::from_millis(row.get(2)?),
        updated_at: Timestamp::from_millis(row.get(3)?),
        kind: PhantomData,
    })
}

fn select<K: Kind>(end: &str) -> String {
    format!("SELECT id, document, created_at, updated_at FROM {} {end}", K::TABLE)
}

/// All rows of a kind, oldest first.
pub fn all<K: Kind>(connection: &Connection) -> Result<Vec<Document<K>>> {
    let mut statement = connection.prepare_cached(&select::<K>("ORDER BY id"))?;
    let rows = statement.query_map([], row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub fn get<K: Kind>(connection: &Connection, id: K::Id) -> Result<Option<Document<K>>> {
    let mut statement = connection.prepare_cached(&select::<K>("WHERE id = ?1"))?;
    Ok(statement.query_row([id.to_string()], row).optional()?)
}

/// Adds a row, or changes it.
pub fn put<K: Kind>(tx: &Transaction<'_>, row: &Document<K>) -> Result<()> {
    tx.prepare_cached(&format!(
        "INSERT INTO {} (id, document, created_at, updated_at) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (id) DO UPDATE SET document = excluded.document, updated_at = excluded.updated_at",
        K::TABLE
    ))?
    .execute(params![
        row.id.to_string(),
        serde_json::to_string(&row.document)?,
        row.created_at.as_millis(),
        row.updated_at.as_millis()
    ])?;
    Ok(())
}

pub fn delete<K: Kind>(tx: &Transaction<'_>, id: K::Id) -> Result<()> {
    tx.prepare_cached(&format!("DELETE FROM {} WHERE id = ?1", K::TABLE))?.execute([id.to_string()])?;
    Ok(())
}
