//! Relink's additions to Truto's shape, all under `config.relink`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    address::{Address, OriginPattern},
    answer::{ExpiredWhen, FromAnswers},
    credentials::Credentials,
    error::{DefinitionError, quoted},
    header::{HeaderName, HeaderTemplate},
    identity::{IdentityProbe, IdentitySource, JsonPath},
    node::{Node, Object},
    oauth2,
    params::{self, AuthorizationParams},
    probe::Probe,
    web_url::WebUrl,
};
use crate::{origins::Origin, template::TextTemplate};

/// The section, except for its calls (see [`Calls`]).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Additions {
    pub(super) issuer: Option<String>,
    /// False for a provider with an issuer whose redirects have no `iss` (named after its metadata, RFC 9207 §3).
    pub(super) sends_iss: bool,
    pub(super) redirects: Vec<RedirectKind>,
    pub(super) scope_descriptions: BTreeMap<String, String>,
    pub(super) color: Option<Color>,
    pub(super) docs: Docs,
    pub(super) refresh: RefreshQuirks,
    pub(super) revocation: Option<Revocation>,
    /// Its name is `credentials.config.params` today.
    pub(super) authorize_params: AuthorizationParams,
    /// The redirect's parameter with the code, if it isn't `code`.
    pub(super) code_param: Option<String>,
    /// The authorization request's parameter with the scopes, if it isn't `scope`.
    pub(super) scope_param: Option<String>,
    pub(super) refresh_url: Option<Address>,
    /// Where addresses may lead that depend on an account's values.
    pub(super) origins: Vec<OriginPattern>,
    pub(super) from_answers: FromAnswers,
    pub(super) client_secret: ClientSecretNeed,
    pub(super) sandbox: bool,
    pub(super) allow_local: bool,
    pub(super) moved_from: Vec<Origin>,
}

/// How the browser returns to Relink.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RedirectKind {
    /// `app.relink.desktop:/oauth/callback/{integration}`
    DeepLink,
    /// `http://127.0.0.1:{port}/oauth/callback/{integration}`; for a page that was opened at the public address,
    /// `{public address}/oauth/callback/{integration}`.
    Loopback,
}

/// Whether the client has a secret.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ClientSecretNeed {
    Required,
    /// With a secret the client is confidential, without one it is public.
    #[default]
    Optional,
    /// The client is public.
    Never,
    /// The client has no secret, and the provider wants an empty one in its place.
    Empty,
}

impl ClientSecretNeed {
    /// Whether there is a secret to set and to keep.
    pub const fn is_stored(self) -> bool {
        matches!(self, Self::Required | Self::Optional)
    }
}

/// How to register an OAuth client at the provider.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Docs {
    pub url: Option<WebUrl>,
    /// What to do at the URL.
    pub text: Option<String>,
}

/// How a provider's refreshes differ from RFC 6749 §6.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RefreshQuirks {
    /// Error codes, in addition to the standard's, after which only signing in again helps.
    pub terminal_errors: Vec<String>,
    /// Error codes that mean the same as the standard's `invalid_client`.
    pub client_errors: Vec<String>,
    /// Where a response contains its error code, if not in one of the usual places.
    pub error_code_path: Option<JsonPath>,
    /// Answers to a call, apart from a 401, that mean that the access token has expired.
    pub expired_when: Vec<ExpiredWhen>,
    /// For a response without `expires_in`, in seconds.
    pub default_expires_in: Option<u32>,
    /// Whether a refresh request must name the scopes.
    pub scope_on_refresh: bool,
    /// Whether tokens are refreshed only before they expire, not also once a day.
    pub only_before_expiry: bool,
}

/// The revocation endpoint (RFC 7009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Revocation {
    /// A path at `tokenHost`.
    Path(String),
    Url(Address),
}

/// `#rrggbb`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Color(String);

