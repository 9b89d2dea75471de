//! Query strings, in all forms that clients use.

use std::{collections::BTreeMap, str::FromStr};

use axum::{
    extract::{FromRequestParts, Query as Pairs},
    http::request::Parts,
};
use relink_contract::DEFAULT_LIMIT;
use relink_domain::Timestamp;
use relink_engine::{Comparison, Condition};

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

/// The operators of conditions on a field: `field[operator]=value`.
const OPERATORS: &str = "eq, ne, gt, gte, lt, lte, in, nin, like, ilike or exists";

impl Query {
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// A value, unless it [is absent](is_absent).
    pub(crate) fn one(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !is_absent(value)).map(|(_, value)| value.as_str())
    }

    /// Words, in any form of a list.
    pub(crate) fn words(&self, name: &str) -> Vec<String> {
        let values = self.values_by_operator(name).remove("").unwrap_or_default();
        let words = values.iter().flat_map(|value| value.split(',')).map(str::trim);
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    }

    /// The conditions on a text. `is_list`: whether a plain value may be several, separated by commas.
    pub(crate) fn texts(&self, name: &str, is_list: bool) -> Result<Vec<Condition<String>>, ApiError> {
        self.conditions(name, is_list, "a text", |text| Some(text.to_owned()), true)
    }

    pub(crate) fn times(&self, name: &str) -> Result<Vec<Condition<Timestamp>>, ApiError> {
        let what = "a time such as 2023-06-16T09:21:21.000Z or 2023-06-16";
        self.conditions(name, false, what, |text| text.parse().ok(), false)
    }

    pub(crate) fn flags(&self, name: &str) -> Result<Vec<Condition<bool>>, ApiError> {
        self.conditions(name, false, "true or false", |text| text.parse().ok(), false)
    }

    fn conditions<T>(
        &self,
        name: &str,
        is_list: bool,
        what: &str,
        read: impl Fn(&str) -> Option<T>,
        is_text: bool,
    ) -> Result<Vec<Condition<T>>, ApiError> {
        self.values_by_operator(name)
            .into_iter()
            .map(|(operator, values)| {
                let key = if operator.is_empty() { name.to_owned() } else { format!("{name}[{operator}]") };
                let read = |text: &str| read(text).ok_or_else(|| invalid(&format!("{key} must be {what}.")));
                let all = |values: &[&str]| values.iter().map(|value| read(value)).collect::<Result<Vec<_>, _>>();
                let split = || values.iter().flat_map(|value| value.split(',')).filter(|value| !value.is_empty());
                let last = values.last().copied().unwrap_or_default();
                let comparison = |comparison| Ok(Condition::Compare(comparison, read(last)?));
                match operator {
                    "" if is_list => Ok(Condition::In(all(&split().collect::<Vec<_>>())?)),
                    "" | "eq" => Ok(Condition::In(all(&values)?)),
                    "ne" => Ok(Condition::NotIn(all(&values)?)),
                    "in" => Ok(Condition::In(all(&split().collect::<Vec<_>>())?)),
                    "nin" => Ok(Condition::NotIn(all(&split().collect::<Vec<_>>())?)),
                    "gt" => comparison(Comparison::Greater),
                    "gte" => comparison(Comparison::GreaterOrEqual),
                    "lt" => comparison(Comparison::Less),
                    "lte" => comparison(Comparison::LessOrEqual),
                    "like" | "ilike" if is_text => Ok(Condition::Like(last.to_owned())),
                    "exists" => match last.parse() {
                        Ok(exists) => Ok(Condition::Exists(exists)),
                        Err(_) => Err(invalid(&format!("{key} must be true or false."))),
                    },
                    _ => Err(invalid(&format!("{key} isn't supported. Use {OPERATORS}."))),
                }
            })
            .collect()
    }

    /// The values of a field: plain ones (also `a[]=x` and `a[0]=x`) with an empty operator, others by their operator
    /// (`a[in]=x`, `a[in][]=x`, `a[in][0]=x`), without those that [are absent](is_absent).
    fn values_by_operator(&self, name: &str) -> BTreeMap<&str, Vec<&str>> {
        let mut found: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (key, value) in &self.0 {
            let Some(rest) = key.strip_prefix(name) else { continue };
            let operator = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
                Some((index, "")) if index.bytes().all(|byte| byte.is_ascii_digit()) => "",
                Some((operator, _)) => operator,
                None if rest.is_empty() => "",
                None => continue,
            };
            if !is_absent(value) {
                found.entry(operator).or_default().push(value);
            }
        }
        found
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
    pub(crate) fn number<T: FromStr>(&self, name: &str, default: T) -> Result<T, ApiError> {
        self.one(name)
            .map_or(Ok(default), |text| text.parse().map_err(|_| invalid(&format!("{name} must be a whole number."))))
    }
}

