//! The environment, the team, its user, and the categories of integrations.

use std::{collections::BTreeMap, fmt::Display};

use axum::{Extension, Json, extract::State};
use relink_contract::{
    List,
    organization::{Category, Environment, EnvironmentChange, Team, TeamChange, User},
};
use relink_domain::{EnvironmentId, TeamId, UserId, caller::Caller, permission::Permission};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, NotFound, QueryErrors, Routes},
    path::{Id, PathId},
    query::Query,
};

/// Of Truto's categories.
const ABBREVIATIONS: [&str; 4] = ["ats", "crm", "hris", "lms"];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadOrganization, routes!(list_environments))
        .with(Permission::ReadOrganization, routes!(show_environment))
        .with(Permission::ChangeOrganization, routes!(change_environment))
        .with(Permission::ReadOrganization, routes!(list_teams))
        .with(Permission::ReadOrganization, routes!(show_team))
        .with(Permission::ChangeOrganization, routes!(change_team))
        .with(Permission::ReadOrganization, routes!(list_users))
        .with(Permission::ReadOrganization, routes!(show_user))
        .with(Permission::ReadOrganization, routes!(list_categories))
}

/// The rows of what an installation has.
struct Rows {
    environment: Environment,
    team: Team,
    user: User,
}

impl Rows {
    async fn read(api: &ApiState, caller: &Caller) -> Result<Self, ApiError> {
        Ok(Self::new(api.engine.organization().team(caller).await?, api.engine.environment_id()))
    }

    fn new(kept: relink_engine::Team, environment_id: EnvironmentId) -> Self {
        let environment = Environment {
            id: environment_id,
            name: kept.environment_name.clone(),
            team_id: kept.id,
            created_at: kept.created_at,
            updated_at: kept.environment_updated_at,
        };
        let user = User {
            id: kept.user_id,
            name: "Owner".to_owned(),
            email: None,
            is_active: true,
            is_staff: false,
            last_login_at: None,
            role: vec!["admin".to_owned()],
            team: vec![kept.id],
            environment: vec![environment_id],
            created_at: kept.created_at,
            updated_at: kept.created_at,
        };
        Self { environment, team: kept.into(), user }
    }
}

/// Fails for another id than that of the one there is.
fn require<I: Id + Copy + PartialEq + Display>(id: I, own: I) -> Result<(), ApiError> {
    if id == own { Ok(()) } else { Err(I::not_found(&id.to_string())) }
}

/// List environments
///
/// There is one.
#[utoipa::path(
    get,
    path = "/environment",
    operation_id = "list_environments",
    tag = "Organization",
    params(
        ("name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "The environment", body = List<Environment>), QueryErrors),
)]
async fn list_environments(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Environment>> {
    let fields: [(_, Field<Environment>); 3] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("name", Field::Text(|it| it.name.clone())),
        ("team_id", Field::Text(|it| it.team_id.to_string())),
    ];
    let place =
        |it: &Environment| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, vec![Rows::read(&api, &caller).await?.environment], &fields, place)?))
}

/// Show the environment
#[utoipa::path(
    get,
    path = "/environment/{id}",
    operation_id = "get_environment",
    tag = "Organization",
    params(("id" = EnvironmentId, Path)),
    responses((status = 200, description = "The environment", body = Environment), NotFound),
)]
async fn show_environment(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentId>,
) -> ApiResult<Environment> {
    require(id, api.engine.environment_id())?;
    Ok(Json(Rows::read(&api, &caller).await?.environment))
}

/// Rename the environment
#[utoipa::path(
    patch,
    path = "/environment/{id}",
    operation_id = "change_environment",
    tag = "Organization",
    params(("id" = EnvironmentId, Path)),
    request_body = EnvironmentChange,
    responses((status = 200, description = "The environment", body = Environment), NotFound, BodyErrors),
)]
async fn change_environment(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentId>,
    Body(change): Body<EnvironmentChange>,
) -> ApiResult<Environment> {
    let own = api.engine.environment_id();
    require(id, own)?;
    let kept = api.engine.organization().rename_environment(&caller, &change.name).await?;
    Ok(Json(Rows::new(kept, own).environment))
}

