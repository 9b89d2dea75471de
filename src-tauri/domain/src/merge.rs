//! Merging an override into a config.

use serde_json::{Map, Value};

/// Merges `over` into `base` (RFC 7396): objects are merged key by key, `null` removes a key, and everything else replaces
/// what was there.
pub fn merge(base: &mut Map<String, Value>, over: &Map<String, Value>) {
    for (key, value) in over {
        match value {
            Value::Null => {
                // `remove` would move the last key into the gap.
                base.shift_remove(key);
            }
            Value::Object(inner) => {
                let slot = base.entry(key.clone()).or_insert(Value::Null);
                if !slot.is_object() {
                    *slot = Value::Object(Map::new());
                }
                if let Value::Object(below) = slot {
                    merge(below, inner);
                }
            }
            plain => {
                base.insert(key.clone(), plain.clone());
            }
        }
    }
}

/// The override that makes `wanted` of `base` when it is [merged](merge). Members of `wanted` that are null count as missing.
pub fn difference(base: &Map<String, Value>, wanted: &Map<String, Value>) -> Map<String, Value> {
    let wants = |key: &String| wanted.get(key).is_some_and(|value| !value.is_null());
    let mut over: Map<String, Value> =
        base.keys().filter(|key| !wants(key)).map(|key| (key.clone(), Value::Null)).collect();
    for (key, value) in wanted.iter().filter(|(_, value)| !value.is_null()) {
        match (base.get(key), value) {
            (Some(Value::Object(base)), Value::Object(wanted)) => {
                let inner = difference(base, wanted);
                if !inner.is_empty() {
                    over.insert(key.clone(), inner.into());
                }
            }
            (Some(base), value) if base == value => {}
            (_, value) => drop(over.insert(key.clone(), value.clone())),
        }
    }
    over
}

/// The text at a path of `base` with `over` merged over it, without merging the rest.
pub fn merged_text<'v>(base: &'v Map<String, Value>, over: &'v Map<String, Value>, path: &[&str]) -> Option<&'v str> {
    let (key, below) = path.split_first()?;
    match (over.get(*key), base.get(*key)) {
        (Some(Value::Object(over)), Some(Value::Object(base))) => merged_text(base, over, below),
        (Some(value), _) | (None, Some(value)) => {
            below.iter().try_fold(value, |value, key| value.get(key)).and_then(Value::as_str)
        }
        (None, None) => None,
    }
}

/// Replaces the origin `from` by `to` in every string that is a URL at that origin.
pub(crate) fn move_origin(value: &mut Value, from: &str, to: &str) {
    match value {
        Value::String(text) => {
            if let Some(rest) = text.strip_prefix(from).filter(|rest| rest.is_empty() || rest.starts_with('/')) {
                *text = format!("{to}{rest}");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| move_origin(item, from, to)),
        Value::Object(map) => map.values_mut().for_each(|item| move_origin(item, from, to)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn merged(base: &Value, over: &Value) -> Value {
        let mut map = base.as_object().expect("an object").clone();
        merge(&mut map, over.as_object().expect("an object"));
        Value::Object(map)
    }

    #[test]
    fn objects_are_merged_and_everything_else_is_replaced() {
        let base = json!({"a": {"b": 1, "c": 2}, "list": [1, 2], "gone": {"x": 1}, "plain": 1});
        let over = json!({"a": {"c": 3}, "list": [9], "gone": null, "plain": {"deep": null, "in": true}});
        assert_eq!(merged(&base, &over), json!({"a": {"b": 1, "c": 3}, "list": [9], "plain": {"in": true}}));
    }

    fn document() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![Just(json!(1)), Just(json!("x")), Just(json!([1])), Just(json!(null))];
        let tree = leaf.prop_recursive(3, 16, 3, |inner| {
            prop::collection::btree_map("[abc]", inner, 0..3).prop_map(|map| json!(map))
        });
        prop::collection::btree_map("[abc]", tree, 0..4).prop_map(|map| json!(map))
    }

    fn has_null(value: &Value) -> bool {
        value.as_object().map_or(value.is_null(), |map| map.values().any(has_null))
    }

    proptest! {
        #[test]
        fn an_empty_override_changes_nothing(base in document()) {
            prop_assert_eq!(merged(&base, &json!({})), base);
        }

        #[test]
        fn the_difference_is_what_makes_one_document_of_another(base in document(), wanted in document()) {
            prop_assume!(!has_null(&base) && !has_null(&wanted));
            let [from, to] = [&base, &wanted].map(|document| document.as_object().expect("an object"));
            let over = difference(from, to);
            prop_assert_eq!(merged(&base, &over.clone().into()), wanted.clone());
            prop_assert_eq!(over.is_empty(), base == wanted, "only what differs is in it");
        }

        #[test]
        fn merging_twice_equals_merging_once(base in document(), over in document()) {
            let once = merged(&base, &over);
            prop_assert_eq!(merged(&once, &over), once);
        }

        #[test]
        fn an_override_without_null_merged_into_nothing_is_itself(over in document()) {
            prop_assume!(!has_null(&over));
            prop_assert_eq!(merged(&json!({}), &over), over);
        }

        #[test]
        fn one_text_of_the_merged_document_is_found_without_merging(
            base in document(),
            over in document(),
            path in prop::collection::vec(prop_oneof![Just("a"), Just("b"), Just("c")], 1..4),
        ) {
            let merged = merged(&base, &over);
            let expected = path.iter().try_fold(&merged, |value, key| value.get(key)).and_then(Value::as_str);
            let [base, over] = [&base, &over].map(|document| document.as_object().expect("an object"));
            prop_assert_eq!(merged_text(base, over, &path), expected);
        }

        #[test]
        fn keys_that_the_override_lacks_stay(base in document(), over in document()) {
            let after = merged(&base, &over);
            for (key, value) in base.as_object().expect("an object") {
                if over.get(key).is_none() {
                    prop_assert_eq!(after.get(key), Some(value));
                }
            }
        }
    }
}
