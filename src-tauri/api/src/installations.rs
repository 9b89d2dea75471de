//! Installed integrations, in Truto's format (contract section 4.1).

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    integration::{EnvironmentIntegration, EnvironmentIntegrationChange, NewEnvironmentIntegration},
};
use relink_domain::{EnvironmentIntegrationId, IntegrationId, caller::Caller, permission::Permission};
use relink_engine::{Error, InstallationChange, Installed, SANDBOX};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, Conflict, NotFound, QueryErrors, Routes},
    path::{Id as _, PathId},
    query::Query,
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(list_installed))
        .with(Permission::ManageIntegrations, routes!(install))
        .with(Permission::ReadIntegrations, routes!(show_installed))
        .with(Permission::ManageIntegrations, routes!(change_installed, uninstall))
}

impl ApiState {
    fn environment_integration(&self, installed: &Installed) -> EnvironmentIntegration {
        installed.environment_integration(self.engine.organization_ids())
    }

    async fn installed(&self, caller: &Caller, id: EnvironmentIntegrationId) -> Result<Installed, ApiError> {
        let entries = self.engine.catalog().list(caller).await?;
        let found = entries.into_iter().filter_map(|entry| entry.installed).find(|installed| installed.id == id);
        found.ok_or_else(|| EnvironmentIntegrationId::not_found(&id.to_string()))
    }

    /// Installs an integration. For the Sandbox's, waits until the Sandbox has started.
    pub(crate) async fn install(
        &self,
        caller: &Caller,
        name: &str,
        change: &InstallationChange,
    ) -> Result<Installed, ApiError> {
        let installed = self.engine.catalog().install_as(caller, name, change).await?;
        self.follow_sandbox(name, true).await;
        Ok(installed)
    }

    /// Uninstalls an integration. For the Sandbox's, waits until the Sandbox has stopped.
    pub(crate) async fn uninstall(&self, caller: &Caller, name: &str) -> Result<(), ApiError> {
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

/// List installed integrations
#[utoipa::path(
    get,
    path = "/environment-integration",
    operation_id = "list_environment_integrations",
    tag = "Integrations",
    params(
        ("integration_id" = Option<String>, Query),
        ("environment_id" = Option<String>, Query),
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
    let fields: [(_, Field<EnvironmentIntegration>); 6] = [
        ("id", Field::Text(|it| it.summary.id.to_string())),
        ("integration_id", Field::Text(|it| it.summary.integration_id.to_string())),
        ("environment_id", Field::Text(|it| it.summary.environment_id.to_string())),
        ("is_active", Field::Flag(|it| it.summary.is_active)),
        ("is_enabled", Field::Flag(|it| it.summary.is_enabled)),
        ("show_in_catalog", Field::Flag(|it| it.summary.show_in_catalog)),
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
    let change = installation_change(new.change)?;
    let entries = api.engine.catalog().list(&caller).await?;
    let entry = entries.iter().find(|entry| entry.integration.id.to_string() == new.integration_id);
    let name = &entry.ok_or_else(|| IntegrationId::not_found(&new.integration_id))?.integration.name;
    let installed = api.install(&caller, name, &change).await?;
    Ok(Json(api.environment_integration(&installed)))
}

fn installation_change(change: EnvironmentIntegrationChange) -> Result<InstallationChange, ApiError> {
    let EnvironmentIntegrationChange { is_enabled, is_active, show_in_catalog, r#override } = change;
    if let (Some(enabled), Some(active)) = (is_enabled, is_active)
        && enabled != active
    {
        let message = "is_active means the same as is_enabled, so they can't differ. Send one of them.";
        return Err(Error::invalid_field("flags_differ", "is_active", message).into());
    }
    Ok(InstallationChange { is_enabled: is_enabled.or(is_active), show_in_catalog, r#override })
}

/// Change an installed integration
///
/// One that isn't enabled offers no new connections; its accounts work on. `override` takes the place of the whole override and
/// is checked strictly with the definition. If it changes an address, accounts whose credentials were given for the old one must
/// be reauthorized.
#[utoipa::path(
    patch,
    path = "/environment-integration/{id}",
    operation_id = "update_environment_integration",
    tag = "Integrations",
    params(("id" = EnvironmentIntegrationId, Path)),
    request_body = EnvironmentIntegrationChange,
    responses(
        (status = 200, description = "The installed integration", body = EnvironmentIntegration),
        BodyErrors,
        NotFound,
        Conflict,
    ),
)]
async fn change_installed(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<EnvironmentIntegrationId>,
    Body(change): Body<EnvironmentIntegrationChange>,
) -> ApiResult<EnvironmentIntegration> {
    let change = installation_change(change)?;
    let installed = api.engine.catalog().change_installation(&caller, id, change).await?;
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
