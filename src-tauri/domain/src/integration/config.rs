//! Decoding Truto's `config`.

use super::{
    actions::Actions,
    address::Address,
    authorization::{self, Authorization},
    available::Available,
    credential_keys::is_always_credential,
    credentials::Credentials,
    error::{DefinitionError, quoted},
    fields::Fields,
    format::{FORMATS, PerFormat},
    header::HeaderTemplate,
    inbound::InboundWebhook,
    node::{Node, Object},
    params::{self, Params},
    read::Step,
    relink::{Additions, Calls, headers},
    resources::{Decoder, Method, MethodAuthorization, Resources, Shared},
};
use crate::{account::AuthenticationMethod, name, provider_text, template::Placeholder};

/// The sections that every account needs. The others stay in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Config {
    pub(super) label: String,
    /// Without one, each method names its own.
    pub(super) base_url: Option<Address>,
    pub(super) logo: Option<Logo>,
    pub(super) headers: Vec<HeaderTemplate>,
    /// Of every call. A key may be among it.
    pub(super) query: Params,
    pub(super) credentials: Credentials,
    pub(super) authorization: PerFormat<Authorization>,
    pub(super) calls: Calls,
    pub(super) resources: Resources,
    pub(super) actions: Actions,
    /// What the methods have in common.
    pub(super) shared: Shared,
    pub(super) own: Additions,
    pub(super) inbound: Option<InboundWebhook>,
}

/// An https URL of a picture, or the picture as a data URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logo(String);

impl Logo {
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The picture, if the definition contains it. One at a web address is never loaded: that would tell its host about a
    /// person who has clicked on nothing yet.
    pub fn embedded(&self) -> Option<&str> {
        self.0.starts_with("data:").then_some(self.0.as_str())
    }

    fn decode(node: &Node<'_>) -> Result<Self, DefinitionError> {
        let text = node.text()?;
        if !text.starts_with("data:") {
            return Ok(Self(node.web_url()?.as_str().to_owned()));
        }
        let kinds = ["png", "jpeg", "gif", "webp", "svg+xml"];
        let body = kinds.iter().find_map(|kind| text.strip_prefix(&format!("data:image/{kind};base64,")));
        let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
        match body {
            Some(body) if !body.is_empty() && body.chars().all(fits) => Ok(Self(text.to_owned())),
            _ => Err(node.fail("is not a picture; use an https:// URL or data:image/png;base64,…")),
        }
    }
}

impl Config {
    /// `fallback`: the document's label, or else the integration's name, which take the place of a missing label.
    pub(super) fn decode(node: &Node<'_>, fallback: Result<&Node<'_>, &String>) -> Result<Self, DefinitionError> {
        let object = node.object()?;
        object.warn_unknown_keys(&[
            "label",
            "base_url",
            "logo",
            "headers",
            "query",
            "query_array_format",
            "credentials",
            "authorization",
            "resources",
            "pagination",
            "rate_limit",
            "actions",
            "error_expression",
            "webhook",
            "tool_tags",
            "environment_variables",
            "secret_environment_variables",
            "relink",
        ]);
        let label = match (object.filled("label"), fallback) {
            (Some(node), _) => label(&node)?,
            (None, Ok(node)) => label(node)?,
            (None, Err(name)) => name.clone(),
        };
        let relink = object.map("relink", |node| node.object())?;
        let own = relink.as_ref().map(Additions::decode).transpose()?.unwrap_or_default();
        let base_url = object.map("base_url", |node| base_url(&node, &own))?;
        let mut credentials =
            Credentials::decode(&object.need("credentials", "{\"format\": \"api_key\", \"config\": {...}}")?, &own)?;

        let availables = availables(&credentials, false);
        let authorization = authorization::decode(object.get("authorization").as_ref(), &availables, &object)?;
        // Every format's calls carry the header, so every format must be able to fill it.
        let template = |node: &Node<'_>| {
            let templates =
                availables.iter().map(|available| available.template(node)).collect::<Result<Vec<_>, _>>()?;
            templates.into_iter().next().ok_or_else(|| node.fail("has no way to sign in"))
        };
        let headers = object.map("headers", |node| headers(&node, &template))?.unwrap_or_default();
        let calls =
            relink.as_ref().map(|it| Calls::decode(it, base_url.as_ref(), &credentials, &template)).transpose()?;
        let calls = calls.unwrap_or_default();
        let is_signed =
            FORMATS.iter().any(|format| authorization.get(*format).is_some_and(|it| it.signing().is_some()));
        if is_signed && calls.urls().next().is_some() {
            return Err(object.fail(
                "has an \"expression\" in \"authorization\", which can't sign the probe and the identity of \"relink\"; leave them \
                 out, or put the expression into the \"authorization\" of methods",
            ));
        }
        if let (Some(_), None, Some(node)) = (&credentials.api_key, &calls.probe, object.get("credentials")) {
            node.warn(
                "a key can't be checked before it is saved, because there is no probe; add one to \"relink\", such as \
                 {\"path\": \"/me\"}",
            );
        }

