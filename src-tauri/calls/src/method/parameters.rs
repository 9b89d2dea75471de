//! The query of a caller's request: what is for Relink, and what goes on to the provider (contract sections 0.2 and 7).

use relink_domain::integration::resources::ArrayFormat;
use serde_json::{Map, Value, map::Entry};
use url::form_urlencoded;

use crate::pages::{Asked, PageError, Seal};

/// Names in brackets after a parameter's own, at most. A deeper name is taken as it is written.
const MAX_DEPTH: usize = 8;

/// A caller's query.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Parameters {
    pub integrated_account_id: Option<String>,
    pub limit: Option<String>,
    pub next_cursor: Option<String>,
    pub prev_cursor: Option<String>,
    /// Whether the body and its type go as they are.
    pub body_passthrough: bool,
    /// What is for the provider, as it was written.
    pub as_sent: String,
    /// The same, read: `a[b]=c` is an object, and `a[]=c`, `a[0]=c` and a name that is there twice are lists.
    pub forwarded: Map<String, Value>,
}

impl Parameters {
    pub fn read(query: &str) -> Self {
        let mut found = Self::default();
        let pairs = query.split('&').filter_map(|pair| Some((pair, form_urlencoded::parse(pair.as_bytes()).next()?)));
        for (pair, (name, value)) in pairs {
            let own = match &*name {
                "integrated_account_id" => &mut found.integrated_account_id,
                "limit" => &mut found.limit,
                "next_cursor" => &mut found.next_cursor,
                "prev_cursor" => &mut found.prev_cursor,
                "truto_body_passthrough" => {
                    found.body_passthrough = value == "true";
                    continue;
                }
                _ if name.starts_with("truto_") => continue,
                // Python's word for nothing (contract section 0.2).
                _ if value == "None" => continue,
                _ => {
                    if !found.as_sent.is_empty() {
                        found.as_sent.push('&');
                    }
                    found.as_sent.push_str(pair);
                    insert(&mut found.forwarded, &name, value.into_owned());
                    continue;
                }
            };
            if !value.is_empty() && value != "None" {
                *own = Some(value.into_owned());
            }
        }
        found
    }

    /// The page of a list that is asked for.
    pub(super) fn asked(&self, seal: &Seal) -> Result<Asked, PageError> {
        let [limit, next, prev] = [&self.limit, &self.next_cursor, &self.prev_cursor].map(Option::as_deref);
        Asked::read(limit, next, prev, seal)
    }

    /// The fields of a form, none of which is for Relink.
    pub(super) fn read_form(&mut self, body: &[u8]) {
        for (name, value) in form_urlencoded::parse(body) {
            insert(&mut self.forwarded, &name, value.into_owned());
        }
    }
}

fn insert(into: &mut Map<String, Value>, name: &str, value: String) {
    let steps = steps_of(name).filter(|(_, below)| below.len() <= MAX_DEPTH);
    let (root, below) = steps.unwrap_or((name, Vec::new()));
    let slot = into.entry(root).or_insert(Value::Null);
    if !put(slot, &below, &value) {
        // It contradicts another one, as in `a=1&a[b]=2`.
        into.insert(name.to_owned(), value.into());
    }
}

/// Of `a[b][]`, `a` and what is in each pair of brackets.
fn steps_of(name: &str) -> Option<(&str, Vec<&str>)> {
    let (root, mut rest) = name.split_at(name.find('[')?);
    let mut below = Vec::new();
    while !rest.is_empty() {
        let (step, behind) = rest.strip_prefix('[')?.split_once(']')?;
        below.push(step);
        rest = behind;
    }
    (!root.is_empty()).then_some((root, below))
}

