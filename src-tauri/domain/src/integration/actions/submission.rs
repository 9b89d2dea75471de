//! What a person filled into a `RapidForm`, checked (contract section 2.2).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::{Form, FormField, FormFieldKind, FormOptions};
use crate::Secret;

/// A form that can be submitted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Submission {
    /// The values, by the context's keys. Null: the person emptied the field.
    pub context: Map<String, Value>,
    /// What was typed into password fields, for the keychain.
    pub secrets: BTreeMap<String, Secret>,
}

/// A mistake in what was filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FormProblem {
    /// `None`: it is about the whole form.
    pub field: Option<String>,
    pub message: String,
}

impl FormProblem {
    fn at(field: &FormField, message: impl Into<String>) -> Self {
        Self { field: Some(field.name.clone()), message: message.into() }
    }
}

impl Form {
    /// Checks what a person filled in: `values` and `secrets` by the names of fields. A field whose `depends_on` has no value can't be
    /// filled in, so it isn't required. `present`: the account's context; `kept`: the password fields that have a value already.
    pub fn check(
        &self,
        values: &Map<String, Value>,
        secrets: BTreeMap<String, Secret>,
        (present, kept): (&Map<String, Value>, &BTreeSet<String>),
    ) -> Result<Submission, Vec<FormProblem>> {
        let names = values.keys().map(|name| (name, false)).chain(secrets.keys().map(|name| (name, true)));
        let is_own = |(name, is_secret): &(&String, bool)| {
            self.field(name).is_some_and(|field| (field.kind == FormFieldKind::Password) == *is_secret)
        };
        let mut problems: Vec<_> = names
            .filter(|name| !is_own(name))
            .map(|(name, _)| FormProblem {
                field: None,
                message: format!("The form has no field {name:?} of this kind."),
            })
            .collect();
        let typed: BTreeMap<_, _> = secrets.into_iter().filter(|(_, secret)| !secret.expose().is_empty()).collect();
        let has_value = |name: &String| {
            let given = values.get(name).zip(self.field(name));
            given.is_some_and(|(value, field)| field.is_filled(value))
                || typed.contains_key(name)
                || kept.contains(name)
        };
        let mut submission = Submission::default();
        let (open, waiting): (Vec<_>, Vec<_>) =
            self.fields.iter().partition(|field| field.depends_on.iter().all(has_value));
        for field in waiting.into_iter().filter(|field| present.contains_key(&field.name)) {
            submission.context.insert(field.name.clone(), field.kind.nothing());
        }
        for field in open {
            if field.kind == FormFieldKind::Password {
                match typed.get(&field.name) {
                    Some(secret) => drop(submission.secrets.insert(field.name.clone(), secret.clone())),
                    None if field.required && !has_value(&field.name) => problems.push(field.missing()),
                    None => {}
                }
                continue;
            }
            match field.value_of(values.get(&field.name).unwrap_or(&Value::Null)) {
                Err(problem) => problems.push(problem),
                Ok(value) if field.required && !field.is_filled(&value) => problems.push(field.missing()),
                // A key that was never there isn't made to say that it has no value.
                Ok(value) if !value.is_null() || present.contains_key(&field.name) => {
                    submission.context.insert(field.name.clone(), value);
                }
                Ok(_) => {}
            }
        }
        if problems.is_empty() { Ok(submission) } else { Err(problems) }
    }

    /// What the form's own validation sees: its values, in which each chosen item is an object with `value`. Passwords aren't in it.
    pub fn as_validated(&self, submission: &Submission) -> Value {
        let item = |value: &Value| json!({ "value": value });
        let shown = submission.context.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| {
            let value = match (self.field(name).map(|field| field.kind), value) {
                (Some(FormFieldKind::SingleSelect), value) => item(value),
                (Some(FormFieldKind::MultiSelect), Value::Array(chosen)) => chosen.iter().map(item).collect(),
                (_, value) => value.clone(),
            };
            (name.clone(), value)
        });
        Value::Object(shown.collect())
    }
}

impl FormFieldKind {
    /// What an empty field has.
    fn nothing(self) -> Value {
        match self {
            Self::MultiSelect => Value::Array(vec![]),
            Self::Checkbox => false.into(),
            Self::SingleSelect | Self::Text | Self::Password | Self::Hidden => Value::Null,
        }
    }
}

impl FormField {
    /// Whether this is a value of the field, and not its emptiness.
    fn is_filled(&self, value: &Value) -> bool {
        match value {
            Value::Null => false,
            Value::Bool(flag) => *flag || self.kind != FormFieldKind::Checkbox,
            Value::String(text) => !text.trim().is_empty(),
            Value::Array(items) => !items.is_empty(),
            Value::Number(_) | Value::Object(_) => true,
        }
    }

