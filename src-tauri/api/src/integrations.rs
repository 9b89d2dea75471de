//! The catalog of integrations, and installed integrations.

use axum::{Extension, Json, extract::State, http::StatusCode};
use relink_contract::{
    Deleted, List, Results,
    integration::{
        AddedIntegration, CatalogEntry, EnvironmentIntegration, InstalledIntegration, Integration, NamedIntegration,
        NewEnvironmentIntegration, NewIntegration, OAuthClient,
    },
};
use relink_domain::{
    EnvironmentIntegrationId, IntegrationId, caller::Caller, integration::redacted, permission::Permission,
};
use relink_engine::{Error, Installed, SANDBOX};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::{Id, PathId, PathText},
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(list))
        .with(Permission::ReadIntegrations, routes!(show))
        .with(Permission::ReadIntegrations, routes!(list_installed))
        .with(Permission::ManageIntegrations, routes!(install))
        .with(Permission::ReadIntegrations, routes!(show_installed))
        .with(Permission::ManageIntegrations, routes!(uninstall))
        .with(Permission::ReadIntegrations, routes!(catalog))
        .with(Permission::ManageIntegrations, routes!(add))
        .with(Permission::ManageIntegrations, routes!(install_named))
        .with(Permission::ManageIntegrations, routes!(uninstall_named))
        .with(Permission::ManageIntegrations, routes!(set_client))
}

fn integration(entry: &relink_engine::CatalogEntry) -> Integration {
    let integration = &entry.integration;
    Integration {
        id: integration.id,
        name: integration.name.clone(),
        category: integration.category(),
        is_beta: false,
        config: integration.document.get("config").map(redacted).unwrap_or_default(),
        sharing: "ask".to_owned(),
        version: integration.version,
        created_at: integration.created_at,
        updated_at: integration.updated_at,
    }
}

fn catalog_entry(entry: &relink_engine::CatalogEntry) -> CatalogEntry {
    let integration = &entry.integration;
    CatalogEntry {
        id: integration.id,
        name: integration.name.clone(),
        label: entry.label(),
        category: integration.category(),
        built_in: integration.built_in,
        version: integration.version,
        installed: entry.installed.is_some(),
        environment_integration_id: entry.installed.as_ref().map(|installed| installed.id),
        methods: entry.definition.as_ref().map(|definition| definition.methods()).unwrap_or_default(),
        not_ready: entry.not_ready.clone(),
        hides_built_in: entry.hides_built_in,
    }
}

impl ApiState {
    fn environment_integration(&self, installed: &Installed) -> EnvironmentIntegration {
        installed.environment_integration(self.engine.environment_id())
    }

    async fn installed(&self, caller: &Caller, id: EnvironmentIntegrationId) -> Result<Installed, ApiError> {
        let entries = self.engine.catalog().list(caller).await?;
        let found = entries.into_iter().filter_map(|entry| entry.installed).find(|installed| installed.id == id);
        found.ok_or_else(|| EnvironmentIntegrationId::not_found(&id.to_string()))
    }

    /// Installs an integration. For the Sandbox's, waits until the Sandbox has started.
    async fn install(&self, caller: &Caller, name: &str) -> Result<Installed, ApiError> {
        let installed = self.engine.catalog().install(caller, name).await?;
        self.follow_sandbox(name, true).await;
        Ok(installed)
    }

    /// Uninstalls an integration. For the Sandbox's, waits until the Sandbox has stopped.
    async fn uninstall(&self, caller: &Caller, name: &str) -> Result<(), ApiError> {
        self.engine.catalog().uninstall(caller, name).await?;
        self.follow_sandbox(name, false).await;
        Ok(())
    }

