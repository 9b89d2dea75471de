//! `$truto_merge`: objects that are merged over the object they stand in (contract section 4.5).
//!
//! Only a template can ask for it. A value with such a key is data.

use serde_json::{Map, Value};

pub(crate) const MERGE_KEY: &str = "$truto_merge";

/// A filled template before what it merges is merged.
#[derive(Debug)]
pub(super) enum Tree {
    /// A member with this value vanishes.
    Undefined,
    Value(Value),
    Array(Vec<Self>),
    Object(Vec<(Key, Self)>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Key {
    Name(String),
    /// [`MERGE_KEY`] in a template.
    Merge,
}

impl Tree {
    /// The value without the keys that ask for a merge. None: undefined. Objects are merged from the outside in, so that
    /// what an outer object merges can be overwritten by what an inner one does.
    pub(super) fn settle(self) -> Option<Value> {
        Some(match self {
            Self::Undefined => return None,
            Self::Value(value) => value,
            // As in JSON, the place of an item stays.
            Self::Array(items) => items.into_iter().map(|item| item.settle().unwrap_or(Value::Null)).collect(),
            Self::Object(mut members) => {
                if let Some(at) = members.iter().position(|(key, _)| *key == Key::Merge) {
                    let (_, merged) = members.remove(at);
                    for source in merged.into_items() {
                        if let Some(source) = source.into_members() {
                            merge(&mut members, source);
                        }
                    }
                }
                let settled = members.into_iter().filter_map(|(key, member)| {
                    let name = match key {
                        Key::Name(name) => name,
                        // What was merged asked for a merge at its own top: the library leaves that key.
                        Key::Merge => MERGE_KEY.to_owned(),
                    };
                    Some((name, member.settle()?))
                });
                Value::Object(settled.collect::<Map<_, _>>())
            }
        })
    }

    /// The items of an array, or the one value.
    fn into_items(self) -> Vec<Self> {
        match self {
            Self::Array(items) => items,
            Self::Value(Value::Array(items)) => items.into_iter().map(Self::Value).collect(),
            other => vec![other],
        }
    }

    /// The items of an array; None for anything else.
    fn array_items(&mut self) -> Option<Vec<Self>> {
        match self {
            Self::Array(items) => Some(std::mem::take(items)),
            Self::Value(Value::Array(items)) => Some(std::mem::take(items).into_iter().map(Self::Value).collect()),
            _ => None,
        }
    }

    const fn is_array(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Value(Value::Array(_)))
    }

    const fn is_object(&self) -> bool {
        matches!(self, Self::Object(_) | Self::Value(Value::Object(_)))
    }

    /// The members of an object; None for anything else.
    fn into_members(self) -> Option<Vec<(Key, Self)>> {
        match self {
            Self::Object(members) => Some(members),
            Self::Value(Value::Object(members)) => {
                Some(members.into_iter().map(|(name, value)| (Key::Name(name), Self::Value(value))).collect())
            }
            Self::Undefined | Self::Value(_) | Self::Array(_) => None,
        }
    }
}

/// Objects are merged key by key, arrays are concatenated, and everything else replaces what was there.
fn merge(target: &mut Vec<(Key, Tree)>, source: Vec<(Key, Tree)>) {
    for (key, mut value) in source {
        let Some((_, slot)) = target.iter_mut().find(|(known, _)| *known == key) else {
            target.push((key, value));
            continue;
        };
        if slot.is_object() && value.is_object() {
            let before = std::mem::replace(slot, Tree::Undefined);
            let mut members = before.into_members().unwrap_or_default();
            merge(&mut members, value.into_members().unwrap_or_default());
            *slot = Tree::Object(members);
        } else if slot.is_array() && value.is_array() {
            let mut items = slot.array_items().unwrap_or_default();
            items.extend(value.array_items().unwrap_or_default());
            *slot = Tree::Array(items);
        } else {
            *slot = value;
        }
    }
}
