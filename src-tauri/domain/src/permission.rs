//! Who may do what: the one table of permissions.
//!
//! Each route of the API declares the permission that it requires. [`Caller::require`] decides; what depends on the request
//! itself, such as whose webhook or which account it is about, the verb of the engine asks here.
//!
//! An API token may be limited ([`TokenLimits`]): to some accounts, so that it has no permission that can't be divided by
//! accounts, and to reading.

use std::fmt;

use crate::{
    AccountId,
    caller::{Caller, TokenLevel},
    token_limits::TokenLimits,
};

/// The least caller that has a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// Every API token.
    Program,
    /// An API token with full access.
    Full,
    /// The person alone: no token has it.
    Person,
    /// An account token, for its account: nobody else has an account of its own.
    Account,
    /// An MCP token, for its account's tools.
    Mcp,
}

macro_rules! permissions {
    ($($variant:ident = $name:literal, $least:ident, $what:literal;)+) => {
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Permission {
            $($variant,)+
        }

        impl Permission {
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Its name in the API's description.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            pub const fn least(self) -> Least {
                match self { $(Self::$variant => Least::$least,)+ }
            }

            /// What it allows, after "may".
            const fn what(self) -> &'static str {
                match self { $(Self::$variant => $what,)+ }
            }
        }
    };
}

permissions! {
    ReadAccounts = "read_accounts", Program, "read accounts, their timelines and Relink's status";
    UseAccounts = "use_accounts", Program, "refresh and check accounts, and get their access tokens";
    MakeCalls = "make_calls", Program, "make calls with accounts";
    CallMethods = "call_methods", Program, "call methods of accounts' integrations";
    CreateLinks = "create_links", Program, "create connection links";
    FollowEvents = "follow_events", Program, "follow events";
    OwnWebhooks = "own_webhooks", Program, "manage webhooks that it created";
    ReadOrganization = "read_organization", Program, "read the environment, the team, its user and the categories";
    ReadSyncJobs = "read_sync_jobs", Program, "read sync jobs, workflows, their runs and states, and datastores";
    RunSyncJobs = "run_sync_jobs", Program, "start and stop runs of sync jobs, and change what they remember";
    ReadAbsent = "read_absent", Program, "ask for parts of Truto that Relink lacks";

    OfferForms = "offer_forms", Full, "have accounts' RapidForms filled in";
    ReadCalls = "read_calls", Full, "read which calls programs made";
    ChangeAccounts = "change_accounts", Full, "change or delete accounts";
    ImportAccounts = "import_accounts", Full, "import accounts";
    ReadIntegrations = "read_integrations", Full, "read the catalog of integrations";
    ManageIntegrations = "manage_integrations", Full, "add, install, set up or uninstall integrations";
    ManageSyncJobs = "manage_sync_jobs", Full, "add, change or delete sync jobs, their triggers, workflows and datastores";
    AllWebhooks = "all_webhooks", Full, "manage webhooks that it did not create";
    ReadApiTokens = "read_api_tokens", Full, "list API tokens";
    ChangeOrganization = "change_organization", Full, "rename the environment and the team";

    ManageApiTokens = "manage_api_tokens", Person, "create or revoke API tokens";
    ManageLinks = "manage_links", Person, "list or revoke connection links, or change where they work";
    AllowRedirects = "allow_redirects", Person, "read or change the allowed redirect URLs";
    AllowFolders = "allow_folders", Person, "choose the folder that sync jobs may write to";
    AllowPrivateAddresses = "allow_private_addresses", Person, "consent to a private address";
    ChangeRefreshSteps = "change_refresh_steps", Person, "change the steps that renew accounts which exist already (the action refresh_token), because they see the accounts' tokens";
    RecordBodies = "record_bodies", Person, "record the bodies of calls";
    ControlSandbox = "control_sandbox", Person, "use the Sandbox's controls";
    SubmitCallbacks = "submit_callbacks", Person, "submit an OAuth callback outside of its sign-in";

    ReadOwnAccount = "read_own_account", Account, "read an account of its own";
    ChangeOwnAccount = "change_own_account", Account, "change an account of its own";

    UseOwnTools = "use_own_tools", Mcp, "use the tools of an MCP server";
}

