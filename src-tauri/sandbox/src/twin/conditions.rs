//! What a request says of the records that it wants, in the provider's query language.

use std::{cmp::Ordering, collections::BTreeMap};

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};
use serde_json::Value;

use crate::scenario::{
    Conditions, List, Operator,
    template::{find, text_of},
};

/// A comparison of a record's value.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    path: String,
    operator: Operator,
    /// Several for [`Operator::In`], otherwise one.
    values: Vec<String>,
}

/// The conditions of a request for a list.
pub(crate) fn of(list: &List, scope: &Value) -> Vec<Condition> {
    let filters = list.filters.iter().filter_map(|filter| {
        let wanted = find(scope, &filter.value).map(text_of).or_else(|| filter.default.clone());
        let wanted = wanted.filter(|wanted| filter.any.as_ref() != Some(wanted))?;
        let values =
            if filter.operator == Operator::In { wanted.split(',').map(str::to_owned).collect() } else { vec![wanted] };
        Some(Condition { path: filter.path.clone(), operator: filter.operator, values })
    });
    let others = list.conditions.iter().flat_map(|conditions| match conditions {
        Conditions::Text(names) => {
            find(scope, &names.at).map(|text| of_text(&text_of(text), &names.names)).unwrap_or_default()
        }
        Conditions::Objects { names, members } => {
            let objects = find(scope, &names.at).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            objects.iter().filter_map(|object| of_object(object, &names.names, members)).collect()
        }
    });
    filters.chain(others).collect()
}

impl Condition {
    /// `now`: the provider's time in milliseconds.
    pub(crate) fn holds(&self, record: &Value, now: i64) -> bool {
        let Some(found) = find(record, &self.path).map(text_of) else { return self.operator == Operator::Ne };
        let mut orders = self.values.iter().map(|value| compare(&found, value, now));
        match self.operator {
            Operator::Eq | Operator::In => orders.any(|order| order == Some(Ordering::Equal)),
            Operator::Ne => orders.all(|order| order != Some(Ordering::Equal)),
            Operator::Gt => orders.all(|order| order == Some(Ordering::Greater)),
            Operator::Gte => orders.all(|order| order.is_some_and(Ordering::is_ge)),
            Operator::Lt => orders.all(|order| order == Some(Ordering::Less)),
            Operator::Lte => orders.all(|order| order.is_some_and(Ordering::is_le)),
        }
    }
}

/// Times are compared as such, numbers too, everything else as text without regard to case.
fn compare(found: &str, wanted: &str, now: i64) -> Option<Ordering> {
    if let Some(found) = time(found) {
        return time(wanted).or_else(|| distance(wanted, now)).map(|wanted| found.cmp(&wanted));
    }
    match (found.parse::<f64>(), wanted.parse::<f64>()) {
        (Ok(found), Ok(wanted)) => found.partial_cmp(&wanted),
        _ => Some(found.to_lowercase().cmp(&wanted.to_lowercase())),
    }
}

/// A time with or without an offset, or a date, in milliseconds.
fn time(text: &str) -> Option<i64> {
    // RFC 3339 has a colon in its offset, which some providers leave out.
    let with_colon = text.len().checked_sub(5).and_then(|at| text.split_at_checked(at)).and_then(|(rest, offset)| {
        let (sign, digits) = offset.split_at_checked(1)?;
        let is_offset = matches!(sign, "+" | "-") && digits.bytes().all(|digit| digit.is_ascii_digit());
        (is_offset && rest.contains('T')).then(|| format!("{rest}{sign}{}:{}", &digits[..2], &digits[2..]))
    });
    let timestamp = with_colon.as_deref().unwrap_or(text).parse::<Timestamp>().ok();
    let local = || TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok();
    let is_number = text.parse::<f64>().is_ok();
    timestamp.or_else(|| if is_number { None } else { local() }).map(Timestamp::as_millisecond)
}

