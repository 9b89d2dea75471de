//! Pagination by JSONata.

use std::num::NonZeroU32;

use relink_domain::integration::resources::DynamicPagination;
use serde_json::{Map, Value, json};

use super::{PageAnswer, PageError, PageRequest, Pages, cursor::Place};
use crate::{expressions::Expressions, remote_error::headers_for_expressions};

const INITIAL: &str = "get_initial_pagination_values_expression";
const VALUES: &str = "get_pagination_values_expression";
const CURSOR: &str = "get_cursor_from_response_expression";

impl Pages<'_> {
    /// The values of the first request.
    pub(super) async fn initial_values(
        &self,
        dynamic: &DynamicPagination,
        request: &PageRequest,
        limit: Option<NonZeroU32>,
        expressions: &impl Expressions,
    ) -> Result<Map<String, Value>, PageError> {
        let Some(expression) = &dynamic.initial else { return Ok(Map::new()) };
        let scope = self.scope(request, limit);
        match expressions.evaluate(expression, Value::Object(scope)).await? {
            Some(Value::Object(values)) => Ok(values),
            None | Some(Value::Null) => Ok(Map::new()),
            Some(_) => Err(PageError::NoValues(INITIAL)),
        }
    }

    /// The next request's values, out of an answer. Null or undefined ends the list, of either expression.
    pub(super) async fn next_values(
        &self,
        dynamic: &DynamicPagination,
        values: &Map<String, Value>,
        request: &PageRequest,
        limit: Option<NonZeroU32>,
        answer: &PageAnswer<'_>,
        expressions: &impl Expressions,
    ) -> Result<Option<Place>, PageError> {
        let mut scope = self.scope(request, limit);
        let headers = headers_for_expressions(answer.headers);
        let body = answer.body.value();
        let response = json!({"status": answer.status.as_u16(), "headers": headers, "data": body});
        scope.insert("response".to_owned(), response);
        scope.insert("body".to_owned(), body);
        scope.insert("paginationValues".to_owned(), Value::Object(values.clone()));
        let mut found = Value::Null;
        let mut source = CURSOR;
        if let Some(expression) = &dynamic.cursor {
            match expressions.evaluate(expression, Value::Object(scope.clone())).await? {
                None | Some(Value::Null) => return Ok(None),
                Some(cursor) => found = cursor,
            }
        }
        if let Some(expression) = &dynamic.values {
            source = VALUES;
            scope.insert("cursor".to_owned(), found);
            match expressions.evaluate(expression, Value::Object(scope)).await? {
                None | Some(Value::Null) => return Ok(None),
                Some(values) => found = values,
            }
        }
        match found {
            Value::Object(values) => Ok(Some(Place::Dynamic { values })),
            _ => Err(PageError::NoValues(source)),
        }
    }

    /// What every expression sees. Without headers: a definition's may carry the credential, and whatever an expression gives
    /// goes to the caller in a cursor.
    fn scope(&self, request: &PageRequest, limit: Option<NonZeroU32>) -> Map<String, Value> {
        let mut query = Map::new();
        for (name, value) in &request.query {
            match query.get_mut(name) {
                None => {
                    query.insert(name.clone(), value.as_str().into());
                }
                Some(Value::Array(values)) => values.push(value.as_str().into()),
                Some(first) => *first = json!([first.take(), value]),
            }
        }
        if let Some(limit) = limit {
            query.entry("limit").or_insert_with(|| limit.get().into());
        }
        let url = format!("{}{}", self.base.as_str().trim_end_matches('/'), request.path);
        let options = json!({"method": request.method.as_str(), "body": request.body});
        Map::from_iter([
            ("query".to_owned(), Value::Object(query)),
            ("url".to_owned(), url.into()),
            ("requestOptions".to_owned(), options),
        ])
    }
}
