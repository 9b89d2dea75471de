//! Events, by Truto's names.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::provider_text;

macro_rules! events {
    ($($variant:ident = $name:literal, $description:literal;)+) => {
        /// The kind of an event that webhooks and subscribers receive.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        #[cfg_attr(feature = "schema", derive(ts_rs::TS))]
        pub enum EventKind {
            $(#[doc = $description] #[serde(rename = $name)] $variant,)+
        }

        impl EventKind {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name on the wire.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// When it is sent, as a sentence for people.
            pub const fn description(self) -> &'static str {
                match self { $(Self::$variant => $description,)+ }
            }
        }
    };
}

events! {
    AccountCreated = "integrated_account:created",
        "An account was created; the steps after its sign-in follow. Never sent for a reauthorization.";
    AccountUpdated = "integrated_account:updated", "An account was changed. Also the first event of a reauthorization.";
    AccountActive = "integrated_account:active", "An account is ready. Also the last event of a reauthorization.";
    AccountPostInstallError = "integrated_account:post_install_error", "A step after a sign-in failed.";
    AccountValidationError = "integrated_account:validation_error", "The validation after a sign-in failed.";
    AccountFormSubmitted = "integrated_account:post_connect_form_submitted", "A person submitted an account's form.";
    AccountAuthenticationError = "integrated_account:authentication_error",
        "An account needs to be reauthorized: a refresh was refused, or a call was answered with 401.";
    AccountReactivated = "integrated_account:reactivated",
        "An account that needed to be reauthorized works again without it.";
    AccountDeleted = "integrated_account:deleted", "An account was deleted.";
    LinkTokenConnectionError = "link_token:connection_error", "A sign-in failed at the provider.";
    EnvironmentIntegrationCreated = "environment_integration:created", "An integration was installed.";
    EnvironmentIntegrationUpdated = "environment_integration:updated", "An installed integration was changed.";
    EnvironmentIntegrationDeleted = "environment_integration:deleted", "An integration was uninstalled.";
    ApiTokenCreated = "api_token:created", "An API token was created.";
    ApiTokenDeleted = "api_token:deleted", "An API token was revoked.";
    SyncJobRunCreated = "sync_job_run:created", "A run of a sync job was made.";
    SyncJobRunUpdated = "sync_job_run:updated", "The status of a run changed.";
    SyncJobRunStarted = "sync_job_run:started", "A run began.";
    SyncJobRunRecord = "sync_job_run:record", "Records of a run, for its webhook destination alone.";
    SyncJobRunRecordError = "sync_job_run:record_error",
        "Records couldn't be fetched, transformed or delivered. The run goes on.";
    SyncJobRunRateLimited = "sync_job_run:rate_limited",
        "A provider limits the calls of a run, which continues automatically.";
    SyncJobRunCompleted = "sync_job_run:completed", "A run reached its end.";
    SyncJobRunFailed = "sync_job_run:failed", "An error ended a run.";
    SyncJobRunDeleted = "sync_job_run:deleted", "A run was deleted, which stops it.";
    Test = "test", "Somebody tests the webhook.";
}

/// Written by hand: the derive can't read names that come through a macro.
#[cfg(feature = "schema")]
impl utoipa::PartialSchema for EventKind {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        let names = Self::ALL.iter().map(|kind| kind.as_str());
        let described: Vec<_> =
            Self::ALL.iter().map(|kind| format!("- `{}`: {}", kind.as_str(), kind.description())).collect();
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .enum_values(Some(names))
            .description(Some(described.join("\n")))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for EventKind {}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not an event. The events are listed in docs/api.md under Webhooks, and by: relink webhook events")]
pub struct UnknownEvent(pub String);

impl FromStr for EventKind {
    type Err = UnknownEvent;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| unknown(text))
    }
}

/// How events begin that a provider sent, or that a sync of its records will send.
const RECORD: &str = "record:";

/// The name of an event that a provider sent: `record:` and the type that the definition gives it (contract section 4.7).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RecordEvent(String);

impl RecordEvent {
    pub fn of(event_type: &str) -> Result<Self, UnknownEvent> {
        format!("{RECORD}{event_type}").parse()
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RecordEvent {
    type Err = UnknownEvent;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        if is_of(RECORD, name) { Ok(Self(name.to_owned())) } else { Err(unknown(name)) }
    }
}

/// The name of an event that was sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventName {
    Kind(EventKind),
    Record(RecordEvent),
}

impl EventName {
    pub fn as_str(&self) -> &str {
        match self {
            Self::Kind(kind) => kind.as_str(),
            Self::Record(record) => record.as_str(),
        }
    }
}

impl FromStr for EventName {
    type Err = UnknownEvent;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        name.parse().map(Self::Kind).or_else(|_| name.parse().map(Self::Record))
    }
}

impl TryFrom<String> for EventName {
    type Error = UnknownEvent;

    fn try_from(name: String) -> Result<Self, Self::Error> {
        name.parse()
    }
}

