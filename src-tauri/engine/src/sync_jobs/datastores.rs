//! Datastores, to which sync jobs write (contract section 10.4). Their access keys are in the keychain alone.
//!
//! Keys that are new have a keychain item of their own, and the row says which item is in force. So it changes in the transaction that changes
//! the rest of the row, and no key signs a request to an address that it wasn't given for.

use std::collections::BTreeMap;

use relink_destinations::{Datastore as Opened, S3};
use relink_domain::{
    DatastoreId, Secret,
    caller::Caller,
    destination::Consent,
    integration::{Reach, WebUrl},
    merge::merge,
    permission::Permission,
    sync::{JobError, check_types},
};
use relink_sync::{Delivery, DeliveryError};
use rusqlite::Transaction;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::SyncJobs;
use crate::{
    error::{Error, Result},
    keychain::{Item, Key},
    network,
    orphans::BeingWritten,
    store::{
        documents::{self, Datastore, Document, Kind},
        orphans,
    },
};

/// The type of datastores that Relink has.
const S3_TYPE: &str = "s3";
/// Those of Truto's that it lacks.
const LACKED: [&str; 3] = ["mongo_data_api", "google_cloud_storage", "qdrant"];
/// The members of `config` that are secrets.
const KEYS: [&str; 2] = ["access_key_id", "secret_access_key"];
/// The member of a row's document that names the keychain item in force.
const ITEM: &str = "keys_item";
const ALLOW_PRIVATE: &str = "allow_private";
/// After so many seconds a run tries again while the keychain isn't available.
const KEYCHAIN_RETRY_SECS: u64 = 30;

type Keys = BTreeMap<String, Secret>;

impl Document<Datastore> {
    /// The names of its secrets that are set.
    pub fn secrets(&self) -> Vec<String> {
        let names = if self.text(ITEM).is_some() { &KEYS[..] } else { &[] };
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn item(&self) -> Option<Uuid> {
        self.text(ITEM)?.parse().ok()
    }

    /// What it connects to, with its keys put back.
    fn open(&self, keys: &Keys) -> Result<Opened> {
        let mut config = self.document.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
        config.extend(keys.iter().map(|(name, key)| (name.clone(), key.expose().into())));
        Opened::read(&Value::Object(config)).map_err(|problem| {
            let path = format!("config.{}", problem.key);
            JobError::new(&path, &problem.problem).into()
        })
    }

    fn consent(&self, url: &url::Url) -> Consent {
        let is_allowed = self.document.get(ALLOW_PRIVATE) == Some(&Value::Bool(true));
        if is_allowed || network::is_on_this_machine(url) { Consent::Local } else { Consent::Public }
    }
}

impl SyncJobs {
    /// Adds a datastore. `config` has its keys.
    pub async fn add_datastore(&self, caller: &Caller, new: Map<String, Value>) -> Result<Document<Datastore>> {
        let mut document = Map::new();
        merge(&mut document, &new);
        document.shift_remove(ITEM);
        let keys = take_keys(&mut document)?;
        let row = Document::<Datastore>::new(document, self.now());
        check(caller, &row, &keys, true)?;
        let row = self.put_datastore(row, Some(keys), None).await?;
        tracing::info!(id = %row.id, ?caller, "a {} was added", Datastore::WHAT);
        Ok(row)
    }

    /// Changes a datastore: `config` is merged. Whoever changes its address gives the keys again.
    pub async fn change_datastore(
        &self,
        caller: &Caller,
        id: DatastoreId,
        mut change: Map<String, Value>,
    ) -> Result<Document<Datastore>> {
        let before = self.get::<Datastore>(caller, id).await?;
        // Relink's own.
        change.shift_remove(ITEM);
        let mut row = before.clone();
        merge(&mut row.document, &change);
        if row.text("type") != before.text("type") {
            return Err(JobError::new("type", "can't be changed. Add another datastore.").into());
        }
        let new = take_keys(&mut row.document)?;
        let known = self.keys_of(&before).await?;
        let asks_consent = change.get(ALLOW_PRIVATE).is_some_and(|it| *it == Value::Bool(true));
        let keys: Keys = known.clone().into_iter().chain(new.clone()).collect();
        let origin = |opened: Result<Opened>| opened.ok().map(|opened| opened.url().origin());
        let is_moved = origin(before.open(&known)) != origin(row.open(&keys));
        if is_moved && !asks_consent {
            // The consent was for the address before.
            row.document.shift_remove(ALLOW_PRIVATE);
        }
        check(caller, &row, &keys, asks_consent)?;
        if is_moved && new.len() < KEYS.len() {
            let message = "The datastore's keys were given for another address. Give access_key_id and secret_access_key \
                           together with the new one.";
            return Err(Error::invalid_field("keys_missing", "config.access_key_id", message));
        }
        row.updated_at = self.now();
        let row = self.put_datastore(row, Some(keys).filter(|_| !new.is_empty()), Some(before)).await?;
        tracing::info!(%id, ?caller, "a {} was changed", Datastore::WHAT);
        Ok(row)
    }

