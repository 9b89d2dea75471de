//! The calls that steps and side loads make.

use http::HeaderMap;
use relink_calls::Expressions;
use relink_domain::{
    integration::actions::CallApi,
    template::Template,
    unified::{Request, RequestTarget, UnifiedMethod, Values},
};
use serde_json::{Map, Value};

use crate::{
    evaluation::kind_of,
    proxy::{Paging, Proxied, Proxy, ProxyBody, ProxyCall, ProxyTarget},
    run::{Result, Run},
};

/// Values that a request sees beside those of the call.
pub(crate) type More<'m> = &'m [(&'static str, &'m Value)];

impl<P: Proxy, X: Expressions> Run<'_, '_, P, X> {
    /// Makes a request of a step, which is named as in [`ProxyCall`]. The data of its answer.
    pub(crate) async fn request(&self, key: &str, step: &str, request: &Request, more: More<'_>) -> Result<Value, P> {
        let id = match &request.id {
            Some(template) => self.filled(&format!("{key}.id"), template, more)?.filter(|id| !id.is_null()),
            None => None,
        };
        let id = id.map(|id| id.as_str().map_or_else(|| id.to_string(), str::to_owned));
        let query = self.values(&format!("{key}.query"), request.query.as_ref(), more).await?;
        let query = match query {
            None | Some(Value::Null) => Map::new(),
            Some(Value::Object(query)) => query,
            Some(other) => {
                let problem = format!("it must be an object, but is {}.", kind_of(&other));
                return Err(self.evaluator.fail(&format!("{key}.query"), None, problem).into());
            }
        };
        let body = self.values(&format!("{key}.body"), request.body.as_ref(), more).await?;
        let call = match &request.target {
            RequestTarget::Named { api: CallApi::Unified, resource, method } => {
                let (model, resource) = resource.split_once('/').unwrap_or((resource, ""));
                let of = UnifiedMethod { model, resource, method };
                return Ok(self.proxy.unified(step, of, id.as_deref(), query, body).await?);
            }
            RequestTarget::Named { api: CallApi::Proxy, resource, method } => {
                let (query, paging) = paging_in(query);
                ProxyCall {
                    target: ProxyTarget::Named { resource, method, id: id.as_deref() },
                    query,
                    paging,
                    body: body.map_or(ProxyBody::None, ProxyBody::Value),
                    path: None,
                    headers: HeaderMap::new(),
                    step: Some(step),
                }
            }
            // It has templates of its own, which see the caller's query and body.
            RequestTarget::Own(config) => ProxyCall {
                target: ProxyTarget::Own(config),
                query: self.call.query.clone(),
                paging: Paging::default(),
                body: self.call.body.clone().map_or(ProxyBody::None, ProxyBody::Value),
                path: None,
                headers: HeaderMap::new(),
                step: Some(step),
            },
        };
        match self.proxy.call(call).await? {
            Proxied::Data(answer) => Ok(answer.data),
            Proxied::File(_) => {
                let problem = "the provider answered with a file. Only JSON can be used here.";
                Err(self.evaluator.fail(key, None, problem).into())
            }
        }
    }

    async fn values(&self, key: &str, values: Option<&Values>, more: More<'_>) -> Result<Option<Value>, P> {
        match values {
            None => Ok(None),
            Some(Values::Template(template)) => self.filled(key, template, more),
            Some(Values::Expression(text)) => {
                let mut input = self.scope.input();
                for (name, value) in more {
                    input[*name] = (*value).clone();
                }
                Ok(self.evaluator.text(key, text, input).await?)
            }
        }
    }

    fn filled(&self, key: &str, template: &Template, more: More<'_>) -> Result<Option<Value>, P> {
        let filled = self.scope.fill(template, more);
        filled.map_err(|error| self.evaluator.fail(key, None, format_args!("{error}.")).into())
    }
}

/// A step's `limit` and cursors are the page's, as in a program's call.
fn paging_in(mut query: Map<String, Value>) -> (Map<String, Value>, Paging) {
    let mut own = |name: &str| match query.shift_remove(name)? {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    let paging = Paging { limit: own("limit"), next_cursor: own("next_cursor"), prev_cursor: own("prev_cursor") };
    (query, paging)
}
