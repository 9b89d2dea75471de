//! The routes of an API that is played.

use axum::{
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
};
use serde_json::{Map, Value, json};

use super::{
    call::{Call, match_path},
    conditions,
    paging::{self, Start},
    records::{self, with},
    respond,
};
use crate::{
    provider::Provider,
    scenario::{
        Action, Answer, Collection, Create, List, Lookup, Resources, Route, Update,
        template::{find as find_value, text_of},
    },
};

pub(crate) struct Matched<'s> {
    pub(crate) route: &'s Route,
    pub(crate) scope: Value,
}

/// The first route that a call matches. `scope`: makes the templates' scope of the path's values.
pub(crate) fn find<'s>(
    resources: &'s Resources,
    call: &Call,
    scope: impl Fn(Map<String, Value>) -> Value,
) -> Option<Matched<'s>> {
    let routes = resources.routes.iter().filter(|route| call.method == *route.method);
    let mut of_path = routes.filter_map(|route| Some((route, scope(match_path(&route.path, &call.path)?))));
    of_path.find_map(|(route, scope)| Some(Matched { route, scope: with_captured(route, scope)? }))
}

/// The scope with what the texts of `when` capture. None: the request doesn't contain one of them.
fn with_captured(route: &Route, scope: Value) -> Option<Value> {
    let mut captured = Map::new();
    for (path, pattern) in &route.when {
        captured.extend(capture(&text_of(find_value(&scope, path)?), pattern)?);
    }
    Some(if captured.is_empty() { scope } else { with(&scope, json!({ "path": captured })) })
}

/// What the `{name}` of a pattern stand for in a text that contains it.
fn capture(text: &str, pattern: &str) -> Option<Map<String, Value>> {
    let (literal, mut pattern) = pattern.split_once('{').unwrap_or((pattern, ""));
    let at = text.to_ascii_lowercase().find(&literal.to_ascii_lowercase())?;
    let mut text = text.get(at + literal.len()..)?;
    let mut values = Map::new();
    while let Some((name, behind)) = pattern.split_once('}') {
        let (value, rest) = text.split_at(text.find(|c: char| c.is_whitespace() || c == '/').unwrap_or(text.len()));
        values.insert(name.to_owned(), value.into());
        let (literal, next) = behind.split_once('{').unwrap_or((behind, ""));
        (text, pattern) = (rest.strip_prefix(literal)?, next);
    }
    Some(values)
}

/// The provider's time, as records have it.
pub(crate) fn current_time(provider: &Provider) -> String {
    jiff::Timestamp::from_millisecond(provider.now()).map(|at| format!("{at:.0}")).unwrap_or_default()
}

/// The answer of a route, and its name in the log.
pub(crate) fn answer(
    provider: &Provider,
    resources: &Resources,
    route: &Route,
    scope: &Value,
) -> (&'static str, Response) {
    match try_answer(provider, resources, route, scope) {
        Ok(response) => ("ok", response),
        Err(Refusal { error, more }) => ("refused", respond::error(resources, error, scope, more)),
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
    resources: &'s Resources,
    route: &'s Route,
    scope: &Value,
) -> Result<Response, Refusal<'s>> {
    if let Some(parent) = &route.parent {
        look_up(provider, resources, parent, scope)?;
    }
    for (path, error) in &route.needs {
        if find_value(scope, path).is_none_or(|value| value.as_str() == Some("")) {
            let field = path.rsplit('.').next().unwrap_or(path);
            return Err(Refusal { error, more: json!({ "field": field }) });
        }
    }
    let answer = route.answer.as_ref();
    match &route.action {
        Action::Answer => Ok(answer.map_or_else(Response::default, |it| respond::respond(it, scope))),
        Action::Get(lookup) => {
            let Found { record, .. } = look_up(provider, resources, lookup, scope)?;
            Ok(with_item(answer, StatusCode::OK, &record, scope))
        }
        Action::Create(create) => {
            let item = created(provider, resources, create, scope)?;
            Ok(with_item(answer, StatusCode::CREATED, &item, scope))
        }
        Action::Update(update) => {
            let item = updated(provider, resources, update, scope)?;
            Ok(with_item(answer, StatusCode::OK, &item, scope))
        }
        Action::Delete(lookup) => {
            let Found { key, n, record } = look_up(provider, resources, lookup, scope)?;
            provider.state().memory.changes.entry(key).or_default().insert(n, None);
            Ok(answer.map_or_else(
                || StatusCode::NO_CONTENT.into_response(),
                |it| respond::respond(it, &with(scope, json!({ "item": record }))),
            ))
        }
        Action::List(list) => page_of(provider, resources, list, answer, scope),
    }
}

