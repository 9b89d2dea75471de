//! Lists in Truto's format: filters, order and pages.
//!
//! A cursor names the last object of its page by its time and id, so that what is created or deleted meanwhile shifts no
//! page.

use relink_contract::List;
use relink_domain::Timestamp;
use relink_engine::{AccountOrder, AccountPlace, AccountTime, PageQuery};

use crate::{
    error::ApiError,
    query::{Query, invalid},
};

/// A field by which a list can be filtered, and how to read it. Each list can also be filtered by the times of its [`Place`]s.
pub(crate) enum Field<T> {
    Text(fn(&T) -> String),
    /// One that may be null.
    OptionalText(fn(&T) -> Option<String>),
    Flag(fn(&T) -> bool),
}

/// Where an object stands in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
    pub(crate) id: String,
}

/// Which page is requested.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Paging {
    pub(crate) order: AccountOrder,
    pub(crate) after: Option<Cursor>,
    pub(crate) limit: usize,
}

/// The last object of the previous page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cursor {
    /// The time by which the list is sorted.
    pub(crate) at: Timestamp,
    pub(crate) id: String,
}

/// The values of `sort`, and the names of their orders in cursors.
const ORDERS: [(&str, &str, AccountOrder); 4] = [
    ("-created_at", "cd", AccountOrder { by: AccountTime::Created, newest_first: true }),
    ("created_at", "ca", AccountOrder { by: AccountTime::Created, newest_first: false }),
    ("-updated_at", "ud", AccountOrder { by: AccountTime::Updated, newest_first: true }),
    ("updated_at", "ua", AccountOrder { by: AccountTime::Updated, newest_first: false }),
];

impl Paging {
    pub(crate) fn of(query: &Query) -> Result<Self, ApiError> {
        let wanted = query.one("sort").unwrap_or("-created_at");
        let Some((_, name, order)) = ORDERS.into_iter().find(|(sort, ..)| *sort == wanted) else {
            return Err(invalid("sort must be created_at, -created_at, updated_at or -updated_at."));
        };
        let after = query.one("next_cursor").map(|text| {
            let cursor = text.strip_prefix(name).and_then(|rest| rest.strip_prefix('.')).and_then(|rest| {
                let (millis, id) = rest.split_once('.')?;
                Some(Cursor { at: Timestamp::from_millis(millis.parse().ok()?), id: id.to_owned() })
            });
            cursor.ok_or_else(|| invalid("This next_cursor isn't valid. Pass one with the sort of its list."))
        });
        Ok(Self { order, after: after.transpose()?, limit: query.limit()? })
    }

    /// The page of a list of accounts. `created`: the time that the list calls that of their creation.
    pub(crate) fn of_accounts(&self, created: AccountTime) -> Result<PageQuery, ApiError> {
        let after = self.after.as_ref().map(|after| match after.id.parse() {
            Ok(id) => Ok(AccountPlace { at: after.at, id }),
            Err(_) => Err(invalid("This next_cursor isn't valid.")),
        });
        let by = if self.order.by == AccountTime::Created { created } else { self.order.by };
        let order = AccountOrder { by, ..self.order };
        Ok(PageQuery { order, after: after.transpose()?, limit: self.limit })
    }

    /// The list of such a page.
    pub(crate) fn list_of_accounts<T>(&self, result: Vec<T>, next: Option<AccountPlace>) -> List<T> {
        let place = |AccountPlace { at, id }| Place { created_at: at, updated_at: at, id: id.to_string() };
        let next_cursor = next.map(place).and_then(|place| self.next_cursor(&place));
        List { result, next_cursor, limit: self.limit }
    }

    fn cursor(&self, place: &Place) -> Cursor {
        let at = match self.order.by {
            AccountTime::Created | AccountTime::SandboxSince => place.created_at,
            AccountTime::Updated => place.updated_at,
        };
        Cursor { at, id: place.id.clone() }
    }

    /// The `next_cursor` of a page that ends with this object.
    pub(crate) fn next_cursor(&self, last: &Place) -> Option<String> {
        let (_, name, _) = ORDERS.into_iter().find(|(.., order)| *order == self.order)?;
        let Cursor { at, id } = self.cursor(last);
        Some(format!("{name}.{}.{id}", at.as_millis()))
    }

    /// The requested page of a list that is whole in memory.
    fn page<T>(&self, mut all: Vec<T>, place: impl Fn(&T) -> Place) -> List<T> {
        let cursor = |item: &T| self.cursor(&place(item));
        all.sort_by_cached_key(&cursor);
        if self.order.newest_first {
            all.reverse();
        }
        if let Some(after) = &self.after {
            all.retain(|item| if self.order.newest_first { cursor(item) < *after } else { cursor(item) > *after });
        }
        let has_more = all.len() > self.limit;
        all.truncate(self.limit);
        let next_cursor = all.last().filter(|_| has_more).and_then(|last| self.next_cursor(&place(last)));
        List { result: all, next_cursor, limit: self.limit }
    }
}