impl From<EventName> for String {
    fn from(name: EventName) -> Self {
        name.as_str().to_owned()
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for EventName {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("The name of an event: `integrated_account:active`, or `record:` and a type."))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for EventName {}

/// Whether this is the name of an event of a family.
fn is_of(family: &str, name: &str) -> bool {
    name.len() > family.len() && name.starts_with(family) && name.len() <= MAX_PATTERN && is_plain(name)
}

fn unknown(name: &str) -> UnknownEvent {
    UnknownEvent(provider_text::single_line(name, MAX_PATTERN))
}
/// The maximum length of a pattern, in bytes.
const MAX_PATTERN: usize = 100;

/// Which events a webhook receives: one kind, or with `*` at its end all whose names begin alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum EventPattern {
    Kind(EventKind),
    /// The name of another event.
    Other(String),
    /// The name up to the `*`.
    Prefix(String),
}

/// Whether a text consists of the characters of events' names.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b':' | b'-'))
}

impl EventPattern {
    /// Whether it selects events of this name.
    pub fn matches(&self, name: &str) -> bool {
        match self {
            Self::Kind(own) => own.as_str() == name,
            Self::Other(own) => own == name,
            Self::Prefix(prefix) => name.starts_with(prefix.as_str()),
        }
    }
}

impl FromStr for EventPattern {
    type Err = UnknownEvent;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(prefix) = text.strip_suffix('*') else {
            let is_other = is_of(RECORD, text);
            return if is_other { Ok(Self::Other(text.to_owned())) } else { text.parse().map(Self::Kind) };
        };
        let begins_one = EventKind::ALL.iter().any(|kind| kind.as_str().starts_with(prefix))
            || RECORD.starts_with(prefix)
            || prefix.starts_with(RECORD);
        if begins_one && is_plain(prefix) && text.len() <= MAX_PATTERN {
            Ok(Self::Prefix(prefix.to_owned()))
        } else {
            Err(unknown(text))
        }
    }
}

impl TryFrom<String> for EventPattern {
    type Error = UnknownEvent;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<EventPattern> for String {
    fn from(pattern: EventPattern) -> Self {
        pattern.to_string()
    }
}

impl fmt::Display for EventPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kind(kind) => kind.fmt(f),
            Self::Other(name) => f.write_str(name),
            Self::Prefix(prefix) => write!(f, "{prefix}*"),
        }
    }
}

#[cfg(feature = "schema")]
impl utoipa::PartialSchema for EventPattern {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some("The name of an event, or the beginning of several with `*`: `integrated_account:*`."))
            .into()
    }
}

#[cfg(feature = "schema")]
impl utoipa::ToSchema for EventPattern {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_event_is_parsed_from_its_name() {
        for kind in EventKind::ALL {
            assert_eq!(kind.to_string().parse(), Ok(*kind));
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
        }
        for (pattern, matched) in [
            ("integrated_account:*", true),
            ("integrated_account:act*", true),
            ("integrated_account:active", true),
            ("*", true),
            ("record:*", false),
            ("record:created*", false),
            ("sync_job_run:*", false),
            ("sync_job_run:completed", false),
            ("record:created", false),
            ("integrated_account:post_connect_form_submitted", false),
            ("api_token:*", false),
            ("integrated_account:created", false),
        ] {
            let parsed: EventPattern = pattern.parse().expect(pattern);
            assert_eq!(
                (parsed.matches("integrated_account:active"), parsed.to_string()),
                (matched, pattern.to_owned())
            );
            assert_eq!(serde_json::to_value(&parsed).expect("JSON"), pattern);
        }
        for unknown in [
            "",
            "acount:*",
            "integrated_account*:x",
            "integrated_account:**",
            "*:created",
            "record:\0*",
            "record:A*",
            "record:",
            "record:A",
            "sync_job_run",
            "sync_job_run:new",
            &format!("record:{}*", "x".repeat(100)),
            "integrated_account:activex*",
        ] {
            unknown.parse::<EventPattern>().expect_err(unknown);
        }
        assert_eq!("account:created".parse::<EventKind>(), Err(UnknownEvent("account:created".into())));
    }

    #[test]
    fn the_documentation_describes_every_event() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/api.md");
        let document = std::fs::read_to_string(file).expect("docs/api.md is there");
        for kind in EventKind::ALL {
            let row = format!("| `{kind}` | {} |", kind.description());
            assert!(document.contains(&row), "docs/api.md has no row: {row}");
        }
    }

    #[test]
    fn a_records_event_has_its_type_in_its_name() {
        let record = RecordEvent::of("tickets:created-1").expect("a type");
        assert_eq!(record.as_str(), "record:tickets:created-1");
        let pattern = |text: &str| text.parse::<EventPattern>().expect(text).matches(record.as_str());
        assert!(pattern("record:*") && pattern("record:tickets:created-1") && pattern("*"));
        assert!(!pattern("record:tickets:created") && !pattern("test"));
        for name in ["test", "record:created"] {
            let parsed: EventName = name.parse().expect(name);
            assert_eq!(serde_json::to_value(parsed).expect("JSON"), name);
        }
        for bad in ["", "A", "a b", "a\n", "é", &"x".repeat(100)] {
            RecordEvent::of(bad).expect_err(bad);
        }
        for bad in ["record:", "nothing", "sync_job_run:new"] {
            bad.parse::<EventName>().expect_err(bad);
        }
    }
}
