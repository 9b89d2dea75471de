//! The editor of mappings, and its playground.

use relink_api::{MappingTrial, Sample, TrialFailure};
use relink_contract::window::{
    MappingAccount, MappingKey, MappingProblem, MappingProblemAt, MappingRef, MappingView, RecordFault, TriedMapping,
};
use relink_domain::{
    AccountId,
    caller::Caller,
    merge::difference,
    unified::{self, KEYS, Mapping, UnifiedModel, faults, merged, of_account},
};
use relink_engine::{
    AccountView, CatalogEntry, Error, Filter, InstalledModel, MappedMethod, MappingLayer, MappingOwner, MappingRow,
    StoredModel,
};
use serde_json::{Map, Value, json};

use crate::{
    App, Result, error_view,
    mapping_draft::{Draft, keys_of},
    unified_models::method_of,
};

/// The methods that read, so that they can be tried with an account.
const READING: [&str; 2] = ["list", "get"];
/// So many differences from the schema are shown.
const MAX_FAULTS: usize = 50;

/// A mapping with the layers that it is made of.
struct Layers {
    model: StoredModel,
    installed: Option<InstalledModel>,
    base: Option<MappingRow>,
    over: Option<MappingRow>,
}

impl Layers {
    fn config(&self) -> Map<String, Value> {
        merged([&self.base, &self.over].map(|row| row.as_ref().map(|row| &row.config))).unwrap_or_default()
    }

    /// The schema of a record.
    fn schema(&self, resource: &str) -> Option<Map<String, Value>> {
        let over = self.installed.as_ref().map(|installed| &installed.r#override);
        let document = merged([Some(&self.model.document), over]).unwrap_or_default();
        UnifiedModel::load(&document).resources.remove(resource)?.schema
    }
}

impl App {
    async fn layers(&self, of: &MappingRef) -> Result<Layers> {
        let models = self.0.engine.unified_models();
        let model = models.model_named(&Caller::Person, &of.model).await.map_err(error_view)?;
        let installed = models.installed(&Caller::Person).await.map_err(error_view)?;
        let installed = installed.into_iter().find(|it| it.model.id == model.id);
        let mapped = mapped(of);
        let row = async |layer, owner| {
            let rows = models.mappings(&Caller::Person, layer).await.map_err(error_view)?;
            Ok(rows.into_iter().find(|row| Some(row.owner) == owner && row.of == mapped))
        };
        let base = row(MappingLayer::Base, Some(MappingOwner::Base(model.id))).await?;
        let environment = installed.as_ref().map(|it| MappingOwner::Environment(it.id));
        let over = row(MappingLayer::Environment, environment).await?;
        Ok(Layers { model, installed, base, over })
    }

    /// The integration's name as people read it.
    async fn integration_label(&self, name: &str) -> Result<String> {
        let entries = self.0.engine.catalog().list(&Caller::Person).await.map_err(error_view)?;
        let found = entries.iter().find(|entry| entry.integration.name == name);
        Ok(found.map_or_else(|| name.to_owned(), CatalogEntry::label))
    }

    pub async fn unified_mapping(&self, of: MappingRef) -> Result<MappingView> {
        let layers = self.layers(&of).await?;
        let accounts = self.0.engine.accounts().list(&Caller::Person, Filter::default()).await.map_err(error_view)?;
        let accounts = accounts.into_iter().filter(|it| it.account.profile.integration == of.integration);
        let config = layers.config();
        let documentation_link = config.get("documentation_link").and_then(Value::as_str).map(str::to_owned);
        Ok(MappingView {
            integration_label: self.integration_label(&of.integration).await?,
            installed: layers.installed.is_some(),
            built_in: layers.model.built_in,
            keys: keys_of(&config),
            base: layers.base.as_ref().map(|row| keys_of(&row.config)).unwrap_or_default(),
            override_version: layers.over.as_ref().map(|row| row.version),
            known_keys: KEYS.iter().map(|key| (*key).to_owned()).collect(),
            accounts: accounts.map(|view| account_view(&view, &of)).collect(),
            sample: pretty(&sample_for(&config, &of.method)),
            documentation_link,
        })
    }

    pub async fn try_mapping(&self, of: MappingRef, keys: Vec<MappingKey>, sample: String) -> Result<TriedMapping> {
        let tried = self.tried(&of, &keys, &sample, None).await?;
        Ok(TriedMapping { sample: None, ..tried })
    }