        for format in FORMATS {
            let named = authorization.get(format).into_iter().flat_map(Authorization::fields);
            if let Some(fields) = credentials.fields_mut(format) {
                named.for_each(|name| fields.mark_secret(name));
            }
        }
        let urls = || base_url.iter().chain(calls.urls());
        for format in FORMATS.into_iter().filter(|format| credentials.has(*format)) {
            for address in urls().chain(credentials.addresses(format)) {
                refuse_secrets(&address.placeholders(), credentials.fields(format), &object)?;
            }
        }
        let from_identity = |name: &str| own.keeps_from_identity(name);
        for placeholder in calls.urls().flat_map(Address::placeholders) {
            if placeholder.fields().any(from_identity) {
                object.fail_if_written(format_args!(
                    "has {} in the URL of the probe or the identity, which is kept from the identity's own answer",
                    placeholder.source()
                ))?;
            }
        }
        // The browser gets them, and its history.
        if let Some(oauth2) = &credentials.oauth2 {
            let placeholders: Vec<_> = oauth2.authorize_params.placeholders().collect();
            refuse_secrets(&placeholders, Some(&oauth2.fields), &object)?;
        }
        Ok(Self {
            label,
            logo: object.describing("logo", |node| Logo::decode(&node))?,
            base_url,
            headers,
            query: object.map("query", |node| params::of_query(&node))?.unwrap_or_default(),
            credentials,
            authorization,
            calls,
            resources: Resources::default(),
            actions: Actions::default(),
            shared: Shared::default(),
            own,
            inbound: object.describing("webhook", |node| InboundWebhook::decode(&node))?.flatten(),
        })
    }

    /// Decodes the methods, what they have in common, and the actions. Misplaced secrets are refused before, because there they are explained.
    /// `documentation`: the document's rows.
    pub(super) fn decode_resources(
        &mut self,
        node: &Node<'_>,
        documentation: &[Node<'_>],
    ) -> Result<(), DefinitionError> {
        let object = node.object()?;
        let shared = Shared::decode(&object)?;
        let availables = availables(&self.credentials, true);
        let decoder = Decoder { shared: &shared, availables: &availables, origins: &self.own.origins };
        let mut resources = decoder.resources(&object)?;
        let mut of_refresh = self::availables(&self.credentials, true);
        for available in &mut of_refresh {
            available.is_refresh = true;
        }
        let actions = Actions::decode(&object, &decoder, &Decoder { availables: &of_refresh, ..decoder })?;
        for format in self.formats() {
            let methods = resources.methods().map(|(_, _, method)| method);
            let methods = methods.chain(actions.requests().map(|(_, _, method)| method));
            let own = methods.filter_map(|method| match &method.authorization {
                MethodAuthorization::Own(own) => own.get(format),
                MethodAuthorization::Inherited | MethodAuthorization::None => None,
            });
            if let Some(fields) = self.credentials.fields_mut(format) {
                own.flat_map(Authorization::fields).for_each(|name| fields.mark_secret(name));
            }
        }
        resources.document(documentation)?;
        for (resource, name, method) in resources.methods() {
            let at = ["resources", resource, name].map(|key| Step::Key(key.to_owned()));
            self.refuse_secrets_in_url(method, &node.at(&at))?;
            if self.base_url.is_none() && method.base_url.is_none() {
                node.at(&at).warn("can't be called, because neither it nor the integration has a \"base_url\"");
            }
        }
        for (action, step, method) in actions.requests() {
            self.refuse_secrets_in_url(method, &node.at(&config_of_step(action, step)))?;
        }
        for (action, step, form) in actions.forms() {
            form.check_options(&resources, &node.at(&config_of_step(action, step)))?;
        }
        for (action, step, call) in actions.calls() {
            call.find(&resources, &node.at(&config_of_step(action, step)));
        }
        (self.resources, self.shared, self.actions) = (resources, shared, actions);
        Ok(())
    }

    fn formats(&self) -> impl Iterator<Item = AuthenticationMethod> + use<> {
        let has = FORMATS.map(|format| self.credentials.has(format));
        FORMATS.into_iter().zip(has).filter_map(|(format, has)| has.then_some(format))
    }

    fn refuse_secrets_in_url(&self, method: &Method, node: &Node<'_>) -> Result<(), DefinitionError> {
        let (placeholders, object) = (method.in_url(), node.object()?);
        self.formats().try_for_each(|format| refuse_secrets(&placeholders, self.credentials.fields(format), &object))
    }

    /// A method that a caller gives for one call.
    pub(super) fn method_of_call(&self, node: &Node<'_>) -> Result<Method, DefinitionError> {
        let availables = availables(&self.credentials, true);
        let decoder = Decoder { shared: &self.shared, availables: &availables, origins: &self.own.origins };
        let method = decoder.method("methodConfig", node)?;
        self.refuse_secrets_in_url(&method, node)?;
        Ok(method)
    }
}

