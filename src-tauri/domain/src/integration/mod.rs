//! What Relink knows of a provider: an integration's definition, in the shape of Truto's `Integration`.
//!
//! A definition comes from a file ([`parse`]), from the built-in [`catalog()`], or from another definition with an
//! override on it ([`Definition::with_override`]): each is checked strictly. What has passed is stored, and loaded
//! tolerantly ever after ([`Definition::load`]); `strictness.rs` says which rules count when. Past either door every
//! address, header name and template is good, and nothing has to be checked again.
//!
//! **Invariant:** a [`Definition`] holds no secret. The client's secret is taken out before anything else looks at the
//! document and is handed over apart, in [`Parsed`].
//!
//! **Invariant:** the document itself is kept whole. What Relink doesn't understand has no effect and isn't lost.

pub mod actions;
mod address;
mod answer;
mod authorization;
mod available;
mod catalog;
mod client_options;
mod config;
mod credential_keys;
mod credentials;
mod definition;
mod error;
mod fields;
mod format;
mod header;
mod identity;
mod inbound;
mod json_node;
mod known_keys;
mod misplaced;
pub(crate) mod node;
mod oauth2;
mod params;
mod pattern;
mod probe;
mod reach;
pub(crate) mod read;
mod relink;
pub mod resources;
mod secrets;
mod setup;
mod signing;
pub(crate) mod strictness;
mod url_template;
mod web_url;

#[cfg(test)]
mod tests;

pub(crate) use self::definition::SHARING;
pub use self::{
    address::{Address, AddressError},
    answer::{AnswerPaths, ExpiredWhen, Kept, Look},
    authorization::Authorization,
    catalog::{built_in, catalog},
    client_options::{BodyFormat, ClientAuth, ClientOptions, CredentialsEncoding},
    config::Logo,
    credential_keys::is_always_credential,
    credentials::{ApiKey, ClientCredentials},
    definition::{Definition, Parsed, check, parse},
    error::{DefinitionError, NOT_IN_RELINK, Position, Warning},
    fields::{Choice, Field, FieldFault, FieldKind, FieldProblem, FieldValues, Fields},
    format::{FORMATS, PerFormat},
    header::{Header, HeaderError, HeaderName, HeaderTemplate},
    identity::{IdentityProbe, IdentitySource, JsonPath},
    inbound::{ContextLookup, HmacAlgorithm, HmacCheck, InboundWebhook, JwtCheck, RequestText, SignatureCheck},
    json_node::{JsonKind, JsonNode},
    misplaced::{is_credential_name, redacted},
    oauth2::{MAX_CLIENT_ID_CHARS, OAuth2, Pkce, is_client_id},
    params::Params,
    pattern::Pattern,
    probe::{Probe, ProbeOutcome, ProbeResponse, SuccessCondition},
    reach::{Reach, is_loopback, reach},
    read::{parse_object, parse_override, position_of},
    relink::{ClientSecretNeed, Color, Docs, RedirectKind, RefreshQuirks},
    secrets::take_client_secrets,
    setup::{Missing, NotReady},
    signing::{SigningError, SigningExpression},
    strictness::CHECKER_VERSION,
    url_template::{PathTemplate, UrlTemplate, UrlTemplateError},
    web_url::{UrlPath, WebUrl, WebUrlError},
};
pub use crate::origins::Origin;
