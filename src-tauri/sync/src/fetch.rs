//! The call of a request: one page.

use std::sync::Arc;

use relink_domain::sync::{BatchId, Content, Filled, Node, OnNeedsReauth, Recursion, Request};
use serde_json::{Value, value::RawValue};

use crate::{
    host::{Account, Call, Host, RequestError},
    journal::{Place, Scope},
    run::{Interrupt, Wait},
    view::{View, counted, value},
    walk::{Flow, NodeError, Walker, named},
};

/// A task, an element and a page.
pub(crate) type PageKey = [u64; 3];

#[derive(Clone)]
pub(crate) struct Fetched {
    pub(crate) account_id: String,
    pub(crate) account: Arc<Account>,
    pub(crate) records: Arc<Vec<Box<RawValue>>>,
    pub(crate) next_cursor: Option<String>,
}

/// Makes the call for the page at a place. `depth` is the task's. None: the request's condition doesn't hold.
pub(crate) async fn fetch<H: Host>(
    walker: &Walker<'_, H>,
    (node, request): (&Node, &Request),
    depth: u32,
    scope: &Scope,
    place: &Place,
) -> Result<Option<Fetched>, NodeError> {
    let run = walker.run;
    let outer = scope.account.as_deref().or(run.account.as_deref());
    let account = account_of(walker.host, outer).await?;
    let mut flow = Flow { scope: scope.clone(), account, batch: None, seen: place.seen };
    if place.page == 0 && depth == 0 && !walker.runs(node, &walker.view(&flow)).await? {
        return Ok(None);
    }
    let named_account = match &request.account {
        Some(template) => Filled::text_of(walker.view(&flow).fill(template)?),
        None => None,
    };
    let account = account_or_none(named_account.as_deref().or(outer), node)?.to_owned();
    if Some(account.as_str()) != outer {
        flow.account = account_of(walker.host, Some(&account)).await?;
    }
    let view = walker.view(&flow);
    let failed = |problem: &str| NodeError::from(named(node, problem));
    let query = content(walker, node, request.query.as_ref(), &view).await?;
    let mut filled = Filled {
        resource: request.resource.clone(),
        method: request.method.clone(),
        account: Some(account.clone()),
        id: Filled::text_of(request.id.as_ref().map(|id| view.fill(id)).transpose()?.flatten()),
        query: Filled::query_of(query).map_err(failed)?,
        body: content(walker, node, request.body.as_ref(), &view).await?,
        response_format: request.response_format.clone(),
    };
    if let Some(recursion) = request.recurse.as_ref().filter(|_| depth > 0) {
        filled.merge(view.fill(&recursion.config)?).map_err(failed)?;
    }
    let Filled { resource, method, account: wanted, id, query, body, response_format } = filled;
    let wanted = wanted.unwrap_or_default();
    if wanted != account {
        flow.account = account_of(walker.host, Some(&wanted)).await?;
    }
    let account = wanted;
    let call = Call {
        account: &account,
        resource: &resource,
        method: &method,
        id,
        query,
        body,
        cursor: place.cursor.as_deref(),
        response_format: response_format.as_deref(),
        idempotency: BatchId::new(run.id, &walker.place),
    };
    walker.debug(node, || format!("Request: {}", shown(&call)));
    let waits = run.on_needs_reauth == OnNeedsReauth::Wait;
    match walker.host.page(call).await {
        Ok(page) => {
            let more = if page.next_cursor.is_some() { ", and there are more" } else { "" };
            walker.debug(node, || format!("Result: {}{more}", counted(page.records.len())));
            Ok(Some(Fetched {
                account_id: account,
                account: flow.account,
                records: Arc::new(page.records),
                next_cursor: page.next_cursor,
            }))
        }
        Err(RequestError::RateLimited { seconds, error }) => {
            Err(wait(Wait::RateLimited { node: node.name.clone(), seconds, error }))
        }
        Err(RequestError::Offline(error)) => Err(wait(Wait::Offline { node: node.name.clone(), error })),
        Err(RequestError::Unauthorized(error)) if waits => {
            Err(wait(Wait::NeedsReauth { node: node.name.clone(), account, error }))
        }
        Err(RequestError::Unauthorized(error) | RequestError::NoResponse(error) | RequestError::Other(error)) => {
            Err(error.into())
        }
    }
}

fn account_or_none<'i>(account: Option<&'i str>, node: &Node) -> Result<&'i str, Value> {
    let message = "integrated_account_id is missing. Give one to the node or to the run.";
    account.ok_or_else(|| named(node, message))
}

/// A call for the log.
fn shown(call: &Call<'_>) -> String {
    let id = call.id.as_ref().map(|id| format!(" {id}")).unwrap_or_default();
    let query = if call.query.is_empty() { String::new() } else { format!(" ?{}", Value::Object(call.query.clone())) };
    let body = call.body.as_ref().map(|body| format!(" {body}")).unwrap_or_default();
    let cursor = call.cursor.map(|cursor| format!(" from {cursor}")).unwrap_or_default();
    format!("{} {}{id}{query}{body}{cursor} with account {}", call.resource, call.method, call.account)
}

/// An account by its id. None: nobody's, of which nothing is seen.
pub(crate) async fn account_of(host: &impl Host, id: Option<&str>) -> Result<Arc<Account>, Value> {
    match id {
        None => Ok(Arc::default()),
        Some(id) => host.account(id).await.map(Arc::new),
    }
}

fn wait(wait: Wait) -> NodeError {
    NodeError::Interrupt(Interrupt::Wait(wait))
}

async fn content<H: Host>(
    walker: &Walker<'_, H>,
    node: &Node,
    content: Option<&Content>,
    view: &View<'_>,
) -> Result<Option<Value>, Value> {
    match content {
        None => Ok(None),
        Some(Content::Template(template)) => view.fill(template),
        Some(Content::Expression(expression)) => walker.evaluate(node, expression, view).await,
    }
}

/// The records for which the request is made again.
pub(crate) fn recursing<H: Host>(
    walker: &Walker<'_, H>,
    recursion: &Recursion,
    path: &[String],
    scope: &Scope,
    account: &Arc<Account>,
    records: &[Box<RawValue>],
) -> Result<Vec<Box<RawValue>>, Value> {
    let mut flow = Flow { scope: scope.clone(), account: Arc::clone(account), batch: None, seen: 0 };
    let mut found = Vec::new();
    for record in records {
        flow.scope.put(path, value(record)?, walker.run);
        let condition = walker.view(&flow).fill(&recursion.condition)?;
        if Recursion::holds(condition.as_ref()) {
            found.push(record.clone());
        }
    }
    Ok(found)
}
