use serde::Serialize;
use ts_rs::TS;

use super::ErrorView;

/// A sign-in that the window began, without the connect UI.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, TS)]
#[serde(tag = "phase", rename_all = "snake_case")]
pub enum SignInProgress {
    /// The provider's page is open in the browser.
    AtProvider,
    /// The user has returned. Relink fetches and checks the new credentials.
    Checking,
    /// Another user has signed in than before. Relink asks what to do, in its connect window.
    Question {
        expected: String,
        actual: String,
    },
    /// The connect window is open, because credentials have to be entered.
    InConnectWindow,
    Reauthorized,
    /// Another user has signed in, and the old sign-in was kept.
    KeptOld,
    /// Another user has signed in, and was added as a second account.
    Added {
        name: String,
    },
    Failed {
        error: ErrorView,
    },
}

impl SignInProgress {
    pub const fn has_ended(&self) -> bool {
        match self {
            Self::Reauthorized | Self::KeptOld | Self::Added { .. } | Self::Failed { .. } => true,
            Self::AtProvider | Self::Checking | Self::Question { .. } | Self::InConnectWindow => false,
        }
    }
}
