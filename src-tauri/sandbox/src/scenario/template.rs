//! The templates of a scenario: JSON whose texts have placeholders.
//!
//! - `{{path}}` is the value at the path. As a whole text it keeps its type, and is null if there is none.
//! - `{{path?}}`: without a value, the member or item that has the text is left out.
//! - `{{path|text}}`: the text, without a value.
//! - `{"$if": "path", …}` is left out without a value, an empty text or `false`; otherwise it is the object without `$if`.
//! - `{"$text": "{{path}}"}` is the value as a text.
//! - `{"$pick": [a, b, …]}` is one of them, by the record's `n`.

use serde_json::{Map, Value};

/// The value of a template. `None`: it is left out.
pub(crate) fn render(template: &Value, scope: &Value) -> Option<Value> {
    match template {
        Value::String(text) => render_text(text, scope),
        Value::Array(items) => Some(items.iter().filter_map(|item| render(item, scope)).collect()),
        Value::Object(members) => render_object(members, scope),
        Value::Null | Value::Bool(_) | Value::Number(_) => Some(template.clone()),
    }
}

/// The text of a template. `None`: it is left out.
pub(crate) fn render_as_text(template: &str, scope: &Value) -> Option<String> {
    render_text(template, scope).map(|value| text_of(&value))
}

/// The value at a dotted path.
pub(crate) fn find<'v>(value: &'v Value, path: &str) -> Option<&'v Value> {
    let found = path.split('.').try_fold(value, |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => value.get(step),
    });
    found.filter(|value| !value.is_null())
}

/// Texts as they are, everything else as JSON; null is empty.
pub(crate) fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn render_object(members: &Map<String, Value>, scope: &Value) -> Option<Value> {
    if let Some(Value::Array(choices)) = members.get("$pick") {
        let n = scope.get("n").and_then(Value::as_u64).unwrap_or_default();
        let at = usize::try_from(n).unwrap_or_default().checked_rem(choices.len())?;
        return render(choices.get(at)?, scope);
    }
    if let Some(value) = members.get("$text") {
        return render(value, scope).map(|value| Value::String(text_of(&value)));
    }
    if let Some(Value::String(path)) = members.get("$if")
        && !find(scope, path).is_some_and(|value| *value != Value::Bool(false) && value.as_str() != Some(""))
    {
        return None;
    }
    let rendered = members.iter().filter(|(name, _)| *name != "$if");
    let rendered = rendered.filter_map(|(name, value)| Some((name.clone(), render(value, scope)?)));
    Some(Value::Object(rendered.collect()))
}

fn render_text(text: &str, scope: &Value) -> Option<Value> {
    if let Some(placeholder) = whole(text) {
        return placeholder.value(scope);
    }
    let (mut filled, mut rest) = (String::new(), text);
    while let Some((before, inside, behind)) = next(rest) {
        filled.push_str(before);
        filled.push_str(&text_of(&Placeholder::parse(inside).value(scope)?));
        rest = behind;
    }
    filled.push_str(rest);
    Some(Value::String(filled))
}

struct Placeholder<'t> {
    path: &'t str,
    or_else: OrElse<'t>,
}

enum OrElse<'t> {
    Null,
    LeaveOut,
    Text(&'t str),
}

impl<'t> Placeholder<'t> {
    fn parse(inside: &'t str) -> Self {
        if let Some((path, text)) = inside.split_once('|') {
            return Self { path, or_else: OrElse::Text(text) };
        }
        match inside.strip_suffix('?') {
            Some(path) => Self { path, or_else: OrElse::LeaveOut },
            None => Self { path: inside, or_else: OrElse::Null },
        }
    }

    fn value(&self, scope: &Value) -> Option<Value> {
        match (find(scope, self.path), &self.or_else) {
            (Some(value), _) => Some(value.clone()),
            (None, OrElse::Null) => Some(Value::Null),
            (None, OrElse::LeaveOut) => None,
            (None, OrElse::Text(text)) => Some(Value::from(*text)),
        }
    }
}

/// The placeholder that a text consists of.
fn whole(text: &str) -> Option<Placeholder<'_>> {
    let (before, inside, behind) = next(text)?;
    (before.is_empty() && behind.is_empty()).then(|| Placeholder::parse(inside))
}

/// What stands before, in and behind the first placeholder.
fn next(text: &str) -> Option<(&str, &str, &str)> {
    let (before, rest) = text.split_once("{{")?;
    let (inside, behind) = rest.split_once("}}")?;
    Some((before, inside, behind))
}

/// The paths that a template's placeholders name.
pub(crate) fn paths(template: &Value) -> Vec<&str> {
    match template {
        Value::String(text) => {
            let (mut found, mut rest) = (Vec::new(), text.as_str());
            while let Some((_, inside, behind)) = next(rest) {
                found.push(Placeholder::parse(inside).path);
                rest = behind;
            }
            found
        }
        Value::Array(items) => items.iter().flat_map(paths).collect(),
        Value::Object(members) => {
            let condition = members.get("$if").and_then(Value::as_str);
            let others = members.iter().filter(|(name, _)| *name != "$if");
            condition.into_iter().chain(others.flat_map(|(_, value)| paths(value))).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn placeholders_keep_their_type_alone_and_become_text_among_others() {
        let scope = json!({ "n": 4, "who": { "name": "Ada" }, "list": [1, 2], "no": false, "empty": "" });
        for (template, expected) in [
            (json!("{{n}}"), json!(4)),
            (json!("{{list}}"), json!([1, 2])),
            (json!("{{list.1}}"), json!(2)),
            (json!("#{{n}} of {{who.name}}"), json!("#4 of Ada")),
            (json!("{{nobody}}"), json!(null)),
            (json!("<{{nobody}}>"), json!("<>")),
            (json!("{{nobody|x}}"), json!("x")),
            (json!("{{n|x}}"), json!(4)),
            (json!("{{open"), json!("{{open")),
            (json!({ "a": "{{nobody?}}", "b": "{{n?}}" }), json!({ "b": 4 })),
            (json!(["{{nobody?}}", "at {{nobody?}}", true]), json!([true])),
            (json!({ "a": { "$if": "n", "b": 1 }, "c": { "$if": "nobody", "d": 1 } }), json!({ "a": { "b": 1 } })),
            (json!([{ "$if": "no" }, { "$if": "empty" }]), json!([])),
            (json!({ "$pick": ["a", "b", "{{who.name}}"] }), json!("b")),
            (json!({ "$text": "{{n}}" }), json!("4")),
        ] {
            assert_eq!(render(&template, &scope), Some(expected), "{template}");
        }
        assert_eq!(render(&json!("{{nobody?}}"), &scope), None);
        assert_eq!(render(&json!({ "$pick": [] }), &scope), None);
    }

    #[test]
    fn the_paths_of_a_template_are_found_wherever_they_stand() {
        let template = json!({ "a": ["{{b.c}} and {{d?}}"], "$if": "e", "f": { "$pick": ["{{g|h}}"] } });
        let mut found = paths(&template);
        found.sort_unstable();
        assert_eq!(found, ["b.c", "d", "e", "g"]);
    }
}
