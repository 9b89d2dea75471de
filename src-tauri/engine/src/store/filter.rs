//! Which accounts to list, as SQL conditions.

use relink_domain::{AccountId, EnvironmentIntegrationId, Timestamp};
use rusqlite::types::Value;

/// Which accounts to list. What is given must all apply.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// `None`: any; empty: no account.
    pub ids: Option<Vec<AccountId>>,
    /// Their stored names; empty: any.
    pub statuses: Vec<String>,
    pub environment_integration_id: Option<EnvironmentIntegrationId>,
    pub texts: Vec<(AccountText, Condition<String>)>,
    pub is_sandbox: Vec<Condition<bool>>,
    pub times: Vec<(AccountTime, Condition<Timestamp>)>,
}

/// A condition on a value, which may be absent.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition<T> {
    In(Vec<T>),
    NotIn(Vec<T>),
    Compare(Comparison, T),
    /// A text with SQL's wildcards: `%` for any characters, `_` for one. ASCII letters match in either case.
    Like(String),
    Exists(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountText {
    Id,
    TenantId,
    Status,
    /// The integration's name.
    Integration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountTime {
    Created,
    Updated,
    /// Since when it is a sandbox account. Any other account has no such time.
    SandboxSince,
}

/// In which order accounts are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountOrder {
    pub by: AccountTime,
    pub newest_first: bool,
}

impl AccountOrder {
    pub const OLDEST_FIRST: Self = Self { by: AccountTime::Created, newest_first: false };
}

/// Where an account stands in an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AccountPlace {
    /// The time by which the list is sorted.
    pub at: Timestamp,
    /// Ids are in the order of their creation.
    pub id: AccountId,
}

impl AccountOrder {
    pub(super) const fn sql(self) -> &'static str {
        match (self.by, self.newest_first) {
            (AccountTime::Created, false) => "id",
            (AccountTime::Created, true) => "id DESC",
            (AccountTime::Updated, false) => "updated_at, id",
            (AccountTime::Updated, true) => "updated_at DESC, id DESC",
            (AccountTime::SandboxSince, false) => "sandbox_since, id",
            (AccountTime::SandboxSince, true) => "sandbox_since DESC, id DESC",
        }
    }

    /// What holds for all accounts. With it, SQLite takes the index of a filter that is in this order: an id has hexadecimal digits.
    pub(super) const fn every_place(self) -> Option<&'static str> {
        match (self.by, self.newest_first) {
            (AccountTime::Created, false) => Some("id > ''"),
            (AccountTime::Created, true) => Some("id < 'g'"),
            (AccountTime::Updated | AccountTime::SandboxSince, _) => None,
        }
    }

    /// What holds for the accounts after this place.
    pub(super) fn after(self, place: AccountPlace) -> (&'static str, Vec<Value>) {
        let condition = match (self.by, self.newest_first) {
            (AccountTime::Created, false) => "id > ?",
            (AccountTime::Created, true) => "id < ?",
            (AccountTime::Updated, false) => "(updated_at, id) > (?, ?)",
            (AccountTime::Updated, true) => "(updated_at, id) < (?, ?)",
            (AccountTime::SandboxSince, false) => "(sandbox_since, id) > (?, ?)",
            (AccountTime::SandboxSince, true) => "(sandbox_since, id) < (?, ?)",
        };
        let id = Value::from(place.id.to_string());
        match self.by {
            AccountTime::Created => (condition, vec![id]),
            AccountTime::Updated | AccountTime::SandboxSince => (condition, vec![place.at.as_millis().into(), id]),
        }
    }
}

impl Comparison {
    const fn sql(self) -> &'static str {
        match self {
            Self::Greater => ">",
            Self::GreaterOrEqual => ">=",
            Self::Less => "<",
            Self::LessOrEqual => "<=",
        }
    }
}

impl<T: PartialOrd + AsRef<str>> Condition<T> {
    /// Whether a text fulfills it.
    pub fn matches_text(&self, value: &T) -> bool {
        match self {
            Self::Like(pattern) => {
                let pattern: Vec<char> = pattern.chars().collect();
                let text: Vec<char> = value.as_ref().chars().collect();
                is_like(&pattern, &text)
            }
            other => other.matches(value),
        }
    }
}

impl Condition<String> {
    /// Whether a text fulfills it that may be null: then it is no text, nor greater, less or like one.
    pub fn matches_optional(&self, value: Option<&String>) -> bool {
        match (value, self) {
            (Some(value), condition) => condition.matches_text(value),
            (None, Self::Exists(exists)) => !exists,
            (None, Self::NotIn(_)) => true,
            (None, Self::In(_) | Self::Compare(..) | Self::Like(_)) => false,
        }
    }
}

impl<T: PartialOrd> Condition<T> {
    /// Whether a value fulfills it; only a text can be [`Condition::Like`] something.
    pub fn matches(&self, value: &T) -> bool {
        match self {
            Self::In(values) => values.contains(value),
            Self::NotIn(values) => !values.contains(value),
            Self::Compare(Comparison::Greater, bound) => value > bound,
            Self::Compare(Comparison::GreaterOrEqual, bound) => value >= bound,
            Self::Compare(Comparison::Less, bound) => value < bound,
            Self::Compare(Comparison::LessOrEqual, bound) => value <= bound,
            Self::Exists(exists) => *exists,
            Self::Like(_) => false,
        }
    }
}