impl Permission {
    /// Whether what it allows is about one account at a time, or reveals nothing of accounts. A token that is limited to some
    /// accounts has no other permission.
    const fn is_divisible(self) -> bool {
        match self {
            Self::ReadAccounts
            | Self::UseAccounts
            | Self::MakeCalls
            | Self::CallMethods
            | Self::ReadOwnAccount
            | Self::ReadOrganization
            | Self::ReadAbsent
            | Self::ChangeOwnAccount
            | Self::UseOwnTools
            | Self::CreateLinks
            | Self::OfferForms
            | Self::ReadCalls
            | Self::ChangeAccounts
            | Self::ReadIntegrations => true,
            // Events and runs are about every account.
            Self::FollowEvents
            | Self::ReadSyncJobs
            | Self::RunSyncJobs
            | Self::ManageSyncJobs
            | Self::ImportAccounts
            | Self::OwnWebhooks
            | Self::AllWebhooks
            | Self::ManageIntegrations
            | Self::ReadApiTokens
            | Self::ChangeOrganization
            | Self::ManageApiTokens
            | Self::ManageLinks
            | Self::AllowRedirects
            | Self::AllowFolders
            | Self::AllowPrivateAddresses
            | Self::ChangeRefreshSteps
            | Self::RecordBodies
            | Self::ControlSandbox
            | Self::SubmitCallbacks => false,
        }
    }
}

impl Caller {
    /// Whether the caller has a permission. Relink itself has none, because it never comes through a surface.
    pub fn may(&self, permission: Permission) -> bool {
        match self {
            Self::Person => !matches!(permission.least(), Least::Account | Least::Mcp),
            Self::ApiToken { level, limits, .. } => {
                let has_level = match permission.least() {
                    Least::Program => true,
                    Least::Full => matches!(level, TokenLevel::Full),
                    Least::Person | Least::Account | Least::Mcp => false,
                };
                has_level && (permission.is_divisible() || !limits.names_accounts())
            }
            Self::AccountToken { grant, .. } => match permission {
                Permission::CallMethods | Permission::ReadOwnAccount => true,
                Permission::ChangeOwnAccount | Permission::OfferForms => grant.may_change,
                _ => false,
            },
            Self::McpToken { .. } => permission == Permission::UseOwnTools,
            // The connect UI's routes check the link token or the flow's key.
            Self::Link { .. } | Self::SyncJob { .. } | Self::Internal => false,
        }
    }

    pub fn require(&self, permission: Permission) -> Result<(), Refusal> {
        if self.may(permission) { Ok(()) } else { Err(self.refusal(Lacking::Permission(permission))) }
    }

    /// Fails if the caller's token may only read.
    pub fn require_writing(&self) -> Result<(), Refusal> {
        if self.is_read_only() { Err(self.refusal(Lacking::Writing)) } else { Ok(()) }
    }

    /// Fails if the caller's token is limited to other accounts than this one of the integration with this name.
    pub fn require_account(&self, account: AccountId, integration: &str) -> Result<(), Refusal> {
        let is_allowed = self.account_limits().is_none_or(|limits| limits.allows(account, integration))
            && self.own_account().is_none_or(|own| own == account);
        if is_allowed { Ok(()) } else { Err(self.refusal(Lacking::Account)) }
    }

    /// Fails if the caller's token is limited to some accounts.
    pub fn require_all_accounts(&self) -> Result<(), Refusal> {
        if self.is_limited_to_accounts() { Err(self.refusal(Lacking::AllAccounts)) } else { Ok(()) }
    }

    /// Whether its token is for some accounts only.
    pub fn is_limited_to_accounts(&self) -> bool {
        self.account_limits().is_some() || self.own_account().is_some()
    }

