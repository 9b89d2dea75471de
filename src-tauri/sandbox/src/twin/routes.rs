//! The routes of a twin's API.

use axum::{
    http::{HeaderValue, StatusCode},
    response::Response,
};
use serde_json::{Map, Value, json};

use super::{
    call::{Call, match_path},
    paging::{self, Start},
    records::{self, with},
    respond,
};
use crate::{
    provider::Provider,
    scenario::{
        Action, Answer, Collection, Create, Filter, List, Lookup, Route, Scenario,
        template::{find as find_value, text_of},
    },
};

pub(crate) struct Matched<'s> {
    pub(crate) route: &'s Route,
    pub(crate) scope: Value,
}

/// The first route that a call matches. `scope`: makes the templates' scope of the path's values.
pub(crate) fn find<'s>(
    scenario: &'s Scenario,
    call: &Call,
    scope: impl Fn(Map<String, Value>) -> Value,
) -> Option<Matched<'s>> {
    let routes = scenario.routes.iter().filter(|route| call.method == *route.method);
    routes.filter_map(|route| Some((route, scope(match_path(&route.path, &call.path)?)))).find_map(|(route, scope)| {
        let contains = |path: &str, text: &str| {
            find_value(&scope, path).is_some_and(|value| text_of(value).to_lowercase().contains(&text.to_lowercase()))
        };
        let matches = route.when.iter().all(|(path, text)| contains(path, text));
        matches.then_some(Matched { route, scope })
    })
}

/// The answer of a route, and its name in the log.
pub(crate) fn answer(
    provider: &Provider,
    scenario: &Scenario,
    route: &Route,
    granted: &[String],
    scope: &Value,
) -> (&'static str, Response) {
    if !route.scopes.is_empty() && !route.scopes.iter().any(|scope| granted.contains(scope)) {
        let separator = &scenario.oauth.authorize.scope_separator;
        let more = json!({ "needed": route.scopes.join(separator) });
        return ("forbidden", respond::error(scenario, "missing_scope", scope, more));
    }
    match try_answer(provider, scenario, route, scope) {
        Ok(response) => ("ok", response),
        Err(Refusal { error, more }) => ("refused", respond::error(scenario, error, scope, more)),
    }
}

/// An error by its name, and what its templates can name.
struct Refusal<'s> {
    error: &'s str,
    more: Value,
}

impl<'s> Refusal<'s> {
    fn new(error: &'s str) -> Self {
        Self { error, more: json!({}) }
    }
}

fn try_answer<'s>(
    provider: &Provider,
    scenario: &'s Scenario,
    route: &'s Route,
    scope: &Value,
) -> Result<Response, Refusal<'s>> {
    if let Some(parent) = &route.parent {
        look_up(provider, scenario, parent, scope)?;
    }
    for (path, error) in &route.needs {
        if find_value(scope, path).is_none_or(|value| value.as_str() == Some("")) {
            let field = path.rsplit('.').next().unwrap_or(path);
            return Err(Refusal { error, more: json!({ "field": field }) });
        }
    }
    match &route.action {
        Action::Answer => Ok(route.answer.as_ref().map_or_else(Response::default, |it| respond::respond(it, scope))),
        Action::Get(lookup) => {
            let item = look_up(provider, scenario, lookup, scope)?;
            Ok(with_item(route.answer.as_ref(), StatusCode::OK, &item, scope))
        }
        Action::Create(create) => {
            let item = created(provider, scenario, create, scope)?;
            Ok(with_item(route.answer.as_ref(), StatusCode::CREATED, &item, scope))
        }
        Action::List(list) => page_of(provider, scenario, list, route.answer.as_ref(), scope),
    }
}

fn collection<'s>(scenario: &'s Scenario, name: &str) -> Result<&'s Collection, Refusal<'s>> {
    // `check` refuses a scenario that names a collection which isn't there; a cursor may name any.
    scenario.collections.get(name).ok_or_else(|| Refusal::new("no_route"))
}

/// The records of a collection for a request, those that callers created first.
pub(crate) fn records_of(provider: &Provider, name: &str, collection: &Collection, scope: &Value) -> Vec<Value> {
    let key = records::key(name, &collection.parents, scope);
    let created = provider.state().memory.created.get(&key).cloned().unwrap_or_default();
    records::all(&key, collection, scope, &created)
}

fn look_up<'s>(
    provider: &Provider,
    scenario: &'s Scenario,
    lookup: &'s Lookup,
    scope: &Value,
) -> Result<Value, Refusal<'s>> {
    let collection = collection(scenario, &lookup.collection)?;
    let records = records_of(provider, &lookup.collection, collection, scope);
    records::look_up(records, lookup, scope).ok_or_else(|| Refusal::new(&lookup.missing))
}

fn created<'s>(
    provider: &Provider,
    scenario: &'s Scenario,
    create: &Create,
    scope: &Value,
) -> Result<Value, Refusal<'s>> {
    let collection = collection(scenario, &create.collection)?;
    let parents = if create.parents.is_empty() { &collection.parents } else { &create.parents };
    let key = records::key(&create.collection, parents, scope);
    let mut state = provider.state();
    let created = state.memory.created.entry(key.clone()).or_default();
    let n = collection.count + u64::try_from(created.len()).unwrap_or_default() + 1;
    let record = records::create(&key, collection, scope, &create.set, n).ok_or_else(|| Refusal::new("no_route"))?;
    created.insert(0, record.clone());
    Ok(record)
}

fn with_item(answer: Option<&Answer>, status: StatusCode, item: &Value, scope: &Value) -> Response {
    match answer {
        Some(answer) => respond::respond(answer, &with(scope, json!({ "item": item }))),
        None => respond::json(status, item),
    }
}

fn page_of<'s>(
    provider: &Provider,
    scenario: &'s Scenario,
    list: &'s List,
    answer: Option<&Answer>,
    scope: &Value,
) -> Result<Response, Refusal<'s>> {
    let unknown = || Refusal::new(list.pages.bad_cursor.as_deref().unwrap_or("no_route"));
    let Start { offset, collection: named } = paging::start(&list.pages, scope).map_err(|_| unknown())?;
    let name = match (&list.collection, &named) {
        (Some(own), Some(named)) if own != named => return Err(unknown()),
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Err(unknown()),
    };
    let collection = scenario.collections.get(name).ok_or_else(unknown)?;
    let mut records = records_of(provider, name, collection, scope);
    for filter in &list.filters {
        filter.apply(&mut records, scope);
    }
    let own_url = format!("{}{}", text_of(&scope["base_url"]), text_of(&scope["request_path"]));
    let page = paging::page(&list.pages, name, &records, offset, scope, &own_url);
    let scope = with(scope, page.values);
    let mut response = match answer {
        Some(answer) => respond::respond(answer, &scope),
        None => respond::json(StatusCode::OK, &scope["items"]),
    };
    if let Some(link) = page.link.and_then(|link| HeaderValue::try_from(link).ok()) {
        response.headers_mut().insert("link", link);
    }
    Ok(response)
}

impl Filter {
    fn apply(&self, records: &mut Vec<Value>, scope: &Value) {
        let wanted = find_value(scope, &self.value).map(text_of).or_else(|| self.default.clone());
        if let Some(wanted) = wanted.filter(|wanted| self.any.as_ref() != Some(wanted)) {
            records.retain(|record| find_value(record, &self.path).is_some_and(|value| text_of(value) == wanted));
        }
    }
}
