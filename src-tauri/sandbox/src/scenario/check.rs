//! Checks a scenario, so that playing it meets nothing that isn't there.

use serde_json::Value;

use super::{Action, Answer, Lookup, Resources, Scenario, ScenarioError, template};
use crate::registry::PEOPLE;

/// The errors that the engine itself answers with.
const OWN_ERRORS: [&str; 12] = [
    "bad_client",
    "bad_code",
    "bad_grant_type",
    "bad_refresh_token",
    "bad_request",
    "bad_token",
    "expired_token",
    "missing_scope",
    "no_route",
    "no_token",
    "revoked_refresh_token",
    "revoked_token",
];

/// What a template can begin with.
const ROOTS: [&str; 39] = [
    "access_token",
    "base_url",
    "body",
    "client_id",
    "code",
    "count",
    "current_time",
    "date",
    "epoch",
    "epoch_millis",
    "expires_at",
    "expires_in",
    "field",
    "granted",
    "has_more",
    "hex",
    "id_token",
    "is_last",
    "item",
    "items",
    "limit",
    "limit_asked",
    "n",
    "needed",
    "next",
    "next_url",
    "now",
    "number",
    "path",
    "person",
    "query",
    "reason",
    "refresh_token",
    "request_path",
    "scopes",
    "start",
    "time",
    "total",
    "uuid",
];

type Result<T = ()> = std::result::Result<T, ScenarioError>;

pub(crate) fn check(scenario: &Scenario) -> Result {
    let resources = &scenario.resources;
    for name in OWN_ERRORS {
        has_error(resources, name)?;
    }
    if scenario.api.limit.is_some() {
        has_error(resources, "rate_limited")?;
    }
    for error in scenario.api.requires_headers.values() {
        has_error(resources, error)?;
    }
    if scenario.sources.iter().any(|source| !source.starts_with("https://")) || scenario.sources.is_empty() {
        return Err(fail("\"sources\" must name where the provider documents this, with https addresses"));
    }
    if let Some(unknown) = scenario.people.keys().find(|key| !PEOPLE.iter().any(|person| person.key == **key)) {
        return Err(fail(format!("nobody has the key {unknown:?}")));
    }
    if scenario.client.authentication.is_empty() || scenario.oauth.token.bodies.is_empty() {
        return Err(fail("\"authentication\" and \"bodies\" name at least one way each"));
    }
    let token = &scenario.oauth.token;
    for template in [Some(&token.answer), token.refresh_answer.as_ref(), token.id_claims.as_ref()].into_iter().flatten()
    {
        check_template(template)?;
    }
    for route in &resources.routes {
        let unknown = route.scopes.iter().find(|scope| !scenario.oauth.authorize.scopes.contains_key(*scope));
        if let Some(unknown) = unknown {
            return Err(fail(format!("{} {}: the scope {unknown:?} is not described", route.method, route.path)));
        }
    }
    check_resources(resources)
}

pub(crate) fn check_resources(resources: &Resources) -> Result {
    for answer in resources.errors.values() {
        check_answer(answer)?;
    }
    for collection in resources.collections.values() {
        check_template(&collection.record)?;
        collection.within.values().try_for_each(|template| check_template(&Value::from(template.as_str())))?;
    }
    for route in &resources.routes {
        let at = |error: ScenarioError| fail(format!("{} {}: {}", route.method, route.path, error.0));
        check_action(resources, &route.action).map_err(at)?;
        if let Some(parent) = &route.parent {
            check_lookup(resources, parent).map_err(at)?;
        }
        route.needs.values().try_for_each(|error| has_error(resources, error)).map_err(at)?;
        if let Some(answer) = &route.answer {
            check_answer(answer).map_err(at)?;
        }
    }
    Ok(())
}

