//! Tests of an account's JSON.

use relink_domain::{
    account::{AccountState, Attempt, Credential, Identity, Profile, Renewal, Renewing, Trouble, Verdict},
    failure::{Cause, Failure},
    schedule::TokenLifetime,
};

use super::*;
use crate::integration::IntegrationLabel;

const ACCOUNT: &str = "0190a1b2-c3d4-7e5f-8a9b-000000000001";
const ENVIRONMENT: &str = "0190a1b2-c3d4-7e5f-8a9b-000000000002";
const INSTALLED: &str = "0190a1b2-c3d4-7e5f-8a9b-000000000003";
const INTEGRATION: &str = "0190a1b2-c3d4-7e5f-8a9b-000000000004";
const TEAM: &str = "0190a1b2-c3d4-7e5f-8a9b-000000000005";

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().expect("an id")
}

/// An account whose refresh was refused at second 60.
fn refused() -> Account {
    let at = |secs| Timestamp::from_millis(1_700_000_000_000).plus_secs(secs);
    let failure = Failure {
        provider_code: Some("invalid_grant".into()),
        provider_message: Some("Token revoked".into()),
        ..Failure::new(Cause::InvalidGrant).status(400)
    };
    let trouble = Trouble {
        failure: failure.clone(),
        since: at(60),
        tries: 1,
        next_try: None,
        unknown: None,
        final_failures: 0,
        programs_wait_until: None,
        announced_at: None,
        withheld_until: None,
        online_millis: 0,
        online_since: None,
    };
    let credential = Credential::Renewing(Renewing {
        by: Renewal::RefreshToken,
        generation: 1,
        lifetime: TokenLifetime::new(at(0), Some(at(3600))),
        attempt: Attempt::Idle,
        answer_lost: false,
        deferred: None,
    });
    Account {
        profile: Profile {
            id: id(ACCOUNT),
            tenant_id: "acme-1".into(),
            environment_integration_id: id(INSTALLED),
            integration: "github".into(),
            name: "Acme".into(),
            is_sandbox: false,
            region: None,
            context: [("team".to_owned(), json!("core"))].into_iter().collect(),
            identity: Some(Identity { id: "7".into(), label: "ada".into() }),
            scopes: vec!["repo".into()],
            requested_scopes: None,
            origins: relink_domain::origins::Origins::default(),
            settings: relink_domain::account::Settings::default(),
            last_error: Some(SeenFailure { failure, at: at(60) }),
            answers_as_another: None,
            last_forbidden_error: None,
            created_at: at(0),
            updated_at: at(60),
        },
        state: AccountState::Failing { credential, trouble },
        replacement: None,
        refusal_announced_at: None,
        onboarding: None,
        last_action_run: None,
    }
}

#[test]
fn an_integrated_account_has_trutos_json() {
    let (environment, integration) = (id(ENVIRONMENT), id(INTEGRATION));
    let account = IntegratedAccount::new(
        &refused(),
        environment,
        IntegrationSummary {
            id: integration,
            name: "github".into(),
            category: Some("devtools".into()),
            is_beta: false,
            team_id: id(TEAM),
            sharing: "ask".into(),
            config: IntegrationLabel { label: "GitHub".into() },
        },
        EnvironmentIntegrationSummary {
            id: id(INSTALLED),
            integration_id: integration,
            environment_id: environment,
            show_in_catalog: true,
            is_enabled: true,
            is_active: true,
            r#override: Map::new(),
        },
    );
    let words = Cause::InvalidGrant.explain("GitHub", Verdict::NeedsPerson);
    let expected = format!(
        concat!(
            r#"{{"id":"{account}","tenant_id":"acme-1","environment_id":"{environment}","#,
            r#""environment_integration_id":"{installed}","status":"needs_reauth","authentication_method":"oauth2","#,
            r#""is_sandbox":false,"region":"wnam","context":{{"team":"core","oauth":{{"scope":["repo"]}}}},"#,
            r#""object_store_context_fields":[],"unified_model_override":{{}},"integration_override":{{}},"last_error":"{title}. {message}","last_action_result":{{}},"#,
            r#""last_action_run_result":{{}},"last_forbidden_error":null,"integration":{{"id":"{integration}","#,
            r#""name":"github","category":"devtools","is_beta":false,"team_id":"{team}","sharing":"ask","config":{{"label":"GitHub"}}}},"environment_integration":"#,
            r#"{{"id":"{installed}","integration_id":"{integration}","environment_id":"{environment}","#,
            r#""show_in_catalog":true,"is_enabled":true,"is_active":true,"override":{{}}}},"created_at":"2023-11-14T22:13:20.000Z","#,
            r#""updated_at":"2023-11-14T22:14:20.000Z","last_error_details":{{"code":"invalid_grant","#,
            r#""message":"{title}. {message}","hint":"{hint}","http_status":400,"provider_code":"invalid_grant","#,
            r#""provider_message":"Token revoked","missing_scopes":[],"occurred_at":"2023-11-14T22:14:20.000Z"}}}}"#
        ),
        account = ACCOUNT,
        environment = ENVIRONMENT,
        installed = INSTALLED,
        integration = INTEGRATION,
        team = TEAM,
        title = words.title,
        message = words.message,
        hint = words.hint,
    );
    let written = serde_json::to_string(&account).expect("written");
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_str::<IntegratedAccount>(&written).expect("read"), account);
}

#[test]
fn an_account_row_has_the_documented_keys_and_is_read_back() {
    let now = Timestamp::from_millis(1_700_000_100_000);
    let context = AccountContext {
        label: "GitHub",
        last_used_at: None,
        next_action_at: None,
        waiting: None,
        is_unchecked: false,
        holds_token: true,
        now,
    };
    let row = AccountRow::new(&refused(), &context);
    let written = serde_json::to_value(&row).expect("written");
    let keys: Vec<_> = written.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(
        keys,
        [
            "id",
            "name",
            "tenant_id",
            "integration",
            "integration_label",
            "status",
            "authentication_method",
            "is_sandbox",
            "identity",
            "scopes",
            "verdict",
            "last_error",
            "next_try",
            "next_action_at",
            "waiting",
            "expires_at",
            "expiry_is_assumed",
            "last_used_at",
            "is_fresh",
            "is_unchecked",
            "created_at",
            "updated_at",
        ]
    );
    assert_eq!((written["verdict"].as_str(), written["is_fresh"].as_bool()), (Some("needs_person"), Some(true)));
    assert_eq!(serde_json::from_value::<AccountRow>(written).expect("read"), row);
    let dropped = AccountRow::new(&refused(), &AccountContext { holds_token: false, ..context });
    assert!(!dropped.is_fresh, "no token is left");
}