/// Milliseconds since 1970, or a distance from now: `-90m`.
fn distance(text: &str, now: i64) -> Option<i64> {
    if let Ok(millis) = text.parse() {
        return Some(millis);
    }
    let (amount, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let minutes = match unit {
        "m" => 1,
        "h" => 60,
        "d" => 60 * 24,
        "w" => 60 * 24 * 7,
        _ => return None,
    };
    let amount: i64 = amount.parse().ok()?;
    Some(now.saturating_add(amount.saturating_mul(minutes * 60_000)))
}

fn of_object(object: &Value, names: &BTreeMap<String, String>, members: &[String; 4]) -> Option<Condition> {
    let [name, operator, value, values] = members.each_ref().map(|member| find(object, member));
    let operator = Value::from(operator?.as_str()?.to_ascii_lowercase());
    let values = values.and_then(Value::as_array).map(|values| values.iter().map(text_of).collect());
    Some(Condition {
        path: names.get(name?.as_str()?)?.clone(),
        operator: serde_json::from_value(operator).ok()?,
        values: values.or_else(|| Some(vec![text_of(value?)]))?,
    })
}

/// The conditions in a text. Only what compares a known name counts.
fn of_text(text: &str, names: &BTreeMap<String, String>) -> Vec<Condition> {
    let (mut reader, mut found) = (Reader(text), Vec::new());
    while let Some(word) = reader.word() {
        if let Some(path) = names.get(word)
            && let Some((operator, values)) = reader.comparison()
        {
            found.push(Condition { path: path.clone(), operator, values });
        }
    }
    found
}

/// What is left of a text.
struct Reader<'t>(&'t str);

