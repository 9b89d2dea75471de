//! The team, its environment and its user, as Truto has them (contract section 11). An installation is one person's, so there is one of
//! each.

use relink_domain::{EnvironmentId, TeamId, Timestamp, UserId, caller::Caller, name};
use rusqlite::Transaction;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    clock::Clock,
    error::{Error, Result},
    store::{self, Store, settings},
};

const SETTING: &str = "organization";
/// The maximum length of a name, in characters.
const MAX_NAME: usize = 100;

/// The names that the person gave. Clones share the same state.
#[derive(Debug, Clone)]
pub struct Organization {
    store: Store,
    clock: Clock,
}

/// The team with its environment and its user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    pub domain: Option<String>,
    /// A web address, which Relink doesn't load.
    pub logo: Option<String>,
    pub updated_at: Timestamp,
    pub user_id: UserId,
    pub environment_name: String,
    pub environment_updated_at: Timestamp,
    pub created_at: Timestamp,
}

/// The ids that rows name as what they belong to. An installation has one of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OrganizationIds {
    pub environment: EnvironmentId,
    pub team: TeamId,
}

impl OrganizationIds {
    /// The first start creates them.
    pub(crate) fn ensure(tx: &Transaction<'_>, now: Timestamp) -> store::Result<Self> {
        Ok(Self { environment: settings::ensure_environment(tx)?, team: ensure(tx, now)?.id })
    }
}

/// What is changed of the team. A field that isn't given stays, and an empty one goes.
#[derive(Debug, Clone, Default)]
pub struct TeamChange {
    pub name: Option<String>,
    pub domain: Option<String>,
    pub logo: Option<String>,
}

impl Organization {
    pub(crate) const fn new(store: Store, clock: Clock) -> Self {
        Self { store, clock }
    }

    pub async fn team(&self, _caller: &Caller) -> Result<Team> {
        let kept = self.store.read(|c| settings::get(c, SETTING)).await?;
        match kept {
            Some(team) => Ok(team),
            None => self.change(|_, _| ()).await,
        }
    }

    pub async fn rename_environment(&self, caller: &Caller, name: &str) -> Result<Team> {
        let name = one_line("name", name)?;
        let team = self
            .change(move |team, now| {
                team.environment_name = name;
                team.environment_updated_at = now;
            })
            .await?;
        tracing::info!(?caller, "environment renamed");
        Ok(team)
    }

    pub async fn change_team(&self, caller: &Caller, change: TeamChange) -> Result<Team> {
        let TeamChange { name, domain, logo } = change;
        let name = name.map(|name| one_line("name", &name)).transpose()?;
        let optional = |field: &'static str, text: Option<String>| {
            text.map(|text| if text.trim().is_empty() { Ok(None) } else { one_line(field, &text).map(Some) })
                .transpose()
        };
        let (domain, logo) = (optional("domain", domain)?, optional("logo", logo)?);
        let team = self
            .change(move |team, now| {
                if let Some(name) = name {
                    team.name = name;
                }
                if let Some(domain) = domain {
                    team.domain = domain;
                }
                if let Some(logo) = logo {
                    team.logo = logo;
                }
                team.updated_at = now;
            })
            .await?;
        tracing::info!(?caller, "team changed");
        Ok(team)
    }

    async fn change(&self, change: impl FnOnce(&mut Team, Timestamp) + Send + 'static) -> Result<Team> {
        let now = self.clock.now();
        let write = move |tx: &Transaction<'_>| {
            let mut team = ensure(tx, now)?;
            change(&mut team, now);
            settings::set(tx, SETTING, &team)?;
            Ok(team)
        };
        Ok(self.store.write(write).await?)
    }
}

/// What is kept; the first time that is what an installation begins with.
fn ensure(tx: &Transaction<'_>, now: Timestamp) -> store::Result<Team> {
    if let Some(team) = settings::get(tx, SETTING)? {
        return Ok(team);
    }
    let team = Team {
        id: TeamId::from_uuid(Uuid::now_v7()),
        name: "Relink".to_owned(),
        domain: None,
        logo: None,
        updated_at: now,
        user_id: UserId::from_uuid(Uuid::now_v7()),
        environment_name: "This machine".to_owned(),
        environment_updated_at: now,
        created_at: now,
    };
    settings::set(tx, SETTING, &team)?;
    Ok(team)
}

fn one_line(field: &'static str, text: &str) -> Result<String> {
    name::one_line(text, MAX_NAME).map(str::to_owned).ok_or_else(|| {
        let message = format!("{field} must have 1 to {MAX_NAME} characters, on one line.");
        Error::invalid_field("text_invalid", field, message)
    })
}
