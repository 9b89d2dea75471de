//! Overrides of definitions: which are accepted.

use relink_domain::{
    caller::Caller,
    integration::{Definition, DefinitionError, Parsed, actions::Action},
    permission::Permission,
};
use serde_json::{Map, Value};

use super::unusable;
use crate::{
    error::{Error, Result},
    store::integrations::Installed,
};

/// Strictly checks the definition of an installed integration with this override, which its errors call `field`.
pub(crate) fn check_override(
    caller: &Caller,
    installed: &Installed,
    over: &Map<String, Value>,
    field: &str,
) -> Result<Parsed> {
    let base = Definition::load(&installed.integration.document, &Map::new());
    let base = base.map_err(|error| unusable(installed, &error))?;
    let in_force = base.with_override(over).map_err(|error| refused(error, field))?;
    if in_force.definition.allows_local() {
        // The consent is to the addresses of the definition, not to those of an override.
        caller.require(Permission::AllowPrivateAddresses)?;
    }
    Ok(in_force)
}

/// Fails if the change is to the steps that renew an account which exists already, unless the person makes it: their expressions see
/// the account's tokens, and what they leave as an access token is given to programs.
pub(crate) fn require_same_refresh_steps(
    caller: &Caller,
    before: Option<&Definition>,
    after: Option<&Definition>,
) -> Result<()> {
    if refresh_steps(before) != refresh_steps(after) {
        caller.require(Permission::ChangeRefreshSteps)?;
    }
    Ok(())
}

fn refresh_steps(definition: Option<&Definition>) -> Option<&Action> {
    definition.and_then(|definition| definition.actions().refresh())
}

/// The config's fields are the override's.
fn refused(error: DefinitionError, field: &str) -> Error {
    let code = error.code();
    let DefinitionError { path, problem, .. } = error;
    let field = path.strip_prefix("config").map_or_else(|| path.clone(), |rest| format!("{field}{rest}"));
    Error::Invalid { code, message: format!("{field}: {problem}"), field: Some(field) }
}