    async fn follow_sandbox(&self, name: &str, runs: bool) {
        if name == SANDBOX {
            self.sandbox_runner.follows(runs).await;
        }
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
    let all = api.engine.catalog().list(&caller).await?.iter().map(integration).collect();
    let fields: [(_, Field<Integration>); 6] = [
        ("id", Field::Text(|it| it.id.to_string())),
        ("name", Field::Text(|it| it.name.clone())),
        ("category", Field::Text(|it| it.category.clone().unwrap_or_default())),
        ("sharing", Field::Text(|it| it.sharing.clone())),
        ("created_at", Field::Time(|it| it.created_at)),
        ("updated_at", Field::Time(|it| it.updated_at)),
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
    let entries = api.engine.catalog().list(&caller).await?;
    let found = entries.iter().find(|entry| entry.integration.id == id);
    found.map(|entry| Json(integration(entry))).ok_or_else(|| IntegrationId::not_found(&id.to_string()))
}

/// List installed integrations
#[utoipa::path(
    get,
    path = "/environment-integration",
    operation_id = "list_environment_integrations",
    tag = "Integrations",
    params(
        ("integration_id" = Option<String>, Query),
        ("is_active" = Option<bool>, Query),
        ("show_in_catalog" = Option<bool>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the installed integrations", body = List<EnvironmentIntegration>), QueryErrors),
)]
async fn list_installed(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<EnvironmentIntegration>> {
    let entries = api.engine.catalog().list(&caller).await?;
    let installed = entries.iter().filter_map(|entry| entry.installed.as_ref());
    let all = installed.map(|installed| api.environment_integration(installed)).collect();
    let fields: [(_, Field<EnvironmentIntegration>); 8] = [
        ("id", Field::Text(|it| it.summary.id.to_string())),
        ("integration_id", Field::Text(|it| it.summary.integration_id.to_string())),
        ("environment_id", Field::Text(|it| it.summary.environment_id.to_string())),
        ("is_active", Field::Flag(|it| it.summary.is_active)),
        ("is_enabled", Field::Flag(|it| it.summary.is_enabled)),
        ("show_in_catalog", Field::Flag(|it| it.summary.show_in_catalog)),
        ("created_at", Field::Time(|it| it.created_at)),
        ("updated_at", Field::Time(|it| it.updated_at)),
    ];
    let place = |it: &EnvironmentIntegration| Place {
        created_at: it.created_at,
        updated_at: it.updated_at,
        id: it.summary.id.to_string(),
    };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show an installed integration
#[utoipa::path(
    get,
    path = "/environment-integration/{id}",
    operation_id = "get_environment_integration",
    tag = "Integrations",
    params(("id" = EnvironmentIntegrationId, Path)),
    responses((status = 200, description = "The installed integration", body = EnvironmentIntegration), NotFound),
)]
async fn show_installed(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentIntegrationId>,
) -> ApiResult<EnvironmentIntegration> {
    Ok(Json(api.environment_integration(&api.installed(&caller, id).await?)))
}

/// Install an integration
///
/// An installed integration stays unchanged.
#[utoipa::path(
    post,
    path = "/environment-integration",
    operation_id = "create_environment_integration",
    tag = "Integrations",
    request_body = NewEnvironmentIntegration,
    responses(
        (status = 200, description = "The installed integration", body = EnvironmentIntegration),
        BodyErrors,
        NotFound,
        Conflict,
    ),
)]
async fn install(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewEnvironmentIntegration>,
) -> ApiResult<EnvironmentIntegration> {
    let flags =
        [("is_enabled", new.is_enabled), ("is_active", new.is_active), ("show_in_catalog", new.show_in_catalog)];
    if let Some((field, _)) = flags.into_iter().find(|(_, value)| *value == Some(false)) {
        let message = format!("{field} can only be true. To disable an integration, uninstall it.");
        return Err(Error::invalid_field("not_supported", field, message).into());
    }
    let entries = api.engine.catalog().list(&caller).await?;
    let entry = entries.iter().find(|entry| entry.integration.id.to_string() == new.integration_id);
    let name = &entry.ok_or_else(|| IntegrationId::not_found(&new.integration_id))?.integration.name;
    let installed = api.install(&caller, name).await?;
    Ok(Json(api.environment_integration(&installed)))
}

