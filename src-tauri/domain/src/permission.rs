//! Who may do what: the one table of permissions.
//!
//! Each route of the API declares the permission that it requires. [`Caller::require`] decides; what depends on the request
//! itself, such as whose webhook it is about, the verb of the engine asks here.

use std::fmt;

use crate::caller::{Caller, TokenLevel};

/// The least caller that has a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Least {
    /// Every API token.
    Program,
    /// An API token with full access.
    Full,
    /// The person alone: no token has it.
    Person,
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
    CreateLinks = "create_links", Program, "create connection links";
    FollowEvents = "follow_events", Program, "follow events";
    OwnWebhooks = "own_webhooks", Program, "manage webhooks that it created";

    ReadCalls = "read_calls", Full, "read which calls programs made";
    ChangeAccounts = "change_accounts", Full, "change or delete accounts";
    ReadIntegrations = "read_integrations", Full, "read the catalog of integrations";
    ManageIntegrations = "manage_integrations", Full, "add, install, set up or uninstall integrations";
    AllWebhooks = "all_webhooks", Full, "manage webhooks that it did not create";
    ReadApiTokens = "read_api_tokens", Full, "list API tokens";

    ManageApiTokens = "manage_api_tokens", Person, "create or revoke API tokens";
    AllowRedirects = "allow_redirects", Person, "read or change the allowed redirect URLs";
    AllowPrivateAddresses = "allow_private_addresses", Person, "consent to a private address";
    ControlSandbox = "control_sandbox", Person, "use the Sandbox's controls";
    SubmitCallbacks = "submit_callbacks", Person, "submit an OAuth callback outside of its sign-in";
}

impl Caller {
    /// Whether the caller has a permission. Relink itself has none, because it never comes through a surface.
    pub const fn may(&self, permission: Permission) -> bool {
        match self {
            Self::Person => true,
            Self::ApiToken { level, .. } => match permission.least() {
                Least::Program => true,
                Least::Full => matches!(level, TokenLevel::Full),
                Least::Person => false,
            },
            // The routes for the first two don't exist yet. The connect UI's routes check the link token or the flow's key.
            Self::AccountToken { .. } | Self::McpToken { .. } | Self::Link { .. } | Self::Internal => false,
        }
    }

    pub fn require(&self, permission: Permission) -> Result<(), Refusal> {
        if self.may(permission) { Ok(()) } else { Err(Refusal { caller: self.clone(), permission }) }
    }
}

/// What a caller may not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    caller: Caller,
    permission: Permission,
}

impl Refusal {
    /// What to do.
    pub fn hint(&self) -> String {
        match (&self.caller, self.permission.least()) {
            (Caller::ApiToken { .. }, Least::Full) => {
                "Create a token with full access: relink api-token create NAME --admin, or in Relink's settings."
                    .to_owned()
            }
            (_, Least::Person) => "Do it in Relink's window, or with the relink command.".to_owned(),
            (_, Least::Program | Least::Full) => {
                "Use an API token: relink api-token create NAME, or in Relink's settings.".to_owned()
            }
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = self.permission.what();
        match (&self.caller, self.permission.least()) {
            (Caller::ApiToken { name, .. }, Least::Person) => {
                write!(f, "The API token {name} may not {what}. No token may: only the person at this machine.")
            }
            (Caller::ApiToken { name, .. }, _) => {
                write!(f, "The API token {name} may not {what}. That takes a token with full access.")
            }
            (Caller::AccountToken { .. }, _) => write!(f, "An account token may not {what}."),
            (Caller::McpToken { .. }, _) => write!(f, "A token for an agent's tools may not {what}."),
            (Caller::Link { .. }, _) => write!(f, "A connection link may not {what}."),
            (caller @ (Caller::Person | Caller::Internal), _) => write!(f, "{caller} may not {what}."),
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{AccountId, ApiTokenId, LinkTokenId};

    fn token(level: TokenLevel) -> Caller {
        Caller::ApiToken { id: ApiTokenId::from_uuid(Uuid::nil()), name: "my-agent".to_owned(), level }
    }

    #[test]
    fn the_person_may_do_everything_and_each_token_less() {
        let allowed = |caller: &Caller| Permission::ALL.iter().filter(|&&permission| caller.may(permission)).count();
        let person = allowed(&Caller::Person);
        assert_eq!(person, Permission::ALL.len());
        let (full, program) = (allowed(&token(TokenLevel::Full)), allowed(&token(TokenLevel::Program)));
        assert!(person > full && full > program && program > 0, "{person} {full} {program}");
    }

    #[test]
    fn no_token_may_do_what_is_left_to_the_person() {
        for permission in [
            Permission::ManageApiTokens,
            Permission::AllowRedirects,
            Permission::AllowPrivateAddresses,
            Permission::ControlSandbox,
        ] {
            for level in TokenLevel::ALL {
                let refusal = token(level).require(permission).expect_err("refused");
                assert!(refusal.to_string().starts_with("The API token my-agent may not "), "{refusal}");
                assert!(refusal.to_string().contains("only the person"), "{refusal}");
                assert!(refusal.hint().contains("window"), "{}", refusal.hint());
            }
            assert_eq!(Caller::Person.require(permission), Ok(()));
        }
    }

    #[test]
    fn a_refusal_says_what_is_missing_and_how_to_get_it() {
        let refusal = token(TokenLevel::Program).require(Permission::ManageIntegrations).expect_err("refused");
        assert_eq!(
            refusal.to_string(),
            "The API token my-agent may not add, install, set up or uninstall integrations. That takes a token with full access."
        );
        assert!(refusal.hint().contains("relink api-token create NAME --admin"), "{}", refusal.hint());
        assert_eq!(token(TokenLevel::Full).require(Permission::ManageIntegrations), Ok(()));
    }

    #[test]
    fn callers_without_routes_may_do_nothing() {
        let account_id = AccountId::from_uuid(Uuid::nil());
        for caller in [
            Caller::AccountToken { account_id },
            Caller::McpToken { account_id },
            Caller::Link { id: LinkTokenId::from_uuid(Uuid::nil()) },
            Caller::Internal,
        ] {
            for &permission in Permission::ALL {
                let refusal = caller.require(permission).expect_err("refused");
                assert!(refusal.hint().ends_with('.') && refusal.to_string().ends_with('.'), "{refusal:?}");
            }
        }
    }
}
