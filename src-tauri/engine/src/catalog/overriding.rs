//! Overrides of installed integrations: which are accepted, and what of them is secret.

use std::collections::BTreeMap;

use relink_domain::{
    Secret,
    caller::Caller,
    integration::{Definition, FORMATS, take_client_secrets},
};
use serde_json::{Map, Value};

use super::Catalog;
use crate::{
    error::{Error, Result},
    provider::{NewSecrets, SECRET_VARIABLES, check_override, require_same_refresh_steps},
    store::{accounts, integrations::Installed},
};

/// What errors call an override.
const FIELD: &str = "override";

/// Strictly checks an override with the integration's definition. Returns it as it is stored, and its secrets.
pub(super) fn checked_override(
    caller: &Caller,
    installed: &Installed,
    over: &Map<String, Value>,
) -> Result<(Map<String, Value>, NewSecrets)> {
    let filled = over.iter().filter(|(_, value)| !value.is_null());
    let mut over: Map<String, Value> = filled.map(|(key, value)| (key.clone(), value.clone())).collect();
    let variables = take_secret_variables(&mut over)?;
    let mut in_force = check_override(caller, installed, &over, FIELD)?;
    let client = FORMATS.into_iter().find_map(|format| in_force.client_secrets.take(format));
    let mut over = Value::Object(over);
    take_client_secrets(&mut over);
    let Value::Object(over) = over else { return Err(not_an_object(FIELD)) };
    let names = |over: &Map<String, Value>| -> Vec<String> {
        over.get(SECRET_VARIABLES).and_then(Value::as_object).into_iter().flat_map(Map::keys).cloned().collect()
    };
    let stay = variables.values().all(Option::is_none) && names(&over) == names(&installed.r#override);
    Ok((over, NewSecrets { client, variables: (!stay).then_some(variables) }))
}

impl Catalog {
    /// Checks the expressions that an override, which has passed every other check, brings with it.
    pub(super) async fn check_overriding_expressions(
        &self,
        caller: &Caller,
        installed: &Installed,
        over: Option<&Map<String, Value>>,
    ) -> Result<()> {
        let Some(over) = over.filter(|over| over.contains_key("actions")) else { return Ok(()) };
        let mut over = over.clone();
        over.retain(|key, value| key != SECRET_VARIABLES && !value.is_null());
        let in_force = check_override(caller, installed, &over, FIELD)?;
        self.0.runners.check_actions(&in_force.definition, FIELD).await
    }

    /// Fails if the change is to the steps that renew accounts which exist already, unless the person makes it. Also without the
    /// override, which an account's own one may take back.
    pub(super) async fn require_same_refresh_steps(
        &self,
        caller: &Caller,
        before: &Installed,
        after: &Installed,
    ) -> Result<()> {
        let Err(refused) = check_same_steps(caller, before, after) else { return Ok(()) };
        let id = before.id;
        // An account that is connected later begins with the steps as they are by then.
        let has_accounts = self.0.store.read(move |c| Ok(accounts::counts(c)?.contains_key(&id))).await?;
        if has_accounts { Err(refused) } else { Ok(()) }
    }
}

fn check_same_steps(caller: &Caller, before: &Installed, after: &Installed) -> Result<()> {
    let none = Map::new();
    let load = |it: &Installed, over| Definition::load(&it.integration.document, over).ok();
    for (over_before, over_after) in [(&none, &none), (&before.r#override, &after.r#override)] {
        let (before, after) = (load(before, over_before), load(after, over_after));
        require_same_refresh_steps(caller, before.as_ref(), after.as_ref())?;
    }
    Ok(())
}

/// The secrets of an override, if there is one.
pub(super) fn secrets_of(
    caller: &Caller,
    installed: &Installed,
    over: Option<&Map<String, Value>>,
) -> Result<NewSecrets> {
    over.map_or_else(|| Ok(NewSecrets::default()), |over| Ok(checked_override(caller, installed, over)?.1))
}

/// Takes the values of the secret variables out of an override. An empty text stands for the value that is stored.
fn take_secret_variables(over: &mut Map<String, Value>) -> Result<BTreeMap<String, Option<Secret>>> {
    let Some(slot) = over.get_mut(SECRET_VARIABLES) else { return Ok(BTreeMap::new()) };
    let Value::Object(slot) = slot else { return Err(not_an_object(&format!("{FIELD}.{SECRET_VARIABLES}"))) };
    slot.retain(|_, value| !value.is_null());
    let mut taken = BTreeMap::new();
    for (name, value) in slot.iter_mut() {
        let Value::String(text) = value else {
            let field = format!("{FIELD}.{SECRET_VARIABLES}.{name}");
            return Err(Error::invalid_field(
                "override_invalid",
                field,
                "The value of a secret variable must be a text.",
            ));
        };
        let text = std::mem::take(text);
        taken.insert(name.clone(), (!text.is_empty()).then(|| Secret::new(text)));
    }
    Ok(taken)
}

fn not_an_object(field: &str) -> Error {
    Error::invalid_field("override_invalid", field, format!("{field} must be a JSON object."))
}
