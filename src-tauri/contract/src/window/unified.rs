//! Unified models, as the window shows them and edits their mappings.

use relink_domain::AccountId;
use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A unified model with its resources and mappings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct UnifiedModel {
    /// Unique.
    pub name: String,
    pub label: String,
    pub category: Option<String>,
    pub description: Option<String>,
    pub built_in: bool,
    /// Only an installed one can be called.
    pub installed: bool,
    pub resources: Vec<UnifiedResource>,
    /// The integrations that may be mapped: those of the catalog, and any that is mapped already.
    pub integrations: Vec<MappableIntegration>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct UnifiedResource {
    pub name: String,
    pub description: Option<String>,
    /// What can be done with it, at integrations that are mapped.
    pub methods: Vec<String>,
    /// Of its schema, each before those in it.
    pub fields: Vec<SchemaField>,
    pub mappings: Vec<MappedMethod>,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct SchemaField {
    pub name: String,
    /// How many objects and lists it is in.
    pub depth: usize,
    /// `string`, `list of objects`.
    pub kind: String,
    pub is_required: bool,
    pub description: Option<String>,
    /// The values that it may have, if they are listed.
    pub values: Vec<String>,
}

/// A method that is mapped for an integration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MappedMethod {
    pub integration: String,
    pub method: String,
    /// Whether the model itself maps it.
    pub has_base: bool,
    /// Whether this environment has a mapping of it.
    pub is_overridden: bool,
    /// The names of the accounts that have a mapping of it.
    pub accounts: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MappableIntegration {
    pub name: String,
    pub label: String,
    /// In CSS syntax.
    pub color: Option<String>,
}

/// Which mapping.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MappingRef {
    pub model: String,
    pub resource: String,
    pub integration: String,
    pub method: String,
}

/// A mapping as it is edited: what is in force here, key by key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MappingView {
    pub integration_label: String,
    pub installed: bool,
    /// Whether the model that has the base is built in.
    pub built_in: bool,
    /// The keys of the base and of the environment over it.
    pub keys: Vec<MappingKey>,
    /// The keys of the base alone.
    pub base: Vec<MappingKey>,
    /// The version of the environment's mapping, if there is one.
    #[ts(type = "number | null")]
    pub override_version: Option<i64>,
    /// All keys that a mapping may have, in the order in which they take effect.
    pub known_keys: Vec<String>,
    /// The accounts of the integration.
    pub accounts: Vec<MappingAccount>,
    /// An input to begin with, as JSON.
    pub sample: String,
    pub documentation_link: Option<String>,
}

/// An account with which a mapping may be tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MappingAccount {
    pub id: AccountId,
    pub name: String,
    /// Whether it has a mapping of its own over this one.
    pub is_overridden: bool,
}

/// A key of a mapping, as it is written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
pub struct MappingKey {
    pub name: String,
    /// Nothing: the key is left out.
    pub text: String,
    pub language: MappingLanguage,
}

/// What the text of a key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MappingLanguage {
    /// The value itself: an expression, a name, or a link.
    Text,
    Json,
}

/// What became of a call with a mapping that isn't saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, TS)]
pub struct TriedMapping {
    /// What goes to the provider, as JSON.
    pub request: Option<String>,
    /// With an account: the input, with what the provider answered.
    pub sample: Option<String>,
    /// The answer to the caller, as JSON. An error's too.
    pub output: Option<String>,
    pub problem: Option<MappingProblem>,
    /// How records differ from the schema.
    pub faults: Vec<RecordFault>,
    /// The further calls for which the input has no answer.
    pub unanswered: Vec<String>,
}

/// What is wrong, and where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct MappingProblem {
    pub at: MappingProblemAt,
    /// The key, if it is in the mapping.
    pub key: Option<String>,
    /// The mapping, the key and the record: `ticketing/tickets list on GitHub, response_mapping, record 3`.
    pub place: String,
    /// In the key's text, or in the input. From 1.
    pub line: Option<usize>,
    /// In characters, from 1.
    pub column: Option<usize>,
    pub problem: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, TS)]
#[serde(rename_all = "snake_case")]
pub enum MappingProblemAt {
    /// In the mapping's text: it can't run.
    Mapping,
    /// In the text of the input.
    Sample,
    /// When it ran.
    Run,
}

/// How a record differs from its schema.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
pub struct RecordFault {
    /// From 1; `null` if there is but one.
    pub record: Option<usize>,
    /// `assignees[0].id`.
    pub path: String,
    pub problem: String,
}
