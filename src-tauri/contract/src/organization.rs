//! The environment, the team, its user and the categories of integrations (contract section 11). There is one of each but the last.

use relink_domain::{EnvironmentId, TeamId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Environment {
    pub id: EnvironmentId,
    pub name: String,
    pub team_id: TeamId,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EnvironmentChange {
    /// 1 to 100 characters, on one line.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Team {
    pub id: TeamId,
    pub name: String,
    #[schema(required)]
    pub domain: Option<String>,
    #[schema(required)]
    pub logo: Option<String>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What isn't given stays. An empty `domain` or `logo` is removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TeamChange {
    pub name: Option<String>,
    pub domain: Option<String>,
    pub logo: Option<String>,
}

/// The person whose Relink this is. Relink knows nothing of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct User {
    pub id: UserId,
    pub name: String,
    #[schema(required)]
    pub email: Option<String>,
    pub is_active: bool,
    pub is_staff: bool,
    #[schema(required)]
    pub last_login_at: Option<Timestamp>,
    pub role: Vec<String>,
    pub team: Vec<TeamId>,
    pub environment: Vec<EnvironmentId>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// A category of the catalog's integrations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Category {
    pub name: String,
    pub label: String,
    /// When its first integration was added.
    pub created_at: Timestamp,
    /// When one of its integrations was changed last.
    pub updated_at: Timestamp,
}