    pub async fn try_mapping_with_account(
        &self,
        of: MappingRef,
        keys: Vec<MappingKey>,
        sample: String,
        id: AccountId,
    ) -> Result<TriedMapping> {
        if !READING.contains(&of.method.as_str()) {
            let message = format!("{} isn’t tried with an account, because it changes data there.", of.method);
            return Err(error_view(Error::invalid_field("method_writes", "method", message)));
        }
        let account = self.0.engine.accounts().get(&Caller::Person, id).await.map_err(error_view)?.account;
        if account.profile.integration != of.integration {
            return Err(error_view(Error::not_found("account of this integration", &id)));
        }
        self.tried(&of, &keys, &sample, Some(id)).await
    }

    /// Stores what differs from the base.
    pub async fn save_mapping(
        &self,
        of: MappingRef,
        keys: Vec<MappingKey>,
        version: Option<i64>,
    ) -> Result<Vec<String>> {
        let layers = self.layers(&of).await?;
        let name = of_name(&of, &self.integration_label(&of.integration).await?);
        let draft = Draft::read(&name, &keys).map_err(|problem| {
            let message = format!("{}: {}", problem.place, problem.problem);
            error_view(Error::invalid_field("mapping_invalid", problem.key.unwrap_or_default(), message))
        })?;
        let Some(installed) = layers.installed else {
            return Err(error_view(Error::not_found("installed unified model", &of.model)));
        };
        let base = layers.base.map(|row| row.config).unwrap_or_default();
        let over = difference(&base, &draft.config);
        let models = self.0.engine.unified_models();
        models.override_mapping(&Caller::Person, installed.id, mapped(&of), over, version).await.map_err(error_view)
    }

