//! What can be called with an account or an integration: tools for agents, and capabilities.

use std::sync::Arc;

use axum::{Extension, Json, extract::State};
use relink_contract::{
    capabilities::{Capabilities, CapabilityFilter, UnifiedCapability},
    tool::{MethodFilter, Tools},
};
use relink_domain::{AccountId, IntegrationId, caller::Caller, integration::Definition, permission::Permission};
use relink_engine::{AccountView, CatalogEntry, MappedResource};
use utoipa_axum::routes;

use crate::{
    ApiState,
    error::{ApiError, ApiResult},
    openapi::{Conflict, NotFound, QueryErrors, Routes},
    path::{Id as _, PathId, PathText},
    query::{Query, invalid},
};

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadAccounts, routes!(tools_of_account))
        .with(Permission::ReadAccounts, routes!(capabilities_of_account))
        .with(Permission::ReadIntegrations, routes!(tools_of_integration))
        .with(Permission::ReadIntegrations, routes!(capabilities_of_integration))
}

/// A definition that is in force, and the integration that it is of.
pub(crate) type Found = (IntegrationId, Arc<Definition>);

impl ApiState {
    pub(crate) async fn definition_of_account(
        &self,
        caller: &Caller,
        id: AccountId,
    ) -> Result<(AccountView, Found), ApiError> {
        let view = self.engine.accounts().get(caller, id).await?;
        let definition = self.engine.accounts().definition(caller, id).await?.ok_or_else(unusable)?;
        let integration = view.installed.integration.id;
        Ok((view, (integration, definition)))
    }

    /// What an integration is mapped to, as far as it is asked for.
    fn unified_capabilities(
        &self,
        caller: &Caller,
        integration: &str,
        filter: &CapabilityFilter,
    ) -> Vec<UnifiedCapability> {
        if !filter.unified {
            return Vec::new();
        }
        let is_wanted = |it: &MappedResource| filter.methods.resource.as_ref().is_none_or(|name| *name == it.resource);
        let mapped = self.engine.unified_models().mapped(caller, integration).into_iter().filter(is_wanted);
        let base_url = self.port.base_url();
        mapped
            .filter_map(|MappedResource { model, resource, description, mut methods, is_overridden }| {
                methods.retain(|method| filter.methods.names(method));
                let docs_url = format!("{base_url}/unified/meta/{model}/{integration}");
                let model_label = relink_domain::unified::label_of(&model);
                let env_overridden = is_overridden;
                let found =
                    UnifiedCapability { model, model_label, resource, description, docs_url, methods, env_overridden };
                (!found.methods.is_empty()).then_some(found)
            })
            .collect()
    }

    /// By its id or its name.
    async fn definition_of_integration(&self, caller: &Caller, text: &str) -> Result<Found, ApiError> {
        let entries = self.engine.catalog().list(caller).await?;
        let is_named =
            |entry: &CatalogEntry| entry.integration.name == text || entry.integration.id.to_string() == text;
        let entry = entries.into_iter().find(is_named).ok_or_else(|| IntegrationId::not_found(text))?;
        definition_in(entry).ok_or_else(unusable)
    }
}

fn definition_in(entry: CatalogEntry) -> Option<Found> {
    Some((entry.integration.id, entry.definition?))
}

fn unusable() -> ApiError {
    let message = "The integration's definition can't be used any more. Add it anew: relink integration add FILE.";
    ApiError::new(axum::http::StatusCode::CONFLICT, "integration_unusable", message)
}

fn method_filter(query: &Query) -> MethodFilter {
    MethodFilter {
        methods: query.words("methods"),
        tags: query.words("tags"),
        resource: query.one("resource").map(str::to_owned),
    }
}

fn capability_filter(query: &Query) -> Result<CapabilityFilter, ApiError> {
    let (proxy, unified) = match query.one("type") {
        None | Some("all") => (true, true),
        Some("proxy") => (true, false),
        Some("unified") => (false, true),
        Some(_) => return Err(invalid("type must be proxy, unified or all.")),
    };
    let has_description = match query.one("has_description") {
        None | Some("true") => true,
        Some("false") => false,
        Some(_) => return Err(invalid("has_description must be true or false.")),
    };
    let methods = MethodFilter { tags: Vec::new(), ..method_filter(query) };
    Ok(CapabilityFilter { methods, proxy, unified, has_description })
}

