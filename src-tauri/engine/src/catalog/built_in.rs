//! The built-in integrations.

use relink_domain::{
    Timestamp,
    account::TimelineEvent,
    integration::{CHECKER_VERSION, Definition, catalog},
};
use rusqlite::{Connection, Transaction};

use super::install::{newly_installed, record_of};
use crate::{
    error::Result,
    store::{
        self, Store, integrations, settings,
        timeline::{self, NewEntry},
    },
};

/// Set when the built-in integrations are installed for the first time. The spelling is that of the first version.
const INSTALLED_ONCE: &str = "catalogue_brought";
/// Names of built-in integrations that are hidden by the person's own integration of the same name.
const HIDDEN: &str = "hidden_built_ins";

/// Stores this version's built-in integrations. The first start installs all of them except the Sandbox. A person's own
/// integration of the same name takes precedence: the built-in one is hidden, and one timeline entry says so.
pub(super) async fn update(store: &Store, now: Timestamp) -> Result<()> {
    let notices =
        catalog().iter().map(|definition| hidden_notice(definition, now)).collect::<store::Result<Vec<_>>>()?;
    store
        .write(move |tx| {
            let is_first_start = settings::get::<bool>(tx, INSTALLED_ONCE)?.is_none();
            let mut hidden = Vec::new();
            for (definition, notice) in catalog().iter().zip(&notices) {
                let known = integrations::named(tx, definition.name())?;
                if known.as_ref().is_some_and(|known| !known.built_in) {
                    hidden.push((definition.name(), notice));
                    continue;
                }
                let document = serde_json::to_value(definition)?;
                if known.is_none_or(|known| {
                    known.document != document || known.checker_version != i64::from(CHECKER_VERSION)
                }) {
                    let id = integrations::id_for(tx, definition.name(), definition.id())?;
                    integrations::put(tx, &record_of(definition, id, document, true, now))?;
                }
                if is_first_start && !definition.is_sandbox() {
                    install(tx, definition, now)?;
                }
            }
            note_hidden(tx, &hidden)?;
            settings::set(tx, INSTALLED_ONCE, &true)
        })
        .await?;
    Ok(())
}

fn install(tx: &Transaction<'_>, definition: &Definition, now: Timestamp) -> store::Result<()> {
    match integrations::named(tx, definition.name())? {
        Some(integration) => integrations::install(tx, &newly_installed(integration, now)),
        None => Ok(()),
    }
}

/// The timeline entry for a built-in integration that is hidden.
fn hidden_notice(definition: &Definition, now: Timestamp) -> store::Result<NewEntry> {
    let event = TimelineEvent::BuiltInHidden { integration: definition.name().to_owned() };
    NewEntry::of(None, now, &event, None)
}

/// Adds one timeline entry for each built-in integration that is newly hidden.
fn note_hidden(tx: &Transaction<'_>, hidden: &[(&str, &NewEntry)]) -> store::Result<()> {
    let known = hidden_names(tx)?;
    for (_, notice) in hidden.iter().filter(|(name, _)| !known.iter().any(|known| known == name)) {
        timeline::add(tx, notice)?;
    }
    settings::set(tx, HIDDEN, &hidden.iter().map(|(name, _)| name).collect::<Vec<_>>())
}

pub(super) fn hidden_names(connection: &Connection) -> store::Result<Vec<String>> {
    Ok(settings::get(connection, HIDDEN)?.unwrap_or_default())
}
