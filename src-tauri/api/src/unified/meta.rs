//! What a unified method takes and gives (contract section 8.2, "Meta").

use axum::{
    Json,
    http::StatusCode,
    response::{IntoResponse, Response},
};
use relink_calls::Parameters;
use relink_domain::{
    caller::Caller,
    permission::Permission,
    unified::{META, UnifiedMethod},
};
use relink_engine::{Error, MergedMapping};
use serde_json::{Map, Value, json};
use url::form_urlencoded;

use super::call::shown;
use crate::{
    ApiState,
    error::ApiError,
    method_calls::{Call, account_of, sent_uri},
};

/// What is to be described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asked<'a> {
    /// A method, for the account.
    OfAccount(UnifiedMethod<'a>),
    /// A method, for an integration.
    OfIntegration(UnifiedMethod<'a>, &'a str),
    /// All methods of a model, for an integration.
    Whole { model: &'a str, integration: &'a str },
}

impl<'a> Asked<'a> {
    /// `None`: what follows the resource is a record's id.
    pub(super) fn read(model: &'a str, resource: &'a str, rest: &'a str) -> Option<Self> {
        if model == META {
            return Some(Self::Whole { model: resource, integration: rest });
        }
        let of = |method| UnifiedMethod { model, resource, method };
        match rest.split('/').collect::<Vec<_>>()[..] {
            [META, method] => Some(Self::OfAccount(of(method))),
            [integration, META, method] => Some(Self::OfIntegration(of(method), integration)),
            _ => None,
        }
    }
}

pub(super) async fn describe(api: &ApiState, call: Call, asked: Asked<'_>) -> Response {
    let query = sent_uri(&call.request).query().unwrap_or_default().to_owned();
    match described(api, &call.caller, &query, asked).await {
        Ok(found) => Json(found).into_response(),
        Err(error) => error.into_response(),
    }
}

async fn described(api: &ApiState, caller: &Caller, query: &str, asked: Asked<'_>) -> Result<Value, ApiError> {
    let models = api.engine.unified_models();
    match asked {
        Asked::OfAccount(of) => {
            let account = account_of(caller, &Parameters::read(query))?;
            let account = api.engine.accounts().get(caller, account).await?.account;
            let over = &account.profile.settings.unified_model_override;
            Ok(method(of.method, &models.merged_mapping(caller, &account.profile.integration, Some(over), of)?))
        }
        Asked::OfIntegration(of, integration) => {
            // It is about no account, so it is like reading the catalog.
            if caller.own_account().is_some() {
                caller.require(Permission::ReadIntegrations).map_err(Error::from)?;
            }
            Ok(method(of.method, &models.merged_mapping(caller, integration, None, of)?))
        }
        Asked::Whole { model, integration } => {
            if caller.own_account().is_some() {
                caller.require(Permission::ReadIntegrations).map_err(Error::from)?;
            }
            require_json(query)?;
            whole(api, caller, model, integration)
        }
    }
}

/// `format=json`, the default. The others are pages of Truto's.
fn require_json(query: &str) -> Result<(), ApiError> {
    let format = form_urlencoded::parse(query.as_bytes()).find(|(name, value)| name == "format" && !value.is_empty());
    match format.as_ref().map(|(_, value)| &**value) {
        None | Some("json" | "None") => Ok(()),
        Some("md" | "html") => {
            let message = "Relink describes methods as JSON only. Leave out format, or use format=json.";
            Err(ApiError::new(StatusCode::NOT_IMPLEMENTED, "not_in_relink", message))
        }
        Some(_) => Err(ApiError::bad_request("format_unknown", "format must be json.")),
    }
}

fn whole(api: &ApiState, caller: &Caller, model: &str, integration: &str) -> Result<Value, ApiError> {
    let models = api.engine.unified_models();
    let mapped = models.mapped(caller, integration).into_iter().filter(|it| it.model == model);
    let mut resources = Map::new();
    for resource in mapped {
        let mut methods = Map::new();
        for name in &resource.methods {
            let of = UnifiedMethod { model, resource: &resource.resource, method: name };
            // One that can't be used any more describes nothing.
            if let Ok(mapping) = models.merged_mapping(caller, integration, None, of) {
                methods.insert(name.clone(), method(name, &mapping));
            }
        }
        resources.insert(resource.resource, json!({"description": resource.description, "methods": methods}));
    }
    if resources.is_empty() {
        let message = format!("The unified model {model} isn't mapped for {integration}, or isn't installed.");
        return Err(ApiError::not_found(&message));
    }
    Ok(json!({"unified_model": model, "integration": integration, "resources": resources}))
}

fn method(name: &str, merged: &MergedMapping) -> Value {
    let MergedMapping { mapping, schema, .. } = merged;
    let properties = schema.as_ref().and_then(|schema| schema.get("properties")).cloned().unwrap_or_default();
    json!({
        "method": name,
        "schema": shown(schema.as_ref()),
        "documentation_link": mapping.documentation_link,
        "response_mapping": mapping.response_mapping.as_ref().map(relink_domain::unified::Expression::to_json),
        "query_schema": shown(mapping.query_schema.as_ref()),
        "request_body_schema": shown(mapping.request_body_schema.as_ref()),
        "response_schema": properties,
        "default_query": mapping.query,
        "default_body": mapping.body,
        "file_upload": mapping.file_upload,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_meta_in_its_place_wins_over_an_id() {
        let of = |method| UnifiedMethod { model: "crm", resource: "contacts", method };
        let read = |rest| Asked::read("crm", "contacts", rest);
        assert_eq!(read("meta/list"), Some(Asked::OfAccount(of("list"))));
        assert_eq!(read("hubspot/meta/list"), Some(Asked::OfIntegration(of("list"), "hubspot")));
        for id in ["7", "meta", "meta/", "a/meta", "a/b/meta/list"] {
            let expected = (id == "meta/").then(|| Asked::OfAccount(of("")));
            assert_eq!(read(id), expected, "{id}");
        }
        let whole = Asked::Whole { model: "crm", integration: "hubspot" };
        assert_eq!(Asked::read("meta", "crm", "hubspot"), Some(whole));
    }
}
