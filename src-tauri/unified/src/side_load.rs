//! Further calls for each record.

use std::collections::HashMap;

use futures_util::{StreamExt, TryStreamExt, future::BoxFuture, stream};
use http::StatusCode;
use relink_calls::{Expressions, is_truthy};
use relink_domain::unified::SideLoad;
use serde_json::Value;

use crate::{
    failure::{Failure, RemoteFailure},
    proxy::Proxy,
    run::{Result, Run},
};

/// So many are made at once.
const AT_ONCE: usize = 5;

impl<P: Proxy, X: Expressions> Run<'_, '_, P, X> {
    /// Adds to each record what its side loads give. `remote`: the provider's records, if they are as many.
    pub(crate) async fn side_load(&self, records: &mut [Value], remote: Option<&[Value]>) -> Result<(), P> {
        for load in &self.call.mapping.side_load {
            let names = names(records);
            let mut loading: Vec<BoxFuture<'_, _>> = Vec::with_capacity(records.len());
            for (at, (record, name)) in records.iter().zip(&names).enumerate() {
                let response = remote.and_then(|remote| remote.get(at)).unwrap_or(&Value::Null);
                loading.push(Box::pin(self.loaded(load, (at, name), record, response)));
            }
            let found: Vec<_> = stream::iter(loading).buffered(AT_ONCE).try_collect().await?;
            for (record, found) in records.iter_mut().zip(found) {
                if let (Value::Object(members), Some(found)) = (record, found) {
                    members.insert(load.key.clone(), found);
                }
            }
        }
        Ok(())
    }

    /// What a side load gives for a record. `None`: it doesn't run for it.
    async fn loaded(
        &self,
        load: &SideLoad,
        (at, name): (usize, &str),
        record: &Value,
        response: &Value,
    ) -> Result<Option<Value>, P> {
        let key = format!("side_load.{}", load.key);
        let named = |failure: Failure<P::Error>| match failure {
            Failure::Mapping(mut error) => {
                error.record = Some(at);
                Failure::Mapping(error)
            }
            other => other,
        };
        if let Some(condition) = &load.run_if {
            let input = self.scope.with([("record", record.clone()), ("response", response.clone())]);
            let found = self.evaluator.text(&format!("{key}.run_if"), condition, input).await;
            if !found.map_err(|error| named(error.into()))?.as_ref().is_some_and(is_truthy) {
                return Ok(None);
            }
        }
        let step = self.named(format!("{key}/{name}"));
        let seen = [("record", record), ("response", response)];
        let data = match self.request(&key, &step, &load.request, &seen).await {
            Ok(data) => data,
            // What the record refers to isn't there any more.
            Err(Failure::Remote(RemoteFailure { status, .. })) if status == StatusCode::NOT_FOUND.as_u16() => {
                return Ok(Some(Value::Null));
            }
            Err(failure) => return Err(named(failure)),
        };
        let Some(mapping) = &load.response_mapping else { return Ok(Some(data)) };
        let input = self.scope.with([("record", record.clone()), ("response", data)]);
        let mapped = self.evaluator.value(&format!("{key}.response_mapping"), mapping, input).await;
        Ok(Some(mapped.map_err(|error| named(error.into()))?.unwrap_or_default()))
    }
}

/// Records by their `id`, which stays when a list is fetched again and has changed. Without one a record is known by its place, and
/// whichever have the same one by their order.
fn names(records: &[Value]) -> Vec<String> {
    let mut known: HashMap<String, usize> = HashMap::new();
    let name = |(at, record): (usize, &Value)| {
        let id = match record.get("id") {
            Some(id @ (Value::String(_) | Value::Number(_))) => id.to_string(),
            _ => format!("[{at}]"),
        };
        let earlier = known.entry(id.clone()).or_default();
        *earlier += 1;
        if *earlier == 1 { id } else { format!("{id}#{earlier}") }
    };
    records.iter().enumerate().map(name).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn no_two_records_have_one_name_and_an_id_keeps_its_own() {
        let records = json!([{"id": "7"}, {"id": 7}, {"id": "7"}, {}, {"id": null}, 3, {"id": "8"}]);
        let records = records.as_array().expect("a list");
        assert_eq!(names(records), ["\"7\"", "7", "\"7\"#2", "[3]", "[4]", "[5]", "\"8\""]);
        assert_eq!(names(&records[6..]), ["\"8\""]);
    }
}
