//! The desktop window's protocol: its commands, their types, and the events that the window receives.
//!
//! **Invariant:** no type here can carry a secret *to* the window. [`Secret`](relink_domain::Secret) has no `Serialize`, and
//! secrets that are returned only once (an API token, a webhook's signing secret, a magic link) are copied to the clipboard or
//! opened in the browser by Rust, so they never pass through the page.

mod account;
mod call;
mod change;
mod commands;
mod definition;
mod error;
mod integration;
mod link;
mod mcp;
mod overview;
mod preferences;
mod sandbox;
mod secret_input;
mod sign_in;
mod sync;
mod timeline;
mod typescript;
mod unified;
mod webhook;

pub use crate::{
    account::{CheckOutcome, DeletedAccount, Revocation, Waiting},
    call::{AccountUsage, Call, CallBodies},
    connect::LinkPurpose,
    link::{IssuedLink, IssuedLinkStatus, LinkSettings, LinkSettingsState},
    token::ApiToken,
    webhook::DeliveryState,
};
pub use account::{Account, AccountContext, CheckResult, Health, Problem};
pub use call::{KnownCall, ResponseHeader, TriedCall, TryCall};
pub use change::{AccountChanges, CHANGED_EVENT, Change, Destination, SHOW_EVENT};
pub use definition::{DefinitionProblem, DefinitionView};
pub use error::ErrorView;
pub use integration::{AddedIntegration, Integration, NewIntegration, RedirectUri};
pub use link::{LinkFor, MagicLink, OpenIn};
pub use mcp::{McpServer, NewMcpServer};
pub use overview::{KeychainState, Overview};
pub use preferences::{Appearance, NoticeRecord, PreferenceUpdate, Preferences};
pub use relink_domain::{caller::TokenLevel, token_limits::TokenLimits};
pub use sandbox::{SandboxAction, SandboxSettings};
pub use secret_input::SecretInput;
pub use sign_in::SignInProgress;
pub use sync::{
    CronPreview, FieldProblem, StartedSyncRun, SyncAccount, SyncArg, SyncArgKind, SyncCounts, SyncDatastore,
    SyncDestination, SyncDraft, SyncEdge, SyncExample, SyncGraph, SyncInputs, SyncIntegration, SyncJobEntry,
    SyncJobView, SyncLive, SyncLog, SyncLogLine, SyncNode, SyncRunEntry, SyncRunView, SyncTrigger, SyncTriggerError,
    SyncWebhook,
};
pub use timeline::{Fact, TimelineEntry, TimelinePage};
pub use typescript::typescript;
pub use unified::{
    MappableIntegration, MappedMethod, MappingAccount, MappingKey, MappingLanguage, MappingProblem, MappingProblemAt,
    MappingRef, MappingView, RecordFault, SchemaField, TriedMapping, UnifiedModel, UnifiedResource,
};
pub use webhook::{Delivery, DeliveryDetails, EventType, NewWebhook, Webhook};
