//! Integrations of the catalog, in Truto's format (contract section 4.1).

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    integration::{Integration, IntegrationChange, NewIntegrationRow},
    organization::Team,
};
use relink_domain::{EnvironmentId, IntegrationId, caller::Caller, integration::redacted, permission::Permission};
use relink_engine::MappedResource;
use serde_json::{Map, Value};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, Conflict, Lacking, NotFound, QueryErrors, Routes},
    path::{Id as _, PathId, PathText},
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(list))
        .with(Permission::ReadIntegrations, routes!(show))
        .with(Permission::ManageIntegrations, routes!(create))
        .with(Permission::ManageIntegrations, routes!(change, delete))
        .with(Permission::ReadIntegrations, routes!(unified_apis))
}

/// What all rows have in common.
struct Shared {
    team: Team,
    environment_id: EnvironmentId,
}

impl Shared {
    async fn read(api: &ApiState, caller: &Caller) -> Result<Self, ApiError> {
        let team = api.engine.organization().team(caller).await?.into();
        Ok(Self { team, environment_id: api.engine.environment_id() })
    }

    fn integration(&self, integration: &relink_engine::Integration, is_installed: bool) -> Integration {
        Integration {
            id: integration.id,
            name: integration.name.clone(),
            category: integration.category(),
            is_beta: integration.is_beta(),
            config: integration.document.get("config").map(redacted).unwrap_or_default(),
            sharing: integration.sharing().to_owned(),
            can_install: true,
            version: integration.version,
            team_id: self.team.id,
            team: self.team.clone(),
            installed_environment: is_installed.then_some(self.environment_id).into_iter().collect(),
            default_oauth_app_id: None,
            created_at: integration.created_at,
            updated_at: integration.updated_at,
        }
    }
}

impl ApiState {
    async fn shown_integration(
        &self,
        caller: &Caller,
        integration: &relink_engine::Integration,
    ) -> ApiResult<Integration> {
        let is_installed = self.engine.catalog().is_installed(caller, &integration.name);
        Ok(Json(Shared::read(self, caller).await?.integration(integration, is_installed)))
    }
}

/// List integrations
#[utoipa::path(
    get,
    path = "/integration",
    operation_id = "list_integrations",
    tag = "Integrations",
    params(
        ("name" = Option<String>, Query),
        ("sharing" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the catalog", body = List<Integration>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Integration>> {
    let shared = Shared::read(&api, &caller).await?;
    let entries = api.engine.catalog().list(&caller).await?;
    let all = entries.iter().map(|entry| shared.integration(&entry.integration, entry.installed.is_some())).collect();
    let fields: [(_, Field<Integration>); 4] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("name", Field::Text(|it| it.name.clone())),
        ("category", Field::OptionalText(|it| it.category.clone())),
        ("sharing", Field::Text(|it| it.sharing.clone())),
    ];
    let place =
        |it: &Integration| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show an integration
#[utoipa::path(
    get,
    path = "/integration/{id}",
    operation_id = "get_integration",
    tag = "Integrations",
    params(("id" = IntegrationId, Path)),
    responses((status = 200, description = "The integration", body = Integration), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<IntegrationId>,
) -> ApiResult<Integration> {
    let integration = api.engine.catalog().integration(&caller, id).await?;
    api.shown_integration(&caller, &integration).await
}

/// Add an integration
///
/// The definition is checked strictly. An integration with the secret of an OAuth client is also installed, because the keychain
/// keeps the secret with the installation.
#[utoipa::path(
    post,
    path = "/integration",
    operation_id = "create_integration",
    tag = "Integrations",
    request_body = NewIntegrationRow,
    responses((status = 200, description = "The integration", body = Integration), BodyErrors, Conflict, Lacking),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewIntegrationRow>,
) -> ApiResult<Integration> {
    let row = serde_json::to_value(new).map_err(|_| unreadable())?;
    let integration = api.engine.catalog().create_row(&caller, &row).await?;
    api.shown_integration(&caller, &integration).await
}

/// Change an integration
///
/// `config` is merged deeply, and the definition is checked strictly. `version` must be the one that was read: if it is stale, the
/// answer is 409 and nothing was changed. A built-in integration can't be changed. If an address of it changes, accounts whose
/// credentials were given for the old one must be reauthorized.
#[utoipa::path(
    patch,
    path = "/integration/{id}",
    operation_id = "update_integration",
    tag = "Integrations",
    params(("id" = IntegrationId, Path)),
    request_body = IntegrationChange,
    responses((status = 200, description = "The integration", body = Integration), BodyErrors, NotFound, Conflict, Lacking),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<IntegrationId>,
    Body(change): Body<IntegrationChange>,
) -> ApiResult<Integration> {
    let version = change.version;
    let Ok(Value::Object(mut merged)) = serde_json::to_value(change) else { return Err(unreadable()) };
    merged.shift_remove("version");
    let integration = api.engine.catalog().change_row(&caller, id, version, &merged).await?;
    api.shown_integration(&caller, &integration).await
}

/// Delete an integration
///
/// Also uninstalls it. Refused if it has accounts, or is built in.
#[utoipa::path(
    delete,
    path = "/integration/{id}",
    operation_id = "delete_integration",
    tag = "Integrations",
    params(("id" = IntegrationId, Path)),
    responses((status = 200, description = "The integration was deleted", body = Deleted), NotFound, Conflict),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<IntegrationId>,
) -> ApiResult<Deleted> {
    api.engine.catalog().delete_row(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// List the unified APIs that an integration is mapped to
///
/// `{"unified_model", "resource", "methods"}` for each resource of an installed unified model that it is mapped to.
#[utoipa::path(
    get,
    path = "/integration/{id}/unified-apis",
    operation_id = "list_unified_apis",
    tag = "Integrations",
    params(("id" = String, Path, description = "The integration's id or name.")),
    responses((status = 200, description = "The unified APIs", body = Vec<Object>), NotFound),
)]
async fn unified_apis(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(id): PathText,
) -> ApiResult<Vec<Map<String, Value>>> {
    let entries = api.engine.catalog().list(&caller).await?;
    let entry = entries.iter().find(|entry| entry.integration.name == id || entry.integration.id.to_string() == id);
    let entry = entry.ok_or_else(|| IntegrationId::not_found(&id))?;
    let mapped = api.engine.unified_models().mapped(&caller, &entry.integration.name);
    let shown = |it: MappedResource| {
        Map::from_iter([
            ("unified_model".to_owned(), it.model.into()),
            ("resource".to_owned(), it.resource.into()),
            ("methods".to_owned(), it.methods.into()),
        ])
    };
    Ok(Json(mapped.into_iter().map(shown).collect()))
}

fn unreadable() -> ApiError {
    ApiError::bad_request("body_invalid", "The body couldn't be read.")
}