impl Color {
    pub fn parse(text: &str) -> Result<Self, String> {
        let hex =
            text.strip_prefix('#').is_some_and(|hex| hex.len() == 6 && hex.chars().all(|c| c.is_ascii_hexdigit()));
        if hex {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!("{} is not a color, such as \"#24292f\"", quoted(text)))
        }
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

const CODE_PARAM: &str = "callback_code_param";
const SENDS_ISS: &str = "authorization_response_iss_parameter_supported";

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

impl Additions {
    /// Decodes the section except for its calls, which need the decoded credentials.
    pub(super) fn decode(object: &Object<'_>) -> Result<Self> {
        let needs = [
            ("required", ClientSecretNeed::Required),
            ("optional", ClientSecretNeed::Optional),
            ("never", ClientSecretNeed::Never),
            ("empty", ClientSecretNeed::Empty),
        ];
        let origins = object.map("origins", |node| node.array()?.iter().map(OriginPattern::decode).collect())?;
        let origins: Vec<_> = origins.unwrap_or_default();
        Ok(Self {
            issuer: object.map("issuer", |node| issuer(&node))?,
            sends_iss: object.map(SENDS_ISS, |node| node.boolean())?.unwrap_or(true),
            redirects: object.map("redirects", |node| RedirectKind::decode(&node))?.unwrap_or_default(),
            scope_descriptions: object.describing("scope_descriptions", |node| strings(&node))?.unwrap_or_default(),
            color: object.describing("color", |node| node.parse(Color::parse))?,
            docs: object.describing("docs", |node| Docs::decode(&node))?.unwrap_or_default(),
            refresh: object.describing("refresh", |node| RefreshQuirks::decode(&node))?.unwrap_or_default(),
            revocation: Revocation::decode(object, &origins)?,
            authorize_params: object
                .map("authorize_params", |node| params::of_authorization(&node))?
                .unwrap_or_default(),
            code_param: object.map(CODE_PARAM, |node| node.parse(oauth2::param_name))?,
            scope_param: object.map("scope_param", |node| node.parse(oauth2::param_name))?,
            refresh_url: object.map("refresh_url", |node| Address::decode(&node, &origins))?,
            from_answers: FromAnswers::decode(object)?,
            client_secret: object.map("client_secret", |node| node.one_of(&needs))?.unwrap_or_default(),
            sandbox: object.flag("sandbox")?,
            allow_local: object.flag("allow_local")?,
            moved_from: object.describing("moved_from", |node| bare_origins(&node))?.unwrap_or_default(),
            origins,
        })
    }
}

impl Additions {
    /// Whether a value of the context comes from the document with the identity.
    pub(super) fn keeps_from_identity(&self, name: &str) -> bool {
        self.from_answers.keep_from_identity.iter().any(|kept| kept.name == name)
    }
}

/// The calls that check a credential and find out who is signed in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Calls {
    pub(super) probe: Option<Probe>,
    pub(super) identity: Option<IdentityProbe>,
}

impl Calls {
    pub(super) fn urls(&self) -> impl Iterator<Item = &Address> {
        let identity = self.identity.as_ref().and_then(|identity| match &identity.source {
            IdentitySource::Call(url) => Some(url),
            IdentitySource::IdToken | IdentitySource::Probe => None,
        });
        self.probe.iter().map(|probe| &probe.url).chain(identity)
    }

    /// `template` parses the value of a header.
    pub(super) fn decode(
        object: &Object<'_>,
        base_url: Option<&Address>,
        credentials: &Credentials,
        template: &dyn Fn(&Node<'_>) -> Result<TextTemplate>,
    ) -> Result<Self> {
        let probe = object.map("probe", |node| Probe::decode(&node, below(base_url, &node)?, template))?;
        // A provider issues an ID token if this scope is requested (OpenID Connect Core §3.1.2.1).
        let has_id_token =
            credentials.oauth2.as_ref().is_some_and(|it| it.scopes.iter().any(|scope| scope == "openid"));
        let decode = |node: Node<'_>| IdentityProbe::decode(&node, base_url, probe.as_ref(), has_id_token);
        let identity = object.map("identity", decode)?;
        Ok(Self { probe, identity })
    }
}

/// The URL below which a call of this section is made.
fn below<'u>(base_url: Option<&'u Address>, node: &Node<'_>) -> Result<&'u Address> {
    base_url.ok_or_else(|| node.fail("is a path, but there is no \"base_url\" that it is below; add one to \"config\""))
}

impl IdentityProbe {
    fn decode(node: &Node<'_>, base_url: Option<&Address>, probe: Option<&Probe>, has_id_token: bool) -> Result<Self> {
        let object = node.object()?;
        let id = object.map("id", |node| node.parse(JsonPath::parse))?;
        let label = object.map("label", |node| labels(&node))?;
        if let Some(node) = object.filled("from") {
            node.one_of(&[("id_token", ())])?;
            if object.has("path") {
                object.fail_if_written("has both \"from\" and \"path\"; keep one")?;
            }
            let claim = |name: &str| JsonPath::parse(name).map_err(|error| node.fail(error));
            let usual = || ["email", "preferred_username", "name"].into_iter().map(claim).collect::<Result<Vec<_>>>();
            return Ok(Self {
                source: IdentitySource::IdToken,
                id: id.map_or_else(|| claim("sub"), Ok)?,
                label: label.map_or_else(usual, Ok)?,
            });
        }
        let node = object.need("path", "\"/user\", or \"from\": \"id_token\"")?;
        let url = below(base_url, &node)?.append(node.text()?, &node)?;
        // The identity is requested after a successful probe. Without a probe, only an ID token can contain it.
        if probe.is_none() && !has_id_token {
            let path = quoted(node.text()?);
            node.fail_if_written(format_args!(
                "is never requested, because there is no probe; add one to \"relink\", such as {{\"path\": {path}}}"
            ))?;
        }
        let is_probe = probe.is_some_and(|probe| probe.url == url);
        let id = id.map_or_else(|| object.need("id", "\"id\"")?.parse(JsonPath::parse), Ok)?;
        let source = if is_probe { IdentitySource::Probe } else { IdentitySource::Call(url) };
        Ok(Self { source, id, label: label.unwrap_or_default() })
    }
}

impl RedirectKind {
    /// Its name in a definition and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DeepLink => "deep_link",
            Self::Loopback => "loopback",
        }
    }

    fn decode(node: &Node<'_>) -> Result<Vec<Self>> {
        let words = [Self::DeepLink, Self::Loopback].map(|kind| (kind.as_str(), kind));
        let mut kinds = Vec::new();
        for node in node.array()? {
            match node.one_of(&words) {
                Err(error) if node.is_written() => return Err(error),
                Ok(kind) if !kinds.contains(&kind) => kinds.push(kind),
                // A duplicate, or one that a newer version knows.
                Err(_) | Ok(_) => {}
            }
        }
        if kinds.is_empty() {
            return Err(
                node.fail("allows no redirect; name \"deep_link\", \"loopback\" or both, the preferred one first")
            );
        }
        Ok(kinds)
    }
}