impl<T: Clone> Condition<T> {
    /// The condition on this column or expression, and the values of its parameters.
    fn sql(&self, column: &str, value: impl Fn(T) -> Value) -> (String, Vec<Value>) {
        let all = |values: &[T]| values.iter().cloned().map(&value).collect();
        match self {
            // With `=`, SQLite reads an index in its order.
            Self::In(values) if values.len() == 1 => (format!("{column} = ?"), all(values)),
            Self::In(values) => (format!("{column} IN ({})", parameters(values.len())), all(values)),
            Self::NotIn(values) => (format!("{column} NOT IN ({})", parameters(values.len())), all(values)),
            Self::Compare(comparison, bound) => {
                (format!("{column} {} ?", comparison.sql()), all(std::slice::from_ref(bound)))
            }
            Self::Like(pattern) => (format!("{column} LIKE ?"), vec![pattern.clone().into()]),
            Self::Exists(true) => (format!("{column} IS NOT NULL"), Vec::new()),
            Self::Exists(false) => (format!("{column} IS NULL"), Vec::new()),
        }
    }
}

impl Filter {
    /// SQL conditions, and the values of their parameters.
    pub(super) fn conditions(&self) -> (Vec<String>, Vec<Value>) {
        let Self { ids, statuses, environment_integration_id, texts, is_sandbox, times } = self;
        let mut conditions = Vec::new();
        let mut values: Vec<Value> = Vec::new();
        let mut add = |(condition, parameters): (String, Vec<Value>)| {
            conditions.push(condition);
            values.extend(parameters);
        };
        if let Some(ids) = ids {
            add((format!("id IN ({})", parameters(ids.len())), ids.iter().map(|id| id.to_string().into()).collect()));
        }
        if !statuses.is_empty() {
            add(Condition::In(statuses.clone()).sql("status", Value::from));
        }
        if let Some(id) = environment_integration_id {
            add(("environment_integration_id = ?".to_owned(), vec![id.to_string().into()]));
        }
        for (text, condition) in texts {
            add(match text {
                AccountText::Id => condition.sql("id", Value::from),
                AccountText::TenantId => condition.sql("tenant_id", Value::from),
                AccountText::Status => condition.sql("status", Value::from),
                AccountText::Integration => of_integration(condition),
            });
        }
        for condition in is_sandbox {
            add(match condition {
                // As the indexes of sandbox accounts say it.
                Condition::In(only) if *only == [true] => ("sandbox_since IS NOT NULL".to_owned(), Vec::new()),
                other => other.sql("(sandbox_since IS NOT NULL)", |is_sandbox| i64::from(is_sandbox).into()),
            });
        }
        for (time, condition) in times {
            let column = match time {
                AccountTime::Created => "created_at",
                AccountTime::Updated => "updated_at",
                AccountTime::SandboxSince => "sandbox_since",
            };
            add(condition.sql(column, |at| at.as_millis().into()));
        }
        (conditions, values)
    }
}

/// A condition on the name of the account's integration.
fn of_integration(condition: &Condition<String>) -> (String, Vec<Value>) {
    let (named, values) = condition.sql("i.name", Value::from);
    // One integration has each name. With `=`, SQLite reads the index in its order.
    let operator = if matches!(condition, Condition::In(of) if of.len() == 1) { "=" } else { "IN" };
    let sql = format!(
        "environment_integration_id {operator} (SELECT e.id FROM environment_integration e
           JOIN integration i ON i.id = e.integration_id WHERE {named})"
    );
    (sql, values)
}

/// SQLite's LIKE.
fn is_like(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where the last `%` stands, and the text that it covers so far.
    let mut last: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('%') => {
                last = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '_' || c.eq_ignore_ascii_case(&text[t]) => (p, t) = (p + 1, t + 1),
            _ => match last {
                Some((percent, covered)) => {
                    last = Some((percent, covered + 1));
                    (p, t) = (percent + 1, covered + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '%')
}

/// So many placeholders.
fn parameters(count: usize) -> String {
    vec!["?"; count].join(", ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn like_is_sqlites() {
        for (pattern, text, is_alike) in [
            ("acme%", "acme-1", true),
            ("ACME%", "acme-1", true),
            ("%-1", "acme-1", true),
            ("%cm%", "acme-1", true),
            ("acme__", "acme-1", true),
            ("acme_", "acme-1", false),
            ("acme", "acme-1", false),
            ("", "", true),
            ("%", "", true),
            ("_", "", false),
            ("É%", "é", false),
        ] {
            assert_eq!(
                Condition::Like(pattern.to_owned()).matches_text(&text.to_owned()),
                is_alike,
                "{pattern} {text}"
            );
        }
    }

    proptest! {
        #[test]
        fn like_agrees_with_sqlite(pattern in "[a-cA-C%_é]{0,8}", text in "[a-cA-Cé]{0,8}") {
            let connection = rusqlite::Connection::open_in_memory().expect("opens");
            let sqlite: bool =
                connection.query_row("SELECT ?1 LIKE ?2", [&text, &pattern], |row| row.get(0)).expect("compared");
            prop_assert_eq!(Condition::Like(pattern).matches_text(&text), sqlite);
        }
    }
}
