//! The editor of definitions and overrides.

use relink_contract::window::{AddedIntegration, DefinitionProblem, DefinitionView};
use relink_domain::{
    caller::Caller,
    integration::{DefinitionError, parse, parse_override, position_of, redacted},
};
use relink_engine::{CatalogEntry, Error, InstallationChange};
use serde::Serialize;
use serde_json::Value;

use crate::{
    App, Result,
    error::{error_view, internal_error},
};

impl App {
    async fn entry(&self, name: &str) -> Result<CatalogEntry> {
        let entries = self.0.engine.catalog().list(&Caller::Person).await.map_err(error_view)?;
        let found = entries.into_iter().find(|entry| entry.integration.name == name);
        found.ok_or_else(|| error_view(Error::not_found("integration", name)))
    }

    /// A definition as it is stored, and what is merged over it.
    pub async fn definition(&self, name: String) -> Result<DefinitionView> {
        let CatalogEntry { integration, installed, .. } = self.entry(&name).await?;
        let mut document = integration.document;
        if let Some(config) = document.get_mut("config") {
            *config = redacted(config);
        }
        Ok(DefinitionView {
            text: pretty(&document)?,
            version: integration.version,
            built_in: integration.built_in,
            override_text: installed.map(|installed| pretty(&installed.r#override)).transpose()?,
        })
    }

    #[expect(clippy::unused_async, reason = "commands are asynchronous")]
    pub async fn check_definition(&self, text: String) -> Result<Option<DefinitionProblem>> {
        Ok(parse(&text).err().map(problem))
    }

    pub async fn save_definition(&self, name: String, version: i64, text: String) -> Result<AddedIntegration> {
        let id = self.entry(&name).await?.integration.id;
        let warnings =
            self.0.engine.catalog().replace(&Caller::Person, id, version, &text).await.map_err(error_view)?;
        Ok(AddedIntegration { name, replaced_for: None, warnings })
    }

    pub async fn check_override(&self, name: String, text: String) -> Result<Option<DefinitionProblem>> {
        let over = match parse_override(&text) {
            Ok(over) => over,
            Err(refused) => return Ok(Some(problem(refused))),
        };
        let Some(installed) = self.entry(&name).await?.installed else { return Ok(None) };
        match self.0.engine.catalog().check_override(&Caller::Person, installed.id, &over) {
            Ok(()) => Ok(None),
            Err(Error::Invalid { field: Some(field), message, .. }) => {
                let own = field.strip_prefix("override").map_or(field.as_str(), |rest| rest.trim_start_matches('.'));
                let place = position_of(&text, own);
                let said = message.strip_prefix(&format!("{field}: ")).unwrap_or(&message);
                Ok(Some(DefinitionProblem {
                    line: place.map(|place| place.line),
                    column: place.map(|place| place.column),
                    field: own.to_owned(),
                    problem: said.to_owned(),
                }))
            }
            Err(error) => Err(error_view(error)),
        }
    }

    pub async fn save_override(&self, name: String, text: String) -> Result<()> {
        let over = parse_override(&text).map_err(|refused| {
            error_view(Error::Invalid { code: refused.code(), message: refused.to_string(), field: Some(refused.path) })
        })?;
        let Some(installed) = self.entry(&name).await?.installed else {
            return Err(error_view(Error::not_found("installed integration", &name)));
        };
        let change = InstallationChange { r#override: Some(over), ..InstallationChange::default() };
        let changing = self.0.engine.catalog().change_installation(&Caller::Person, installed.id, change);
        Box::pin(changing).await.map(drop).map_err(error_view)
    }
}

fn pretty(value: &impl Serialize) -> Result<String> {
    let value = serde_json::to_value(value).unwrap_or(Value::Null);
    serde_json::to_string_pretty(&value).map_err(|_| internal_error("The definition can’t be shown."))
}

fn problem(refused: DefinitionError) -> DefinitionProblem {
    DefinitionProblem {
        line: refused.position.map(|place| place.line),
        column: refused.position.map(|place| place.column),
        field: refused.path,
        problem: refused.problem,
    }
}
