//! What an account's `RapidForm` offers, and whether what was filled in is right (contract section 2.2).

use relink_contract::form::{FormOption, FormProblem};
use relink_domain::{
    account::Account,
    integration::actions::{FetchedOptions, Form},
};
use serde_json::{Map, Value};

use super::Onboarding;
use crate::{
    error::{Error, Result},
    provider::BoundProvider,
    step_runner::{StepError, StepScope},
    steps::{is_truthy, query_of},
};

/// Fields' options are at most so many.
const MAX_OPTIONS: usize = 50_000;

impl Onboarding {
    /// The form that an account's person fills in. `None`: there is none, or its condition says no.
    pub(crate) async fn form(&self, account: &Account, provider: &BoundProvider) -> Result<Option<Form>> {
        let Some((form, condition)) = provider.definition.actions().form() else { return Ok(None) };
        if let Some(condition) = condition {
            let none = Map::new();
            let scope = StepScope {
                previous: &Value::Null,
                context: &account.profile.context,
                steps: &[],
                query: &none,
                body: &Value::Null,
            };
            let runner = self.0.uses.runners.required()?;
            let shown =
                runner.evaluate(condition, &scope).await.map_err(|error| form_error(provider.label(), error))?;
            if !is_truthy(&shown.unwrap_or_default()) {
                return Ok(None);
            }
        }
        Ok(Some(form.clone()))
    }

    /// The options of a field, which a call gives whose list is followed to its end. `values`: the account's context with what was filled
    /// in so far.
    pub(crate) async fn form_options(
        &self,
        account: &Account,
        provider: &BoundProvider,
        (label, options): (&str, &FetchedOptions),
        values: &Map<String, Value>,
    ) -> Result<Vec<FormOption>> {
        let failed = |error: StepError| options_error(label, error);
        let call = &options.from;
        let query = query_of(call, account, values).map_err(failed)?;
        let runner = self.0.form_runner.required()?;
        let listed = runner.list(account.id(), call, &query, MAX_OPTIONS).await;
        let redaction = self.redaction_of(account, provider).await;
        let records = listed.map_err(|error| failed(StepError { message: redaction.text(&error.message), ..error }))?;
        let mut offered = Vec::with_capacity(records.len());
        let mut known = std::collections::HashSet::with_capacity(records.len());
        for record in &records {
            let text =
                |path: &relink_domain::integration::JsonPath| path.read(record).map(|text| redaction.text(&text));
            let Some(value) = options.value.find(record).filter(|value| is_scalar(value)) else { continue };
            // Nothing secret is offered, and nothing twice.
            let value = redaction.value(value.clone());
            let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            if known.insert(value.to_string()) {
                let label = text(&options.label).unwrap_or(shown);
                offered.push(FormOption { value, label, sub_text: options.sub_text.as_ref().and_then(text) });
            }
        }
        Ok(offered)
    }

    /// What the form's own validation finds in its values.
    pub(crate) async fn form_problems(&self, label: &str, form: &Form, values: &Value) -> Result<Vec<FormProblem>> {
        let Some(expression) = &form.validation else { return Ok(vec![]) };
        let runner = self.0.form_runner.required()?;
        let found = runner.validate(expression, values).await.map_err(|error| form_error(label, error))?;
        let problems = match found {
            None | Some(Value::Null) => return Ok(vec![]),
            Some(Value::Array(problems)) => problems,
            // JSONata gives a list of one as what is in it.
            Some(problem) => vec![problem],
        };
        let read = |problem: &Value| {
            let field = problem.get("field").and_then(Value::as_str);
            let message = problem.get("message").and_then(Value::as_str)?.to_owned();
            Some(FormProblem { field: field.filter(|name| form.field(name).is_some()).map(str::to_owned), message })
        };
        problems.iter().map(read).collect::<Option<_>>().ok_or_else(|| {
            form_error(label, StepError::new("Its validation gives neither nothing nor a list of fields and messages."))
        })
    }
}

fn is_scalar(value: &Value) -> bool {
    value.is_string() || value.is_number() || value.is_boolean()
}

fn form_error(label: &str, error: StepError) -> Error {
    Error::Step {
        code: "form_failed",
        title: format!("The form of {label} can't be used"),
        message: error.message,
        hint: "Whoever set up the integration must look at its post_connect_user_form.".to_owned(),
        failed: None,
        status: None,
    }
}

fn options_error(label: &str, error: StepError) -> Error {
    Error::Step {
        code: "form_options_failed",
        title: format!("The options of {label} can't be loaded"),
        message: error.message,
        hint: "Try again in a moment. If it keeps happening, whoever set up the integration must look at its form."
            .to_owned(),
        failed: None,
        status: None,
    }
}
