//! The catalog of integrations, in Relink's format.

use axum::{Extension, Json, extract::State, http::StatusCode};
use relink_contract::{
    Results,
    integration::{
        AddedIntegration, CatalogEntry, InstalledIntegration, IntegrationClient, NamedIntegration, NewIntegration,
        OAuthClient,
    },
};
use relink_domain::{caller::Caller, permission::Permission};
use relink_engine::InstallationChange;
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    openapi::{BodyErrors, Conflict, Lacking, NotFound, Routes},
    path::PathText,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(catalog))
        .with(Permission::ManageIntegrations, routes!(add))
        .with(Permission::ManageIntegrations, routes!(install_named))
        .with(Permission::ManageIntegrations, routes!(uninstall_named))
        .with(Permission::ManageIntegrations, routes!(set_client))
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
/// Also installs it. An integration of the same name is replaced, and its accounts use the new definition. The body has the file's text, or is the file itself: `{"name", "config", "label", "category", "documentation",
/// "audit_notes"}`. Its documentation takes the place of the integration's.
#[utoipa::path(
    post,
    path = "/relink/integrations",
    operation_id = "add_integration",
    tag = "Integrations",
    request_body = NewIntegration,
    responses((status = 201, description = "Added and installed", body = AddedIntegration), BodyErrors, Conflict, Lacking),
)]
async fn add(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewIntegration>,
) -> Result<(StatusCode, Json<AddedIntegration>), ApiError> {
    let catalog = api.engine.catalog();
    let added = match &new.text {
        Some(text) => catalog.add(&caller, text).await?,
        None => catalog.add_document(&caller, &new.file.into()).await?,
    };
    let body = AddedIntegration {
        name: added.installed.integration.name,
        environment_integration_id: added.installed.id,
        replaced: added.replaced,
        accounts: added.accounts,
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
    let installed = api.install(&caller, &name, &InstallationChange::default()).await?;
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
    responses((status = 200, description = "The client was set", body = IntegrationClient), BodyErrors, NotFound, Conflict),
)]
async fn set_client(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(name): PathText,
    Body(client): Body<OAuthClient>,
) -> ApiResult<IntegrationClient> {
    let secret = client.secret.map(relink_contract::WireSecret::into_secret).filter(|secret| !secret.is_empty());
    let catalog = api.engine.catalog();
    catalog.set_client(&caller, &name, client.id, secret).await?;
    let not_ready = catalog.client_not_ready(&caller, &name).await?;
    Ok(Json(IntegrationClient { name, not_ready }))
}
