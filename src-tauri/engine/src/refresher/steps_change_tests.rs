//! Who may change the steps that renew accounts: they see the accounts' tokens.

use relink_domain::account::{AccountChange, NewCredential};
use serde_json::{Map, Value, json};

use super::{
    steps_tests::{definition, steps},
    tests::Refreshing,
    *,
};
use crate::{
    catalog::{Catalog, InstallationChange},
    testing::{PERSON, SIGN_IN, program},
};

struct Given {
    it: Refreshing,
    catalog: Catalog,
}

/// Steps that give programs the refresh token.
fn others() -> Value {
    let steps = json!([{ "type": "update_context", "config": { "expression": "context.oauth.token.refresh_token" } }]);
    json!({ "refresh_token": { "steps": steps } })
}

fn object(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().expect("an object")
}

/// The changes: of the account's own override, of the installation's, and of the definition.
const CHANGES: [&str; 3] = ["account", "installation", "definition"];

impl Given {
    async fn account(definition: Value) -> Self {
        const CREDENTIAL: NewCredential = SIGN_IN;
        let it = Refreshing::with_definition(definition, CREDENTIAL).await;
        let catalog = it.services.catalog(&it.accounts).await;
        Self { it, catalog }
    }

    async fn change(&self, caller: &Caller, what: &str, config: Value) -> Result<()> {
        let account = self.it.accounts.load(self.it.id).await.expect("there");
        let installed = self.it.accounts.installed_of(&account).expect("installed");
        match what {
            "account" => {
                let change = AccountChange { integration_override: object(&config), ..AccountChange::default() };
                Box::pin(self.it.accounts.update(caller, self.it.id, change)).await.map(drop)
            }
            "installation" => {
                let change = InstallationChange { r#override: Some(object(&config)), ..InstallationChange::default() };
                Box::pin(self.catalog.change_installation(caller, installed.id, change)).await.map(drop)
            }
            _ => {
                let (id, version) = (installed.integration.id, installed.integration.version);
                let change = object(&json!({ "config": config }));
                Box::pin(self.catalog.change_row(caller, id, version, &change)).await.map(drop)
            }
        }
    }
}

#[tokio::test]
async fn a_program_does_not_change_the_steps_of_accounts_that_exist() {
    let without = {
        let mut without = definition(&steps());
        without["config"]["actions"] = Value::Null;
        without
    };
    for before in [definition(&steps()), without] {
        for what in CHANGES {
            let given = Given::account(before.clone()).await;
            let refused = given.change(&program(), what, json!({ "actions": others() })).await.expect_err(what);
            assert_eq!(refused.code(), "forbidden", "{what}: {refused}");
            assert!(refused.to_string().contains("steps that renew accounts"), "{refused}");
            given
                .change(&program(), what, json!({ "label": "Ours" }))
                .await
                .expect("all else is the program's to change");
            given.change(&PERSON, what, json!({ "actions": others() })).await.expect("the person's to change");
        }
    }
}

#[tokio::test]
async fn a_program_does_not_take_back_the_persons_steps() {
    for what in ["account", "installation"] {
        let given = Given::account(definition(&steps())).await;
        given.change(&PERSON, what, json!({ "actions": others() })).await.expect("changed");
        let none = if what == "account" { json!({ "actions": null }) } else { json!({}) };
        let refused = given.change(&program(), what, none).await.expect_err("refused");
        assert_eq!(refused.code(), "forbidden", "{what}");
    }
}

#[tokio::test]
async fn steps_below_an_override_are_no_programs_to_change_either() {
    let given = Given::account(definition(&steps())).await;
    given.change(&PERSON, "installation", json!({ "actions": others() })).await.expect("changed");
    let further = json!([
        { "type": "request", "config": { "path": "/elsewhere", "method": "post" } },
        { "type": "update_context", "config": { "expression": "token" } },
    ]);
    let change = json!({ "actions": { "refresh_token": { "steps": further } } });
    let refused = given.change(&program(), "definition", change).await.expect_err("refused");
    assert_eq!(refused.code(), "forbidden");
}

#[tokio::test]
async fn a_program_changes_the_steps_while_there_is_no_account() {
    for what in ["installation", "definition"] {
        let given = Given::account(definition(&steps())).await;
        let account = given.it.accounts.load(given.it.id).await.expect("there");
        let installed = given.it.accounts.installed_of(&account).expect("installed");
        given.it.accounts.delete(&PERSON, given.it.id).await.expect("deleted");
        let config = json!({ "actions": others() });
        if what == "installation" {
            let change = InstallationChange { r#override: Some(object(&config)), ..InstallationChange::default() };
            given.catalog.change_installation(&program(), installed.id, change).await.expect("changed");
        } else {
            let (id, version) = (installed.integration.id, installed.integration.version);
            let change = object(&json!({ "config": config }));
            given.catalog.change_row(&program(), id, version, &change).await.expect("changed");
        }
    }
}