    fn missing(&self) -> FormProblem {
        let message = match self.kind {
            FormFieldKind::SingleSelect => "Select an option.".to_owned(),
            FormFieldKind::MultiSelect => "Select at least one.".to_owned(),
            FormFieldKind::Text | FormFieldKind::Password => "Enter a value.".to_owned(),
            FormFieldKind::Checkbox => "Select this to continue.".to_owned(),
            // Nobody can fill it in.
            FormFieldKind::Hidden => {
                let message = format!("{} has no value, and is filled in by the app that shows this form.", self.label);
                return FormProblem { field: None, message };
            }
        };
        FormProblem::at(self, message)
    }

    /// The value as it is stored. Null: none.
    fn value_of(&self, given: &Value) -> Result<Value, FormProblem> {
        let is_scalar = |value: &Value| value.is_string() || value.is_number() || value.is_boolean();
        let unfit = |what: &str| Err(FormProblem::at(self, format!("The value must be {what}.")));
        match (self.kind, given) {
            (FormFieldKind::Checkbox | FormFieldKind::MultiSelect, Value::Null) => Ok(self.kind.nothing()),
            (FormFieldKind::Checkbox, Value::Bool(_)) => Ok(given.clone()),
            (FormFieldKind::Checkbox, _) => unfit("true or false"),
            (FormFieldKind::MultiSelect, Value::Array(items)) => {
                if !items.iter().all(is_scalar) {
                    return unfit("a list of texts, numbers and flags");
                }
                let mut chosen: Vec<Value> = Vec::new();
                for item in items {
                    self.check_offered(item)?;
                    if !chosen.contains(item) {
                        chosen.push(item.clone());
                    }
                }
                Ok(Value::Array(chosen))
            }
            (FormFieldKind::MultiSelect, _) => unfit("a list"),
            (_, Value::Null) => Ok(Value::Null),
            (_, Value::String(text)) if text.trim().is_empty() => Ok(Value::Null),
            (FormFieldKind::Text, Value::String(text)) => Ok(text.trim().into()),
            (FormFieldKind::Text, _) => unfit("a text"),
            (FormFieldKind::SingleSelect | FormFieldKind::Hidden, value) if is_scalar(value) => {
                self.check_offered(value)?;
                Ok(value.clone())
            }
            (FormFieldKind::SingleSelect | FormFieldKind::Hidden | FormFieldKind::Password, _) => {
                unfit("a text, a number or a flag")
            }
        }
    }

