//! What a definition runs in several steps (contract section 4.8): after a sign-in, in place of a refresh, or when a program asks for it.

mod decode;
mod form;
mod submission;

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use serde_json::{Map, Value};

pub use self::{
    form::{FetchedOptions, FixedOption, Form, FormField, FormFieldKind, FormOptions},
    submission::{FormProblem, Submission},
};
use super::{
    node::Node,
    resources::{Method, Resources},
};
use crate::{account::ConnectStep, template::Template};

/// The action that replaces a refresh. Its steps leave the new tokens at `oauth.token` of the context.
pub const REFRESH_ACTION: &str = "refresh_token";

/// The names that Relink itself runs. A program can't run them by name.
pub const RESERVED_ACTIONS: [&str; 4] = ["post_install", "validation", REFRESH_ACTION, POST_CONNECT_USER_FORM];
const POST_CONNECT_USER_FORM: &str = "post_connect_user_form";

/// The actions of a definition, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Actions(BTreeMap<String, Action>);

/// Steps that run one after the other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Action {
    pub steps: Vec<Step>,
}

/// A step of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    pub kind: StepKind,
    /// JSONata. If its result is nothing, null, false, 0 or an empty text, the step is skipped.
    pub run_if: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StepKind {
    /// A request of its own.
    Request(Box<Method>),
    /// A request that names a method of a resource.
    Call(NamedCall),
    /// Gives what an expression makes of the results so far.
    Transform(Arc<str>),
    /// Puts the running result into the context, or what an expression makes of it.
    UpdateContext(Option<Arc<str>>),
    /// Puts these values into the context.
    SetContext(Map<String, Value>),
    /// Gives the context.
    GetContext,
    /// A form for the person after the sign-in.
    Form(Box<Form>),
}

/// A call of a method by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedCall {
    pub api: CallApi,
    pub resource: String,
    pub method: String,
    /// An object. Its `id` names the record.
    pub query: Option<Template>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallApi {
    Proxy,
    Unified,
}

impl NamedCall {
    /// The method. Warns if there is none; those of the unified API are in no definition. `node`: the object that names it.
    pub(in crate::integration) fn find<'a>(&self, resources: &'a Resources, node: &Node<'_>) -> Option<&'a Method> {
        if self.api == CallApi::Unified {
            return None;
        }
        let found = resources.get(&self.resource).and_then(|resource| resource.get(&self.method));
        if found.is_none() {
            node.warn(format_args!(
                "names the method {:?} of the resource {:?}, which \"resources\" doesn't have, so the call will fail",
                self.method, self.resource
            ));
        }
        found
    }
}

impl Actions {
    pub fn get(&self, name: &str) -> Option<&Action> {
        self.0.get(name)
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Action)> {
        self.0.iter().map(|(name, action)| (name.as_str(), action))
    }

    /// The connect step from this one on that the definition has.
    pub fn connect_step_from(&self, first: ConnectStep) -> Option<ConnectStep> {
        let steps = [ConnectStep::PostInstall, ConnectStep::Validation];
        let has_steps = |step: &ConnectStep| self.get(step.action()).is_some_and(|action| !action.steps.is_empty());
        steps.into_iter().skip_while(|step| *step != first).find(has_steps)
    }

    /// The connect step that runs first after a sign-in; `None`: there is nothing to do.
    pub fn first_connect_step(&self) -> Option<ConnectStep> {
        self.connect_step_from(ConnectStep::PostInstall)
    }

    /// The action that replaces a refresh, if it has anything to do.
    pub fn refresh(&self) -> Option<&Action> {
        self.get(REFRESH_ACTION).filter(|action| !action.steps.is_empty())
    }

    /// The form for the person after the sign-in: the first one of the action `post_connect_user_form` (contract section 2.2). With the
    /// condition under which it is shown.
    pub fn form(&self) -> Option<(&Form, Option<&str>)> {
        self.get(POST_CONNECT_USER_FORM)?.steps.iter().find_map(|step| match &step.kind {
            StepKind::Form(form) => Some((&**form, step.run_if.as_deref())),
            _ => None,
        })
    }

    /// The request of a step, if it has one of its own.
    pub fn request(&self, action: &str, step: usize) -> Option<&Method> {
        self.get(action)?.steps.get(step)?.request()
    }

    /// Every request of its own, with the action's name and the step's place.
    pub(in crate::integration) fn requests(&self) -> impl Iterator<Item = (&str, usize, &Method)> {
        let of = |(name, action)| Self::requests_of(name, action);
        self.iter().flat_map(of)
    }

    /// Every request that names a method, with the action's name and the step's place.
    pub(in crate::integration) fn calls(&self) -> impl Iterator<Item = (&str, usize, &NamedCall)> {
        self.iter().flat_map(|(name, action)| {
            let steps = action.steps.iter().enumerate();
            steps.filter_map(move |(at, step)| match &step.kind {
                StepKind::Call(call) => Some((name, at, call)),
                _ => None,
            })
        })
    }

    /// Every form, with the action's name and the step's place.
    pub(in crate::integration) fn forms(&self) -> impl Iterator<Item = (&str, usize, &Form)> {
        self.iter().flat_map(|(name, action)| {
            let steps = action.steps.iter().enumerate();
            steps.filter_map(move |(at, step)| match &step.kind {
                StepKind::Form(form) => Some((name, at, &**form)),
                _ => None,
            })
        })
    }

    fn requests_of<'a>(name: &'a str, action: &'a Action) -> impl Iterator<Item = (&'a str, usize, &'a Method)> {
        let steps = action.steps.iter().enumerate();
        steps.filter_map(move |(at, step)| step.request().map(|method| (name, at, method)))
    }

    /// Its JSONata expressions with their places in the config, to be checked when the definition is written.
    pub fn expressions(&self) -> Vec<(String, &str)> {
        let mut found = Vec::new();
        for (name, action) in self.iter() {
            for (at, step) in action.steps.iter().enumerate() {
                let place = format!("actions.{name}.steps[{at}]");
                found.extend(step.run_if.as_deref().map(|text| (format!("{place}.run_if"), text)));
                let own = match &step.kind {
                    StepKind::Transform(text) => Some(("config.expression", text.as_ref())),
                    StepKind::UpdateContext(text) => text.as_deref().map(|text| ("config.expression", text)),
                    StepKind::Form(form) => form.validation.as_deref().map(|text| ("config.validation", text)),
                    StepKind::Request(_) | StepKind::Call(_) | StepKind::SetContext(_) | StepKind::GetContext => None,
                };
                found.extend(own.map(|(key, text)| (format!("{place}.{key}"), text)));
            }
        }
        found
    }
}

impl Step {
    fn request(&self) -> Option<&Method> {
        match &self.kind {
            StepKind::Request(method) => Some(method),
            _ => None,
        }
    }
}

impl StepKind {
    /// Its `type` in a definition.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Request(_) | Self::Call(_) => "request",
            Self::Transform(_) => "transform",
            Self::UpdateContext(_) => "update_context",
            Self::SetContext(_) => "set_context",
            Self::GetContext => "get_context",
            Self::Form(_) => "form",
        }
    }
}
