//! Query strings, in all forms that clients use.

use axum::{
    extract::{FromRequestParts, Query as Pairs},
    http::request::Parts,
};
use relink_contract::DEFAULT_LIMIT;
use relink_engine::{AccountTime, Comparison, TimeBound};

use crate::error::ApiError;

/// The pairs, in their order.
#[derive(Debug, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl<S: Send + Sync> FromRequestParts<S> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Pairs(pairs) = Pairs::from_request_parts(parts, state)
            .await
            .map_err(|_| ApiError::bad_request("query_unreadable", "The query couldn't be read."))?;
        Ok(Self(pairs))
    }
}

impl Query {
    /// A value. An empty one counts as absent.
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// Several values: `a=x`, `a[in]=x,y`, `a[in][]=x`, `a[in][0]=x`.
    pub(crate) fn many(&self, name: &str) -> Vec<String> {
        let meant = |key: &str| key == name || key.strip_prefix(name).is_some_and(|rest| rest.starts_with("[in]"));
        self.0
            .iter()
            .filter(|(key, _)| meant(key))
            .flat_map(|(_, value)| value.split(','))
            .filter(|value| !value.is_empty())
            .map(str::to_owned)
            .collect()
    }

    /// The bounds of a time: `a[gt]=…`, `a[gte]=…`, `a[lt]=…`, `a[lte]=…`.
    pub(crate) fn bounds(&self, name: &str, time: AccountTime) -> Result<Vec<TimeBound>, ApiError> {
        let operator = |key: &str| Some(key.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?.to_owned());
        let given = self.0.iter().filter_map(|(key, value)| Some((key, operator(key)?, value)));
        given
            .map(|(key, operator, value)| {
                let comparison = match operator.as_str() {
                    "gt" => Comparison::Greater,
                    "gte" => Comparison::GreaterOrEqual,
                    "lt" => Comparison::Less,
                    "lte" => Comparison::LessOrEqual,
                    _ => return Err(invalid(&format!("{key} isn't supported. Use gt, gte, lt or lte."))),
                };
                let bound = serde_json::from_value(value.clone().into())
                    .map_err(|_| invalid(&format!("{key} must be a time such as 2023-06-16T09:21:21.000Z.")))?;
                Ok(TimeBound { time, comparison, bound })
            })
            .collect()
    }

    /// The page size.
    pub(crate) fn limit(&self) -> Result<usize, ApiError> {
        match self.one("limit").map(str::parse) {
            None => Ok(DEFAULT_LIMIT),
            Some(Ok(limit)) if limit > 0 => Ok(std::cmp::min(limit, DEFAULT_LIMIT)),
            Some(_) => Err(invalid("limit must be a whole number from 1 to 5000.")),
        }
    }

    /// A number, or `default`.
    pub(crate) fn number<T: std::str::FromStr>(&self, name: &str, default: T) -> Result<T, ApiError> {
        self.one(name)
            .map_or(Ok(default), |text| text.parse().map_err(|_| invalid(&format!("{name} must be a whole number."))))
    }
}

fn invalid(message: &str) -> ApiError {
    ApiError::bad_request("query_invalid", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(pairs: &[(&str, &str)]) -> Query {
        Query(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn lists_are_parsed_in_every_form_that_clients_use() {
        for pairs in [
            &[("status[in][0]", "a"), ("status[in][1]", "b")][..],
            &[("status[in][]", "a"), ("status[in][]", "b")],
            &[("status[in]", "a,b")],
            &[("status", "a"), ("status", "b")],
        ] {
            assert_eq!(query(pairs).many("status"), ["a", "b"], "{pairs:?}");
        }
        assert_eq!(query(&[("statuses", "a")]).many("status"), Vec::<String>::new());
    }

    #[test]
    fn an_empty_cursor_is_none() {
        assert_eq!(query(&[("next_cursor", "")]).one("next_cursor"), None);
    }

    #[test]
    fn time_ranges_are_parsed_and_invalid_ones_refused() {
        let bounds = |key, value| query(&[(key, value)]).bounds("created_at", AccountTime::Created);
        let read = bounds("created_at[lte]", "2023-06-16T09:21:21.000Z").expect("a bound");
        assert!(matches!(read[..], [TimeBound { comparison: Comparison::LessOrEqual, bound, .. }]
            if bound.as_millis() == 1_686_907_281_000));
        assert!(bounds("updated_at[gt]", "2030-01-01T00:00:00Z").expect("another's").is_empty());
        assert!(bounds("created_at[gt]", "yesterday").is_err());
        assert!(bounds("created_at[about]", "2023-06-16T09:21:21.000Z").is_err());
    }
}