    pub async fn delete_datastore(&self, caller: &Caller, id: DatastoreId) -> Result<()> {
        let now = self.now();
        let write = move |tx: &Transaction<'_>| {
            let Some(row) = documents::get::<Datastore>(tx, id)? else { return Ok(false) };
            if let Some(item) = row.item() {
                orphans::note(tx, &Key::Datastore(item).to_string(), now)?;
            }
            documents::delete::<Datastore>(tx, id)?;
            Ok(true)
        };
        if !self.0.uses.store.write(write).await? {
            return Err(Error::not_found(Datastore::WHAT, &id));
        }
        self.sweep_keys(id).await;
        tracing::info!(%id, ?caller, "a {} was deleted", Datastore::WHAT);
        Ok(())
    }

    /// Whether the datastore takes what a method writes: writes a small object and removes it. The inner error is one in Truto's form.
    pub async fn test_datastore(&self, caller: &Caller, id: DatastoreId, method: &str) -> Result<Result<(), Value>> {
        let row = self.get::<Datastore>(caller, id).await?;
        let (s3, opened) = self.connect(&row).await?;
        tracing::info!(%id, ?caller, method, "a {} is tested", Datastore::WHAT);
        Ok(s3.test(&opened, method).await)
    }

    /// Returns when the datastore has the batch.
    pub(super) async fn deliver_to_datastore(&self, id: &str, delivery: &Delivery<'_>) -> Result<(), DeliveryError> {
        let row = match id.parse() {
            Ok(id) => self.get::<Datastore>(&Caller::Internal, id).await,
            Err(_) => Err(Error::not_found(Datastore::WHAT, id)),
        };
        let connected = match row {
            Ok(row) => self.connect(&row).await,
            Err(error) => Err(error),
        };
        match connected {
            Ok((s3, opened)) => s3.deliver(&opened, delivery).await,
            Err(Error::Keychain(_) | Error::Store(_) | Error::Stopping) => {
                Err(DeliveryError::RetryAfter { seconds: KEYCHAIN_RETRY_SECS })
            }
            Err(error) => {
                let message = format!("{error}. Name another datastore in the job or in the run.");
                Err(DeliveryError::Failed(json!({ "statusCode": 400, "error": "Bad Request", "message": message })))
            }
        }
    }

    /// A client that connects only to what the datastore's address may lead to.
    async fn connect(&self, row: &Document<Datastore>) -> Result<(S3, Opened)> {
        let keys = self.keys_of(row).await?;
        let opened = row.open(&keys)?;
        let client = self.0.uses.outbound.client_for(opened.url(), row.consent(opened.url()));
        let client = client.map_err(|_| private(opened.url()))?;
        Ok((S3::new(client.clone()), opened))
    }

    async fn keys_of(&self, row: &Document<Datastore>) -> Result<Keys> {
        let Some(item) = row.item() else { return Ok(Keys::new()) };
        let found = self.0.uses.keychain.get(&Key::Datastore(item)).await?;
        Ok(found.map(|item| item.secrets).unwrap_or_default())
    }

