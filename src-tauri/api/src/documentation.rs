//! Documentation of integrations and their methods (contract section 4.1). Tools and capabilities have it from the definitions, into
//! which the engine reads it.

use axum::{Extension, Json, extract::State};
use relink_contract::{
    Deleted, List,
    documentation::{Documentation, DocumentationTexts, NewDocumentation},
};
use relink_domain::{DocumentationId, caller::Caller, permission::Permission};
use relink_engine::{EntityType, Error};
use serde_json::{Map, Value};
use utoipa_axum::routes;

use crate::{
    ApiState,
    body::Body,
    error::{ApiError, ApiResult},
    listing::{self, Field, Place},
    openapi::{BodyErrors, NotFound, QueryErrors, Routes},
    path::PathId,
    query::Query,
};

/// The parameters that say whose rows a list has, and whether Relink has such objects.
const ENTITIES: [(&str, Option<EntityType>); 4] = [
    ("integration_id", Some(EntityType::Integration)),
    ("environment_integration_id", Some(EntityType::EnvironmentIntegration)),
    ("unified_model_id", None),
    ("environment_unified_model_id", None),
];

pub(crate) fn routes() -> Routes {
    Routes::new()
        .with(Permission::ReadIntegrations, routes!(list))
        .with(Permission::ReadIntegrations, routes!(show))
        .with(Permission::ManageIntegrations, routes!(create))
        .with(Permission::ManageIntegrations, routes!(change, delete))
}

fn documentation(row: relink_engine::Documentation) -> Documentation {
    let text = |key: &str| row.document.get(key).and_then(Value::as_str).map(str::to_owned);
    Documentation {
        id: row.id,
        entity_type: row.entity_type.as_str().to_owned(),
        r#type: text("type").unwrap_or_default(),
        content: text("content").unwrap_or_default(),
        resource: text("resource"),
        method: text("method"),
        integration_name: text("integration_name"),
        authentication_method: text("authentication_method"),
        entity_id: row.entity_id,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn document(texts: &DocumentationTexts) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(texts) {
        Ok(Value::Object(document)) => Ok(document),
        _ => Err(ApiError::bad_request("body_invalid", "The body couldn't be read.")),
    }
}

/// List documentation
///
/// Of one integration or of one as installed: exactly one of the ids is needed. There is none of unified models: their rows have descriptions of their own.
#[utoipa::path(
    get,
    path = "/documentation",
    operation_id = "list_documentation",
    tag = "Integrations",
    params(
        ("integration_id" = Option<String>, Query),
        ("environment_integration_id" = Option<String>, Query),
        ("unified_model_id" = Option<String>, Query),
        ("environment_unified_model_id" = Option<String>, Query),
        ("type" = Option<String>, Query),
        ("resource" = Option<String>, Query),
        ("method" = Option<String>, Query),
        ("sort" = Option<String>, Query, description = "`-created_at` (newest first, the default), `created_at`, `-updated_at` or `updated_at`."),
        ("limit" = Option<usize>, Query, minimum = 1, description = "The page size: at most 5000, the default."),
        ("next_cursor" = Option<String>, Query, description = "The `next_cursor` of the previous page; empty for the first page."),
    ),
    responses((status = 200, description = "A page of the documentation", body = List<Documentation>), QueryErrors),
)]
async fn list(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    query: Query,
) -> ApiResult<List<Documentation>> {
    let given = ENTITIES.into_iter().map(|(name, entity_type)| (query.words(name), entity_type));
    let given: Vec<_> = given.filter(|(ids, _)| !ids.is_empty()).collect();
    if given.is_empty() {
        let names = ENTITIES.map(|(name, _)| name).join(", ");
        let message = format!("Say whose documentation to list, with one of {names}.");
        return Err(Error::invalid_field("entity_missing", "integration_id", message).into());
    }
    let mut all = Vec::new();
    for (ids, entity_type) in given {
        let Some(entity_type) = entity_type else { continue };
        let rows = api.engine.catalog().documentation(&caller, ids).await?;
        all.extend(rows.into_iter().filter(|row| row.entity_type == entity_type).map(documentation));
    }
    let fields: [(_, Field<Documentation>); 4] = [
        ("entity_type", Field::Text(|it| it.entity_type.clone())),
        ("type", Field::Text(|it| it.r#type.clone())),
        ("resource", Field::OptionalText(|it| it.resource.clone())),
        ("method", Field::OptionalText(|it| it.method.clone())),
    ];
    let place =
        |it: &Documentation| Place { created_at: it.created_at, updated_at: it.updated_at, id: it.id.to_string() };
    Ok(Json(listing::list(&query, all, &fields, place)?))
}

/// Show a row of documentation
#[utoipa::path(
    get,
    path = "/documentation/{id}",
    operation_id = "get_documentation",
    tag = "Integrations",
    params(("id" = DocumentationId, Path)),
    responses((status = 200, description = "The row", body = Documentation), NotFound),
)]
async fn show(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<DocumentationId>,
) -> ApiResult<Documentation> {
    Ok(Json(documentation(api.engine.catalog().documentation_row(&caller, id).await?)))
}

/// Document an integration or a method
///
/// Tools and capabilities have it from then on. The content of a schema must be YAML of a JSON schema.
#[utoipa::path(
    post,
    path = "/documentation",
    operation_id = "create_documentation",
    tag = "Integrations",
    request_body = NewDocumentation,
    responses((status = 200, description = "The row", body = Documentation), BodyErrors),
)]
async fn create(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewDocumentation>,
) -> ApiResult<Documentation> {
    let Some(entity_type) = EntityType::named(&new.entity_type) else {
        let message = "entity_type must be integration or environment_integration. Unified models have descriptions of their own.";
        return Err(Error::invalid_field("entity_type_unknown", "entity_type", message).into());
    };
    let new =
        relink_engine::NewDocumentation { entity_type, entity_id: new.entity_id, document: document(&new.texts)? };
    Ok(Json(documentation(api.engine.catalog().add_documentation(&caller, new).await?)))
}

/// Change a row of documentation
#[utoipa::path(
    patch,
    path = "/documentation/{id}",
    operation_id = "update_documentation",
    tag = "Integrations",
    params(("id" = DocumentationId, Path)),
    request_body = DocumentationTexts,
    responses((status = 200, description = "The row", body = Documentation), BodyErrors, NotFound),
)]
async fn change(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<DocumentationId>,
    Body(texts): Body<DocumentationTexts>,
) -> ApiResult<Documentation> {
    let change = document(&texts)?;
    Ok(Json(documentation(api.engine.catalog().change_documentation(&caller, id, change).await?)))
}

/// Delete a row of documentation
#[utoipa::path(
    delete,
    path = "/documentation/{id}",
    operation_id = "delete_documentation",
    tag = "Integrations",
    params(("id" = DocumentationId, Path)),
    responses((status = 200, description = "The row was deleted", body = Deleted), NotFound),
)]
async fn delete(
    State(api): State<ApiState>,
    Extension(caller): Extension<Caller>,
    PathId(id): PathId<DocumentationId>,
) -> ApiResult<Deleted> {
    api.engine.catalog().delete_documentation(&caller, id).await?;
    Ok(Json(Deleted { id: id.to_string() }))
}
