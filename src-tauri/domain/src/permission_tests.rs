use uuid::Uuid;

use super::*;
use crate::{AccountId, ApiTokenId, LinkTokenId, McpTokenId, caller::AccountGrant};

fn token(level: TokenLevel) -> Caller {
    Caller::api_token(ApiTokenId::from_uuid(Uuid::nil()), "my-agent", level)
}

#[test]
fn the_person_may_do_everything_and_each_token_less() {
    let allowed = |caller: &Caller| Permission::ALL.iter().filter(|&&permission| caller.may(permission)).count();
    let person = allowed(&Caller::Person);
    let is_of_a_kind = |permission: &&Permission| matches!(permission.least(), Least::Account | Least::Mcp);
    let of_account = Permission::ALL.iter().filter(is_of_a_kind).count();
    assert_eq!(person, Permission::ALL.len() - of_account);
    let (full, program) = (allowed(&token(TokenLevel::Full)), allowed(&token(TokenLevel::Program)));
    assert!(person > full && full > program && program > 0, "{person} {full} {program}");
}

#[test]
fn no_token_may_do_what_is_left_to_the_person() {
    for permission in [
        Permission::ManageApiTokens,
        Permission::AllowRedirects,
        Permission::AllowPrivateAddresses,
        Permission::ChangeRefreshSteps,
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

fn limited(level: TokenLevel, limits: TokenLimits) -> Caller {
    let id = ApiTokenId::from_uuid(Uuid::nil());
    Caller::ApiToken { id, name: "my-agent".to_owned(), level, limits: limits.into() }
}

#[test]
fn a_token_for_some_accounts_may_nothing_that_is_about_all_of_them() {
    let acme = TokenLimits { integrations: Some(vec!["acme".to_owned()]), ..TokenLimits::default() };
    let narrow = limited(TokenLevel::Full, acme);
    for permission in [Permission::FollowEvents, Permission::OwnWebhooks, Permission::ManageIntegrations] {
        let refusal = narrow.require(permission).expect_err("refused");
        assert!(refusal.to_string().ends_with("because it is limited to some accounts."), "{refusal}");
        assert!(refusal.hint().contains("for all accounts"), "{}", refusal.hint());
    }
    for permission in [Permission::ReadAccounts, Permission::MakeCalls, Permission::ChangeAccounts] {
        assert_eq!(narrow.require(permission), Ok(()));
    }
    let account = AccountId::from_uuid(Uuid::nil());
    assert_eq!(narrow.require_account(account, "acme"), Ok(()));
    let refusal = narrow.require_account(account, "other").expect_err("refused");
    assert_eq!(refusal.to_string(), "The API token my-agent is limited to other accounts.");
    let refusal = narrow.require_all_accounts().expect_err("refused");
    assert_eq!(refusal.to_string(), "The API token my-agent is limited to some accounts.");
    assert_eq!(narrow.require_writing(), Ok(()));
    for unlimited in [Caller::Person, Caller::Internal, token(TokenLevel::Program)] {
        assert_eq!(unlimited.require_account(account, "other"), Ok(()));
        assert_eq!(unlimited.require_all_accounts(), Ok(()));
    }
}

#[test]
fn a_read_only_token_may_not_write() {
    let narrow = limited(TokenLevel::Full, TokenLimits { read_only: true, ..TokenLimits::default() });
    let refusal = narrow.require_writing().expect_err("refused");
    assert_eq!(refusal.to_string(), "The API token my-agent may only read.");
    assert!(refusal.hint().contains("isn't read-only"), "{}", refusal.hint());
    assert_eq!(narrow.require(Permission::FollowEvents), Ok(()), "reading is about all accounts");
    for unlimited in [Caller::Person, Caller::Internal, token(TokenLevel::Full)] {
        assert_eq!(unlimited.require_writing(), Ok(()));
    }
}

#[test]
fn an_account_token_may_call_methods_and_read_its_account_and_change_it_as_its_maker_may() {
    let account_id = AccountId::from_uuid(Uuid::nil());
    let made = |may_change| Caller::AccountToken {
        account_id,
        grant: AccountGrant { may_change, ..AccountGrant::default() }.into(),
    };
    for (may_change, may) in [
        (false, &[Permission::CallMethods, Permission::ReadOwnAccount][..]),
        (
            true,
            &[
                Permission::CallMethods,
                Permission::OfferForms,
                Permission::ReadOwnAccount,
                Permission::ChangeOwnAccount,
            ],
        ),
    ] {
        let allowed: Vec<_> = Permission::ALL.iter().filter(|it| made(may_change).may(**it)).copied().collect();
        assert_eq!(allowed, may);
    }
    let refusal = made(false).require(Permission::ChangeOwnAccount).expect_err("refused");
    assert!(refusal.hint().contains("--admin"), "{}", refusal.hint());
    assert_eq!(made(true).require_account(account_id, "acme"), Ok(()));
    let other = AccountId::from_uuid(Uuid::max());
    let refusal = made(true).require_account(other, "acme").expect_err("refused");
    assert_eq!(refusal.to_string(), "This account token is for another account.");
    assert!(made(true).require_all_accounts().is_err());
    for level in TokenLevel::ALL {
        let refusal = token(level).require(Permission::ReadOwnAccount).expect_err("refused");
        assert!(refusal.to_string().ends_with("because it has none."), "{refusal}");
        assert!(refusal.hint().contains("/integrated-account/token"), "{}", refusal.hint());
    }
}

#[test]
fn an_mcp_token_may_use_its_tools_and_nothing_else() {
    let account_id = AccountId::from_uuid(Uuid::nil());
    let agent = Caller::McpToken { id: McpTokenId::from_uuid(Uuid::nil()), name: "claude".to_owned(), account_id };
    let allowed: Vec<_> = Permission::ALL.iter().filter(|it| agent.may(**it)).copied().collect();
    assert_eq!(allowed, [Permission::UseOwnTools]);
    assert_eq!(agent.require_account(account_id, "acme"), Ok(()));
    assert!(agent.require_account(AccountId::from_uuid(Uuid::max()), "acme").is_err());
    assert_eq!(agent.attribution().as_deref(), Some("by MCP server claude"));
    for caller in [Caller::Person, token(TokenLevel::Full)] {
        let refusal = caller.require(Permission::UseOwnTools).expect_err("refused");
        assert!(refusal.hint().contains("/integrated-account/{id}/mcp"), "{}", refusal.hint());
    }
}

#[test]
fn callers_without_routes_may_do_nothing() {
    for caller in [Caller::Link { id: LinkTokenId::from_uuid(Uuid::nil()) }, Caller::Internal] {
        for &permission in Permission::ALL {
            let refusal = caller.require(permission).expect_err("refused");
            assert!(refusal.hint().ends_with('.') && refusal.to_string().ends_with('.'), "{refusal:?}");
        }
    }
}