/// Whether the value could be put there.
fn put(slot: &mut Value, below: &[&str], value: &str) -> bool {
    let Some((step, below)) = below.split_first() else {
        match slot {
            Value::Null => *slot = value.into(),
            Value::Array(items) => items.push(value.into()),
            Value::Object(_) => return false,
            first => *first = Value::Array(vec![first.take(), value.into()]),
        }
        return true;
    };
    let is_item = step.is_empty() || step.bytes().all(|byte| byte.is_ascii_digit());
    if slot.is_null() {
        *slot = if is_item { Value::Array(Vec::new()) } else { Value::Object(Map::new()) };
    }
    match slot {
        Value::Array(items) if is_item => {
            // `a[][b]=1&a[][c]=2` is one object, as long as no name comes again.
            if let (Some(last @ Value::Object(_)), true, [name, ..]) = (items.last_mut(), step.is_empty(), below)
                && last.get(*name).is_none()
            {
                return put(last, below, value);
            }
            if let Some(item) =
                step.parse::<usize>().ok().and_then(|at| items.get_mut(at)).filter(|_| !below.is_empty())
            {
                return put(item, below, value);
            }
            let mut item = Value::Null;
            let is_put = put(&mut item, below, value);
            items.push(item);
            is_put
        }
        Value::Object(members) => put(members.entry(*step).or_insert(Value::Null), below, value),
        _ => false,
    }
}

/// Merges objects, and replaces everything else.
pub(super) fn merge(into: &mut Map<String, Value>, over: Map<String, Value>) {
    for (name, value) in over {
        match (into.entry(name), value) {
            (Entry::Occupied(mut slot), Value::Object(over)) if slot.get().is_object() => {
                if let Value::Object(inner) = slot.get_mut() {
                    merge(inner, over);
                }
            }
            (Entry::Occupied(mut slot), value) => {
                slot.insert(value);
            }
            (Entry::Vacant(slot), value) => {
                slot.insert(value);
            }
        }
    }
}

/// The pairs of a query or a form. Null leaves a parameter out.
pub(super) fn pairs(values: &Map<String, Value>, format: ArrayFormat) -> Vec<(String, String)> {
    let mut pairs = Vec::with_capacity(values.len());
    for (name, value) in values {
        flatten(&mut pairs, name.clone(), value, format);
    }
    pairs
}

fn flatten(into: &mut Vec<(String, String)>, name: String, value: &Value, format: ArrayFormat) {
    match value {
        Value::Null => {}
        Value::Object(members) => {
            for (member, value) in members {
                flatten(into, format!("{name}[{member}]"), value, format);
            }
        }
        Value::Array(items) => {
            let is_flat = items.iter().all(|item| !item.is_array() && !item.is_object());
            match format {
                ArrayFormat::Comma if is_flat => {
                    let texts: Vec<String> = items.iter().filter_map(text).collect();
                    if !texts.is_empty() {
                        into.push((name, texts.join(",")));
                    }
                }
                ArrayFormat::Repeat if is_flat => {
                    into.extend(items.iter().filter_map(text).map(|text| (name.clone(), text)));
                }
                ArrayFormat::Brackets if is_flat => {
                    into.extend(items.iter().filter_map(text).map(|text| (format!("{name}[]"), text)));
                }
                // Items that have members need their numbers to stay apart.
                ArrayFormat::Comma | ArrayFormat::Repeat | ArrayFormat::Brackets | ArrayFormat::Indices => {
                    for (at, item) in items.iter().enumerate() {
                        flatten(into, format!("{name}[{at}]"), item, format);
                    }
                }
            }
        }
        scalar => into.extend(text(scalar).map(|text| (name, text))),
    }
}

