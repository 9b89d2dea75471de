//! The file of a scenario, which says how a provider behaves that the Sandbox plays (docs/twins.md).

mod built_in;
mod check;
mod resources;
pub(crate) mod template;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Map, Value};

pub(crate) use resources::{
    Action, Answer, Collection, Conditions, Create, List, Lookup, Operator, PageKind, Pages, Resources, Route, Update,
};

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
    /// `errors`, `collections` and `routes`, which stand beside the others in the file.
    #[serde(skip)]
    pub(crate) resources: Resources,
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

impl Scenario {
    /// Reads a scenario and checks that everything that it names is there.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        let malformed = |error: serde_json::Error| ScenarioError(error.to_string());
        let mut members: Map<String, Value> = serde_json::from_str(text).map_err(malformed)?;
        let resources = ["errors", "collections", "routes"].into_iter().filter_map(|key| members.remove_entry(key));
        let resources = Value::Object(resources.collect());
        let mut scenario: Self = serde_json::from_value(Value::Object(members)).map_err(malformed)?;
        scenario.resources = serde_json::from_value(resources).map_err(malformed)?;
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