impl<'t> Reader<'t> {
    /// The next word outside of quotes.
    fn word(&mut self) -> Option<&'t str> {
        loop {
            let first = self.0.chars().next()?;
            if matches!(first, '"' | '\'') {
                self.quoted();
            } else if first.is_alphanumeric() || first == '_' {
                return Some(self.take(|c| c.is_alphanumeric() || matches!(c, '_' | '.')));
            } else {
                self.0 = &self.0[first.len_utf8()..];
            }
        }
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &'t str {
        let (taken, rest) = self.0.split_at(self.0.find(|c| !belongs(c)).unwrap_or(self.0.len()));
        self.0 = rest;
        taken
    }

    fn skip(&mut self, text: &str) -> bool {
        let rest = self.0.strip_prefix(text);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    /// An operator and what stands behind it. A colon alone means that the value is equal.
    fn comparison(&mut self) -> Option<(Operator, Vec<String>)> {
        const SIGNS: [(&str, Operator); 6] = [
            (">=", Operator::Gte),
            ("<=", Operator::Lte),
            ("!=", Operator::Ne),
            (">", Operator::Gt),
            ("<", Operator::Lt),
            ("=", Operator::Eq),
        ];
        self.0 = self.0.trim_start();
        let has_colon = self.skip(":");
        if let Some((_, operator)) = SIGNS.into_iter().find(|(sign, _)| self.skip(sign)) {
            return Some((operator, vec![self.value()]));
        }
        if has_colon {
            return Some((Operator::Eq, vec![self.value()]));
        }
        if !(self.skip("in ") || self.skip("IN ")) {
            return None;
        }
        self.0 = self.0.trim_start();
        let mut values = Vec::new();
        if self.skip("(") {
            while !self.0.is_empty() && !self.skip(")") {
                values.push(self.value());
                self.0 = self.0.trim_start();
                self.skip(",");
            }
        }
        Some((Operator::In, values))
    }

    fn value(&mut self) -> String {
        self.0 = self.0.trim_start();
        if self.0.starts_with(['"', '\'']) {
            return self.quoted();
        }
        self.take(|c| !c.is_whitespace() && !matches!(c, ')' | ',')).to_owned()
    }

    /// A quoted text. A backslash makes the next character an ordinary one.
    fn quoted(&mut self) -> String {
        let mut chars = self.0.chars();
        let quote = chars.next();
        let mut text = String::new();
        while let Some(next) = chars.next().filter(|next| Some(*next) != quote) {
            text.extend(if next == '\\' { chars.next() } else { Some(next) });
        }
        self.0 = chars.as_str();
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use Operator::{Eq, Gt, Gte, In, Lt, Lte, Ne};

    const NOW: i64 = 1_735_734_000_000; // 2025-01-01T12:20:00Z

    fn names() -> BTreeMap<String, String> {
        ["status", "updated", "amount", "created", "labels"].map(|name| (name.to_owned(), name.to_owned())).into()
    }

    #[test]
    fn a_text_is_read_with_any_of_its_signs_and_without_what_it_quotes() {
        let read = |text| {
            let found = of_text(text, &names());
            let found = found.into_iter().map(|it| (it.path, it.operator, it.values.join("|")));
            found.collect::<Vec<_>>()
        };
        let one = |path: &str, operator, values: &str| (path.to_owned(), operator, values.to_owned());
        assert_eq!(
            read(
                r#"project is not EMPTY AND status = "In Progress" AND (updated >= "2025-01-01 10:00") ORDER BY updated DESC"#
            ),
            [one("status", Eq, "In Progress"), one("updated", Gte, "2025-01-01 10:00")]
        );
        assert_eq!(
            read("SELECT status, updated FROM X WHERE status IN ('a, \\'b', 'c') AND amount<5 AND amount != 3"),
            [one("status", In, "a, 'b|c"), one("amount", Lt, "5"), one("amount", Ne, "3")]
        );
        assert_eq!(
            read("is:issue status:open created:>2025-01-01 updated:<=2025-02-01T00:00:00Z"),
            [one("status", Eq, "open"), one("created", Gt, "2025-01-01"), one("updated", Lte, "2025-02-01T00:00:00Z")]
        );
        assert_eq!(read(r#"title = "status = x" AND statuses = 1 AND status"#), []);
        assert_eq!(read("status = \"open"), [one("status", Eq, "open")]);
    }

    #[test]
    fn times_numbers_and_texts_are_compared_as_what_they_are() {
        let record = json!({ "updated": "2025-01-01T09:00:00.000+0000", "day": "2025-01-01", "amount": "100", "status": "Done" });
        for (path, operator, value, holds) in [
            ("updated", Gte, "2025-01-01T10:00:00+01:00", true),
            ("updated", Gt, "2025-01-01T09:00:00Z", false),
            ("updated", Lt, "2025-01-01 09:01", true),
            ("updated", Gte, "-200m", true),
            ("updated", Gte, "-3h", false),
            ("updated", Lte, "1735722000000", true),
            ("updated", Lt, "1735722000000", false),
            ("updated", Gte, "soon", false),
            ("day", Gte, "2025-01-01", true),
            ("day", Lt, "-1d", false),
            ("amount", Gt, "20", true),
            ("status", Eq, "done", true),
            ("status", Ne, "Done", false),
            ("nothing", Eq, "x", false),
            ("nothing", Ne, "x", true),
        ] {
            let condition = Condition { path: path.into(), operator, values: vec![value.into()] };
            assert_eq!(condition.holds(&record, NOW), holds, "{path} {operator:?} {value}");
        }
    }

    #[test]
    fn a_list_of_objects_is_read_by_the_names_of_their_members() {
        let members = ["name", "op", "value", "values"].map(str::to_owned);
        let read = |object: Value| of_object(&object, &names(), &members);
        let condition = |operator, values: &[&str]| {
            let values = values.iter().map(|value| (*value).to_owned()).collect();
            Some(Condition { path: "status".into(), operator, values })
        };
        assert_eq!(read(json!({ "name": "status", "op": "NEQ", "value": 1 })), condition(Ne, &["1"]));
        let several = json!({ "name": "status", "op": "IN", "values": ["a", "b"] });
        assert_eq!(read(several), condition(In, &["a", "b"]));
        assert_eq!(read(json!({ "name": "other", "op": "EQ", "value": 1 })), None);
        assert_eq!(read(json!({ "name": "status", "op": "LIKE", "value": 1 })), None);
    }
}