/// Uninstall an integration, with its accounts
///
/// All of it or nothing. The accounts' tokens are then revoked at the provider.
#[utoipa::path(
    delete,
    path = "/environment-integration/{id}",
    operation_id = "delete_environment_integration",
    tag = "Integrations",
    params(("id" = EnvironmentIntegrationId, Path)),
    responses((status = 200, description = "The integration was uninstalled", body = Deleted), NotFound, Conflict),
)]
async fn uninstall(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentIntegrationId>,
) -> ApiResult<Deleted> {
    let installed = api.engine.catalog().uninstall_with_accounts(&caller, id).await?;
    api.follow_sandbox(&installed.integration.name, false).await;
    Ok(Json(Deleted { id: id.to_string() }))
}

/// Show the catalog in Relink's format
#[utoipa::path(
    get,
    path = "/relink/integrations",
    operation_id = "show_catalog",
    tag = "Integrations",
    responses((status = 200, description = "All integrations of the catalog", body = Results<CatalogEntry>)),
)]
async fn catalog(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
) -> ApiResult<Results<CatalogEntry>> {
    Ok(Json(Results { result: api.engine.catalog().list(&caller).await?.iter().map(catalog_entry).collect() }))
}

/// Add an integration from a definition file
///
/// Also installs it.
#[utoipa::path(
    post,
    path = "/relink/integrations",
    operation_id = "add_integration",
    tag = "Integrations",
    request_body = NewIntegration,
    responses((status = 201, description = "Added and installed", body = AddedIntegration), BodyErrors, Conflict),
)]
async fn add(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewIntegration>,
) -> Result<(StatusCode, Json<AddedIntegration>), ApiError> {
    let added = api.engine.catalog().add(&caller, &new.text).await?;
    let body = AddedIntegration {
        name: added.installed.integration.name,
        environment_integration_id: added.installed.id,
        warnings: added.warnings,
    };
    Ok((StatusCode::CREATED, Json(body)))
}

/// Install an integration by its name
#[utoipa::path(
    post,
    path = "/relink/integrations/{name}/install",
    operation_id = "install_integration",
    tag = "Integrations",
    params(("name" = String, Path)),
    responses((status = 200, description = "Installed", body = InstalledIntegration), NotFound, Conflict),
)]
async fn install_named(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(name): PathText,
) -> ApiResult<InstalledIntegration> {
    let installed = api.install(&caller, &name).await?;
    Ok(Json(InstalledIntegration { name, environment_integration_id: installed.id }))
}

/// Uninstall an integration by its name
///
/// Refused if the integration has accounts.
#[utoipa::path(
    post,
    path = "/relink/integrations/{name}/uninstall",
    operation_id = "uninstall_integration",
    tag = "Integrations",
    params(("name" = String, Path)),
    responses((status = 200, description = "The integration was uninstalled", body = NamedIntegration), NotFound, Conflict),
)]
async fn uninstall_named(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(name): PathText,
) -> ApiResult<NamedIntegration> {
    api.uninstall(&caller, &name).await?;
    Ok(Json(NamedIntegration { name }))
}

/// Set the OAuth client that is registered with the provider
///
/// The secret is stored in the keychain.
#[utoipa::path(
    post,
    path = "/relink/integrations/{name}/client",
    operation_id = "set_client",
    tag = "Integrations",
    params(("name" = String, Path)),
    request_body = OAuthClient,
    responses((status = 200, description = "The client was set", body = NamedIntegration), BodyErrors, NotFound, Conflict),
)]
async fn set_client(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(name): PathText,
    Body(client): Body<OAuthClient>,
) -> ApiResult<NamedIntegration> {
    let secret = client.secret.map(relink_contract::WireSecret::into_secret).filter(|secret| !secret.is_empty());
    api.engine.catalog().set_client(&caller, &name, client.id, secret).await?;
    Ok(Json(NamedIntegration { name }))
}
