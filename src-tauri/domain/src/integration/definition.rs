//! An integration's definition.

mod addresses;

use std::collections::BTreeSet;

use serde::{Serialize, Serializer};
use serde_json::{Map, Value};

use super::{
    actions::Actions,
    address::Address,
    answer::Kept,
    authorization::Authorization,
    config::{Config, Logo},
    credential_keys::is_always_credential,
    credentials::{ApiKey, ClientCredentials},
    error::{DefinitionError, Warning, quoted},
    fields::Fields,
    format::{FORMATS, PerFormat},
    header::HeaderTemplate,
    identity::{IdentityProbe, JsonPath},
    inbound::InboundWebhook,
    misplaced,
    node::Source,
    oauth2::OAuth2,
    params::Params,
    probe::Probe,
    read,
    relink::{Color, Docs, RefreshQuirks},
    resources::{Method, Resources, Verb},
    secrets::take_client_secrets,
    strictness::Strictness,
    web_url::WebUrl,
};
use crate::{IntegrationId, Secret, account::AuthenticationMethod, merge, origins::Origin};

/// An integration's definition. It holds no secret, and serializes as the document that it was decoded from, with
/// `"secret": ""`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Definition {
    id: Option<IntegrationId>,
    name: String,
    category: String,
    config: Config,
    document: Value,
}

/// A definition that has passed the strict check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parsed {
    pub definition: Definition,
    /// The client secrets that the document contained, for the keychain.
    pub client_secrets: PerFormat<Secret>,
    /// What Relink doesn't know or advises against.
    pub warnings: Vec<Warning>,
}

/// Parses and strictly checks a definition file.
pub fn parse(text: &str) -> Result<Parsed, DefinitionError> {
    let text = read::without_byte_order_mark(text);
    let document = read::document(text)?;
    Definition::decode(document, Provenance::File(text))
}

/// Who may install an integration (contract section 4.1). It is kept and shown, and has no effect: there is one environment.
pub(crate) const SHARING: [&str; 3] = ["deny", "ask", "allow"];

/// Strictly checks a definition that isn't a file, such as a row that a program writes. Its errors name no line.
pub fn check(document: &Value) -> Result<Parsed, DefinitionError> {
    // The limits of a file are those of every definition.
    Definition::decode(read::document(&document.to_string())?, Provenance::Document)
}