/// Whether a value stands for none: the empty text of JavaScript's `null`, or Python's `None` (contract section 0.2).
pub(crate) fn is_absent(value: &str) -> bool {
    value.is_empty() || value == "None"
}

pub(crate) fn invalid(message: &str) -> ApiError {
    ApiError::bad_request("query_invalid", message)
}

/// The query of a test.
#[cfg(test)]
pub(crate) fn query(pairs: &[(&str, &str)]) -> Query {
    Query(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_parsed_in_every_form_that_clients_use() {
        for pairs in [
            &[("status[in][0]", "a"), ("status[in][1]", "b")][..],
            &[("status[in][]", "a"), ("status[in][]", "b")],
            &[("status[in]", "a,b")],
            &[("status", "a"), ("status", "b")],
            &[("status", "a,b")],
            &[("status[]", "a"), ("status[]", "b")],
            &[("status[0]", "a"), ("status[1]", "b")],
        ] {
            let expected = [Condition::In(vec!["a".to_owned(), "b".to_owned()])];
            assert_eq!(query(pairs).texts("status", true).expect("read"), expected, "{pairs:?}");
        }
        for absent in [
            ("statuses", "a"),
            ("status", ""),
            ("status", "None"),
            ("status[in]", ""),
            ("status[in]", "None"),
            ("status[nin][0]", "None"),
            ("status[exists]", "None"),
            ("status[about]", "None"),
            ("statu", "a"),
        ] {
            assert_eq!(query(&[absent]).texts("status", true).expect("read"), [], "{absent:?}");
        }
        let comma = query(&[("tenant_id", "a,b")]).texts("tenant_id", false).expect("read");
        assert_eq!(comma, [Condition::In(vec!["a,b".to_owned()])], "a text may contain a comma");
    }

    #[test]
    fn every_operator_of_the_contract_is_read_and_another_one_is_named() {
        let one = |key: &str| query(&[(key, "x")]).texts("name", false).map(|mut read| read.remove(0));
        let x = || "x".to_owned();
        for (key, condition) in [
            ("name[eq]", Condition::In(vec![x()])),
            ("name[ne]", Condition::NotIn(vec![x()])),
            ("name[nin]", Condition::NotIn(vec![x()])),
            ("name[nin][0]", Condition::NotIn(vec![x()])),
            ("name[like]", Condition::Like(x())),
            ("name[ilike]", Condition::Like(x())),
            ("name[gt]", Condition::Compare(Comparison::Greater, x())),
        ] {
            assert_eq!(one(key).expect(key), condition);
        }
        let exists = query(&[("name[exists]", "false")]).texts("name", false).expect("read");
        assert_eq!(exists, [Condition::Exists(false)]);
        one("name[about]").expect_err("unknown");
        one("name[exists]").expect_err("no boolean");
        query(&[("is_active[like]", "t%")]).flags("is_active").expect_err("only a text is like something");
        query(&[("is_active", "yes")]).flags("is_active").expect_err("no boolean");
    }

    #[test]
    fn what_stands_for_none_is_absent() {
        for value in ["", "None"] {
            let absent = query(&[("next_cursor", value), ("limit", value), ("after", value), ("words[]", value)]);
            assert_eq!(absent.one("next_cursor"), None, "{value}");
            assert_eq!(absent.limit().expect("a limit"), DEFAULT_LIMIT, "{value}");
            assert_eq!(absent.number("after", 7).expect("a number"), 7, "{value}");
            assert_eq!(absent.words("words"), [""; 0], "{value}");
        }
    }

    #[test]
    fn a_time_without_a_zone_and_a_bare_date_are_utc() {
        let millis = 1_686_907_281_000;
        let at = |millis| [Condition::Compare(Comparison::LessOrEqual, Timestamp::from_millis(millis))];
        for text in [
            "2023-06-16T09:21:21.000Z",
            "2023-06-16T09:21:21Z",
            "2023-06-16T11:21:21+02:00",
            "2023-06-16T09:21:21",
            "2023-06-16 09:21:21",
            "2023-06-16T09:21:21.000",
        ] {
            let read = query(&[("created_at[lte]", text)]).times("created_at").expect(text);
            assert_eq!(read, at(millis), "{text}");
        }
        let date = query(&[("created_at[lte]", "2023-06-16")]).times("created_at").expect("a date");
        assert_eq!(date, at(1_686_873_600_000));
        assert!(query(&[("updated_at[gt]", "2030-01-01")]).times("created_at").expect("another's").is_empty());
        for bad in ["yesterday", "2023-06-16T09", "2023-13-01", "16.06.2023", "2023-06-16T09:21:21[Europe/Berlin]"] {
            query(&[("created_at[gt]", bad)]).times("created_at").expect_err(bad);
        }
        query(&[("created_at[about]", "2023-06-16")]).times("created_at").expect_err("unknown");
    }
}
