//! Rows of documentation (contract section 4.1), of an integration's file or as the catalog keeps them: what a row says about a
//! method counts before what the method says itself. All other rows are for people, and stay as they are.

use serde_json::Value;

use super::{MethodDocs, Resources, schema::Schema};
use crate::integration::{
    error::DefinitionError,
    node::{Node, Source},
    strictness::Strictness,
};

/// What a row can be.
const TYPES: [&str; 10] = [
    "readme",
    "note",
    "end_user_guide",
    "description",
    "query_schema",
    "body_schema",
    "response_schema",
    "oauth_documentation_link",
    "oauth_app_requires_verification",
    "oauth_note",
];
const SCHEMAS: [&str; 3] = ["query_schema", "body_schema", "response_schema"];

/// Strictly checks a row that a program writes.
pub fn check_documentation(row: &Value) -> Result<(), DefinitionError> {
    let source = Source::new(None, false, Strictness::Written);
    let row = source.root(row).object()?;
    let kind = row.need("type", "\"description\"")?.one_of(&TYPES.map(|word| (word, word)))?;
    let content = row.need("content", "\"Lists the contacts.\"")?;
    content.text()?;
    if SCHEMAS.contains(&kind) {
        Schema::decode(&content)?;
    }
    Ok(())
}

/// The rows that are about an integration. Others describe a unified model.
const ENTITIES: [&str; 2] = ["integration", "environment_integration"];

impl Resources {
    /// Reads the rows. A row of a stored definition that isn't understood is left out.
    pub(in crate::integration) fn document(&mut self, rows: &[Node<'_>]) -> Result<(), DefinitionError> {
        for row in rows {
            match self.document_method(row) {
                Err(error) if row.is_written() => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn document_method(&mut self, node: &Node<'_>) -> Result<(), DefinitionError> {
        let row = node.object()?;
        let text = |key: &str| row.filled(key).map(|node| node.text()).transpose();
        let is_of_integration = text("entity_type")?.is_none_or(|entity| ENTITIES.contains(&entity));
        let (Some(resource), Some(method), true) = (text("resource")?, text("method")?, is_of_integration) else {
            return Ok(());
        };
        let kind = row.need("type", "\"description\"")?;
        let is_empty = |node: &Node<'_>| node.json().as_str().is_some_and(|text| text.trim().is_empty());
        let Some(content) = row.filled("content").filter(|content| !is_empty(content)) else { return Ok(()) };
        let Some(found) = self.0.get_mut(resource).and_then(|it| it.methods.get_mut(method)) else {
            node.warn(format_args!("has no effect, because {resource:?} has no method {method:?} in \"resources\""));
            return Ok(());
        };
        let MethodDocs { description, query_schema, body_schema, response_schema, .. } = &mut found.docs;
        match kind.text()? {
            "description" => *description = Some(content.text()?.to_owned()),
            "query_schema" => *query_schema = Some(Schema::decode(&content)?),
            "body_schema" => *body_schema = Some(Schema::decode(&content)?),
            "response_schema" => *response_schema = Some(Schema::decode(&content)?),
            _ => {}
        }
        Ok(())
    }
}