/// Where a document that is decoded comes from.
#[derive(Clone, Copy)]
enum Provenance<'a> {
    /// The text of a file.
    File(&'a str),
    /// A whole definition without a text.
    Document,
    /// A stored definition, with this override of its config merged over it.
    Override(&'a Map<String, Value>),
    Store,
}

impl Definition {
    /// Loads a stored definition, with an override of its config. Tolerant (see `strictness.rs`), and without a detour
    /// over text.
    pub fn load(document: &Value, r#override: &Map<String, Value>) -> Result<Self, DefinitionError> {
        let document = overridden(document, r#override);
        Self::decode(document, Provenance::Store).map(|parsed| parsed.definition)
    }

    /// Like [`Definition::load`], with rows of documentation that are kept apart from the document. The last one about something
    /// counts.
    pub fn load_documented(
        document: &Value,
        rows: Vec<Value>,
        r#override: &Map<String, Value>,
    ) -> Result<Self, DefinitionError> {
        let mut document = overridden(document, r#override);
        if let (Value::Object(document), false) = (&mut document, rows.is_empty()) {
            document.insert("documentation".to_owned(), rows.into());
        }
        Self::decode(document, Provenance::Store).map(|parsed| parsed.definition)
    }

    /// Strictly checks this definition with an override of its config, as it will be in force in an environment. Secrets
    /// are looked for in the override only: the definition was searched when it was written.
    pub fn with_override(&self, over: &Map<String, Value>) -> Result<Parsed, DefinitionError> {
        Self::decode(overridden(&self.document, over), Provenance::Override(over))
    }

    fn decode(mut document: Value, from: Provenance<'_>) -> Result<Parsed, DefinitionError> {
        let client_secrets = document.get_mut("config").map(take_client_secrets).unwrap_or_default();
        let allow_local = document.pointer("/config/relink/allow_local") == Some(&Value::Bool(true));
        let (text, strictness) = match from {
            Provenance::File(text) => (Some(text), Strictness::Written),
            Provenance::Document | Provenance::Override(_) => (None, Strictness::Written),
            Provenance::Store => (None, Strictness::Loaded),
        };
        let source = Source::new(text, allow_local, strictness);
        let root = source.root(&document).object()?;
        root.warn_unknown_keys(&[
            "id",
            "name",
            "label",
            "category",
            "is_beta",
            "config",
            "documentation",
            "audit_notes",
            "sharing",
            "can_install",
            "version",
            "team_id",
            "team",
            "installed_environment",
            "default_oauth_app_id",
            "created_at",
            "updated_at",
        ]);
        let id = root.describing("id", |node| node.parse(integration_id))?;
        let name = root.need("name", "\"github\"")?.parse(name)?;
        let category = root.text("category")?.unwrap_or_default();
        root.describing("is_beta", |node| node.boolean())?;
        root.describing("sharing", |node| node.one_of(&SHARING.map(|word| (word, ()))))?;
        let node = root.need("config", "{\"label\": \"GitHub\", ...}")?;
        let mut config = Config::decode(&node, root.filled("label").as_ref().ok_or(&name))?;
        match from {
            Provenance::File(_) | Provenance::Document => misplaced::refuse(&source.root(&document), None)?,
            Provenance::Override(over) => misplaced::refuse(&source.root(&document), Some(over))?,
            Provenance::Store => {}
        }
        let documentation = root.describing("documentation", |rows| rows.array())?.unwrap_or_default();
        config.decode_resources(&node, &documentation)?;
        let warnings = source.into_warnings();
        Ok(Parsed { definition: Self { id, name, category, config, document }, client_secrets, warnings })
    }

    /// This definition at another origin: every URL at the origin of its `base_url` moves. The Sandbox gets its port only
    /// when it starts.
    pub fn at(&self, origin: &Origin) -> Result<Self, DefinitionError> {
        let mut document = self.document.clone();
        if let (Some(config), Some(base_url)) = (document.get_mut("config"), &self.config.base_url) {
            merge::move_origin(config, base_url.unresolved_origin().as_str(), origin.as_str());
        }
        Self::decode(document, Provenance::Store).map(|parsed| parsed.definition)
    }

    /// The id that the document names.
    pub const fn id(&self) -> Option<IntegrationId> {
        self.id
    }

    /// The name in URLs and commands: `github`.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn category(&self) -> &str {
        &self.category
    }

    /// The name that people read: `GitHub`.
    pub fn label(&self) -> &str {
        &self.config.label
    }

    /// The whole `config`, without secrets.
    pub fn config(&self) -> &Value {
        &self.document["config"]
    }

    /// A section of the config as written: `resources`, `pagination`, `rate_limit`, `actions`, `error_expression`, `query`.
    pub fn section(&self, name: &str) -> Option<&Value> {
        self.config().get(name)
    }

    /// The URL below which calls are made. Without one, each method names its own.
    pub const fn base_url(&self) -> Option<&Address> {
        self.config.base_url.as_ref()
    }

    /// The origins that a call may send the credential of an account with this context to. Token requests go only to their
    /// endpoints.
    pub fn origins(&self, context: &Map<String, Value>) -> BTreeSet<Origin> {
        self.config.base_url.iter().map(|url| url.origin(context)).collect()
    }

    /// Origins that the provider has left: credentials bound to them may follow to the present ones. Relink honors it only
    /// in a built-in definition.
    pub fn moved_from(&self) -> &[Origin] {
        &self.config.own.moved_from
    }

    pub const fn logo(&self) -> Option<&Logo> {
        self.config.logo.as_ref()
    }

    pub const fn color(&self) -> Option<&Color> {
        self.config.own.color.as_ref()
    }

    /// The headers of every call.
    pub fn headers(&self) -> &[HeaderTemplate] {
        &self.config.headers
    }

    /// The parameters in the query of every call.
    pub const fn query(&self) -> &Params {
        &self.config.query
    }

    /// The ways to sign in, the preferred one first.
    pub fn methods(&self) -> Vec<AuthenticationMethod> {
        FORMATS.into_iter().filter(|format| self.config.credentials.has(*format)).collect()
    }

    pub const fn oauth2(&self) -> Option<&OAuth2> {
        self.config.credentials.oauth2.as_ref()
    }

    pub const fn api_key(&self) -> Option<&ApiKey> {
        self.config.credentials.api_key.as_ref()
    }

    pub const fn client_credentials(&self) -> Option<&ClientCredentials> {
        self.config.credentials.own_client.as_ref()
    }

    /// The form of a way to sign in, if it has one.
    pub fn fields(&self, method: AuthenticationMethod) -> Option<&Fields> {
        self.config.credentials.fields(method)
    }

    /// Where the person finds what the form of a method asks for.
    pub fn documentation_link(&self, method: AuthenticationMethod) -> Option<&WebUrl> {
        self.config.credentials.documentation_link(method)
    }

    /// Whether a key of an account's context names a credential. Such a key is only accepted from the form.
    pub fn is_credential(&self, key: &str) -> bool {
        is_always_credential(key)
            || self.methods().into_iter().filter_map(|method| self.fields(method)?.get(key)).any(|field| field.secret)
            || self.form_passwords().any(|name| name == key)
    }

    /// The password fields of its `RapidForm`. Their values are in the keychain, beside the credentials.
    pub fn form_passwords(&self) -> impl Iterator<Item = &str> {
        self.actions().form().into_iter().flat_map(|(form, _)| form.passwords())
    }

    /// How calls are authorized. Present for each of [`Definition::methods`].
    pub const fn authorization(&self, method: AuthenticationMethod) -> Option<&Authorization> {
        self.config.authorization.get(method)
    }

    /// What the provider sends to Relink, if anything.
    pub const fn inbound_webhook(&self) -> Option<&InboundWebhook> {
        self.config.inbound.as_ref()
    }

    /// What can be called by name.
    pub const fn resources(&self) -> &Resources {
        &self.config.resources
    }

    /// What runs in several steps.
    pub const fn actions(&self) -> &Actions {
        &self.config.actions
    }

    /// Compiles a method that a caller gives for one call (`methodConfig`), by the rules for those in a file.
    pub fn method_of_call(&self, method: &Value) -> Result<Method, DefinitionError> {
        let source = Source::new(None, self.allows_local(), Strictness::Written);
        self.config.method_of_call(&source.root(method))
    }

    /// A method without anything of its own, for a path that the caller names.
    pub fn method_at_path(&self, verb: Verb) -> Method {
        self.config.shared.method_at_path(verb)
    }

    /// The call that checks whether a credential works.
    pub const fn probe(&self) -> Option<&Probe> {
        self.config.calls.probe.as_ref()
    }

    /// How to find out who is signed in.
    pub const fn identity(&self) -> Option<&IdentityProbe> {
        self.config.calls.identity.as_ref()
    }

    /// What of the document with the identity is kept in the account's context.
    pub fn kept_from_identity(&self) -> &[Kept<JsonPath>] {
        &self.config.own.from_answers.keep_from_identity
    }

    /// How its refreshes differ from the standard.
    pub const fn refresh(&self) -> &RefreshQuirks {
        &self.config.own.refresh
    }

    /// How to register an OAuth client.
    pub const fn docs(&self) -> &Docs {
        &self.config.own.docs
    }

    /// What a scope allows.
    pub fn scope_description(&self, scope: &str) -> Option<&str> {
        self.config.own.scope_descriptions.get(scope).map(String::as_str)
    }

    /// Whether it is the built-in Sandbox.
    pub const fn is_sandbox(&self) -> bool {
        self.config.own.sandbox
    }

    /// Whether calls to this machine and its network are allowed.
    pub const fn allows_local(&self) -> bool {
        self.config.own.allow_local
    }
}

impl Serialize for Definition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}

fn overridden(document: &Value, over: &Map<String, Value>) -> Value {
    let mut document = document.clone();
    if let Some(Value::Object(config)) = document.get_mut("config") {
        merge::merge(config, over);
    }
    document
}

fn integration_id(text: &str) -> Result<IntegrationId, String> {
    let example = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";
    text.parse().map_err(|_| format!("{} is not a UUID, such as {example}; or leave the id out", quoted(text)))
}

/// The name is part of redirect URIs and commands.
fn name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if text.len() <= 64 && text.starts_with(|c: char| c.is_ascii_lowercase()) && text.chars().all(fits) {
        return Ok(text.to_owned());
    }
    Err(format!("{} is not a name; use lowercase letters, digits, _ and -, such as \"github\"", quoted(text)))
}