    /// Options that the definition lists are all that there are. Those that the provider lists may have changed since they were shown.
    fn check_offered(&self, value: &Value) -> Result<(), FormProblem> {
        match &self.options {
            FormOptions::Fixed(options) if !options.iter().any(|option| option.value == *value) => {
                Err(FormProblem::at(self, "Select one of the options."))
            }
            FormOptions::Fixed(_) | FormOptions::Fetched(_) | FormOptions::None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::integration::{Definition, parse};

    fn definition(fields: &Value) -> Definition {
        let form = json!({"steps": [{"type": "form", "config": {"fields": fields}}]});
        let document = json!({"name": "acme", "config": {
            "label": "Acme", "base_url": "https://api.acme.example",
            "credentials": {"format": "api_key", "config": {"fields": [
                {"name": "api_key", "label": "Key", "type": "password", "required": true},
            ]}},
            "actions": {"post_connect_user_form": form},
        }});
        parse(&document.to_string()).expect("a definition").definition
    }

    fn all_kinds() -> Definition {
        definition(&json!([
            {"name": "site", "type": "single_select", "required": true, "options": [{"value": 1, "label": "One"}, {"value": "two"}]},
            {"name": "projects", "type": "multi_select", "depends_on": ["site"], "required": true,
             "data_source": {"resource": "projects"}, "options": {"value": "id", "label": "name"}},
            {"name": "note", "type": "text"},
            {"name": "pin", "type": "password", "required": true},
            {"name": "agreed", "type": "checkbox", "required": true},
            {"name": "tenant", "type": "hidden", "required": true},
        ]))
    }

    fn check(
        definition: &Definition,
        values: Value,
        pin: &str,
        present: Value,
    ) -> Result<Submission, Vec<FormProblem>> {
        let (form, _) = definition.actions().form().expect("a form");
        let map = |value: Value| value.as_object().expect("an object").clone();
        let secrets = BTreeMap::from([("pin".to_owned(), Secret::new(pin))]);
        let (present, kept) = (map(present), BTreeSet::new());
        form.check(&map(values), secrets, (&present, &kept))
    }

    #[test]
    fn what_is_filled_in_is_stored_by_the_names_of_the_fields_and_passwords_apart() {
        let acme = all_kinds();
        let values = json!({"site": 1, "projects": ["a", 2, "a"], "note": " hello ", "agreed": true, "tenant": "t-1"});
        let submitted = check(&acme, values, "0000", json!({})).expect("a submission");
        let stored = json!({"site": 1, "projects": ["a", 2], "note": "hello", "agreed": true, "tenant": "t-1"});
        assert_eq!(Value::Object(submitted.context.clone()), stored);
        assert_eq!(submitted.secrets["pin"].expose(), "0000");
        let (form, _) = acme.actions().form().expect("a form");
        let seen = json!({"site": {"value": 1}, "projects": [{"value": "a"}, {"value": 2}], "note": "hello", "agreed": true, "tenant": "t-1"});
        assert_eq!(form.as_validated(&submitted), seen);
        assert!(acme.is_credential("pin") && !acme.is_credential("note"), "a context never shows or takes a password");
    }

    #[test]
    fn each_required_field_without_a_value_is_named_unless_it_waits_for_another() {
        let problems = check(&all_kinds(), json!({"site": "", "agreed": false}), "", json!({})).expect_err("problems");
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_deref()).collect();
        assert_eq!(fields, [Some("site"), Some("pin"), Some("agreed"), None]);
        let problems = check(&all_kinds(), json!({"site": 1, "agreed": true, "tenant": 1}), "1", json!({}));
        assert_eq!(problems.expect_err("problems")[0].field.as_deref(), Some("projects"), "it waits for nothing now");
    }

    #[test]
    fn a_value_that_does_not_fit_is_a_problem_of_its_field() {
        for (field, value, fits) in [
            ("site", json!("three"), "one of the options"),
            ("site", json!({"value": 1}), "a text, a number"),
            ("projects", json!("a"), "a list"),
            ("projects", json!([["a"]]), "a list of texts"),
            ("note", json!(["x"]), "a text"),
            ("agreed", json!("yes"), "true or false"),
        ] {
            let mut values = json!({"site": 1, "projects": ["a"], "agreed": true, "tenant": "t"});
            values[field] = value;
            let problems = check(&all_kinds(), values, "1", json!({})).expect_err(field);
            assert_eq!(problems[0].field.as_deref(), Some(field));
            assert!(problems[0].message.contains(fits), "{problems:?}");
        }
        for name in ["nothing", "pin"] {
            let mut values = json!({"site": 1, "projects": ["a"], "agreed": true, "tenant": "t"});
            values[name] = json!("x");
            let problems = check(&all_kinds(), values, "1", json!({})).expect_err(name);
            assert!(problems[0].message.contains(name), "{problems:?}");
        }
    }

    #[test]
    fn an_emptied_field_empties_its_key_and_one_that_never_had_a_value_adds_none() {
        let acme = definition(&json!([
            {"name": "note", "type": "text"},
            {"name": "tags", "type": "multi_select", "options": [{"value": "a"}]},
        ]));
        let (form, _) = acme.actions().form().expect("a form");
        let nothing = (Map::new(), BTreeSet::new());
        let submit = |present: &Map<String, Value>| {
            form.check(&nothing.0, BTreeMap::new(), (present, &nothing.1)).expect("a submission").context
        };
        assert_eq!(Value::Object(submit(&Map::new())), json!({"tags": []}));
        let present = json!({"note": "old"}).as_object().expect("an object").clone();
        assert_eq!(Value::Object(submit(&present)), json!({"note": null, "tags": []}));
        let chain = definition(&json!([
            {"name": "site", "type": "single_select", "options": [{"value": false, "label": "No"}]},
            {"name": "projects", "type": "multi_select", "required": true, "depends_on": ["site"], "options": [{"value": "a"}]},
        ]));
        let (form, _) = chain.actions().form().expect("a form");
        let present = json!({"site": false, "projects": ["a"]}).as_object().expect("an object").clone();
        let emptied = form.check(&Map::new(), BTreeMap::new(), (&present, &nothing.1)).expect("a submission");
        assert_eq!(Value::Object(emptied.context), json!({"site": null, "projects": []}), "with what depends on it");
        let no = json!({"site": false}).as_object().expect("an object").clone();
        let problems = form.check(&no, BTreeMap::new(), (&present, &nothing.1)).expect_err("projects are required");
        assert_eq!(problems[0].field.as_deref(), Some("projects"), "false is a choice");
    }
}