fn check_action(resources: &Resources, action: &Action) -> Result {
    match action {
        Action::Answer => Ok(()),
        Action::List(list) => {
            if let Some(collection) = &list.collection {
                has_collection(resources, collection)?;
            }
            if let Some(error) = &list.pages.bad_cursor {
                has_error(resources, error)?;
            }
            if list.pages.default_limit == 0 || list.pages.max_limit == 0 {
                return Err(fail("a page has at least one record"));
            }
            Ok(())
        }
        Action::Create(create) => {
            has_collection(resources, &create.collection)?;
            check_template(&create.set)
        }
        Action::Update(update) => {
            check_lookup(resources, &update.record)?;
            check_template(&update.set)
        }
        Action::Get(lookup) | Action::Delete(lookup) => check_lookup(resources, lookup),
    }
}

fn check_lookup(resources: &Resources, lookup: &Lookup) -> Result {
    has_collection(resources, &lookup.collection)?;
    has_error(resources, &lookup.missing)
}

fn check_answer(answer: &Answer) -> Result {
    if !(200..600).contains(&answer.status) {
        return Err(fail(format!("{} is no status of an answer", answer.status)));
    }
    for header in answer.headers.values() {
        check_template(&Value::from(header.as_str()))?;
    }
    check_template(&answer.body)
}

fn check_template(template: &Value) -> Result {
    let known = |path: &&str| path.split('.').next().is_some_and(|root| ROOTS.contains(&root));
    match template::paths(template).into_iter().find(|path| !known(path)) {
        Some(unknown) => Err(fail(format!("nothing is named {unknown:?}"))),
        None => Ok(()),
    }
}

fn has_error(resources: &Resources, name: &str) -> Result {
    if resources.errors.contains_key(name) { Ok(()) } else { Err(fail(format!("\"errors\" has no {name:?}"))) }
}

fn has_collection(resources: &Resources, name: &str) -> Result {
    if resources.collections.contains_key(name) {
        Ok(())
    } else {
        Err(fail(format!("\"collections\" has no {name:?}")))
    }
}

fn fail(message: impl Into<String>) -> ScenarioError {
    ScenarioError(message.into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::Scenario;

    #[test]
    fn every_built_in_scenario_is_well_formed_and_named_after_its_file() {
        for name in Scenario::names() {
            let text = Scenario::built_in(name).expect("a text");
            let scenario = Scenario::parse(text).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(scenario.name(), name);
        }
        assert_eq!(Scenario::built_in("nobody"), None);
    }

    #[test]
    fn what_a_scenario_names_must_be_there() {
        let text = Scenario::built_in("github").expect("a text");
        let refused = |pointer: &str, value: Value| {
            let mut scenario: Value = serde_json::from_str(text).expect("JSON");
            let (parent, name) = pointer.rsplit_once('/').expect("a member");
            let parent = scenario.pointer_mut(parent).and_then(Value::as_object_mut).expect("an object");
            if value.is_null() {
                drop(parent.remove(name));
            } else {
                drop(parent.insert(name.to_owned(), value));
            }
            Scenario::parse(&scenario.to_string()).expect_err(pointer).to_string()
        };
        for (pointer, value, says) in [
            ("/errors/bad_token", json!(null), "\"errors\" has no \"bad_token\""),
            ("/errors/rate_limited", json!(null), "\"errors\" has no \"rate_limited\""),
            ("/sources", json!([]), "\"sources\" must name"),
            ("/sources", json!(["http://x"]), "\"sources\" must name"),
            ("/people/zoe", json!({}), "nobody has the key \"zoe\""),
            ("/client/authentication", json!([]), "at least one way"),
            ("/collections/repos", json!(null), "\"collections\" has no \"repos\""),
            ("/api/requires_headers/x", json!("nothing"), "\"errors\" has no \"nothing\""),
            ("/routes/0/scopes", json!(["fly"]), "the scope \"fly\" is not described"),
            ("/routes/0/answer", json!({ "body": "{{nobody.x}}" }), "nothing is named \"nobody.x\""),
            ("/routes/0/answer", json!({ "status": 99 }), "99 is no status"),
            ("/routes/0/needs", json!({ "body.x": "nothing" }), "\"errors\" has no \"nothing\""),
            ("/unknown", json!(1), "unknown field"),
        ] {
            let said = refused(pointer, value);
            assert!(said.contains(says), "{pointer}: {said}");
        }
    }
}