fn collection<'s>(resources: &'s Resources, name: &str) -> Result<&'s Collection, Refusal<'s>> {
    // `check` refuses a file that names a collection which isn't there; a cursor may name any.
    resources.collections.get(name).ok_or_else(|| Refusal::new("no_route"))
}

/// The records of a collection for a request, with their numbers, those that callers created first.
pub(crate) fn records_of(provider: &Provider, name: &str, collection: &Collection, scope: &Value) -> Vec<(u64, Value)> {
    let key = records::key(name, &collection.parents, scope);
    let changes = provider.state().memory.changes.get(&key).cloned().unwrap_or_default();
    records::all(&key, collection, scope, &changes)
}

/// A record, and where changes of it are kept.
struct Found {
    key: String,
    n: u64,
    record: Value,
}

fn look_up<'s>(
    provider: &Provider,
    resources: &'s Resources,
    lookup: &'s Lookup,
    scope: &Value,
) -> Result<Found, Refusal<'s>> {
    let collection = collection(resources, &lookup.collection)?;
    let records = records_of(provider, &lookup.collection, collection, scope);
    let (n, record) = records::look_up(records, lookup, scope).ok_or_else(|| Refusal::new(&lookup.missing))?;
    Ok(Found { key: records::key(&lookup.collection, &collection.parents, scope), n, record })
}

fn created<'s>(
    provider: &Provider,
    resources: &'s Resources,
    create: &Create,
    scope: &Value,
) -> Result<Value, Refusal<'s>> {
    let collection = collection(resources, &create.collection)?;
    let parents = if create.parents.is_empty() { &collection.parents } else { &create.parents };
    let key = records::key(&create.collection, parents, scope);
    let mut state = provider.state();
    let changes = state.memory.changes.entry(key.clone()).or_default();
    let n = changes.last_key_value().map_or(0, |(n, _)| *n).max(collection.count) + 1;
    let record = records::create(&key, collection, scope, &create.set, n).ok_or_else(|| Refusal::new("no_route"))?;
    changes.insert(n, Some(record.clone()));
    Ok(record)
}

fn updated<'s>(
    provider: &Provider,
    resources: &'s Resources,
    update: &'s Update,
    scope: &Value,
) -> Result<Value, Refusal<'s>> {
    let Found { key, n, record } = look_up(provider, resources, &update.record, scope)?;
    let record = records::updated(record, &update.set, scope);
    provider.state().memory.changes.entry(key).or_default().insert(n, Some(record.clone()));
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
    resources: &'s Resources,
    list: &'s List,
    answer: Option<&Answer>,
    scope: &Value,
) -> Result<Response, Refusal<'s>> {
    let unknown = || Refusal::new(list.pages.bad_cursor.as_deref().unwrap_or("no_route"));
    let start = paging::start(&list.pages, scope).map_err(|_| unknown())?;
    let scope = &paging::with_remembered(&list.pages, &start, scope);
    let Start { offset, collection: named, .. } = start;
    let name = match (&list.collection, &named) {
        (Some(own), Some(named)) if own != named => return Err(unknown()),
        (Some(name), _) | (None, Some(name)) => name,
        (None, None) => return Err(unknown()),
    };
    let collection = resources.collections.get(name).ok_or_else(unknown)?;
    let conditions = conditions::of(list, scope);
    let records = records_of(provider, name, collection, scope).into_iter().map(|(_, record)| record);
    let now = provider.now();
    let records: Vec<_> = records.filter(|record| conditions.iter().all(|it| it.holds(record, now))).collect();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_captures_what_stands_in_the_place_of_its_names() {
        let captured = |text, pattern| capture(text, pattern).map(Value::Object);
        assert_eq!(captured("SELECT Id FROM Contact", "from contact"), Some(json!({})));
        assert_eq!(captured("SELECT Id FROM Account", "from contact"), None);
        let repository = "repo:{owner}/{repo}";
        let expected = json!({ "owner": "ada", "repo": "engine" });
        assert_eq!(captured("is:issue repo:ada/engine state:open", repository), Some(expected));
        assert_eq!(captured("is:issue repo:ada", repository), None);
    }
}