/// List teams
///
/// There is one.
#[utoipa::path(
    get,
    path = "/team",
    operation_id = "list_teams",
    tag = "Organization",
    params(
        ("name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "The team", body = List<Team>), QueryErrors),
)]
async fn list_teams(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Team>> {
    let fields: [(_, Field<Team>); 2] =
        [("id", Field::Text(|it| it.id.to_string())), ("name", Field::Text(|it| it.name.clone()))];
    let place = |it: &Team| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, vec![Rows::read(&api, &caller).await?.team], &fields, place)?))
}

/// Show the team
#[utoipa::path(
    get,
    path = "/team/{id}",
    operation_id = "get_team",
    tag = "Organization",
    params(("id" = TeamId, Path)),
    responses((status = 200, description = "The team", body = Team), NotFound),
)]
async fn show_team(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<TeamId>,
) -> ApiResult<Team> {
    let team = Rows::read(&api, &caller).await?.team;
    require(id, team.id)?;
    Ok(Json(team))
}

/// Change the team
#[utoipa::path(
    patch,
    path = "/team/{id}",
    operation_id = "change_team",
    tag = "Organization",
    params(("id" = TeamId, Path)),
    request_body = TeamChange,
    responses((status = 200, description = "The team", body = Team), NotFound, BodyErrors),
)]
async fn change_team(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<TeamId>,
    Body(change): Body<TeamChange>,
) -> ApiResult<Team> {
    require(id, Rows::read(&api, &caller).await?.team.id)?;
    let TeamChange { name, domain, logo } = change;
    let change = relink_engine::TeamChange { name, domain, logo };
    let kept = api.engine.organization().change_team(&caller, change).await?;
    Ok(Json(Rows::new(kept, api.engine.environment_id()).team))
}

/// List users
///
/// There is one: the person whose Relink this is.
#[utoipa::path(
    get,
    path = "/user",
    operation_id = "list_users",
    tag = "Organization",
    params(
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "The user", body = List<User>), QueryErrors),
)]
async fn list_users(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<User>> {
    let fields: [(_, Field<User>); 2] =
        [("id", Field::Text(|it| it.id.to_string())), ("is_active", Field::Flag(|it| it.is_active))];
    let place = |it: &User| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, vec![Rows::read(&api, &caller).await?.user], &fields, place)?))
}

/// Show the user
#[utoipa::path(
    get,
    path = "/user/{id}",
    operation_id = "get_user",
    tag = "Organization",
    params(("id" = UserId, Path)),
    responses((status = 200, description = "The user", body = User), NotFound),
)]
async fn show_user(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<UserId>,
) -> ApiResult<User> {
    let user = Rows::read(&api, &caller).await?.user;
    require(id, user.id)?;
    Ok(Json(user))
}

/// List categories
///
/// Of the catalog's integrations.
#[utoipa::path(
    get,
    path = "/category",
    operation_id = "list_categories",
    tag = "Organization",
    params(
        ("name" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of categories", body = List<Category>), QueryErrors),
)]
async fn list_categories(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Category>> {
    let mut categories: BTreeMap<String, Category> = BTreeMap::new();
    for entry in api.engine.catalog().list(&caller).await? {
        let integration = &entry.integration;
        let Some(name) = integration.category().filter(|name| !name.is_empty()) else { continue };
        let (created_at, updated_at) = (integration.created_at, integration.updated_at);
        let category = categories.entry(name.clone()).or_insert_with(|| Category {
            label: label(&name),
            name,
            created_at,
            updated_at,
        });
        category.created_at = category.created_at.min(created_at);
        category.updated_at = category.updated_at.max(updated_at);
    }
    let fields: [(_, Field<Category>); 1] = [("name", Field::Text(|it| it.name.clone()))];
    let place = |it: &Category| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.name.clone() };
    Ok(Json(listing::list(&query, categories.into_values().collect(), &fields, place)?))
}

/// A category's name as it is shown: an abbreviation in capitals, or words without the underscores that Truto's have.
fn label(name: &str) -> String {
    if ABBREVIATIONS.contains(&name) {
        return name.to_uppercase();
    }
    let mut letters = name.chars();
    let first = letters.next().map(char::to_uppercase);
    let label: String = first.into_iter().flatten().chain(letters).collect();
    label.replace('_', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_category_is_shown_as_words() {
        for (name, shown) in [
            ("crm", "CRM"),
            ("project management", "Project management"),
            ("knowledge_base", "Knowledge base"),
            ("", ""),
        ] {
            assert_eq!(label(name), shown);
        }
    }
}