    /// Writes a row, with its new keys.
    async fn put_datastore(
        &self,
        mut row: Document<Datastore>,
        keys: Option<Keys>,
        before: Option<Document<Datastore>>,
    ) -> Result<Document<Datastore>> {
        let mut being_written: Option<BeingWritten> = None;
        if let Some(secrets) = keys {
            let (item, label) = (Uuid::now_v7(), row.text("label").unwrap_or_default().to_owned());
            let key = Key::Datastore(item);
            being_written = Some(self.0.uses.orphans.note_before_writing(key).await?);
            let item_of_keys = Item { secrets, ..Item::default() };
            let label = format!("Relink: keys of the datastore {label}");
            self.0.uses.keychain.set(&key, label.trim_end(), &item_of_keys).await?;
            row.document.insert(ITEM.to_owned(), item.to_string().into());
        }
        let (written, now) = (row.clone(), self.now());
        let write = move |tx: &Transaction<'_>| {
            if let Some(before) = &before {
                match documents::get::<Datastore>(tx, before.id)? {
                    None => return Ok(Err(Error::not_found(Datastore::WHAT, &before.id))),
                    Some(found) if found.document != before.document => {
                        let message = "The datastore was changed by somebody else just now. Read it again.";
                        return Ok(Err(Error::conflict("changed_meanwhile", message)));
                    }
                    Some(_) => {}
                }
            }
            documents::put(tx, &written)?;
            let (former, current) = (before.as_ref().and_then(Document::item), written.item());
            if former != current {
                if let Some(item) = current {
                    orphans::claim(tx, &Key::Datastore(item).to_string())?;
                }
                if let Some(item) = former {
                    orphans::note(tx, &Key::Datastore(item).to_string(), now)?;
                }
            }
            Ok(Ok(()))
        };
        self.0.uses.store.write(write).await??;
        drop(being_written);
        self.sweep_keys(row.id).await;
        Ok(row)
    }

    async fn sweep_keys(&self, id: DatastoreId) {
        if let Err(error) = self.0.uses.orphans.sweep().await {
            tracing::info!(datastore = %id, code = error.code(), "a keychain item is removed later: {error}");
        }
    }
}

/// Takes the secrets out of what is written, so that they aren't stored with it.
fn take_keys(document: &mut Map<String, Value>) -> Result<Keys, JobError> {
    let Some(config) = document.get_mut("config").and_then(Value::as_object_mut) else { return Ok(Keys::new()) };
    let mut keys = Keys::new();
    for name in KEYS {
        match config.shift_remove(name) {
            None => {}
            Some(Value::String(key)) if !key.trim().is_empty() => {
                keys.insert(name.to_owned(), Secret::new(key.trim()));
            }
            Some(_) => return Err(JobError::new(&format!("config.{name}"), "must be a string that isn't empty.")),
        }
    }
    Ok(keys)
}

/// `asks_consent`: whether the caller gives the consent to a private address.
fn check(caller: &Caller, row: &Document<Datastore>, keys: &Keys, asks_consent: bool) -> Result<()> {
    check_types(&row.document, &["label", "type"], &["config"])?;
    let is_allowed = match row.document.get(ALLOW_PRIVATE) {
        None => false,
        Some(Value::Bool(allowed)) => *allowed,
        Some(_) => return Err(JobError::new(ALLOW_PRIVATE, "must be true or false.").into()),
    };
    match row.text("type").unwrap_or_default() {
        S3_TYPE => {}
        "" => return Err(JobError::new("type", "is missing. Use s3.").into()),
        lacked if LACKED.contains(&lacked) => {
            let problem = format!("{lacked:?} is a kind of datastore that Relink lacks. It has s3.");
            return Err(JobError { is_unsupported: true, ..JobError::new("type", &problem) }.into());
        }
        other => return Err(JobError::new("type", &format!("{other:?} isn't known. Use s3.")).into()),
    }
    if is_allowed && asks_consent {
        caller.require(Permission::AllowPrivateAddresses)?;
    }
    if row.document.get("config").is_none() {
        return Err(JobError::new(
            "config",
            "is missing. Add one with access_key_id, secret_access_key, region and bucket.",
        )
        .into());
    }
    let opened = row.open(keys)?;
    let url = WebUrl::parse(opened.url().as_str())
        .map_err(|error| JobError::new("config.base_url", &format!("can't be used: {error}.")))?;
    let is_own = network::is_on_this_machine(url.as_url());
    match url.reach() {
        Reach::Local if !is_own && !is_allowed => Err(private(url.as_url())),
        _ => Ok(()),
    }
}

fn private(url: &url::Url) -> Error {
    let message = format!(
        "{} is an address to which Relink sends only with your consent: relink sync datastores add --allow-private.",
        url.host_str().unwrap_or_default()
    );
    Error::invalid_field("base_url_private", "config.base_url", message)
}
