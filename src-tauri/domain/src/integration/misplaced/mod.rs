//! Secrets that stand in a definition in plain text. A definition is stored in plain text and shown to programs, so a
//! credential belongs in a field of `credentials` and is named by a placeholder.
//!
//! One walk finds them. A written definition with one is refused ([`refuse`]); a stored one, which an earlier version of
//! Relink accepted, stays usable and is hidden where it is shown ([`redacted`]).

mod literal;

use serde_json::{Map, Value};

pub use self::literal::is_credential_name;
use self::literal::{Place, is_template};
use super::{
    error::DefinitionError,
    format::NAMES,
    known_keys::{AUTHORIZATION, CREDENTIALS, KEPT, Keys, RELINK, Section},
    node::{Node, listed},
    read::Step,
};

/// Shown in place of a secret.
const REDACTED: &str = "<redacted>";

const INSTEAD: &str = "and everybody can read it here; ask for it in a field of \"credentials\" and name it by a \
                       placeholder, such as {{credentials.api_key}}. The secret of an OAuth client belongs in \"client\": \
                       {\"id\": \"...\", \"secret\": \"...\"}";

/// What stands in the wrong place.
#[derive(Debug)]
struct Found {
    path: Vec<Step>,
    what: What,
}

#[derive(Debug, Clone, Copy)]
enum What {
    /// A credential in plain text.
    Literal(&'static str),
    /// A key that may be a misspelled secret, where only these may stand.
    UnknownKey(&'static [&'static str]),
    /// A key of Relink's section, where only these have an effect.
    UnknownAddition(&'static [&'static str]),
    /// The `config` of a format that isn't known.
    UnknownFormat,
    /// A key of Truto's that has no effect.
    Unused,
}

/// Refuses a definition with a misplaced secret, by line and field. With an override, only what that contains is refused.
pub(super) fn refuse(document: &Node<'_>, over: Option<&Map<String, Value>>) -> Result<(), DefinitionError> {
    let is_checked = |found: &Found| over.is_none_or(|over| contains(over, &found.path));
    for found in find(document.json()).into_iter().filter(is_checked) {
        let node = document.at(&found.path);
        match found.what {
            What::Literal(problem) => return Err(node.fail(format_args!("{problem}, {INSTEAD}"))),
            What::UnknownKey(known) => {
                return Err(node.fail(format_args!(
                    "is not known here, and could be a secret that is stored in plain text; use {}, or remove it",
                    listed(known)
                )));
            }
            What::UnknownAddition(known) => {
                return Err(node.fail(format_args!(
                    "is not known here and would have no effect; use {}, or remove it",
                    listed(known)
                )));
            }
            What::UnknownFormat => return Err(node.fail("is for a format that is not known here; remove it")),
            What::Unused => node.warn("Relink doesn't use this key; it stays and has no effect"),
        }
    }
    Ok(())
}

/// Whether an override of `config` has a value at this path of the document.
fn contains(over: &Map<String, Value>, path: &[Step]) -> bool {
    let [Step::Key(section), Step::Key(first), rest @ ..] = path else { return false };
    let value = over.get(first).filter(|_| section == "config");
    value.is_some_and(|value| rest.iter().try_fold(value, |value, step| step.below(value)).is_some())
}

/// A stored `config` as it may be shown.
pub fn redacted(config: &Value) -> Value {
    let mut shown = config.clone();
    for found in find_in_config(config) {
        if matches!(found.what, What::Unused | What::UnknownAddition(_)) {
            continue;
        }
        if let Some(value) = at_mut(&mut shown, &found.path) {
            *value = REDACTED.into();
        }
    }
    shown
}

fn at_mut<'v>(value: &'v mut Value, path: &[Step]) -> Option<&'v mut Value> {
    path.iter().try_fold(value, |value, step| match step {
        Step::Key(key) => value.get_mut(key),
        Step::Item(at) => value.get_mut(at),
    })
}

fn find(document: &Value) -> Vec<Found> {
    let mut walk = Walk::default();
    walk.visit(document, Position { key: "", place: Place::Elsewhere, expected: Expected::Document });
    walk.found
}

fn find_in_config(config: &Value) -> Vec<Found> {
    let mut walk = Walk::default();
    walk.visit(config, Position { key: "config", place: Place::Elsewhere, expected: Expected::Config });
    walk.found
}

#[derive(Debug, Default)]
struct Walk {
    path: Vec<Step>,
    found: Vec<Found>,
}

/// Where the walk is.
#[derive(Debug, Clone, Copy)]
struct Position<'a> {
    key: &'a str,
    /// Where the object with the key stands.
    place: Place,
    /// What may stand under the key.
    expected: Expected,
}

