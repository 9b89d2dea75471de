//! The provider's answer as the model's.

use http::{HeaderMap, HeaderName, header};
use relink_calls::{Expressions, headers_for_expressions, is_truthy};
use relink_domain::unified::{Expression, ResponseMethod, exclude, key_by, with_remote_data};
use serde_json::{Map, Value};

use crate::{
    answer::{Answer, Content, ResponseFormat},
    evaluation::MappingFailed,
    failure::Failure,
    proxy::{Page, Proxy},
    run::{Result, Run},
};

/// Among so many records the one is looked for for which a mapping failed.
const MAX_RECORDS_LOOKED_AT: usize = 100;

/// The records of an answer in the model's form.
struct Mapped {
    records: Vec<Value>,
    /// The provider's records, if there are as many.
    remote: Option<Vec<Value>>,
    /// The cursor of the next page that the mapping gives in place of the provider's.
    next_cursor: Option<Value>,
}

impl<P: Proxy, X: Expressions> Run<'_, '_, P, X> {
    pub(crate) async fn respond(mut self, data: Value, page: Option<Page>, headers: HeaderMap) -> Result<Answer, P> {
        let call = self.call;
        if call.options.format == ResponseFormat::Raw {
            return Ok(Answer { content: self.raw(data, page), headers });
        }
        self.scope.set("headers", headers_for_expressions(&headers).into());
        let mut page = page;
        let response = call.mapping.response_header_mapping.as_ref().map(|_| data.clone());
        let content = if call.of.method == "delete" {
            Content::Deleted { id: call.id.map(Value::from).or_else(|| data.get("id").cloned()).unwrap_or_default() }
        } else {
            let Mapped { mut records, remote, next_cursor } = self.mapped(data).await?;
            self.side_load(&mut records, remote.as_deref()).await?;
            if let (Some(remote), false) = (&remote, call.options.ignores_remote_data) {
                with_remote_data(&mut records, remote);
            }
            if let Some(cursor) = next_cursor {
                let sealed = if cursor.is_null() || cursor == "" { None } else { self.proxy.seal(call.of, &cursor) };
                page = Some(Page { next_cursor: sealed, ..page.unwrap_or_default() });
            }
            self.content(records, page).await?
        };
        if let Some(response) = response {
            self.scope.set("response", response);
        }
        let headers = self.headers(headers).await?;
        Ok(Answer { content, headers })
    }

    /// The proxy's answer, in the form of the method.
    fn raw(&self, data: Value, page: Option<Page>) -> Content {
        match (self.call.of.method, data) {
            ("list", data) => {
                let records = listed(data);
                Content::List { count: records.len(), records: records.into(), page: page.unwrap_or_default() }
            }
            ("get" | "create" | "update" | "delete", data) => Content::One(data),
            (_, value) => Content::Result { value, page },
        }
    }

    async fn mapped(&mut self, data: Value) -> Result<Mapped, P> {
        let mapping = self.call.mapping;
        let remote = match data {
            Value::Array(records) => records,
            Value::Null => Vec::new(),
            one => vec![one],
        };
        let is_list = self.call.of.method == "list";
        let is_nothing = remote.is_empty() && !is_list;
        let Some(expression) = mapping.response_mapping.as_ref().filter(|_| !is_nothing) else {
            return Ok(Mapped { records: remote.clone(), remote: Some(remote), next_cursor: None });
        };
        if mapping.response_mapping_method == ResponseMethod::Item {
            let scopes = remote.iter().map(|record| self.scope.with([("response", record.clone())])).collect();
            let found = self.evaluator.each("response_mapping", expression, scopes).await?;
            return Ok(aligned(found.into_iter().map(Option::unwrap_or_default).collect(), remote, None));
        }
        let response = if is_list || remote.len() > 1 {
            Value::Array(remote.clone())
        } else {
            remote.first().cloned().unwrap_or_default()
        };
        let found = match self.mapped_at_once(expression, response).await {
            Ok(found) => found,
            Err(failed) if is_list => return Err(self.of_record(failed, expression, &remote).await.into()),
            Err(failed) => return Err(failed.into()),
        };
        let (found, next_cursor) = match found {
            // JSONata leaves `result` out of a page if it is nothing.
            Some(Value::Object(mut page)) if page.contains_key("result") || page.keys().eq(["next_cursor"]) => {
                let cursor = page.shift_remove("next_cursor").unwrap_or_default();
                (page.shift_remove("result"), Some(cursor))
            }
            found => (found, None),
        };
        Ok(aligned(listed(found.unwrap_or_default()), remote, next_cursor))
    }