/// `has_call`: whether the templates belong to a call.
fn availables(credentials: &Credentials, has_call: bool) -> Vec<Available<'_>> {
    let of = |format| {
        let fields = credentials.fields(format).into_iter().flatten();
        Available { format, fields: fields.map(|field| field.name.as_str()).collect(), has_call, is_refresh: false }
    };
    FORMATS.into_iter().filter(|format| credentials.has(*format)).map(of).collect()
}

fn base_url(node: &Node<'_>, own: &Additions) -> Result<Address, DefinitionError> {
    let url = Address::decode(node, &own.origins)?;
    if url.has_query() {
        return Err(node.fail("has a query; calls are made below this URL, so remove everything from the ? on"));
    }
    Ok(url)
}

/// A secret in a URL would be stored and shown. A stored definition with one can't fill it: see [`Address::resolve`].
fn refuse_secrets(
    placeholders: &[&Placeholder],
    fields: Option<&Fields>,
    config: &Object<'_>,
) -> Result<(), DefinitionError> {
    let is_secret = |name: &str| {
        is_always_credential(name) || fields.and_then(|fields| fields.get(name)).is_some_and(|field| field.secret)
    };
    for placeholder in placeholders.iter().filter(|placeholder| placeholder.names_secret(is_secret)) {
        config.fail_if_written(format_args!(
            "has {} in a URL, but it is a secret, and URLs are stored and shown; send it in a header or in the query",
            placeholder.source()
        ))?;
    }
    Ok(())
}

const MAX_LABEL_CHARS: usize = 80;

fn label(node: &Node<'_>) -> Result<String, DefinitionError> {
    let text = node.text()?.trim();
    if let Some(label) = name::one_line(text, MAX_LABEL_CHARS) {
        return Ok(label.to_owned());
    }
    node.fail_if_written(format_args!(
        "{} is not a label; write 1 to {MAX_LABEL_CHARS} characters on one line",
        quoted(text)
    ))?;
    Ok(provider_text::single_line(text, MAX_LABEL_CHARS))
}

/// Where a step of an action has its `config`.
fn config_of_step(action: &str, step: usize) -> [Step; 5] {
    let key = |key: &str| Step::Key(key.to_owned());
    [key("actions"), key(action), key("steps"), Step::Item(step), key("config")]
}
