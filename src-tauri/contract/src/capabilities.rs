//! What an integration or an account can do (contract section 10.3).

use std::collections::BTreeMap;

use relink_domain::{
    AccountId, EnvironmentId, IntegrationId,
    account::{Account, AuthenticationMethod},
    integration::{Definition, Field, FieldKind, resources::Schema},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::tool::{MethodFilter, description, tool_name};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Capabilities {
    pub integration: DescribedIntegration,
    pub environment_id: EnvironmentId,
    pub proxy: Vec<ProxyResource>,
    pub unified: Vec<UnifiedCapability>,
    pub auth: AuthForms,
    pub ai_readiness: AiReadiness,
    /// Of an account's capabilities.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<DescribedAccount>,
}

/// A resource of an installed unified model that the integration is mapped to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct UnifiedCapability {
    pub model: String,
    pub model_label: String,
    pub resource: String,
    #[schema(required)]
    pub description: Option<String>,
    /// Where its methods are described, on this machine.
    pub docs_url: String,
    pub methods: Vec<String>,
    /// Whether the environment maps one of them in its own way.
    pub env_overridden: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DescribedIntegration {
    pub id: IntegrationId,
    pub name: String,
    pub label: String,
    pub category: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ProxyResource {
    pub resource: String,
    pub methods: Vec<ProxyMethod>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[expect(clippy::struct_excessive_bools, reason = "Truto's format")]
pub struct ProxyMethod {
    pub method: String,
    /// The name of its tool.
    pub name: String,
    #[schema(required)]
    pub description: Option<String>,
    pub has_description: bool,
    pub has_query_schema: bool,
    pub has_body_schema: bool,
    pub has_response_schema: bool,
    #[schema(required)]
    pub api_documentation_url: Option<String>,
}

/// How to sign in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthForms {
    pub formats: Vec<AuthenticationMethod>,
    /// Of all formats.
    pub fields: Vec<AuthField>,
    #[schema(required)]
    pub documentation_link: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuthField {
    pub name: String,
    pub label: String,
    /// `text`, `password` or `single_select`.
    pub r#type: String,
    pub required: bool,
}

/// How well agents can use it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AiReadiness {
    pub proxy_methods: usize,
    pub proxy_methods_with_descriptions: usize,
    /// The percentage of methods with a description.
    pub ai_ready_score: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DescribedAccount {
    pub id: AccountId,
    pub status: String,
    pub authentication_method: AuthenticationMethod,
    /// Always false: Relink blocks no account.
    pub is_blocked: bool,
}

/// What a caller wants to know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CapabilityFilter {
    pub methods: MethodFilter,
    /// Whether methods of the proxy API are wanted.
    pub proxy: bool,
    /// Whether unified resources are wanted.
    pub unified: bool,
    /// Whether only methods with a description are wanted.
    pub has_description: bool,
}

impl Capabilities {
    pub fn of(
        id: IntegrationId,
        definition: &Definition,
        environment_id: EnvironmentId,
        filter: &CapabilityFilter,
    ) -> Self {
        let is_read = |schema: &Option<Schema>| schema.as_ref().is_some_and(|schema| schema.object().is_some());
        let mut proxy: BTreeMap<&str, Vec<ProxyMethod>> = BTreeMap::new();
        let selected = if filter.proxy { filter.methods.select(definition) } else { Vec::new() };
        for (resource, name, method) in selected {
            let description = description(method).map(str::to_owned);
            if filter.has_description && description.is_none() {
                continue;
            }
            proxy.entry(resource).or_default().push(ProxyMethod {
                method: name.to_owned(),
                name: tool_name(definition.name(), resource, name),
                has_description: description.is_some(),
                description,
                has_query_schema: is_read(&method.docs.query_schema),
                has_body_schema: is_read(&method.docs.body_schema),
                has_response_schema: is_read(&method.docs.response_schema),
                api_documentation_url: method.docs.api_documentation_url.clone(),
            });
        }
        let all = MethodFilter::default().select(definition);
        let described = all.iter().filter(|(_, _, method)| description(method).is_some()).count();
        Self {
            integration: DescribedIntegration {
                id,
                name: definition.name().to_owned(),
                label: definition.label().to_owned(),
                category: definition.category().to_owned(),
            },
            environment_id,
            proxy: proxy
                .into_iter()
                .map(|(resource, methods)| ProxyResource { resource: resource.to_owned(), methods })
                .collect(),
            unified: Vec::new(),
            auth: AuthForms::of(definition),
            ai_readiness: AiReadiness {
                proxy_methods: all.len(),
                proxy_methods_with_descriptions: described,
                ai_ready_score: (described * 100).checked_div(all.len()).unwrap_or(0),
            },
            account: None,
        }
    }

    #[must_use]
    pub fn with_unified(self, unified: Vec<UnifiedCapability>) -> Self {
        Self { unified, ..self }
    }

    #[must_use]
    pub fn of_account(self, account: &Account) -> Self {
        let account = DescribedAccount {
            id: account.id(),
            status: account.status().as_str().to_owned(),
            authentication_method: account.method(),
            is_blocked: false,
        };
        Self { account: Some(account), ..self }
    }
}

impl AuthForms {
    fn of(definition: &Definition) -> Self {
        let formats = definition.methods();
        let fields: Vec<&Field> =
            formats.iter().filter_map(|format| definition.fields(*format)).flat_map(|fields| fields.iter()).collect();
        let field = |field: &&Field| AuthField {
            name: field.name.clone(),
            label: field.label.clone(),
            r#type: match &field.kind {
                FieldKind::Text => "text",
                FieldKind::Password => "password",
                FieldKind::SingleSelect => "single_select",
            }
            .to_owned(),
            required: field.required,
        };
        let link = formats.iter().find_map(|format| definition.documentation_link(*format));
        let link = link.or(definition.docs().url.as_ref());
        let fields = fields.iter().map(field).collect();
        Self { formats, fields, documentation_link: link.map(|url| url.as_str().to_owned()) }
    }
}
