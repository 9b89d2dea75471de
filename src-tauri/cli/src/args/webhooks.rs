//! `relink webhook`.

use clap::{Args, Subcommand, ValueEnum};
use relink_contract::webhook::DeliveryState;
use relink_domain::webhook::SignatureFormat;

#[derive(Debug, Subcommand)]
pub(crate) enum Webhooks {
    /// Add a webhook and print its signing secret, which can't be shown again.
    Add {
        /// URL to deliver to: https, or http on this machine.
        url: String,
        /// Deliver only these events, separated by commas. To list them: relink webhook events.
        #[arg(long, value_delimiter = ',')]
        events: Vec<String>,
        /// Encoding of the signature [default: base64].
        #[arg(long)]
        signature: Option<Signature>,
        /// Allow a URL on a private network.
        #[arg(long)]
        allow_private: bool,
    },
    /// List the events that a webhook can receive.
    Events,
    /// List webhooks.
    List,
    /// Change a webhook. What isn't named stays.
    Change(WebhookChanges),
    /// Deliver nothing until the webhook is resumed. Events that happen meanwhile aren't kept for it.
    Pause {
        /// Webhook ID.
        id: String,
    },
    /// Deliver again, also after Relink disabled the webhook.
    Resume {
        /// Webhook ID.
        id: String,
    },
    /// Remove a webhook.
    Remove {
        /// Webhook ID.
        id: String,
    },
    /// Send the event test and wait for the response.
    Test {
        /// Webhook ID.
        id: String,
    },
    /// List the latest deliveries, newest first.
    Deliveries {
        /// Webhook ID.
        id: String,
        /// Only deliveries in this state.
        #[arg(long)]
        state: Option<State>,
    },
    /// Show what a delivery sent and what came back.
    Delivery {
        /// Webhook ID.
        id: String,
        /// Delivery ID.
        delivery: String,
    },
    /// Send a delivery again, or retry all that failed. The webhook is resumed.
    Replay {
        /// Webhook ID.
        id: String,
        /// Delivery ID [default: all that failed].
        delivery: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct WebhookChanges {
    /// Webhook ID.
    pub(crate) id: String,
    /// URL to deliver to: https, or http on this machine.
    #[arg(long)]
    pub(crate) url: Option<String>,
    /// Deliver only these events, separated by commas.
    #[arg(long, value_delimiter = ',', conflicts_with = "all_events")]
    pub(crate) events: Vec<String>,
    /// Deliver all events.
    #[arg(long)]
    pub(crate) all_events: bool,
    /// Encoding of the signature.
    #[arg(long)]
    pub(crate) signature: Option<Signature>,
    /// Allow a URL on a private network.
    #[arg(long, requires = "url")]
    pub(crate) allow_private: bool,
}

impl WebhookChanges {
    /// Whether nothing is changed.
    pub(crate) const fn is_empty(&self) -> bool {
        self.url.is_none() && self.events.is_empty() && !self.all_events && self.signature.is_none()
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Signature {
    Base64,
    Hex,
}

impl From<Signature> for SignatureFormat {
    fn from(signature: Signature) -> Self {
        match signature {
            Signature::Base64 => Self::Base64,
            Signature::Hex => Self::Hex,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum State {
    Pending,
    Delivered,
    Failed,
}

impl From<State> for DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Delivered => Self::Delivered,
            State::Failed => Self::Failed,
        }
    }
}