    fn refusal(&self, lacking: Lacking) -> Refusal {
        Refusal { caller: self.clone(), lacking }
    }
}

/// What a caller lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lacking {
    Permission(Permission),
    /// Its token may only read.
    Writing,
    /// Its token is limited to other accounts.
    Account,
    /// Its token is limited to some accounts.
    AllAccounts,
}

/// What a caller may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    caller: Caller,
    lacking: Lacking,
}

impl Refusal {
    /// What to do.
    pub fn hint(&self) -> String {
        let permission = match self.lacking {
            Lacking::Permission(permission) => permission,
            Lacking::Writing => {
                return "Use a token that isn't read-only: relink api-token create NAME, or in Relink's settings."
                    .to_owned();
            }
            Lacking::Account | Lacking::AllAccounts => {
                return "Use a token for this account, or one for all accounts: relink api-token create NAME, or in \
                        Relink's settings."
                    .to_owned();
            }
        };
        match (&self.caller, permission.least()) {
            (Caller::ApiToken { limits, .. }, Least::Program | Least::Full) if is_beyond(limits, permission) => {
                "Use a token for all accounts: relink api-token create NAME, or in Relink's settings.".to_owned()
            }
            (Caller::ApiToken { .. }, Least::Full) => {
                "Create a token with full access: relink api-token create NAME --admin, or in Relink's settings."
                    .to_owned()
            }
            (_, Least::Person) => "Do it in Relink's window, or with the relink command.".to_owned(),
            (Caller::AccountToken { .. }, Least::Account) => {
                "Make the account token with an API token with full access: relink api-token create NAME --admin."
                    .to_owned()
            }
            (_, Least::Account) => {
                "Use an account token, from POST /integrated-account/token, or name the account by its id.".to_owned()
            }
            (_, Least::Mcp) => "Use the URL of an MCP server, from POST /integrated-account/{id}/mcp.".to_owned(),
            (_, Least::Program | Least::Full) => {
                "Use an API token: relink api-token create NAME, or in Relink's settings.".to_owned()
            }
        }
    }
}

/// Whether a token with these limits never has a permission.
const fn is_beyond(limits: &TokenLimits, permission: Permission) -> bool {
    limits.names_accounts() && !permission.is_divisible()
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let permission = match (self.lacking, &self.caller) {
            (Lacking::Permission(permission), _) => permission,
            (Lacking::Writing, caller) => return write!(f, "The {caller} may only read."),
            (Lacking::Account, Caller::AccountToken { .. }) => {
                return f.write_str("This account token is for another account.");
            }
            (Lacking::Account, caller) => return write!(f, "The {caller} is limited to other accounts."),
            (Lacking::AllAccounts, caller) => return write!(f, "The {caller} is limited to some accounts."),
        };
        let what = permission.what();
        match (&self.caller, permission.least()) {
            (Caller::ApiToken { name, .. }, Least::Person) => {
                write!(f, "The API token {name} may not {what}. No token may: only the person at this machine.")
            }
            (Caller::ApiToken { name, limits, .. }, _) if is_beyond(limits, permission) => {
                write!(f, "The API token {name} may not {what}, because it is limited to some accounts.")
            }
            (Caller::ApiToken { name, .. }, Least::Account | Least::Mcp) => {
                write!(f, "The API token {name} may not {what}, because it has none.")
            }
            (Caller::ApiToken { name, .. }, _) => {
                write!(f, "The API token {name} may not {what}. That takes a token with full access.")
            }
            (Caller::AccountToken { .. }, _) => write!(f, "An account token may not {what}."),
            (Caller::McpToken { .. }, _) => write!(f, "An MCP token may not {what}."),
            (Caller::Link { .. }, _) => write!(f, "A connection link may not {what}."),
            (caller @ (Caller::Person | Caller::SyncJob { .. } | Caller::Internal), _) => {
                write!(f, "{caller} may not {what}.")
            }
        }
    }
}

#[cfg(test)]
#[path = "permission_tests.rs"]
mod tests;
