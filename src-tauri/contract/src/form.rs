//! `RapidForm`: what a person fills in after a sign-in (contract section 2.2).

use std::collections::BTreeMap;

use relink_domain::integration::actions;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ts_rs::TS;
use utoipa::{
    ToSchema,
    openapi::schema::{Object, SchemaType, Type},
};

use crate::{
    WireSecret,
    connect::{Requester, SessionAccount},
};

/// A form to fill in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FormSession {
    /// The integration's name.
    pub integration: String,
    pub integration_label: String,
    /// A data URL.
    #[schema(required)]
    pub logo: Option<String>,
    #[schema(required)]
    pub color: Option<String>,
    pub account: SessionAccount,
    pub tenant_id: String,
    /// Who asks, if it was opened with a link.
    #[schema(required)]
    pub requested_by: Option<Requester>,
    pub fields: Vec<FormField>,
    /// The values that the account has, by the fields' names.
    #[ts(type = "Record<string, unknown>")]
    #[schema(value_type = Object)]
    pub values: Map<String, Value>,
    /// The password fields that have a value, which isn't shown.
    pub kept: Vec<String>,
}

/// A field of a form.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FormField {
    pub name: String,
    pub label: String,
    pub r#type: FormFieldType,
    pub required: bool,
    #[schema(required)]
    pub help_text: Option<String>,
    #[schema(required)]
    pub placeholder: Option<String>,
    /// The fields without whose values this one is disabled.
    pub depends_on: Vec<String>,
    /// What is shown while it is disabled.
    #[schema(required)]
    pub disabled_text: Option<String>,
    /// The options that the form itself lists; null: they are requested.
    #[schema(required)]
    pub options: Option<Vec<FormOption>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FormFieldType {
    SingleSelect,
    MultiSelect,
    Text,
    Password,
    Checkbox,
    Hidden,
}

/// Something to choose.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FormOption {
    /// A text, a number or a flag.
    #[ts(type = "string | number | boolean")]
    #[schema(schema_with = scalar)]
    pub value: Value,
    pub label: String,
    #[schema(required)]
    pub sub_text: Option<String>,
}

fn scalar() -> Object {
    let types = [Type::String, Type::Number, Type::Boolean];
    Object::builder().schema_type(SchemaType::from_iter(types)).description(Some("A text, a number or a flag.")).build()
}

/// What a person has filled in so far.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FilledForm {
    /// By the fields' names.
    #[serde(default)]
    #[ts(type = "Record<string, unknown>")]
    #[schema(value_type = Object)]
    pub values: Map<String, Value>,
    /// Of password fields.
    #[serde(default)]
    #[ts(type = "Record<string, string>")]
    pub secrets: BTreeMap<String, WireSecret>,
    /// Merged into the context beside them (`truto_additional_context`).
    #[serde(default)]
    #[ts(type = "Record<string, unknown>")]
    #[schema(value_type = Object)]
    pub additional_context: Map<String, Value>,
}

/// Which field's options are requested.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct OptionsRequest {
    pub field: String,
    /// The values of the fields that it depends on.
    #[serde(default)]
    #[ts(type = "Record<string, unknown>")]
    #[schema(value_type = Object)]
    pub values: Map<String, Value>,
    #[serde(default)]
    #[ts(type = "Record<string, unknown>")]
    #[schema(value_type = Object)]
    pub additional_context: Map<String, Value>,
}

/// A field's options.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS, ToSchema)]
pub struct FormOptions {
    pub options: Vec<FormOption>,
}

/// What became of a form that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
#[serde(tag = "result", rename_all = "snake_case")]
pub enum SubmittedForm {
    /// It is stored.
    Submitted {
        /// The URL that the browser goes to next.
        #[schema(required)]
        redirect_uri: Option<String>,
    },
    /// Nothing was changed.
    Invalid { problems: Vec<FormProblem> },
}

/// A mistake in a form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, ToSchema)]
pub struct FormProblem {
    /// The field's name; null: it is about the whole form.
    #[schema(required)]
    pub field: Option<String>,
    pub message: String,
}

impl From<actions::FormProblem> for FormProblem {
    fn from(problem: actions::FormProblem) -> Self {
        Self { field: problem.field, message: problem.message }
    }
}

impl From<&actions::FormField> for FormField {
    fn from(field: &actions::FormField) -> Self {
        let option = |option: &actions::FixedOption| FormOption {
            value: option.value.clone(),
            label: option.label.clone(),
            sub_text: option.sub_text.clone(),
        };
        Self {
            name: field.name.clone(),
            label: field.label.clone(),
            r#type: field.kind.into(),
            required: field.required,
            help_text: field.help_text.clone(),
            placeholder: field.placeholder.clone(),
            depends_on: field.depends_on.clone(),
            disabled_text: field.disabled_text.clone(),
            options: match &field.options {
                actions::FormOptions::None => Some(vec![]),
                actions::FormOptions::Fixed(options) => Some(options.iter().map(option).collect()),
                actions::FormOptions::Fetched(_) => None,
            },
        }
    }
}

impl From<actions::FormFieldKind> for FormFieldType {
    fn from(kind: actions::FormFieldKind) -> Self {
        match kind {
            actions::FormFieldKind::SingleSelect => Self::SingleSelect,
            actions::FormFieldKind::MultiSelect => Self::MultiSelect,
            actions::FormFieldKind::Text => Self::Text,
            actions::FormFieldKind::Password => Self::Password,
            actions::FormFieldKind::Checkbox => Self::Checkbox,
            actions::FormFieldKind::Hidden => Self::Hidden,
        }
    }
}
