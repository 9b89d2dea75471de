//! The file of a scenario, which says how a provider behaves that the Sandbox plays (docs/twins.md).

mod built_in;
mod check;
pub(crate) mod template;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::grants::Rotation;

/// A provider, as the Sandbox plays it. The fields are those of the file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The name of the integration that it is a twin of.
    pub(crate) name: String,
    pub(crate) label: String,
    /// Where the provider documents what is played.
    pub(crate) sources: Vec<String>,
    /// What is played differently, or not at all.
    #[serde(default, rename = "differs")]
    _differs: Vec<String>,
    pub(crate) client: Client,
    /// Values of the people who can sign in, by their key: what the provider calls them.
    #[serde(default)]
    pub(crate) people: BTreeMap<String, Map<String, Value>>,
    pub(crate) oauth: OAuth,
    pub(crate) api: Api,
    /// Errors by their name in this file.
    pub(crate) errors: BTreeMap<String, Answer>,
    #[serde(default)]
    pub(crate) collections: BTreeMap<String, Collection>,
    pub(crate) routes: Vec<Route>,
}

/// A scenario that can't be played.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the scenario can't be played: {0}")]
pub struct ScenarioError(String);

/// The client that is registered at the provider.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// `None`: the client is public.
    pub(crate) secret: Option<String>,
    /// The ways to authenticate at the token endpoint.
    pub(crate) authentication: Vec<ClientAuthentication>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ClientAuthentication {
    Basic,
    Body,
    /// The id alone, in the body.
    None,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OAuth {
    pub(crate) authorize: Authorize,
    pub(crate) token: Token,
    pub(crate) revoke: Option<Revoke>,
    pub(crate) revocation: Revocation,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Authorize {
    pub(crate) path: String,
    /// Parameters that the request must have, with these values.
    #[serde(default)]
    pub(crate) requires: BTreeMap<String, String>,
    #[serde(default = "scope")]
    pub(crate) scope_param: String,
    #[serde(default = "space")]
    pub(crate) scope_separator: String,
    /// What the consent page says about each scope. Others are refused.
    #[serde(default)]
    pub(crate) scopes: BTreeMap<String, String>,
    pub(crate) pkce: Pkce,
    pub(crate) redirects: Vec<Redirects>,
    /// Whether the redirect has `iss` (RFC 9207).
    #[serde(default)]
    pub(crate) sends_iss: bool,
    #[serde(default)]
    pub(crate) refresh_token: RefreshTokenRule,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Pkce {
    Required,
    Optional,
    Ignored,
}

/// The redirect URIs that a client may register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Redirects {
    CustomScheme,
    /// `http://127.0.0.1` with any port.
    LoopbackAddress,
    /// `http://localhost` with any port.
    Localhost,
    Https,
}

/// When a sign-in gets a refresh token. Without any condition: always.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct RefreshTokenRule {
    pub(crate) never: bool,
    /// One of these scopes must be granted.
    pub(crate) with_scope: Vec<String>,
    /// The authorization request must have these parameters.
    pub(crate) with_params: BTreeMap<String, String>,
    /// And these ones as well if the person has consented before.
    pub(crate) again_with_params: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Token {
    pub(crate) path: String,
    /// How the request's body may be written.
    pub(crate) bodies: Vec<BodyFormat>,
    /// The lifetime of an access token, whether or not the answer tells it.
    pub(crate) lifetime_secs: i64,
    pub(crate) rotation: Rotation,
    #[serde(default)]
    pub(crate) grace_secs: i64,
    /// How long the access token before a refresh stays valid. `None`: as long as it would have.
    pub(crate) old_access_token_secs: Option<i64>,
    #[serde(default)]
    pub(crate) access_token_prefix: String,
    #[serde(default)]
    pub(crate) refresh_token_prefix: String,
    /// The body of a success.
    pub(crate) answer: Value,
    /// That of a refresh, if it differs.
    pub(crate) refresh_answer: Option<Value>,
    /// The answer is a form unless the request accepts JSON.
    #[serde(default)]
    pub(crate) form_unless_json_is_accepted: bool,
    /// The claims of the ID token, `{{id_token}}` in the answer.
    pub(crate) id_claims: Option<Value>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum BodyFormat {
    Form,
    Json,
}

/// An endpoint with which a client ends a sign-in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revoke {
    pub(crate) method: String,
    pub(crate) path: String,
    /// Where the token is: `body.token`, `query.token`, `path.token` or `bearer`.
    pub(crate) token: Vec<String>,
    /// The ways in which the client must authenticate, if it must.
    #[serde(default)]
    pub(crate) authentication: Vec<ClientAuthentication>,
    pub(crate) answer: Answer,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Revocation {
    /// How a person ends a sign-in at the provider.
    #[serde(rename = "by_the_person")]
    _by_the_person: String,
    /// What becomes of the access tokens.
    pub(crate) access_tokens: AccessTokens,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccessTokens {
    EndAtOnce,
    WorkUntilTheyExpire,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Api {
    /// The schemes before the token in `Authorization`.
    pub(crate) schemes: Vec<String>,
    /// Headers of every answer.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
    /// A POST request with a form counts as a GET request with this query.
    #[serde(default)]
    pub(crate) form_counts_as_query: bool,
    /// Headers that a call must have, and the error without.
    #[serde(default)]
    pub(crate) requires_headers: BTreeMap<String, String>,
    pub(crate) limit: Option<Limit>,
}

/// How many calls a sign-in may make.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Limit {
    pub(crate) calls: u64,
    pub(crate) window_secs: i64,
    /// Headers of every answer, with `{{limit.calls}}`, `{{limit.remaining}}`, `{{limit.used}}`, `{{limit.reset}}` and
    /// `{{limit.retry_after}}`.
    #[serde(default)]
    pub(crate) headers: BTreeMap<String, String>,
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
    pub(crate) record: Value,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Route {
    pub(crate) method: String,
    /// `{name}` stands for one segment.
    pub(crate) path: String,
    /// Texts that values of the request must contain, in whatever case: `{"query.q": "from account"}`.
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
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct List {
    /// `None`: the cursor says which.
    pub(crate) collection: Option<String>,
    #[serde(default)]
    pub(crate) filters: Vec<Filter>,
    pub(crate) pages: Pages,
}

/// Leaves out the records whose value differs from the request's.
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
    /// Where the record has a value, and the template of that value.
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

impl Scenario {
    /// Reads a scenario and checks that everything that it names is there.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let scenario: Self = serde_json::from_str(text).map_err(|error| ScenarioError(error.to_string()))?;
        check::check(&scenario)?;
        Ok(scenario)
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id and the secret of the registered client.
    pub fn client(&self) -> (&str, Option<&str>) {
        (&self.client.id, self.client.secret.as_deref())
    }
}

fn scope() -> String {
    "scope".to_owned()
}

fn space() -> String {
    " ".to_owned()
}

const fn ok() -> u16 {
    200
}

const fn one() -> u64 {
    1
}
