//! The part of a scenario that says what an API answers: its records, its routes and its errors.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::{ScenarioError, check};

/// What an API has.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Resources {
    /// Errors by their name in this file.
    pub(crate) errors: BTreeMap<String, Answer>,
    #[serde(default)]
    pub(crate) collections: BTreeMap<String, Collection>,
    pub(crate) routes: Vec<Route>,
}

impl Resources {
    /// Reads a file that has nothing else, and checks that everything that it names is there.
    pub(crate) fn parse(text: &str) -> Result<Self, ScenarioError> {
        let resources = serde_json::from_str(text).map_err(|error| ScenarioError(error.to_string()))?;
        check::check_resources(&resources)?;
        Ok(resources)
    }
}

/// An answer. Every text is a template.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Answer {
    #[serde(default = "ok")]
    pub(crate) status: u16,
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// JSON. A text is sent as plain text, null as an empty body.
    #[serde(default)]
    pub(crate) body: Value,
}

/// Records that are made from a template, the same ones each time.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Collection {
    pub(crate) count: u64,
    /// `{{number}}` of the first one.
    #[serde(default = "one")]
    pub(crate) first: u64,
    /// The parts of the path that the records belong to.
    #[serde(default)]
    pub(crate) parents: Vec<String>,
    /// Where a record says what it belongs to, and the template of that value. One that is left out restricts nothing.
    #[serde(default)]
    pub(crate) within: BTreeMap<String, String>,
    pub(crate) record: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) method: String,
    /// `{name}` stands for one segment.
    pub(crate) path: String,
    /// Texts that values of the request must contain, in whatever case: `{"query.q": "from account"}`. A `{name}` in one stands for
    /// what follows up to white space or a slash, as in a path.
    #[serde(default)]
    pub(crate) when: BTreeMap<String, String>,
    /// Of these scopes the caller needs one.
    #[serde(default)]
    pub(crate) scopes: Vec<String>,
    /// The record that must exist above the ones that are asked for.
    pub(crate) parent: Option<Lookup>,
    /// Members that the body or the query must have, and the error without.
    #[serde(default)]
    pub(crate) needs: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) action: Action,
    /// With `{{item}}` or `{{items}}` and the page's values. `create` and `get` answer with the record if there is none.
    pub(crate) answer: Option<Answer>,
}

/// What a route does before it answers.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    #[default]
    Answer,
    List(List),
    Get(Lookup),
    Create(Create),
    Update(Update),
    Delete(Lookup),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    /// `None`: the cursor says which.
    pub(crate) collection: Option<String>,
    #[serde(default)]
    pub(crate) filters: Vec<Filter>,
    /// Where the request has conditions in the provider's query language.
    #[serde(default)]
    pub(crate) conditions: Vec<Conditions>,
    pub(crate) pages: Pages,
}

/// Leaves out the records whose value doesn't compare with the request's.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Filter {
    /// Where the request has the value: `query.state`.
    pub(crate) value: String,
    /// Where the record has it.
    pub(crate) path: String,
    /// For a request without one.
    pub(crate) default: Option<String>,
    /// The value that leaves nothing out.
    pub(crate) any: Option<String>,
    #[serde(default)]
    pub(crate) operator: Operator,
}

/// How a record's value compares with the one that is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Operator {
    #[default]
    Eq,
    #[serde(alias = "neq")]
    Ne,
    Gt,
    Gte,
    Lt,
    Lte,
    /// One of several.
    In,
}

/// Conditions of a request. Those whose name isn't known here leave nothing out.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Conditions {
    /// In a text: `status = "Done" AND updated >= "2026-01-01"`, or `state:open created:>2026-01-01`.
    Text(ConditionNames),
    /// In a list of objects.
    Objects {
        #[serde(flatten)]
        names: ConditionNames,
        /// The members that have the name, the operator, the value, and several values.
        members: [String; 4],
    },
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ConditionNames {
    /// Where the request has them: `query.jql`.
    pub(crate) at: String,
    /// Where a record has what a name stands for.
    pub(crate) names: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pages {
    pub(crate) kind: PageKind,
    /// Where the request has the page, offset or cursor: `query.page`.
    pub(crate) at: String,
    /// Where it has the number of records.
    pub(crate) limit: Option<String>,
    pub(crate) default_limit: usize,
    pub(crate) max_limit: usize,
    /// Adds `Link` (RFC 8288).
    #[serde(default)]
    pub(crate) link_header: bool,
    /// What of the request a cursor keeps for the pages behind it: `query.q`.
    pub(crate) remembers: Option<String>,
    /// The error for a cursor that the provider didn't issue.
    pub(crate) bad_cursor: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PageKind {
    /// The first page is 1.
    Page,
    Offset,
    Cursor,
}

/// A record, by values of the request.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lookup {
    pub(crate) collection: String,
    /// Where the record has a value, and the template of that value. `|` separates two places of which one has it.
    pub(crate) r#where: BTreeMap<String, String>,
    /// The error without a record.
    pub(crate) missing: String,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Create {
    pub(crate) collection: String,
    /// Where this request has what the collection's `parents` are, if it is elsewhere.
    #[serde(default)]
    pub(crate) parents: Vec<String>,
    /// What the new record has in place of the template's values.
    pub(crate) set: Value,
}

/// Changes a record.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Update {
    pub(crate) record: Lookup,
    /// What is merged into it.
    pub(crate) set: Value,
}

const fn ok() -> u16 {
    200
}

const fn one() -> u64 {
    1
}