impl Docs {
    fn decode(node: &Node<'_>) -> Result<Self> {
        let object = node.object()?;
        Ok(Self { url: object.describing("url", |node| node.web_url())?, text: object.text("text")? })
    }
}

impl RefreshQuirks {
    fn decode(node: &Node<'_>) -> Result<Self> {
        let object = node.object()?;
        let codes = |key: &str| {
            let codes = object.describing(key, |node| {
                node.array()?.iter().map(|code| code.text().map(str::to_owned)).collect::<Result<_>>()
            })?;
            Ok::<_, DefinitionError>(codes.unwrap_or_default())
        };
        Ok(Self {
            terminal_errors: codes("terminal_errors")?,
            client_errors: codes("client_errors")?,
            expired_when: object
                .describing("expired_when", |node| node.array()?.iter().map(ExpiredWhen::decode).collect())?
                .unwrap_or_default(),
            error_code_path: object.describing("error_code_path", |node| node.parse(JsonPath::parse))?,
            default_expires_in: object.describing("default_expires_in", |node| node.seconds())?,
            scope_on_refresh: object.describing("scope_on_refresh", |node| node.boolean())?.unwrap_or(false),
            only_before_expiry: !object.describing("daily", |node| node.boolean())?.unwrap_or(true),
        })
    }
}

impl Revocation {
    fn decode(object: &Object<'_>, origins: &[OriginPattern]) -> Result<Option<Self>> {
        let path = object.map("revocation_path", |node| node.text().map(str::to_owned))?;
        let url = object.map("revocation_url", |node| Address::decode(&node, origins))?;
        match (path, url) {
            (Some(_), Some(_)) => Err(object.fail("has both \"revocation_path\" and \"revocation_url\"; keep one")),
            (Some(path), None) => Ok(Some(Self::Path(path))),
            (None, url) => Ok(url.map(Self::Url)),
        }
    }
}

/// One path or several, the preferred one first.
fn labels(node: &Node<'_>) -> Result<Vec<JsonPath>> {
    match node.text() {
        Ok(_) => Ok(vec![node.parse(JsonPath::parse)?]),
        Err(_) => node.array()?.iter().map(|node| node.parse(JsonPath::parse)).collect(),
    }
}

/// An issuer is compared as a string (RFC 9207 §2.4), so it stays as written.
fn issuer(node: &Node<'_>) -> Result<String> {
    let url = node.web_url()?;
    if url.has_query() {
        return Err(node.fail("an issuer has no query (RFC 8414 §2); remove everything from the ? on"));
    }
    node.text().map(str::to_owned)
}

fn bare_origins(node: &Node<'_>) -> Result<Vec<Origin>> {
    let origin = |node: &Node<'_>| match node.web_url()? {
        url if url.is_bare_origin() => Ok(url.origin()),
        _ => Err(node.fail("must end after the host, such as \"https://api.acme.example\"")),
    };
    node.array()?.iter().map(origin).collect()
}

fn strings(node: &Node<'_>) -> Result<BTreeMap<String, String>> {
    node.object()?.entries().map(|(key, node)| Ok((key.to_owned(), node.text()?.to_owned()))).collect()
}

/// The headers that are null: an outer section sets them, and this one takes them away.
pub(super) fn removed_headers(node: &Node<'_>) -> Result<Vec<HeaderName>> {
    let object = node.object()?;
    let removed = object.entries().filter(|(_, node)| node.json().is_null());
    removed.map(|(key, node)| HeaderName::parse(key).map_err(|error| node.fail(error))).collect()
}

pub(super) fn headers(
    node: &Node<'_>,
    template: &dyn Fn(&Node<'_>) -> Result<TextTemplate>,
) -> Result<Vec<HeaderTemplate>> {
    let mut headers: Vec<HeaderTemplate> = Vec::new();
    for (key, node) in node.object()?.entries() {
        let name = HeaderName::parse(key).map_err(|error| node.fail(error))?;
        // See `removed_headers`.
        if node.json().is_null() {
            continue;
        }
        if headers.iter().any(|header| header.name == name) {
            return Err(node.fail("this header is there twice, in upper and lower case; remove one"));
        }
        let value = template(&node)?;
        headers.push(HeaderTemplate { name, value });
    }
    Ok(headers)
}