/// A value without members as text. `None` for null.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn forwarded(query: &str) -> Value {
        Value::Object(Parameters::read(query).forwarded)
    }

    #[test]
    fn every_form_of_a_parameter_is_read() {
        for (query, expected) in [
            ("a=b&c=true&d=", json!({"a": "b", "c": "true", "d": ""})),
            ("x=None&y=1", json!({"y": "1"})),
            ("a[b]=c&a[d][e]=f", json!({"a": {"b": "c", "d": {"e": "f"}}})),
            ("a%5Bb%5D=c+d", json!({"a": {"b": "c d"}})),
            ("a[]=x&a[]=y", json!({"a": ["x", "y"]})),
            ("a[0]=x&a[1]=y", json!({"a": ["x", "y"]})),
            ("a=x&a=y&a=z", json!({"a": ["x", "y", "z"]})),
            ("a=x,y", json!({"a": "x,y"})),
            ("a[][k]=1&a[][l]=2&a[][k]=3", json!({"a": [{"k": "1", "l": "2"}, {"k": "3"}]})),
            ("a[0][k]=1&a[0][l]=2&a[1][k]=3", json!({"a": [{"k": "1", "l": "2"}, {"k": "3"}]})),
            ("created_at[gt]=1&id[in]=a,b", json!({"created_at": {"gt": "1"}, "id": {"in": "a,b"}})),
            ("a[b=c&[d]=e&f[g]h=i", json!({"a[b": "c", "[d]": "e", "f[g]h": "i"})),
            ("a=1&a[b]=2", json!({"a": "1", "a[b]": "2"})),
            ("a[b][c][d][e][f][g][h][i][j]=1", json!({"a[b][c][d][e][f][g][h][i][j]": "1"})),
            ("", json!({})),
        ] {
            assert_eq!(forwarded(query), expected, "{query}");
        }
    }

    #[test]
    fn what_is_for_relink_does_not_go_on() {
        let query =
            "integrated_account_id=1&limit=5&next_cursor=&prev_cursor=p&truto_body_passthrough=true&truto_x=1&a=b&id=7";
        let read = Parameters::read(query);
        assert_eq!(Value::Object(read.forwarded), json!({"a": "b", "id": "7"}));
        assert_eq!((read.integrated_account_id.as_deref(), read.limit.as_deref()), (Some("1"), Some("5")));
        assert_eq!((read.next_cursor, read.prev_cursor.as_deref(), read.body_passthrough), (None, Some("p"), true));
        assert_eq!(read.as_sent, "a=b&id=7");
        assert_eq!(Parameters::read("a=%20&limit=1&a=+&&%6cimit=2&b").as_sent, "a=%20&a=+&b");
    }

    #[test]
    fn a_list_is_written_in_the_definitions_format() {
        use ArrayFormat::{Brackets, Comma, Indices, Repeat};
        let shown = |values: Value, format| {
            let pairs = pairs(values.as_object().expect("an object"), format);
            pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
        };
        let flat = json!({"a": ["x", 1, null, true], "n": null, "b": {"c": [2]}, "e": []});
        for (format, expected) in [
            (Comma, "a=x,1,true&b[c]=2"),
            (Brackets, "a[]=x&a[]=1&a[]=true&b[c][]=2"),
            (Indices, "a[0]=x&a[1]=1&a[3]=true&b[c][0]=2"),
            (Repeat, "a=x&a=1&a=true&b[c]=2"),
        ] {
            assert_eq!(shown(flat.clone(), format), expected);
        }
        let deep = json!({"a": [{"k": 1}, ["y"]]});
        for (format, expected) in [(Comma, "a[0][k]=1&a[1]=y"), (Brackets, "a[0][k]=1&a[1][]=y")] {
            assert_eq!(shown(deep.clone(), format), expected);
        }
    }

    #[test]
    fn objects_are_merged_and_everything_else_is_replaced() {
        let mut values = json!({"a": {"b": 1, "c": [1]}, "d": 1}).as_object().expect("an object").clone();
        let over = json!({"a": {"c": [2]}, "d": {"e": 1}, "f": null}).as_object().expect("an object").clone();
        merge(&mut values, over);
        assert_eq!(Value::Object(values), json!({"a": {"b": 1, "c": [2]}, "d": {"e": 1}, "f": null}));
    }
}