/// List an account's tools
///
/// One for each method of its integration that has a description. `name` and the schemas are for an agent; a call goes to `/proxy`.
#[utoipa::path(
    get,
    path = "/integrated-account/{id}/tools",
    operation_id = "list_tools_of_account",
    tag = "Calls",
    params(
        ("id" = AccountId, Path),
        ("methods" = Option<String>, Query, description = "Names of methods, or `read`, `write` and `custom`; several with commas."),
        ("tags" = Option<String>, Query, description = "Tags of resources or methods (`tool_tags`); several with commas."),
    ),
    responses((status = 200, description = "The tools", body = Tools), NotFound, Conflict),
)]
async fn tools_of_account(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    query: Query,
) -> ApiResult<Tools> {
    let (_, (_, definition)) = api.definition_of_account(&caller, id).await?;
    Ok(Json(Tools::of(&definition, &method_filter(&query))))
}

/// List an integration's tools
///
/// As those of an account.
#[utoipa::path(
    get,
    path = "/integration/{id}/tools",
    operation_id = "list_tools_of_integration",
    tag = "Calls",
    params(
        ("id" = String, Path, description = "The integration's id or name."),
        ("methods" = Option<String>, Query, description = "Names of methods, or `read`, `write` and `custom`; several with commas."),
        ("tags" = Option<String>, Query, description = "Tags of resources or methods (`tool_tags`); several with commas."),
    ),
    responses((status = 200, description = "The tools", body = Tools), NotFound, Conflict),
)]
async fn tools_of_integration(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(id): PathText,
    query: Query,
) -> ApiResult<Tools> {
    let (_, definition) = api.definition_of_integration(&caller, &id).await?;
    Ok(Json(Tools::of(&definition, &method_filter(&query))))
}

/// Describe what an account can do
#[utoipa::path(
    get,
    path = "/integrated-account/{id}/capabilities",
    operation_id = "get_capabilities_of_account",
    tag = "Calls",
    params(
        ("id" = AccountId, Path),
        ("type" = Option<String>, Query, description = "`proxy`, `unified` or `all` (the default)."),
        ("methods" = Option<String>, Query, description = "Names of methods, or `read`, `write` and `custom`; several with commas."),
        ("resource" = Option<String>, Query),
        ("has_description" = Option<bool>, Query, description = "`false`: also methods without a description."),
    ),
    responses((status = 200, description = "The capabilities", body = Capabilities), QueryErrors, NotFound, Conflict),
)]
async fn capabilities_of_account(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<AccountId>,
    query: Query,
) -> ApiResult<Capabilities> {
    let filter = capability_filter(&query)?;
    let (view, (integration, definition)) = api.definition_of_account(&caller, id).await?;
    let found = Capabilities::of(integration, &definition, api.engine.environment_id(), &filter);
    let unified = api.unified_capabilities(&caller, definition.name(), &filter);
    Ok(Json(found.with_unified(unified).of_account(&view.account)))
}

/// Describe what an integration can do
#[utoipa::path(
    get,
    path = "/integration/{id}/capabilities",
    operation_id = "get_capabilities_of_integration",
    tag = "Calls",
    params(
        ("id" = String, Path, description = "The integration's id or name."),
        ("type" = Option<String>, Query, description = "`proxy`, `unified` or `all` (the default)."),
        ("methods" = Option<String>, Query, description = "Names of methods, or `read`, `write` and `custom`; several with commas."),
        ("resource" = Option<String>, Query),
        ("has_description" = Option<bool>, Query, description = "`false`: also methods without a description."),
    ),
    responses((status = 200, description = "The capabilities", body = Capabilities), QueryErrors, NotFound, Conflict),
)]
async fn capabilities_of_integration(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathText(id): PathText,
    query: Query,
) -> ApiResult<Capabilities> {
    let filter = capability_filter(&query)?;
    let (integration, definition) = api.definition_of_integration(&caller, &id).await?;
    let unified = api.unified_capabilities(&caller, definition.name(), &filter);
    Ok(Json(Capabilities::of(integration, &definition, api.engine.environment_id(), &filter).with_unified(unified)))
}