/// What may stand somewhere.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Document,
    Config,
    /// Relink's section, and objects in it.
    Own(&'static Keys),
    /// `keep` in Relink's section.
    Keep,
    Resources,
    Resource,
    Actions,
    Action,
    Steps,
    /// Of a resource, or a step of an action.
    Method,
    /// For people, or names of things: it isn't searched.
    Description,
    Section(&'static Section),
    /// `{"format", "config"}`, with the keys of `config` if its format is known.
    Entry(Option<&'static Keys>),
    Only(&'static Keys),
    Anything,
}

impl Expected {
    /// What may stand under this key of an object. The error: the key itself may not stand there.
    fn below(self, object: &Value, key: &str, child: &Value) -> Result<Self, What> {
        match self {
            Self::Document => Ok(match key {
                "config" => Self::Config,
                "documentation" => Self::Description,
                _ => Self::Anything,
            }),
            Self::Config => Ok(match key {
                "credentials" => Self::Section(&CREDENTIALS),
                "authorization" if child.is_object() => Self::Section(&AUTHORIZATION),
                "resources" => Self::Resources,
                "actions" => Self::Actions,
                "relink" if child.is_object() => Self::Own(&RELINK),
                "tool_tags" => Self::Description,
                _ => Self::Anything,
            }),
            Self::Own(_) if key == "scope_descriptions" => Ok(Self::Description),
            Self::Own(keys) if keys.unused.contains(&key) => Err(What::Unused),
            Self::Own(keys) if !keys.used.contains(&key) => Err(What::UnknownAddition(keys.used)),
            Self::Own(_) if key == "keep" => Ok(Self::Keep),
            Self::Own(keys) => Ok(keys.inside(key).map_or(Self::Anything, Self::Own)),
            Self::Keep => Ok(Self::Own(&KEPT)),
            Self::Resources => Ok(Self::Resource),
            Self::Resource => Ok(Self::Method),
            Self::Actions => Ok(Self::Action),
            Self::Action if key == "steps" => Ok(Self::Steps),
            Self::Steps if key == "config" => Ok(Self::Method),
            Self::Method => Ok(match key {
                "authorization" if child.is_object() => Self::Section(&AUTHORIZATION),
                "examples" | "query_schema" | "body_schema" | "response_schema" | "tool_tags" => Self::Description,
                _ => Self::Anything,
            }),
            Self::Action | Self::Steps | Self::Description | Self::Anything => Ok(Self::Anything),
            Self::Section(section) if object.get("format").is_some() => {
                Self::Entry(section.keys_of(object, None)).below(object, key, child)
            }
            Self::Section(_) if !NAMES.contains(&key) => Err(What::UnknownKey(&NAMES)),
            Self::Section(section) => Ok(Self::Entry(section.keys_of(child, Some(key)))),
            Self::Entry(Some(keys)) if key == "config" => Ok(Self::Only(keys)),
            Self::Entry(None) if key == "config" => Err(What::UnknownFormat),
            Self::Entry(_) if key == "format" => Ok(Self::Anything),
            Self::Entry(_) => Err(What::UnknownKey(&["format", "config"])),
            Self::Only(keys) if keys.unused.contains(&key) => Err(What::Unused),
            Self::Only(keys) if keys.used.contains(&key) => Ok(self.inside(key)),
            Self::Only(keys) => Err(What::UnknownKey(keys.used)),
        }
    }

    fn inside(self, key: &str) -> Self {
        match self {
            Self::Only(keys) => keys.inside(key).map_or(Self::Anything, Self::Only),
            _ => Self::Anything,
        }
    }
}

impl Walk {
    fn visit(&mut self, value: &Value, here: Position<'_>) {
        match value {
            _ if matches!(here.expected, Expected::Description) => {}
            Value::Object(entries) => {
                let here = Position { place: here.place.below(here.key), ..here };
                if let Expected::Only(keys) = here.expected {
                    self.search_names(keys, value);
                }
                for (key, child) in entries {
                    self.path.push(Step::Key(key.clone()));
                    self.visit_entry(value, key, child, here);
                    self.path.pop();
                }
            }
            Value::Array(items) => {
                for (at, item) in items.iter().enumerate() {
                    self.path.push(Step::Item(at));
                    self.visit(item, here);
                    self.path.pop();
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                if let Some(problem) = literal::problem(value, here.key, here.place) {
                    self.report(What::Literal(problem));
                }
            }
        }
    }

    fn visit_entry(&mut self, object: &Value, key: &str, child: &Value, here: Position<'_>) {
        let expected = match here.expected.below(object, key, child) {
            Ok(expected) => expected,
            Err(What::Unused) => {
                self.report(What::Unused);
                here.expected.inside(key)
            }
            Err(what) => return self.report(literal::problem(child, key, here.place).map_or(what, What::Literal)),
        };
        let is_secret = match key {
            "default" => matches!(here.expected, Expected::Only(keys) if keys.is_field) && is_secret_field(object),
            // A pair that stands for an entry: a header, a variable.
            "value" => ["name", "key"].iter().any(|key| object[*key].as_str().is_some_and(is_credential_name)),
            _ => false,
        };
        let place = if is_secret { Place::Secrets } else { here.place };
        self.visit(child, Position { key, place, expected });
    }

    /// Reports the texts of an object of which one must name the account's credential, if none does.
    fn search_names(&mut self, keys: &Keys, object: &Value) {
        let texts = || keys.names_credential.iter().filter_map(|key| Some((*key, object.get(key)?.as_str()?)));
        if texts().any(|(_, text)| is_template(text)) {
            return;
        }
        for (key, _) in texts().filter(|(_, text)| !text.trim().is_empty()) {
            self.path.push(Step::Key(key.to_owned()));
            self.report(What::Literal("is a credential in plain text"));
            self.path.pop();
        }
    }

    fn report(&mut self, what: What) {
        self.found.push(Found { path: self.path.clone(), what });
    }
}

/// Whether a field of a form asks for a secret, by its type or name.
fn is_secret_field(field: &Value) -> bool {
    let is_readable = matches!(field["type"].as_str(), Some("text" | "single_select"));
    !is_readable || field["name"].as_str().is_some_and(is_credential_name)
}

#[cfg(test)]
mod tests;
