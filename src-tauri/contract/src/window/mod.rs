//! The desktop window's protocol: its commands, the types that they carry, and the events that the window receives.
//!
//! **Invariant:** nothing here can carry a secret *to* the window. [`Secret`](relink_domain::Secret) has no `Serialize`, and
//! what a person is given only once (an API token, a webhook's signing secret, a magic link) is copied to the clipboard or
//! opened in the browser by Rust, so it never passes through the page.

mod account;
mod change;
mod commands;
mod error;
mod integration;
mod link;
mod overview;
mod preferences;
mod sandbox;
mod secret_input;
mod timeline;
mod typescript;
mod webhook;

pub use crate::{account::CheckOutcome, token::ApiToken, webhook::DeliveryState};
pub use account::{Account, AccountContext, CheckResult, Health, Problem};
pub use change::{AccountChanges, CHANGED_EVENT, Change, Destination, SHOW_EVENT};
pub use error::ErrorView;
pub use integration::{AddedIntegration, Integration, NewIntegration, RedirectUri};
pub use link::{LinkPurpose, MagicLink, OpenIn};
pub use overview::{KeychainState, Overview};
pub use preferences::{Appearance, NoticeRecord, PreferenceUpdate, Preferences};
pub use sandbox::{SandboxAction, SandboxSettings};
pub use secret_input::SecretInput;
pub use timeline::{Fact, TimelineEntry, TimelinePage};
pub use typescript::typescript;
pub use webhook::{Delivery, NewWebhook, Webhook};