    async fn tried(
        &self,
        of: &MappingRef,
        keys: &[MappingKey],
        text: &str,
        account: Option<AccountId>,
    ) -> Result<TriedMapping> {
        let label = self.integration_label(&of.integration).await?;
        let name = of_name(of, &label);
        let draft = match Draft::read(&name, keys) {
            Ok(draft) => draft,
            Err(problem) => return Ok(only(problem)),
        };
        let calls = &self.0.local_calls;
        for (path, expression) in draft.mapping.expressions() {
            if let Err(error) = calls.check_expression(&Caller::Person, expression).await {
                let advice = error.advice.map(|advice| format!(" {advice}")).unwrap_or_default();
                let said = format!("{}{advice}", error.message);
                return Ok(only(draft.problem(&path, error.position, &said)));
            }
        }
        let sample: Sample = match serde_json::from_str(text) {
            Ok(sample) => sample,
            Err(error) => return Ok(only(sample_problem(&error))),
        };
        let method = method_of(of);
        let trial = match account {
            None => calls.try_on_sample(&Caller::Person, method, &of.integration, &draft.mapping, &sample).await,
            Some(id) => {
                let tried = calls.try_with_account(&Caller::Person, id, method, &draft.mapping, &sample);
                Box::pin(tried).await.map_err(crate::calls::problem_view)?
            }
        };
        let schema = self.layers(of).await?.schema(&of.resource);
        Ok(shown(trial, &draft, text, schema.as_ref()))
    }
}

fn shown(trial: MappingTrial, draft: &Draft<'_>, sample: &str, schema: Option<&Map<String, Value>>) -> TriedMapping {
    let MappingTrial { sent, received, outcome, unanswered } = trial;
    let sample = received.and_then(|received| {
        let mut sample: Value = serde_json::from_str(sample).ok()?;
        sample.as_object_mut()?.shift_remove("error");
        sample["response"] = received;
        Some(pretty(&sample))
    });
    let found = schema.zip(outcome.as_ref().ok()).map(|(schema, answer)| differences(schema, answer));
    let problem = outcome.as_ref().err().map(|failure| problem_of(failure, draft));
    let output = match &outcome {
        Ok(answer) => Some(answer),
        Err(TrialFailure { mapping: Some(_), .. }) => None,
        Err(TrialFailure { body, .. }) => Some(body),
    };
    TriedMapping {
        request: sent.as_ref().map(pretty),
        sample,
        output: output.map(pretty),
        problem,
        faults: found.unwrap_or_default(),
        unanswered,
    }
}

fn problem_of(TrialFailure { body, mapping }: &TrialFailure, draft: &Draft<'_>) -> MappingProblem {
    if let Some(failed) = mapping {
        return draft.failed(&failed.key, failed.position, failed.record, &failed.problem);
    }
    let said = body.get("message").and_then(Value::as_str).unwrap_or_default();
    let status = body.get("statusCode").and_then(Value::as_u64);
    let is_remote = body.get("truto_is_remote_error") == Some(&Value::Bool(true));
    let who = if is_remote { "The provider answered with status " } else { "The caller gets status " };
    let status = status.map(|status| format!("{who}{status}: ")).unwrap_or_default();
    draft.failed("", None, None, &format!("{status}{said}"))
}

/// How the records of an answer differ from their schema.
fn differences(schema: &Map<String, Value>, answer: &Value) -> Vec<RecordFault> {
    let fault = |record: Option<usize>, it: unified::SchemaFault| {
        let unified::SchemaFault { path, problem } = it;
        RecordFault { record, path, problem }
    };
    match answer.get("result").and_then(Value::as_array) {
        Some(records) => {
            let of = |(at, record)| faults(schema, record).into_iter().map(move |it| fault(Some(at + 1), it));
            records.iter().enumerate().flat_map(of).take(MAX_FAULTS).collect()
        }
        // What a custom method answers, or a deletion, is no record.
        None if answer.get("result").is_some() || answer.as_object().is_some_and(|it| it.len() == 1) => Vec::new(),
        None => faults(schema, answer).into_iter().map(|it| fault(None, it)).take(MAX_FAULTS).collect(),
    }
}

fn only(problem: MappingProblem) -> TriedMapping {
    TriedMapping { problem: Some(problem), ..TriedMapping::default() }
}

fn sample_problem(error: &serde_json::Error) -> MappingProblem {
    MappingProblem {
        at: MappingProblemAt::Sample,
        key: None,
        place: "Input".to_owned(),
        line: Some(error.line()).filter(|line| *line > 0),
        column: Some(error.column()).filter(|column| *column > 0),
        problem: format!("The input can’t be read: {error}."),
    }
}

fn of_name(of: &MappingRef, label: &str) -> String {
    format!("{}/{} {} on {label}", of.model, of.resource, of.method)
}

fn mapped(of: &MappingRef) -> MappedMethod {
    MappedMethod {
        integration_name: of.integration.clone(),
        resource_name: of.resource.clone(),
        method_name: of.method.clone(),
    }
}

fn account_view(view: &AccountView, of: &MappingRef) -> MappingAccount {
    let profile = &view.account.profile;
    MappingAccount {
        id: view.account.id(),
        name: profile.name.clone(),
        is_overridden: of_account(&profile.settings.unified_model_override, method_of(of)).is_some(),
    }
}

/// An input with what the mapping requires.
fn sample_for(config: &Map<String, Value>, method: &str) -> Value {
    let mapping = Mapping::load(config).unwrap_or_default();
    let example = |name: &String| (name.clone(), example_of(mapping.query_schema.as_ref(), name));
    let required = mapping.required_query.always.iter().filter(|name| *name != "id");
    let mut sample = Map::new();
    if method == "get" || method == "update" || method == "delete" {
        sample.insert("id".to_owned(), "1".into());
    }
    sample.insert("query".to_owned(), required.map(example).collect::<Map<_, _>>().into());
    if method == "create" || method == "update" {
        sample.insert("body".to_owned(), json!({}));
    }
    sample.insert("response".to_owned(), if method == "list" { json!([]) } else { json!({}) });
    sample.into()
}

/// A value of a property that must be there.
fn example_of(schema: Option<&Map<String, Value>>, name: &str) -> Value {
    let properties = schema.and_then(|schema| schema.get("properties")?.as_object()).or(schema);
    let Some(property) = properties.and_then(|it| it.get(name)?.as_object()) else { return "…".into() };
    let first = property.get("enum").and_then(|values| values.get(0));
    match property.get("type").and_then(Value::as_str) {
        _ if first.is_some() => first.cloned().unwrap_or_default(),
        Some("object") => {
            let below = property.get("required").and_then(Value::as_array).into_iter().flatten();
            let members = below.filter_map(Value::as_str).map(|it| (it.to_owned(), example_of(Some(property), it)));
            members.collect::<Map<_, _>>().into()
        }
        Some("integer" | "number") => 1.into(),
        Some("boolean") => true.into(),
        Some("array") => json!([]),
        _ => "…".into(),
    }
}

fn pretty(value: &Value) -> String {
    // A value can always be serialized.
    serde_json::to_string_pretty(value).unwrap_or_default()
}