/// The requested page of what matches the query's filters. Other fields of the query are ignored.
pub(crate) fn list<T>(
    query: &Query,
    mut all: Vec<T>,
    fields: &[(&str, Field<T>)],
    place: impl Fn(&T) -> Place,
) -> Result<List<T>, ApiError> {
    for (name, field) in fields {
        match field {
            Field::Text(read) => {
                let conditions = query.texts(name, false)?;
                all.retain(|item| conditions.iter().all(|condition| condition.matches_text(&read(item))));
            }
            Field::OptionalText(read) => {
                let conditions = query.texts(name, false)?;
                all.retain(|item| {
                    let value = read(item);
                    conditions.iter().all(|condition| condition.matches_optional(value.as_ref()))
                });
            }
            Field::Flag(read) => {
                let conditions = query.flags(name)?;
                all.retain(|item| conditions.iter().all(|condition| condition.matches(&read(item))));
            }
        }
    }
    let (created, updated) = (query.times("created_at")?, query.times("updated_at")?);
    all.retain(|item| {
        let Place { created_at, updated_at, .. } = place(item);
        created.iter().all(|condition| condition.matches(&created_at))
            && updated.iter().all(|condition| condition.matches(&updated_at))
    });
    Ok(Paging::of(query)?.page(all, place))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::query::query;

    type Item = (&'static str, i64, i64);

    fn place((id, created_at, updated_at): &Item) -> Place {
        let (created_at, updated_at) = (Timestamp::from_millis(*created_at), Timestamp::from_millis(*updated_at));
        Place { created_at, updated_at, id: (*id).to_owned() }
    }

    fn ids(pairs: &[(&str, &str)], items: &[Item]) -> (String, Option<String>) {
        let fields = [
            ("name", Field::Text(|item: &Item| item.0.to_owned())),
            ("vowel", Field::OptionalText(|item: &Item| (item.0 == "a").then(|| item.0.to_owned()))),
        ];
        let page = list(&query(pairs), items.to_vec(), &fields, place).expect("a page");
        (page.result.iter().map(|item| item.0).collect(), page.next_cursor)
    }

    const ITEMS: [Item; 4] = [("a", 1, 9), ("b", 2, 5), ("c", 2, 7), ("d", 3, 3)];

    #[test]
    fn lists_are_newest_first_unless_sorted_otherwise() {
        for (sort, expected) in [
            ("", "dcba"),
            ("-created_at", "dcba"),
            ("created_at", "abcd"),
            ("updated_at", "dbca"),
            ("-updated_at", "acbd"),
        ] {
            assert_eq!(ids(&[("sort", sort)], &ITEMS).0, expected, "{sort}");
        }
        assert!(Paging::of(&query(&[("sort", "name")])).is_err());
        assert_eq!(ids(&[("name[in]", "a,d"), ("else", "x")], &ITEMS).0, "da");
    }

    #[test]
    fn a_null_exists_not_and_equals_nothing() {
        for (condition, value, expected) in [
            ("vowel[exists]", "false", "dcb"),
            ("vowel[exists]", "true", "a"),
            ("vowel", "b", ""),
            ("vowel[ne]", "a", "dcb"),
            ("vowel[ne]", "b", "dcba"),
            ("vowel[like]", "%", "a"),
            ("vowel[gte]", "", "dcba"),
            ("vowel[lt]", "z", "a"),
        ] {
            assert_eq!(ids(&[(condition, value)], &ITEMS).0, expected, "{condition}={value}");
        }
    }

    #[test]
    fn each_list_is_filtered_by_its_times() {
        let at = |millis| Timestamp::from_millis(millis).to_string();
        assert_eq!(ids(&[("created_at[gte]", &at(2)), ("created_at[lt]", &at(3))], &ITEMS).0, "cb");
        assert_eq!(ids(&[("updated_at[gt]", &at(5))], &ITEMS).0, "ca");
        for name in ["created_at", "updated_at"] {
            let unknown = format!("{name}[about]");
            assert!(list(&query(&[(&unknown, &at(1))]), ITEMS.to_vec(), &[], place).is_err(), "{name}");
        }
    }

    #[test]
    fn pages_stay_in_place_while_objects_come_and_go() {
        for sort in ["created_at", "-created_at", "updated_at", "-updated_at"] {
            let all = ids(&[("sort", sort)], &ITEMS).0;
            let (first, cursor) = ids(&[("sort", sort), ("limit", "2")], &ITEMS);
            let cursor = cursor.expect("more");
            // The page's last object is gone, and there are newer and older ones.
            let last = first.chars().last().expect("two");
            let mut later: Vec<Item> = ITEMS.into_iter().filter(|item| !item.0.starts_with(last)).collect();
            later.extend([("e", 99, 99), ("f", 0, 0)]);
            let (second, _) = ids(&[("sort", sort), ("next_cursor", &cursor)], &later);
            let rest: String = second.chars().filter(|c| !"ef".contains(*c)).collect();
            assert_eq!(format!("{first}{rest}"), all, "{sort}");
        }
    }

    #[test]
    fn a_cursor_of_another_order_or_of_nothing_is_refused() {
        let cursor = ids(&[("limit", "1")], &ITEMS).1.expect("more");
        for (sort, cursor) in [("created_at", cursor.as_str()), ("", "x"), ("", "cd."), ("", "cd.x.y"), ("", "cd.1")] {
            assert!(Paging::of(&query(&[("sort", sort), ("next_cursor", cursor)])).is_err(), "{sort} {cursor}");
        }
        assert_eq!(ids(&[("next_cursor", &cursor)], &ITEMS).0, "cba");
        assert_eq!(ids(&[("limit", "4")], &ITEMS).1, None, "nothing follows");
    }
}
