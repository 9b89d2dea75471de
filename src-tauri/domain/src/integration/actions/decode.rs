//! Decoding `config.actions`.

use std::{collections::BTreeMap, sync::Arc};

use super::{Action, Actions, CallApi, Form, NamedCall, POST_CONNECT_USER_FORM, REFRESH_ACTION, Step, StepKind};
use crate::{
    integration::{
        credential_keys::is_always_credential,
        error::DefinitionError,
        node::{Node, Object, listed},
        resources::Decoder,
    },
    template::Template,
};

type Result<T, E = DefinitionError> = std::result::Result<T, E>;

const TYPES: &[&str] = &["request", "transform", "update_context", "set_context", "get_context", "form"];
pub(super) const APIS: &[(&str, CallApi)] = &[("proxy", CallApi::Proxy), ("unified", CallApi::Unified)];

impl Actions {
    /// Of a stored definition, an action that isn't understood is left out: before this version, none had an effect.
    /// `of_refresh`: for the action that replaces a refresh.
    pub(in crate::integration) fn decode(
        config: &Object<'_>,
        decoder: &Decoder<'_>,
        of_refresh: &Decoder<'_>,
    ) -> Result<Self> {
        let mut found = BTreeMap::new();
        for (name, node) in config.describing("actions", |node| node.object())?.iter().flat_map(Object::entries) {
            let is_refresh = name == REFRESH_ACTION;
            match action(&node, if is_refresh { of_refresh } else { decoder }, is_refresh) {
                Err(error) if node.is_written() => return Err(error),
                Err(_) => {}
                Ok(action) => {
                    warn_of_forms(name, &node, &action);
                    found.insert(name.to_owned(), action);
                }
            }
        }
        Ok(Self(found))
    }
}

/// A form is for the person after a sign-in, and nothing else is.
fn warn_of_forms(name: &str, node: &Node<'_>, action: &Action) {
    let forms = action.steps.iter().filter(|step| matches!(step.kind, StepKind::Form(_))).count();
    if name != POST_CONNECT_USER_FORM && forms > 0 {
        node.warn(format_args!("has a form, which is shown only as the action {POST_CONNECT_USER_FORM}"));
    } else if name == POST_CONNECT_USER_FORM && (forms, action.steps.len()) != (1, 1) {
        node.warn("should have one step, a form; other steps have no effect");
    }
}

fn action(node: &Node<'_>, decoder: &Decoder<'_>, is_refresh: bool) -> Result<Action> {
    let object = node.object()?;
    object.warn_unknown_keys(&["steps"]);
    let list = object.need("steps", "[{\"type\": \"request\", \"config\": {\"path\": \"/me\"}}]")?;
    let steps = list.array()?.iter().map(|node| step(node, decoder)).collect::<Result<Vec<_>>>()?;
    let leaves_tokens = |step: &Step| matches!(step.kind, StepKind::UpdateContext(_));
    if is_refresh && !steps.is_empty() && !steps.iter().any(leaves_tokens) {
        list.fail_if_written(
            "must leave the new tokens in the context; add a step such as {\"type\": \"update_context\", \"config\": \
             {\"expression\": \"{ \\\"oauth\\\": { \\\"token\\\": { \\\"access_token\\\": $previous.access_token } } }\"}}",
        )?;
    }
    Ok(Action { steps })
}

fn step(node: &Node<'_>, decoder: &Decoder<'_>) -> Result<Step> {
    let object = node.object()?;
    object.warn_unknown_keys(&["type", "config", "run_if"]);
    let kind_node = object.need("type", "\"request\"")?;
    let config = object.get("config");
    let needed = || object.need("config", "{\"path\": \"/me\"}");
    let kind = match kind_node.text()? {
        "request" => request(&needed()?, decoder)?,
        "transform" => match expression(config.as_ref())? {
            Some(text) => StepKind::Transform(text),
            None => return Err(object.fail("has no \"expression\" in \"config\"; add one, such as \"$previous.id\"")),
        },
        "update_context" => StepKind::UpdateContext(expression(config.as_ref())?),
        "set_context" => {
            let values = needed()?.object()?;
            for (key, node) in values.entries() {
                if is_always_credential(key) {
                    node.fail_if_written("is a credential, which is never stored in a context")?;
                }
            }
            StepKind::SetContext(values.entries().map(|(key, node)| (key.to_owned(), node.json().clone())).collect())
        }
        "get_context" => StepKind::GetContext,
        "form" => StepKind::Form(Box::new(Form::decode(&needed()?, decoder)?)),
        other => return Err(kind_node.fail(format_args!("{other:?} is not known here; use {}", listed(TYPES)))),
    };
    Ok(Step { kind, run_if: object.map("run_if", |node| node.text().map(Arc::from))? })
}

/// A method, or the name of one.
fn request(config: &Node<'_>, decoder: &Decoder<'_>) -> Result<StepKind> {
    let object = config.object()?;
    if !object.has("resource") {
        return Ok(StepKind::Request(Box::new(decoder.method("request", config)?)));
    }
    object.warn_unknown_keys(&["type", "resource", "method", "query"]);
    Ok(StepKind::Call(NamedCall {
        api: object.map("type", |node| node.one_of(APIS))?.unwrap_or(CallApi::Proxy),
        resource: object.need("resource", "\"users\"")?.text()?.to_owned(),
        method: object.need("method", "\"list\"")?.text()?.to_owned(),
        query: object.map("query", |node| node.object().map(|_| Template::compile(node.json())))?,
    }))
}

/// `config.expression`, or the config as a text.
fn expression(config: Option<&Node<'_>>) -> Result<Option<Arc<str>>> {
    let Some(config) = config else { return Ok(None) };
    if config.json().is_string() {
        return config.text().map(|text| Some(Arc::from(text)));
    }
    config.object()?.map("expression", |node| node.text().map(Arc::from))
}