    async fn mapped_at_once(
        &self,
        expression: &Expression,
        response: Value,
    ) -> std::result::Result<Option<Value>, MappingFailed> {
        self.evaluator.value("response_mapping", expression, self.scope.with([("response", response)])).await
    }

    /// Finds the record for which a mapping of a whole list failed: the first that fails as a list of one.
    async fn of_record(&self, failed: MappingFailed, expression: &Expression, remote: &[Value]) -> MappingFailed {
        for (at, record) in remote.iter().enumerate().take(MAX_RECORDS_LOOKED_AT) {
            if let Err(of_one) = self.mapped_at_once(expression, Value::Array(vec![record.clone()])).await {
                return MappingFailed { record: Some(at), ..of_one };
            }
        }
        failed
    }

    /// The records in the form of the method, as the caller wants them.
    async fn content(&mut self, records: Vec<Value>, page: Option<Page>) -> Result<Content, P> {
        let call = self.call;
        self.scope.set("data", records.clone().into());
        self.steps("after", &call.mapping.after).await?;
        let is_partial = match &call.mapping.is_partial_expression {
            Some(text) => self.evaluator.text("is_partial_expression", text, self.scope.input()).await?,
            None => None,
        };
        match call.of.method {
            "list" => {
                let mut page = page.unwrap_or_default();
                page.is_partial |= is_partial.as_ref().is_some_and(is_truthy);
                let count = records.len();
                Ok(Content::List { records: self.keyed(records), count, page })
            }
            "get" | "create" | "update" => {
                let first = records.into_iter().next();
                match (first, call.id) {
                    (Some(record), _) => Ok(Content::One(self.narrowed(record))),
                    (None, _) if call.of.method == "get" => Err(Failure::NoRecord),
                    (None, id) => Ok(Content::One(id.map_or_else(
                        || Map::new().into(),
                        |id| Map::from_iter([("id".to_owned(), id.into())]).into(),
                    ))),
                }
            }
            _ => {
                let is_one = page.is_none() && records.len() < 2;
                let value = if is_one {
                    records.into_iter().next().map_or(Value::Null, |record| self.narrowed(record))
                } else {
                    self.keyed(records)
                };
                Ok(Content::Result { value, page })
            }
        }
    }

    /// The records as a list, or by a field, which the caller may exclude all the same.
    fn keyed(&self, records: Vec<Value>) -> Value {
        match &self.call.options.key_by {
            Some(field) => {
                let records = key_by(records, field).into_iter();
                Value::Object(records.map(|(key, record)| (key, self.narrowed(record))).collect())
            }
            None => records.into_iter().map(|record| self.narrowed(record)).collect(),
        }
    }

    /// A record without what the caller excludes.
    fn narrowed(&self, mut record: Value) -> Value {
        exclude(&mut record, &self.call.options.excluded);
        record
    }

    /// The answer's headers. Those of a mapping take the place of the provider's, except its limits.
    async fn headers(&self, given: HeaderMap) -> Result<HeaderMap, P> {
        let Some(mapping) = &self.call.mapping.response_header_mapping else { return Ok(given) };
        let mapped = self.header_map("response_header_mapping", mapping).await?;
        let is_limit = |name: &HeaderName| name.as_str().starts_with("ratelimit-") || *name == header::RETRY_AFTER;
        let mut headers: HeaderMap =
            given.into_iter().filter_map(|(name, value)| Some((name.filter(is_limit)?, value))).collect();
        for (name, value) in &mapped {
            if is_mappable(name) {
                headers.insert(name, value.clone());
            }
        }
        Ok(headers)
    }
}

/// Headers that are of the connection, the body or the browser aren't a mapping's.
fn is_mappable(name: &HeaderName) -> bool {
    ![
        header::CONNECTION,
        header::CONTENT_ENCODING,
        header::CONTENT_LENGTH,
        header::CONTENT_TYPE,
        header::SET_COOKIE,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
    ]
    .contains(name)
        && !name.as_str().starts_with("access-control-")
}

fn listed(value: Value) -> Vec<Value> {
    match value {
        Value::Array(records) => records,
        Value::Null => Vec::new(),
        one => vec![one],
    }
}

/// Drops the records for which there is null, with the provider's.
fn aligned(records: Vec<Value>, remote: Vec<Value>, next_cursor: Option<Value>) -> Mapped {
    if records.len() != remote.len() {
        let records = records.into_iter().filter(|record| !record.is_null()).collect();
        return Mapped { records, remote: None, next_cursor };
    }
    let kept = records.into_iter().zip(remote).filter(|(record, _)| !record.is_null());
    let (records, remote) = kept.unzip();
    Mapped { records, remote: Some(remote), next_cursor }
}
